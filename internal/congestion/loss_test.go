package congestion

import (
	"math/rand/v2"
	"testing"
)

// feed counts n stretches of 32 packets sent for one end, of which lost tells
// how many are lost.
func feed(l *lossState, m Mark, n int, lost func(i int) int64) {
	for i := range n {
		l.count(m, stretch{sent: 32 * size, received: (32 - lost(i)) * size})
	}
}

// random loses each packet with probability p.
func random(r *rand.Rand, p float64) func(int) int64 {
	return func(int) (n int64) {
		for range 32 {
			if r.Float64() < p {
				n++
			}
		}
		return n
	}
}

func none(int) int64 { return 0 }

func newLosses() *lossState { return &lossState{size: size} }

func TestRandomLossIsNoAnswer(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		p := []float64{0.01, 0.05, 0.1, 0.2, 0.5}[seed%5]
		l := newLosses()
		feed(l, below, 10, random(r, p))
		feed(l, at, 40, random(r, p))
		feed(l, above, 6, random(r, p))
		if l.exceeds(at) || l.exceeds(above) {
			t.Errorf("seed %d: %.0f %% of random loss is taken for too much", seed, 100*p)
		}
		if b := l.base(); b < p/2-0.02 || b > 2*p {
			t.Errorf("seed %d: random loss of %.3f is thought to be %.3f", seed, p, b)
		}
	}
}

func TestOneBurstIsNoAnswer(t *testing.T) {
	l := newLosses()
	feed(l, below, 20, none)
	feed(l, above, 6, func(i int) int64 {
		if i == 2 || i == 3 {
			return 32
		}
		return 0
	})
	if l.exceeds(above) {
		t.Error("a burst of 64 packets is taken for a path that bears less")
	}
}

func TestLossThatGrowsWithTheRateIsAnAnswer(t *testing.T) {
	for _, p := range []float64{0, 0.1} {
		r := rand.New(rand.NewPCG(1, 1))
		l := newLosses()
		feed(l, below, 150, random(r, p))
		feed(l, at, 150, random(r, p+0.1))
		if !l.exceeds(at) {
			t.Errorf("losses of %.2f at the bandwidth and %.2f below it are not noticed", p+0.1, p)
		}
		if f := l.policed(); f < 0.83 || f > 0.95 {
			t.Errorf("the bandwidth is thought too high by a factor of %.2f, it is 0.9", f)
		}
	}
}

func TestNothingAtAllIsAnOutage(t *testing.T) {
	c := New(Config{MaxDatagram: size})
	c.past.add(point{sentAt: 1, upTo: size, arrived: 1, received: size}, 0)
	c.countLosses(at, 1, stretch{sent: 500 * size, received: size})
	if got := c.loss.classes[at]; got.lost != 0 || c.past.n != 0 {
		t.Errorf("an outage counts as loss: %+v", got)
	}
	c.countLosses(at, 1, stretch{sent: 500 * size, received: 400 * size})
	if c.loss.classes[at].lost == 0 {
		t.Error("a fifth lost does not count")
	}
}

// TestRateIgnoresLossAndTheWayBack: what is lost behind the bottleneck, and how
// many acknowledgements come back, does not change what is measured.
func TestRateIgnoresLossAndTheWayBack(t *testing.T) {
	for _, every := range []int64{1, 4, 16} {
		for _, loss := range []float64{0, 0.3} {
			var h history
			for i := int64(0); i < 400; i += every {
				// 1,000 bytes each 100 us into a bottleneck that takes 200 us.
				h.add(point{sentAt: i * 1e5, upTo: i * 1000, arrived: i * 2e5,
					received: int64(float64(i*1000) * (1 - loss))}, 1e6)
			}
			s, ok := h.last(20e6, 0)
			if rate := s.carried(loss+0.01) / float64(s.arriving) * 1e9; !ok || rate < 4.9e6 || rate > 5.1e6 {
				t.Errorf("feedback every %d packets, loss %.1f: %.0f B/s, want 5,000,000", every, loss, rate)
			}
			if s.arriving <= s.sending {
				t.Error("the growing queue is not seen")
			}
		}
	}
}
