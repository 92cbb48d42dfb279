package congestion

const (
	shortTrain   = 5     // packets: fewer are none
	leastTrain   = 10    // packets
	mostTrain    = 48    // packets
	trainShare   = 2e6   // ns of round-trip time for each packet of the train
	trainRate    = 100e6 // bytes per second: as one piece
	trainGap     = 3     // packets in flight that still count as nothing: an offer is no train
	trainPause   = 5e6   // ns between two packets that are not of one train
	startupGain  = 2.77  // 4 ln 2, draft-ietf-ccwg-bbr section 2.4
	tryShare     = 0.75  // of the rate that the train shows, until that is confirmed
	trustShare   = 0.95
	growth       = 1.25
	flatRounds   = 3 // rounds without growth end Startup
	everyOfTrain = 2 // packets of the train are to be acknowledged at once
)

// roundState counts round trips: one ends when a packet that left after the
// end of the previous one has arrived.
type roundState struct {
	end   int64 // ns; of sending
	began int64 // ns
	ended bool
}

func (r *roundState) update(t int64, p *Packet) {
	r.ended = p.SentAt >= r.end && t-r.began >= leastRTT
	if r.ended {
		r.end, r.began = t, t
	}
}

// startState is the search for the bandwidth.
type startState struct {
	from, end int64 // bytes sent before and with the train
	count     int   // packets of it
	sentAt    int64 // ns; when the last of them left
	first     point // of the train; upTo is zero if none has arrived
	idle      uint32
	over      bool // what left after the train has arrived
	hint      float64
	hintAt    int64 // ns
	full      float64
	flat      int
}

// onSent begins a train after every pause, until one was long enough to measure
// by: what an idle connection says now and then is none.
func (s *startState) onSent(t, sent, window int64, quiet bool) (atOnce bool) {
	again := quiet || t-s.sentAt > trainPause && s.count < shortTrain
	if again && !s.over && s.hint == 0 {
		s.from, s.end, s.first, s.count = sent, sent+window, point{}, 0
	}
	if s.count > 0 && t-s.sentAt > trainPause {
		s.end = min(s.end, sent) // what follows is no part of it
	}
	if sent >= s.end {
		return false
	}
	s.sentAt = t
	s.count++
	return s.count%everyOfTrain == 1
}

// onFeedback uses the train: the bottleneck spaces its packets by what it can
// carry (packet dispersion, Dovrolis 2001).
func (s *startState) onFeedback(t int64, p *point) {
	switch {
	case p.upTo <= s.from || s.end == 0:
	case p.upTo > s.end:
		s.over = s.over || s.count >= shortTrain
	case s.first.upTo == 0:
		s.first = *p
	default:
		n, d := p.upTo-s.first.upTo, p.arrived-s.first.arrived
		if d > 0 && n > (s.end-s.from)/2 {
			// The longest stretch is the most exact.
			s.hint = float64(n) / float64(d) * 1e9
			s.hintAt = t
		}
	}
}

// atLeast is what the path carries if the train is all that it can carry in a
// round trip.
func (s *startState) atLeast(p *point, rtt int64) float64 {
	return float64(p.upTo-s.from) / float64(rtt) * 1e9
}

// startupRate is the pacing rate while the bandwidth is being searched.
func (c *Controller) startupRate() float64 {
	bw, s := c.bw.best(), &c.start
	switch {
	case s.hint > 0 && bw < 0.5*tryShare*s.hint:
		// The spacing of the train knows the order of magnitude in one round
		// trip; go there at once. What is sent then for a quarter of a round
		// trip is enough to be sure; the rest need not be risked.
		if c.now-s.hintAt < c.delay.roundTrip()/4 {
			return tryShare * s.hint
		}
		return tryShare / 2 * s.hint
	case s.hint > 0 && bw < s.hint:
		return trustShare * s.hint
	case bw == 0 || s.hint == 0 && !s.over && c.sent < s.end:
		return trainRate
	}
	return startupGain * bw
}

// startup ends when the train's rate is confirmed, when three rounds brought
// no growth, or with a queue.
func (c *Controller) startup(t int64) {
	s := &c.start
	bw := c.bw.best()
	if bw == 0 {
		return
	}
	switch {
	case s.over && (c.delay.standing() || c.loss.exceeds(above)):
		c.finishStartup(t)
	case s.hint > 0 && bw >= 0.9*trustShare*s.hint:
		c.finishStartup(t)
	case !c.round.ended || !s.over || c.idle != s.idle:
		s.idle = c.idle // a round in which little was asked for says nothing
	case bw >= growth*s.full:
		s.full, s.flat = bw, 0
	default:
		s.flat++
		if s.flat >= flatRounds {
			c.finishStartup(t)
		}
	}
}

// finishStartup drains what the search has queued, or goes on in small steps
// if that is nothing.
func (c *Controller) finishStartup(t int64) {
	s := &c.start
	lossy := c.loss.exceeds(above)
	if x, ok := c.past.last(max(c.delay.roundTrip()/8, leastSpan), s.sentAt+1); ok && lossy && x.arriving > 0 {
		// What has got through of too much is what the path carries.
		c.police(t, float64(x.received)/(1-c.loss.base())/float64(x.arriving)*1e9)
	}
	c.fresh.set(t, c.bw.best())
	if !lossy {
		c.whole.add(t, wholeTime, s.hint)
	}
	if c.delay.standing() || lossy {
		c.probe.sent, c.phase.began = c.sent, t
		c.down(t)
	} else {
		c.probe.safe, c.probe.queue = c.bandwidth(), 0
		c.enterUp(t, max(c.firstStep(), min(s.hint*(1+leastUp)/c.bw.best()-1, fastUp)))
	}
}
