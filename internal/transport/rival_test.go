package transport

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"qft/internal/congestion"
	"qft/internal/congestion/rival"
	"qft/internal/lab"
)

// contender is a way to decide how fast to send.
type contender struct {
	name string
	make func(congestion.Config) Control
}

var contenders = []contender{
	{"qft", func(c congestion.Config) Control { return congestion.New(c) }},
	{"BBRv1", func(c congestion.Config) Control { return rival.NewBBR1(c) }},
	{"BBRv3", func(c congestion.Config) Control { return rival.NewBBR3(c) }},
	{"Copa", func(c congestion.Config) Control { return rival.NewCopa(c) }},
}

func (c contender) tune(a *Config) { a.Control = c.make }

// TestRivals prints the table of docs/congestion.md: our controller beside
// three others over the grid, the zoo and shared links. By default it is a
// corner of that; QFT_RIVALS="20 100" is the rates of the whole, in Mbit/s.
func TestRivals(t *testing.T) {
	skipUnderRace(t)
	t.Parallel()
	var rates []float64
	for _, f := range strings.Fields(os.Getenv("QFT_RIVALS")) {
		var r float64
		if _, err := fmt.Sscan(f, &r); err != nil {
			t.Fatalf("QFT_RIVALS: %v", err)
		}
		rates = append(rates, r)
	}
	table := newTable(t)
	if rates == nil {
		table.grid(20, 100*ms, 0.1, 10*time.Second)
		table.zoo(5*time.Second, func(c *creature) bool { return strings.HasPrefix(c.name, "queue of 5 ms, 20") })
		table.beside("cubic", 100*ms, cubicTo, 20*time.Second)
		return
	}
	length := envSeconds("QFT_GRID_SECONDS", 30)
	for _, mbit := range rates {
		for _, rtt := range []time.Duration{10 * ms, 100 * ms, 1000 * ms} {
			for _, loss := range []float64{0, 0.01, 0.05, 0.1, 0.2} {
				table.grid(mbit, rtt, loss, length)
			}
		}
	}
	table.zoo(length, func(*creature) bool { return true })
	for _, b := range shareBars {
		table.beside("cubic", b.queue, cubicTo, time.Minute)
	}
	for _, b := range shareBars {
		table.beside("bbr", b.queue, bbrTo, time.Minute)
	}
	for _, rtt := range []time.Duration{10 * ms, 40 * ms, 100 * ms} {
		table.two(20, rtt)
	}
}

// table prints rows of figures, a column for each contender.
type table struct{ t *testing.T }

func newTable(t *testing.T) table {
	row := table{t}
	row.print("path", func(c contender) string { return c.name })
	return row
}

func (b table) print(path string, figure func(contender) string) {
	line := fmt.Sprintf("| %-66s", path)
	for _, c := range contenders {
		line += fmt.Sprintf(" | %-20s", figure(c))
	}
	b.t.Log(line + " |")
}

// grid is a row of a whole transfer: efficiency, queue, dropped.
func (b table) grid(mbit float64, rtt time.Duration, loss float64, length time.Duration) {
	b.print(fmt.Sprintf("%.0f Mbit/s, %v, %.0f %% loss", mbit, rtt, 100*loss), func(c contender) string {
		l := lab.Link{Rate: mbit * 1e6, Delay: rtt / 2, Loss: loss, Queue: max(rtt, 100*ms)}
		w := newWorldConfig(b.t, 1, l, l, func(a, _ *Config) { c.tune(a) })
		n := int64(mbit * 1e6 / 8 * length.Seconds())
		w.sendBulk(n)
		if !w.Run(20*length, func() bool { return w.sink.has(n) }) {
			return "below 0.05"
		}
		ideal := mbit * 1e6 / 8 * (1 - loss) * payloadShare
		s := w.hostA.Up().Stats()
		return sight{efficiency: float64(n) / w.Elapsed().Seconds() / ideal, queueP95: s.Wait.Quantile(0.95),
			dropped: float64(s.Lost[lab.LostQueue]) / float64(s.Offered)}.String()
	})
}

func (s sight) String() string {
	return fmt.Sprintf("%.3f %4d ms %4.1f %%", s.efficiency, s.queueP95.Milliseconds(), 100*s.dropped)
}

// zoo is a row for each creature that is wanted.
func (b table) zoo(length time.Duration, wanted func(*creature) bool) {
	for _, k := range zoo(length) {
		if wanted(&k) {
			b.print(k.name, func(c contender) string {
				return k.run(b.t, 1, length, func(a, _ *Config) { c.tune(a) }).String()
			})
		}
	}
}

// beside is a row of shares: starting before and after a TCP flow.
func (b table) beside(name string, queue time.Duration, to func(*lab.Host) lab.Machine, length time.Duration) {
	b.print(fmt.Sprintf("share beside %s, 20 Mbit/s, 30 ms, queue %v: first, last", name, queue), func(c contender) string {
		x := beside{mbit: 20, rtt: 30 * ms, queue: queue, theirs: 5 * time.Second, tune: c.tune, tcp: to}
		first := x.run(b.t, length)
		x.ours, x.theirs = x.theirs, x.ours
		last := x.run(b.t, length)
		return fmt.Sprintf("%.2f, %.2f", first.share, last.share)
	})
}

// two is a row of Jain's index for two flows of a kind.
func (b table) two(mbit float64, rtt time.Duration) {
	b.print(fmt.Sprintf("two of a kind, %.0f Mbit/s, %v: Jain from 20 to 60 RTT", mbit, rtt), func(c contender) string {
		o := newOffice(b.t, 1, lab.Link{Rate: mbit * 1e6, Delay: rtt / 2})
		flows := []flow{o.qft(0, c.tune), o.qft(5*time.Second, c.tune)}
		o.Run(5*time.Second+20*rtt, nil)
		return fmt.Sprintf("%.3f", jain(o.measure(40*rtt, flows...)))
	})
}
