package udp

import (
	"net"
	"net/netip"
	"slices"
	"testing"
)

func TestFurtherSocketsHaveTheirOwnPorts(t *testing.T) {
	s, peer := listen(t, Config{Addr: loopback4}), listen(t, Config{Addr: loopback4})
	locals := s.Open(200)
	if len(locals) != 200 {
		t.Fatalf("%d sockets of 200 were opened", len(locals))
	}
	if s.PortOf(0) != s.Port() || s.PortOf(9999) != 0 {
		t.Errorf("ports of the first and of none: %d, %d", s.PortOf(0), s.PortOf(9999))
	}
	b := NewBatch(1 << 16)
	for _, l := range locals {
		b.Add(Path{l, addrOf(peer)}, []byte{byte(l)})
	}
	write(t, s, b)
	got := receive(t, peer, len(locals))
	seen := make(map[netip.AddrPort]Local)
	for _, p := range got {
		i := slices.IndexFunc(locals, func(l Local) bool { return byte(l) == p.Data[0] })
		if l := locals[i]; p.Remote != netip.AddrPortFrom(loopback4, s.PortOf(l)) {
			t.Fatalf("socket %d sent from %v, but its port is %d", l, p.Remote, s.PortOf(l))
		}
		seen[p.Remote] = locals[i]
	}
	if len(seen) != len(locals) {
		t.Errorf("%d sockets sent from %d ports", len(locals), len(seen))
	}
	// More wait than the pool has buffers, and each says where it came.
	b.Reset()
	for at := range seen {
		b.Add(To(at), []byte("answer"))
	}
	write(t, peer, b)
	for _, p := range receive(t, s, len(locals)) {
		if p.Local == 0 || p.Remote != addrOf(peer) {
			t.Errorf("an answer came by %v", p.Path)
		}
	}
}

func TestFurtherSocketIsShut(t *testing.T) {
	s, peer := listen(t, Config{Addr: loopback4}), listen(t, Config{Addr: loopback4})
	locals := s.Open(2)
	gone := netip.AddrPortFrom(loopback4, s.PortOf(locals[0]))
	s.Shut(locals[0])
	s.Shut(locals[0])
	if s.PortOf(locals[0]) != 0 {
		t.Error("it still has a port")
	}
	for range 100 { // it may be somebody else's by now, but not each time
		c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(gone))
		if err == nil {
			c.Close()
			gone = netip.AddrPort{}
			break
		}
		l := s.Open(1)[0]
		gone = netip.AddrPortFrom(loopback4, s.PortOf(l))
		s.Shut(l)
	}
	if gone.IsValid() {
		t.Error("the port of a socket that was shut is not free")
	}
	b := NewBatch(1 << 10)
	b.Add(Path{locals[0], addrOf(peer)}, []byte("from nowhere"))
	b.Add(Path{locals[1], addrOf(peer)}, []byte("from the other"))
	b.Add(Path{locals[1], netip.MustParseAddrPort("[::1]:9")}, []byte("of another family"))
	write(t, s, b)
	if got := receive(t, peer, 1); string(got[0].Data) != "from the other" {
		t.Errorf("received %q", got[0].Data)
	}
	if st := s.Stats(); st.Refused != 2 {
		t.Errorf("%d packets refused, want 2", st.Refused)
	}
	if again := s.Open(1); len(again) != 1 || again[0] == locals[0] {
		t.Errorf("the next is %v, the one that was shut %v", again, locals[0])
	}
	if s.Err() != nil {
		t.Errorf("shutting one ended reception: %v", s.Err())
	}
}

func TestPromotedSocketSendsTrains(t *testing.T) {
	s, peer := listen(t, Config{Addr: loopback4}), listen(t, Config{Addr: loopback4})
	l := s.Open(1)[0]
	payloads := numbered(repeat(1200, 40)...)
	send := func() {
		b := NewBatch(1 << 20)
		for _, p := range payloads {
			b.Add(Path{l, addrOf(peer)}, p)
		}
		write(t, s, b)
		wantPayloads(t, receive(t, peer, len(payloads)), payloads)
	}
	send()
	if w := s.Stats().Writes; w != 40 {
		t.Errorf("before, 40 packets took %d writes", w)
	}
	s.Promote(l)
	s.Promote(l)
	s.Promote(99)
	send()
	if s.trains(s.v4) && s.Stats().Writes > 45 {
		t.Errorf("after, 40 packets took %d writes", s.Stats().Writes-40)
	}
	b := NewBatch(1 << 20)
	for _, p := range payloads {
		b.Add(To(netip.AddrPortFrom(loopback4, s.PortOf(l))), p)
	}
	write(t, peer, b)
	wantPayloads(t, receive(t, s, len(payloads)), payloads)
}

func TestNoFurtherSocketsWithoutIPv4OrAfterTheEnd(t *testing.T) {
	six := listen(t, Config{Addr: loopback6})
	if l := six.Open(1); l != nil {
		t.Errorf("opened %v", l)
	}
	four := listen(t, Config{Addr: loopback4})
	four.Open(3)
	four.Close()
	if l := four.Open(1); l != nil {
		t.Errorf("after Close: opened %v", l)
	}
}
