package lab

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Access is the line of a host or router to its parent.
type Access struct {
	w        *World
	name     string
	parent   *Router
	up, down *Pipe
	addrs    []netip.Addr // by which the parent's side reaches it
	off      bool         // SetDown
	outages  int          // Outages that go on now
}

// connect builds the line; up leads into the parent, down to end.
func (a *Access) connect(w *World, parent *Router, name string, up, down Link, ashore bool, end func(*packet)) {
	if parent == nil {
		parent = w.core
	}
	a.w, a.parent, a.name = w, parent, name
	a.up = w.newPipe(name+" up", a, up, false, func(k *packet) { a.parent.ascend(k) })
	a.down = w.newPipe(name+" down", a, down, ashore, end)
}

// Name is the name given or made up.
func (a *Access) Name() string { return a.name }

// Up is the direction towards the internet.
func (a *Access) Up() *Pipe { return a.up }

// Down is the direction from the internet.
func (a *Access) Down() *Pipe { return a.down }

// SetDown cuts the line, or mends it. What is in the pipes is lost.
func (a *Access) SetDown(down bool) {
	a.off = down
	if down {
		a.cut()
	}
}

// Outage cuts the line for a while, from a time since the world began. It adds
// up with other outages and with SetDown.
func (a *Access) Outage(start, length time.Duration) {
	a.w.At(start, func() {
		a.outages++
		a.cut()
	})
	a.w.At(start+length, func() { a.outages-- })
}

func (a *Access) isDown() bool { return a.off || a.outages > 0 }

func (a *Access) cut() {
	a.up.cut()
	a.down.cut()
}

// announce makes addrs the way to reach a, wherever they are visible.
func (a *Access) announce(addrs []netip.Addr) {
	for i, addr := range addrs {
		addr = addr.Unmap()
		if !addr.IsValid() || addr.IsUnspecified() || addr.IsLoopback() || addr.IsMulticast() {
			panic(fmt.Sprintf("lab: %s cannot have the address %v", a.name, addr))
		}
		if slices.Contains(addrs[:i], addr) {
			panic(fmt.Sprintf("lab: %s is given %v twice", a.name, addr))
		}
		a.eachRealm(addr, func(r *Router, child *Access) {
			if owner := r.routes[addr]; owner != nil {
				panic(fmt.Sprintf("lab: %v of %s is taken by %s", addr, a.name, owner.name))
			}
			r.routes[addr] = child
		})
		a.addrs = append(a.addrs, addr)
	}
}

// withdraw takes all addresses away, at once.
func (a *Access) withdraw() {
	for _, addr := range a.addrs {
		a.eachRealm(addr, func(r *Router, _ *Access) { delete(r.routes, addr) })
	}
	a.addrs = nil
}

// eachRealm visits the routers that know addr of a, and the line below each
// through which it is reached: all up to the core, or for IPv4 up to the
// first that translates.
func (a *Access) eachRealm(addr netip.Addr, visit func(r *Router, child *Access)) {
	for child := a; child.parent != nil; child = &child.parent.Access {
		visit(child.parent, child)
		if addr.Is4() && child.parent.nat != nil {
			return
		}
	}
}

// RouterConfig describes a router.
type RouterConfig struct {
	Name     string       // if empty, made up
	NAT      *NAT         // if nil, IPv4 is not translated and has the parent's addresses
	Firewall *Firewall    // if nil, whatever is not translated passes
	LAN      netip.Prefix // inside IPv4 network of a NAT; if zero, a /24 of 192.168.0.0/16
	Up, Down Link         // the line to the parent

	// Maps says that inside hosts may have ports opened (Map), as by PCP.
	Maps bool

	// BlockUDP lets no UDP pass but what goes to, or comes from, one of the
	// ports Except of outside hosts, as the networks of some offices and hotels do.
	BlockUDP bool
	Except   []uint16
}

// Router forwards between its children and its parent.
type Router struct {
	Access
	nat      *nat      // of UDP
	natTCP   *nat      // both, or neither
	firewall *firewall // of UDP
	wallTCP  *firewall
	maps     bool
	block    bool
	except   []uint16
	routes   map[netip.Addr]*Access // visible addresses below, to the child that leads there
	lan      netip.Prefix           // for IPv4 addresses of children; only with nat, and of the core
	lan6     netip.Prefix
	given    [2]int // addresses handed out of lan and lan6
}

// coreLAN is the network for benchmarks (RFC 2544): addresses that look
// public to all who sort them, and belong to nobody.
const coreLAN = "198.18.0.0/15"

func newCore(w *World) *Router {
	r := &Router{lan: netip.MustParsePrefix(coreLAN), routes: make(map[netip.Addr]*Access)}
	r.w, r.name = w, "internet"
	r.lan6 = lan6(0)
	return r
}

// lan6 is the IPv6 network of router n, from the prefix for documentation
// (RFC 3849).
func lan6(n int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, byte(n >> 8), byte(n)}), 64)
}

// Router adds a router below parent; nil is the core.
func (w *World) Router(parent *Router, c RouterConfig) *Router {
	dice := w.fork(streamRouter)
	n := w.streams[streamRouter]
	if c.Name == "" {
		c.Name = fmt.Sprintf("router%d", n)
	}
	r := &Router{routes: make(map[netip.Addr]*Access), lan: c.LAN, lan6: lan6(n), maps: c.Maps, block: c.BlockUDP, except: c.Except}
	r.connect(w, parent, c.Name, c.Up, c.Down, false, r.descend)
	if c.Firewall != nil {
		r.firewall, r.wallTCP = newFirewall(*c.Firewall), newFirewall(*c.Firewall)
	}
	if c.NAT != nil {
		r.nat, r.natTCP = newNAT(*c.NAT, dice), newNAT(*c.NAT, dice)
		if !r.lan.IsValid() {
			r.lan = netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 168, byte(n), 0}), 24)
		}
		r.Renumber(c.NAT.Public...)
	}
	return r
}

// Public returns the outside addresses of a NAT.
func (r *Router) Public() []netip.Addr { return slices.Clone(r.addrs) }

// Renumber gives a NAT other outside addresses, as a new lease does: the old
// ones are dead at once and all mappings forgotten. With none given, it takes
// a fresh one of the parent's network.
func (r *Router) Renumber(public ...netip.Addr) {
	r.withdraw()
	if len(public) == 0 {
		public = []netip.Addr{r.parent.assign(false)}
	}
	r.announce(public)
	for _, n := range []*nat{r.nat, r.natTCP} {
		n.Public = r.addrs
		n.forget()
	}
}

// Forget drops all mappings and permissions, as a restart of the router does.
func (r *Router) Forget() {
	if r.nat != nil {
		r.nat.forget()
		r.natTCP.forget()
	}
	for _, f := range []*firewall{r.firewall, r.wallTCP} {
		if f != nil {
			f.filter = newFilter(f.by, time.Duration(f.timeout))
			clear(f.pinholes)
		}
	}
}

// Map opens a port for an inside host, as PCP's MAP does (RFC 6887 section 11),
// and returns the outside endpoint that leads to it: on another port if the
// wanted one is taken, for IPv6 through the firewall to the inside endpoint
// itself. It reports false if the router does no such thing.
func (r *Router) Map(port uint16, inside netip.AddrPort) (netip.AddrPort, bool) {
	return r.open(r.nat, r.firewall, port, inside)
}

// MapTCP is Map for a TCP port.
func (r *Router) MapTCP(port uint16, inside netip.AddrPort) (netip.AddrPort, bool) {
	return r.open(r.natTCP, r.wallTCP, port, inside)
}

func (r *Router) open(n *nat, f *firewall, port uint16, inside netip.AddrPort) (netip.AddrPort, bool) {
	switch {
	case !r.maps:
	case inside.Addr().Is6():
		if f != nil {
			f.pinholes[inside] = true
		}
		return inside, true
	case n != nil:
		return n.open(port, inside, r.w.now)
	}
	return netip.AddrPort{}, false
}

// Forward maps an outside port to an inside endpoint for good and for
// everyone, as a person or PCP asks a router to, and returns the outside
// endpoint. It replaces a mapping that has the port.
func (r *Router) Forward(port uint16, inside netip.AddrPort) netip.AddrPort {
	outside := netip.AddrPortFrom(r.nat.Public[0], port)
	place := flow{local: outside}
	if old := r.nat.outside[place]; old != nil {
		r.nat.remove(old)
	}
	m := &mapping{inside: inside, outside: outside, used: forever}
	r.nat.outside[place], r.nat.forward[inside] = m, m
	return outside
}

// assign hands out an address that nobody below r's network has yet.
func (r *Router) assign(v6 bool) netip.Addr {
	lan, given := r.lan6, &r.given[1]
	if !v6 {
		for r.nat == nil && r.parent != nil {
			r = r.parent
		}
		lan, given = r.lan, &r.given[0]
	}
	for {
		*given++
		a := nth(lan, *given+1) // the first is for the router itself
		if !lan.Contains(a) {
			panic(fmt.Sprintf("lab: no address left in %v of %s", lan, r.name))
		}
		if r.routes[a] == nil {
			return a
		}
	}
}

// nth is address n of a network; the last 32 bits must hold it.
func nth(p netip.Prefix, n int) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := len(b) - 1; n > 0; i-- {
		n += int(b[i])
		b[i] = byte(n)
		n >>= 8
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// blocks reports whether a packet to or from an outside port does not pass.
func (r *Router) blocks(k *packet, outside uint16) bool {
	return r.block && k.tcp == noSegment && !slices.Contains(r.except, outside)
}

// tables are the NAT and the firewall that a packet meets.
func (r *Router) tables(k *packet) (*nat, *firewall) {
	if k.tcp != noSegment {
		return r.natTCP, r.wallTCP
	}
	return r.nat, r.firewall
}

// ascend takes a packet from below.
func (r *Router) ascend(k *packet) {
	dst := k.to.Addr()
	if dst.IsMulticast() {
		r.spread(k)
		return
	}
	if child := r.routes[dst]; child != nil {
		child.down.offer(k)
		return
	}
	now := r.w.now
	nat, firewall := r.tables(k)
	switch {
	case r.parent == nil:
		r.w.lose(k, LostRoute, r.name)
	case r.blocks(k, k.to.Port()):
		r.w.lose(k, LostFilter, r.name)
	case nat == nil || !dst.Is4():
		if firewall != nil {
			firewall.note(k.from, k.to, now)
		}
		r.up.offer(k)
	case nat.owns(dst) && !nat.Hairpin:
		r.w.lose(k, LostFilter, r.name)
	case !nat.out(k, now):
		r.w.lose(k, LostPorts, r.name)
	case nat.owns(dst):
		r.descend(k)
	default:
		r.up.offer(k)
	}
}

// descend takes a packet from above, or one that turns round here.
func (r *Router) descend(k *packet) {
	now := r.w.now
	ok := true
	nat, firewall := r.tables(k)
	if r.blocks(k, k.from.Port()) {
		ok = false
	} else if nat != nil && k.to.Addr().Is4() {
		ok = nat.in(k, now)
	} else if firewall != nil {
		ok = firewall.in(k, now)
	}
	if !ok {
		r.w.lose(k, LostFilter, r.name)
		return
	}
	child := r.routes[k.to.Addr()]
	if child == nil {
		r.w.lose(k, LostRoute, r.name)
		return
	}
	child.down.offer(k)
}
