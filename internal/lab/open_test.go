package lab

import (
	"net/netip"
	"testing"
	"time"

	"qft/internal/udp"
)

// manyDoors notes by which of its sockets packets come, and answers through it.
type manyDoors struct {
	by  []udp.Path
	out []udp.Path
}

func (m *manyDoors) Receive(_ time.Time, p udp.Packet) {
	m.by = append(m.by, p.Path)
	m.out = append(m.out, p.Path)
}
func (m *manyDoors) Deadline() time.Time { return time.Time{} }
func (m *manyDoors) Send(_ time.Time, b *udp.Batch) {
	for len(m.out) > 0 && b.Add(m.out[0], []byte("answer")) {
		m.out = m.out[1:]
	}
}

func TestMachineHasFurtherPorts(t *testing.T) {
	w := New(1)
	h, x := w.Host(nil, HostConfig{}), place(w.Host(nil, HostConfig{}), 1)
	m := &manyDoors{}
	of := h.Bind(7, m)
	s := Sockets{h, of}
	locals := s.Open(2)
	fixed := h.Open(99, of)
	wantEqual(t, "port of the first", s.PortOf(0), 7)
	wantEqual(t, "port that was asked for", s.PortOf(fixed), 99)
	for _, l := range []udp.Local{0, locals[0], locals[1], fixed} {
		at := netip.AddrPortFrom(h.Addrs()[0], s.PortOf(l))
		m.by, x.got = nil, nil
		x.send(at, "hello")
		w.Run(time.Second, nil)
		wantEqual(t, "packets", len(m.by), 1)
		wantEqual(t, "came by", m.by[0], udp.Path{Local: l, Remote: x.addr()})
		wantEqual(t, "answers", len(x.got), 1)
		wantEqual(t, "came from", x.got[0].from, at)
	}
	gone := netip.AddrPortFrom(h.Addrs()[0], s.PortOf(locals[0]))
	s.Shut(locals[0])
	wantEqual(t, "port of one that was shut", s.PortOf(locals[0]), 0)
	m.by, x.got = nil, nil
	x.send(gone, "hello")
	m.out = append(m.out, udp.Path{Local: locals[0], Remote: x.addr()})
	h.Wake(of)
	w.Run(time.Second, nil)
	wantEqual(t, "packets after", len(m.by), 0)
	wantEqual(t, "answers after", len(x.got), 0)

	t.Log("# packets wait at all of them while the host is paused")
	h.Pause(true)
	x.send(netip.AddrPortFrom(h.Addrs()[0], 99), "hello")
	w.Run(time.Second, nil)
	wantEqual(t, "packets meanwhile", len(m.by), 0)
	h.Pause(false)
	w.Run(time.Second, nil)
	wantEqual(t, "packets then", len(m.by), 1)
	wantEqual(t, "answers then", len(x.got), 1)

	h.Unbind(of)
	wantEqual(t, "ports after the machine", len(h.ports), 0)
	wantEqual(t, "sockets after the machine", len(h.sockets), 0)
}
