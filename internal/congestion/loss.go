package congestion

import "math"

// lossModel knows how much the path loses without our doing.
//
// Random loss takes the same share whatever the rate; a full queue or a policer
// takes everything beyond its rate. So the model learns only from packets sent at
// or below the estimated bandwidth through a short queue, and everything else is
// compared with it.
type lossModel struct {
	bytes, lost float64 // what was learned from, fading
	tested      float64 // share that was found not to depend on the rate
	settled     bool    // learned from more than the first window
	clumps      float64 // variance of the count of losses over that of a binomial
}

const (
	lossMemory = 4000 // packets; older ones fade
	maxClumps  = 40
	maxLoss    = 0.6 // more than that leaves no signal to control by
)

// share is the part of the packets lost at random, 0 to maxLoss.
func (m *lossModel) share() float64 {
	if m.bytes == 0 {
		return 0
	}
	return min(m.lost/m.bytes, maxLoss)
}

// learn takes a span that had nothing to do with congestion.
func (m *lossModel) learn(s span, size float64) {
	n := s.bytes / size
	if n < 1 {
		return
	}
	if m.bytes > 0 {
		p := m.share()
		d := s.lost/size - n*p
		chi := d * d / (n*p*(1-p) + 1)
		weight := min(1, n/1000) / 4
		m.clumps += (min(chi, 4*maxClumps) - m.clumps) * weight
	}
	m.bytes += s.bytes
	m.lost += s.lost
	if full := lossMemory * size; m.bytes > full {
		m.lost *= full / m.bytes
		m.bytes = full
	}
}

// deviation is the standard deviation, in bytes, of what a span loses at random,
// the uncertainty of the model included.
func (m *lossModel) deviation(s span, size float64) float64 {
	n := s.bytes / size
	p := m.share()
	known := m.bytes / size
	v := n * p * (1 - p) * max(1, m.clumps)
	if known > 0 {
		v *= 1 + n/known
	}
	return math.Sqrt(v+1) * size
}

// credit is how many bytes of the span may have been lost at random.
func (m *lossModel) credit(s span, size, sigmas float64) float64 {
	if m.bytes == 0 {
		return s.bytes * maxLoss
	}
	return s.bytes*m.share() + sigmas*m.deviation(s, size)
}

// excess reports whether the span lost more than chance explains.
func (m *lossModel) excess(s span, size float64) bool {
	return s.lost > m.credit(s, size, 3)+size
}
