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
	length int64   // ns; of a cruise
	eager  int     // cruises to come that are short
}

func (c *Controller) enter(t int64, s State, rate float64) {
	c.phase.state = s
	c.phase.begin = t
	c.phase.bytes = c.out.bytes
	c.phase.rate = rate
	c.log(t, s.String(), " rate ", int(rate*8e-4), "e-2")
}

func (c *Controller) step(t int64) {
	if now := c.hist.nth(0); now.rtt-c.path.base.value() <= c.threshold() {
		c.siege = siege{clear: t}
	}
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

// believe sets the estimate of the bandwidth; two packets per round trip and
// per second are the least that can be estimated from.
func (c *Controller) believe(rate float64) {
	c.path.bandwidth = max(rate, 2*c.out.size, perSecond(2*c.out.size, c.path.base.value()))
	c.path.capacity = max(c.path.capacity, c.path.bandwidth)
}

// measure returns what the path takes now, judged by the latest half unit, if
// possible by what left after t only.
func (c *Controller) measure(t int64, strict bool) float64 {
	now := *c.hist.nth(0)
	enough := int64(12 * c.out.size)
	from := c.hist.after(t)
	if now.got-from.got < enough || now.at-from.at > c.unit()/2 {
		from = c.hist.back(now.at-c.unit()/2, now.got-enough)
	}
	if now.got-from.got < enough {
		return max(c.path.bandwidth, c.phase.rate/2)
	}
	s := between(from, now)
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

func (c *Controller) random() float64 {
	// SplitMix64 (Steele, Lea, Flood 2014).
	c.dice += 0x9e3779b97f4a7c15
	z := c.dice
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return float64((z^z>>31)>>11) / (1 << 53)
}
