package nat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"qft/internal/udp"
)

// Kind says how a peer came to know an address.
type Kind byte

// The values travel in candidate lists.
const (
	Host          Kind = 1 // of an interface of the peer's machine
	Reflexive     Kind = 2 // as the helper saw it, outside of the peer's NATs
	PeerReflexive Kind = 3 // learned from a probe that came from it
	Mapped        Kind = 4 // opened for the peer by its router (PCP, UPnP)

	// The same for TCP. An Agent leaves them alone.
	TCPHost      Kind = 5
	TCPReflexive Kind = 6
	TCPMapped    Kind = 7

	Predicted Kind = 8 // where a fresh socket of the peer will be seen from outside, see Prepare
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
	case TCPHost:
		return "TCP host"
	case TCPReflexive:
		return "TCP reflexive"
	case TCPMapped:
		return "TCP mapped"
	case Predicted:
		return "predicted"
	}
	return fmt.Sprintf("kind %d", byte(k))
}

// trust orders kinds for an address named more than once: a reflexive address
// that is also a host's own means that there is no NAT. It is negative for what
// is no kind.
func (k Kind) trust() int {
	return slices.Index([]Kind{PeerReflexive, Predicted, Reflexive, Mapped, Host, TCPReflexive, TCPMapped, TCPHost}, k)
}

// ofHost reports whether the address is one of the peer's interfaces.
func (k Kind) ofHost() bool { return k == Host || k == TCPHost }

// TCP reports whether the address is one of TCP.
func (k Kind) TCP() bool { return k >= TCPHost && k <= TCPMapped }

// Candidate is an address under which a peer may be reached.
type Candidate struct {
	Kind Kind
	Addr netip.AddrPort
}

// Flags are said of a side as a whole.
type Flags byte

// NoUDP: this side cannot use UDP.
const NoUDP Flags = 0x01

// List is what one peer tells the other of its network.
type List struct {
	Candidates []Candidate
	Profile    Profile
	Flags      Flags

	// Fresh are the sockets behind the predicted addresses of one's own list,
	// in their order. It does not travel.
	Fresh []udp.Local
}

const (
	// maxCandidates bounds a list on the wire and the addresses probed because
	// a list named them.
	maxCandidates = 48

	// maxRemote bounds what is remembered of what lists have named.
	maxRemote = 4 * maxCandidates

	profileSize = 10 // bytes behind the candidates
)

// AppendCandidates appends the list in the layout of the package comment, 971
// bytes at most. Addresses that ParseCandidates would refuse, repetitions,
// and whatever is beyond the first 48 are left out; hosts first, of which a
// machine with many bridges has dozens.
func AppendCandidates(b []byte, l List) []byte {
	list := clean(l.Candidates)
	if len(list) > maxCandidates {
		seen := func(c Candidate) bool { return !c.Kind.ofHost() }
		list = append(filter(list, seen), filter(list, func(c Candidate) bool { return !seen(c) })...)[:maxCandidates]
	}
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
	b = append(b, byte(l.Profile.Mapping))
	b = binary.BigEndian.AppendUint16(b, uint16(l.Profile.Step))
	var ip [4]byte
	if last := unmap(l.Profile.Last); last.Addr().Is4() {
		ip = last.Addr().As4()
	}
	b = append(b, ip[:]...)
	b = binary.BigEndian.AppendUint16(b, l.Profile.Last.Port())
	return append(b, byte(l.Flags))
}

// ParseCandidates reads a whole list. An address that no peer can have
// (multicast, broadcast, unspecified or reserved, port 0), more than 48 of
// them, or a wrong number of bytes behind them are errors: our own lists have
// none, so the peer is broken or hostile. IPv4-mapped IPv6 addresses become
// IPv4. Of the profile, what makes no sense counts as not known; flags that
// this version does not know stay.
func ParseCandidates(b []byte) (l List, err error) {
	if len(b) == 0 {
		return l, errors.New("parsing candidates: empty")
	}
	n, b := int(b[0]), b[1:]
	if n > maxCandidates {
		return l, fmt.Errorf("parsing candidates: %d of them, at most %d allowed", n, maxCandidates)
	}
	list := make([]Candidate, 0, n)
	for i := range n {
		c, size, err := parseCandidate(b)
		if err != nil {
			return l, fmt.Errorf("parsing candidate %d: %w", i, err)
		}
		list, b = append(list, c), b[size:]
	}
	if len(b) != profileSize {
		return l, fmt.Errorf("parsing candidates: %d bytes behind them, want %d", len(b), profileSize)
	}
	return List{Candidates: list, Profile: parseProfile(b), Flags: Flags(b[profileSize-1])}, nil
}

func parseProfile(b []byte) (p Profile) {
	if m := Mapping(b[0]); m <= Random {
		p.Mapping = m
	}
	p.Step = int16(binary.BigEndian.Uint16(b[1:]))
	if p.Mapping == Sequential && (p.Step == 0 || p.Step > largestStep || p.Step < -largestStep) {
		p.Mapping = MappingUnknown // nobody measures such a step
	}
	last := netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[3:7])), binary.BigEndian.Uint16(b[7:]))
	switch {
	case sendable(last):
		p.Last = last
	case p.Mapping.perDestination():
		p.Mapping = MappingUnknown // nothing to guess from
	}
	return p
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
		i := slices.IndexFunc(out, func(o Candidate) bool { return o.Addr == c.Addr && o.Kind.TCP() == c.Kind.TCP() })
		if i < 0 {
			out = append(out, c)
		} else if c.Kind.trust() > out[i].Kind.trust() {
			out[i].Kind = c.Kind
		}
	}
	return out
}

// probed returns the sendable candidates of UDP, each address once.
func probed(list []Candidate) []Candidate {
	return filter(clean(list), func(c Candidate) bool { return !c.Kind.TCP() })
}

// filter returns the candidates that f wants, in their order.
func filter(list []Candidate, f func(Candidate) bool) (out []Candidate) {
	for _, c := range list {
		if f(c) {
			out = append(out, c)
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
