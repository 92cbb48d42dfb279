package transport

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"qft/internal/lab"
	"qft/internal/udp"
)

// inner is the largest UDP payload of a packet of so many bytes over IPv4.
func inner(mtu int) int { return min(mtu-28, 65507) }

func TestPathMTUIsFound(t *testing.T) {
	skipUnderRace(t)
	t.Parallel()
	for _, mtu := range []int{1280, 1300, 1420, 1460, 1500, 4000, 9000} {
		for _, rtt := range []time.Duration{10, 100, 1000} {
			if rtt == 1000 && (mtu == 1300 || mtu == 1460 || mtu == 4000) {
				continue // to bisect takes longer
			}
			for _, loss := range []float64{0, 0.05} {
				l := link(100, rtt*time.Millisecond/2)
				l.MTU, l.Loss = mtu, loss
				w := newWorld(t, 3, l, l)
				w.sendBulk(1 << 40)
				w.Run(3*time.Second, nil)
				got := w.a.Stats().MTU
				t.Logf("a path of %d bytes, %v ms, %g %% loss is used with packets of %d", mtu, int(rtt), 100*loss, got+28)
				if got > inner(mtu) || got < inner(mtu)-mtuPrecision {
					t.Errorf("a path of %d bytes, %v ms, %g %% loss is used with packets of %d", mtu, int(rtt), 100*loss, got+28)
				}
			}
		}
	}
}

// loopback joins two connections on one host; the first has much to send.
func loopback(t *testing.T) (w *lab.World, a *Conn, sink *checker) {
	w = lab.New(1)
	h := w.Host(nil, lab.HostConfig{Addrs: []netip.Addr{netip.MustParseAddr("198.18.0.9")}})
	sa, sb := sessions(t, w)
	to := func(p uint16) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), p) }
	a = NewConn(w.Now(), Config{Rand: w.Entropy(), Sealer: sa.Sealer(), Opener: sa.Opener(), SendID: 1, ReceiveID: 2, Path: udp.To(to(2)), RTT: 100 * time.Microsecond})
	b := NewConn(w.Now(), Config{Rand: w.Entropy(), Sealer: sb.Sealer(), Opener: sb.Opener(), SendID: 2, ReceiveID: 1, Path: udp.To(to(1)), RTT: 100 * time.Microsecond})
	sink = &checker{t: t}
	a.SetSource(pattern{})
	b.SetSink(sink)
	a.SendBulk(0, 64*mib)
	h.Bind(1, a)
	h.Bind(2, b)
	return w, a, sink
}

func TestLoopbackMTUIsFound(t *testing.T) {
	w, a, sink := loopback(t)
	w.Run(3*time.Second, func() bool { return sink.has(64 * mib) })
	if got := a.Stats().MTU; got != inner(65535) {
		t.Errorf("loopback is used with packets of %d bytes", got)
	}
}

func TestLoopbackIsFast(t *testing.T) {
	w, a, sink := loopback(t)
	if !w.Run(3*time.Second, func() bool { return sink.has(64 * mib) }) {
		t.Errorf("64 MiB take more than 3 s on loopback: %+v", a.Stats())
	}
}

// TestHugeProbesStayAtHome: a packet of 64 KiB on a real path is lost at best.
func TestHugeProbesStayAtHome(t *testing.T) {
	l := link(100, 5*time.Millisecond)
	w := newWorld(t, 1, l, l)
	w.Tap(func(s lab.Sighting) {
		if s.Fate == lab.Sent && len(s.Data) > inner(9000) {
			t.Errorf("a packet of %d bytes", len(s.Data))
		}
	})
	w.sendBulk(1 << 40)
	w.Run(5*time.Second, nil)
}

// shrink is a path whose MTU changes while it is used.
type shrink struct {
	from, to int
	rtt      time.Duration
	loss     float64
}

func (s shrink) String() string {
	return fmt.Sprintf("%d to %d, %v, %g %% loss", s.from, s.to, s.rtt, 100*s.loss)
}

// run returns how long it takes until bulk flows again at half the rate, and
// for how long nothing at all arrived.
func (s shrink) run(t testing.TB, seed uint64) (again time.Duration, w *world) {
	const mbit = 20
	l := link(mbit, s.rtt/2)
	l.MTU, l.Loss = s.from, s.loss
	w = newWorld(t, seed, l, l)
	w.sendBulk(1 << 40)
	w.Run(4*time.Second+8*s.rtt, nil)
	if got := w.a.Stats().MTU; got < inner(s.from)-mtuPrecision {
		t.Fatalf("%v: packets of %d before", s, got+28)
	}
	l.MTU = s.to
	w.hostA.Up().Set(l)
	w.hostA.Down().Set(l)
	start := w.Elapsed()
	// What passed the narrow place before still arrives.
	w.Run(s.rtt/2+l.Queue, nil)
	before := w.sink.backlog
	tenth := int64(mbit * 1e6 / 8 / 10)
	if !w.Run(time.Minute, func() bool { return w.sink.backlog > before+tenth }) {
		t.Fatalf("%v: nothing arrives any more: %+v", s, w.a.Stats())
	}
	return w.Elapsed() - start, w
}

func TestShrinkingMTUIsNoticed(t *testing.T) {
	skipUnderRace(t)
	t.Parallel()
	for _, sizes := range [][2]int{{1500, 1280}, {1500, 1420}, {9000, 1500}, {9000, 1280}} {
		for _, rtt := range []time.Duration{10, 100, 1000} {
			for _, loss := range []float64{0, 0.05} {
				s := shrink{sizes[0], sizes[1], rtt * time.Millisecond, loss}
				var worst time.Duration
				for seed := range uint64(tailSeeds(3)) {
					d, w := s.run(t, seed)
					worst = max(worst, d)
					w.Run(4*time.Second+4*s.rtt, nil)
					if got := w.a.Stats().MTU; got > inner(s.to) || got < inner(s.to)-mtuPrecision {
						t.Errorf("%v: packets of %d afterwards", s, got+28)
					}
				}
				t.Logf("%v: goes on after %v", s, worst.Round(time.Millisecond))
				// A hundred milliseconds are what the tenth takes that is waited for.
				if worst > 3*s.rtt+time.Second+100*time.Millisecond {
					t.Errorf("%v: goes on after %v", s, worst)
				}
			}
		}
	}
}

// TestMTUBelowTheBaseIsSurvived: no path may be so narrow (BaseMTU), but one
// that has become so is found out in two steps, and is used.
func TestMTUBelowTheBaseIsSurvived(t *testing.T) {
	skipUnderRace(t)
	t.Parallel()
	for _, sizes := range [][2]int{{1500, 1000}, {1280, 600}} {
		for _, rtt := range []time.Duration{10, 100, 1000} {
			for _, loss := range []float64{0, 0.05} {
				s := shrink{sizes[0], sizes[1], rtt * time.Millisecond, loss}
				d, w := s.run(t, 1)
				w.Run(5*time.Second+40*s.rtt, nil)
				got := w.a.Stats().MTU
				t.Logf("%v: goes on after %v, with packets of %d in the end", s, d.Round(time.Millisecond), got+28)
				if d > 6*s.rtt+2*time.Second || got > inner(s.to) || got < inner(s.to)-4*mtuPrecision {
					t.Errorf("%v: goes on after %v, with packets of %d in the end", s, d.Round(time.Millisecond), got+28)
				}
			}
		}
	}
}

func TestGrowingMTUIsUsed(t *testing.T) {
	t.Parallel()
	l := link(1, 50*time.Millisecond)
	l.MTU = 1400
	w := newWorld(t, 1, l, l)
	w.sendBulk(1 << 40)
	w.Run(time.Minute, nil)
	l.MTU = 1500
	w.hostA.Up().Set(l)
	w.hostA.Down().Set(l)
	w.Run(mtuRaiseAfter, nil)
	if got := w.a.Stats().MTU; got != inner(1500) {
		t.Errorf("packets of %d on a path that has grown to 1500", got+28)
	}
}
