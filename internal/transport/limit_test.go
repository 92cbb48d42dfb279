package transport

import (
	"fmt"
	"os"
	"testing"
	"time"

	"qft/internal/lab"
)

// wire counts the UDP payload that a host sends, in tenths of a second.
type wire struct{ bins []int }

const (
	bin      = 100 * time.Millisecond
	stretch  = 4 * time.Second // over which a limit is exact
	exactFor = 0.03
)

func tapWire(w *lab.World, from *lab.Host) *wire {
	r := &wire{}
	w.Tap(func(s lab.Sighting) {
		if s.Fate != lab.Sent || s.From.Addr() != from.Addrs()[0] {
			return
		}
		for i := int(s.At / bin); i >= len(r.bins); {
			r.bins = append(r.bins, 0)
		}
		r.bins[int(s.At/bin)] += len(s.Data)
	})
	return r
}

// extremes are the lowest and the highest rate in bytes per second over any
// stretch that lies within from and to.
func (r *wire) extremes(from, to time.Duration) (low, high float64) {
	n := int(stretch / bin)
	first, last := int(from/bin), min(int(to/bin), len(r.bins))
	for i := first; i+n <= last; i++ {
		sum := 0
		for _, b := range r.bins[i : i+n] {
			sum += b
		}
		rate := float64(sum) / stretch.Seconds()
		if i == first {
			low, high = rate, rate
		}
		low, high = min(low, rate), max(high, rate)
	}
	return low, high
}

func (r *wire) wantExact(t *testing.T, what string, from, to time.Duration, limit float64) {
	t.Helper()
	low, high := r.extremes(from, to)
	t.Logf("%s: limit %.0f B/s, sent %+.2f to %+.2f %% over any %v", what, limit, 100*(low/limit-1), 100*(high/limit-1), stretch)
	if low < (1-exactFor)*limit || high > (1+exactFor)*limit {
		t.Errorf("%s: sent between %.0f and %.0f B/s, want %.0f within 3 %%", what, low, high, limit)
	}
}

// fourTimes is a link that carries four times a limit.
func fourTimes(limit float64, rtt time.Duration, loss float64) lab.Link {
	return lab.Link{Rate: 4 * 8 * limit, Delay: rtt / 2, Loss: loss, Queue: max(100*time.Millisecond, rtt)}
}

func TestLimitIsExact(t *testing.T) {
	skipUnderRace(t)
	t.Parallel()
	for _, limit := range []float64{25e3, 250e3, 2.5e6, 25e6, 125e6} {
		for _, rtt := range []time.Duration{10 * time.Millisecond, 100 * time.Millisecond, time.Second} {
			for _, loss := range []float64{0, 0.1} {
				if limit > 25e6 && os.Getenv("QFT_GRID") == "" && (rtt == 100*time.Millisecond || (loss > 0) == (rtt < time.Second)) {
					continue // the other cells of 1 Gbit/s take a minute
				}
				t.Run(fmt.Sprintf("%.0f kB per s RTT %v loss %.1f", limit/1e3, rtt, loss), func(t *testing.T) {
					l := fourTimes(limit, rtt, loss)
					w := newWorldConfig(t, 1, l, l, func(a, b *Config) { a.Limit = limit })
					r := tapWire(w.World, w.hostA)
					w.sendBulk(1 << 40)
					warm := time.Second + 3*rtt
					w.Run(warm+12*time.Second, nil)
					r.wantExact(t, "steady", warm, w.Elapsed(), limit)
					if peak, _ := r.peak(0, warm); peak > 1.2*limit+float64(30e3) {
						t.Errorf("%.0f B/s for a second at the start", peak)
					}
				})
			}
		}
	}
}

func TestLimitIsExactNearWhatThePathCarries(t *testing.T) {
	skipUnderRace(t)
	t.Parallel()
	const limit = 2.5e6
	for _, rtt := range []time.Duration{20 * time.Millisecond, 200 * time.Millisecond} {
		l := lab.Link{Rate: 1.2 * 8 * limit, Delay: rtt / 2, Queue: 200 * time.Millisecond}
		w := newWorldConfig(t, 1, l, l, func(a, b *Config) { a.Limit = limit })
		r := tapWire(w.World, w.hostA)
		w.sendBulk(1 << 40)
		w.Run(15*time.Second, nil)
		r.wantExact(t, fmt.Sprint("RTT ", rtt), 2*time.Second, w.Elapsed(), limit)
	}
}

// TestLimitHoldsForRepeats: what is sent again for want of anything new counts.
func TestLimitHoldsForRepeats(t *testing.T) {
	t.Parallel()
	const limit = 100e3
	l := link(20, 50*time.Millisecond)
	l.Loss = 0.2
	w := newWorldConfig(t, 1, l, l, func(a, b *Config) { a.Limit = limit })
	r := tapWire(w.World, w.hostA)
	for i := range int64(30) {
		w.a.SendBulk(i*35e3, 35e3)
		w.hostA.Wake(port)
		w.Run(500*time.Millisecond, nil)
	}
	w.wantBulk(30*35e3, 20*time.Second)
	if w.a.Stats().Repeated == 0 {
		t.Error("nothing was repeated, so nothing was tested")
	}
	if _, high := r.extremes(0, w.Elapsed()); high > (1+exactFor)*limit {
		t.Errorf("%.0f B/s under a limit of %.0f", high, limit)
	}
}

// TestLimitChangesWhileRunning turns it on, down, up and off, from either end.
func TestLimitChangesWhileRunning(t *testing.T) {
	skipUnderRace(t)
	t.Parallel()
	const rtt, path = 100 * time.Millisecond, 12.5e6
	for _, from := range []string{"sender", "receiver"} {
		for _, loss := range []float64{0, 0.1} {
			t.Run(fmt.Sprintf("%s, loss %.1f", from, loss), func(t *testing.T) {
				l := lab.Link{Rate: 8 * path, Delay: rtt / 2, Loss: loss}
				w := newWorld(t, 3, l, l)
				r := tapWire(w.World, w.hostA)
				w.sendBulk(1 << 40)
				w.Run(3*time.Second, nil)
				for _, limit := range []float64{1e6, 5e6, 50e3, 2.5e6} {
					w.setLimit(from, limit)
					settled := w.Elapsed() + rtt + 3*rtt // a lost wish comes again
					if loss == 0 {
						settled = w.Elapsed() + rtt
					}
					w.Run(8*time.Second, nil)
					r.wantExact(t, "changed", settled, w.Elapsed(), limit)
				}
				w.setLimit(from, 0)
				w.Run(10*time.Second, nil)
				if _, high := r.extremes(w.Elapsed()-5*time.Second, w.Elapsed()); high < 0.6*path {
					t.Errorf("without a limit again only %.0f of %.0f B/s", high, path)
				}
			})
		}
	}
}

func (w *world) setLimit(from string, limit float64) {
	if from == "sender" {
		w.a.SetLimit(limit)
		w.hostA.Wake(port)
	} else {
		w.b.Ask(Wish{Rate: limit})
		w.hostB.Wake(port)
	}
}

func TestTheLowerLimitHolds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ own, peer, want float64 }{
		{1e6, 500e3, 500e3}, {500e3, 1e6, 500e3}, {0, 500e3, 500e3}, {500e3, 0, 500e3}, {0, 1, LeastLimit},
	} {
		l := link(100, 10*time.Millisecond)
		w := newWorldConfig(t, 1, l, l, func(a, b *Config) { a.Limit = c.own; b.Ask.Rate = c.peer })
		r := tapWire(w.World, w.hostA)
		w.sendBulk(1 << 40)
		w.Run(20*time.Second, nil)
		if got := w.a.Stats().Limit; got != c.want {
			t.Errorf("of %v and %v it obeys %v", c.own, c.peer, got)
		}
		if c.want > LeastLimit {
			r.wantExact(t, "both", 2*time.Second, w.Elapsed(), c.want)
		}
	}
}

func TestWishForBackgroundArrives(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		l := link(20, 20*time.Millisecond)
		l.Loss = 0.3
		w := newWorldConfig(t, seed, l, l, func(a, b *Config) { b.Ask.Background = true })
		w.sendBulk(1 << 30)
		if !w.Run(10*time.Second, func() bool { return w.a.background() }) {
			t.Fatalf("seed %d: the wish never arrived", seed)
		}
		w.b.Ask(Wish{})
		w.hostB.Wake(port)
		if !w.Run(10*time.Second, func() bool { return !w.a.background() }) {
			t.Fatalf("seed %d: it was never taken back", seed)
		}
		w.a.SetBackground(true)
		w.b.Ask(Wish{Rate: 1e6})
		w.Run(time.Second, nil)
		if !w.a.background() {
			t.Fatal("our own wish was forgotten with the peer's")
		}
	}
}

func TestReportArrives(t *testing.T) {
	t.Parallel()
	l := link(20, 20*time.Millisecond)
	w := newWorld(t, 1, l, l)
	w.sendBulk(1 << 30)
	w.Run(time.Second, nil)
	if _, ok := w.b.PeerReport(); ok {
		t.Error("a report that nobody made")
	}
	want := Report{Cause: 3, Loss: 0.015, Rate: 2e6, RTT: 40 * time.Millisecond}
	w.a.Report(want)
	w.Run(100*time.Millisecond, nil)
	if got, ok := w.b.PeerReport(); !ok || got != want {
		t.Errorf("%+v arrived as %+v, %v", want, got, ok)
	}
}

// wantMost checks what the sending mostly waits for in the coming seconds.
func (w *world) wantMost(want Wait) {
	w.t.Helper()
	before := w.a.Waits(w.Now())
	w.Run(3*time.Second, nil)
	after := w.a.Waits(w.Now())
	var total, most time.Duration
	for k := range after {
		after[k] -= before[k]
		total += after[k]
		most = max(most, after[k])
	}
	if after[want] != most || after[want] < total*8/10 {
		w.t.Errorf("waited for %v, want mostly kind %d", after, want)
	}
	if total < 2900*time.Millisecond {
		w.t.Errorf("only %v of 3 s are accounted for", total)
	}
}

// moody is a source that can be out of memory.
type moody struct{ empty bool }

func (m *moody) ReadBulk(p []byte, off int64) (int, bool) {
	fillPattern(p, off)
	return len(p), !m.empty
}

func TestWaitsSayWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	l := link(20, 20*time.Millisecond)
	w := newWorld(t, 1, l, l)
	source := &moody{}
	w.a.SetSource(source)
	w.sendBulk(1 << 40)
	w.Run(time.Second, nil)
	w.wantMost(WaitPath)
	w.setLimit("sender", 500e3)
	w.wantMost(WaitLimit)
	w.setLimit("sender", 0)
	source.empty = true
	w.wantMost(WaitSource)
	source.empty = false
	w.sink.budget = w.sink.backlog + 3*mib // no room from now on
	w.hostA.Wake(port)
	w.Run(3*time.Second, nil)
	w.wantMost(WaitPeer)

	w = newWorld(t, 1, l, l)
	w.wantMost(WaitQueue)
}

func TestBulkInAPacketIsBounded(t *testing.T) {
	t.Parallel()
	for _, most := range []int{1, 50, 93, 94, 256, 1000, 1448, 60000} {
		l := link(100, 5*time.Millisecond)
		payload := most + PacketOverhead
		w := newWorldConfig(t, 1, l, l, func(a, b *Config) { a.MaxBulk, a.MaxPayload = most, payload })
		seen, largest := &pieces{checker: w.sink}, 0
		w.b.SetSink(seen)
		w.Tap(func(s lab.Sighting) {
			if s.Fate == lab.Sent && s.From.Addr() == w.hostA.Addrs()[0] {
				largest = max(largest, len(s.Data))
			}
		})
		n := int64(min(mib/2, 2000*most))
		w.sendBulk(n)
		w.wantBulk(n, time.Minute)
		if seen.largest > most || largest > max(payload, MinPayload) {
			t.Errorf("bound %d: %d bytes of a file in a packet of at most %d", most, seen.largest, largest)
		}
		if fits := min(most, 1472-PacketOverhead); seen.largest < fits {
			t.Errorf("bound %d: never more than %d bytes of a file in a packet", most, seen.largest)
		}
	}
}

// pieces notes the size of the largest piece.
type pieces struct {
	*checker
	largest int
}

func (p *pieces) WriteBulk(b []byte, off int64) bool {
	p.largest = max(p.largest, len(b))
	return p.checker.WriteBulk(b, off)
}

// peak is the highest rate over any second, and when it was.
func (r *wire) peak(from, to time.Duration) (rate float64, at time.Duration) {
	n := int(time.Second / bin)
	for i := int(from / bin); i+n <= min(int(to/bin), len(r.bins)); i++ {
		sum := 0
		for _, b := range r.bins[i : i+n] {
			sum += b
		}
		if float64(sum) > rate {
			rate, at = float64(sum), time.Duration(i)*bin
		}
	}
	return rate, at
}
