package lab

import (
	"net/netip"
	"testing"
	"time"
)

// TestOverloading is RFC 4787 section 4.2.2 as Linux masquerade does it.
func TestOverloading(t *testing.T) {
	h := newHome(NAT{Mapping: AddressPortDependent, Filtering: AddressPortDependent, PortPreserve: true, Overload: true})
	outside := h.outside(t, h.x1)
	wantEqual(t, "port towards one", outside.Port(), 5000)
	wantEqual(t, "towards another", h.outside(t, h.y), outside)
	wantEqual(t, "who was written to", h.x1.reaches(outside, h.in), true)
	wantEqual(t, "its other port", h.x2.reaches(outside, h.in), false)

	second := place(h.w.Host(h.router, HostConfig{}), 5000)
	a, _ := second.ask(h.x2)
	wantEqual(t, "second host, other destination", a, outside)
	wantEqual(t, "each gets its own: second", h.x2.reaches(outside, second), true)
	wantEqual(t, "each gets its own: first", h.x1.reaches(outside, h.in), true)
	a, _ = second.ask(h.x1)
	wantEqual(t, "second host, same destination", a == outside, false)
	wantEqual(t, "and is reached there", h.x1.reaches(a, second), true)
}

func TestMapOpensAPort(t *testing.T) {
	for _, n := range []NAT{
		{Filtering: AddressPortDependent},
		{Mapping: AddressPortDependent, Filtering: AddressPortDependent},
		{Mapping: AddressPortDependent, Filtering: AddressPortDependent, PortPreserve: true, Overload: true},
	} {
		w := New(1)
		r := w.Router(nil, RouterConfig{NAT: &n, Maps: true})
		in, x, y := place(w.Host(r, HostConfig{}), 5000), place(w.Host(nil, HostConfig{}), 1), place(w.Host(nil, HostConfig{}), 1)
		before, _ := in.ask(x)
		door, ok := r.Map(5000, in.addr())
		wantEqual(t, "opened", ok, true)
		again, _ := r.Map(5000, in.addr())
		wantEqual(t, "asked again", again, door)
		if n.Mapping == EndpointIndependent {
			wantEqual(t, "the mapping that was there", door, before)
		}
		wantEqual(t, "a stranger comes in", y.reaches(door, in), true)
		from, _ := in.ask(y)
		wantEqual(t, "the answer leaves by the door", from, door)
		from, _ = in.ask(x)
		wantEqual(t, "what is no answer is mapped as before", from, before)
		w.Run(time.Hour, nil)
		wantEqual(t, "an hour later", y.reaches(door, in), true)

		other := place(w.Host(r, HostConfig{}), 5001)
		second, _ := r.Map(door.Port(), other.addr())
		wantEqual(t, "another port, as that is taken", second.Port() == door.Port(), false)
		wantEqual(t, "which leads to the other", x.reaches(second, other), true)
		r.Forget()
		wantEqual(t, "after a restart", y.reaches(door, in), false)
	}
	r := New(1).Router(nil, RouterConfig{NAT: &NAT{}})
	_, ok := r.Map(1, netip.MustParseAddrPort("192.168.1.2:1"))
	wantEqual(t, "a router that does not map", ok, false)
}

func TestMapOpensAPinhole(t *testing.T) {
	w := New(1)
	r := w.Router(nil, RouterConfig{Firewall: &Firewall{Filtering: AddressPortDependent}, Maps: true})
	in, x := place(w.Host(r, HostConfig{Family: IPv6Only}), 1), place(w.Host(nil, HostConfig{Family: IPv6Only}), 1)
	wantEqual(t, "before", x.reaches(in.addr(), in), false)
	a, ok := r.Map(1, in.addr())
	wantEqual(t, "opened", ok && a == in.addr(), true)
	wantEqual(t, "after", x.reaches(a, in), true)
	r.Forget()
	wantEqual(t, "after a restart", x.reaches(a, in), false)
}

func TestBlockUDP(t *testing.T) {
	w := New(1)
	r := w.Router(nil, RouterConfig{NAT: &NAT{}, BlockUDP: true, Except: []uint16{53}})
	in, beside := place(w.Host(r, HostConfig{Family: DualStack}), 1), place(w.Host(r, HostConfig{}), 1)
	x := w.Host(nil, HostConfig{Family: DualStack})
	x1, dns := place(x, 1), place(x, 53)
	_, ok := in.ask(x1)
	wantEqual(t, "out", ok, false)
	in.send(x.AddrPort(true, 1), "by IPv6")
	w.Run(time.Second, nil)
	wantEqual(t, "out by IPv6", len(x1.got), 0)
	outside, ok := in.ask(dns)
	wantEqual(t, "out to a port that passes", ok, true)
	wantEqual(t, "and back", dns.reaches(outside, in), true)
	wantEqual(t, "in from another", x1.reaches(outside, in), false)
	_, ok = in.ask(beside)
	wantEqual(t, "to a neighbour", ok, true)
}
