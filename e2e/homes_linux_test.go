package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// homes is the world that qft is made for: a helper on the public network, and
// two homes, each behind its own router. Nothing outside a home has a route to
// its addresses, and its router lets nothing in that was not asked for.
//
//	             helper 203.0.113.10
//	               │
//	  ─────┬───────┴───────┬─────  public, 203.0.113.0/24
//	routerA .21          routerB .22
//	  masquerade           masquerade
//	192.168.1.1          192.168.2.1
//	       │               │
//	a 192.168.1.2        b 192.168.2.2
type homes struct {
	*world
	public           *host
	helper           *host
	routerA, routerB *host
	a, b             *host
}

// The helper's address in these worlds.
const (
	helperPort  = "4000"
	helperAddr4 = "203.0.113.10:" + helperPort
	helperAddr6 = "[2001:db8::10]:" + helperPort
)

// firewall is what any home router does: what comes from outside is dropped
// unless it answers something. Dropped, not refused: so it leaves no state
// that could stand in the way of a punch.
const firewall = `
table inet filter {
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
		iifname "lan" accept
	}
	chain input {
		type filter hook input priority filter; policy drop;
		ct state established,related accept
		iifname { "lan", "lo" } accept
		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, nd-router-advert } accept
	}
}
`

// masquerade hides a home behind the router's address. Ports are kept where
// possible; with "fully-random" behind it, every destination sees another one.
const masquerade = `
table ip nat {
	chain postrouting {
		type nat hook postrouting priority srcnat;
		oifname "wan" masquerade %s
	}
}
`

// newHomes is the world above. nat is "" or "fully-random".
func newHomes(t *testing.T, nat string) *homes {
	t.Helper()
	w := &homes{world: newWorld(t)}
	w.publish("203.0.113.10/24")
	w.routerA = w.router("ra", "203.0.113.21/24", "192.168.1.1/24")
	w.routerB = w.router("rb", "203.0.113.22/24", "192.168.2.1/24")
	for _, r := range []*host{w.routerA, w.routerB} {
		r.nft(fmt.Sprintf(masquerade, nat))
	}
	w.a = w.resident("a", w.routerA, "192.168.1.2/24", "192.168.1.1")
	w.b = w.resident("b", w.routerB, "192.168.2.2/24", "192.168.2.1")
	return w
}

// newHomes6 is the same with IPv6 only: every machine has a global address,
// and the routers' firewalls are all that stands between.
func newHomes6(t *testing.T) *homes {
	t.Helper()
	w := &homes{world: newWorld(t)}
	w.publish("2001:db8::10/64")
	w.routerA = w.router("ra", "2001:db8::21/64", "2001:db8:a::1/64")
	w.routerB = w.router("rb", "2001:db8::22/64", "2001:db8:b::1/64")
	for _, h := range []*host{w.helper, w.routerB} {
		h.ip("route add 2001:db8:a::/64 via 2001:db8::21")
	}
	for _, h := range []*host{w.helper, w.routerA} {
		h.ip("route add 2001:db8:b::/64 via 2001:db8::22")
	}
	w.a = w.resident("a", w.routerA, "2001:db8:a::2/64", "2001:db8:a::1")
	w.b = w.resident("b", w.routerB, "2001:db8:b::2/64", "2001:db8:b::1")
	return w
}

// publish makes the public network with the helper on it.
func (w *homes) publish(helper string) {
	w.t.Helper()
	w.public = w.segment("public")
	w.helper = w.host("helper")
	w.helper.plug(w.public, "eth0", helper)
	w.helper.nft(countIP)
}

// countIP counts the bytes of the IP packets that a machine receives and
// sends; what a bridge floods to its port is not among them.
const countIP = `
table inet count {
	counter in {}
	counter out {}
	chain input {
		type filter hook input priority filter;
		counter name in
	}
	chain output {
		type filter hook output priority filter;
		counter name out
	}
}
`

// counter reads one of those.
func (h *host) counter(name string) int64 {
	h.w.t.Helper()
	text := h.must("ip", "netns", "exec", h.ns, "nft", "list", "counter", "inet", "count", name)
	_, rest, _ := strings.Cut(text, "bytes ")
	var n int64
	if _, err := fmt.Sscan(rest, &n); err != nil {
		h.w.t.Fatalf("counter %s on %s: %v: %s", name, h.role, err, text)
	}
	return n
}

// segment makes an Ethernet segment: a bridge on a host of its own.
func (w *world) segment(role string) *host {
	w.t.Helper()
	h := w.host(role)
	h.ip("link add br0 type bridge", "link set br0 up")
	return h
}

// router makes a home's router: wan on the public network, lan a bridge.
func (w *homes) router(role, wan, lan string) *host {
	w.t.Helper()
	r := w.host(role)
	r.sysctl("net/ipv4/ip_forward", "1")
	r.sysctl("net/ipv6/conf/all/forwarding", "1")
	r.ip("link add br0 type bridge", "link set br0 name lan", "link set lan up", "addr add "+lan+" dev lan"+nodad(lan))
	r.nft(firewall)
	r.plug(w.public, "wan", wan)
	return r
}

// resident makes a machine in a home.
func (w *homes) resident(role string, router *host, addr, gateway string) *host {
	w.t.Helper()
	h := w.host(role)
	h.wire("eth0", router, role)
	router.ip("link set dev " + role + " master lan")
	h.ip("addr add "+addr+" dev eth0"+nodad(addr), "route add default via "+gateway)
	return h
}

// plug connects a host to a segment.
func (h *host) plug(segment *host, dev, addr string) {
	h.w.t.Helper()
	port := h.role + "." + dev
	h.wire(dev, segment, port)
	segment.ip("link set dev " + port + " master br0")
	h.ip("addr add " + addr + " dev " + dev + nodad(addr))
}

// wire joins two hosts by a cable.
func (h *host) wire(dev string, other *host, otherDev string) {
	h.w.t.Helper()
	h.ip(fmt.Sprintf("link add dev %s type veth peer name %s netns %s", dev, otherDev, other.ns), "link set dev "+dev+" up")
	other.ip("link set dev " + otherDev + " up")
}

// nodad makes an IPv6 address usable at once.
func nodad(addr string) string {
	for _, c := range addr {
		if c == ':' {
			return " nodad"
		}
	}
	return ""
}

// pair is the smallest world for what has nothing to do with the network: two
// machines on one cable, the helper on the first.
type pair struct {
	*world
	a, b *host
}

const pairHelper = "192.0.2.1:" + helperPort

func newPair(t *testing.T) *pair {
	t.Helper()
	w := &pair{world: newWorld(t)}
	w.racing = true
	w.a, w.b = w.host("a"), w.host("b")
	w.a.wire("eth0", w.b, "eth0")
	w.a.ip("addr add 192.0.2.1/24 dev eth0")
	w.b.ip("addr add 192.0.2.2/24 dev eth0")
	return w
}
