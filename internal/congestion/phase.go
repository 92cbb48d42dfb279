package congestion

const (
	trainRate   = 100e6 // bytes per second: as one piece
	startupGain = 2.77  // 4 ln 2, draft-ietf-ccwg-bbr section 2.4
	drainGain   = 0.5
	upGain      = 1.25
	shyGain     = 1.06 // Up after one that only lost packets
	downGain    = 0.8
	slowGain    = 0.9 // Cruise with a queue
	flatRounds  = 3   // rounds without growth end Startup
	growth      = 1.25
	cruiseFor   = 5 // phases
	minRTTFor   = 200e6
	slower      = 0.75 // of the bandwidth: less than Cruise and Down send of themselves
	rerouteTime = 1e9  // ns
	doubtTime   = 2e9  // ns; after it a longer route is made sure of
)

// roundState counts round trips: one ends when a packet that left after the
// previous end is acknowledged.
type roundState struct {
	count   int64
	end     int64 // bytes delivered at which it ends
	began   int64 // ns
	best    float64
	low     int64   // smallest RTT in it
	bound   float64 // short-term limit of the bandwidth; 0: none
	prev    float64 // best of the previous round
	ended   bool
	lastLow int64    // smallest RTT of the latest whole round
	lows    [6]int64 // of the latest rounds, newest first
}

func (r *roundState) update(c *Controller, t int64, s sample) {
	r.ended = false
	if c.rtt.latest > 0 && (r.low == 0 || c.rtt.latest < r.low) {
		r.low = c.rtt.latest
	}
	if s.prior < r.end || t-r.began < minRound {
		return
	}
	r.ended = true
	r.end = c.rate.delivered
	r.began = t
	r.lastLow = r.low
	copy(r.lows[1:], r.lows[:])
	r.lows[0] = r.low
	c.reroute(t)
	if !s.limited {
		r.count++
		c.adapt(t)
	}
	r.prev, r.best, r.low = r.best, 0, 0
}

// reroute notices that the path without queue has become longer: the round-trip
// time stays high, and the same, for rounds in which less is sent than the path
// takes. To wait for the smallest one to age would mean a window for
// the old path meanwhile.
func (c *Controller) reroute(t int64) {
	r := &c.round
	if c.phase.state == Startup || c.rtt.high == 0 || t-c.rtt.high < rerouteTime {
		return
	}
	low := r.lows[0]
	for i, l := range r.lows {
		if l <= c.rtt.queueLimit() {
			return // too recent
		}
		if i < len(r.lows)/2 {
			low = min(low, l)
		}
	}
	if old := min(r.lows[3], r.lows[4], r.lows[5]); low < old-old/32 || low > old+old/16 {
		return // a queue that is draining, or filling
	}
	c.rtt.old = c.rtt.min
	c.rtt.min, c.rtt.minAt, c.rtt.high = low, t, 0
	c.rtt.doubt = t
	if r.bound > 0 {
		c.bw.set(t, r.count, max(r.bound, r.best, r.prev))
		r.bound = 0
	}
}

// adapt lowers the bandwidth at once when a round shows a standing queue and
// less bandwidth than is remembered: the path has become slower, and waiting
// for the filter to forget would fill the queue.
func (c *Controller) adapt(t int64) {
	r := &c.round
	if c.phase.state == Startup || c.phase.state == Up {
		return
	}
	recent := max(r.best, r.prev)
	switch {
	case r.lastLow > c.rtt.queueLimit() && recent > 0 && recent < slower*c.bw.best():
		r.bound = recent
	case r.lastLow <= c.rtt.queueLimit():
		if r.bound > 0 {
			// The queue is gone: what was measured is the truth now.
			c.bw.set(t, r.count, max(recent, r.bound))
		}
		r.bound = 0
	}
}

// phaseState is the state and since when.
type phaseState struct {
	state  State
	began  int64
	length int64
	bw     float64 // when Up began or grew last
	shy    bool    // the latest Up ended in losses
}

// startState is the search for the bandwidth.
type startState struct {
	from, end int64 // bytes sent before and with the train
	acked     bool
	firstA    int64 // ns, first acknowledgement of the train
	firstU    int64 // bytes, sent up to that packet
	over      bool  // what left after the train has arrived
	hint      float64
	full      float64
	flat      int
}

// trainGap is how many packets in flight still count as nothing: what was sent
// before the first data, an offer for instance, is no train.
const trainGap = 3

// onSent begins a train whenever next to nothing is in flight, until one was
// long enough to measure by.
func (s *startState) onSent(sent, window int64, quiet bool) {
	if quiet && !s.over && s.hint == 0 {
		s.from, s.end, s.acked = sent, sent+window, false
	}
}

// onAcked uses the train: the bottleneck spaces its packets by what it can
// carry (packet dispersion, Dovrolis 2001).
func (s *startState) onAcked(t int64, p *Packet) {
	switch {
	case p.upTo <= s.from:
		return
	case p.upTo > s.end:
		s.over = true
		return
	case !s.acked:
		s.acked = true
		s.firstA, s.firstU = t, p.upTo
		return
	case t <= s.firstA:
		return
	}
	if n := p.upTo - s.firstU; n > (s.end-s.from)/2 {
		// The last ones may be acknowledged late, for want of company.
		s.hint = max(s.hint, float64(n)/float64(t-s.firstA)*1e9)
	}
}

// startupRate is the pacing rate while the bandwidth is being searched.
func (c *Controller) startupRate() float64 {
	bw := c.bandwidth()
	if s := &c.start; bw == 0 || s.hint == 0 && !s.over && c.rate.sent < s.end {
		return trainRate
	}
	r := startupGain * bw
	if h := c.start.hint; h > 0 {
		// The spacing of the train knows the order of magnitude in one round
		// trip; go there at once, and carefully beyond.
		if bw < 0.5*h {
			return 0.75 * h
		}
		r = min(r, 1.5*bw, 1.25*max(h, bw))
	}
	return r
}

func (c *Controller) gain() float64 {
	switch c.phase.state {
	case Drain:
		return drainGain
	case Up:
		if c.phase.shy {
			return shyGain
		}
		return upGain
	case Down:
		return downGain
	case Cruise:
		if c.rtt.standing() {
			return slowGain
		}
	}
	return 1
}

func (c *Controller) enter(t int64, s State) {
	c.phase.state = s
	c.phase.began = t
	c.phase.length = max(c.rtt.min, minPhase)
}

// step moves on.
func (c *Controller) step(t int64, inFlight int) {
	if c.quiet.gentle > 0 && t >= c.quiet.gentle {
		c.quiet.gentle = 0
	}
	past := t-c.phase.began >= c.phase.length
	switch c.phase.state {
	case Startup:
		c.startup(t)
	case Drain:
		bdp := c.bandwidth() * float64(c.rtt.min) / 1e9
		if float64(inFlight) <= 1.1*bdp && t-c.phase.began > c.phase.length/2 || t-c.phase.began > 4*c.phase.length {
			c.enter(t, Cruise)
			c.phase.length = 2 * max(c.rtt.min, minPhase)
		}
	case Cruise:
		if t-c.rtt.minAt > rttTime || c.rtt.doubt > 0 && t-c.rtt.doubt > doubtTime {
			c.rtt.doubt = 0
			c.enter(t, MinRTT)
			c.phase.length = max(minRTTFor, 2*c.rtt.min)
			c.rtt.minAt = t
			c.rtt.min = c.rtt.latest
			return
		}
		if past {
			c.loss.learn()
			if f := c.loss.policed(); f < 1 {
				c.bw.set(t, c.round.count, f*c.bandwidth())
			}
			c.loss.midLost, c.loss.midAll = 0, 0
			c.enter(t, Up)
			c.phase.bw = c.bandwidth()
			c.loss.upLost, c.loss.upAll = 0, 0
		}
	case Up:
		c.up(t)
	case Down:
		if past {
			c.enter(t, Cruise)
			c.phase.length *= cruiseFor
		}
	case MinRTT:
		if past {
			c.enter(t, Cruise)
			c.phase.length *= 2
		}
	}
}

// startup ends when three rounds in a row brought no growth, or a queue.
func (c *Controller) startup(t int64) {
	s := &c.start
	if c.bw.best() == 0 {
		return
	}
	if c.rtt.standing() && c.bw.best() > 0.5*s.hint && c.round.count > 1 {
		c.enter(t, Drain)
		return
	}
	if !c.round.ended {
		return
	}
	if c.bw.best() > 1.15*s.hint {
		s.hint = 0 // it was too low
	}
	if c.bw.best() >= growth*s.full {
		s.full = c.bw.best()
		s.flat = 0
	} else if c.rate.limitedUntil == 0 {
		s.flat++
	}
	if s.flat >= flatRounds {
		c.enter(t, Drain)
	}
}

// up goes on for as long as the path gives more.
func (c *Controller) up(t int64) {
	full := t-c.phase.began >= c.phase.length+c.rtt.min
	switch {
	case c.loss.excess():
		c.phase.shy = true
		c.enter(t, Down)
	case c.rtt.standing():
		c.phase.shy = false
		c.enter(t, Down)
	case full && c.bandwidth() > 1.1*c.phase.bw:
		c.phase.began = t - c.rtt.min
		c.phase.bw = c.bandwidth()
	case full:
		c.phase.shy = false
		c.enter(t, Down)
	}
}
