package lab

import (
	"fmt"
	"math"
	"time"
)

// Link says how one direction of a line treats packets. Its zero value is
// perfect but for the size of packets: infinitely fast, no delay, no loss.
// Probabilities are from 0 to 1 and per packet.
type Link struct {
	Rate     float64   // bit/s of IP packets, headers included; 0 is infinite
	RateAt   *Schedule // if set, instead of Rate
	Overhead int       // bytes that each packet takes on the wire beyond the IP packet (18 for Ethernet)
	MTU      int       // largest IP packet; larger ones vanish. If zero, 1500
	Policer  Policer   // drops what exceeds it, before the queue

	// The drop-tail queue: a packet is dropped if it would wait longer than
	// Queue for the transmitter, or if more than QueueBytes would then wait
	// or be on the transmitter. If both are zero, Queue is 100 ms.
	Queue      time.Duration
	QueueBytes int

	// Delay is the propagation delay, Jitter how far it deviates at most in
	// either direction. It wanders slowly, so that packets keep their order,
	// unless JitterReorders: then each packet's deviation is drawn afresh.
	Delay, Jitter  time.Duration
	JitterReorders bool

	Loss  float64 // independent loss
	Burst Burst   // and bursts of loss beside it

	Reorder      float64       // share of packets held back, so that others overtake
	ReorderDelay time.Duration // by up to this long; if zero, 10 ms
	Duplicate    float64       // share of packets that arrive twice
	Corrupt      float64       // share of packets that have a payload bit flipped,
	Checksum     float64       // and the share of those that the receiving kernel's checksum turns into a loss
}

// Burst is loss by the Gilbert-Elliott model: after each packet the link goes
// from good to bad with probability P and back with probability R, and loses
// everything while it is bad. The mean loss is P/(P+R), the mean burst 1/R packets.
type Burst struct{ P, R float64 }

// hazards are the probabilities of a Link, ready for dice.hit.
type hazards struct {
	loss, burstP, burstR                  uint64
	reorder, duplicate, corrupt, checksum uint64
}

func (l *Link) hazards() hazards {
	return hazards{
		loss: odds(l.Loss), burstP: odds(l.Burst.P), burstR: odds(l.Burst.R),
		reorder: odds(l.Reorder), duplicate: odds(l.Duplicate),
		corrupt: odds(l.Corrupt), checksum: odds(l.Checksum),
	}
}

// withDefaults fills in what zero stands for, and panics on nonsense: a test
// with a mistyped link must not pass.
func (l Link) withDefaults() Link {
	for _, p := range []float64{l.Loss, l.Burst.P, l.Burst.R, l.Reorder, l.Duplicate, l.Corrupt, l.Checksum} {
		if !(p >= 0 && p <= 1) {
			panic(fmt.Sprintf("lab: %v is no probability", p))
		}
	}
	if !(l.Rate >= 0) || !(l.Policer.Rate >= 0) || l.Delay < 0 || l.Jitter < 0 || l.Queue < 0 || l.QueueBytes < 0 {
		panic("lab: negative rate, delay, jitter or queue of a link")
	}
	if l.RateAt != nil {
		l.RateAt.check()
	}
	if l.MTU == 0 {
		l.MTU = 1500
	}
	if l.Queue == 0 && l.QueueBytes == 0 {
		l.Queue = 100 * time.Millisecond
	}
	if l.ReorderDelay == 0 {
		l.ReorderDelay = 10 * time.Millisecond
	}
	return l
}

// wander is jitter that keeps the order of packets: the deviation moves on
// straight lines between random targets, so slowly that none overtakes.
type wander struct {
	from, to      float64 // ns
	start, length int64   // ns
}

func (j *wander) at(t, most int64, d *dice) int64 {
	if j.length == 0 {
		// From -most to most in four times most: a delay that falls by half a
		// second per second at worst. With a little jitter not below 20 ms,
		// or it would look like noise.
		j.length = max(4*most, int64(20*time.Millisecond))
		j.start, j.to = t-j.length, float64((2*d.unit()-1)*float64(most))
	}
	for t >= j.start+j.length {
		// After a long rest, one line is as good as many.
		j.start = max(j.start+j.length, t-j.length+1)
		j.from, j.to = j.to, float64((2*d.unit()-1)*float64(most))
	}
	part := float64(t-j.start) / float64(j.length)
	return int64(j.from + float64((j.to-j.from)*part))
}

// deviation is the jitter of a packet that leaves the transmitter at time t.
func (p *Pipe) deviation(t int64) int64 {
	most := int64(p.link.Jitter)
	if most == 0 {
		return 0
	}
	var j int64
	if p.link.JitterReorders {
		j = int64(math.Round((2*p.dice.unit() - 1) * float64(most)))
	} else {
		j = p.jitter.at(t, most, &p.dice)
	}
	return max(j, -int64(p.link.Delay))
}

// lost decides whether the wire loses the next packet.
func (p *Pipe) lost() bool {
	if p.odds.burstP != 0 {
		if p.bad {
			p.bad = !p.dice.hit(p.odds.burstR)
		} else {
			p.bad = p.dice.hit(p.odds.burstP)
		}
		if p.bad {
			return true
		}
	}
	return p.dice.hit(p.odds.loss)
}
