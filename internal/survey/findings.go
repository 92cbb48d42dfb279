package survey

import (
	"net/netip"
	"slices"
	"time"

	"qft/internal/nat"
)

// Answer is what is known of something that may not have been measured.
type Answer uint8

const (
	Unknown Answer = iota
	Yes
	No
)

func answer(yes bool) Answer {
	if yes {
		return Yes
	}
	return No
}

// Findings is what a survey has found so far.
type Findings struct {
	Servers []Server
	V4, V6  Family

	Mapping      nat.Profile // of the IPv4 NAT
	Destinations int         // IPv4 destinations that it follows from
	KeepsPort    Answer      // the outside port is the inside one
	Hairpin      Answer
	Lifetime     Lifetime
}

// Server is one address of a server.
type Server struct {
	Addr   netip.AddrPort
	Helper bool          // it introduces machines to each other
	Ports  []Port        // in the order of asking, the given one first
	RTT    time.Duration // the quickest answer; 0: none
}

// Port is what became of asking at a port.
type Port struct {
	Port     uint16
	Answered bool
}

// Answered reports whether the server has answered at any port.
func (s Server) Answered() bool {
	return slices.ContainsFunc(s.Ports, func(p Port) bool { return p.Answered })
}

// Family is what was found in one version of IP.
type Family struct {
	Local   []netip.Addr   // own addresses that others may reach
	Outside netip.AddrPort // where others see socket 0; zero: nothing has answered
	NAT     Answer         // that is not an own address
	// OtherPorts: packets get in from other ports of a host than the one that
	// was asked.
	OtherPorts Answer
	MTU        int  // the largest IP packet that has arrived at a server; 0: not known
	MTUMost    bool // nothing larger was tried
}

// Lifetime is how long a mapping lives without traffic.
type Lifetime struct {
	AtLeast time.Duration // it has lived so long
	Less    time.Duration // it has not lived so long; 0: not known
}

// Findings returns what is known by now.
func (s *Survey) Findings() Findings {
	f := Findings{V4: s.family(0), V6: s.family(1)}
	for _, m := range s.presence {
		f.Servers = append(f.Servers, s.server(m))
	}
	f.Mapping, f.Destinations = s.profile()
	if f.V4.NAT == Yes {
		f.KeepsPort = answer(f.V4.Outside.Port() == s.cfg.Sockets[0])
	}
	if s.hairpin != nil && s.hairpin.over {
		f.Hairpin = answer(s.hairpin.works)
	}
	for _, l := range s.lives {
		switch {
		case !l.said:
		case l.alive:
			f.Lifetime.AtLeast = max(f.Lifetime.AtLeast, l.idle)
		case f.Lifetime.Less == 0 || l.idle < f.Lifetime.Less:
			f.Lifetime.Less = l.idle
		}
	}
	return f
}

func (s *Survey) server(m *presence) Server {
	v := Server{Addr: m.server, Helper: m.helper}
	for _, a := range s.asks {
		if a.purpose != forReach || a.way.Remote.Addr() != m.server.Addr() {
			continue
		}
		v.Ports = append(v.Ports, Port{a.way.Remote.Port(), a.answered})
		if a.answered && (v.RTT == 0 || a.rtt < v.RTT) {
			v.RTT = a.rtt
		}
	}
	// What it was named with comes first, even if it has been asked under
	// several names.
	slices.SortStableFunc(v.Ports, func(a, b Port) int { return rank(a, m.server) - rank(b, m.server) })
	return v
}

func rank(p Port, named netip.AddrPort) int {
	if p.Port == named.Port() {
		return 0
	}
	return 1
}

func (s *Survey) family(n int) (f Family) {
	for _, ip := range s.cfg.Local {
		if familyOf(ip) == n {
			f.Local = append(f.Local, ip)
		}
	}
	first := s.first(forReach, n)
	if first == nil {
		return f
	}
	f.Outside, f.NAT = first.seen, answer(!s.own(first.seen.Addr()))
	for _, a := range s.asks {
		switch {
		case familyOf(a.way.Remote.Addr()) != n:
		case a.purpose == forFilter && a.over && f.OtherPorts == Unknown:
			f.OtherPorts = s.otherPorts(a)
		case a.purpose == forSize && a.answered:
			mtu := a.size + headers(n)
			f.MTU = max(f.MTU, mtu)
			f.MTUMost = f.MTU == mtus[len(mtus)-1]
		}
	}
	return f
}

func headers(family int) int {
	if family == 0 {
		return headers4
	}
	return headers6
}

// otherPorts draws the conclusion. A server with one port says so, or answers
// from where it was asked; nothing is known then. Silence counts only if the
// server has answered the same socket otherwise.
func (s *Survey) otherPorts(a *ask) Answer {
	heard := slices.ContainsFunc(s.asks, func(o *ask) bool {
		return o.purpose == forSecond && o.answered && o.way == a.way
	})
	switch {
	case a.answered && a.from != a.way.Remote:
		return Yes
	case a.answered || !heard:
		return Unknown
	}
	return No
}
