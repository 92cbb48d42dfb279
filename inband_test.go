package qft

import (
	"net/netip"
	"testing"
	"time"

	"qft/internal/lab"
	"qft/internal/nat"
)

// TestAnOpenedPortIsToldOverTheConnection: the router answers after the two are
// connected, and the partner tries what it has opened.
func TestAnOpenedPortIsToldOverTheConnection(t *testing.T) {
	m := newMeeting(t, 1, lab.Link{Delay: 10 * time.Millisecond})
	line := lab.Link{Rate: 5e6, Delay: 15 * time.Millisecond}
	home := func(name string) (*lab.Router, *lab.Host) {
		r := m.Router(nil, lab.RouterConfig{Name: name, Up: line, Down: line, NAT: &lab.NAT{Filtering: lab.AddressPortDependent}})
		return r, m.Host(r, lab.HostConfig{Name: name + " host"})
	}
	_, a := home("a")
	router, b := home("b")
	path, dir := m.file("a.bin", 20<<20), m.folder("to")
	s := m.send(a, "", path)
	r := m.receive(b, s.code(), dir)
	m.connectedAfter(r, 10*time.Second)
	m.Run(time.Second, nil)
	m.helperHost.SetDown(true) // there is nobody to pass a note any more
	outside := netip.AddrPortFrom(router.Public()[0], 5555)
	r.SetMapped(m.Now(), []netip.AddrPort{outside})
	b.Wake(r.port)
	told := false
	m.Tap(func(x lab.Sighting) { told = told || x.Fate == lab.Sent && x.To == outside && x.Data[0] == 0x52 })
	if !m.Run(30*time.Second, func() bool { return told }) {
		t.Errorf("nobody has tried the opened port")
	}
	m.wantFile(2*time.Minute, path, dir, s, r)
}

// TestMachineFollowsItsNetworks: from one network to the other, back again, and
// each time the file goes on without the helper, which has long been left.
func TestMachineFollowsItsNetworks(t *testing.T) {
	m := newMeeting(t, 1, lab.Link{Delay: 10 * time.Millisecond})
	wifi, cable := lab.Link{Rate: 3e6, Delay: 3 * time.Millisecond}, lab.Link{Rate: 3e6, Delay: time.Millisecond}
	home := m.Router(nil, lab.RouterConfig{NAT: &lab.NAT{}})
	from, to := m.Host(home, lab.HostConfig{Up: wifi, Down: wifi}), m.Host(home, lab.HostConfig{Up: cable, Down: cable})
	path, dir := m.file("a.bin", 20<<20), m.folder("to")
	s := m.send(from, "", path)
	r := m.receive(to, s.code(), dir)
	m.connectedAfter(r, 10*time.Second)
	m.helperHost.SetDown(true)
	for range 3 {
		m.Run(time.Second, nil)
		before := r.Conn().Stats().Received
		to.SetAddrs()
		moved := m.Elapsed()
		if !m.Run(10*time.Second, func() bool { return r.Conn().Stats().Received > before+20 && m.Elapsed() > moved+100*time.Millisecond }) {
			t.Fatal("nothing came at the new address")
		}
		if d := m.Elapsed() - moved; d > 2*time.Second {
			t.Errorf("it went on after %v only", d)
		}
	}
	m.wantFile(time.Minute, path, dir, s, r)
}

// TestNonsenseInTheStreamOfAddressesEndsTheConnection, as other nonsense does.
func TestNonsenseInTheStreamOfAddressesEndsTheConnection(t *testing.T) {
	for name, junk := range map[string][]byte{
		"too long":  {0xff, 0xff, 0},
		"malformed": {0, 3, 9, 9, 9},
		"no list":   {0, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMeeting(t, 1, lab.Link{Delay: 10 * time.Millisecond})
			line := lab.Link{Rate: 1e6, Delay: 5 * time.Millisecond}
			s := m.send(m.Host(nil, lab.HostConfig{Up: line, Down: line}), "", m.file("a.bin", 10<<20))
			r := m.receive(m.Host(nil, lab.HostConfig{Up: line, Down: line}), s.code(), m.folder("to"))
			m.connectedAfter(r, 10*time.Second)
			m.connectedAfter(s, 10*time.Second)
			s.Conn().Write(1, junk)
			s.host.Wake(s.port)
			if err := m.finish(10*time.Second, s, r); err != nil {
				t.Fatal(err)
			}
			if KindOf(r.err()) != KindProtocol && KindOf(r.err()) != KindPeer {
				t.Errorf("the receiver ended with %v", r.err())
			}
		})
	}
}

// TestListsInTheStreamOfAddressesAreTakenAtLeisure, however many come.
func TestListsInTheStreamOfAddressesAreTakenAtLeisure(t *testing.T) {
	m := newMeeting(t, 1, lab.Link{Delay: 10 * time.Millisecond})
	line := lab.Link{Rate: 10e6, Delay: 5 * time.Millisecond}
	path, dir := m.file("a.bin", 20<<20), m.folder("to")
	s := m.send(m.Host(nil, lab.HostConfig{Up: line, Down: line}), "", path)
	r := m.receive(m.Host(nil, lab.HostConfig{Up: line, Down: line}), s.code(), dir)
	m.connectedAfter(r, 10*time.Second)
	m.connectedAfter(s, 10*time.Second)
	const lists = 1000
	for i := range lists {
		list := nat.AppendCandidates([]byte{0, 0}, nat.List{Candidates: []nat.Candidate{{
			Kind: nat.Host, Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}), 7),
		}}})
		list[1] = byte(len(list) - 2)
		s.Conn().Write(1, list)
	}
	s.host.Wake(s.port)
	probed := make(map[netip.AddrPort]bool)
	m.Tap(func(x lab.Sighting) {
		if x.To.Port() == 7 {
			probed[x.To] = true
		}
	})
	m.Run(time.Second, nil)
	if n := len(probed); n == 0 || n > 11 {
		t.Errorf("of %d lists %d were taken within a second", lists, n)
	}
	m.wantFile(time.Minute, path, dir, s, r)
}
