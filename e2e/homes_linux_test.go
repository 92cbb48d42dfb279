package e2e

import (
	"fmt"
	"strings"
	"sync"
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
	carrier          *host // the latest that was made
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

// masquerade hides a home behind the router's address. It can be loaded again,
// with other flags, and holds for connections that begin after that.
const masquerade = `
table ip nat
delete table ip nat
table ip nat {
	chain postrouting {
		type nat hook postrouting priority srcnat;
		oifname "wan" meta l4proto { tcp, udp } masquerade %s
	}
}
`

// What masquerade does with ports, as flags of its rule.
const (
	keepsPort = ""                // where it is free: the same for all destinations
	random    = "random"          // each destination sees another one
	allRandom = "fully-random"    // so too, by another source of randomness
	highPorts = "to :40000-49999" // another one than inside, the same for all destinations
)

// inOrder gives each destination the next port.
var inOrder = sync.OnceValue(func() string {
	const ports = 4000
	var list []string
	for n := range ports {
		list = append(list, fmt.Sprintf("%d : %d", n, 50000+n))
	}
	return fmt.Sprintf("to :numgen inc mod %d map { %s }", ports, strings.Join(list, ", "))
})

// home says what stands between a machine and the public network.
type home struct {
	nat     string // flags of its router's masquerade
	open    bool   // its router has no filter: it takes what nobody asked for to be its own
	carrier bool   // between the router and the public network is a carrier's NAT
	shared  string // flags of that one's masquerade
	v6      bool   // there is IPv6 too, without a NAT and with the router's filter
	opens   string // its router opens ports when it is asked to: "UPnP", "PCP", or both
}

// newHomes is the world above, with two homes of one kind.
func newHomes(t *testing.T, nat string) *homes {
	t.Helper()
	return newHomesOf(t, home{nat: nat}, home{nat: nat})
}

// newHomesOf is the world above with any two homes.
func newHomesOf(t *testing.T, a, b home) *homes {
	t.Helper()
	w := &homes{world: newWorld(t)}
	w.publish("203.0.113.10/24")
	w.routerA, w.a = w.home(a, "a", 1)
	w.routerB, w.b = w.home(b, "b", 2)
	if a.v6 && b.v6 {
		w.helper.ip("addr add 2001:db8::10/64 dev eth0 nodad")
		w.v6(w.routerA, w.a, 1)
		w.v6(w.routerB, w.b, 2)
		w.cross()
	}
	if a.opens+b.opens != "" {
		w.openDoors(a, b) // last: what opens them looks at addresses when it starts
	}
	return w
}

// v6 gives a home global addresses.
func (w *homes) v6(router, machine *host, n int) {
	w.t.Helper()
	router.ip(fmt.Sprintf("addr add 2001:db8::2%d/64 dev wan nodad", n), fmt.Sprintf("addr add 2001:db8:%d::1/64 dev lan nodad", n))
	machine.ip(fmt.Sprintf("addr add 2001:db8:%d::2/64 dev eth0 nodad", n), fmt.Sprintf("route add default via 2001:db8:%d::1", n))
}

// cross routes between the homes' global addresses.
func (w *homes) cross() {
	w.t.Helper()
	for _, h := range []*host{w.helper, w.routerB} {
		h.ip("route add 2001:db8:1::/64 via 2001:db8::21")
	}
	for _, h := range []*host{w.helper, w.routerA} {
		h.ip("route add 2001:db8:2::/64 via 2001:db8::22")
	}
}

// home makes one, with a machine in it.
func (w *homes) home(h home, name string, n int) (router, machine *host) {
	w.t.Helper()
	net, wan := w.public, fmt.Sprintf("203.0.113.%d/24", 20+n)
	if h.opens != "" {
		wan = fmt.Sprintf(genuine, 20+n)
	}
	if h.carrier {
		net = w.router("c"+name, net, wan, fmt.Sprintf("100.64.%d.1/24", n))
		net.nft(firewall)
		net.nft(fmt.Sprintf(masquerade, h.shared))
		w.carrier = net
		wan = fmt.Sprintf("100.64.%d.2/24", n)
	}
	gateway := fmt.Sprintf("192.168.%d.1", n)
	router = w.router("r"+name, net, wan, gateway+"/24")
	if h.carrier {
		router.ip(fmt.Sprintf("route add default via 100.64.%d.1", n))
	}
	if !h.open {
		router.nft(firewall)
	}
	router.nft(fmt.Sprintf(masquerade, h.nat))
	return router, w.resident(name, router, fmt.Sprintf("192.168.%d.2/24", n), gateway)
}

// newHomes6 is the same with IPv6 only: every machine has a global address,
// and the routers' firewalls are all that stands between.
func newHomes6(t *testing.T) *homes {
	t.Helper()
	w := &homes{world: newWorld(t)}
	w.publish("2001:db8::10/64")
	w.routerA = w.router("ra", w.public, "2001:db8::21/64", "2001:db8:1::1/64")
	w.routerB = w.router("rb", w.public, "2001:db8::22/64", "2001:db8:2::1/64")
	w.routerA.nft(firewall)
	w.routerB.nft(firewall)
	w.cross()
	w.a = w.resident("a", w.routerA, "2001:db8:1::2/64", "2001:db8:1::1")
	w.b = w.resident("b", w.routerB, "2001:db8:2::2/64", "2001:db8:2::1")
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
	h.ip("link add lan type bridge", "link set lan up")
	return h
}

// router makes a router: wan on a segment, lan a segment of its own.
func (w *homes) router(role string, net *host, wan, lan string) *host {
	w.t.Helper()
	r := w.segment(role)
	r.sysctl("net/ipv4/ip_forward", "1")
	r.sysctl("net/ipv6/conf/all/forwarding", "1")
	r.ip("addr add " + lan + " dev lan" + nodad(lan))
	r.plug(net, "wan", wan)
	return r
}

// resident makes a machine in a home.
func (w *homes) resident(role string, router *host, addr, gateway string) *host {
	w.t.Helper()
	h := w.host(role)
	h.plug(router, "eth0", addr)
	h.ip("route add default via " + gateway)
	return h
}

// plug connects a host to a segment.
func (h *host) plug(segment *host, dev, addr string) {
	h.w.t.Helper()
	port := h.role + "." + dev
	h.wire(dev, segment, port)
	segment.ip("link set dev " + port + " master lan")
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
