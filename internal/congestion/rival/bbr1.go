package rival

import (
	"time"

	"qft/internal/congestion"
)

const (
	highGain = 2.885
	margin   = 0.99
)

var cycle = [8]float64{1.25, 0.75, 1, 1, 1, 1, 1, 1}

type mode uint8

const (
	startup  mode = iota // Next: drain.
	drain                // Next: probeBw.
	probeBw              // Next: probeRTT.
	probeRTT             // Next: probeBw, or startup if the pipe was never full.
)

// BBR1 is BBRv1.
type BBR1 struct {
	base
	mode  mode
	round rounds
	bw    [10]float64 // best of each of the latest rounds
	full  plateau
	floor floor

	phase   int // in cycle
	phaseAt int64
	until   int64 // ends probeRTT; 0: the flight is not down yet
	window  float64
	before  float64 // window before probeRTT
	pacing  float64
	turns   int // decides where in the cycle to begin
}

// NewBBR1 returns a BBRv1 for a path of which nothing is known.
func NewBBR1(cfg congestion.Config) *BBR1 {
	c := &BBR1{base: newBase(cfg)}
	c.window = float64(c.cfg.InitialWindow)
	c.pacing = highGain * c.window / 1e-3
	return c
}

func (c *BBR1) best() float64 {
	best := 0.0
	for _, v := range c.bw {
		best = max(best, v)
	}
	return best
}

// Rate is the pacing rate in bytes per second.
func (c *BBR1) Rate() float64 { return c.capped(c.pacing) }

// Window is how many bytes may be in flight.
func (c *BBR1) Window() int { return int(c.window) }

// Stats reports the model.
func (c *BBR1) Stats() congestion.Stats {
	return congestion.Stats{Bandwidth: c.best(), MinRTT: time.Duration(c.floor.rtt)}
}

// Update draws the conclusions from an acknowledgement.
func (c *BBR1) Update(now time.Time, f congestion.Feedback, inFlight int) {
	s := c.take(now, f, inFlight, c.floor.rtt)
	c.round.update(&c.base, &s)
	if c.round.began {
		c.bw[c.round.count%len(c.bw)] = 0
	}
	if i := c.round.count % len(c.bw); !s.limited || s.rate > c.best() {
		c.bw[i] = max(c.bw[i], s.rate)
	}
	c.advance(&s)
	c.checkRTT(&s)
	if r := c.best() * c.gain() * margin; c.full.full || r > c.pacing || c.pacing > 1e9 && r > 0 {
		c.pacing = r
	} else if c.best() == 0 && s.rtt > 0 {
		c.pacing = highGain * c.window / float64(s.rtt) * 1e9
	}
	c.resize(&s)
}

// advance is bbr_update_cycle_phase, bbr_check_full_bw_reached and
// bbr_check_drain.
func (c *BBR1) advance(s *sample) {
	if c.round.began && !s.limited {
		c.full.update(c.best())
	}
	switch c.mode {
	case startup:
		if c.full.full {
			c.mode = drain
		}
	case drain:
		if float64(s.inFlight) <= c.target(1) {
			c.enterProbeBw(s.t)
		}
	case probeBw:
		long := s.t-c.phaseAt > c.floor.rtt
		next := long
		switch gain := cycle[c.phase]; {
		case gain > 1:
			next = long && (len(s.losses) > 0 || float64(s.inFlight) >= c.target(gain))
		case gain < 1:
			next = long || float64(s.inFlight) <= c.target(1)
		}
		if next {
			c.phase, c.phaseAt = (c.phase+1)%len(cycle), s.t
		}
	}
}

func (c *BBR1) enterProbeBw(t int64) {
	c.mode, c.phaseAt = probeBw, t
	c.turns++
	c.phase = 2 + int(uint32(c.turns*2654435761)>>16)%6
}

// checkRTT is bbr_update_min_rtt.
func (c *BBR1) checkRTT(s *sample) {
	if c.floor.update(s.t, s.rtt, 10e9) && c.mode != probeRTT {
		c.mode, c.before, c.until = probeRTT, c.window, 0
	}
	if c.mode != probeRTT {
		return
	}
	switch {
	case c.until == 0 && float64(s.inFlight) <= c.least():
		c.until = s.t + max(200e6, c.floor.rtt)
	case c.until != 0 && s.t >= c.until:
		c.floor.at = s.t
		c.window = max(c.window, c.before)
		c.mode = startup
		if c.full.full {
			c.enterProbeBw(s.t)
		}
	}
}

func (c *BBR1) gain() float64 {
	switch c.mode {
	case startup:
		return highGain
	case drain:
		return 1 / highGain
	case probeBw:
		return cycle[c.phase]
	}
	return 1
}

// target is bbr_inflight.
func (c *BBR1) target(gain float64) float64 {
	if c.floor.rtt == 0 {
		return float64(c.cfg.InitialWindow)
	}
	group := max(c.pacing*1e-3, float64(2*c.cfg.MaxDatagram))
	return gain*c.best()*float64(c.floor.rtt)/1e9 + 3*group
}

// resize is bbr_set_cwnd.
func (c *BBR1) resize(s *sample) {
	gain := 2.0
	if c.mode == startup || c.mode == drain {
		gain = highGain
	}
	target, acked := c.target(gain), float64(s.acked)
	switch {
	case c.full.full:
		c.window = min(c.window+acked, target)
	case c.window < target || c.delivered < int64(c.cfg.InitialWindow):
		c.window += acked
	}
	c.window = max(c.window, c.least())
	if c.mode == probeRTT {
		c.window = min(c.window, c.least())
	}
}
