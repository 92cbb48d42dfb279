package congestion

// train is the first window, which leaves in one piece: the spacing of its
// acknowledgements is the bottleneck's.
type train struct {
	end   int64 // bytes
	first point
	half  point   // the last one in the first half
	best  float64 // bytes/s
	seen  float64 // bytes/s; without any credit for losses
	hint  float64 // bytes/s; 0: none
}

// add takes a point of the first window and reports whether there is a hint
// now.
func (r *train) add(now *point, size float64) bool {
	if now.upTo > r.end || now.at <= r.first.at || r.hint > 0 {
		return false
	}
	s := between(r.first, *now)
	if s.bytes >= 16*size {
		// The last packets may be acknowledged late, for want of company.
		r.best = max(r.best, s.passed(s.bytes/2))
		r.seen = max(r.seen, s.passed(0))
	}
	if now.upTo < r.end/2 {
		r.half = *now
		return false
	}
	// Where the last packets are missing, the train has overrun something
	// that cannot hold it, and says nothing about the rate.
	if float64(r.end-now.upTo) > 6*size || r.half.upTo == 0 {
		return false
	}
	one, two := between(r.first, r.half), between(r.half, *now)
	if two.lost/two.bytes-one.lost/one.bytes < 0.35 {
		r.hint = r.best
	}
	return r.hint > 0
}

// startup finds the bandwidth of an unknown path.
func (c *Controller) startup(t int64) {
	now := c.hist.nth(0)
	if c.probe.level == 0 {
		// The first acknowledgement.
		c.train.first = *now
		c.probe.level = 1
		c.enter(t, Startup, perSecond(float64(c.train.end), max(c.path.base.value(), minUnit)))
	}
	if c.train.add(now, c.out.size) {
		// The hint may be wrong, a policer's burst for instance, and a wrong
		// step is felt for a round trip. Where those are short, take two.
		rate := c.train.hint / 4
		if c.path.base.value() > 200e6 {
			rate = c.train.hint / 2
		}
		c.enter(t, Startup, rate)
		c.path.loss.learn(between(point{}, *now), c.out.size)
	}
	c.judge(t)
}

// resume begins again after silence, from what was known.
func (c *Controller) resume(t int64) {
	c.hist.clear()
	if c.path.bandwidth == 0 {
		return
	}
	c.train.hint = c.path.bandwidth
	c.probe = probe{level: 1, sure: c.train.hint / 4}
	c.enter(t, Startup, c.train.hint/2)
}
