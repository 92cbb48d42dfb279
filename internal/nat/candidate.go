package nat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// Kind says how a peer came to know an address.
type Kind byte

// The values travel in candidate lists.
const (
	Host          Kind = 1 // of an interface of the peer's machine
	Reflexive     Kind = 2 // as the helper saw it, outside of the peer's NATs
	PeerReflexive Kind = 3 // learned from a probe that came from it
	Mapped        Kind = 4 // opened for the peer by its router (PCP, UPnP)
)

// String returns the word for a report.
func (k Kind) String() string {
	switch k {
	case Host:
		return "host"
	case Reflexive:
		return "reflexive"
	case PeerReflexive:
		return "peer-reflexive"
	case Mapped:
		return "mapped"
	}
	return fmt.Sprintf("kind %d", byte(k))
}

// trust orders kinds for an address named more than once: a reflexive address
// that is also a host's own means that there is no NAT.
func (k Kind) trust() int {
	return slices.Index([]Kind{PeerReflexive, Reflexive, Mapped, Host}, k)
}

// Candidate is an address under which a peer may be reached.
type Candidate struct {
	Kind Kind
	Addr netip.AddrPort
}

// maxCandidates bounds a list on the wire and the addresses probed because a
// list named them.
const maxCandidates = 32

// AppendCandidates appends the list in the layout of the package comment, 641
// bytes at most. Addresses that ParseCandidates would refuse, repetitions,
// and whatever is beyond the first 32 are left out.
func AppendCandidates(b []byte, list []Candidate) []byte {
	list = clean(list)
	list = list[:min(len(list), maxCandidates)]
	b = append(b, byte(len(list)))
	for _, c := range list {
		family := byte(6)
		if c.Addr.Addr().Is4() {
			family = 4
		}
		b = append(b, byte(c.Kind), family)
		b = append(b, c.Addr.Addr().AsSlice()...)
		b = binary.BigEndian.AppendUint16(b, c.Addr.Port())
	}
	return b
}

// ParseCandidates reads a whole list. An address that no peer can have
// (multicast, broadcast, unspecified or reserved, port 0), more than 32 of
// them, or bytes behind the list are errors: our own lists have none, so the
// peer is broken or hostile. IPv4-mapped IPv6 addresses become IPv4.
func ParseCandidates(b []byte) ([]Candidate, error) {
	if len(b) == 0 {
		return nil, errors.New("parsing candidates: empty")
	}
	n, b := int(b[0]), b[1:]
	if n > maxCandidates {
		return nil, fmt.Errorf("parsing candidates: %d of them, at most %d allowed", n, maxCandidates)
	}
	list := make([]Candidate, 0, n)
	for i := range n {
		c, size, err := parseCandidate(b)
		if err != nil {
			return nil, fmt.Errorf("parsing candidate %d: %w", i, err)
		}
		list, b = append(list, c), b[size:]
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("parsing candidates: %d bytes too many", len(b))
	}
	return list, nil
}

func parseCandidate(b []byte) (c Candidate, size int, err error) {
	if len(b) < 2 {
		return c, 0, errors.New("cut short")
	}
	switch c.Kind = Kind(b[0]); {
	case c.Kind.trust() < 0:
		return c, 0, fmt.Errorf("unknown kind %d", b[0])
	case b[1] == 4:
		size = 2 + 4 + 2
	case b[1] == 6:
		size = 2 + 16 + 2
	default:
		return c, 0, fmt.Errorf("unknown family %d", b[1])
	}
	if len(b) < size {
		return c, 0, errors.New("cut short")
	}
	ip, _ := netip.AddrFromSlice(b[2 : size-2])
	c.Addr = unmap(netip.AddrPortFrom(ip, binary.BigEndian.Uint16(b[size-2:])))
	if !sendable(c.Addr) {
		return c, 0, fmt.Errorf("%v is no address of a peer", c.Addr)
	}
	return c, size, nil
}

// clean returns the sendable candidates, each address once, under the kind
// that says most about it.
func clean(list []Candidate) []Candidate {
	out := make([]Candidate, 0, len(list))
	for _, c := range list {
		c.Addr = unmap(c.Addr)
		if c.Kind.trust() < 0 || !sendable(c.Addr) {
			continue
		}
		i := slices.IndexFunc(out, func(o Candidate) bool { return o.Addr == c.Addr })
		if i < 0 {
			out = append(out, c)
		} else if c.Kind.trust() > out[i].Kind.trust() {
			out[i].Kind = c.Kind
		}
	}
	return out
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// sendable reports whether a single host may have the address. What is
// refused would turn one probe into many (multicast, broadcast) or into an
// error: 0.0.0.0/8 and 240.0.0.0/4 are not for use (RFC 6890 section 2.2.2).
// Loopback stays: two peers on one machine may have nothing else.
func sendable(a netip.AddrPort) bool {
	ip := a.Addr()
	if !ip.IsValid() || ip.Is4In6() || a.Port() == 0 || ip.IsUnspecified() || ip.IsMulticast() {
		return false
	}
	if ip.Is4() {
		first := ip.As4()[0]
		return first != 0 && first < 240
	}
	return true
}
