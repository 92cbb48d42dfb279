package congestion

const (
	leastWindow = 6 // packets
	leastRate   = 4 // packets per second

	// A peer may hold an acknowledgement for 20 ms. A window that ends before
	// makes its own low rate true; beyond some size 32 packets come sooner.
	ackWait      = 0.025 // s
	ackWaitBytes = 128e3

	// This machine may be late by so much. But more than some bytes only wait in
	// the peer's memory, and push what it works on out of its caches.
	turnWait  = 0.005 // s
	turnBytes = 1 << 20

	windowGain = 2.0

	bwTime      = 100e6 // ns that a bandwidth counts at least
	leastSpan   = 10e6  // ns over which a rate is taken at least
	sampleSlack = 0.003 // share of loss beyond the random one that means nothing

	leastSlow = 0.05
	mostSlow  = 0.5
)

// phaseState is the state and since when.
type phaseState struct {
	state  State
	began  int64 // ns
	length int64 // ns
}

func (c *Controller) enter(t int64, s State) {
	c.phase = phaseState{s, t, c.delay.roundTrip()}
}

// step moves on.
func (c *Controller) step(t int64, p *Packet) {
	if c.quiet.gentle > 0 && t >= c.quiet.gentle {
		c.quiet.gentle = 0
	}
	c.foreign.update(c, t)
	switch c.phase.state {
	case Startup:
		c.startup(t)
	case Cruise:
		c.cruise(t)
	case Up:
		c.up(t, p)
	case Down:
		if t-c.phase.began >= c.phase.length {
			c.cruiseAfter(t)
		}
	case Compete:
		c.competing(t)
	}
}

func (c *Controller) cruise(t int64) {
	switch f := c.loss.policed(); {
	case f < 1:
		c.police(t, f*c.bandwidth())
	case c.delay.standing():
		if c.delay.deep() {
			// What is remembered from before the queue was too much.
			c.bw.set(t, c.bandwidth())
		}
		c.phase.began = max(c.phase.began, t-c.phase.length/2)
	case t-c.phase.began >= c.phase.length:
		c.probe.safe, c.probe.queue = c.bandwidth(), c.delay.queue()
		c.enterUp(t, c.firstStep())
	}
}

func (c *Controller) gain() float64 {
	switch c.phase.state {
	case Up:
		return 1 + c.probe.step
	case Down:
		if c.loss.doubtful() {
			return min(doubtGain, c.slow())
		}
		return min(downGain, c.slow())
	}
	return c.slow()
}

// slow is the gain that lets a standing queue go within some round trips.
func (c *Controller) slow() float64 {
	if !c.delay.standing() {
		return 1
	}
	q := float64(c.delay.queue()) / float64(2*c.delay.roundTrip())
	return 1 - min(max(q, leastSlow), mostSlow)
}

// quietState is a contact that was lost.
type quietState struct {
	silent bool
	until  int64 // packets that left before it say nothing about the path
	gentle int64 // half the rate until then; 0: no
}
