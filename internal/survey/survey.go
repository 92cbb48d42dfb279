package survey

import (
	"io"
	"net/netip"
	"slices"
	"time"

	"qft/internal/nat"
	"qft/internal/rendezvous"
	"qft/internal/stun"
	"qft/internal/udp"
)

// Ports are asked of every server beside the one it was named with: those
// that strict networks tend to let out, and qft's own.
var Ports = []uint16{53, 123, 443, 4277}

const (
	// maxServers bounds the addresses asked.
	maxServers = 8

	// maxAsks bounds the requests, of which servers that name further ports
	// cause some.
	maxAsks = 128

	// meetTime is how long a server that has answered may take to show that it
	// is a helper: at 5 % loss both of two requests and answers are lost once
	// in a hundred times.
	meetTime = 6 * time.Second

	headers4 = 28 // IPv4 and UDP
	headers6 = 48 // IPv6 and UDP

	batchSize = 64 << 10
)

// mtus are tried, in bytes of the IP packet: what qft needs at least, and
// what usual links carry: IPv6's least, tunnels and mobile networks, PPPoE,
// Ethernet.
var mtus = []int{1228, 1280, 1400, 1420, 1440, 1452, 1480, 1492, 1500}

// mtus6 leave out what IPv6 does not know.
var mtus6 = mtus[1:]

// Config is what to survey, from where.
type Config struct {
	// Servers are addresses with the port given; the first 8 count.
	Servers []netip.AddrPort

	// Local are the addresses of this machine's interfaces, and Sockets the
	// ports of its sockets, in the order of their Locals: two, and one for each
	// of Idle. The families are those that the sockets have.
	Local   []netip.Addr
	Sockets []uint16
	V4, V6  bool

	// Idle are times for which a mapping is left alone.
	Idle []time.Duration

	Rand io.Reader
}

// Survey is the machine.
type Survey struct {
	cfg      Config
	now      time.Time
	asks     []*ask
	followed []netip.Addr // hosts that were asked what else they can show
	presence []*presence
	hairpin  *hairpin
	lives    []*life
	scratch  *udp.Batch
}

// presence is whether a server is a helper.
type presence struct {
	member
	server netip.AddrPort
	began  time.Time
	until  time.Time
	helper bool
}

// New returns a survey that begins with the first Send.
func New(now time.Time, cfg Config) *Survey {
	s := &Survey{cfg: cfg, now: now, scratch: udp.NewBatch(batchSize)}
	for _, at := range cfg.Servers {
		if !s.has(at.Addr()) || len(s.presence) == maxServers {
			continue
		}
		for _, port := range append([]uint16{at.Port()}, Ports...) {
			to := netip.AddrPortFrom(at.Addr(), port)
			if !s.asked(to) {
				s.ask(&ask{purpose: forReach, way: udp.To(to)})
			}
		}
		s.meet(now, at)
	}
	return s
}

// meet joins a room of its own at a server: only a helper lets it in.
func (s *Survey) meet(now time.Time, at netip.AddrPort) {
	var name [16]byte
	fill(s.cfg.Rand, name[:])
	c := rendezvous.NewClient(rendezvous.ClientConfig{
		Servers: []netip.AddrPort{at}, Ports: Ports, Room: rendezvous.PrivateRoom(name), Role: rendezvous.Sender, Rand: s.cfg.Rand,
	})
	s.presence = append(s.presence, &presence{member: member{c, 0}, server: at, began: now, until: now.Add(askTime)})
}

func (s *Survey) has(ip netip.Addr) bool {
	return ip.Is4() && s.cfg.V4 || ip.Is6() && !ip.Is4In6() && s.cfg.V6
}

func (s *Survey) ask(a *ask) {
	a.tx = s.tx()
	s.asks = append(s.asks, a)
}

func (s *Survey) tx() (tx stun.Tx) {
	fill(s.cfg.Rand, tx[:])
	return tx
}

// Receive takes a packet that arrived.
func (s *Survey) Receive(now time.Time, p udp.Packet) {
	s.now = now
	p.Path = p.Path.Unmap()
	s.hairpin.receive(p)
	if tx, seen, ok := stun.ParseResponse(p.Data); ok {
		for _, a := range s.asks {
			if a.receive(now, p.Path, tx, seen) {
				s.onAnswer(now, a)
				break
			}
		}
		return
	}
	for _, m := range s.presence {
		m.receive(now, p)
	}
	for _, l := range s.lives {
		l.receive(now, p)
	}
}

// onAnswer begins what needs a server that answers.
func (s *Survey) onAnswer(now time.Time, a *ask) {
	family := familyOf(a.way.Remote.Addr())
	for _, m := range s.presence {
		if a.purpose == forReach && a.way.Remote.Addr() == m.server.Addr() {
			m.until = m.began.Add(meetTime)
		}
	}
	switch {
	case a.purpose == forReach && a.seen.IsValid() && !slices.Contains(s.followed, a.way.Remote.Addr()):
		s.follow(a.way.Remote)
	case a.purpose == forSecond && family == 0 && s.hairpin == nil:
		first := s.first(forReach, 0)
		if first != nil && a.seen.IsValid() && !s.own(first.seen.Addr()) {
			s.hairpin = newHairpin(s.tx(), now, first.seen, a.seen)
		}
	}
}

func familyOf(ip netip.Addr) int {
	if ip.Is4() {
		return 0
	}
	return 1
}

// follow asks a server that has answered for all else that it can show. Socket 1
// asks one port of a host only: the others are those from which packets may get
// in that were not asked for.
func (s *Survey) follow(server netip.AddrPort) {
	first := !slices.ContainsFunc(s.followed, func(ip netip.Addr) bool { return familyOf(ip) == familyOf(server.Addr()) })
	s.followed = append(s.followed, server.Addr())
	s.ask(&ask{purpose: forSecond, way: udp.Path{Local: 1, Remote: server}})
	s.ask(&ask{purpose: forFilter, way: udp.Path{Local: 1, Remote: server}})
	if !first {
		return
	}
	sizes, headers := mtus, headers4
	if server.Addr().Is6() {
		sizes, headers = mtus6, headers6
	}
	for _, mtu := range sizes {
		s.ask(&ask{purpose: forSize, way: udp.To(server), size: mtu - headers})
	}
}

// sleep begins to measure how long mappings live, by the first helper, at the
// port where it has answered.
func (s *Survey) sleep(now time.Time, m *presence) {
	seen := m.Observed()
	if !m.helper || len(seen) == 0 || len(s.lives) > 0 {
		return
	}
	for i, idle := range s.cfg.Idle {
		if 2+i < len(s.cfg.Sockets) {
			s.lives = append(s.lives, newLife(now, idle, seen[0].Server, udp.Local(2+i), s.cfg.Rand))
		}
	}
}

// first is the first request of a purpose and family that was answered with an
// address, in the order of asking.
func (s *Survey) first(why purpose, family int) *ask {
	for _, a := range s.asks {
		if a.purpose == why && a.answered && a.seen.IsValid() && familyOf(a.way.Remote.Addr()) == family {
			return a
		}
	}
	return nil
}

// own reports whether an address is of an interface: there is no NAT then.
func (s *Survey) own(ip netip.Addr) bool {
	return ip.IsLoopback() || slices.Contains(s.cfg.Local, ip)
}

// Send appends what should leave now.
func (s *Survey) Send(now time.Time, b *udp.Batch) {
	s.now = now
	for _, a := range s.asks {
		if !a.send(now, b) {
			return
		}
	}
	s.hairpin.send(now, b)
	for _, m := range s.presence {
		m.step(now)
		s.learn(m)
		s.sleep(now, m)
		m.send(now, b, s.scratch)
	}
	for _, l := range s.lives {
		l.send(now, b, s.scratch)
	}
}

// learn asks at further ports that a helper has named.
func (s *Survey) learn(m *presence) {
	for _, o := range m.Observed() {
		if len(s.asks) < maxAsks && !s.asked(o.Server) {
			s.ask(&ask{purpose: forReach, way: udp.To(o.Server)})
		}
	}
}

func (s *Survey) asked(to netip.AddrPort) bool {
	return slices.ContainsFunc(s.asks, func(a *ask) bool { return a.purpose == forReach && a.way.Remote == to })
}

// step leaves the room once the server has shown what it is.
func (m *presence) step(now time.Time) {
	for e, ok := m.Next(); ok; e, ok = m.Next() {
		// One that refuses, or speaks another version, is a helper too.
		m.helper = m.helper || e.Kind == rendezvous.Joined || e.Kind == rendezvous.Refused && e.Err != rendezvous.ErrGarbled
	}
	if m.helper || !now.Before(m.until) {
		m.Leave()
	}
}

// Deadline is when Send has something to do.
func (s *Survey) Deadline() time.Time {
	var d time.Time
	for _, a := range s.asks {
		if !a.over {
			at := a.deadline()
			if at.IsZero() {
				at = s.now
			}
			d = earlier(d, at)
		}
	}
	if s.hairpin != nil && !s.hairpin.over {
		d = earlier(d, s.hairpin.due)
	}
	for _, m := range s.presence {
		if !m.Done() {
			d = earlier(d, earlier(m.until, m.deadline()))
		}
	}
	for _, l := range s.lives {
		if !l.done() {
			d = earlier(d, l.deadline())
		}
	}
	return d
}

// Done reports whether everything has been measured.
func (s *Survey) Done() bool { return s.Quick() && s.lived() }

// Quick reports whether everything has been measured but what takes long: how
// long a mapping lives.
func (s *Survey) Quick() bool {
	for _, a := range s.asks {
		if !a.over {
			return false
		}
	}
	for _, m := range s.presence {
		if !m.Done() {
			return false
		}
	}
	return s.hairpin == nil || s.hairpin.over
}

func (s *Survey) lived() bool {
	return !slices.ContainsFunc(s.lives, func(l *life) bool { return !l.done() })
}

// profile is what the IPv4 NAT does.
func (s *Survey) profile() (nat.Profile, int) {
	var seen []netip.AddrPort
	for _, a := range s.asks {
		if a.purpose == forReach && a.answered && a.seen.IsValid() && a.way.Remote.Addr().Is4() {
			seen = append(seen, a.seen)
		}
	}
	if len(s.cfg.Sockets) == 0 {
		return nat.Profile{}, len(seen)
	}
	return nat.NewProfile(s.cfg.Sockets[0], seen), len(seen)
}
