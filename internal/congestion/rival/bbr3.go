package rival

import (
	"math"
	"time"

	"qft/internal/congestion"
)

const (
	startupGain3 = 2.77
	drainGain3   = 0.5
	lossThresh   = 0.02
	beta         = 0.7
	headroom     = 0.85
	fullLosses   = 6
)

type mode3 uint8

const (
	startup3  mode3 = iota // Next: drain3.
	drain3                 // Next: down3.
	down3                  // Next: cruise3, refill3.
	cruise3                // Next: refill3.
	refill3                // Next: up3.
	up3                    // Next: down3.
	probeRTT3              // Next: down3, or startup3 if the pipe was never full.
)

// BBR3 is BBRv3: it probes seldom, and keeps bounds on the flight that losses
// above 2 % have taught it.
type BBR3 struct {
	base
	mode  mode3
	round rounds
	full  plateau
	floor floor
	bw    [2]float64 // best of this cycle of probing and of the one before

	// Bounds: long ones outlive a cycle, short ones end with the next probing.
	longFlight  float64
	shortFlight float64
	shortBw     float64

	lossRound    int64   // delivered that ends it
	latestBw     float64 // best in this loss round
	latestFlight float64
	lossy        bool // something was lost in this loss round
	lostBytes    int
	lostCount    int
	sampling     bool // losses may come of this probing

	cycleAt    int64
	wait       int64 // until the next probing
	probeRound int   // when the latest one began
	growRound  int   // rounds in up3
	growCredit float64
	seed       uint32
	ends       int64 // of probeRTT3; 0: the flight is not down yet
	rttAt      int64 // latest probeRTT3, or a lower round trip
	window     float64
	before     float64
}

// NewBBR3 returns a BBRv3 for a path of which nothing is known.
func NewBBR3(cfg congestion.Config) *BBR3 {
	c := &BBR3{base: newBase(cfg), longFlight: forever, shortFlight: forever, shortBw: forever}
	c.window = float64(c.cfg.InitialWindow)
	return c
}

func (c *BBR3) maxBw() float64 { return max(c.bw[0], c.bw[1]) }

func (c *BBR3) rate() float64 { return min(c.maxBw(), c.shortBw) }

// Rate is the pacing rate in bytes per second.
func (c *BBR3) Rate() float64 {
	if c.maxBw() == 0 {
		return c.capped(100e6)
	}
	return c.capped(c.gain() * c.rate() * margin)
}

func (c *BBR3) gain() float64 {
	switch c.mode {
	case startup3:
		return startupGain3
	case drain3:
		return drainGain3
	case down3:
		return 0.9
	case up3:
		return 1.25
	}
	return 1
}

// Window is how many bytes may be in flight.
func (c *BBR3) Window() int { return int(c.window) }

// Stats reports the model.
func (c *BBR3) Stats() congestion.Stats {
	return congestion.Stats{Bandwidth: c.maxBw(), MinRTT: time.Duration(c.floor.rtt)}
}

// Update draws the conclusions from an acknowledgement.
func (c *BBR3) Update(now time.Time, f congestion.Feedback, inFlight int) {
	s := c.take(now, f, inFlight, c.floor.rtt)
	c.round.update(&c.base, &s)
	c.latest(&s)
	if !s.limited || s.rate > c.maxBw() {
		c.bw[0] = max(c.bw[0], s.rate)
	}
	c.checkLosses(&s)
	c.advance(&s)
	c.checkRTT(&s)
	c.resize(&s)
	if s.prior >= c.lossRound {
		c.lossRound = c.delivered
		c.latestBw, c.latestFlight = s.rate, float64(s.delivered)
		c.lossy, c.lostBytes, c.lostCount = false, 0, 0
	}
}

// latest is section 5.5.10.3: what the network has delivered in this round,
// and how low that makes the short bounds when it has lost something.
func (c *BBR3) latest(s *sample) {
	c.latestBw = max(c.latestBw, s.rate)
	c.latestFlight = max(c.latestFlight, float64(s.delivered))
	for _, l := range s.losses {
		c.lossy = true
		c.lostCount++
		c.lostBytes += int(min(l.since, int64(c.cfg.MaxDatagram)))
	}
	probing := c.mode == startup3 || c.mode == refill3 || c.mode == up3
	if s.prior < c.lossRound || !c.lossy || probing {
		return
	}
	if c.shortBw == forever {
		c.shortBw, c.shortFlight = c.maxBw(), c.window
	}
	c.shortBw = max(c.latestBw, beta*c.shortBw)
	c.shortFlight = max(c.latestFlight, beta*c.shortFlight)
}

// checkLosses is section 5.5.10.2: more than 2 % lost of what was in flight
// means that it was too much.
func (c *BBR3) checkLosses(s *sample) {
	if c.mode == startup3 && s.prior >= c.lossRound && c.lostCount >= fullLosses &&
		float64(c.lostBytes) > lossThresh*(c.latestFlight+float64(c.lostBytes)) {
		c.full.full = true
		c.longFlight = max(c.bdp(1), c.latestFlight)
	}
	for _, l := range s.losses {
		if c.sampling && float64(l.since) > lossThresh*float64(l.inFlight) {
			c.sampling = false
			if !s.limited {
				c.longFlight = max(float64(l.inFlight), beta*min(c.bdp(1), c.window))
			}
			if c.mode == up3 {
				c.enterDown(s.t)
			}
			return
		}
	}
	if c.longFlight < forever && len(s.losses) == 0 {
		c.longFlight = max(c.longFlight, float64(s.flown))
		if c.mode == up3 {
			c.growLong(s)
		}
	}
}

// growLong is BBRProbeInflightLongtermUpward: slowly at first, then doubling
// with each round.
func (c *BBR3) growLong(s *sample) {
	if !c.bounded(s) {
		return
	}
	if c.round.began {
		c.growRound = min(c.growRound+1, 30)
	}
	c.growCredit += float64(s.acked) * math.Exp2(float64(c.growRound)) / c.window
	if c.growCredit >= 1 {
		c.longFlight += math.Floor(c.growCredit) * float64(c.cfg.MaxDatagram)
		c.growCredit = 0
	}
}

// bounded reports whether the long bound, and nothing else, holds the flight.
func (c *BBR3) bounded(s *sample) bool {
	mss := float64(c.cfg.MaxDatagram)
	return float64(s.flown) > c.window-2*mss && c.window > c.longFlight-mss
}

func (c *BBR3) advance(s *sample) {
	switch c.mode {
	case startup3:
		if c.round.began && !s.limited {
			c.full.update(c.maxBw())
		}
		if c.full.full {
			c.mode = drain3
		}
	case drain3:
		if float64(s.inFlight) <= c.bdp(1) {
			c.enterDown(s.t)
		}
	case down3:
		if !c.timeToProbe(s) && float64(s.inFlight) <= min(c.bdp(1), headroom*c.longFlight) {
			c.mode = cruise3
		}
	case cruise3:
		c.timeToProbe(s)
	case refill3:
		if c.round.began {
			c.mode, c.sampling = up3, true
			c.cycleAt, c.growRound, c.growCredit = s.t, 0, 0
			c.full = plateau{best: c.latestBw}
		}
	case up3:
		switch {
		case c.bounded(s):
			c.full = plateau{best: c.latestBw}
		case c.round.began && s.t-c.cycleAt > c.floor.rtt:
			c.full.update(c.latestBw)
		}
		if c.full.full {
			c.enterDown(s.t)
		}
	}
}

// timeToProbe is section 5.3.3.5: after 2 to 3 s, or as many rounds as Reno
// would need to grow back.
func (c *BBR3) timeToProbe(s *sample) bool {
	packets := c.bdp(1) / float64(c.cfg.MaxDatagram)
	if s.t-c.cycleAt < c.wait && float64(c.round.count-c.probeRound) < min(packets, 63) {
		return false
	}
	c.mode = refill3
	c.shortBw, c.shortFlight = forever, forever
	c.round.end = c.delivered
	return true
}

func (c *BBR3) enterDown(t int64) {
	c.mode = down3
	c.full.full = true
	c.seed = c.seed*1664525 + 1013904223
	c.wait = int64(2e9 + float64(c.seed>>8)/(1<<24)*1e9)
	c.cycleAt, c.probeRound = t, c.round.count
	c.round.end = c.delivered
	c.bw = [2]float64{c.latestBw, c.bw[0]}
}

// checkRTT is section 5.3.4: half a flight for 200 ms every 5 s in which no
// lower round trip was seen.
func (c *BBR3) checkRTT(s *sample) {
	before := c.floor.rtt
	c.floor.update(s.t, s.rtt, 10e9)
	if c.floor.rtt < before || c.rttAt == 0 || s.rtt > 0 && s.rtt <= c.floor.rtt {
		c.rttAt = s.t
	}
	if s.t-c.rttAt > 5e9 && c.mode != probeRTT3 && c.mode != startup3 {
		c.mode, c.before, c.ends = probeRTT3, c.window, 0
		if s.rtt > 0 {
			c.floor = floor{s.rtt, s.t}
		}
	}
	if c.mode != probeRTT3 {
		return
	}
	switch {
	case c.ends == 0 && float64(s.inFlight) <= c.probeRTTWindow():
		c.ends = s.t + max(200e6, c.floor.rtt)
	case c.ends != 0 && s.t >= c.ends:
		c.rttAt, c.floor.at = s.t, s.t
		c.window = max(c.window, c.before)
		c.shortBw, c.shortFlight = forever, forever
		c.enterDown(s.t)
		c.mode = cruise3
	}
}

func (c *BBR3) bdp(gain float64) float64 {
	if c.floor.rtt == 0 || c.maxBw() == 0 {
		return float64(c.cfg.InitialWindow)
	}
	return gain * c.rate() * float64(c.floor.rtt) / 1e9
}

func (c *BBR3) probeRTTWindow() float64 { return max(c.bdp(0.5), c.least()) }

// resize is section 5.6.4.
func (c *BBR3) resize(s *sample) {
	gain := 2.0
	if c.mode == up3 {
		gain = 2.25
	}
	group := max(c.Rate()*1e-3, float64(2*c.cfg.MaxDatagram))
	target, acked := c.bdp(gain)+3*group, float64(s.acked)
	switch {
	case c.full.full || c.mode > drain3:
		c.window = min(c.window+acked, target)
	case c.window < target || c.delivered < int64(c.cfg.InitialWindow):
		c.window += acked
	}
	bound := c.longFlight
	if c.mode == cruise3 || c.mode == probeRTT3 {
		bound = headroom * c.longFlight
	}
	if c.mode == startup3 {
		bound = forever
	}
	c.window = max(min(c.window, bound, c.shortFlight), c.least())
	if c.mode == probeRTT3 {
		c.window = min(c.window, c.probeRTTWindow())
	}
}
