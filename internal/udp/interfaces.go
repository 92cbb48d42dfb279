package udp

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// Interfaces returns the unicast addresses at which other machines may reach
// this one, IPv4 before IPv6, in order of their numbers. Left out are loopback,
// interfaces that are down or unplugged, and link-local addresses: those of
// IPv6 need a zone that means nothing elsewhere, those of IPv4 (RFC 3927) are
// returned only when there is nothing else, as between two machines on one
// cable.
func Interfaces() ([]netip.Addr, error) {
	list, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("listing network interfaces: %w", err)
	}
	var found []netip.Addr
	for _, ifi := range list {
		if !carries(ifi.Flags) {
			continue
		}
		addrs, err := ifi.Addrs()
		if err != nil {
			continue // it disappeared meanwhile
		}
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok {
				if ip, ok := netip.AddrFromSlice(n.IP); ok {
					found = append(found, ip)
				}
			}
		}
	}
	return usable(found), nil
}

// carries reports whether an interface can exchange packets with others.
func carries(f net.Flags) bool {
	return f&(net.FlagUp|net.FlagRunning) == net.FlagUp|net.FlagRunning && f&net.FlagLoopback == 0
}

// usable returns those addresses that are worth telling to a peer, sorted, each
// once.
func usable(found []netip.Addr) []netip.Addr {
	var good, last []netip.Addr
	for _, ip := range found {
		switch ip = ip.Unmap(); {
		case ip.Is4() && ip.IsLinkLocalUnicast():
			last = append(last, ip)
		case ip.IsGlobalUnicast():
			good = append(good, ip)
		}
	}
	if len(good) == 0 {
		good = last
	}
	slices.SortFunc(good, netip.Addr.Compare)
	return slices.Compact(good)
}

// maxLinkLocals bounds LinkLocals: a machine with many bridges has dozens.
const maxLinkLocals = 4

// LinkLocals returns the IPv6 link-local addresses, with their zones: between
// two machines on one link they work when nothing else does.
func LinkLocals() []netip.Addr {
	var all []netip.Addr
	for _, n := range nets() {
		if !carries(n.Flags) {
			continue
		}
		for _, a := range n.addrs {
			if ip := a.Addr(); ip.Is6() && ip.IsLinkLocalUnicast() && len(all) < maxLinkLocals {
				all = append(all, ip.WithZone(n.Name))
			}
		}
	}
	return all
}
