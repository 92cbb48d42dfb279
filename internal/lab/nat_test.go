package lab

import (
	"net/netip"
	"testing"
	"time"

	"qft/internal/udp"
)

var behaviors = []Behavior{EndpointIndependent, AddressDependent, AddressPortDependent}

// home is a host behind a NAT, and three stations outside: two on one address,
// one on another.
type home struct {
	w      *World
	router *Router
	in     *station
	x1, x2 *station
	y      *station
}

func newHome(n NAT) *home {
	w := New(1)
	h := &home{w: w, router: w.Router(nil, RouterConfig{NAT: &n})}
	h.in = place(w.Host(h.router, HostConfig{}), 5000)
	x := w.Host(nil, HostConfig{})
	h.x1, h.x2, h.y = place(x, 1), place(x, 2), place(w.Host(nil, HostConfig{}), 1)
	return h
}

// outside sends to a station and returns what it saw.
func (h *home) outside(t *testing.T, to *station) netip.AddrPort {
	t.Helper()
	a, ok := h.in.ask(to)
	if !ok {
		t.Fatal("a packet did not get out")
	}
	return a
}

// TestMappingBehavior is RFC 4787 section 4.1.
func TestMappingBehavior(t *testing.T) {
	for _, b := range behaviors {
		h := newHome(NAT{Mapping: b})
		x1, x2, y := h.outside(t, h.x1), h.outside(t, h.x2), h.outside(t, h.y)
		wantEqual(t, b.String()+": same for another port", x1 == x2, b != AddressPortDependent)
		wantEqual(t, b.String()+": same for another address", x1 == y, b == EndpointIndependent)
		wantEqual(t, b.String()+": same again", h.outside(t, h.x1), x1)
		wantEqual(t, b.String()+": address", x1.Addr(), h.router.Public()[0])
		wantEqual(t, b.String()+": mapped", x1 != h.in.addr(), true)
	}
}

// TestFilteringBehavior is RFC 4787 section 5.
func TestFilteringBehavior(t *testing.T) {
	for _, b := range behaviors {
		h := newHome(NAT{Filtering: b})
		outside := h.outside(t, h.x1)
		wantEqual(t, b.String()+": who was written to", h.x1.reaches(outside, h.in), true)
		wantEqual(t, b.String()+": its other port", h.x2.reaches(outside, h.in), b != AddressPortDependent)
		wantEqual(t, b.String()+": a stranger", h.y.reaches(outside, h.in), b == EndpointIndependent)
		nobody := netip.AddrPortFrom(outside.Addr(), outside.Port()^1)
		wantEqual(t, b.String()+": an unmapped port", h.x1.reaches(nobody, h.in), false)
		wantEqual(t, b.String()+": the inside address", h.x1.reaches(h.in.addr(), h.in), false)
	}
}

func TestMappingsExpire(t *testing.T) {
	for _, inbound := range []bool{false, true} {
		h := newHome(NAT{Filtering: AddressPortDependent, Timeout: 30 * time.Second, RefreshInbound: inbound})
		outside := h.outside(t, h.x1)
		for range 4 {
			h.w.Run(9*time.Second, nil)
			wantEqual(t, "refreshed outbound", h.outside(t, h.x1), outside)
		}
		h.w.Run(29*time.Second, nil)
		wantEqual(t, "in before the timeout", h.x1.reaches(outside, h.in), true)
		h.w.Run(2*time.Second, nil)
		wantEqual(t, "in after the timeout", h.x1.reaches(outside, h.in), inbound)
		h.w.Run(31*time.Second, nil)
		wantEqual(t, "in after more silence", h.x1.reaches(outside, h.in), false)
		wantEqual(t, "same port after expiry", h.outside(t, h.x1) == outside, false)
	}
}

// TestPermissionsExpireAlone keeps a mapping alive by other traffic.
func TestPermissionsExpireAlone(t *testing.T) {
	h := newHome(NAT{Filtering: AddressPortDependent, Timeout: 30 * time.Second})
	outside := h.outside(t, h.y)
	for range 3 {
		h.outside(t, h.x1)
		h.w.Run(20*time.Second, nil)
	}
	wantEqual(t, "who was just written to", h.x1.reaches(outside, h.in), true)
	wantEqual(t, "who was written to a minute ago", h.y.reaches(outside, h.in), false)
}

func TestPortPreservation(t *testing.T) {
	for _, ports := range []PortAllocation{RandomPorts, SequentialPorts} {
		h := newHome(NAT{PortPreserve: true, Ports: ports})
		wantEqual(t, "first host's port", h.outside(t, h.x1).Port(), 5000)
		second := place(h.w.Host(h.router, HostConfig{}), 5000)
		a, _ := second.ask(h.x1)
		wantEqual(t, "second host keeps the port", a.Port() == 5000, false)
		wantEqual(t, "first host reachable", h.x1.reaches(h.outside(t, h.x1), h.in), true)
		wantEqual(t, "second host reachable", h.x1.reaches(a, second), true)
		h.w.Run(time.Hour, nil)
		a, _ = second.ask(h.x1)
		wantEqual(t, "second host's port when the first's is free", a.Port(), 5000)
	}
	h := newHome(NAT{Mapping: AddressPortDependent, PortPreserve: true})
	wantEqual(t, "symmetric: first destination", h.outside(t, h.x1).Port(), 5000)
	wantEqual(t, "symmetric: second destination", h.outside(t, h.x2).Port() == 5000, false)
}

func TestPortAllocation(t *testing.T) {
	for _, ports := range []PortAllocation{RandomPorts, SequentialPorts} {
		h := newHome(NAT{Mapping: AddressPortDependent, Ports: ports})
		h.router.nat.next = 65534 // to see it wrap
		neighbours := 0
		last := h.outside(t, h.x1).Port()
		for port := range uint16(20) {
			p := h.outside(t, place(h.y.h, 100+port)).Port()
			if p == last+1 || p == firstPort && last == lastPort {
				neighbours++
			}
			if p < firstPort {
				t.Fatalf("port %d", p)
			}
			last = p
		}
		wantEqual(t, "all follow each other", neighbours == 20, ports == SequentialPorts)
	}
}

func TestPortsRunOut(t *testing.T) {
	public := []netip.Addr{netip.MustParseAddr("1.2.3.4")}
	n := newNAT(NAT{Mapping: AddressPortDependent, Public: public}, New(1).fork(streamRouter))
	out := func(i int, now time.Duration) bool {
		to := netip.AddrPortFrom(netip.AddrFrom4([4]byte{9, byte(i >> 16), byte(i >> 8), byte(i)}), 9)
		return n.out(&packet{from: netip.MustParseAddrPort("10.0.0.1:1"), to: to}, int64(now))
	}
	for i := range ports {
		if !out(i, 0) {
			t.Fatalf("no port for mapping %d", i)
		}
	}
	wantEqual(t, "one too many", out(ports, time.Minute), false)
	wantEqual(t, "an old one", out(7, time.Minute), true)
	wantEqual(t, "when the others are expired", out(ports, 3*time.Minute), true)
	wantEqual(t, "mappings", len(n.outside), ports)
	wantEqual(t, "inside", len(n.inside), ports)
}

func TestHairpin(t *testing.T) {
	for _, hairpin := range []bool{false, true} {
		h := newHome(NAT{Hairpin: hairpin})
		outside := h.outside(t, h.x1)
		other := place(h.w.Host(h.router, HostConfig{}), 7000)
		wantEqual(t, "through the outside endpoint", other.reaches(outside, h.in), hairpin)
		if hairpin {
			from := h.in.got[len(h.in.got)-1].from
			wantEqual(t, "source is outside", from.Addr(), h.router.Public()[0])
			wantEqual(t, "answer to that source", h.in.reaches(from, other), true)
		}
		wantEqual(t, "through the LAN", other.reaches(h.in.addr(), h.in), true)
		wantEqual(t, "source on the LAN", h.in.got[len(h.in.got)-1].from, other.addr())
		wantEqual(t, "packets of the LAN on the line", h.router.Up().Stats().Offered, 1)
	}
}

func TestHairpinFilters(t *testing.T) {
	h := newHome(NAT{Hairpin: true, Filtering: AddressPortDependent})
	other := place(h.w.Host(h.router, HostConfig{}), 7000)
	a, _ := other.ask(h.x1)
	b := h.outside(t, h.x1)
	wantEqual(t, "unasked", h.in.reaches(a, other), false)
	wantEqual(t, "after a packet the other way", other.reaches(b, h.in), true)
}

func TestPoolPairsAddresses(t *testing.T) {
	pool := []netip.Addr{netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("198.51.100.2")}
	for _, unpaired := range []bool{false, true} {
		h := newHome(NAT{Mapping: AddressPortDependent, Public: pool, Unpaired: unpaired})
		addrs := make(map[netip.Addr]bool)
		for port := range uint16(30) {
			addrs[h.outside(t, place(h.y.h, 100+port)).Addr()] = true
		}
		wantEqual(t, "one host has one address", len(addrs) == 1, !unpaired)
		a, _ := place(h.w.Host(h.router, HostConfig{}), 1).ask(h.x1)
		if !unpaired {
			wantEqual(t, "second host has the other address", addrs[a.Addr()], false)
		}
	}
}

func TestForgetRenumberForward(t *testing.T) {
	h := newHome(NAT{Filtering: AddressPortDependent})
	outside := h.outside(t, h.x1)
	h.router.Forget()
	wantEqual(t, "in after a restart", h.x1.reaches(outside, h.in), false)
	outside = h.outside(t, h.x1)
	h.router.Renumber()
	wantEqual(t, "in after a new lease", h.x1.reaches(outside, h.in), false)
	renumbered := h.outside(t, h.x1)
	wantEqual(t, "same address", renumbered.Addr() == outside.Addr(), false)

	door := h.router.Forward(443, h.in.addr())
	wantEqual(t, "anyone through the door", h.y.reaches(door, h.in), true)
	wantEqual(t, "source of an answer", h.outside(t, h.y), door)
	h.w.Run(time.Hour, nil)
	wantEqual(t, "an hour later", h.y.reaches(door, h.in), true)

	other := place(h.w.Host(h.router, HostConfig{}), 1)
	taken, _ := other.ask(h.x1)
	h.router.Forward(taken.Port(), h.in.addr())
	wantEqual(t, "a door in place of a mapping", h.y.reaches(taken, h.in), true)
}

func TestCarrierGradeNAT(t *testing.T) {
	w := New(1)
	carrier := w.Router(nil, RouterConfig{NAT: &NAT{Hairpin: true}, LAN: netip.MustParsePrefix("100.64.0.0/10")})
	var in []*station
	for range 2 {
		in = append(in, place(w.Host(w.Router(carrier, RouterConfig{NAT: &NAT{}}), HostConfig{}), 1))
	}
	x := place(w.Host(nil, HostConfig{}), 1)
	a, _ := in[0].ask(x)
	b, _ := in[1].ask(x)
	wantEqual(t, "carrier's address", a.Addr(), carrier.Public()[0])
	wantEqual(t, "same for both homes", b.Addr(), a.Addr())
	wantEqual(t, "in through both NATs", x.reaches(a, in[0]), true)
	wantEqual(t, "from home to home by hairpin", in[1].reaches(a, in[0]), true)
}

func TestFirewallFiltersIPv6(t *testing.T) {
	for _, b := range behaviors {
		w := New(1)
		r := w.Router(nil, RouterConfig{NAT: &NAT{}, Firewall: &Firewall{Filtering: b, Timeout: 30 * time.Second}})
		in := place(w.Host(r, HostConfig{Family: IPv6Only}), 1)
		other := place(w.Host(r, HostConfig{Family: DualStack}), 1)
		x := w.Host(nil, HostConfig{Family: IPv6Only})
		x1, x2, y := place(x, 1), place(x, 2), place(w.Host(nil, HostConfig{Family: IPv6Only}), 1)
		wantEqual(t, "unasked", x1.reaches(in.addr(), in), false)
		seen, _ := in.ask(x1)
		wantEqual(t, "address is kept", seen, in.addr())
		wantEqual(t, "who was written to", x1.reaches(in.addr(), in), true)
		wantEqual(t, "its other port", x2.reaches(in.addr(), in), b != AddressPortDependent)
		wantEqual(t, "a stranger", y.reaches(in.addr(), in), b == EndpointIndependent)
		wantEqual(t, "a neighbour", other.reaches(in.addr(), in), true)
		w.Run(31*time.Second, nil)
		wantEqual(t, "after the timeout", x1.reaches(in.addr(), in), false)
		in.ask(x1)
		r.Forget()
		wantEqual(t, "after a restart", x1.reaches(in.addr(), in), false)
	}
}

func TestFirewallRefreshesInbound(t *testing.T) {
	for _, inbound := range []bool{false, true} {
		w := New(1)
		r := w.Router(nil, RouterConfig{Firewall: &Firewall{Filtering: AddressPortDependent, RefreshInbound: inbound}})
		in, x := place(w.Host(r, HostConfig{}), 1), place(w.Host(nil, HostConfig{}), 1)
		in.ask(x)
		w.Run(90*time.Second, nil)
		wantEqual(t, "after 90 s", x.reaches(in.addr(), in), true)
		w.Run(90*time.Second, nil)
		wantEqual(t, "after 180 s", x.reaches(in.addr(), in), inbound)
	}
}

func TestFilterForgetsTheExpired(t *testing.T) {
	f := newFilter(AddressPortDependent, time.Minute)
	local := netip.MustParseAddrPort("10.0.0.1:1")
	remote := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{9, 9, byte(i >> 8), byte(i)}), 9)
	}
	for i := range 20000 {
		f.note(local, remote(i), int64(time.Duration(i)*100*ms)) // 600 in a minute
		if len(f.seen) > 2048 {
			t.Fatalf("%d entries", len(f.seen))
		}
		if !f.allows(local, remote(max(0, i-600)), int64(time.Duration(i)*100*ms)) {
			t.Fatal("an entry of the last minute is gone")
		}
	}
}

// puncher knows where the helper saw its peer. It knocks there and wherever
// its peer comes from, and answers every knock.
type puncher struct {
	h       *Host
	try     []netip.AddrPort
	answers []netip.AddrPort
	next    time.Time
	open    bool // an answer came back
}

func (m *puncher) Receive(_ time.Time, p udp.Packet) {
	if m.open = m.open || string(p.Data) == "answer"; string(p.Data) != "knock" {
		return
	}
	m.answers = append(m.answers, p.Remote)
	for _, a := range m.try {
		if a == p.Remote {
			return
		}
	}
	m.try = append(m.try, p.Remote)
}

func (m *puncher) Send(now time.Time, b *udp.Batch) {
	for _, a := range m.answers {
		b.Add(udp.To(a), []byte("answer"))
	}
	m.answers = m.answers[:0]
	if now.Before(m.next) {
		return
	}
	for _, a := range m.try {
		b.Add(udp.To(a), []byte("knock"))
	}
	m.next = now.Add(50 * ms)
}

func (m *puncher) Deadline() time.Time { return m.next }

// punch reports whether hosts behind two NATs get through to each other, both
// ways, within two seconds of hearing each other's outside endpoint.
func punch(a, b NAT) bool {
	w := New(1)
	helper := place(w.Host(nil, HostConfig{}), 1)
	var m [2]*puncher
	link := Link{Delay: 20 * ms}
	for i, n := range []NAT{a, b} {
		home := w.Router(nil, RouterConfig{NAT: &n, Up: link, Down: link})
		m[i] = &puncher{h: w.Host(home, HostConfig{}), try: []netip.AddrPort{helper.addr()}}
		m[i].h.Bind(1, m[i])
	}
	w.Run(100*ms, func() bool { return len(helper.got) >= 2 })
	m[0].try, m[1].try = []netip.AddrPort{helper.got[1].from}, []netip.AddrPort{helper.got[0].from}
	return w.Run(2*time.Second, func() bool { return m[0].open && m[1].open })
}

// TestPunchingMatrix is which pairs of the classic NATs simple hole punching
// opens, as also measured with another simulator.
func TestPunchingMatrix(t *testing.T) {
	types := []NAT{
		{Mapping: EndpointIndependent, Filtering: EndpointIndependent},   // full cone
		{Mapping: EndpointIndependent, Filtering: AddressDependent},      // restricted cone
		{Mapping: EndpointIndependent, Filtering: AddressPortDependent},  // port-restricted cone
		{Mapping: AddressPortDependent, Filtering: AddressPortDependent}, // symmetric
	}
	want := [4][4]bool{
		{true, true, true, true},
		{true, true, true, true},
		{true, true, true, false},
		{true, true, false, false},
	}
	for i, a := range types {
		for j, b := range types {
			if got := punch(a, b); got != want[i][j] {
				t.Errorf("%v against %v: works %v, want %v", a, b, got, want[i][j])
			}
		}
	}
}

// TestPunchingFollowsFromBehavior derives for all combinations of RFC 4787
// behaviors what must work.
func TestPunchingFollowsFromBehavior(t *testing.T) {
	// first: a packet of a passes b, which has sent to where a was seen.
	first := func(a, b NAT) bool {
		same := a.Mapping == EndpointIndependent // a comes from where it was seen
		kept := b.Mapping == EndpointIndependent // b knocks from where it was seen
		return b.Filtering == EndpointIndependent ||
			kept && (b.Filtering == AddressDependent || same)
	}
	// back: the answer of b passes a, which has sent to where b was seen.
	back := func(a, b NAT) bool {
		return a.Filtering != AddressPortDependent || b.Mapping == EndpointIndependent
	}
	var all []NAT
	for _, m := range behaviors {
		for _, f := range behaviors {
			all = append(all, NAT{Mapping: m, Filtering: f})
		}
	}
	for _, a := range all {
		for _, b := range all {
			want := first(a, b) && back(a, b) || first(b, a) && back(b, a)
			if got := punch(a, b); got != want {
				t.Errorf("%v/%v against %v/%v: works %v, want %v", a.Mapping, a.Filtering, b.Mapping, b.Filtering, got, want)
			}
		}
	}
}
