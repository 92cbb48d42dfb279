package transport

import (
	"strings"
	"time"
	"unicode"

	"qft/internal/congestion"
	"qft/internal/udp"
)

// Receive takes a packet from the network. Whatever does not authenticate is
// dropped without a trace but a count.
func (c *Conn) Receive(now time.Time, p udp.Packet) {
	c.noticeStall(now)
	c.turn.now = now
	h, ok := parseHeader(p.Data)
	if !ok || h.id != c.cfg.ReceiveID || c.state == closed {
		return
	}
	plain, err := c.cfg.Opener.Open(p.Data, HeaderSize, h.pn, h.phase)
	if err != nil {
		c.stats.Rejected++
		return
	}
	c.stats.Received++
	c.contact.last = now
	c.turn.wake = true
	c.seen(now, h.pn, p.Path, len(p.Data))
	got := arrival{now: now, pn: h.pn, from: p.Path, size: len(p.Data), keep: true, atOnce: h.atOnce}
	if h.measured {
		c.acks.counted.packet(now, h.pn, len(p.Data))
	}
	for len(plain) > 0 && c.state != closed {
		var f frame
		if f, plain, err = parseFrame(plain); err == nil {
			err = c.onFrame(&got, &f)
		}
		if err != nil {
			c.fail("the peer sent a malformed packet")
			return
		}
	}
	if got.keep {
		c.acks.packet(now, h.pn, got.size, got.eliciting, got.atOnce, c.rtt.base())
	}
}

// arrival is a packet being processed.
type arrival struct {
	now       time.Time
	pn        uint64
	from      udp.Path
	size      int // bytes
	eliciting bool
	atOnce    bool // acknowledge without waiting for more
	keep      bool // acknowledge at all
}

func (c *Conn) onFrame(a *arrival, f *frame) error {
	switch f.typ {
	case framePadding:
	case framePing:
		a.eliciting, a.atOnce = true, true
	case frameAck:
		return c.onAck(a, &f.ack)
	case frameBulk:
		a.eliciting = true
		c.contact.flowing = true
		if !c.onBulk(f) {
			a.keep = false
			c.stats.Refused++
		}
	case frameStream:
		a.eliciting = true
		return c.onStream(f)
	case frameWindow:
		a.eliciting = true
		if f.stream >= maxStreams || f.offset > 1<<62 {
			return errFrame
		}
		s := &c.streams[f.stream].out
		s.limit = max(s.limit, int64(f.offset))
	case frameChallenge:
		c.onChallenge(f.data, a.from, a.size)
	case frameResponse:
		c.onResponse(a.now, f.data)
	case frameClose:
		a.eliciting, a.atOnce = true, true
		c.onClose(a.now, f)
	case frameWish:
		c.onWish(a, f)
	case frameReport:
		c.onReport(a, f)
	}
	return nil
}

func (c *Conn) onBulk(f *frame) bool {
	if c.bulk.sink == nil || c.state != open {
		return false
	}
	return len(f.data) == 0 || c.bulk.sink.WriteBulk(f.data, int64(f.offset))
}

func (c *Conn) onStream(f *frame) error {
	if f.stream >= maxStreams || f.offset > 1<<62 {
		return errFrame
	}
	return c.streams[f.stream].in.receive(int64(f.offset), f.data)
}

func (c *Conn) onClose(now time.Time, f *frame) {
	if c.state == closed || c.state == draining {
		return
	}
	if c.end.err == nil {
		reason := strings.ToValidUTF8(string(f.data), "?")
		reason = strings.Map(printable, reason)
		c.end.err = &CloseError{Code: f.code, Reason: reason, Peer: true}
	}
	c.state = draining
	// Long enough to acknowledge a repeated CLOSE whose acknowledgement was lost.
	c.end.giveUp = now.Add(min(3*c.rtt.pto(), 3*time.Second))
}

func printable(r rune) rune {
	if !unicode.IsPrint(r) {
		return '?'
	}
	return r
}

// onAck gives the acknowledged packets their fate.
func (c *Conn) onAck(a *arrival, f *ackFrame) error {
	if f.largest >= c.sent.next {
		return errFrame // acknowledges what was never sent
	}
	if a.pn >= c.contact.ackFrom {
		c.contact.ackFrom = a.pn
		c.bulk.window = int64(min(f.window, 1<<40))
	}
	fresh := c.unacknowledged(f)
	if len(fresh) == 0 {
		return nil
	}
	news := c.feedback(f)
	var sample time.Duration
	for i := len(fresh) - 1; i >= 0; i-- { // oldest first
		for pn := fresh[i].low; pn < fresh[i].high; pn++ {
			p := c.sent.get(pn)
			if p == nil || p.fate == untracked || p.fate == acked {
				continue
			}
			if p.fate == skipped {
				return errFrame
			}
			since := a.now.Sub(c.start) - p.at
			if pn == f.largest && p.fate == inFlight && pn >= c.turn.stallPN {
				sample = since
			}
			c.onAcked(a.now, pn, p, since)
		}
		c.ackedPN.add(fresh[i].low, fresh[i].high)
		c.ackedPN.keepNewest(ackedKept)
	}
	if sample > 0 {
		c.rtt.sample(sample, min(f.delay, maxAckDelay))
	}
	c.loss.probes, c.loss.probesDue = 0, 0
	c.detectLosses(a.now)
	if c.mtu.blackHole(c.local()) {
		c.stats.BlackHoles++
		c.cc.Blackout(a.now) // that all full packets were lost is no congestion
	}
	if sample > 0 {
		// What the peer waited for company is no queue.
		news.RTT = max(sample-min(f.delay, maxAckDelay), 1)
	}
	c.cc.Update(a.now, news, c.loss.inFlight)
	c.retire(a.now)
	c.trimLost()
	c.tail.copies.end(c)
	return nil
}

// feedback is what an ACK says for the congestion controller.
func (c *Conn) feedback(f *ackFrame) congestion.Feedback {
	p := c.sent.get(f.measured)
	if f.received == 0 || p == nil || p.fate == untracked || p.probe || f.measured < c.ccFirst {
		return congestion.Feedback{}
	}
	return congestion.Feedback{Packet: &p.cc, Arrived: f.arrived, Received: int64(f.received)}
}

// unacknowledged returns the parts of an ACK that are news, newest first. An
// ACK repeats much of earlier ones in case those were lost; walking its ranges
// packet by packet would make each cost a round trip's worth of packets.
func (c *Conn) unacknowledged(f *ackFrame) []interval[uint64] {
	fresh := c.turn.newAcks[:0]
	i := len(c.ackedPN) - 1
	f.each(func(low, top uint64) {
		low, high := max(low, c.sent.base), top+1
		for low < high {
			for i >= 0 && c.ackedPN[i].low >= high {
				i--
			}
			if i < 0 || c.ackedPN[i].high <= low {
				fresh = append(fresh, interval[uint64]{low, high})
				return
			}
			r := c.ackedPN[i]
			if r.high < high {
				fresh = append(fresh, interval[uint64]{r.high, high})
			}
			high = min(high, r.low)
		}
	})
	c.turn.newAcks = fresh
	return fresh
}

// retire forgets what is not worth remembering of sent packets.
func (c *Conn) retire(now time.Time) {
	c.sent.retire(now.Sub(c.start) - c.rtt.smoothed - max(c.rtt.smoothed, lateAck))
	n := 0
	for n < len(c.ackedPN) && c.ackedPN[n].high <= c.sent.base {
		n++
	}
	if n > 0 {
		c.ackedPN = append(c.ackedPN[:0], c.ackedPN[n:]...)
	}
}

// onAcked is the one place where a packet is found to have arrived.
func (c *Conn) onAcked(now time.Time, pn uint64, p *sentPacket, since time.Duration) {
	c.loss.arrived(now, pn, p, since)
	known := !p.probe && pn >= c.ccFirst // to the controller of this path
	switch {
	case p.fate == inFlight:
		c.landed(p)
		c.tail.learned(false)
		if known {
			c.cc.Acked(now, &p.cc, int(p.size))
		}
	case known:
		c.cc.Found(now, &p.cc, int(p.size))
	}
	c.tail.copies.acked(p.offset, int(p.bulk))
	p.fate = acked
	if p.ctl {
		c.sent.controls(pn, c.controlAcked)
	}
	if p.probe {
		c.mtu.onAck(now, int(p.size))
	} else {
		c.mtu.packetAcked(pn, int(p.size))
	}
}

// onLost is the one place where a packet is given up: what it carried goes on
// its way again.
func (c *Conn) onLost(now time.Time, pn uint64, p *sentPacket) {
	c.landed(p)
	p.fate = lost
	if p.ctl {
		c.sent.controls(pn, c.controlLost)
	}
	if p.probe {
		c.mtu.onLost(now, int(p.size))
		return
	}
	c.loss.lostEver++
	c.tail.learned(true)
	if p.bulk > 0 {
		c.requeue(p.offset, int64(p.bulk))
	}
	if pn >= c.ccFirst {
		c.cc.Lost(now, &p.cc, int(p.size))
	}
	c.mtu.packetLost(pn, int(p.size))
}

// landed takes a packet out of the bytes in flight.
func (c *Conn) landed(p *sentPacket) {
	c.loss.eliciting--
	if p.probe {
		return
	}
	c.loss.inFlight -= int(p.size)
	c.bulk.inFlight -= int64(p.bulk)
}

func (c *Conn) controlAcked(r control) {
	switch r.typ {
	case frameStream:
		c.streams[r.stream].out.onAck(r.offset, r.length)
	case frameClose:
		if c.state == closing {
			c.state = closed
		}
	}
}

func (c *Conn) controlLost(r control) {
	switch r.typ {
	case frameStream:
		c.streams[r.stream].out.onLost(r.offset, r.length)
	case frameWindow:
		c.streams[r.stream].in.windowDue = true
	case frameClose:
		c.end.due = true
	case frameWish:
		c.wish.due = true
	}
}
