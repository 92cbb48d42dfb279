package transport

import (
	"fmt"
	"os"
	"testing"
	"time"

	"qft/internal/lab"
)

// cell is one link of the grid and what a transfer over it came to.
type cell struct {
	mbit float64
	rtt  time.Duration
	loss float64
}

// result is a transfer in virtual time.
type result struct {
	efficiency float64       // of rate x (1-loss) x payload share of a 1,500-byte packet
	queueP95   time.Duration // added by ourselves
	dropped    float64       // share of packets lost in the queue
	spurious   uint64
	steady     float64 // efficiency from a third of the time to the last fresh byte
}

// payloadShare is how much of a 1,500-byte IP packet can be file bytes.
const payloadShare = float64(1472-PacketOverhead) / 1500

// transfer moves what the link carries in the given time and measures from the
// first packet on, connecting excluded.
func (c cell) transfer(t testing.TB, seed uint64, length time.Duration) result {
	queue := max(c.rtt, 100*time.Millisecond)
	l := lab.Link{Rate: c.mbit * 1e6, Delay: c.rtt / 2, Loss: c.loss, Queue: queue}
	w := newWorld(t, seed, l, l)
	n := int64(c.mbit * 1e6 / 8 * length.Seconds())
	ideal := c.mbit * 1e6 / 8 * (1 - c.loss) * payloadShare
	w.sendBulk(n)
	w.Run(time.Duration(float64(n)/ideal/3*1e9), nil)
	third, thirdAt := w.sink.fresh, w.Elapsed()
	w.Run(20*length, func() bool { return w.a.BulkUnsent() == 0 })
	steady := float64(w.sink.fresh-third) / (w.Elapsed() - thirdAt).Seconds() / ideal
	w.wantBulk(n, 20*length)
	took := w.Elapsed()
	s := w.hostA.Up().Stats()
	return result{
		efficiency: float64(n) / took.Seconds() / ideal,
		queueP95:   s.Wait.Quantile(0.95),
		dropped:    float64(s.Lost[lab.LostQueue]) / float64(s.Offered),
		spurious:   w.a.Stats().Spurious,
		steady:     steady,
	}
}

// TestGrid prints how much of each link a transfer uses. With QFT_GRID=1 it
// runs the whole grid, with transfers of 30 s; else a corner of it.
func TestGrid(t *testing.T) {
	skipUnderRace(t)
	t.Parallel()
	rates, length := []float64{20}, 10*time.Second
	if os.Getenv("QFT_GRID") != "" {
		rates, length = []float64{20, 100, 1000}, 30*time.Second
	}
	if f := os.Getenv("QFT_GRID_RATE"); f != "" {
		var r float64
		fmt.Sscan(f, &r)
		rates = []float64{r}
	}
	if f := os.Getenv("QFT_GRID_SECONDS"); f != "" {
		var n int
		fmt.Sscan(f, &n)
		length = time.Duration(n) * time.Second
	}
	for _, mbit := range rates {
		for _, rtt := range []time.Duration{10, 100, 1000} {
			row := ""
			for _, loss := range []float64{0, 0.01, 0.05, 0.1, 0.2} {
				c := cell{mbit, rtt * time.Millisecond, loss}
				r := c.transfer(t, 1, length)
				row += fmt.Sprintf(" | %.3f %.3f %3dms %4.1f%%", r.efficiency, r.steady, r.queueP95.Milliseconds(), 100*r.dropped)
				floor := 0.75
				if c.rtt == time.Second {
					floor = 0.4 // the search for the rate takes a third of such a short transfer
				}
				if r.efficiency < floor {
					t.Errorf("%+v: efficiency %.3f, want %.2f", c, r.efficiency, floor)
				}
			}
			t.Logf("%5.0f Mbit/s %5v%s", mbit, rtt*time.Millisecond, row)
		}
	}
}
