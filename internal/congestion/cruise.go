package congestion

import "math"

// siege is a time in which the queue never emptied.
type siege struct {
	clear  int64   // ns; when there was last no queue
	rate   float64 // bytes/s; bandwidth when it began
	floor  int64   // ns; RTT when we last yielded
	flat   int     // how often it was the same
	yields int
	worst  int64 // ns; largest queue
}

// crowd is what we know of others who share the bottleneck.
type crowd struct {
	here  bool
	since int64   // ns; when they were noticed
	rate  float64 // bytes/s; bandwidth until then
	steps int     // taken up since the last sign of them
}

const (
	crowdSteps = 4
	crowdYoung = 24 // units
)

// step is how much of the capacity is taken up at a time, cut what is left of
// our rate after the queue has shown. Both are large at first, when shares are
// far from equal.
func (c *Controller) crowdPace(t int64) (step, cut float64) {
	if t-c.crowd.since < crowdYoung*c.unit() {
		return 0.08, 0.75
	}
	return 0.04, 0.88
}

// rest begins a cruise.
func (c *Controller) rest(t int64) {
	ph := &c.phase
	units := 4 + 2*c.random()
	if c.lossBound(c.path.bandwidth) {
		units *= 2
	}
	if ph.eager > 0 || c.crowd.here {
		ph.eager--
		units = 1.5
	}
	u := c.unit()
	if c.crowd.here {
		u = max(c.path.base.value(), minUnit)
	}
	ph.length = int64(units * float64(u))
	c.path.calm.restart(ph.state == Draining)
	c.enter(t, Cruising, 0.99*c.path.bandwidth)
}

// cruise sends at the bandwidth and watches.
func (c *Controller) cruise(t int64) {
	ph := &c.phase
	now := c.hist.nth(0)
	if now.sent <= ph.begin {
		return
	}
	c.path.calm.add(now.at, now.rtt, c.unit()/4)
	progress := now.sent - ph.begin
	if progress >= c.unit()/2 {
		floor, n := c.hist.floor(ph.begin, now.at-c.unit()/2)
		if n >= 2 && floor-c.path.base.value() > c.threshold()*3/2 {
			c.crowded(t, floor)
			return
		}
	}
	s := between(c.hist.after(ph.begin), *now)
	excess := s.bytes >= 64*c.out.size && progress >= c.unit()/2 && c.path.loss.excess(s, c.out.size)
	if t-ph.begin < ph.length && !excess {
		return
	}
	if !excess {
		c.path.loss.learn(s, c.out.size)
	}
	if c.testDue(t, excess) {
		c.trial = trial{before: s, at: t, share: c.trial.share}
		c.enter(t, Testing, testGain*c.path.bandwidth)
		return
	}
	if t-ph.begin < ph.length {
		return
	}
	floor, _ := c.hist.floor(ph.begin, now.at-c.unit()/4)
	thr := c.threshold()
	if c.crowd.here {
		thr = thr * 3 / 2
	}
	if floor-c.path.base.value() > thr {
		c.crowded(t, floor)
		return
	}
	c.rival.gone(t, now.rtt)
	if c.crowd.here && c.crowd.steps < crowdSteps {
		// Everybody adds the same and gives up the same share: that makes
		// shares equal (Chiu and Jain 1989).
		c.crowd.steps++
		c.path.calm.learn(c.path.base.value())
		b := c.path.bandwidth
		step, _ := c.crowdPace(t)
		c.path.bandwidth = min(b+step*c.path.capacity, 2*b)
		c.rest(t)
		return
	}
	c.crowd.here = false
	c.path.capacity = c.path.bandwidth
	c.try(t)
}

// try begins a probe.
func (c *Controller) try(t int64) {
	c.path.calm.learn(c.path.base.value())
	b := c.path.bandwidth
	s := between(c.hist.after(c.phase.begin), *c.hist.nth(0))
	c.probe = probe{level: 1, sure: b, start: b, ref: int64(c.path.calm.avg)}
	if s.bytes > 16*c.out.size && s.offered() > 0.9*c.phase.rate {
		c.probe.got = perSecond(s.bytes-s.lost, max(s.left, s.came))
	}
	if c.path.calm.n == 0 {
		c.probe.ref, _ = c.hist.floor(c.phase.begin, c.hist.nth(0).at-c.unit())
	}
	c.enter(t, Probing, c.nudge(b)*b)
}

// crowded reacts to a queue that no probe of ours has made.
func (c *Controller) crowded(t, floor int64) {
	g := &c.siege
	now := *c.hist.nth(0)
	if g.yields == 0 {
		g.rate = c.path.bandwidth
	}
	g.yields++
	g.worst = max(g.worst, floor-c.path.base.value())
	s := between(c.hist.back(now.at-c.unit(), now.got), now)
	took := float64(s.left) / float64(max(s.came, 1)) // share of our rate that passed
	c.log(t, "CROWDED", " took ", took, " floor q ", (floor-c.path.base.value())/1e3)
	if took > 0.98 {
		c.path.calm.learn(c.path.base.value())
	}
	queue := floor - c.path.base.value()
	if g.floor > 0 && c.path.bandwidth > 0.3*c.path.capacity && abs(float64(floor-g.floor)) < float64(queue)/8 {
		g.flat++
	} else {
		g.flat = 0
	}
	g.floor = floor
	if g.flat >= 2 {
		// The RTT does not answer when we yield: it is no queue but a longer
		// way.
		c.path.base.set(t, floor)
		c.believe(g.rate)
		c.siege = siege{clear: t}
		c.rest(t)
		return
	}
	if c.rival.window > 0 {
		c.contend(t) // still there
		return
	}
	if g.yields >= 3 && queue > g.worst/3 && t-g.clear > 6*(c.unit()+g.worst) {
		c.contend(t)
		return
	}
	if !c.crowd.here {
		c.crowd = crowd{here: true, since: t, rate: c.path.bandwidth}
	}
	c.crowd.steps = 0
	_, cut := c.crowdPace(t)
	c.believe(c.path.bandwidth * min(max(took, 0.5), cut))
	if took < 0.6 {
		c.path.capacity = c.path.bandwidth // it is less for everybody
	}
	c.probe.byLoss = false
	c.yield(t)
}

// yield begins to send less.
func (c *Controller) yield(t int64) {
	c.enter(t, Draining, 0.75*c.path.bandwidth)
	c.phase.length = 3*c.backlog() + c.unit()/4
}

// drain sends less until the queue that we made has gone.
func (c *Controller) drain(t int64) {
	ph := &c.phase
	now := c.hist.nth(0)
	if now.sent > ph.begin {
		if floor, n := c.hist.floor(ph.begin, 0); n > 0 && floor-c.path.base.value() < c.threshold()/2 {
			c.rest(t)
			return
		}
	} else if c.probe.byLoss {
		// The first packets of a burst may have passed; the last ones know.
		b := c.measure(ph.begin, true)
		if now.sent > ph.begin-c.unit()/4 {
			// An acknowledgement that was held back makes a rate look small.
			b = max(b, c.path.bandwidth)
		}
		c.believe(min(c.probe.sure, b))
		c.path.ceiling = c.path.bandwidth
	}
	left := c.backlog()
	switch {
	case t-ph.begin > ph.length && (!c.probe.byLoss || now.sent > ph.begin):
		// Others keep the queue up.
		c.rest(t)
	case left > c.unit()/4:
		ph.rate = c.path.bandwidth / 2
	case left > 0:
		ph.rate = c.path.bandwidth * 3 / 4
	case c.probe.byLoss && now.sent <= ph.begin:
		ph.rate = c.path.bandwidth * 0.95
	default:
		c.rest(t)
	}
}

// trial is a comparison of losses at two rates.
type trial struct {
	before span    // at the higher
	at     int64   // ns; when the latest began
	share  float64 // of random loss that the latest confirmed
}

const testGain = 0.85

// testDue reports whether it should be tried if sending less loses less.
func (c *Controller) testDue(t int64, excess bool) bool {
	p := c.path.loss.share()
	since := t - c.trial.at
	if excess {
		return since > 8*c.unit()
	}
	return p > 0.01 && (p > 1.5*c.trial.share+0.01 || since > 100*c.unit())
}

// test sees whether sending less loses less. Random loss takes its share of
// whatever is sent; a policer or a short queue takes what exceeds its rate.
func (c *Controller) test(t int64) {
	ph := &c.phase
	now := c.hist.nth(0)
	s := between(c.hist.after(ph.begin), *now)
	m := &c.path.loss
	before := c.trial.before
	was, is := before.lost/before.bytes, s.lost/s.bytes
	// If it is not chance, the same amount arrives and only losses shrink.
	shrink := (1 - was) * (1/testGain - 1)
	sigma := math.Sqrt(was * (1 - was) * m.runs.factor() * c.out.size * (1/s.bytes + 1/before.bytes))
	long := now.sent - ph.begin
	if long < c.unit() || s.bytes < 100*c.out.size && long < 2e9 ||
		sigma > shrink/4 && s.bytes < 3*before.bytes && long < 3e9 {
		return
	}
	*m = lossModel{runs: m.runs, settled: true}
	if was-is > shrink/2 || was > hopeless {
		// What is lost at random can be anything from nothing: begin there.
		m.bytes = 1000 * c.out.size
		c.trial = trial{}
		c.believe(before.passed(0))
	} else {
		m.learn(before, c.out.size)
		m.learn(s, c.out.size)
		c.trial.share = m.share()
	}
	c.rest(t)
}
