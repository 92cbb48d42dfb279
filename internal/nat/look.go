package nat

import (
	"net/netip"
	"slices"
)

// Look is what a side's NAT looks like, from what was seen and no more.
type Look string

const (
	// Unknown: nobody told this side's outside address.
	Unknown Look = "not known"
	// NoNAT: seen from outside under the address of an interface.
	NoNAT Look = "no NAT"
	// KeepsPort: another address outside, the same port, one mapping seen.
	KeepsPort Look = "NAT keeps the port"
	// ChangesPort: another address and port outside, one mapping seen; it
	// may or may not depend on the destination.
	ChangesPort Look = "NAT changes the port"
	// PerDestination: different destinations saw different ports, address-
	// or port-dependent mapping in the terms of RFC 4787 section 4.1.
	PerDestination Look = "NAT maps differently per destination (symmetric)"
	// SeveralAddresses: different destinations saw different addresses:
	// several uplinks, or a NAT with a pool.
	SeveralAddresses Look = "leaves through several addresses"
)

// look judges a NAT by a side's own addresses and those under which it was
// seen from outside, all of one family and of one socket.
func look(hosts, outside []netip.AddrPort) Look {
	var mapped []netip.AddrPort
	for _, o := range outside {
		if !slices.Contains(hosts, o) && !slices.Contains(mapped, o) {
			mapped = append(mapped, o)
		}
	}
	switch {
	case len(outside) == 0 || len(hosts) == 0:
		return Unknown
	case len(mapped) == 0:
		return NoNAT
	case len(mapped) == 1 && slices.ContainsFunc(hosts, func(h netip.AddrPort) bool { return h.Port() == mapped[0].Port() }):
		return KeepsPort
	case len(mapped) == 1:
		return ChangesPort
	}
	for i, m := range mapped {
		if slices.ContainsFunc(mapped[:i], func(o netip.AddrPort) bool { return o.Addr() == m.Addr() }) {
			return PerDestination
		}
	}
	return SeveralAddresses
}

// maxSeen bounds the own outside addresses that are remembered.
const maxSeen = 8

// observe notes the address under which the peer saw this side, if the path
// leads through the internet: in one LAN, or behind one router of a chain,
// the peer sees what nobody else does.
func (a *Agent) observe(p *pair, own netip.AddrPort) {
	if !own.IsValid() || !p.class.public() || !classify(nil, Candidate{Reflexive, own}).public() {
		return
	}
	if !slices.Contains(a.seen, own) && len(a.seen) < maxSeen {
		a.seen = append(a.seen, own)
	}
}
