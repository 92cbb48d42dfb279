package congestion

import "math"

const (
	cubicC        = 0.4 // segments per second^3, RFC 9438 section 5
	cubicBeta     = 0.7 // section 4.6
	segment       = 1448.0
	foreignTime   = 3e9 // ns for which others are remembered at least
	foreignRounds = 30  // and round trips with their queue
	fallShare     = 0.6 // of the fall that is expected; a queue that falls by less is held up
	heldRounds    = 5
	againRounds   = 3 // the same, to see whether others are still there
	flatQueue     = 8 // a queue that changes by less than one in so many is none
)

// foreignState finds out whether a standing queue is ours: if so, sending less
// than arrives makes it shorter. If it does not, somebody else fills it.
type foreignState struct {
	at    int64   // ns; latest update
	bw    float64 // bytes per second; when the queue appeared
	held  float64 // ns for which it has not become shorter as it should
	mid   int64   // ns; its length after half the time that it takes to be sure
	given float64 // ns of queue that we have given way to
	most  int64   // ns; the longest it was
	until int64   // ns; others are known to be there until then

	// window is what we had beside others before it was to be seen whether
	// they are still there, in segments; 0: they were not known to be.
	window float64
}

func (f *foreignState) update(c *Controller, t int64) {
	dt := float64(min(t-f.at, c.delay.roundTrip()))
	f.at = t
	s := c.phase.state
	if !c.delay.standing() || s == Startup || s == Compete {
		if f.bw > 0 && s != Startup && s != Compete {
			f.gone(c, t)
		}
		if s != Compete {
			f.window = 0
		}
		f.bw, f.held = 0, 0
		return
	}
	if f.bw == 0 {
		f.bw, f.given = max(c.probe.bw, c.bandwidth()), 0
	}
	f.given += (1 - c.gain()) * dt
	f.most = c.delay.highest
	now := c.delay.roundTrip() + c.delay.queue()
	if p, ok := c.past.last(max(now/2, leastSpan), 0); ok {
		fall := float64(p.sending-p.arriving) / float64(p.sending)
		if fall < fallShare*(1-c.gain()) {
			f.held += dt
		} else {
			f.held = max(0, f.held-2*dt)
		}
	}
	if f.held < float64(c.patience()*now)/2 {
		f.mid = c.delay.queue()
	}
	known := t < f.until
	if !known && f.held < float64(c.patience()*now) {
		return
	}
	q := c.delay.queue()
	switch {
	case !known && abs(q-f.mid) < q/flatQueue/2 && f.most-q < q/flatQueue && !c.loss.exceeds(below):
		c.reroute(t)
	case !c.cfg.Background:
		if !known {
			f.until = t + max(foreignTime, foreignRounds*now)
		}
		if f.window > 0 {
			c.compete.resume(t, f.window)
		} else {
			c.compete.begin(t, f.bw*float64(c.delay.rtt.least())/1e9)
		}
		c.enter(t, Compete)
	}
	f.bw, f.held = 0, 0
}

// patience is for how many round trips a queue must be held up. In the
// background there is nothing to win by haste: others may hold a full queue
// still for seconds, and it must not be taken for a longer route.
func (c *Controller) patience() int64 {
	if c.foreign.window > 0 {
		return againRounds
	}
	if c.cfg.Background {
		return 8 * heldRounds
	}
	return heldRounds
}

// gone looks at a queue that is no more. One that we have not given way to so
// much was none, or the path has become faster: what was remembered before it
// holds again.
func (f *foreignState) gone(c *Controller, t int64) {
	if float64(f.most) < 2*f.given+leastQueue {
		return
	}
	c.delay.shook(t, f.most)
	if f.bw > c.bw.best() {
		c.bw.set(t, f.bw)
		c.fresh.set(t, f.bw)
	}
}

func abs(x int64) int64 { return max(x, -x) }

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
	until   float64 // below it the window grows as in slow start; 0: no more
	epoch   int64   // ns; of the latest reduction
	k       float64 // s
	last    int64   // ns; latest growth
	roundAt int64   // packets sent after it count for the next reduction
	dropped float64 // bytes
	clear   int64   // ns since when there is no queue; 0: there is one
}

func (k *competeState) begin(t int64, bytes float64) {
	w := max(bytes/segment, 4)
	*k = competeState{window: w, most: w, est: w, until: 1.5 * w, epoch: t, last: t, roundAt: t}
}

// resume goes on with a window that was had before.
func (k *competeState) resume(t int64, segments float64) {
	k.begin(t, segments*segment)
	k.until = 0
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
	switch {
	case k.window < k.until:
		k.window = min(k.until, k.window*(1+dt/2))
		k.most, k.epoch = k.window, t
	case k.window < target:
		k.window = min(target, k.window+dt*k.window/2)
	}
	k.window = max(k.window, k.est, 4)
}

func (k *competeState) reduce(t int64) {
	k.most, k.until = k.window, 0
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
	k := &c.compete
	switch {
	case c.delay.standing():
		k.clear = 0
	case k.clear == 0:
		k.clear = t
	}
	// From time to time it is made sure that the others are still there.
	if k.clear > 0 && t-k.clear > 2*c.delay.roundTrip() || t > c.foreign.until {
		c.foreign.window = k.window
		c.enter(t, Cruise)
		return
	}
	k.grow(t, c.rttNow())
	sent := k.window * segment
	allowed := 0.0
	if base := c.loss.base(); base > 0.001 {
		allowed = sent * (1.5*base + c.loss.tolerance(sent))
	}
	if k.dropped > allowed {
		k.reduce(t)
	}
}
