package nat

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Report is what the search has seen in the current generation.
type Report struct {
	Searched time.Duration // since the first address of the peer was known, or the restart
	Path     *Path         // nil: none
	Own      Side
	Peer     Side
	Tried    []Tried // every address of the peer, in the order learned
	Guesses  Guesses // beside these
}

// Guesses is what was sent to ports that nobody had told.
type Guesses struct {
	Sockets int // opened for it
	Probes  int
}

// Side is what is known of one peer's network.
type Side struct {
	NoUDP   bool // none gets out, as far as this side could see
	V4, V6  Network
	Profile Profile // of the IPv4 NAT, as it was measured
}

// Network is one address family of a Side.
type Network struct {
	NoSocket bool             // this side cannot use the family; never set for the peer
	Hosts    []netip.AddrPort // addresses of interfaces
	Outside  []netip.AddrPort // as the helper, or the other peer across the internet, saw them
	Look     Look
}

// Tried is what happened with one address of the peer.
type Tried struct {
	Remote       Candidate
	Via          string // class, as in Path
	Skipped      string // why it was not probed; empty: it was
	Sent         int    // pings
	SentFull     int    // of these, 1,200-byte ones
	Answered     int    // pongs
	AnsweredFull int    // of these, 1,200-byte ones
	Heard        int    // pings of the peer from there
}

// Failure is a search that found no path in time. It is an error.
type Failure struct {
	Report Report
}

// Error returns the report in a few lines.
func (f *Failure) Error() string { return f.Report.String() }

// Failed returns nil while a path is there or the timeout has not passed. A
// failure is not the end: the agent goes on, and a peer who turns up later is
// found.
func (a *Agent) Failed(now time.Time) *Failure {
	a.advance(now)
	if !a.late() {
		return nil
	}
	return &Failure{a.Report(now)}
}

// Report returns what has been seen so far.
func (a *Agent) Report(now time.Time) Report {
	a.advance(now)
	r := Report{Own: a.ownSide(), Peer: a.peerSide()}
	if !a.round.began.IsZero() {
		r.Searched = a.now.Sub(a.round.began)
	}
	if p, ok := a.Best(); ok {
		r.Path = &p
	}
	r.Guesses = Guesses{Sockets: a.guess.sockets + len(a.cfg.Local.Fresh), Probes: a.guess.probes}
	for _, p := range a.pairs {
		r.Tried = append(r.Tried, Tried{
			Remote: p.Candidate, Via: p.class.String(), Skipped: p.skip,
			Sent: p.count.sent, SentFull: p.count.sentFull,
			Answered: p.count.answered, AnsweredFull: p.count.answeredFull,
			Heard: p.count.heard,
		})
	}
	return r
}

func (a *Agent) ownSide() Side {
	s := newSide(a.cfg.Local.Candidates, a.seen)
	s.measured(a.ownProfile())
	s.V4.NoSocket, s.V6.NoSocket = !a.cfg.V4, !a.cfg.V6
	s.NoUDP = a.cfg.Local.Flags&NoUDP != 0
	return s
}

func (a *Agent) peerSide() Side {
	var list []Candidate
	var seen []netip.AddrPort
	for _, p := range a.pairs {
		if !p.learned {
			list = append(list, p.Candidate)
		}
		if p.count.heard > 0 && p.class.public() {
			seen = append(seen, p.Addr)
		}
	}
	s := newSide(list, seen)
	s.NoUDP = a.flags&NoUDP != 0
	s.measured(a.peerProfile())
	return s
}

// measured adds what was measured of the IPv4 NAT.
func (s *Side) measured(p Profile) {
	s.Profile = p
	if p.Mapping.perDestination() {
		s.V4.Look = PerDestination
	}
}

func newSide(own []Candidate, seen []netip.AddrPort) Side {
	var s Side
	of := func(a netip.AddrPort) *Network {
		if a.Addr().Is4() {
			return &s.V4
		}
		return &s.V6
	}
	for _, c := range own {
		switch n := of(c.Addr); c.Kind {
		case Host:
			n.Hosts = append(n.Hosts, c.Addr)
		case Reflexive:
			n.Outside = append(n.Outside, c.Addr)
		}
	}
	for _, o := range seen {
		if n := of(o); !slices.Contains(n.Outside, o) {
			n.Outside = append(n.Outside, o)
		}
	}
	s.V4.Look, s.V6.Look = look(s.V4.Hosts, s.V4.Outside), look(s.V6.Hosts, s.V6.Outside)
	return s
}

// String returns a few lines for people.
func (r Report) String() string {
	var b strings.Builder
	var sent, answered int
	for _, t := range r.Tried {
		sent += t.Sent
		answered += t.Answered
	}
	if r.Path != nil {
		fmt.Fprintf(&b, "connected to %v (%s, %v)", r.Path.Way, r.Path.Via, r.Path.RTT.Round(time.Millisecond/10))
	} else {
		fmt.Fprintf(&b, "no path found in %v", r.Searched.Round(time.Second/10))
	}
	fmt.Fprintf(&b, ": %d addresses of the peer known, %d probes sent, %d answered", len(r.Tried), sent, answered)
	fmt.Fprintf(&b, "\nthis side: %v", r.Own)
	fmt.Fprintf(&b, "\nthe peer:  %v", r.Peer)
	if r.Path == nil {
		if g := r.Guesses; g.Probes > 0 {
			fmt.Fprintf(&b, "\n%d probes to guessed ports, with %d more sockets", g.Probes, g.Sockets)
		}
		for _, t := range r.nearest() {
			fmt.Fprintf(&b, "\n%v (%v, %s): %s", t.Remote.Addr, t.Remote.Kind, t.Via, t.Verdict())
		}
		for _, h := range r.Hints() {
			fmt.Fprintf(&b, "\n%s", h)
		}
	}
	return b.String()
}

// nearest returns the addresses that came furthest, at most three.
func (r Report) nearest() []Tried {
	list := slices.Clone(r.Tried)
	slices.SortStableFunc(list, func(a, b Tried) int {
		for _, d := range []int{b.AnsweredFull - a.AnsweredFull, b.Answered - a.Answered, b.Heard - a.Heard, b.Sent - a.Sent} {
			if d != 0 {
				return d
			}
		}
		return 0
	})
	return list[:min(len(list), 3)]
}

// String describes both families in one line.
func (s Side) String() string {
	text := "IPv4 " + s.V4.String()
	if s.V4.Look == PerDestination {
		text += s.Profile.Mapping.ports()
	}
	text += "; IPv6 " + s.V6.String()
	if s.NoUDP {
		text += "; no UDP gets out"
	}
	return text
}

// ports says which ones a NAT gives out that gives many.
func (m Mapping) ports() string {
	switch m {
	case Preserving:
		return ", the inside port where it is free"
	case Sequential:
		return ", one port after the other"
	case Random:
		return ", ports at random"
	}
	return ""
}

// String describes the network in a few words.
func (n Network) String() string {
	switch {
	case n.NoSocket:
		return "not usable"
	case len(n.Hosts)+len(n.Outside) == 0:
		return "none known"
	}
	s := join(n.Hosts)
	if s == "" {
		s = "own address not known"
	}
	if len(n.Outside) > 0 && n.Look != NoNAT {
		s += ", from outside " + join(n.Outside)
	}
	if n.Look == Unknown {
		return s + ", NAT not known"
	}
	return s + ", " + string(n.Look)
}

// join lists the first few addresses: a machine with many bridges has dozens.
func join(list []netip.AddrPort) string {
	const most = 4
	var words []string
	for _, a := range list[:min(len(list), most)] {
		words = append(words, a.String())
	}
	if n := len(list) - most; n > 0 {
		words = append(words, fmt.Sprintf("and %d more", n))
	}
	return strings.Join(words, " ")
}

// Verdict says in a few words how far the address got.
func (t Tried) Verdict() string {
	switch {
	case t.Skipped != "":
		return "not tried: " + t.Skipped
	case t.AnsweredFull > 0:
		return "1,200-byte packets pass, but the peer has not confirmed it"
	case t.thin():
		return "small packets pass, 1,200-byte ones do not"
	case t.Answered > 0:
		return "small packets pass, 1,200-byte ones have not so far"
	case t.Heard > 0:
		return "heard from the peer, but our probes were not answered"
	}
	return "no answer"
}

// thin reports whether the path carries small packets only: six full pings
// without an answer are no accident of loss (1 in 400 with 20 % both ways).
func (t Tried) thin() bool { return t.Answered > 0 && t.AnsweredFull == 0 && t.SentFull >= 6 }

// Hints says what would help, as far as what was seen allows to say.
func (r Report) Hints() []string {
	var h []string
	add := func(is bool, text string) {
		if is {
			h = append(h, text)
		}
	}
	if r.Apart() {
		return []string{"this side has " + r.Own.only() + " only and the peer " + r.Peer.only() + " only: a network that has both (a phone's hotspot, often) helps, for either"}
	}
	heard, thin := false, false
	for _, t := range r.Tried {
		heard = heard || t.Heard > 0 || t.Answered > 0
		thin = thin || t.thin()
	}
	own, peer := r.Own.V4.Look == PerDestination, r.Peer.V4.Look == PerDestination
	shared := slices.ContainsFunc(r.Own.V4.Outside, func(o netip.AddrPort) bool {
		return slices.ContainsFunc(r.Peer.V4.Outside, func(p netip.AddrPort) bool { return o.Addr() == p.Addr() })
	})
	add(thin, "a VPN, tunnel or link on the way has too small an MTU: switch it off, or let it carry 1,280 bytes")
	both := own && peer
	add(both, "the NATs of both sides give every destination another port, and two that change cannot be guessed at once: a port opened in either router, IPv6 on both sides, or another network (a phone's hotspot) for one of them helps")
	add(own && !both, "this side's NAT gives every destination another port"+r.guessed()+": a port opened in the router, IPv6, or another network (a phone's hotspot) helps")
	add(peer && !both, "the peer's NAT gives every destination another port"+r.guessed()+": a port opened in its router, IPv6, or another network (a phone's hotspot) helps")
	add(!heard && shared, "both sides share one outside address, and the router keeps them apart: is one of them in a guest network?")
	blocked := r.Own.NoUDP || r.Peer.NoUDP
	add(r.Own.NoUDP, "this side's network lets no UDP out, and TCP between the two did not get through: another network (a phone's hotspot) helps, or a port opened in either router")
	add(r.Peer.NoUDP, "the peer's network lets no UDP out, and TCP between the two did not get through: another network there (a phone's hotspot) helps, or a port opened in either router")
	add(!heard && !blocked && !shared && !own && !peer, "nothing at all came from the peer: it may have stopped, or UDP may be blocked on either side")
	add(!heard && !blocked && len(r.Own.V4.Outside)+len(r.Own.V6.Outside) == 0, "no outside address of this side is known: is UDP allowed out of this network?")
	return h
}

// Apart reports whether the two have no address family in common.
func (r Report) Apart() bool {
	own, peer := r.Own.only(), r.Peer.only()
	return own != "" && peer != "" && own != peer
}

// only returns the one address family in which a side can be reached from
// elsewhere, empty if it is both or neither.
func (s Side) only() string {
	switch v4, v6 := s.V4.global(), s.V6.global(); {
	case v4 && !v6:
		return "IPv4"
	case v6 && !v4:
		return "IPv6"
	}
	return ""
}

// global reports whether there is an address that is good for more than one link.
func (n Network) global() bool {
	beyond := func(a netip.AddrPort) bool { return !a.Addr().IsLinkLocalUnicast() && !a.Addr().IsLoopback() }
	return !n.NoSocket && (len(n.Outside) > 0 || slices.ContainsFunc(n.Hosts, beyond))
}

// guessed says that it was tried to find the port.
func (r Report) guessed() string {
	if r.Guesses.Probes == 0 {
		return ""
	}
	return ", and the right one was not among those that were tried (another time it may be)"
}
