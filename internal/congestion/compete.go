package congestion

import "math"

const (
	cubicC    = 0.4 // segments per second^3, RFC 9438 section 5
	cubicBeta = 0.7 // section 4.6
	segment   = 1448.0
	flatQueue = 8 // a queue that changes by less than one in so many is none
)

// foreignState finds out whether a standing queue is ours: if so, sending less
// makes it go.
type foreignState struct {
	at      int64   // ns; latest update
	bw      float64 // bytes per second; when the queue appeared
	drained float64 // ns of queue that should have gone since
}

func (f *foreignState) update(c *Controller, t int64) {
	dt := t - f.at
	f.at = t
	s := c.phase.state
	if !c.delay.standing() || s == Startup || s == Compete {
		*f = foreignState{at: t}
		return
	}
	if f.bw == 0 {
		f.bw = max(c.phase.bw, c.bandwidth())
	}
	f.drained += (1 - c.gain()) * float64(min(dt, c.delay.roundTrip()))
	if f.drained < 2*float64(c.delay.highest)+float64(c.rttNow())/2 {
		return
	}
	switch {
	case c.delay.highest-c.delay.queue() < c.delay.highest/flatQueue && !c.loss.exceeds(below):
		c.reroute(t)
	case !c.cfg.Background:
		c.compete.begin(t, f.bw*float64(c.delay.rtt.least())/1e9)
		c.enter(t, Compete)
	}
	*f = foreignState{at: t}
}

// reroute believes that the path has become longer: packets wait just as long
// however much less is sent.
func (c *Controller) reroute(t int64) {
	low := c.delay.short.least()
	c.delay.base = minFilter{low, low, t, true}
	c.delay.rtt = c.delay.recent
	c.delay.high, c.delay.highest = 0, 0
	c.bw.set(t, max(c.foreign.bw, c.bandwidth()))
	c.enter(t, Cruise)
}

// competeState is a window as CUBIC has it (RFC 9438), for a queue that others
// keep full: whoever yields to them there gets nothing.
type competeState struct {
	window  float64 // segments
	most    float64 // before the latest reduction
	est     float64 // of a Reno-like sender, section 4.3
	epoch   int64   // ns; of the latest reduction
	k       float64 // s
	last    int64   // ns; latest growth
	roundAt int64   // packets sent after it count for the next reduction
	dropped float64 // bytes
	seen    bool    // a loss that calls for a reduction
}

func (k *competeState) begin(t int64, bytes float64) {
	w := max(bytes/segment, 4)
	*k = competeState{window: w, most: w, est: w, epoch: t, last: t, roundAt: t}
}

func (k *competeState) lost(p *Packet, size int) {
	if p.SentAt >= k.roundAt {
		k.dropped += float64(size)
	}
}

func (k *competeState) found(p *Packet, size int) {
	if p.SentAt >= k.roundAt {
		k.dropped = max(0, k.dropped-float64(size))
	}
}

// grow moves the window on to time t; rtt in ns.
func (k *competeState) grow(t, rtt int64) {
	dt := float64(t-k.last) / float64(max(rtt, 1e6))
	k.last = t
	since := float64(t-k.epoch)/1e9 - k.k
	target := cubicC*since*since*since + k.most
	// "3 * (1 - beta) / (1 + beta)" segments per round trip.
	k.est += dt * 3 * (1 - cubicBeta) / (1 + cubicBeta)
	if k.window < target {
		k.window = min(target, k.window+dt*k.window/2)
	}
	k.window = max(k.window, k.est, 4)
}

func (k *competeState) reduce(t int64) {
	k.most = k.window
	k.window *= cubicBeta
	k.est = k.window
	k.epoch, k.roundAt = t, t
	k.k = math.Cbrt(k.most * (1 - cubicBeta) / cubicC)
	k.dropped = 0
}

func (k *competeState) rate(c *Controller) float64 {
	return 1.05 * k.window * segment / float64(c.rttNow()) * 1e9
}

func (k *competeState) limit(c *Controller) int {
	return int(k.window*segment) + leastWindow*c.cfg.MaxDatagram
}

// rttNow is the present round-trip time, with its queue.
func (c *Controller) rttNow() int64 {
	return max(c.delay.recent.least(), 1e6)
}

// competing is one step of it.
func (c *Controller) competing(t int64) {
	if !c.delay.standing() {
		c.enter(t, Cruise)
		return
	}
	k := &c.compete
	k.grow(t, c.rttNow())
	base := c.loss.base()
	sent := k.window * segment
	if k.dropped > 0 && k.dropped > sent*(1.5*base+c.loss.tolerance(sent)) {
		k.reduce(t)
	}
}
