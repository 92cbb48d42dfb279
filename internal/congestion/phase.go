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

	leastUp    = 0.05
	mostUp     = 0.25 // of the first step
	fastUp     = 1.0  // of later ones
	downGain   = 0.9
	doubtGain  = 0.7 // instead, to find out what is lost at random
	leastSlow  = 0.05
	mostSlow   = 0.5
	cruiseFor  = 2 // phases
	mostShy    = 4 // times as long after Ups that ended in losses
	emptyEvery = 8 // Downs make the queue empty for certain

	wholeTime  = 10e9 // ns that the rate of the whole bottleneck counts at least
	sharedFrom = 1.25 // of our bandwidth: the whole is not ours alone
	mostShares = 4    // of it that our Up steps are made for
)

// roundState counts round trips: one ends when a packet that left after the
// end of the previous one has arrived.
type roundState struct {
	end   int64 // ns; of sending
	began int64
	ended bool
	low   int64    // smallest one-way delay in it
	lows  [6]int64 // of the latest whole rounds, newest first
}

func (r *roundState) update(c *Controller, t int64, p *Packet) {
	r.ended = false
	owd := c.delay.latest
	if r.low == 0 || owd < r.low {
		r.low = owd
	}
	if p.SentAt < r.end || t-r.began < leastRTT {
		return
	}
	r.ended = true
	r.end, r.began = t, t
	copy(r.lows[1:], r.lows[:])
	r.lows[0] = r.low
	r.low = 0
}

// phaseState is the state and since when.
type phaseState struct {
	state   State
	began   int64
	length  int64
	bw      float64 // when Up began or grew last
	safe    float64 // the same when the first step of Up began
	ceiling float64 // what the latest Up that ended in losses began with
	step    float64 // by how much Up exceeds it
	sent    int64   // bytes sent when Up began
	idle    uint32  // the same
	queue   int64   // ns; the same
	tries   uint32
	shy     int // Ups in a row that ended in losses
}

func (c *Controller) gain() float64 {
	switch c.phase.state {
	case Up:
		return 1 + c.phase.step
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

func (c *Controller) enter(t int64, s State) {
	c.phase.state = s
	c.phase.began = t
	c.phase.length = c.delay.roundTrip()
}

// firstStep is by how much the first step of Up exceeds the bandwidth: what
// queues for a round trip, if the path does not take it, is half of what means
// a queue.
func (c *Controller) firstStep() float64 {
	q := max(float64(c.delay.rtt.least())/queueShare, leastQueue)
	step := min(max(q/float64(c.delay.roundTrip()), leastUp), mostUp)
	// What the bottleneck was seen to carry and we do not get is others'. All
	// add the same, then, however much they have, and shares become equal.
	if bw := c.bandwidth(); bw > 0 {
		step *= min(max(c.whole.best()/bw, 1), mostShares)
	}
	return min(step, fastUp)
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
			c.enter(t, Cruise)
			// Each Up costs what it has lost, so they come less often.
			switch {
			case c.loss.exceeds(above):
				c.phase.shy = min(c.phase.shy+1, mostShy)
			case c.loss.classes[above].share() > 1.5*c.loss.base()+excessShare:
				c.phase.shy = 1
			default:
				c.phase.shy = 0
			}
			// Two senders whose probing falls together learn nothing of each other.
			c.phase.tries++
			dither := float64(c.phase.tries*2654435761>>16&0xff) / 256
			phases := float64(cruiseFor * (1 + c.phase.shy))
			if c.whole.best() > sharedFrom*c.bandwidth() {
				phases /= 2 // the sooner shares become equal
			}
			c.phase.length = int64((phases + dither) * float64(c.phase.length))
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
		c.phase.safe, c.phase.queue = c.bandwidth(), c.delay.queue()
		c.enterUp(t, c.firstStep())
	}
}

func (c *Controller) enterUp(t int64, step float64) {
	c.enter(t, Up)
	c.phase.bw, c.phase.step, c.phase.sent, c.phase.idle = c.bandwidth(), step, c.sent, c.idle
	c.loss.classes[above] = tally{}
}

// up goes on, in growing steps, for as long as the path gives more.
func (c *Controller) up(t int64, p *Packet) {
	ph := &c.phase
	grown := c.bandwidth() >= ph.bw*(1+0.6*ph.step)
	over := t-ph.began >= ph.length+ph.length/4+max(ph.length/4, leastSpan)
	switch {
	case c.delay.rising(ph.queue):
		c.down(t)
	case c.loss.exceeds(above):
		// What seemed to be growth was a bucket that had filled meanwhile.
		c.down(t)
		ph.ceiling = min(ph.safe, c.bandwidth())
		c.police(t, ph.ceiling)
	case grown && p.SentAt >= ph.began:
		if ph.shy > 0 && ph.ceiling > 0 && c.bandwidth() > ph.ceiling {
			// What has grown may be a bucket that is being emptied. If there
			// is more to have, the next Up will find that too.
			c.down(t)
			c.revise(t, ph.ceiling)
			return
		}
		c.enterUp(t, min(2*ph.step, fastUp))
	case over:
		c.down(t)
	}
}

// down gives back what Up has sent beyond the bandwidth. Now and then it gives
// more, so that the queue is empty for certain: two senders of which one has
// never seen it so do not share fairly.
func (c *Controller) down(t int64) {
	ph := &c.phase
	bw := c.bandwidth()
	excess := float64(c.sent-ph.sent) - bw*float64(t-ph.began)/1e9
	if excess <= 0 && ph.idle != c.idle && !c.delay.standing() {
		c.enter(t, Cruise) // less was sent than might have been: there is nothing to give back
		c.phase.length *= cruiseFor
		return
	}
	if ph.tries%emptyEvery == 0 {
		excess += leastQueue / 1e9 * c.whole.best()
	}
	c.enter(t, Down)
	if !c.loss.doubtful() {
		ph.length /= 2
	}
	if bw > 0 {
		ph.length = min(max(ph.length, int64(excess/(bw*(1-downGain))*1e9)), 6*ph.length)
	}
}

// quietState is a contact that was lost.
type quietState struct {
	silent bool
	until  int64 // packets that left before it say nothing about the path
	gentle int64 // half the rate until then; 0: no
}
