package lab

import (
	"math"
	"testing"
	"time"
)

func TestRateIsExact(t *testing.T) {
	const n, size = 2000, 1472 // 1500 bytes with IPv4 and UDP headers
	for _, rate := range []float64{1e6, 33.3e6, 1e9, 9.7e9} {
		_, got := feed(New(1), Link{Rate: rate, Queue: time.Hour}, n, size, 0)
		if len(got) != n {
			t.Fatalf("%g bit/s: %d arrived, want %d", rate, len(got), n)
		}
		near(t, "last arrival, ns", float64(got[n-1].at), n*1500*8e9/rate, 1)
	}
}

func TestHeadersAndOverheadTakeTheirTime(t *testing.T) {
	w := New(1)
	link := Link{Rate: 8e6, Overhead: 18} // 1 us per byte
	a := place(w.Host(nil, HostConfig{Family: DualStack, Up: link}), 1)
	b := place(w.Host(nil, HostConfig{Family: DualStack}), 1)
	for i, v6 := range []bool{false, true} {
		start := w.Elapsed()
		a.send(b.h.AddrPort(v6, 1), string(make([]byte, 1000)))
		w.Run(time.Second, func() bool { return len(b.got) > i })
		took := w.Elapsed() - start
		want := (1000 + 20 + 8 + 18) * time.Microsecond
		if v6 {
			want += 20 * time.Microsecond
		}
		wantEqual(t, "time for 1000 bytes", took, want)
	}
}

func TestDelayOfIdleLinkIsExact(t *testing.T) {
	_, got := feed(New(1), Link{Rate: 8e6, Delay: 25 * ms}, 100, 1000-28, 10*ms)
	for i, a := range got {
		wantEqual(t, "arrival", a.at, time.Duration(i)*10*ms+26*ms)
	}
	wantEqual(t, "arrivals", len(got), 100)
}

// TestQueueIsDropTail sends at twice the rate: what fits is exactly what the
// queue holds and what the transmitter sends meanwhile.
func TestQueueIsDropTail(t *testing.T) {
	// A packet of 1000 bytes takes 1 ms.
	for name, link := range map[string]Link{
		"time":  {Rate: 8e6, Queue: 50 * ms},
		"bytes": {Rate: 8e6, QueueBytes: 51000},
	} {
		pipe, got := feed(New(1), link, 1000, 972, 500*time.Microsecond)
		s := pipe.Stats()
		// In 500 ms 500 packets leave, and then 51 are waiting or being sent.
		near(t, name+": arrived", float64(len(got)), 550, 1)
		wantEqual(t, name+": dropped", s.Lost[LostQueue], uint64(1000-len(got)))
		wantEqual(t, name+": longest wait", s.Wait.Max(), 50*ms)
		near(t, name+": median wait, ms", s.Wait.Quantile(.5).Seconds()*1e3, 50, 2)
		for i, a := range got {
			if a.at != time.Duration(i+1)*ms {
				t.Fatalf("%s: arrival %d at %v: the transmitter rested", name, i, a.at)
			}
		}
		for i := range 50 {
			wantEqual(t, name+": among the first", got[i].number(), i)
		}
	}
}

func TestDefaultQueueIs100ms(t *testing.T) {
	pipe, got := feed(New(1), Link{Rate: 8e6}, 1000, 972, 0)
	wantEqual(t, "arrived", len(got), 101) // one on the transmitter
	s := pipe.Stats()
	wantEqual(t, "longest wait", s.Wait.Max(), 100*ms)
}

func TestLossShare(t *testing.T) {
	const n = 100000
	pipe, got := feed(New(3), Link{Loss: 0.1}, n, 10, time.Microsecond)
	near(t, "delivered", float64(len(got))/n, 0.9, 0.004)
	wantEqual(t, "lost", int(pipe.Stats().Lost[LostWire]), n-len(got))
	_, got = feed(New(3), Link{Loss: 1}, 100, 10, time.Microsecond)
	wantEqual(t, "delivered at loss 1", len(got), 0)
}

func TestBurstLoss(t *testing.T) {
	const n = 100000
	_, got := feed(New(4), Link{Burst: Burst{P: 0.01, R: 0.25}}, n, 10, time.Microsecond)
	near(t, "delivered", float64(len(got))/n, 0.25/0.26, 0.003)
	bursts, lost := 0, 0
	for i := 1; i < len(got); i++ {
		if gap := got[i].number() - got[i-1].number() - 1; gap > 0 {
			bursts++
			lost += gap
		}
	}
	near(t, "mean burst", float64(lost)/float64(bursts), 4, 0.2)
}

func TestJitterWandersInOrder(t *testing.T) {
	const n = 100000
	_, got := feed(New(5), Link{Delay: 50 * ms, Jitter: 20 * ms}, n, 10, ms)
	sum, low, high := 0.0, math.Inf(1), 0.0
	for i, a := range got {
		if a.number() != i {
			t.Fatal("jitter reordered")
		}
		d := (a.at - time.Duration(i)*ms).Seconds() * 1e3
		sum, low, high = sum+d, min(low, d), max(high, d)
	}
	near(t, "mean delay, ms", sum/n, 50, 1)
	near(t, "least delay, ms", low, 30, 1)
	near(t, "largest delay, ms", high, 70, 1)
}

func TestJitterMayReorder(t *testing.T) {
	const n = 20000
	_, got := feed(New(6), Link{Delay: 50 * ms, Jitter: 20 * ms, JitterReorders: true}, n, 10, ms)
	wantEqual(t, "arrivals", len(got), n)
	sum, overtaken := 0.0, 0
	for i, a := range got {
		d := (a.at - time.Duration(a.number())*ms).Seconds() * 1e3
		if sum += d; d < 30 || d > 70 {
			t.Fatalf("delay %g ms", d)
		}
		if i > 0 && a.number() < got[i-1].number() {
			overtaken++
		}
	}
	near(t, "mean delay, ms", sum/n, 50, 0.5)
	near(t, "share of descents", float64(overtaken)/n, 0.47, 0.03)
}

func TestReorderHoldsBack(t *testing.T) {
	const n = 20000
	pipe, got := feed(New(7), Link{Delay: 5 * ms, Reorder: 0.05, ReorderDelay: 10 * ms}, n, 10, ms/10)
	wantEqual(t, "arrivals", len(got), n)
	late := 0
	for _, a := range got {
		d := a.at - time.Duration(a.number())*ms/10
		if d < 5*ms || d > 15*ms+1 {
			t.Fatalf("delay %v", d)
		}
		if d > 5*ms {
			late++
		}
	}
	near(t, "held back", float64(late)/n, 0.05, 0.005)
	wantEqual(t, "counted", int(pipe.Stats().HeldBack), late)
}

func TestDuplicatesArriveTwice(t *testing.T) {
	const n = 20000
	pipe, got := feed(New(8), Link{Rate: 1e9, Delay: ms, Duplicate: 0.02}, n, 10, ms/10)
	near(t, "arrived", float64(len(got))/n, 1.02, 0.004)
	wantEqual(t, "counted", int(pipe.Stats().Duplicated), len(got)-n)
	twice := 0
	for i := 1; i < len(got); i++ {
		if got[i] == got[i-1] {
			twice++
		}
	}
	wantEqual(t, "twice in a row", twice, len(got)-n)
}

func TestCorruptFlipsOneBit(t *testing.T) {
	const n = 20000
	pipe, got := feed(New(9), Link{Corrupt: 0.5, Checksum: 0.25}, n, 100, ms/10)
	s := pipe.Stats()
	near(t, "caught by the checksum", float64(s.Lost[LostChecksum])/n, 0.125, 0.01)
	near(t, "delivered damaged", float64(s.Damaged)/n, 0.375, 0.01)
	damaged := 0
	for _, a := range got {
		flipped := 0
		for j := 4; j < 100; j++ {
			for b := a.data[j]; b != 0; b &= b - 1 {
				flipped++
			}
		}
		if flipped > 1 {
			t.Fatalf("%d bits flipped", flipped)
		}
		damaged += flipped
	}
	// Four bytes in a hundred hold the number, and are not looked at.
	near(t, "seen", float64(damaged)/float64(s.Damaged), 0.96, 0.01)
}

func TestLargePacketsVanish(t *testing.T) {
	w := New(1)
	h := w.Host(nil, HostConfig{Family: DualStack, Up: Link{MTU: 1400}})
	a, b := place(h, 1), place(w.Host(nil, HostConfig{Family: DualStack}), 1)
	for _, c := range []struct {
		v6   bool
		size int
		fits bool
	}{{false, 1372, true}, {false, 1373, false}, {true, 1352, true}, {true, 1353, false}} {
		n := len(b.got)
		a.send(b.h.AddrPort(c.v6, 1), string(make([]byte, c.size)))
		w.Run(time.Second, nil)
		if fits := len(b.got) > n; fits != c.fits {
			t.Errorf("IPv6 %v, %d bytes: fits %v, want %v", c.v6, c.size, fits, c.fits)
		}
	}
	wantEqual(t, "dropped", h.Up().Stats().Lost[LostMTU], 2)
}

func TestPolicerHasNoQueue(t *testing.T) {
	// 8 Mbit/s with a burst of 20 packets of 1000 bytes; offered 16 Mbit/s for a second.
	pipe, got := feed(New(1), Link{Policer: Policer{Rate: 8e6, Burst: 20000}}, 2000, 972, ms/2)
	near(t, "arrived", float64(len(got)), 1020, 1)
	wantEqual(t, "dropped", int(pipe.Stats().Lost[LostPolicer]), 2000-len(got))
	for i := range 30 {
		wantEqual(t, "of the burst", got[i].number(), i)
	}
	for _, a := range got {
		wantEqual(t, "delay", a.at-time.Duration(a.number())*ms/2, 0)
	}
}

func TestRateSchedule(t *testing.T) {
	s := &Schedule{Steps: []Step{{0, 8e6}, {time.Second, 0}, {1500 * ms, 80e6}}, Period: 2 * time.Second}
	// A period carries 8 + 0 + 40 Mbit, which is 6000 packets of 1000 bytes.
	w := New(1)
	pipe, got := feed(w, Link{RateAt: s, Queue: time.Hour}, 18000, 972, 0)
	wantEqual(t, "arrivals", len(got), 18000)
	near(t, "last arrival, s", got[17999].at.Seconds(), 6, 1e-6)
	for i, want := range map[int]time.Duration{
		0: ms, 999: time.Second, 1000: 1500*ms + ms/10, 5999: 2 * time.Second, 6000: 2001 * ms,
	} {
		near(t, "arrival, ns", float64(got[i].at), float64(want), 2)
	}
	wantEqual(t, "backlog", pipe.Backlog(), 0)
	near(t, "used of a minute", pipe.Utilisation(), 0.1, 1e-9)

	s = &Schedule{Steps: []Step{{0, 8e6}, {100 * ms, 4e6}}} // and then stays
	pipe, got = feed(New(1), Link{RateAt: s, QueueBytes: 301000}, 1000, 972, 0)
	wantEqual(t, "arrivals with a queue of bytes", len(got), 301)
	near(t, "last arrival, ms", got[300].at.Seconds()*1e3, 502, 1e-6)
	wantEqual(t, "dropped", pipe.Stats().Lost[LostQueue], 699)
	for _, bad := range []*Schedule{
		{}, {Steps: []Step{{ms, 1}}}, {Steps: []Step{{0, 0}}}, {Steps: []Step{{0, 1}, {0, 2}}},
		{Steps: []Step{{0, 1}, {ms, 0}}}, {Steps: []Step{{0, 1}, {ms, 2}}, Period: ms}, {Steps: []Step{{0, -1}}},
	} {
		wantPanic(t, "bad schedule", func() { w.Host(nil, HostConfig{Up: Link{RateAt: bad}}) })
	}
}

func TestNonsenseLinksPanic(t *testing.T) {
	for _, bad := range []Link{
		{Loss: 10}, {Loss: -0.1}, {Corrupt: math.NaN()}, {Rate: -1}, {Policer: Policer{Rate: -1}}, {Delay: -1}, {QueueBytes: -1}, {Burst: Burst{P: 2}},
	} {
		wantPanic(t, "link", func() { New(1).Host(nil, HostConfig{Up: bad}) })
	}
}

func TestSetChangesWhatFollows(t *testing.T) {
	w := New(1)
	a, b := place(w.Host(nil, HostConfig{Up: Link{Delay: 10 * ms}}), 1), place(w.Host(nil, HostConfig{}), 1)
	a.send(b.addr(), "old")
	w.Run(5*ms, nil)
	a.h.Up().Set(Link{Delay: 100 * ms})
	a.send(b.addr(), "new")
	w.Run(time.Second, nil)
	wantEqual(t, "arrivals", len(b.got), 2)
	wantEqual(t, "old", b.got[0].at, 10*ms)
	wantEqual(t, "new", b.got[1].at, 105*ms)
	a.send(b.addr(), "first")
	w.Run(ms, nil)
	a.h.Up().Set(Link{Delay: 10 * ms})
	a.send(b.addr(), "second")
	w.Run(time.Second, nil)
	wantEqual(t, "first of a shortened delay", b.got[2].data, "first")
	wantEqual(t, "the second does not overtake", b.got[3].at, b.got[2].at)
	wantEqual(t, "link", a.h.Up().Link().Delay, 10*ms)
	a.h.Up().Set(Link{Loss: 1})
	wantEqual(t, "reaches a lossy link's end", a.reaches(b.addr(), b), false)
}

func TestUtilisationAndWaitJudgeAStretch(t *testing.T) {
	w := New(1)
	a, b := place(w.Host(nil, HostConfig{Up: Link{Rate: 8e6}}), 1), place(w.Host(nil, HostConfig{}), 1)
	for i := range 100 {
		w.At(time.Duration(i)*4*ms, func() { a.send(b.addr(), string(make([]byte, 972))) }) // a quarter of the rate
	}
	up := a.h.Up()
	w.Run(400*ms, nil)
	near(t, "utilisation", up.Utilisation(), 0.25, 1e-9)
	for range 50 {
		a.send(b.addr(), string(make([]byte, 972)))
	}
	w.Run(10*ms, nil) // 10 sent, 40 to go
	up.ResetStats()
	near(t, "backlog, ms", up.Backlog().Seconds()*1e3, 40, 1e-6)
	w.Run(80*ms, nil)
	near(t, "utilisation of the stretch", up.Utilisation(), 0.5, 1e-9)
	s := up.Stats()
	wantEqual(t, "offered in the stretch", s.Offered, 0)
	wantEqual(t, "delivered in the stretch", s.Delivered, 40)
	wantEqual(t, "of bytes", s.DeliveredBytes, 40000)
}

func TestHistogram(t *testing.T) {
	var h Histogram
	wantEqual(t, "quantile of nothing", h.Quantile(.5)+h.Max()+h.Mean(), 0)
	for v := range int64(100000) {
		h.add(v * 1000)
	}
	near(t, "mean", float64(h.Mean()), 5e7, 1e3)
	near(t, "median", float64(h.Quantile(.5)), 5e7, 1.6e6)
	near(t, "p95", float64(h.Quantile(.95)), 9.5e7, 3e6)
	near(t, "p100", float64(h.Quantile(1)), 99999000, 0)
	wantEqual(t, "p0", h.Quantile(0), 0)
	wantEqual(t, "max", h.Max(), 99999000)
	h = Histogram{}
	h.add(math.MaxInt64)
	wantEqual(t, "the longest", h.Quantile(.5), math.MaxInt64)
	for v := range int64(5000) {
		i := 0
		for bucketTop(i) < v {
			i++
		}
		h := Histogram{}
		h.add(v)
		if v > 0 && h.count[i] != 1 {
			t.Fatalf("%d is not in bucket %d", v, i)
		}
	}
}
