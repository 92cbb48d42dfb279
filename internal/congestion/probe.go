package congestion

// probe is an attempt at a higher rate, in startup or out of a cruise.
type probe struct {
	level  int
	start  float64 // bytes/s; bandwidth before it
	sure   float64 // bytes/s; the rate below the present one, which the path has taken
	ref    int64   // ns; RTT before it
	share  float64 // bytes/s; what a startup in a crowd has got so far
	got    float64 // bytes/s; what arrived at that rate; 0: unknown
	byLoss bool    // it ended in losses without a queue
}

// verdict on the packets of a probe.
type verdict struct {
	s        span
	progress int64 // ns; how long the packets took to leave that were acknowledged
	rise     int64 // ns; of the RTT
	expected int64 // ns; rise if nothing of the step fits
	bad      bool  // more losses than chance explains
}

func (c *Controller) look() (v verdict) {
	ph, pr := &c.phase, &c.probe
	now := c.hist.nth(0)
	v.s = between(c.hist.after(ph.begin), *now)
	floor, _ := c.hist.floor(ph.begin, now.at-c.unit()/4)
	ref := pr.ref
	if ph.state == Startup {
		ref = c.path.base.value()
	}
	v.rise = floor - ref
	v.progress = now.sent - ph.begin
	step := 0.5
	if pr.sure > 0 {
		step = (ph.rate - pr.sure) / max(ph.rate, c.path.capacity)
	}
	v.expected = int64(float64(v.progress) * step)
	v.bad = v.s.bytes >= 16*c.out.size && c.path.loss.excess(v.s, c.out.size)
	return v
}

// judge looks at what became of the packets sent at the higher rate.
func (c *Controller) judge(t int64) {
	ph, pr := &c.phase, &c.probe
	now := c.hist.nth(0)
	if now.sent <= ph.begin {
		return
	}
	v := c.look()
	thr := c.threshold()
	if v.rise >= thr || v.bad {
		c.stop(t, &v)
		return
	}
	need := c.unit() / 4
	switch {
	case c.lossBound(ph.rate):
		need = 2 * c.unit()
	case ph.state == Startup && c.train.hint > 0:
		need = c.unit() / 8
	}
	clear := v.rise <= max(thr/6, int64(c.path.calm.noise/4))
	if v.progress < need || v.s.bytes < 16*c.out.size || v.expected < thr ||
		!clear && v.progress < c.unit() && v.expected < 4*thr {
		return
	}
	if perSecond(float64(now.upTo-ph.bytes), v.progress) < 0.85*ph.rate {
		c.starved(t, &v)
		return
	}
	if v.rise >= thr/2 {
		c.stop(t, &v)
		return
	}
	if m := &c.path.loss; ph.state == Startup && !m.settled {
		// The first window may have overrun a short queue; what left at half
		// the rate it showed knows better.
		if v.s.lost/v.s.bytes < m.share() {
			*m = lossModel{runs: m.runs}
		}
		m.learn(v.s, c.out.size)
		m.settled = true
	}
	// Losses may hide that no more gets through, if chance has to explain many.
	got := perSecond(v.s.bytes-v.s.lost, max(v.s.left, v.s.came))
	if pr.got > 0 && pr.sure > 0 {
		more := (ph.rate - pr.sure) / pr.sure
		noise := 2 * c.path.loss.deviation(v.s, c.out.size) / v.s.bytes
		if got < pr.got*(1+more/3-noise) {
			v.bad = true
			c.settle(t, &v)
			return
		}
	}
	pr.got = got
	pr.sure = ph.rate
	if ph.state == Startup {
		c.believe(max(c.path.bandwidth, ph.rate))
	} else {
		c.believe(ph.rate)
	}
	c.raise(t, clear)
}

// starved ends a probe for which the application, the peer or this machine
// was too slow.
func (c *Controller) starved(t int64, v *verdict) {
	if c.phase.state != Startup {
		c.rest(t)
		return
	}
	c.log(t, "STARVED", " offered ", v.s.offered()*8e-6, " ", c.out.bytes-c.phase.bytes, " ", v.progress/1e3)
	c.believe(max(c.path.bandwidth, v.s.offered()))
	c.enter(t, Startup, c.phase.rate)
}

// stop ends a probe that found the limit.
func (c *Controller) stop(t int64, v *verdict) {
	if c.phase.state == Startup {
		if v.s.bytes-v.s.lost < 12*c.out.size && v.progress < c.unit() {
			return // too little to tell the rate by
		}
		if c.push(t, v) {
			return
		}
	}
	c.settle(t, v)
}

// push goes on with a startup that has met a queue, if the first train showed
// a far larger capacity than we get: then others are using it, and who stops
// at the first sign of them gets the crumbs.
func (c *Controller) push(t int64, v *verdict) bool {
	pr := &c.probe
	got := c.measure(c.phase.begin, false)
	all := c.train.hint
	if all == 0 {
		all = c.train.seen
	}
	if v.rise < c.threshold()/2 || got > 0.7*all {
		return false
	}
	c.crowd.here = true
	c.path.capacity = all
	if v.bad || v.rise > max(c.unit()/2, 40e6) || got > 0.4*all {
		return false
	}
	if v.progress < c.unit()/4 {
		return true
	}
	if got < 1.2*pr.share {
		return false
	}
	pr.share = got
	c.enter(t, Startup, min(1.5*c.phase.rate, all))
	return true
}

// raise goes on to a higher rate after a success. clear: nothing speaks
// against a big step.
func (c *Controller) raise(t int64, clear bool) {
	ph, pr := &c.phase, &c.probe
	b := pr.sure
	gain := 2.0
	switch {
	case ph.state == Startup && b < 0.95*c.train.hint:
		c.enter(t, Startup, min(2*b, c.train.hint))
		return
	case ph.state == Startup && c.train.hint > 0 || !clear || c.lossBound(b):
		pr.level = 1
		gain = c.nudge(b)
	case ph.state == Startup:
	default:
		pr.level++
		switch pr.level {
		case 2:
			gain = 1.25
		case 3:
			gain = 1.6
		}
	}
	if ph.state == Startup && c.train.hint > 0 {
		ph.state = Probing
		ph.eager = 4
		pr.ref = c.path.base.value()
		pr.start = b
	}
	c.enter(t, ph.state, gain*b)
}

// nudge is the gain of the first step up from a rate: after one unit it has
// made one and a quarter of the queue that is noticed.
func (c *Controller) nudge(rate float64) float64 {
	extra := 1.25 * float64(c.threshold()) / float64(c.unit())
	if c.lossBound(rate) {
		extra = min(extra, 0.06)
	}
	return 1 + min(min(extra, 0.25)*max(c.path.capacity/rate, 1), 1)
}

// settle ends a probe that found the limit.
func (c *Controller) settle(t int64, v *verdict) {
	ph, pr := &c.phase, &c.probe
	b := c.measure(ph.begin, v.bad)
	if ph.state == Probing {
		// The rate before was carried without a queue.
		low := pr.start
		if v.bad {
			low *= 0.9
		}
		b = max(b, low)
	}
	b = min(b, ph.rate)
	c.believe(b)
	pr.byLoss = v.bad
	pr.sure = max(ph.rate, b)
	c.path.ceiling = 0
	if v.bad {
		c.path.ceiling = b
	}
	if ph.state == Startup {
		ph.eager = 4
		c.crowd.since = t
		c.crowd.rate = b
	}
	c.yield(t)
}

// lossBound reports whether the latest probe to a rate like this ended in
// losses without a queue. What stands there may have let a burst pass.
func (c *Controller) lossBound(rate float64) bool {
	return c.path.ceiling > 0 && rate < 1.12*c.path.ceiling
}
