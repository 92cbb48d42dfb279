package transport

import (
	"math"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"qft/internal/lab"
)

// tailSeeds is over how many seeds a tail is measured: QFT_SEEDS, or a few.
func tailSeeds(few int) int {
	if n, err := strconv.Atoi(os.Getenv("QFT_SEEDS")); err == nil {
		return n
	}
	return few
}

// quantile of durations, which it sorts, in round trips.
func quantile(d []time.Duration, q float64, rtt time.Duration) float64 {
	slices.Sort(d)
	return float64(d[min(int(q*float64(len(d))), len(d)-1)]) / float64(rtt)
}

// tail moves n bytes and measures from the first transmission of the last byte
// until all have arrived, and until the sender knows.
func tail(t *testing.T, seed uint64, l lab.Link, n int64) (safe, known time.Duration, w *world) {
	w = newWorld(t, seed, l, l)
	w.sendBulk(n)
	if !w.Run(5*time.Minute, func() bool { return w.a.BulkUnsent() == 0 }) {
		t.Fatalf("seed %d: not sent: %+v", seed, w.a.Stats())
	}
	start := w.Elapsed()
	w.wantBulk(n, time.Minute)
	safe = w.Elapsed() - start
	if !w.Run(time.Minute, func() bool { return w.a.BulkUnacked() == 0 }) {
		t.Fatalf("seed %d: not acknowledged: %+v", seed, w.a.Stats())
	}
	return safe, w.Elapsed() - start, w
}

func TestTailIsShort(t *testing.T) {
	skipUnderRace(t)
	t.Parallel()
	for _, c := range []struct {
		mbit  float64
		rtt   time.Duration
		loss  float64
		bytes int64
		few   int
	}{
		{20, 100 * time.Millisecond, 0.1, 2 * mib, 60},
		{100, 100 * time.Millisecond, 0.1, 4 * mib, 60},
		{20, time.Second, 0.1, 4 * mib, 60},
		{100, time.Second, 0.1, 10 * mib, 20},
		{20, 100 * time.Millisecond, 0.3, 2 * mib, 20},
		{100, 100 * time.Millisecond, 0, 4 * mib, 3},
	} {
		l := link(c.mbit, c.rtt/2)
		l.Loss = c.loss
		var safe, known []time.Duration
		var repeated, sent uint64
		for seed := range uint64(tailSeeds(c.few)) {
			s, k, w := tail(t, seed, l, c.bytes)
			safe, known = append(safe, s), append(known, k)
			repeated += w.a.stats.Repeated
			sent += w.a.stats.SentPackets
		}
		t.Logf("%3.0f Mbit/s %6v %2.0f %%: safe after %.2f RTT, p99 %.2f, worst %.2f; known after %.2f, p99 %.2f; %.1f %% repeats",
			c.mbit, c.rtt, 100*c.loss, quantile(safe, 0.5, c.rtt), quantile(safe, 0.99, c.rtt), quantile(safe, 1, c.rtt),
			quantile(known, 0.5, c.rtt), quantile(known, 0.99, c.rtt), 100*float64(repeated)/float64(sent))
		if m, p := quantile(safe, 0.5, c.rtt), quantile(safe, 0.99, c.rtt); m > 2.5 || p > 4 {
			t.Errorf("%+v: safe after %.2f RTT, 99th percentile %.2f", c, m, p)
		}
	}
}

// TestRepeatsDoNotDelayASlowSource has a source bring a block every now and
// then, and compares with the same one when nothing is repeated. Nothing is
// lost, so that every repeat is in vain.
func TestRepeatsDoNotDelayASlowSource(t *testing.T) {
	skipUnderRace(t)
	t.Parallel()
	const block = 128 << 10 // 55 ms of the link
	run := func(repeats bool) (first, all []time.Duration, s Stats) {
		l := link(20, 50*time.Millisecond)
		w := newWorld(t, 1, l, l)
		if !repeats {
			w.a.tail.fates = math.Inf(1) // as if no packet had ever been lost
		}
		for i := range int64(100) {
			w.a.SendBulk(i*block, block)
			w.hostA.Wake(port)
			start := w.Elapsed()
			w.Run(time.Second, func() bool { return w.a.BulkUnsent() < block })
			first = append(first, w.Elapsed()-start)
			w.Run(time.Minute, func() bool { return w.sink.has((i + 1) * block) })
			all = append(all, w.Elapsed()-start)
			w.Run(max(0, start+150*time.Millisecond-w.Elapsed()), nil)
		}
		return first, all, w.a.Stats()
	}
	first, with, s := run(true)
	_, without, none := run(false)
	if none.Repeated > 0 {
		t.Fatal("nothing to compare with")
	}
	a, b := quantile(with, 0.5, time.Millisecond), quantile(without, 0.5, time.Millisecond)
	f := quantile(first[5:], 1, // not while the rate is being searched
		time.Millisecond)
	t.Logf("a block left %.2f ms after it came at the latest, and arrived after %.1f ms, without repeats %.1f ms; %d of %d packets were repeats",
		f, a, b, s.Repeated, s.SentPackets)
	if f > 1.6 { // two packets at 0.8 of the rate
		t.Errorf("a block waited for %.2f ms", f)
	}
	if a > b+2 {
		t.Errorf("repeats cost a block %.1f ms", a-b)
	}
	if float64(s.Repeated) > 0.1*float64(s.SentPackets) {
		t.Errorf("%d of %d packets were repeats although the source is merely slow", s.Repeated, s.SentPackets)
	}
}

// TestLastWordsAreQuick plays the end of a transfer: a says END, b answers
// DONE, a closes. Without a loss b knows after 1.5 round trips.
func TestLastWordsAreQuick(t *testing.T) {
	t.Parallel()
	const rtt = time.Second
	l := link(20, rtt/2)
	l.Loss = 0.1
	var took []time.Duration
	for seed := range uint64(tailSeeds(200)) {
		w := newWorld(t, seed, l, l)
		w.Run(5*time.Second, nil)
		start, before := w.Elapsed(), w.a.stats.SentPackets+w.b.stats.SentPackets
		w.a.Write(0, []byte("END"))
		w.hostA.Wake(port)
		buf := make([]byte, 8)
		w.Run(time.Minute, func() bool {
			if w.b.Read(0, buf) > 0 {
				w.b.Write(0, []byte("DONE"))
				w.hostB.Wake(port)
			}
			if w.a.Read(0, buf) > 0 {
				w.a.Close(w.Now(), 0, "")
				w.hostA.Wake(port)
			}
			return w.b.Err() != nil
		})
		took = append(took, w.Elapsed()-start)
		if n := w.a.stats.SentPackets + w.b.stats.SentPackets - before; n > 40 {
			t.Errorf("seed %d: %d packets for three words", seed, n)
		}
	}
	t.Logf("END, DONE, CLOSE took %.2f RTT, p99 %.2f, worst %.2f",
		quantile(took, 0.5, rtt), quantile(took, 0.99, rtt), quantile(took, 1, rtt))
	if m, p := quantile(took, 0.5, rtt), quantile(took, 0.99, rtt); m > 1.7 || p > 2.5 {
		t.Errorf("END, DONE, CLOSE took %.2f RTT, 99th percentile %.2f", m, p)
	}
}

// TestCopiesLeaveNothingBehind sends ranges in bursts and pauses over a bad
// link, some of them again when they have arrived and been dropped, and wants
// every byte exactly as often as it was asked for, and the books closed.
func TestCopiesLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	for seed := range uint64(tailSeeds(40)) {
		l := link(20, 40*time.Millisecond)
		l.Loss, l.Reorder, l.Duplicate, l.ReorderDelay = 0.15, 0.1, 0.05, 50*time.Millisecond
		w := newWorld(t, seed, l, l)
		r := w.Rand()
		top := int64(0)
		for range 30 {
			off, n := top, 1+r.Int64N(80_000)
			if r.IntN(3) == 0 && w.sink.has(top) && top > 1000 {
				// The peer has found this damaged.
				off = r.Int64N(top)
				n = min(n, top-off)
				w.sink.got.sub(off, off+n)
			}
			top = max(top, off+n)
			w.a.SendBulk(off, n)
			w.hostA.Wake(port)
			w.Run(time.Duration(r.Int64N(int64(300*time.Millisecond))), nil)
		}
		w.wantBulk(top, time.Minute)
		if !w.Run(time.Minute, func() bool { return w.a.BulkUnacked() == 0 && w.a.loss.eliciting == 0 }) {
			t.Fatalf("seed %d: still %d bytes unacknowledged: %+v, %+v", seed, w.a.BulkUnacked(), w.a.Stats(), w.a.tail)
		}
		if w.a.bulk.inFlight != 0 || w.a.loss.inFlight != 0 || !w.a.bulk.lost.empty() {
			t.Errorf("seed %d: the books are open: %+v", seed, w.a.bulk)
		}
	}
}
