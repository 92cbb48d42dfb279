package transport

import "time"

const (
	// A sleep of less than this is not worth a wake-up; what would have been
	// sent in it leaves as one train (and as one GSO write).
	paceQuantum = 500 * time.Microsecond

	// At most this much time can be made up for after a late wake-up.
	paceBurst = 2 * time.Millisecond

	maxTrain = 64 << 10 // bytes in one quantum
)

// pacer spreads packets over time: a token bucket filled at the rate of the
// congestion controller (RFC 9002 section 7.7).
type pacer struct {
	hold   time.Duration // how much time can be made up for
	tokens float64       // bytes that may leave now; negative: a debt
	last   time.Time
	rate   float64 // bytes per second
	size   int     // of a packet
}

func (p *pacer) advance(now time.Time, rate float64, size int) {
	p.rate, p.size = rate, size
	if p.last.IsZero() {
		p.last = now
		p.tokens = p.burst()
		return
	}
	if d := now.Sub(p.last); d > 0 {
		p.tokens = min(p.tokens+rate*d.Seconds(), p.burst())
		p.last = now
	}
}

func (p *pacer) burst() float64 {
	return max(p.rate*p.hold.Seconds(), float64(2*p.size))
}

// quantum is how much must have been saved before a sleep ends.
func (p *pacer) quantum() float64 {
	return max(min(p.rate*paceQuantum.Seconds(), maxTrain), float64(p.size))
}

// ready reports whether a packet may leave.
func (p *pacer) ready() bool { return p.tokens > 0 }

func (p *pacer) sent(size int) { p.tokens -= float64(size) }

// next is when enough has been saved.
func (p *pacer) next() time.Time {
	need := p.quantum() - p.tokens
	if need <= 0 {
		return p.last
	}
	return p.last.Add(time.Duration(need/p.rate*1e9) + 1)
}
