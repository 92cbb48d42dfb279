package rendezvous

import (
	"time"

	"qft/internal/udp"
)

const (
	expiry      = 60 * time.Second // of a member that is silent
	pushWait    = 400 * time.Millisecond
	pushMaxWait = 5 * time.Second
	pushTries   = 8 // then the member's next join, or the author, tries again
)

// member is one client in one room, or one that left (room is nil): it is
// remembered until its last joins, should they still be under way, are stale.
type member struct {
	id     ID
	role   Role
	room   *room
	path   udp.Path
	token  token
	src    *source
	req    uint32 // latest join
	born   uint32
	heard  time.Time
	roster push   // telling it of the other side
	seen   uint32 // version of the other side that it confirmed
	held   held
	budget int // bytes of notes that it may still send
	timer  timer
}

// push is something to be told until it is confirmed.
type push struct {
	due   time.Time // zero: nothing to tell
	tries int
}

// sent plans the next try, or none after the last.
func (p *push) sent(now time.Time) {
	wait := min(pushWait<<p.tries, pushMaxWait)
	if p.tries++; p.tries == pushTries {
		p.due = time.Time{}
		return
	}
	p.due = now.Add(wait)
}

// due is when something is to be done for m.
func (m *member) due() time.Time {
	t := earlier(m.heard.Add(expiry), m.roster.due)
	return earlier(t, m.held.due())
}

// join admits a member, or hears again from one. Every join is complete: it is
// first contact, keep-alive, change of address and recovery from a restart of
// the helper in one.
func (s *Server) join(now time.Time, from udp.Path, src *source, q *request) {
	id := q.key.id()
	m := s.members[id]
	if m != nil && (m.room == nil || int32(q.req-m.req) < 0) {
		return // overtaken on the way by a later join, or by leave
	}
	if m != nil && !m.fits(q) {
		s.remove(now, m)
		m = nil
	}
	if m == nil {
		var code refusal
		if m, code = s.admit(now, src, id, q); code != 0 {
			s.refuse(from, q, code)
			return
		}
	}
	s.stats.Joins++
	s.hear(now, m, from, src, q)
	s.reply(from, s.joined(now, m))
	if m.seen != m.others().version {
		m.roster = push{}
		m.roster.sent(now)
	}
	s.timers.hasten(m)
}

// fits reports whether q asks for the place that m has.
func (m *member) fits(q *request) bool {
	same := q.room == m.room.name || q.room.unassigned() && m.room.name.Kind == Numbered
	return same && q.role == m.role
}

// admit makes a member, or says why not.
func (s *Server) admit(now time.Time, src *source, id ID, q *request) (*member, refusal) {
	name := q.room
	if name.unassigned() {
		if name = NumberedRoom(s.lobby.assign(now, s.rng)); name.unassigned() {
			return nil, refusedBusy
		}
	}
	if code := s.lobby.full(name, q.role); code != 0 {
		return nil, code
	}
	joins := rate{joinBurst, float64(s.cfg.SourceJoins) / 60}
	if len(s.members) >= s.cfg.Members || src.members >= s.cfg.SourceMembers || !src.joins.take(now, 1, joins) {
		return nil, refusedBusy
	}
	m := &member{id: id, role: q.role, src: src, heard: now, born: s.rng.Uint32(), budget: memberBudget}
	s.members[id] = m
	s.sources.enter(src)
	s.lobby.enter(m, name, s.rng)
	m.seen = m.others().version - 1
	s.timers.add(m)
	s.tellOthers(m.room, m.role, now)
	s.cfg.Log.Debug("member joined", "kind", name.Kind, "role", m.role, "member", m.id)
	return m, 0
}

// hear notes where a member is now, and at a new place tells it again what it
// may have missed at the old one.
func (s *Server) hear(now time.Time, m *member, from udp.Path, src *source, q *request) {
	m.req, m.heard = q.req, now
	if m.path == from && m.token == q.token {
		return
	}
	m.path, m.token = from, q.token
	if m.src != src {
		s.sources.enter(src)
		s.sources.leave(m.src)
		m.src = src
	}
	m.held.renew(now)
}

// others is the side of the room that m meets.
func (m *member) others() *side { return m.room.side(m.role.other()) }

// joined returns what m is to know of its room. It holds until the next call.
func (s *Server) joined(now time.Time, m *member) *answer {
	a := &s.view
	*a = answer{
		typ: typeJoined, token: m.token, cookie: s.cookies.issue(now, m.path.Remote), observed: m.path.Remote, req: m.req,
		roster: roster{born: m.born, version: m.others().version, members: a.roster.members[:0]},
	}
	if m.room.name.Kind == Numbered {
		a.roster.number = m.room.name.Number()
	}
	for _, o := range m.others().members {
		a.roster.members = append(a.roster.members, o.id)
	}
	return a
}

// tellOthers plans a push of the roster to everyone who meets that role.
func (s *Server) tellOthers(r *room, role Role, now time.Time) {
	for _, o := range r.side(role.other()).members {
		o.roster = push{due: now}
		s.timers.hasten(o)
	}
}

// leave answers in any case: a client that is about to end asks no reason.
func (s *Server) leave(now time.Time, m *member, from udp.Path, q *request) {
	if m != nil && m.room != nil && m.path == from && m.token == q.token {
		s.vacate(now, m)
	}
	s.reply(from, &answer{typ: typeLeft, token: q.token})
}

// vacate takes m out of its room and tells the others. The member itself stays
// known until it expires, so that a join which leave overtook does not bring a
// ghost.
func (s *Server) vacate(now time.Time, m *member) {
	r := m.room
	s.stats.NoteBytes -= m.held.clear()
	s.lobby.exit(now, m)
	s.sources.leave(m.src)
	m.roster = push{}
	for _, o := range r.side(m.role.other()).members {
		s.stats.NoteBytes -= o.held.drop(func(n *heldNote) bool { return n.from == m.id })
	}
	s.tellOthers(r, m.role, now)
	s.timers.hasten(m)
	s.cfg.Log.Debug("member left", "kind", r.name.Kind, "role", m.role, "member", m.id)
}

// remove forgets m.
func (s *Server) remove(now time.Time, m *member) {
	if m.room != nil {
		s.vacate(now, m)
	}
	delete(s.members, m.id)
	s.timers.remove(m)
}

// serviceMember does what is due for m. It reports false when b is full.
func (s *Server) serviceMember(now time.Time, m *member, b *udp.Batch) bool {
	if !m.heard.Add(expiry).After(now) {
		if m.room != nil {
			s.stats.Expired++
		}
		s.remove(now, m)
		return true
	}
	if due(m.roster.due, now) {
		if !emit(b, m.path, s.joined(now, m)) {
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
