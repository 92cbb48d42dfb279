package rendezvous

import (
	"slices"
	"time"
)

// farExpiry is how long a member at another instance is believed to be there
// after its last announcement, of which there is one with each keep-alive.
const farExpiry = 30 * time.Second

// bus is what a server shares with other instances. Everything about it is as
// soft as the rest: members are announced when they join and with each of their
// keep-alives, and forgotten when the announcements cease. So an instance, the
// bus, or half of it may be lost and come back.
type bus struct {
	self   instance
	out    []BusMessage
	adds   []string // subjects to listen to from now on
	drops  []string // and those no more
	claims claims
	far    int // members at other instances
}

// ToBus returns what is to be published since it was last asked. It is to be
// asked after each call of the server's methods, behind Subscriptions.
func (s *Server) ToBus() []BusMessage {
	if s.bus == nil {
		return nil
	}
	out := s.bus.out
	s.bus.out = nil
	return out
}

// Subscriptions returns the subjects to listen to from now on, and those to
// which not any more, since it was last asked.
func (s *Server) Subscriptions() (adds, drops []string) {
	if s.bus == nil {
		return nil, nil
	}
	adds, drops = s.bus.adds, s.bus.drops
	s.bus.adds, s.bus.drops = nil, nil
	return adds, drops
}

func (b *bus) publish(subject string, w wire) {
	w.author = b.self
	b.out = append(b.out, BusMessage{subject, w.encode()})
}

func (b *bus) listen(subject string) {
	if i := slices.Index(b.drops, subject); i >= 0 {
		b.drops = slices.Delete(b.drops, i, i+1)
		return
	}
	b.adds = append(b.adds, subject)
}

func (b *bus) ignore(subject string) {
	if i := slices.Index(b.adds, subject); i >= 0 {
		b.adds = slices.Delete(b.adds, i, i+1)
		return
	}
	b.drops = append(b.drops, subject)
}

// isFar reports whether m is at another instance.
func (m *member) isFar() bool { return m.room != nil && m.src == nil }

// instance is where a far member is.
func (m *member) instance() instance { return instance(m.at.ip[:8]) }

// sendTo moves a member to another instance.
func (m *member) sendTo(i instance) {
	m.at, m.token = place{}, token{}
	copy(m.at.ip[:], i[:])
}

// hasLocal reports whether a member of the room is at this instance.
func (r *room) hasLocal() bool {
	for i := range r.sides {
		for m := r.sides[i].first; m != nil; m = m.next {
			if !m.isFar() {
				return true
			}
		}
	}
	return false
}

// opening is called before a local member enters a room.
func (s *Server) opening(name Room) {
	if r := s.lobby.rooms.at(name); s.bus != nil && (r == nil || !r.hasLocal()) {
		s.bus.listen(roomSubject(name))
		s.bus.publish(roomSubject(name), wire{kind: wireWho, room: name})
	}
}

// announce tells the others of a local member.
func (s *Server) announce(m *member) {
	if s.bus != nil {
		r := m.room
		s.bus.publish(roomSubject(r.name), wire{
			kind: wireHere, room: r.name, role: m.role, id: m.id, req: m.req, since: r.since, used: r.used,
		})
	}
}

// farewell is called when a local member has left a room, or moved to another
// instance. When it was the last one here, the room is no concern of ours.
func (s *Server) farewell(now time.Time, r *room) {
	if s.bus == nil || r.hasLocal() {
		return
	}
	s.bus.ignore(roomSubject(r.name))
	for i := range r.sides {
		for m := r.sides[i].first; m != nil; m = r.sides[i].first {
			s.remove(now, m)
		}
	}
}

// FromBus takes a message that came for one of the subscriptions. What others
// are to be told because of it is in ToBus; what clients are, leaves with Send.
func (s *Server) FromBus(now time.Time, msg BusMessage) {
	w, ok := parseWire(msg.Data)
	if s.bus == nil || !ok || w.author == s.bus.self {
		return
	}
	s.lobby.open(now)
	switch w.kind {
	case wireHere:
		s.farHere(now, &w)
	case wireWho:
		s.farWho(&w)
	case wireGone:
		if m := s.members[w.id]; m != nil && m.isFar() && m.instance() == w.author && m.room.name == w.room {
			s.remove(now, m)
		}
	case wireNote:
		s.farNote(now, &w)
	case wireAck:
		if author, m := s.members[w.to], s.members[w.id]; author != nil && author.src != nil && m.meets(author) {
			s.confirm(author, w.id, w.seq)
		}
	case wireSeat:
		s.farSeat(&w)
	case wireTaken:
		if m := s.members[w.id]; m != nil && m.flags&ousted != 0 {
			m.heard = at(now)
		}
	case wireClaim:
		s.farClaim(now, &w)
	case wireDeny:
		s.bus.claims.denied(now, s, &w)
	}
}

// farHere takes the word that a member is at another instance.
func (s *Server) farHere(now time.Time, w *wire) {
	r := s.lobby.rooms.at(w.room)
	if r == nil {
		return
	}
	r.used = r.used || w.used
	m := s.members[w.id]
	switch {
	case m == nil:
	case int32(w.req-m.req) < 0, int32(w.req-m.req) == 0 && !m.isFar():
		return // it has been here since
	case m.room != r || m.role != w.role:
		s.remove(now, m)
		m = nil
	}
	if m == nil {
		if m = s.admitFar(now, w); m == nil {
			return
		}
	}
	if !m.isFar() && !s.yield(now, m, w.author) {
		return
	}
	m.req, m.heard = w.req, at(now)
	m.sendTo(w.author)
	s.timers.hasten(m)
}

// yield makes a local member one of another instance, to which it has moved.
// The notes to it that we hold are sent again by their authors. It reports
// whether that leaves anybody here who cares.
func (s *Server) yield(now time.Time, m *member, to instance) bool {
	s.dropHeld(m, func(*heldNote) bool { return true })
	m.more, m.roster = nil, push{}
	s.settleSource(m, nil)
	s.bus.far++
	m.sendTo(to)
	s.farewell(now, m.room)
	return m.room != nil
}

// admitFar makes a member of another instance one of a room of ours, or returns
// nil. Of two who have the only seat, each at an instance that had not heard of
// the other, the one stays whose room is older: both instances see that alike.
func (s *Server) admitFar(now time.Time, w *wire) *member {
	r := s.lobby.rooms.at(w.room)
	if r == nil || len(s.members) >= s.cfg.Members {
		return nil
	}
	if s.lobby.full(w.room, w.role) != 0 {
		o := r.side(w.role).first
		if w.room.seats(w.role) > 1 || o.isFar() {
			return nil
		}
		if w.since > r.since || w.since == r.since && slices.Compare(w.id[:], o.id[:]) > 0 {
			s.announce(o)
			return nil
		}
		s.oust(now, o)
		if s.lobby.rooms.at(w.room) == nil {
			return nil // nobody here is in it any more
		}
	}
	m := &member{id: w.id, role: w.role, req: w.req, heard: at(now), born: s.rng.Uint32()}
	s.members[m.id] = m
	s.bus.far++
	s.enter(now, m, w.room)
	m.sendTo(w.author)
	s.timers.add(m)
	return m
}

// oust takes the seat of a local member, whose joins are refused from now on as
// long as the member is remembered: until nobody has said for its expiry that
// the seat is taken. It learns that when it joins, and that it should at once.
func (s *Server) oust(now time.Time, m *member) {
	to, tok := s.zones.path(m.at), m.token
	s.vacate(now, m)
	m.flags |= ousted
	s.reply(to, answer{typ: typeRefused, token: tok, code: refusedUnknown})
}

// ousted refuses the join of a member that lost its seat, and asks whether the
// seat is still taken.
func (s *Server) ousted(c caller, m *member, q *request) {
	s.bus.publish(roomSubject(q.room), wire{kind: wireSeat, room: q.room, role: q.role, id: m.id})
	s.refuse(c.path, q, refusedTaken)
}

// farSeat tells the instance of a member that lost its seat who has it.
func (s *Server) farSeat(w *wire) {
	r := s.lobby.rooms.at(w.room)
	if r == nil {
		return
	}
	for m := r.side(w.role).first; m != nil; m = m.next {
		if !m.isFar() && m.id != w.id {
			s.bus.publish(w.author.subject(), wire{kind: wireTaken, room: w.room, role: w.role, id: w.id})
			return
		}
	}
}

// farWho announces who is here.
func (s *Server) farWho(w *wire) {
	r := s.lobby.rooms.at(w.room)
	if r == nil {
		return
	}
	for i := range r.sides {
		for m := r.sides[i].first; m != nil; m = m.next {
			if !m.isFar() {
				s.announce(m)
			}
		}
	}
}

// farNote holds a note from a member at another instance. An author of whom we
// have not heard is asked for: its note comes again.
func (s *Server) farNote(now time.Time, w *wire) {
	to := s.members[w.to]
	if to == nil || to.src == nil || to.room == nil {
		return
	}
	from := s.members[w.id]
	if from == nil {
		s.bus.publish(roomSubject(to.room.name), wire{kind: wireWho, room: to.room.name})
		return
	}
	if from.meets(to) {
		s.hold(now, to, heldNote{from: w.id, seq: w.seq, part: w.part, data: w.data})
	}
}
