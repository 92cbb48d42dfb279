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
	runs        clumps
}

// clumps knows in what runs packets are lost. The longer, the less a count of
// losses says.
type clumps struct {
	lost, runs float64 // fading
	end        int64   // of the latest run, in bytes sent
}

func (k *clumps) add(p *Packet, size int) {
	if p.upTo-int64(size) != k.end {
		k.runs++
	}
	k.lost++
	k.end = p.upTo
	if k.lost > 500 {
		k.lost /= 2
		k.runs /= 2
	}
}

// factor is by how much the variance of a count of losses exceeds that of
// independent ones: with geometric runs of mean length n it is 2n-1.
func (k *clumps) factor() float64 {
	if k.runs == 0 {
		return 1
	}
	return min(2*k.lost/k.runs-1, maxClumps)
}

const (
	lossMemory = 4000 // packets; older ones fade
	maxClumps  = 40
	maxLoss    = 0.6 // more than that leaves no signal to control by
	hopeless   = 0.7 // nobody loses as much at random
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
	v := n * p * (1 - p) * max(1, m.runs.factor())
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
	return s.lost > m.credit(s, size, 3)+size || s.lost > hopeless*s.bytes
}
