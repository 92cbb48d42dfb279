package lab

import (
	"math"
	"net/netip"
	"testing"
	"time"

	"qft/internal/udp"
)

// sender sends full packets without end, the least that a transport does per
// packet: it keeps window of them unanswered, and with a pace leaves that much
// time between two.
type sender struct {
	peer    netip.AddrPort
	window  int
	pace    time.Duration
	next    time.Time // when the pace allows one more
	flying  int
	payload []byte
}

func (m *sender) Receive(time.Time, udp.Packet) { m.flying-- }

func (m *sender) Send(now time.Time, b *udp.Batch) {
	for m.flying < m.window && !now.Before(m.next) && b.Add(udp.To(m.peer), m.payload) {
		m.flying++
		if m.pace > 0 {
			m.next = now.Add(m.pace)
		}
	}
}

func (m *sender) Deadline() time.Time {
	if m.pace > 0 && m.flying < m.window {
		return m.next
	}
	return time.Time{}
}

// acker answers every packet with a short one.
type acker struct{ due []netip.AddrPort }

func (m *acker) Receive(_ time.Time, p udp.Packet) { m.due = append(m.due, p.Remote) }

func (m *acker) Send(_ time.Time, b *udp.Batch) {
	for _, a := range m.due {
		b.Add(udp.To(a), []byte("acknowledgement"))
	}
	m.due = m.due[:0]
}

func (m *acker) Deadline() time.Time { return time.Time{} }

// traffic is a sender and its acker, with 1 Gbit/s and 20 ms between them.
func traffic(home *RouterConfig, link Link, pace time.Duration) *World {
	w := New(1)
	var parent *Router
	if home != nil {
		parent = w.Router(nil, *home)
	}
	link.Rate, link.Delay = 1e9, 10*ms
	from, to := w.Host(parent, HostConfig{Up: link}), w.Host(nil, HostConfig{Up: link})
	m := &sender{peer: to.AddrPort(false, 1), window: math.MaxInt, pace: pace, payload: make([]byte, 1200)}
	if pace == 0 {
		m.window = 1500
	}
	from.Bind(1, m)
	to.Bind(1, &acker{})
	return w
}

func TestNoAllocationPerPacket(t *testing.T) {
	w := traffic(&RouterConfig{NAT: &NAT{}}, Link{Jitter: ms, JitterReorders: true, Duplicate: 0.1}, 20*time.Microsecond)
	w.Run(500*ms, nil) // the pool, the heap and the tables grow
	before := w.Count(Delivered)
	allocs := testing.AllocsPerRun(5, func() { w.Run(50*ms, nil) })
	if n := w.Count(Delivered) - before; allocs > 1 || n < 10000 {
		t.Errorf("%g allocations in 50 ms, %d packets in six times that", allocs, n)
	}
}

// BenchmarkPackets reports packets per second of wall-clock time: full
// packets one way and an answer to each. No batch ever holds more than one.
func BenchmarkPackets(b *testing.B) {
	wild := Link{Jitter: 2 * ms, JitterReorders: true, Reorder: 0.01, Duplicate: 0.01, Corrupt: 0.01, Loss: 0.01}
	for _, c := range []struct {
		name string
		home *RouterConfig
		link Link
		pace time.Duration
	}{
		{name: "two-hosts"},
		{name: "paced", pace: 12 * time.Microsecond},
		{name: "wild", link: wild, pace: 12 * time.Microsecond},
		{name: "nat", home: &RouterConfig{NAT: &NAT{}, Firewall: &Firewall{}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			w := traffic(c.home, c.link, c.pace)
			w.Run(time.Second, nil)
			start := w.Count(Delivered)
			until := func() bool { return w.Count(Delivered)-start >= uint64(b.N) }
			b.ReportAllocs()
			b.ResetTimer()
			if !w.Run(1000*time.Hour, until) {
				b.Fatal("the world has come to rest")
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "packets/s")
		})
	}
}
