package congestion

import "time"

// Config says what is known beforehand.
type Config struct {
	InitialWindow int     // bytes that leave before anything is known. If zero, 48 packets
	MaxDatagram   int     // bytes of a full packet. If zero, 1200
	MaxRate       float64 // bytes per second; pacing never exceeds it. If zero, no limit

	// Background asks for target-delay mode, which yields to other traffic
	// (LEDBAT, RFC 6817).
	Background bool
}

// State is what the controller is doing.
type State uint8

const (
	// Startup grows the rate every round until the path gives no more.
	// Next: Drain.
	Startup State = iota
	// Drain sends less than the path takes until the queue that Startup made
	// is gone. Next: Cruise.
	Drain
	// Cruise sends what the path takes. Next: Up, MinRTT.
	Cruise
	// Up tries whether the path takes more, for as long as it does. Next: Down.
	Up
	// Down gives back what Up may have queued, and shows how much is lost when
	// nothing is asked of the path that it cannot do. Next: Cruise.
	Down
	// MinRTT halves the flight for a round to see the path without our queue.
	// Next: Cruise.
	MinRTT
)

func (s State) String() string {
	return [...]string{"startup", "drain", "cruise", "up", "down", "min-rtt"}[s]
}

// Controller decides how fast one path may be used. See the package comment
// for the model.
type Controller struct {
	cfg   Config
	epoch time.Time
	rate  rateState
	bw    maxFilter // bytes per second that the path takes, before loss
	rtt   rttState
	loss  lossState
	round roundState
	phase phaseState
	start startState
	quiet quietState
}

// New returns a controller for a path of which little is known.
func New(cfg Config) *Controller {
	if cfg.MaxDatagram == 0 {
		cfg.MaxDatagram = 1200
	}
	if cfg.InitialWindow == 0 {
		cfg.InitialWindow = initialPackets * cfg.MaxDatagram
	}
	return &Controller{cfg: cfg}
}

// SetMaxRate changes Config.MaxRate. While the caller sends less than the path
// takes because of it, it says so by AppLimited.
func (c *Controller) SetMaxRate(rate float64) { c.cfg.MaxRate = rate }

func (c *Controller) ns(now time.Time) int64 {
	if c.epoch.IsZero() {
		c.epoch = now.Add(-1)
	}
	return int64(now.Sub(c.epoch))
}

// Sent notes a packet that leaves now; inFlight is in bytes, without it.
func (c *Controller) Sent(now time.Time, p *Packet, size, inFlight int) {
	t := c.ns(now)
	c.rate.onSent(t, p, inFlight)
	p.low = c.phase.state == Down || c.phase.state == Drain
	p.up = c.phase.state == Up
	c.cfg.MaxDatagram = max(c.cfg.MaxDatagram, size)
	if c.phase.state == Startup {
		c.start.onSent(c.rate.sent, int64(c.cfg.InitialWindow), inFlight <= trainGap*c.cfg.MaxDatagram)
	}
	c.rate.sent += int64(size)
	p.upTo = c.rate.sent
}

// Acked notes a packet that is newly acknowledged.
func (c *Controller) Acked(now time.Time, p *Packet, size int) {
	t := c.ns(now)
	c.rate.onAcked(t, p, size)
	c.loss.count(p, size, false, c.rtt.clear())
	c.start.onAcked(t, p)
}

// Lost notes a packet that is given up.
func (c *Controller) Lost(now time.Time, p *Packet, size int) {
	if p.sentAt < c.quiet.until {
		return // lost with the contact, which says nothing about the path
	}
	c.loss.count(p, size, true, c.rtt.clear())
}

// Found notes a packet that arrived though it had been given up.
func (c *Controller) Found(now time.Time, p *Packet, size int) {
	c.rate.onAcked(c.ns(now), p, size)
	if p.sentAt >= c.quiet.until {
		c.loss.undo(p, size)
	}
}

// AppLimited notes that there is nothing to send though more could leave.
func (c *Controller) AppLimited(now time.Time, inFlight int) {
	c.rate.limitedUntil = max(c.rate.delivered+int64(inFlight), 1)
}

// Blackout notes that the peer has stopped answering.
func (c *Controller) Blackout(now time.Time) {
	if c.bw.best() > 0 {
		c.quiet.silent = true
	}
}

// Update draws the conclusions from an acknowledgement: its losses and
// acknowledged packets were noted before. rtt is zero if it gave no sample.
func (c *Controller) Update(now time.Time, rtt time.Duration, inFlight int) {
	t := c.ns(now)
	s, ok := c.rate.take()
	if !ok {
		return
	}
	if c.quiet.silent {
		c.quiet = quietState{until: t, gentle: t + max(c.rtt.min, minPhase)}
	}
	c.rtt.sample(t, int64(rtt))
	c.round.update(c, t, s)
	bw := s.rate / (1 - c.loss.base())
	if !s.limited || bw > c.bw.best() {
		c.bw.add(t, c.round.count, bw)
	}
	c.round.best = max(c.round.best, bw)
	c.step(t, inFlight)
}

// Bandwidth is what the path is thought to take, in bytes per second, 0 if
// not known yet.
func (c *Controller) bandwidth() float64 {
	b := c.bw.best()
	if c.round.bound > 0 {
		b = min(b, c.round.bound)
	}
	return b
}

// Rate is the pacing rate in bytes per second; it is never zero.
func (c *Controller) Rate() float64 {
	r := c.bandwidth() * c.gain()
	if c.phase.state == Startup {
		r = c.startupRate()
	}
	if c.quiet.gentle > 0 {
		r /= 2
	}
	if c.cfg.MaxRate > 0 {
		r = min(r, c.cfg.MaxRate)
	}
	return max(r, float64(leastRate*c.cfg.MaxDatagram))
}

// Window is how many bytes may be in flight.
func (c *Controller) Window() int {
	bw := c.bandwidth()
	if bw == 0 || c.rtt.min == 0 {
		return c.cfg.InitialWindow
	}
	gain := windowGain
	if c.phase.state == MinRTT {
		gain = 0.5
	}
	rtt := c.rtt.min
	if c.phase.state == MinRTT && c.rtt.old > 0 {
		rtt = min(rtt, c.rtt.old)
	}
	bdp := bw * float64(rtt) / 1e9
	// Acknowledgements wait for company, packets in flight for their fate, and
	// this machine for its turn: none of that should stop the sending.
	slack := max(bw*(float64(c.rtt.min)/8+5e6)/1e9, min(bw*ackWait, ackWaitBytes))
	w := int(gain*bdp+slack) + leastWindow*c.cfg.MaxDatagram
	if c.phase.state == Startup {
		// What is in flight must be allowed to grow at the rate that is being
		// tried, or the window hides what the path can do.
		w = max(w, c.cfg.InitialWindow, int(1.5*c.startupRate()*float64(c.rtt.min)/1e9))
	}
	return w
}

// Stats is a snapshot for people.
type Stats struct {
	State     State
	Bandwidth float64       // bytes per second that the path takes, random loss included
	MinRTT    time.Duration // smallest recent round-trip time
	Loss      float64       // share of packets lost without a queue
}

// Stats reports the model.
func (c *Controller) Stats() Stats {
	return Stats{State: c.phase.state, Bandwidth: c.bandwidth(),
		MinRTT: time.Duration(c.rtt.min), Loss: c.loss.base()}
}
