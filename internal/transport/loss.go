package transport

import "time"

const (
	// Probe timeouts back off to about this much, so that contact is noticed
	// soon after it returns, at the price of a packet in that time.
	maxProbeInterval = 750 * time.Millisecond

	// The reordering window starts at this share of the smallest RTT (RFC 8985
	// section 6.2 step 4) and at no less than minReorder.
	reorderShare = 4
	minReorder   = time.Millisecond
)

// lossState decides when a packet in flight is lost: when a packet sent a
// reordering window after it has arrived (RACK, RFC 8985), judged by time and
// not by counting, because reordering is a matter of time.
//
// Packets leave in the order of their numbers, so the first packet that is
// neither acknowledged nor overdue ends the scan, and each is looked at once.
type lossState struct {
	inFlight   int           // bytes of ack-eliciting packets whose fate is open, without MTU probes
	eliciting  int           // ack-eliciting packets whose fate is open
	scan       uint64        // all packets below have met their fate
	newest     uint64        // packet number of the latest-sent packet that arrived
	next       uint64        // of the first one above in flight, or less
	newestAt   time.Duration // when it left
	newestRTT  time.Duration // how long its acknowledgement took
	anyAcked   bool
	reorder    time.Duration // reordering window learned; zero: the default share
	timer      time.Time     // when the next packet becomes overdue; zero: none
	lastSent   time.Time     // latest ack-eliciting packet
	probes     int           // probe timeouts since the last acknowledgement
	asked      time.Time     // the first of these
	probesDue  int           // probes that may leave now, whatever the window says
	spurious   uint64        // packets declared lost that did arrive
	lostEver   uint64
	reorderEnd time.Time // when half of what was learned is forgotten
}

// window is how long a packet may be overtaken before it counts as lost.
func (l *lossState) window(r *rttState) time.Duration {
	w := max(r.min/reorderShare, minReorder, l.reorder)
	return min(w, max(r.smoothed+4*r.variance, 4*minReorder))
}

// arrived notes an acknowledged packet and learns from one that was overtaken.
func (l *lossState) arrived(now time.Time, pn uint64, p *sentPacket, since time.Duration) {
	if !l.anyAcked || pn > l.newest {
		l.anyAcked = true
		l.newest, l.newestAt, l.newestRTT = pn, p.at, since
		return
	}
	if p.fate != lost {
		return
	}
	// It arrived after all. The window was too small by as much as packets
	// that left later had overtaken it.
	l.spurious++
	if late := (l.newestAt - p.at) * 5 / 4; late > l.reorder {
		l.reorder = late
		l.reorderEnd = now.Add(reorderMemory)
	}
}

// lateAck is how long, beyond a round trip, the record of a lost packet is kept
// at least: an acknowledgement that comes after all teaches what reordering to
// expect. On long paths it is one more round trip: records are what memory goes
// into there.
const lateAck = 250 * time.Millisecond

// reorderMemory is how long a learned window holds before it is halved: a path
// that reorders does so again soon, and one that has stopped should not delay
// repairs for the rest of a long transfer.
const reorderMemory = 30 * time.Second

func (l *lossState) forget(now time.Time) {
	if l.reorder > 0 && now.After(l.reorderEnd) {
		l.reorder /= 2
		l.reorderEnd = now.Add(reorderMemory)
		if l.reorder < minReorder {
			l.reorder = 0
		}
	}
}

// detect declares overdue packets lost and sets the timer for the next.
func (c *Conn) detectLosses(now time.Time) {
	l := &c.loss
	l.timer = time.Time{}
	if !l.anyAcked {
		return
	}
	l.forget(now)
	window := l.window(&c.rtt)
	for l.scan < l.newest {
		p := c.sent.get(l.scan)
		if p == nil || p.fate != inFlight {
			l.scan++
			continue
		}
		overdue := c.start.Add(p.at + l.newestRTT + window)
		if l.newestAt-p.at < window && overdue.After(now) {
			l.timer = overdue
			return
		}
		c.onLost(now, l.scan, p)
		l.scan++
	}
}

// probeDeadline is when the peer's silence becomes suspicious; zero while it
// owes nothing.
func (c *Conn) probeDeadline() time.Time {
	if c.loss.eliciting == 0 || c.state == draining {
		return time.Time{}
	}
	d := c.loss.lastSent.Add(c.probeInterval())
	if at := c.overdueAt(); c.loss.probes == 0 && !at.IsZero() && at.Before(d) {
		return at // the sending goes on, but nothing comes back
	}
	return d
}

// quickProbes are sent without backing off: one loss in a row of several is no
// rare thing where losses come in bursts.
const quickProbes = 4

func (c *Conn) probeInterval() time.Duration {
	pto := c.rtt.pto()
	return min(pto<<max(min(c.loss.probes, 10)-quickProbes, 0), max(maxProbeInterval, pto+pto/2))
}

// checkProbe allows probes when the probe timeout has passed.
func (c *Conn) checkProbe(now time.Time) {
	d := c.probeDeadline()
	if d.IsZero() || d.After(now) || c.loss.probesDue > 0 {
		return
	}
	c.loss.probes++
	c.loss.probesDue = 1
	if c.loss.probes == 1 {
		c.loss.probesDue = firstProbes
		c.loss.asked = now
	}
	c.stats.ProbeTimeout++
	if c.loss.probes == blackoutProbes {
		c.cc.Blackout(now)
	}
}

// firstProbes leave at the first timeout: a full packet and small ones, in case
// full ones have begun to vanish, which must not take two timeouts to be found.
const firstProbes = 3

// smallProbe reports whether the next probe must be small.
func (l *lossState) smallProbe() bool {
	return l.probes%2 == 0 || l.probes == 1 && l.probesDue < firstProbes
}

// blackoutProbes unanswered probes mean that the path is dead and not merely
// lossy: at 20 % loss both ways, three round trips in a row fail once in 20.
const blackoutProbes = 3

// doubtTime is how long nothing is answered before the path is in doubt: a peer
// that is near and busy is late by as much without being lost.
const doubtTime = 250 * time.Millisecond
