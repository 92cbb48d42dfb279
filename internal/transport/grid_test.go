package transport

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"qft/internal/lab"
)

// cell is one link of the grid.
type cell struct {
	mbit float64
	rtt  time.Duration
	loss float64 // each way
}

func (c cell) link() lab.Link {
	return lab.Link{Rate: c.mbit * 1e6, Delay: c.rtt / 2, Loss: c.loss, Queue: max(c.rtt, 100*time.Millisecond)}
}

// ideal is how many file bytes a second the link can bring at most.
func (c cell) ideal() float64 { return c.mbit * 1e6 / 8 * (1 - c.loss) * payloadShare }

// payloadShare is how much of a 1,500-byte IP packet can be file bytes.
const payloadShare = float64(1472-PacketOverhead) / 1500

// result is a transfer in virtual time.
type result struct {
	efficiency float64       // file bytes per second over all of it, of the ideal
	steady     float64       // the same, from a third of the time until the last byte has left
	queueP95   time.Duration // added by ourselves
	dropped    float64       // share of packets lost in the queue
}

// transfer moves what the link carries in the given time and measures from the
// first packet on, connecting excluded.
func (c cell) transfer(t testing.TB, seed uint64, length time.Duration) result {
	w := newWorld(t, seed, c.link(), c.link())
	n := int64(c.mbit * 1e6 / 8 * length.Seconds())
	w.sendBulk(n)
	w.Run(time.Duration(float64(n)/c.ideal()/3*1e9), nil)
	third, at := w.sink.fresh, w.Elapsed()
	w.Run(20*length, func() bool { return w.a.BulkUnsent() == 0 })
	steady := float64(w.sink.fresh-third) / (w.Elapsed() - at).Seconds()
	w.wantBulk(n, 20*length)
	s := w.hostA.Up().Stats()
	return result{
		efficiency: float64(n) / w.Elapsed().Seconds() / c.ideal(),
		steady:     steady / c.ideal(),
		queueP95:   s.Wait.Quantile(0.95),
		dropped:    float64(s.Lost[lab.LostQueue]) / float64(s.Offered),
	}
}

// bars are what every cell must reach.
func (c cell) bars() (efficiency, steady float64) {
	if c.rtt >= time.Second {
		return 0.85, 0.96
	}
	return 0.92, 0.96
}

var (
	gridRates  = []float64{20, 100, 1000}
	gridRTTs   = []time.Duration{10 * time.Millisecond, 100 * time.Millisecond, time.Second}
	gridLosses = []float64{0, 0.01, 0.05, 0.1, 0.2}
)

// gridLength is how long a transfer takes at the full rate.
const gridLength = 30 * time.Second

// TestGrid moves files over links of all sorts. QFT_GRID=all runs all rates and
// writes the table of docs/performance.md; by default it is the lowest rate,
// which costs the fewest packets. QFT_GRID=100 is that rate alone.
func TestGrid(t *testing.T) {
	skipUnderRace(t)
	rates := gridRates[:1]
	switch v := os.Getenv("QFT_GRID"); v {
	case "", "links":
	case "all":
		rates = gridRates
	default:
		if _, err := fmt.Sscan(v, &rates[0]); err != nil {
			t.Fatalf("QFT_GRID is %q: all, or a rate in Mbit/s", v)
		}
	}
	var mu sync.Mutex
	results := make(map[cell]result)
	t.Run("cells", func(t *testing.T) {
		for _, mbit := range rates {
			for _, rtt := range gridRTTs {
				for _, loss := range gridLosses {
					c := cell{mbit, rtt, loss}
					t.Run(fmt.Sprintf("%v Mbit/s, %v, %v %%", mbit, rtt, 100*loss), func(t *testing.T) {
						t.Parallel()
						r := c.transfer(t, 1, gridLength)
						mu.Lock()
						results[c] = r
						mu.Unlock()
						efficiency, steady := c.bars()
						if r.efficiency < efficiency || r.steady < steady {
							t.Errorf("efficiency %.3f of %.2f, steady %.3f of %.2f", r.efficiency, efficiency, r.steady, steady)
						}
					})
				}
			}
		}
	})
	table := gridTable(rates, results)
	t.Logf("\n%s", table)
	if len(rates) == len(gridRates) {
		writeTable(t, "grid", table)
	}
}

func gridTable(rates []float64, results map[cell]result) string {
	var b strings.Builder
	b.WriteString("| Mbit/s | RTT | 0 % loss | 1 % | 5 % | 10 % | 20 % |\n| --: | --: | --- | --- | --- | --- | --- |\n")
	for _, mbit := range rates {
		for _, rtt := range gridRTTs {
			fmt.Fprintf(&b, "| %.0f | %v |", mbit, rtt)
			for _, loss := range gridLosses {
				r := results[cell{mbit, rtt, loss}]
				fmt.Fprintf(&b, " %.3f, %.3f, %d ms, %.1f %% |", r.efficiency, r.steady, r.queueP95.Milliseconds(), 100*r.dropped)
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

// performance is the document that has the tables.
const performance = "../../docs/performance.md"

// writeTable puts a table between its marks in the document.
func writeTable(t *testing.T, name, table string) {
	t.Helper()
	text, err := os.ReadFile(performance)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
	head, rest, ok := strings.Cut(string(text), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no marks for the table %q", performance, name)
	}
	if err := os.WriteFile(performance, []byte(head+begin+table+end+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}
