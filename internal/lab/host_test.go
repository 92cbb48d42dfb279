package lab

import (
	"net/netip"
	"testing"
	"time"
)

func TestFamilies(t *testing.T) {
	w := New(1)
	var s []*station
	for _, f := range []Family{IPv4Only, IPv6Only, DualStack} {
		s = append(s, place(w.Host(nil, HostConfig{Family: f}), 1))
	}
	v4, v6, dual := s[0], s[1], s[2]
	wantEqual(t, "IPv4 to dual stack", v4.reaches(dual.h.AddrPort(false, 1), dual), true)
	wantEqual(t, "seen from", dual.got[0].from, v4.addr())
	wantEqual(t, "IPv6 to dual stack", v6.reaches(dual.h.AddrPort(true, 1), dual), true)
	wantEqual(t, "seen from", dual.got[1].from, v6.addr())
	wantEqual(t, "IPv4 to IPv6", v4.reaches(v6.addr(), v6), false)
	wantEqual(t, "IPv6 to IPv4", v6.reaches(v4.addr(), v4), false)
	mapped := netip.AddrPortFrom(netip.AddrFrom16(v4.addr().Addr().As16()), 1)
	wantEqual(t, "IPv4 written as IPv6", dual.reaches(mapped, v4), true)
	wantEqual(t, "nobody there", w.Count(LostRoute), 2)
	wantPanic(t, "address of a family it lacks", func() { v4.h.AddrPort(true, 1) })
}

func TestMachinesOfOneHostTalkOverLoopback(t *testing.T) {
	w := New(1)
	h := w.Host(nil, HostConfig{Family: DualStack, Up: Link{Loss: 1}, Down: Link{Loss: 1}})
	a, b := place(h, 1), place(h, 2)
	h.SetDown(true)
	for _, to := range []netip.Addr{h.addrs[0], h.addrs[1], netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")} {
		start, n := w.Elapsed(), len(b.got)
		wantEqual(t, "reached by "+to.String(), a.reaches(netip.AddrPortFrom(to, 2), b), true)
		wantEqual(t, "source", b.got[n].from, netip.AddrPortFrom(to, 1))
		wantEqual(t, "delay", w.Elapsed()-start, 10*time.Microsecond)
	}
	wantEqual(t, "a large packet", len(b.got), 4)
	a.send(netip.AddrPortFrom(h.addrs[0], 2), string(make([]byte, 60000)))
	w.Run(ms, nil)
	wantEqual(t, "a large packet", len(b.got), 5)
	elsewhere := place(w.Host(nil, HostConfig{}), 2)
	wantEqual(t, "another host's loopback", elsewhere.reaches(netip.MustParseAddrPort("127.0.0.1:1"), a), false)
}

func TestBindPicksReplacesAndFrees(t *testing.T) {
	w := New(1)
	h, x := w.Host(nil, HostConfig{}), place(w.Host(nil, HostConfig{}), 1)
	ports := make(map[uint16]bool)
	for range 1000 {
		s := place(h, 0)
		if s.port < 49152 || ports[s.port] {
			t.Fatalf("picked port %d", s.port)
		}
		ports[s.port] = true
	}
	old := place(h, 7)
	wantEqual(t, "first machine", x.reaches(old.addr(), old), true)
	x.send(old.addr(), "for whoever is there")
	renewed := place(h, 7)
	w.Run(time.Second, nil)
	wantEqual(t, "old machine's packets", len(old.got), 1)
	wantEqual(t, "new machine's packets", len(renewed.got), 1)
	old.send(x.addr(), "from the grave")
	w.Run(time.Second, nil)
	wantEqual(t, "sent by a machine that was replaced", len(x.got), 0)
	h.Unbind(7)
	h.Unbind(7)
	wantEqual(t, "unbound", x.reaches(old.addr(), renewed), false)
	wantEqual(t, "counted", w.Count(LostSocket), 1)
	h.Wake(7)
	wantEqual(t, "sockets", len(h.sockets), 1000)
}

func TestAddressChangeKillsOldAddressAtOnce(t *testing.T) {
	w := New(1)
	a := place(w.Host(nil, HostConfig{Down: Link{Delay: 20 * ms}}), 1)
	x := place(w.Host(nil, HostConfig{}), 1)
	old := a.addr()
	w.At(0, func() { x.send(old, "too late: changes while this is on its way") })
	w.At(10*ms, func() { a.h.SetAddrs(netip.MustParseAddr("203.0.113.9")) })
	w.Run(time.Second, nil)
	wantEqual(t, "arrived at the old address", len(a.got), 0)
	wantEqual(t, "old address later", x.reaches(old, a), false)
	wantEqual(t, "new address", x.reaches(netip.MustParseAddrPort("203.0.113.9:1"), a), true)
	seen, _ := a.ask(x)
	wantEqual(t, "source", seen, netip.MustParseAddrPort("203.0.113.9:1"))
	a.h.SetAddrs()
	wantEqual(t, "made-up address is new", a.addr() == old || a.addr() == seen, false)
	wantEqual(t, "made-up address", x.reaches(a.addr(), a), true)
	for _, bad := range []string{"0.0.0.0", "127.0.0.1", "ff02::1", x.addr().Addr().String()} {
		wantPanic(t, bad, func() { a.h.SetAddrs(netip.MustParseAddr(bad)) })
	}
}

func TestMoveBehindAnotherRouter(t *testing.T) {
	w := New(1)
	first, second := w.Router(nil, RouterConfig{NAT: &NAT{}}), w.Router(nil, RouterConfig{NAT: &NAT{}})
	a := place(w.Host(first, HostConfig{Family: DualStack, Up: Link{Delay: 20 * ms}}), 1)
	x := place(w.Host(nil, HostConfig{Family: DualStack}), 1)
	before, _ := a.ask(x)
	v6 := a.h.AddrPort(true, 1)
	a.send(x.addr(), "in the cable when it is pulled")
	w.Run(10*ms, nil)
	a.h.Move(second)
	w.Run(time.Second, nil)
	wantEqual(t, "packets out", len(x.got), 1)
	wantEqual(t, "lost in the cable", w.Count(LostCut), 1)
	after, _ := a.ask(x)
	wantEqual(t, "seen behind the other router", after.Addr(), second.Public()[0])
	wantEqual(t, "by the old way", x.reaches(before, a), false)
	wantEqual(t, "by the old IPv6 address", x.reaches(v6, a), false)
	wantEqual(t, "by the new way", x.reaches(after, a), true)
	a.h.Move(nil, netip.MustParseAddr("203.0.113.9"))
	wantEqual(t, "in public", x.reaches(netip.MustParseAddrPort("203.0.113.9:1"), a), true)
}

func TestCutLineLosesEverything(t *testing.T) {
	slow := Link{Rate: 8e6, Delay: 20 * ms, Reorder: 0.5}
	w := New(1)
	a, b := place(w.Host(nil, HostConfig{Up: slow, Down: slow}), 1), place(w.Host(nil, HostConfig{Up: slow, Down: slow}), 1)
	for range 10 {
		a.send(b.addr(), string(make([]byte, 972)))
		b.send(a.addr(), string(make([]byte, 972)))
	}
	w.Run(5*ms, nil)
	a.h.SetDown(true)
	wantEqual(t, "backlog", a.h.Up().Backlog(), 0)
	wantEqual(t, "out", a.reaches(b.addr(), b), false)
	wantEqual(t, "in", b.reaches(a.addr(), a), false)
	wantEqual(t, "lost", w.Count(LostCut), 22)
	a.h.SetDown(false)
	wantEqual(t, "out again", a.reaches(b.addr(), b), true)
	wantEqual(t, "in again", b.reaches(a.addr(), a), true)
}

func TestOutagesAddUp(t *testing.T) {
	w := New(1)
	home := w.Router(nil, RouterConfig{NAT: &NAT{}})
	a, x := place(w.Host(home, HostConfig{}), 1), place(w.Host(nil, HostConfig{}), 1)
	home.Outage(2*time.Second, 3*time.Second)
	home.Outage(4*time.Second, 4*time.Second)
	for i := range 100 {
		w.At(time.Duration(i)*100*ms+ms, func() { a.send(x.addr(), "tick") })
	}
	w.Run(time.Minute, nil)
	wantEqual(t, "arrived", len(x.got), 40)
	wantEqual(t, "last before", x.got[19].at, 1901*ms)
	wantEqual(t, "first after", x.got[20].at, 8001*ms)
}

func TestPauseKeepsWhatTheBufferHolds(t *testing.T) {
	w := New(1)
	h := w.Host(nil, HostConfig{Buffer: 3500})
	a, other, x := place(h, 1), place(h, 2), place(w.Host(nil, HostConfig{}), 1)
	h.Pause(true)
	for i := range 5 {
		w.At(time.Duration(i)*time.Second, func() { x.send(a.addr(), string(make([]byte, 1000))) })
	}
	w.At(2*time.Second, func() {
		x.send(other.addr(), "each socket has its own buffer")
		a.send(x.addr(), "frozen")
	})
	w.Run(10*time.Second, nil)
	wantEqual(t, "received meanwhile", len(a.got)+len(other.got), 0)
	wantEqual(t, "sent meanwhile", len(x.got), 0)
	h.Pause(false)
	w.Run(0, nil)
	wantEqual(t, "received after", len(a.got), 3)
	wantEqual(t, "when", a.got[0].at, 10*time.Second)
	wantEqual(t, "by the other", len(other.got), 1)
	wantEqual(t, "sent after", len(x.got), 1)
	wantEqual(t, "dropped", w.Count(LostBuffer), 2)
	h.Pause(true)
	x.send(a.addr(), "for a process that is killed while stopped")
	w.Run(time.Second, nil)
	reborn := place(h, 1)
	h.Pause(false)
	w.Run(time.Second, nil)
	wantEqual(t, "given to the next process", len(reborn.got), 0)
	wantEqual(t, "the buffer is empty again", x.reaches(a.addr(), reborn), true)
}

func TestPausedMachineMissesItsDeadline(t *testing.T) {
	w := New(1)
	h, x := w.Host(nil, HostConfig{}), place(w.Host(nil, HostConfig{}), 1)
	m := &clock{peer: x.addr(), start: w.Now(), every: 10 * ms}
	h.Bind(1, m)
	w.At(25*ms, func() { h.Pause(true) })
	w.At(time.Second, func() { h.Pause(false) })
	w.Run(1005*ms, nil)
	wantEqual(t, "packets", len(x.got), 4)
	wantEqual(t, "the fourth", x.got[3].at, time.Second)
}

func TestPlainRouterSharesItsParentsNetwork(t *testing.T) {
	w := New(1)
	home := w.Router(nil, RouterConfig{NAT: &NAT{}})
	sw := w.Router(home, RouterConfig{Up: Link{Delay: ms}, Down: Link{Delay: ms}})
	a, b := place(w.Host(sw, HostConfig{}), 1), place(w.Host(home, HostConfig{}), 1)
	x := place(w.Host(nil, HostConfig{}), 1)
	wantEqual(t, "from above", b.reaches(a.addr(), a), true)
	wantEqual(t, "seen from", a.got[0].from, b.addr())
	wantEqual(t, "from below", a.reaches(b.addr(), b), true)
	seen, _ := a.ask(x)
	wantEqual(t, "outside", seen.Addr(), home.Public()[0])
	wantEqual(t, "back in", x.reaches(seen, a), true)
}

func TestNetworksRunOut(t *testing.T) {
	w := New(1)
	home := w.Router(nil, RouterConfig{NAT: &NAT{}, LAN: netip.MustParsePrefix("10.1.2.0/29")})
	wantPanic(t, "the tenth host of a /29", func() {
		for range 10 {
			w.Host(home, HostConfig{})
		}
	})
}
