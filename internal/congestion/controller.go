package congestion

import "time"

// Config says what is known beforehand.
type Config struct {
	InitialWindow int           // bytes that may leave before anything is acknowledged. If zero, 64 packets
	MaxDatagram   int           // bytes of the largest packet so far. If zero, 1200
	MaxRate       float64       // bytes/s; pacing never exceeds it. If zero, no limit
	RTT           time.Duration // round-trip time measured before. If zero, unknown
	Seed          uint64        // of the random lengths of phases
}

// Packet is what the controller remembers of a packet in flight. It is
// embedded in the transport's own record of the packet.
type Packet struct {
	sent int64 // ns
	upTo int64 // bytes sent up to and with it
}

// Controller decides how fast one path may be used.
type Controller struct {
	cfg   Config
	zero  time.Time
	out   outflow
	in    inflow
	hist  history
	path  path
	train train
	phase phase
	probe probe
	trial trial
	crowd crowd
	siege siege
	rival rival
	dice  uint64
}

type outflow struct {
	bytes int64   // sent in all
	last  int64   // ns; when the latest packet left
	size  float64 // bytes of the largest packet
	idle  bool    // nothing in flight since the latest acknowledgement
}

type inflow struct {
	newest Packet // the latest-sent packet that is acknowledged
	bytes  int64  // acknowledged in all
	at     int64  // ns; the latest acknowledgement
	every  float64
	fresh  bool // newest is not yet in the history
	any    bool
}

const (
	initialWindow = 64    // packets
	initialRate   = 125e6 // bytes/s: the first window leaves as one train
	minUnit       = 20e6  // ns
)

// New returns a controller for a path that nothing is known of.
func New(cfg Config) *Controller {
	if cfg.MaxDatagram == 0 {
		cfg.MaxDatagram = 1200
	}
	if cfg.InitialWindow == 0 {
		cfg.InitialWindow = initialWindow * cfg.MaxDatagram
	}
	c := &Controller{cfg: cfg, dice: cfg.Seed}
	c.out.size = float64(cfg.MaxDatagram)
	c.phase = phase{state: Startup, rate: initialRate}
	return c
}

func (c *Controller) ns(now time.Time) int64 {
	if c.zero.IsZero() {
		c.zero = now.Add(-1)
	}
	return int64(now.Sub(c.zero))
}

// Sent notes a packet that leaves now; inFlight is in bytes, without it.
func (c *Controller) Sent(now time.Time, p *Packet, size, inFlight int) {
	t := c.ns(now)
	if inFlight == 0 && c.in.any && t-c.out.last > max(c.unit(), 200e6) {
		c.resume(t)
	}
	c.out.bytes += int64(size)
	c.out.last = t
	c.out.size = max(c.out.size, float64(size))
	p.sent, p.upTo = t, c.out.bytes
	if c.train.end == 0 || !c.in.any && inFlight < c.cfg.InitialWindow {
		c.train.end = c.out.bytes
	}
}

// Acked notes a packet that is newly acknowledged.
func (c *Controller) Acked(now time.Time, p *Packet, size int) {
	c.in.bytes += int64(size)
	if p.upTo > c.in.newest.upTo {
		c.in.newest = *p
		c.in.fresh = true
	}
}

// Lost notes a packet that is given up.
func (c *Controller) Lost(now time.Time, p *Packet, size int) {
	if s := c.phase.state; s == Cruising || s == Testing {
		c.path.loss.runs.add(p, size)
	}
	if p.sent > c.rival.cut {
		c.rival.lost += float64(size)
	}
}

// Update draws the conclusions.
func (c *Controller) Update(now time.Time, rtt time.Duration, inFlight int) {
	t := c.ns(now)
	if !c.in.fresh {
		return
	}
	c.in.fresh = false
	p := c.point(t, int64(rtt))
	if c.in.any {
		gap := t - c.in.at
		if float64(gap) > max(float64(max(p.rtt, 200e6)), 4*c.in.every) {
			c.resume(t)
		} else {
			c.in.every += (float64(gap) - c.in.every) / 8
		}
	} else {
		c.in.every = float64(p.rtt) / 8
	}
	c.in.any = true
	c.in.at = t
	c.path.base.add(t, p.rtt)
	c.hist.add(p, c.unit()/32)
	c.step(t)
}

func (c *Controller) point(t, rtt int64) point {
	n := &c.in.newest
	at := t
	if rtt > 0 {
		at = min(t, n.sent+rtt)
	} else {
		rtt = t - n.sent
	}
	if c.hist.n > 0 {
		at = max(at, c.hist.nth(0).at)
	}
	return point{at: at, sent: n.sent, upTo: n.upTo, got: c.in.bytes, rtt: max(rtt, 1)}
}

// AppLimited notes that there is nothing to send.
func (c *Controller) AppLimited(now time.Time, inFlight int) {
}

// Blackout notes that contact is lost.
func (c *Controller) Blackout(now time.Time) {
	if c.in.any {
		c.phase.state = Silent
	}
}

// unit is the span of time that phases are measured in, ns.
func (c *Controller) unit() int64 {
	u := max(c.path.base.value(), minUnit)
	if c.path.bandwidth > 0 {
		u = max(u, min(1e9, int64(24*c.out.size/c.path.bandwidth*1e9)))
	}
	return u
}

// threshold is how much the RTT must rise to mean a queue, ns.
func (c *Controller) threshold() int64 {
	thr := max(c.path.base.value()/32, 2500e3, int64(c.path.calm.noise))
	if c.path.bandwidth > 0 {
		// Two packets of ours are the least that can be told from none, and
		// as long as an acknowledgement may wait for the next packet.
		thr = max(thr, min(100e6, int64(2*c.out.size/c.path.bandwidth*1e9)))
	}
	return thr
}

// Rate is the pacing rate in bytes/s; it is never zero.
func (c *Controller) Rate() float64 {
	r := c.phase.rate
	switch c.phase.state {
	case Silent:
		r = 4 * c.out.size
	case Competing:
		r = 3 * perSecond(c.rival.window, c.hist.nth(0).rtt)
	}
	if c.cfg.MaxRate > 0 {
		r = min(r, c.cfg.MaxRate)
	}
	return max(r, c.out.size)
}

// Window is how many bytes may be in flight.
func (c *Controller) Window() int {
	switch {
	case c.path.bandwidth == 0 && !c.in.any:
		return c.cfg.InitialWindow
	case c.phase.state == Silent:
		return int(2 * c.out.size)
	case c.phase.state == Competing:
		return int(c.rival.window)
	}
	w := 1.5 * c.phase.rate * float64(c.path.base.value()+25e6) / 1e9
	return int(w + 8*c.out.size)
}

// Stats is a snapshot for people.
type Stats struct {
	State     State
	Bandwidth float64       // bytes/s that the path takes, random loss included
	BaseRTT   time.Duration // smallest recent round-trip time
	Queue     time.Duration // by how much the latest round-trip time exceeds it
	Loss      float64       // share of packets lost at random
}

// Stats reports the model.
func (c *Controller) Stats() Stats {
	s := Stats{
		State:     c.phase.state,
		Bandwidth: c.path.bandwidth,
		BaseRTT:   time.Duration(c.path.base.value()),
		Loss:      c.path.loss.share(),
	}
	if c.hist.n > 0 {
		s.Queue = time.Duration(c.hist.nth(0).rtt) - s.BaseRTT
	}
	return s
}
