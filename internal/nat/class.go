package nat

import (
	"net/netip"
	"slices"
	"time"
)

// class is what a path is expected to be like, judged by the peer's address.
// The order is the order of preference.
type class int

const (
	thisMachine class = iota // loopback, or an address that is ours too
	lan                      // private or link-local: no NAT between
	ipv6                     // global IPv6: firewalls perhaps, rarely a NAT
	direct                   // public IPv4 of the peer's own interface
	mapped                   // a port that the peer's router forwards
	punched                  // a mapping in the peer's NAT, kept by traffic
	carrier                  // 100.64.0.0/10 (RFC 6598): a carrier's NAT, or a VPN
	tcp                      // a line: what is lost delays all behind it
)

// String returns the word for people.
func (c class) String() string {
	return [...]string{"this machine", "LAN", "IPv6", "IPv4", "mapped", "punched", "carrier or VPN", "TCP"}[c]
}

// cost makes pairs comparable; lower is better. A step of class is worth
// 10 ms and a tenth of the round trip: enough to outweigh the noise of two
// measurements, little enough that a LAN address routed through a far VPN
// loses to the straight path. TCP is for where nothing else works.
func (c class) cost(rtt time.Duration) cost {
	rank := time.Duration(c)
	sum := rtt*(10+rank)/10 + rank*10*time.Millisecond
	if c == tcp {
		sum += time.Minute
	}
	return cost(sum)
}

// cost is what makes paths comparable: a round trip, and what the class adds.
type cost time.Duration

// replaces reports whether a path of cost c is worth a change from one of the
// other cost.
func (c cost) replaces(other cost) bool { return c*5/4+switchMargin < other }

// classify judges a remote candidate. The peer naming an address of ours is
// most likely on this machine; if it is not (every machine may have a bridge
// at 172.17.0.1), the probe finds nobody with our key, and costs nothing.
func classify(own []Candidate, c Candidate) class {
	ip := c.Addr.Addr()
	carrierSpace := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64}), 10)
	switch {
	case ip.IsLoopback(), slices.ContainsFunc(own, func(o Candidate) bool {
		return o.Kind == Host && o.Addr.Addr() == ip
	}):
		return thisMachine
	case ip.IsPrivate(), ip.IsLinkLocalUnicast():
		return lan
	case ip.Is6():
		return ipv6
	case carrierSpace.Contains(ip):
		return carrier
	case c.Kind == Host:
		return direct
	case c.Kind == Mapped:
		return mapped
	}
	return punched
}

// public reports whether the path leaves the local network, so that a NAT in
// between would show.
func (c class) public() bool { return c >= ipv6 && c < carrier }
