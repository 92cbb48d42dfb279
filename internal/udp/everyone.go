package udp

import (
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// earSize is more than any message to everybody has, and earBuffers how many of
// them may wait for the loop in each family: a flood is lost in the kernel.
const (
	earSize    = 512
	earBuffers = 4
)

// ear is a kernel socket that takes what is sent to everybody on this network:
// to a group, or by broadcast.
type ear struct {
	group netip.Addr
	conn  *net.UDPConn
	pool  *pool
	join  func(*net.Interface) error
}

// Hear has the socket take what is sent to a multicast group, too, on all
// interfaces, and what is broadcast to the group's port. Other programs may do
// the same: each of them gets everything. It also follows interfaces that come
// and go, with each packet sent to the group. Call it before the first Write.
func (s *Socket) Hear(group netip.AddrPort) error {
	if s.familyOf(group.Addr()) == nil {
		return nil // nor could we answer
	}
	network := "udp4"
	if group.Addr().Is6() {
		network = "udp6"
	}
	// Package net binds to a group's port on all addresses, shared with others.
	conn, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(group))
	if err != nil {
		return fmt.Errorf("listening to everybody on port %d: %w", group.Port(), err)
	}
	e := &ear{group: group.Addr(), conn: conn, pool: newPool(0)}
	for range earBuffers {
		e.pool.put(&Received{buf: make([]byte, earSize), pool: e.pool})
	}
	at := &net.UDPAddr{IP: group.Addr().AsSlice()}
	if group.Addr().Is4() {
		p := ipv4.NewPacketConn(conn)
		e.join = func(ifi *net.Interface) error { return p.JoinGroup(ifi, at) }
	} else {
		p := ipv6.NewPacketConn(conn)
		e.join = func(ifi *net.Interface) error { return p.JoinGroup(ifi, at) }
	}
	s.ears = append(s.ears, e)
	for _, n := range nets() {
		_ = e.join(&n.Interface) // one that cannot is one without
	}
	s.readers.Go(func() { s.listenTo(e) })
	return nil
}

func (e *ear) close() error {
	e.pool.close()
	return e.conn.Close()
}

// listenTo hands on what an ear hears.
func (s *Socket) listenTo(e *ear) {
	pause := shortestPause
	for {
		r := e.pool.take()
		if r == nil {
			return
		}
		n, from, err := e.conn.ReadFromUDPAddrPort(r.buf)
		switch {
		case s.isClosing():
			return
		case err != nil:
			e.pool.put(r)
			s.wait(pause)
			pause = min(2*pause, longestPause)
			continue
		}
		pause = shortestPause
		r.trains = append(r.trains[:0], train{from: To(from).Unmap(), data: r.buf[:n]})
		select {
		case s.incoming <- r:
		case <-s.closing:
			return
		}
	}
}

// network is an interface with its addresses.
type network struct {
	net.Interface
	addrs []netip.Prefix
}

// nets are the interfaces that are up. Loopback is among them: two programs on
// one machine that has no network are on one network, too.
func nets() []network {
	list, _ := net.Interfaces() // with none, nobody is told
	var all []network
	for _, ifi := range list {
		if ifi.Flags&net.FlagUp == 0 {
			continue
		}
		n := network{Interface: ifi}
		addrs, _ := ifi.Addrs()
		for _, a := range addrs {
			ip, ok := a.(*net.IPNet)
			if !ok {
				continue
			}
			addr, _ := netip.AddrFromSlice(ip.IP)
			bits, _ := ip.Mask.Size()
			n.addrs = append(n.addrs, netip.PrefixFrom(addr.Unmap(), bits))
		}
		all = append(all, n)
	}
	return all
}

// has reports whether the network has addresses of a family.
func (n *network) has(v6 bool) bool {
	for _, a := range n.addrs {
		if a.Addr().Is6() == v6 {
			return true
		}
	}
	return false
}

// broadcast returns the address of everybody in an IPv4 network; false: it has
// none.
func broadcast(p netip.Prefix) (netip.Addr, bool) {
	if !p.Addr().Is4() || p.Bits() >= 31 || p.Addr().IsLoopback() {
		return netip.Addr{}, false
	}
	b := p.Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(b), true
}

// call sends a packet to a group on every interface, and by IPv4 broadcast,
// since not every network carries multicast. What fails on one interface
// concerns that one only.
func (s *Socket) call(data []byte, group netip.AddrPort) {
	f := s.familyOf(group.Addr())
	if f == nil {
		return
	}
	v6 := group.Addr().Is6()
	var p4 *ipv4.PacketConn
	if !v6 {
		p4 = ipv4.NewPacketConn(f.conn)
	}
	for _, n := range nets() {
		if !n.has(v6) {
			continue
		}
		for _, e := range s.ears {
			if e.group == group.Addr() {
				_ = e.join(&n.Interface) // it may be new; a second time is refused
			}
		}
		if v6 {
			at := netip.AddrPortFrom(group.Addr().WithZone(n.Name), group.Port())
			s.tried(len(data), f.one(data, at))
			continue
		}
		if p4.SetMulticastInterface(&n.Interface) == nil {
			s.tried(len(data), f.one(data, group))
		}
		for _, a := range n.addrs {
			if to, ok := broadcast(a); ok {
				s.tried(len(data), f.one(data, netip.AddrPortFrom(to, group.Port())))
			}
		}
	}
}

// tried counts a call.
func (s *Socket) tried(size int, err error) {
	if s.counts.writes.Add(1); err == nil {
		s.sent(1, size)
	}
}

// familyOf is the kernel socket for addresses like this one, nil if there is
// none.
func (s *Socket) familyOf(a netip.Addr) *family {
	if a.Is6() {
		return s.v6
	}
	return s.v4
}
