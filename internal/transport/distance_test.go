package transport

import (
	"os"
	"testing"
	"time"

	"qft/internal/lab"
)

// TestDistanceCostsNothing holds that a second of round trip is as fast as a
// hundredth of it. The gigabyte is moved with QFT_GRID=all; a fifth of it, with
// a bar for the same loss of time, otherwise.
func TestDistanceCostsNothing(t *testing.T) {
	skipUnderRace(t)
	type far struct {
		name  string
		bytes int64
		most  float64 // times as long
	}
	long := far{"200 MB", 200e6, 1.4}
	if os.Getenv("QFT_GRID") == "all" {
		long = far{"1 GB", 1e9, 1.08}
	}
	for _, c := range []far{long, {"50 MB", 50e6, 2.2}} {
		for _, loss := range []float64{0, 0.1} {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				near := cell{100, 10 * time.Millisecond, loss}.move(t, c.bytes)
				far := cell{100, time.Second, loss}.move(t, c.bytes)
				ratio := far.Seconds() / near.Seconds()
				t.Logf("%s at 100 Mbit/s, %.0f %% loss: %.2f s at 10 ms, %.2f s at 1 s: %.3f times as long (%.2f)",
					c.name, 100*loss, near.Seconds(), far.Seconds(), ratio, c.most)
				if ratio > c.most {
					t.Errorf("%.3f times as long, want %.2f", ratio, c.most)
				}
			})
		}
	}
}

func (c cell) move(t testing.TB, bytes int64) time.Duration {
	w := newWorld(t, 1, c.link(), c.link())
	w.sendBulk(bytes)
	return w.wantBulk(bytes, time.Hour)
}

// TestStartupIsGentle holds that the search for the rate, with a queue of one
// bandwidth-delay product, overfills it not at all, and loses next to nothing.
func TestStartupIsGentle(t *testing.T) {
	skipUnderRace(t)
	for _, mbit := range []float64{20, 100, 1000} {
		for _, rtt := range []time.Duration{20 * time.Millisecond, 100 * time.Millisecond, time.Second} {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				l := lab.Link{Rate: mbit * 1e6, Delay: rtt / 2, Queue: rtt}
				w := newWorld(t, 1, l, l)
				w.sendBulk(1 << 40)
				w.Run(8*rtt, nil)
				s := w.hostA.Up().Stats()
				dropped := float64(s.Lost[lab.LostQueue]) / float64(s.Offered)
				t.Logf("%4.0f Mbit/s, %4v: %.1f %% dropped in the first 8 RTT, queue at most %v, link used %.2f",
					mbit, rtt, 100*dropped, s.Wait.Max().Round(time.Millisecond), w.hostA.Up().Utilisation())
				if dropped > 0.03 {
					t.Errorf("%.1f %% of what startup has sent was dropped, want 3 %%", 100*dropped)
				}
			})
		}
	}
}

// TestLinks prints what the laboratory says of the links that e2e emulates
// for real sockets (TestBenchLinks there): QFT_GRID=links.
func TestLinks(t *testing.T) {
	if os.Getenv("QFT_GRID") != "links" {
		t.Skip("a measurement: QFT_GRID=links")
	}
	for _, mb := range []int64{50, 250} {
		for _, rtt := range []time.Duration{50 * time.Millisecond, time.Second} {
			for _, loss := range []float64{0, 0.01, 0.1} {
				d := cell{100, rtt, loss}.move(t, mb*1e6)
				t.Logf("100 Mbit/s, %v, %v %%, %d MB: %.1f Mbit/s", rtt, 100*loss, mb, float64(mb)*8/d.Seconds())
			}
		}
	}
	for _, loss := range []float64{0, 0.001} {
		d := cell{1000, 10 * time.Millisecond, loss}.move(t, 1e9)
		t.Logf("1000 Mbit/s, 10 ms, %v %%, 1000 MB: %.1f Mbit/s", 100*loss, 8e3/d.Seconds())
	}
}
