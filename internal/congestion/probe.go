package congestion

const (
	leastUp    = 0.05
	mostUp     = 0.25 // of the first step
	fastUp     = 1.0  // of later ones
	grownShare = 0.6  // of a step that must have got through for the path to take more
	downGain   = 0.9
	doubtGain  = 0.7 // instead, to find out what is lost at random
	cruiseFor  = 2   // phases
	mostShy    = 4   // times as long after Ups that ended in losses
	emptyEvery = 8   // Downs make the queue empty for certain

	wholeTime  = 10e9 // ns that the rate of the whole bottleneck counts at least
	sharedFrom = 1.25 // of our bandwidth: the whole is not ours alone
	mostShares = 4    // of it that our Up steps are made for
)

// probeState is the search for more, in steps: each Up is one, and Ups that
// find more follow each other.
type probeState struct {
	step  float64 // by how much Up exceeds the bandwidth
	bw    float64 // bytes per second; the bandwidth when this step began
	sent  int64   // bytes; sent then
	idle  uint32  // Packet.Idle then
	safe  float64 // bytes per second; the bandwidth when the first step began
	queue int64   // ns; the queue then

	ceiling float64 // bytes per second; safe of the latest search that ended in losses
	shy     int     // how many did so in a row
	tries   uint32
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

func (c *Controller) enterUp(t int64, step float64) {
	c.enter(t, Up)
	c.probe.bw, c.probe.step, c.probe.sent, c.probe.idle = c.bandwidth(), step, c.sent, c.idle
	c.loss.classes[above] = tally{}
}

// up goes on, in growing steps, for as long as the path gives more.
func (c *Controller) up(t int64, p *Packet) {
	pr := &c.probe
	grown := c.bandwidth() >= pr.bw*(1+grownShare*pr.step)
	over := t-c.phase.began >= c.phase.length+c.phase.length/4+max(c.phase.length/4, leastSpan)
	switch {
	case c.delay.rising(pr.queue):
		c.down(t)
	case c.loss.exceeds(above):
		// What seemed to be growth was a bucket that had filled meanwhile.
		c.down(t)
		pr.ceiling = min(pr.safe, c.bandwidth())
		c.police(t, pr.ceiling)
	case grown && p.SentAt >= c.phase.began:
		if pr.shy > 0 && pr.ceiling > 0 && c.bandwidth() > pr.ceiling {
			// What has grown may be a bucket that is being emptied. If there
			// is more to have, the next Up will find that too.
			c.down(t)
			c.revise(t, pr.ceiling)
			return
		}
		c.enterUp(t, min(2*pr.step, fastUp))
	case over:
		c.down(t)
	}
}

// down gives back what Up has sent beyond the bandwidth. Now and then it gives
// more, so that the queue is empty for certain: two senders of which one has
// never seen it so do not share fairly.
func (c *Controller) down(t int64) {
	pr := &c.probe
	bw := c.bandwidth()
	excess := float64(c.sent-pr.sent) - bw*float64(t-c.phase.began)/1e9
	if excess <= 0 && pr.idle != c.idle && !c.delay.standing() {
		c.enter(t, Cruise) // less was sent than might have been: there is nothing to give back
		c.phase.length *= cruiseFor
		return
	}
	if pr.tries%emptyEvery == 0 {
		excess += leastQueue / 1e9 * c.whole.best()
	}
	c.enter(t, Down)
	if !c.loss.doubtful() {
		c.phase.length /= 2
	}
	if bw > 0 {
		c.phase.length = min(max(c.phase.length, int64(excess/(bw*(1-downGain))*1e9)), 6*c.phase.length)
	}
}

// cruiseAfter begins to Cruise after Down, for how long depends on what Up found.
func (c *Controller) cruiseAfter(t int64) {
	pr := &c.probe
	// Each Up costs what it has lost, so they come less often.
	switch {
	case c.loss.exceeds(above):
		pr.shy = min(pr.shy+1, mostShy)
	case c.loss.classes[above].share() > 1.5*c.loss.base()+excessShare:
		pr.shy = 1
	default:
		pr.shy = 0
	}
	// Two senders whose probing falls together learn nothing of each other.
	pr.tries++
	dither := float64(pr.tries*2654435761>>16&0xff) / 256
	phases := float64(cruiseFor * (1 + pr.shy))
	if c.whole.best() > sharedFrom*c.bandwidth() {
		phases /= 2 // the sooner shares become equal
	}
	c.enter(t, Cruise)
	c.phase.length = int64((phases + dither) * float64(c.phase.length))
}
