package congestion

// State is what the controller is doing.
type State uint8

const (
	Startup State = iota
	Probing
	Draining
	Cruising
	Testing
	Competing
	Silent
)

func (s State) String() string {
	return [...]string{"startup", "probing", "draining", "cruising", "testing", "competing", "silent"}[s]
}

// phase is a stretch of time at one rate.
type phase struct {
	state  State
	begin  int64   // ns; what leaves after it belongs to the phase
	bytes  int64   // sent in all until then
	rate   float64 // bytes/s
	sure   float64 // bytes/s; the rate below it, which the path has taken
	level  int     // of startup and probing
	ref    int64   // ns; RTT before a probe
	length int64   // ns; of a cruise
	before span    // cruise before a test
	tested int64   // ns; when the last test began
	checked int64
	eager  int
	byLoss bool
}

// train is the first window, which leaves in one piece: the spacing of its
// acknowledgements is the bottleneck's.
type train struct {
	end   int64 // bytes
	first point
	half  point   // the last one in the first half
	best  float64 // bytes/s
	hint  float64 // bytes/s; 0: none
}

// add takes a point of the first window.
func (r *train) add(c *Controller, now *point) {
	if now.upTo > r.end || now.at <= r.first.at || r.hint > 0 {
		return
	}
	s := between(r.first, *now)
	if s.bytes >= 16*c.out.size {
		// The last packets may be acknowledged late, for want of company.
		r.best = max(r.best, s.passed(s.bytes/2))
	}
	if now.upTo < r.end/2 {
		r.half = *now
		return
	}
	// Where the last packets are missing, the train has overrun something
	// that cannot hold it, and says nothing about the rate.
	if float64(r.end-now.upTo) > 6*c.out.size || r.half.upTo == 0 {
		return
	}
	one, two := between(r.first, r.half), between(r.half, *now)
	if two.lost/two.bytes-one.lost/one.bytes < 0.35 {
		r.hint = r.best
		c.phase.rate = r.hint / 2
		c.path.loss.learn(between(point{}, *now), c.out.size)
	}
}

type siege struct {
	since  int64 // ns; 0: none
	drains int
	rate   float64 // bandwidth when it began
	low    int64   // smallest RTT before the latest drain
	held   float64 // ns of sending withheld in the latest drain
	flat   int
}

func (c *Controller) enter(t int64, s State, rate float64) {
	c.phase.state = s
	c.phase.begin = t
	c.phase.bytes = c.out.bytes
	c.phase.rate = rate
	c.phase.checked = t
}

func (c *Controller) step(t int64) {
	switch c.phase.state {
	case Startup:
		c.startup(t)
	case Probing:
		c.judge(t)
	case Draining:
		c.drain(t)
	case Cruising:
		c.cruise(t)
	case Testing:
		c.test(t)
	case Competing:
		c.compete(t)
	case Silent:
		c.resume(t)
	}
}

// startup finds the bandwidth of an unknown path.
func (c *Controller) startup(t int64) {
	now := c.hist.nth(0)
	if c.phase.level == 0 {
		// The first acknowledgement.
		c.train.first = *now
		c.phase.level = 1
		c.enter(t, Startup, perSecond(float64(c.train.end), max(c.path.base.value(), minUnit)))
	}
	c.train.add(c, now)
	c.judge(t)
}

// judge looks at what became of the packets sent at the higher rate.
func (c *Controller) judge(t int64) {
	ph := &c.phase
	now := c.hist.nth(0)
	if now.sent <= ph.begin {
		return
	}
	s := between(c.since(ph.begin), *now)
	floor, _ := c.hist.floor(ph.begin, now.at-c.unit()/8)
	ref := ph.ref
	if ph.state == Startup {
		ref = c.path.base.value()
	}
	rise := floor - ref
	thr := c.threshold()
	size := c.out.size
	n := s.bytes / size
	bad := n >= 16 && c.path.loss.excess(s, size)
	if rise >= thr || bad {
		c.settle(t, bad)
		return
	}
	progress := now.sent - ph.begin
	need := c.unit() / 4
	if c.lossBound(ph.rate) {
		need = 2 * c.unit()
	}
	if ph.state == Startup && c.train.hint > 0 {
		need = c.unit() / 8
	}
	gain := 2.0
	if ph.sure > 0 {
		gain = ph.rate / ph.sure
	}
	expected := int64(float64(progress) * (gain - 1) / gain)
	clear := rise <= max(thr/6, int64(1.5*c.path.noise.mean))
	if progress < need || n < 16 || expected < thr || !clear && progress < c.unit() && expected < 4*thr {
		return
	}
	if perSecond(float64(now.upTo-ph.bytes), progress) < 0.85*ph.rate {
		// The application, the peer or this machine did not keep up.
		if ph.state == Startup {
			ph.sure = max(ph.sure, s.offered())
			c.enter(t, Startup, ph.rate)
			return
		}
		c.rest(t)
		return
	}
	if rise >= thr/2 {
		c.settle(t, bad)
		return
	}
	if m := &c.path.loss; ph.state == Startup && !m.settled {
		// The first window may have overrun a short queue; what left at half
		// the rate it showed knows better.
		if s.lost/s.bytes < m.share() {
			*m = lossModel{}
		}
		m.learn(s, size)
		m.settled = true
	}
	ph.sure = ph.rate
	if ph.state == Startup {
		c.path.bandwidth = max(c.path.bandwidth, ph.rate)
	} else {
		c.path.bandwidth = ph.rate
	}
	c.raise(t, clear)
}

// raise goes on to a higher rate after a success. clear: nothing speaks
// against a big step.
func (c *Controller) raise(t int64, clear bool) {
	ph := &c.phase
	b := ph.sure
	gain := 2.0
	switch {
	case ph.state == Startup && b < 0.95*c.train.hint:
		c.enter(t, Startup, min(2*b, c.train.hint))
		return
	case ph.state == Startup && c.train.hint > 0 || !clear || c.lossBound(b):
		ph.level = 1
		gain = 1 + min(1.5*float64(c.threshold())/float64(c.unit()), 0.25)
	case ph.state == Startup:
	default:
		ph.level++
		switch ph.level {
		case 2:
			gain = 1.25
		case 3:
			gain = 1.6
		}
	}
	if ph.state == Startup && c.train.hint > 0 {
		ph.state = Probing
		ph.eager = 4
		ph.ref = c.path.base.value()
	}
	c.enter(t, ph.state, gain*b)
}

// settle ends a probe that found the limit.
func (c *Controller) settle(t int64, byLoss bool) {
	ph := &c.phase
	c.path.bandwidth = c.measure(ph.begin, byLoss)
	ph.byLoss = byLoss
	c.path.ceiling = 0
	if byLoss {
		c.path.ceiling = c.path.bandwidth
	}
	if ph.state == Startup {
		ph.eager = 4
	}
	c.enter(t, Draining, 0.75*c.path.bandwidth)
}

// since is where a span of what left after t begins.
func (c *Controller) since(t int64) point {
	return c.hist.after(t)
}

// measure returns what the path takes now, judged by the latest half unit, if
// possible by what left after t only.
func (c *Controller) measure(t int64, strict bool) float64 {
	now := *c.hist.nth(0)
	enough := 12 * c.out.size
	a := c.since(t)
	s := between(a, now)
	if s.bytes < enough || s.came > c.unit()/2 {
		s = between(c.hist.back(now.at-c.unit()/2, now.upTo-int64(enough)), now)
	}
	if s.bytes < enough {
		return c.path.bandwidth
	}
	if strict {
		return s.passed(s.bytes * c.path.loss.share())
	}
	return s.passed(c.path.loss.credit(s, c.out.size, 2))
}

// backlog is how long, in ns, the packets in flight will wait in the queue if
// the bandwidth is right.
func (c *Controller) backlog() int64 {
	now := c.hist.nth(0)
	flight := float64(c.out.bytes - now.upTo)
	return int64(flight/c.path.bandwidth*1e9) - c.path.base.value()
}

func (c *Controller) drain(t int64) {
	ph := &c.phase
	now := c.hist.nth(0)
	if now.sent > ph.begin {
		if floor, n := c.hist.floor(ph.begin, 0); n > 0 && floor-c.path.base.value() < c.threshold()/2 {
			c.rest(t)
			return
		}
	} else if ph.byLoss {
		c.path.bandwidth = min(c.path.bandwidth, c.measure(ph.begin, true))
	}
	left := c.backlog()
	switch {
	case left > c.unit()/4:
		ph.rate = c.path.bandwidth / 2
	case left > 0:
		ph.rate = c.path.bandwidth * 3 / 4
	case ph.byLoss && now.sent <= ph.begin:
		ph.rate = c.path.bandwidth * 0.95
	default:
		c.rest(t)
	}
}

// lossBound reports whether the latest probe to a rate like this ended in
// losses without a queue. What stands there may have let a burst pass.
func (c *Controller) lossBound(rate float64) bool {
	return c.path.ceiling > 0 && rate < 1.3*c.path.ceiling
}

// rest begins a cruise.
func (c *Controller) rest(t int64) {
	ph := &c.phase
	units := 4 + 2*c.random()
	if ph.eager > 0 {
		ph.eager--
		units = 1.5
	}
	ph.length = int64(units * float64(c.unit()))
	c.path.noise.restart()
	c.enter(t, Cruising, 0.99*c.path.bandwidth)
}

func (c *Controller) random() float64 {
	// SplitMix64 (Steele, Lea, Flood 2014).
	c.dice += 0x9e3779b97f4a7c15
	z := c.dice
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return float64((z^z>>31)>>11) / (1 << 53)
}

// cruise sends at the bandwidth and watches.
func (c *Controller) cruise(t int64) {
	ph := &c.phase
	now := c.hist.nth(0)
	if now.sent <= ph.begin {
		return
	}
	c.path.noise.add(now.at, now.rtt, c.unit()/4)
	thr := c.threshold()
	progress := now.sent - ph.begin
	if progress >= c.unit()/2 && now.at-ph.checked > c.unit()/4 {
		ph.checked = now.at
		floor, n := c.hist.floor(ph.begin, now.at-c.unit()/2)
		if n >= 2 && floor-c.path.base.value() > thr*3/2 {
			b := c.measure(ph.begin, false)
			c.path.bandwidth = min(c.path.bandwidth, max(b, c.path.bandwidth/2))
			c.enter(t, Draining, 0.75*c.path.bandwidth)
			return
		}
	}
	s := between(c.since(ph.begin), *now)
	excess := s.bytes >= 64*c.out.size && progress >= c.unit()/2 && c.path.loss.excess(s, c.out.size)
	if t-ph.begin < ph.length && !excess {
		return
	}
	if !excess {
		c.path.loss.learn(s, c.out.size)
	}
	if c.testDue(t, excess) {
		ph.before = s
		ph.tested = t
		c.enter(t, Testing, testGain*c.path.bandwidth)
		return
	}
	if t-ph.begin < ph.length {
		return
	}
	ph.ref, _ = c.hist.floor(ph.begin, now.at-c.unit())
	ph.level = 1
	ph.sure = c.path.bandwidth
	extra := 1.5 * float64(thr) / float64(c.unit())
	c.enter(t, Probing, c.path.bandwidth*(1+min(extra, 0.25)))
}

// testDue reports whether it should be tried if sending less loses less.
func (c *Controller) testDue(t int64, excess bool) bool {
	m := &c.path.loss
	if excess {
		return t-c.phase.tested > 8*c.unit()
	}
	return m.share() > 0.01 && (m.share() > 1.5*m.tested+0.01 || t-c.phase.tested > 100*c.unit())
}

const testGain = 0.85

// test sees whether sending less loses less. Random loss takes its share of
// whatever is sent; a policer or a short queue takes what exceeds its rate.
func (c *Controller) test(t int64) {
	ph := &c.phase
	now := c.hist.nth(0)
	s := between(c.since(ph.begin), *now)
	if now.sent-ph.begin < c.unit() || s.bytes < 200*c.out.size && now.sent-ph.begin < 1e9 {
		return
	}
	was, is := ph.before.lost/ph.before.bytes, s.lost/s.bytes
	m := &c.path.loss
	clumps := m.clumps
	*m = lossModel{clumps: clumps, settled: true}
	if was-is > (1-was)*(1/testGain-1)/2 {
		// What is lost at random can be anything from nothing: begin there.
		m.bytes = 1000 * c.out.size
		c.path.bandwidth = ph.before.passed(0)
		ph.tested = 0
	} else {
		m.learn(ph.before, c.out.size)
		m.learn(s, c.out.size)
		m.tested = m.share()
	}
	c.rest(t)
}

// resume begins again after silence.
func (c *Controller) resume(t int64) {
	c.hist.clear()
	if c.path.bandwidth == 0 {
		return
	}
	c.train.hint = c.path.bandwidth
	c.phase.level = 1
	c.phase.sure = c.train.hint / 4
	c.enter(t, Startup, c.train.hint/2)
}

func (c *Controller) restart(t int64) {
	c.resume(t)
}

type rival struct {
	window float64
}

func (c *Controller) compete(t int64) {}
