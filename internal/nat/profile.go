package nat

import "net/netip"

// Mapping is how an IPv4 NAT chooses the outside endpoint of one socket, as far
// as destinations that were asked could tell (RFC 4787 section 4.1).
type Mapping byte

// The values travel in candidate lists.
const (
	MappingUnknown Mapping = 0 // fewer than two destinations have told
	Independent    Mapping = 1 // one outside endpoint, whatever the destination; or no NAT
	Preserving     Mapping = 2 // one per destination; the inside port, where it is free
	Sequential     Mapping = 3 // one per destination, each Step from the one before
	Random         Mapping = 4 // one per destination, no order seen
)

// perDestination reports whether other destinations than those that were asked
// see another outside port.
func (m Mapping) perDestination() bool { return m >= Preserving }

// Profile is what one side's IPv4 NAT does, as far as it has been measured.
type Profile struct {
	Mapping Mapping
	Step    int16          // Sequential: from each new outside port to the next
	Last    netip.AddrPort // the outside endpoint that was seen last; invalid: none
}

// Outside ports that NATs give out, but for those that stay what they are.
const (
	firstPort = 1024
	portCount = 1<<16 - firstPort
)

// nearPorts is how far apart ports in a row may be. Two that are drawn at
// random lie so close once in a thousand.
const nearPorts = 32

// largestStep is the largest step that is believed: a larger one of few ports is
// most likely chance.
const largestStep = 4

// NewProfile judges the NAT in front of a socket on the local port by the
// outside endpoints that destinations saw, one for each destination, in the
// order of asking. What is not IPv4 does not count.
func NewProfile(local uint16, seen []netip.AddrPort) Profile {
	var p Profile
	var ports []int // without repetitions in a row: ports of one host may share a mapping
	asked, preserved, pooled := 0, false, false
	for _, s := range seen {
		s = unmap(s)
		if !s.Addr().Is4() {
			continue
		}
		asked++
		pooled = pooled || p.Last.IsValid() && p.Last.Addr() != s.Addr()
		if s != p.Last {
			ports = append(ports, int(s.Port()))
		}
		preserved = preserved || s.Port() == local
		p.Last = s
	}
	switch {
	case asked < 2:
	case len(ports) == 1:
		p.Mapping = Independent
	case pooled:
		p.Mapping = Random
	case preserved:
		p.Mapping = Preserving
	default:
		p.Mapping = Random
		if p.Step = step16(ports); p.Step != 0 {
			p.Mapping = Sequential
		}
	}
	return p
}

// After is the profile in the light of an earlier one. That a NAT keeps the
// inside port for the first destination can be seen only if the first one is
// asked what it sees: later, when the peer has that mapping, the ports look
// random.
func (p Profile) After(earlier Profile) Profile {
	if p.Mapping == Random && earlier.Mapping == Preserving && earlier.Last.Addr() == p.Last.Addr() {
		p.Mapping = Preserving
	}
	return p
}

// step16 returns the step of ports that follow each other, 0 if they do not.
// Between two of ours others may have been given out, so it is their greatest
// common divisor; that of one difference says nothing, and a large one of few is
// most likely chance.
func step16(ports []int) int16 {
	step := 0
	for i, p := range ports[1:] {
		d := p - ports[i]
		if d > portCount/2 {
			d -= portCount // it went round
		} else if d < -portCount/2 {
			d += portCount
		}
		if d < -nearPorts || d > nearPorts || d*step < 0 {
			return 0
		}
		step = gcd(step, d)
	}
	if len(ports) == 2 || step > largestStep || step < -largestStep {
		step = max(-1, min(1, step))
	}
	return int16(step)
}

// gcd has the sign of b.
func gcd(a, b int) int {
	if b < 0 {
		return -gcd(-a, -b)
	}
	for a = max(a, -a); a != 0; {
		a, b = b%a, a
	}
	return b
}

// nth is the n-th outside port that a sequential NAT gives out after Last.
func (p Profile) nth(n int) netip.AddrPort {
	i := (int(p.Last.Port()) - firstPort + n*int(p.Step)) % portCount
	if i < 0 {
		i += portCount
	}
	return netip.AddrPortFrom(p.Last.Addr(), uint16(firstPort+i))
}
