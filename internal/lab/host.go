package lab

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"qft/internal/udp"
)

// Family is which addresses a host gets when none are given.
type Family byte

const (
	IPv4Only Family = iota
	IPv6Only
	DualStack
)

// HostConfig describes a host.
type HostConfig struct {
	Name     string        // if empty, made up
	Family   Family        // of the addresses to make up
	Addrs    []netip.Addr  // if empty, one of the parent's network for each family
	Up, Down Link          // the line to the parent
	Buffer   int           // bytes of payload that wait in each socket while the host is paused; if zero, 212,992 (Linux)
	Clock    time.Duration // how much the host's clock is ahead of the world's
}

// Host is a machine with an operating system, on which Machines are bound to
// UDP ports. Its sockets are bound to all of its addresses.
type Host struct {
	Access
	family  Family
	buffer  int
	clock   time.Duration
	paused  bool
	dice    dice
	local   *Pipe     // loopback
	sockets []*socket // in order of binding
	ports   map[uint16]*socket
	tcp     map[uint16]*Lines // by TCP port
	ears    []hearing
}

// loopback is a line from a host to itself.
func loopback() Link {
	return Link{Delay: 10 * time.Microsecond, MTU: 65536}
}

// Host adds a host below parent; nil is the public internet.
func (w *World) Host(parent *Router, c HostConfig) *Host {
	n := len(w.hosts) + 1
	if c.Name == "" {
		c.Name = fmt.Sprintf("host%d", n)
	}
	if c.Buffer == 0 {
		c.Buffer = 212992
	}
	h := &Host{family: c.Family, buffer: c.Buffer, clock: c.Clock, ports: make(map[uint16]*socket)}
	h.dice = w.fork(streamHost)
	h.connect(w, parent, c.Name, c.Up, c.Down, true, h.accept)
	h.local = w.newPipe(c.Name+" loopback", nil, loopback(), true, h.accept)
	h.SetAddrs(c.Addrs...)
	w.hosts = append(w.hosts, h)
	return h
}

// Addrs returns the host's addresses.
func (h *Host) Addrs() []netip.Addr { return slices.Clone(h.addrs) }

// AddrPort is the host's first address of a family, with a port. It panics
// if there is none.
func (h *Host) AddrPort(v6 bool, port uint16) netip.AddrPort {
	a, ok := h.source(v6)
	if !ok {
		panic(fmt.Sprintf("lab: %s has no such address", h.name))
	}
	return netip.AddrPortFrom(a, port)
}

// SetAddrs changes the host's addresses: the old ones are dead at once, also
// for packets on their way to them. With none given, the host gets fresh ones
// of its parent's network.
func (h *Host) SetAddrs(addrs ...netip.Addr) {
	h.withdraw()
	if len(addrs) == 0 {
		if h.family != IPv6Only {
			addrs = append(addrs, h.parent.assign(false))
		}
		if h.family != IPv4Only {
			addrs = append(addrs, h.parent.assign(true))
		}
	}
	h.announce(addrs)
}

// Move plugs the host in elsewhere, nil being the public internet. What is in
// its pipes is lost. With no addresses given, it gets fresh ones there.
func (h *Host) Move(parent *Router, addrs ...netip.Addr) {
	if parent == nil {
		parent = h.w.core
	}
	h.withdraw()
	h.cut()
	h.parent = parent
	h.SetAddrs(addrs...)
}

// Bind puts m on a UDP port, in place of whatever was there, and returns the
// port. Port 0 is any free one of those for the purpose (RFC 6335 section 6).
func (h *Host) Bind(port uint16, m Machine) uint16 {
	if port == 0 {
		port = h.freePort()
	}
	s := &socket{host: h, port: port, m: m}
	s.who, s.main = s, s
	if old := h.ports[port]; old != nil {
		old.close()
		h.sockets[slices.Index(h.sockets, old)] = s
	} else {
		h.sockets = append(h.sockets, s)
	}
	h.ports[port] = s
	s.wake()
	return port
}

// freePort draws one of those for the purpose.
func (h *Host) freePort() uint16 {
	const first, n = 49152, 16384
	for {
		if len(h.ports) >= n {
			panic("lab: no free port on " + h.name)
		}
		if p := uint16(first + h.dice.below(n)); h.ports[p] == nil {
			return p
		}
	}
}

// Unbind removes the machine from a port, as the end of its process does.
func (h *Host) Unbind(port uint16) {
	if s := h.ports[port]; s != nil {
		if s.main != s {
			s.main.further[s.local-1] = nil
		}
		s.close()
		h.sockets = slices.DeleteFunc(h.sockets, func(o *socket) bool { return o == s })
		delete(h.ports, port)
	}
}

// Wake has the machine on a port asked again what it wants to send and when,
// because something other than a packet or its deadline has happened to it.
func (h *Host) Wake(port uint16) {
	if s := h.ports[port]; s != nil {
		s.wake()
	}
}

// Pause stops the host's machines as SIGSTOP does, or lets them go on. While
// they are stopped, packets wait in their socket buffers, and what exceeds
// those is lost; the clock goes on.
func (h *Host) Pause(stop bool) {
	h.paused = stop
	if stop {
		return
	}
	for _, s := range h.sockets {
		s.resume()
	}
}

// now is the time on the host's own clock.
func (h *Host) now() time.Time { return h.w.wall.Add(h.clock) }

// source is the address that packets of a family leave from.
func (h *Host) source(v6 bool) (netip.Addr, bool) {
	for _, a := range h.addrs {
		if a.Is6() == v6 {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// send takes what a machine appended to its batch.
func (h *Host) send(port uint16, p udp.Packet) {
	dst := p.Remote.Addr()
	if dst.Is4In6() {
		dst = dst.Unmap()
	}
	src, ok := h.source(dst.Is6())
	local := dst.IsLoopback() || slices.Contains(h.addrs, dst)
	if local {
		src = dst // as the kernel chooses it
	}
	k := h.w.newPacket(netip.AddrPortFrom(src, port), netip.AddrPortFrom(dst, p.Remote.Port()), p.Data)
	h.w.sight(k, Sent, h.name)
	switch {
	case !dst.IsValid() || len(k.data) > udp.MaxPayload:
		panic(fmt.Sprintf("lab: %v sent %d bytes to %v", h.ports[port], len(k.data), p.Path))
	case local:
		h.local.offer(k)
	case !ok:
		h.w.lose(k, LostRoute, h.name)
	default:
		h.up.offer(k)
	}
}

// accept takes a packet that has arrived.
func (h *Host) accept(k *packet) {
	dst := k.to.Addr()
	if dst.IsMulticast() {
		h.hear(k)
		return
	}
	if !slices.Contains(h.addrs, dst) && !dst.IsLoopback() {
		h.w.lose(k, LostRoute, h.name)
		return
	}
	if l := h.tcp[k.to.Port()]; l != nil && k.tcp != noSegment {
		l.receive(k)
		return
	}
	s := h.ports[k.to.Port()]
	if s == nil || k.tcp != noSegment {
		h.w.lose(k, LostSocket, h.name)
		return
	}
	s.arrive(k)
}
