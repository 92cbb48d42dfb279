package lab

import (
	"math"
	"net/netip"
	"testing"
	"time"

	"qft/internal/udp"
)

const ms = time.Millisecond

// station is a machine for tests: it sends what it is told to, and keeps what
// it gets.
type station struct {
	h      *Host
	port   uint16
	out    []udp.Packet
	got    []arrival
	answer bool // send everything back to where it came from
}

type arrival struct {
	at   time.Duration
	from netip.AddrPort
	data string
}

// place binds a station to a port of h.
func place(h *Host, port uint16) *station {
	s := &station{h: h}
	s.port = h.Bind(port, s)
	return s
}

func (s *station) Receive(_ time.Time, p udp.Packet) {
	s.got = append(s.got, arrival{s.h.w.Elapsed(), p.Remote, string(p.Data)})
	if s.answer {
		s.out = append(s.out, udp.Packet{Path: p.Path, Data: []byte(string(p.Data))})
	}
}

func (s *station) Send(_ time.Time, b *udp.Batch) {
	for len(s.out) > 0 && b.Add(s.out[0].Path, s.out[0].Data) {
		s.out = s.out[1:]
	}
}

// Deadline is at once while something is left for which the batch had no room.
func (s *station) Deadline() time.Time {
	if len(s.out) > 0 {
		return s.h.now()
	}
	return time.Time{}
}

// addr is where the station is reached on its own network.
func (s *station) addr() netip.AddrPort {
	return netip.AddrPortFrom(s.h.addrs[0], s.port)
}

func (s *station) send(to netip.AddrPort, data string) {
	s.out = append(s.out, udp.Packet{Path: udp.To(to), Data: []byte(data)})
	s.h.Wake(s.port)
}

// ask sends to a station and returns from where it was seen to come, or false
// if it did not arrive within a second.
func (s *station) ask(to *station) (netip.AddrPort, bool) {
	n := len(to.got)
	s.send(to.addr(), "who am I")
	if !s.h.w.Run(time.Second, func() bool { return len(to.got) > n }) {
		return netip.AddrPort{}, false
	}
	return to.got[n].from, true
}

// reaches reports whether a packet to an endpoint arrives at a station within
// a second.
func (s *station) reaches(to netip.AddrPort, at *station) bool {
	n := len(at.got)
	s.send(to, "hello")
	return s.h.w.Run(time.Second, func() bool { return len(at.got) > n })
}

// feed sends n datagrams of size bytes of payload, one every gap, over a link
// between two new public hosts, and returns what arrives within a minute after.
func feed(w *World, link Link, n, size int, gap time.Duration) (pipe *Pipe, got []arrival) {
	a, b := w.Host(nil, HostConfig{Up: link}), w.Host(nil, HostConfig{})
	from, to := place(a, 1), place(b, 1)
	for i := range n {
		w.At(time.Duration(i)*gap, func() {
			data := make([]byte, size)
			for j := range min(size, 4) {
				data[j] = byte(i >> (8 * j))
			}
			from.send(to.addr(), string(data))
		})
	}
	w.Run(time.Duration(n)*gap+time.Minute, nil)
	return a.Up(), to.got
}

// number is which of the datagrams of feed this is.
func (a arrival) number() int {
	return int(a.data[0]) | int(a.data[1])<<8 | int(a.data[2])<<16
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s = %g, want %g ± %g", what, got, want, tolerance)
	}
}

func wantEqual[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

// wantPanic runs f, which must panic.
func wantPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if r := recover(); r == nil {
			t.Errorf("%s: no panic", what)
		} else {
			t.Logf("%s: %v", what, r)
		}
	}()
	f()
}
