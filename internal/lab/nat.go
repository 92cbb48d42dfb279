package lab

import (
	"math"
	"net/netip"
	"time"
)

// Behavior says how much of a remote endpoint a NAT or firewall looks at, for
// its mappings (RFC 4787 section 4.1) and for its filter (section 5).
//
// The old names: a full cone is EndpointIndependent in both; an address- or
// port-restricted cone maps EndpointIndependent and filters AddressDependent or
// AddressPortDependent; a symmetric NAT is AddressPortDependent in both.
type Behavior byte

const (
	EndpointIndependent  Behavior = iota // nothing
	AddressDependent                     // its address
	AddressPortDependent                 // its address and port
)

func (b Behavior) String() string {
	return [...]string{"endpoint-independent", "address-dependent", "address-and-port-dependent"}[b]
}

// key is what b tells remote endpoints apart by.
func (b Behavior) key(remote netip.AddrPort) netip.AddrPort {
	switch b {
	case EndpointIndependent:
		return netip.AddrPort{}
	case AddressDependent:
		return netip.AddrPortFrom(remote.Addr(), 0)
	}
	return remote
}

// PortAllocation is how a NAT chooses outside ports.
type PortAllocation byte

const (
	RandomPorts     PortAllocation = iota
	SequentialPorts                // each mapping gets the port after the previous one's
)

// NAT is how a router translates IPv4. Its zero value is a full cone with
// random ports, without hairpinning, whose mappings last two minutes.
type NAT struct {
	Mapping, Filtering Behavior

	PortPreserve bool           // keep the inside port where it is free outside
	Ports        PortAllocation // else choose like this, from 1024 to 65535

	// Overload lets mappings share an outside port as long as what Mapping
	// tells apart differs (RFC 4787 section 4.2.2, port overloading). With
	// AddressPortDependent mapping and PortPreserve it is Linux masquerade: a
	// host keeps its port towards everyone.
	Overload bool

	Hairpin bool // inside hosts reach each other by outside endpoints; the source is the outside one (RFC 4787 section 6)

	// Timeout is how long a mapping, and each permission of its filter, lasts
	// after the last outbound packet, or the last in either direction if
	// RefreshInbound. If zero, two minutes (RFC 4787 REQ-5).
	Timeout        time.Duration
	RefreshInbound bool

	// Public are the outside addresses. If empty, one of the parent's
	// network. Inside hosts are paired with one of them (RFC 4787 REQ-2),
	// unless Unpaired: then each mapping takes one at random.
	Public   []netip.Addr
	Unpaired bool
}

// Firewall is a stateful filter without translation: packets come in only
// where the inside endpoint has sent something out before. It applies to what
// its router does not translate: all of IPv6, and IPv4 if there is no NAT.
type Firewall struct {
	Filtering      Behavior      // usual is AddressPortDependent
	Timeout        time.Duration // as for NAT
	RefreshInbound bool
}

// flow is an inside or outside endpoint and as much of a remote one as counts.
type flow struct{ local, remote netip.AddrPort }

// filter remembers who was written to.
type filter struct {
	by      Behavior
	timeout int64
	seen    map[flow]int64 // when last, ns
	sweepAt int            // size at which expired entries are removed
}

func newFilter(by Behavior, timeout time.Duration) filter {
	if timeout == 0 {
		timeout = 2 * time.Minute
	}
	return filter{by: by, timeout: int64(timeout), seen: make(map[flow]int64), sweepAt: 1024}
}

// note permits remote to write to local.
func (f *filter) note(local, remote netip.AddrPort, now int64) {
	f.seen[flow{local, f.by.key(remote)}] = now
	if len(f.seen) < f.sweepAt {
		return
	}
	for k, at := range f.seen {
		if now-at > f.timeout {
			delete(f.seen, k)
		}
	}
	f.sweepAt = max(1024, 2*len(f.seen))
}

func (f *filter) allows(local, remote netip.AddrPort, now int64) bool {
	at, ok := f.seen[flow{local, f.by.key(remote)}]
	return ok && now-at <= f.timeout
}

// firewall is a Firewall at work.
type firewall struct {
	filter
	refreshInbound bool
	pinholes       map[netip.AddrPort]bool // inside endpoints open to everyone
}

func newFirewall(c Firewall) *firewall {
	return &firewall{newFilter(c.Filtering, c.Timeout), c.RefreshInbound, make(map[netip.AddrPort]bool)}
}

// in decides whether k may come in.
func (f *firewall) in(k *packet, now int64) bool {
	if !f.pinholes[k.to] && !f.allows(k.to, k.from, now) {
		return false
	}
	if f.refreshInbound {
		f.note(k.to, k.from, now)
	}
	return true
}

// mapping is an outside endpoint that stands for an inside one.
type mapping struct {
	key             flow // in nat.inside
	inside, outside netip.AddrPort
	used            int64 // last refresh, ns
}

// forever is the last refresh of a mapping made by hand (Router.Forward).
const forever = math.MaxInt64

// nat is a NAT at work. An expired mapping stays in the tables until its
// inside or outside endpoint is wanted again; there are not more than ports,
// for each remote endpoint if they are shared.
//
// A mapping's permissions never outlive it, because each
// packet that refreshes a permission refreshes the mapping too: so an outside
// endpoint that is given to someone else starts with none.
type nat struct {
	NAT
	filter  filter
	dice    dice
	inside  map[flow]*mapping
	outside map[flow]*mapping           // by outside endpoint, and if ports are shared by whom it is for
	forward map[netip.AddrPort]*mapping // mappings made by hand, by inside endpoint
	doors   map[netip.AddrPort]*mapping // made by Map, by outside endpoint
	through map[flow]*mapping           // flows that came in by a door, by inside and remote endpoint
	pairs   map[netip.Addr]netip.Addr   // inside to outside address
	next    int                         // sequential port
}

// Outside ports that are chosen; those below may be preserved.
const (
	firstPort, lastPort = 1024, 65535
	ports               = lastPort - firstPort + 1
)

func newNAT(c NAT, d dice) *nat {
	n := &nat{NAT: c, dice: d}
	n.next = firstPort + int(n.dice.below(ports))
	n.forget()
	return n
}

// forget is what a restart of the router does.
func (n *nat) forget() {
	n.filter = newFilter(n.Filtering, n.Timeout)
	n.inside = make(map[flow]*mapping)
	n.outside = make(map[flow]*mapping)
	n.forward = make(map[netip.AddrPort]*mapping)
	n.doors = make(map[netip.AddrPort]*mapping)
	n.through = make(map[flow]*mapping)
	n.pairs = make(map[netip.Addr]netip.Addr)
}

func (n *nat) expired(m *mapping, now int64) bool {
	return m.used != forever && now-m.used > n.filter.timeout
}

func (n *nat) remove(m *mapping) {
	delete(n.inside, m.key)
	delete(n.outside, n.shared(m.outside, m.key.remote))
}

// shared is where in the table a mapping of an outside endpoint stands that is
// for a remote one.
func (n *nat) shared(outside, remote netip.AddrPort) flow {
	if !n.Overload {
		return flow{local: outside}
	}
	return flow{outside, n.Mapping.key(remote)}
}

// out gives a packet that leaves its outside source, and reports whether
// there was a port for it.
func (n *nat) out(k *packet, now int64) bool {
	m := n.forward[k.from]
	if m == nil {
		m = n.through[flow{k.from, k.to}]
	}
	if m == nil {
		key := flow{k.from, n.Mapping.key(k.to)}
		if m = n.inside[key]; m == nil || n.expired(m, now) {
			if m = n.add(key, now); m == nil {
				return false
			}
		}
		m.used = now
	}
	n.filter.note(m.outside, k.to, now)
	k.from = m.outside
	return true
}

// in gives a packet that comes in its inside destination, and reports whether
// it may pass.
func (n *nat) in(k *packet, now int64) bool {
	if m := n.doors[k.to]; m != nil {
		n.through[flow{m.inside, k.from}] = m
		k.to = m.inside
		return true
	}
	m := n.outside[n.shared(k.to, k.from)]
	if m == nil {
		m = n.outside[flow{local: k.to}] // made by hand: for everyone
	}
	if m == nil || n.expired(m, now) {
		return false
	}
	if m.used != forever {
		if !n.filter.allows(m.outside, k.from, now) {
			return false
		}
		if n.RefreshInbound {
			m.used = now
			n.filter.note(m.outside, k.from, now)
		}
	}
	k.to = m.inside
	return true
}

// add makes a mapping, or returns nil if every port is taken.
func (n *nat) add(key flow, now int64) *mapping {
	if old := n.inside[key]; old != nil {
		n.remove(old)
	}
	outside, ok := n.choose(key, now)
	if !ok {
		return nil
	}
	m := &mapping{key: key, inside: key.local, outside: outside, used: now}
	n.inside[key], n.outside[n.shared(outside, key.remote)] = m, m
	return m
}

// open makes a door: an outside endpoint, on the wanted port if it is free,
// whose packets all reach the inside one. If the NAT maps that to the same
// endpoint for everyone anyway, it is that one. What is sent to those who have
// come in by a door leaves by it; to others it leaves as if there were none,
// as with a redirection beside Linux masquerade.
func (n *nat) open(port uint16, inside netip.AddrPort, now int64) (netip.AddrPort, bool) {
	for outside, m := range n.doors {
		if m.inside == inside {
			return outside, true
		}
	}
	if n.Mapping == EndpointIndependent {
		m := n.inside[flow{local: inside}]
		if m == nil || n.expired(m, now) {
			m = n.add(flow{local: inside}, now)
		}
		if m == nil {
			return netip.AddrPort{}, false
		}
		m.used = forever
		n.forward[inside] = m
		return m.outside, true
	}
	wanted := netip.AddrPortFrom(n.publicFor(inside.Addr()), port)
	if !n.free(flow{local: wanted}, now) {
		var ok bool
		if wanted, ok = n.choose(flow{local: inside}, now); !ok {
			return netip.AddrPort{}, false
		}
	}
	n.doors[wanted] = &mapping{inside: inside, outside: wanted, used: forever}
	return wanted, true
}

// choose finds a free outside endpoint for an inside one.
func (n *nat) choose(key flow, now int64) (netip.AddrPort, bool) {
	addr := n.publicFor(key.local.Addr())
	free := func(port uint16) (netip.AddrPort, bool) {
		a := netip.AddrPortFrom(addr, port)
		return a, n.free(n.shared(a, key.remote), now)
	}
	if n.PortPreserve {
		if a, ok := free(key.local.Port()); ok {
			return a, true
		}
	}
	for try := range ports {
		if n.Ports == RandomPorts && try < 64 {
			// Then from here on in turn, to find the last free one.
			n.next = firstPort + int(n.dice.below(ports))
		}
		a, ok := free(uint16(n.next))
		if n.next++; n.next > lastPort {
			n.next = firstPort
		}
		if ok {
			return a, true
		}
	}
	return netip.AddrPort{}, false
}

func (n *nat) publicFor(inside netip.Addr) netip.Addr {
	if len(n.Public) == 1 {
		return n.Public[0]
	}
	if n.Unpaired {
		return n.Public[n.dice.below(int64(len(n.Public)))]
	}
	a, ok := n.pairs[inside]
	if !ok {
		a = n.Public[len(n.pairs)%len(n.Public)]
		n.pairs[inside] = a
	}
	return a
}

// free reports whether a place in the table of outside endpoints is nobody's.
func (n *nat) free(place flow, now int64) bool {
	if n.doors[place.local] != nil {
		return false
	}
	m := n.outside[place]
	if m != nil && n.expired(m, now) {
		n.remove(m)
		return true
	}
	return m == nil
}

func (n *nat) owns(a netip.Addr) bool {
	for _, own := range n.Public {
		if own == a {
			return true
		}
	}
	return false
}
