package rival

import (
	"time"

	"qft/internal/congestion"
)

const copaDelta = 0.5 // packets of queue wanted: 1/delta

// Copa moves the window so that the rate becomes 1/(delta x queueing delay),
// and has a mode for queues that others keep full.
type Copa struct {
	base
	floor    floor
	smoothed float64 // ns
	standing [2]int64
	standAt  int64 // when the newer half of standing began
	highest  [2]int64
	highAt   int64

	window   float64 // packets
	slow     bool    // slow start
	delta    float64
	velocity float64
	up       bool  // direction of the latest round trip
	same     int   // round trips in that direction
	turnAt   int64 // when the round trip began
	turnFrom float64

	emptyAt int64   // when the queue was last nearly empty
	lossy   bool    // something was lost in this round trip
	inverse float64 // 1/delta
}

// NewCopa returns a Copa for a path of which nothing is known.
func NewCopa(cfg congestion.Config) *Copa {
	c := &Copa{base: newBase(cfg), slow: true, delta: copaDelta, velocity: 1, inverse: 1 / copaDelta}
	c.window = float64(c.cfg.InitialWindow / c.cfg.MaxDatagram)
	return c
}

// span2 keeps a minimum or maximum of the latest one to two spans.
func span2(v *[2]int64, at *int64, t, span, x int64, better func(a, b int64) int64) {
	if t-*at >= span {
		v[0], v[1], *at = v[1], x, t
		return
	}
	v[1] = better(v[1], x)
}

// Rate is the pacing rate in bytes per second: twice the window per round
// trip, so that the window and not the pacer decides.
func (c *Copa) Rate() float64 {
	if c.standing[1] == 0 {
		return c.capped(100e6)
	}
	return c.capped(2 * c.window * float64(c.cfg.MaxDatagram) / float64(c.stand()) * 1e9)
}

func (c *Copa) stand() int64 { return min(c.standing[0], c.standing[1]) }

// Window is how many bytes may be in flight.
func (c *Copa) Window() int { return int(c.window * float64(c.cfg.MaxDatagram)) }

// Stats reports the model.
func (c *Copa) Stats() congestion.Stats {
	return congestion.Stats{Bandwidth: c.Rate() / 2, MinRTT: time.Duration(c.floor.rtt)}
}

// Update draws the conclusions from an acknowledgement.
func (c *Copa) Update(now time.Time, f congestion.Feedback, inFlight int) {
	s := c.take(now, f, inFlight, 0)
	c.lossy = c.lossy || len(s.losses) > 0
	if s.rtt == 0 {
		return
	}
	c.floor.update(s.t, s.rtt, 10e9)
	if c.smoothed == 0 {
		c.smoothed, c.standing, c.highest = float64(s.rtt), [2]int64{s.rtt, s.rtt}, [2]int64{s.rtt, s.rtt}
		c.standAt, c.highAt, c.turnAt, c.emptyAt, c.turnFrom = s.t, s.t, s.t, s.t, c.window
	}
	c.smoothed += (float64(s.rtt) - c.smoothed) / 8
	rtt := int64(c.smoothed)
	span2(&c.standing, &c.standAt, s.t, rtt/4, s.rtt, func(a, b int64) int64 { return min(a, b) })
	span2(&c.highest, &c.highAt, s.t, 2*rtt, s.rtt, func(a, b int64) int64 { return max(a, b) })
	c.choose(&s)
	c.move(float64(s.acked) / float64(c.cfg.MaxDatagram))
	if s.t-c.turnAt >= rtt {
		c.turn(s.t)
	}
}

// choose is section 2.2: the queue of a Copa among its like is nearly empty
// once in five round trips; one that never is belongs to somebody else.
func (c *Copa) choose(s *sample) {
	q := c.stand() - c.floor.rtt
	if most := max(c.highest[0], c.highest[1]) - c.floor.rtt; float64(q) < 0.1*float64(most) || q < 1e6 {
		c.emptyAt = s.t
	}
	if float64(s.t-c.emptyAt) < 5*c.smoothed {
		c.delta, c.inverse = copaDelta, 1/copaDelta
	}
}

// move takes the window towards the target rate.
func (c *Copa) move(acked float64) {
	stand := float64(c.stand())
	queue := max(stand-float64(c.floor.rtt), 1e3)
	above := c.window/stand > 1/(c.delta*queue)
	if c.slow {
		if !above {
			c.window += acked
			return
		}
		c.slow = false
	}
	step := c.velocity * acked / (c.delta * c.window)
	if above {
		step = -step
	}
	c.window = max(c.window+step, minPackets)
}

// turn ends a round trip: the velocity doubles while the direction stays, and
// in the other mode 1/delta grows by one or is halved after a loss.
func (c *Copa) turn(t int64) {
	up := c.window > c.turnFrom
	if up == c.up {
		c.same++
		if c.same >= 3 {
			c.velocity = min(2*c.velocity, c.window/2)
		}
	} else {
		c.velocity, c.same = 1, 0
	}
	c.up, c.turnAt, c.turnFrom = up, t, c.window
	if float64(t-c.emptyAt) >= 5*c.smoothed {
		if c.inverse++; c.lossy {
			c.inverse = max(c.inverse/2, 1/copaDelta)
		}
		c.delta = 1 / c.inverse
	}
	c.lossy = false
}
