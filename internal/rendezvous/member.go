package rendezvous

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"qft/internal/udp"
)

const (
	expiry      = 60 * time.Second // of a member that is silent
	pushWait    = 150 * time.Millisecond
	pushMaxWait = 5 * time.Second
	pushTries   = 8 // then the member's next join, or the author, tries again
)

// caller is who sent a packet: the way on which answers go, and the address of
// its machine, which is another where a proxy stands between.
type caller struct {
	path udp.Path
	addr netip.AddrPort
}

// member is one client in one room, or one that left (room is nil): it is
// remembered until its last joins, should they still be under way, are stale.
// Millions of them wait at a busy helper: the struct has 128 bytes, and what few
// of them have is in more.
type member struct {
	id     ID
	token  token
	room   *room
	next   *member // in its role, in the order of entering
	src    *source
	more   *more
	heard  instant
	timer  instant // when it is looked at again
	roster push    // telling it of the other side
	req    uint32  // latest join
	born   uint32
	seen   uint32 // version of the other side that it confirmed
	index  int32  // in timers
	at     place
	role   Role
	flags  flags
}

type flags byte

const (
	guessed  flags = 1 << iota // it came to a number that nobody held
	outlived                   // it waited for too long, and its joins are refused
	ousted                     // another has its seat, and its joins are refused
)

// more is what a member has that writes, is written to, or comes by a proxy.
type more struct {
	held  held
	spent int            // bytes of notes that it has sent
	addr  netip.AddrPort // if it is not that of the path
}

// extra returns what m has more, to be written to.
func (m *member) extra() *more {
	if m.more == nil {
		m.more = &more{}
	}
	return m.more
}

// held is the notes to m.
func (m *member) held() held {
	if m.more == nil {
		return nil
	}
	return m.more.held
}

// dropHeld removes the notes to m for which f holds.
func (s *Server) dropHeld(m *member, f func(*heldNote) bool) {
	if m.more != nil {
		s.stats.NoteBytes -= m.more.held.drop(f)
	}
}

// push is something to be told until it is confirmed.
type push struct {
	due   instant // zero: nothing to tell
	tries uint8
}

// sent plans the next try, or none after the last.
func (p *push) sent(now time.Time) {
	wait := min(pushWait<<p.tries, pushMaxWait)
	if p.tries++; p.tries == pushTries {
		p.due = 0
		return
	}
	p.due = at(now).add(wait)
}

// expires is when m is forgotten, should nothing be heard of it.
func (m *member) expires() instant {
	if m.isFar() {
		return m.heard.add(farExpiry)
	}
	return m.heard.add(expiry)
}

// meets reports whether m and o can write to each other.
func (m *member) meets(o *member) bool {
	return m != nil && m.room != nil && m.room == o.room && m.role != o.role
}

// due is when something is to be done for m.
func (m *member) due() instant { return m.expires().or(m.roster.due).or(m.held().due()) }

// place is a path in 22 bytes.
type place struct {
	ip    [16]byte
	port  uint16
	local udp.Local
	zone  uint16 // index of the zone; 0: none
}

// zones numbers the zones of link-local addresses, of which a machine has as
// many as interfaces.
type zones []string

const maxZones = 1 << 10

func (z *zones) number(zone string) uint16 {
	if zone == "" {
		return 0
	}
	for i, s := range *z {
		if s == zone {
			return uint16(i + 1)
		}
	}
	if len(*z) == maxZones {
		return 0
	}
	*z = append(*z, zone)
	return uint16(len(*z))
}

func (z *zones) pack(p udp.Path) place {
	a := p.Remote.Addr()
	return place{ip: a.As16(), port: p.Remote.Port(), local: p.Local, zone: z.number(a.Zone())}
}

func (z zones) path(p place) udp.Path {
	a := netip.AddrFrom16(p.ip).Unmap()
	if p.zone != 0 {
		a = a.WithZone(z[p.zone-1])
	}
	return udp.Path{Local: p.local, Remote: netip.AddrPortFrom(a, p.port)}
}

// addr returns the address of m's machine.
func (s *Server) addr(m *member) netip.AddrPort {
	if m.more != nil && m.more.addr.IsValid() {
		return m.more.addr
	}
	return s.zones.path(m.at).Remote
}

// isAt reports whether a request comes from where m joined last.
func (s *Server) isAt(m *member, c caller, q *request) bool {
	return m.token == q.token && m.at == s.zones.pack(c.path) && s.addr(m) == c.addr
}

// join admits a member, or hears again from one. Every join is complete: it is
// first contact, keep-alive, change of address and recovery from a restart of
// the helper in one.
func (s *Server) join(now time.Time, c caller, src *source, q *request) {
	if !s.admissible(q) {
		s.stats.Denied++
		s.refuse(c.path, q, refusedDenied)
		return
	}
	id := q.key.id()
	m := s.members[id]
	if m != nil && m.room != nil && !m.fits(q) {
		s.remove(now, m)
		m = nil
	}
	if m != nil && m.room != nil && s.outlived(now, m.room) {
		s.stats.Outlived++
		s.vacate(now, m)
		m.flags |= outlived
		s.settleSource(m, src) // it is remembered for as long as it asks
	}
	switch {
	case m == nil:
	case m.flags&outlived != 0:
		m.heard = at(now)
		s.refuse(c.path, q, refusedExpired)
		return
	case m.flags&ousted != 0 && !q.room.unassigned():
		s.ousted(c, m, q)
		return
	case m.flags&ousted != 0:
		s.remove(now, m)
		m = nil
	case m.room == nil || int32(q.req-m.req) < 0:
		return // overtaken on the way by a later join, or by leave
	}
	if m == nil {
		var code refusal
		if s.bus != nil && q.room.unassigned() {
			code = s.claim(now, c, src, q)
		} else {
			m, code = s.admit(now, src, q)
		}
		if code != 0 {
			s.refuse(c.path, q, code)
		}
		if m == nil {
			return
		}
	}
	s.welcome(now, m, c, src, q)
}

// welcome tells a member, new or not, how things are in its room, and the other
// instances that it is here.
func (s *Server) welcome(now time.Time, m *member, c caller, src *source, q *request) {
	s.stats.Joins++
	fresh := m.req == 0
	if m.isFar() {
		s.bus.far-- // it has come over
	}
	s.hear(now, m, c, src, q)
	if fresh {
		s.log("member joined", m)
	}
	s.announce(m)
	s.reply(c.path, s.joined(now, m))
	if m.seen != m.others().version {
		m.roster = push{}
		m.roster.sent(now)
	}
	s.timers.hasten(m)
}

// outlived reports whether the members of a room have waited for too long for
// somebody to meet. A private room is where two look for each other who have
// met, for as long as their transfer lasts.
func (s *Server) outlived(now time.Time, r *room) bool {
	return !r.used && r.name.Kind != Private && r.since.add(s.cfg.Lifetime).due(now)
}

// fits reports whether q asks for the place that m has.
func (m *member) fits(q *request) bool {
	same := q.room == m.room.name || q.room.unassigned() && m.room.name.Kind == Numbered
	return same && q.role == m.role
}

// hear notes where a member is now, and at a new place tells it again what it
// may have missed at the old one.
func (s *Server) hear(now time.Time, m *member, c caller, src *source, q *request) {
	m.req, m.heard = q.req, at(now)
	if s.isAt(m, c, q) {
		return
	}
	m.at, m.token = s.zones.pack(c.path), q.token
	if c.addr != c.path.Remote {
		m.extra().addr = c.addr
	} else if m.more != nil {
		m.more.addr = netip.AddrPort{}
	}
	if m.src != src {
		s.settleSource(m, src)
	}
	m.held().renew(now)
}

// others is the side of the room that m meets.
func (m *member) others() *side { return m.room.side(m.role.other()) }

// joined returns what m is to know of its room. It holds until the next call.
func (s *Server) joined(now time.Time, m *member) answer {
	addr, others := s.addr(m), m.others()
	a := answer{
		typ: typeJoined, token: m.token, cookie: s.cookies.issue(now, addr), observed: addr, req: m.req,
		roster: roster{born: m.born, version: others.version, members: s.ids[:0]},
	}
	if m.room.name.Kind == Numbered {
		a.roster.number = m.room.name.Number()
	}
	for o := others.first; o != nil; o = o.next {
		a.roster.members = append(a.roster.members, o.id)
	}
	s.ids = a.roster.members
	return a
}

// tellOthers plans a push of the roster to everyone who meets that role.
func (s *Server) tellOthers(r *room, role Role, now time.Time) {
	for o := r.side(role.other()).first; o != nil; o = o.next {
		if !o.isFar() {
			o.roster = push{due: at(now)}
			s.timers.hasten(o)
		}
	}
}

// leave answers in any case: a client that is about to end asks no reason.
func (s *Server) leave(now time.Time, m *member, c caller, q *request) {
	if m != nil && m.room != nil && s.isAt(m, c, q) {
		s.vacate(now, m)
	}
	s.reply(c.path, answer{typ: typeLeft, token: q.token})
}

// vacate takes m out of its room and tells the others. The member itself stays
// known until it expires, so that a join which leave overtook does not bring a
// ghost.
func (s *Server) vacate(now time.Time, m *member) {
	r, far := m.room, m.isFar()
	if !far {
		s.log("member left", m)
	}
	s.dropHeld(m, func(*heldNote) bool { return true })
	m.more = nil
	s.lobby.exit(now, m)
	s.settleSource(m, nil)
	m.roster = push{}
	for o := r.side(m.role.other()).first; o != nil; o = o.next {
		s.dropHeld(o, func(n *heldNote) bool { return n.from == m.id })
	}
	s.tellOthers(r, m.role, now)
	s.timers.hasten(m)
	switch {
	case far:
		s.bus.far--
	case s.bus != nil:
		s.bus.publish(roomSubject(r.name), wire{kind: wireGone, room: r.name, role: m.role, id: m.id})
		s.farewell(now, r)
	}
}

// log tells what became of a member that is in a room. Its address is not for
// everybody who can read a log.
func (s *Server) log(what string, m *member) {
	if !s.cfg.Log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	attrs := []any{"kind", m.room.name.Kind, "role", m.role, "member", m.id}
	if s.cfg.LogAddresses {
		attrs = append(attrs, "address", s.addr(m))
	}
	s.cfg.Log.Debug(what, attrs...)
}

// remove forgets m.
func (s *Server) remove(now time.Time, m *member) {
	if m.room != nil {
		s.vacate(now, m)
	}
	s.settleSource(m, nil)
	delete(s.members, m.id)
	s.timers.remove(m)
}

// serviceMember does what is due for m. It reports false when b is full.
func (s *Server) serviceMember(now time.Time, m *member, b *udp.Batch) bool {
	if m.expires().due(now) {
		if m.room != nil {
			s.stats.Expired++
		}
		s.remove(now, m)
		return true
	}
	if m.roster.due.due(now) {
		if !s.emit(b, s.zones.path(m.at), s.joined(now, m)) {
			return false
		}
		m.roster.sent(now)
	}
	if !s.pushNotes(now, m, b) {
		return false
	}
	s.timers.settle(m)
	return true
}
