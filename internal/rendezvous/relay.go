package rendezvous

import (
	"slices"
	"time"

	"qft/internal/udp"
)

const (
	window   = 8   // notes from one member to another that are under way
	maxNotes = 256 // from one member to another, ever

	// noteCost is what a held note takes beside its data.
	noteCost = 96
)

// held is the notes to a member that it has not confirmed. They are a copy
// that saves the author's retransmissions: the streams themselves live in the
// clients (stream.go), and a helper that forgets its copies delays, no more.
type held []heldNote

type heldNote struct {
	from ID
	seq  uint32
	part part
	data []byte
	push push
}

// due is when the first of the notes is to be pushed, or zero.
func (h held) due() (t instant) {
	for i := range h {
		t = t.or(h[i].push.due)
	}
	return t
}

// renew starts pushing all over again.
func (h held) renew(now time.Time) {
	for i := range h {
		h[i].push = push{due: at(now)}
	}
}

// from returns how many notes of an author are held, and whether seq is there.
func (h held) from(id ID, seq uint32) (n int, has bool) {
	for i := range h {
		if h[i].from == id {
			n++
			has = has || h[i].seq == seq
		}
	}
	return n, has
}

// drop removes the notes for which f holds and returns what they cost.
func (h *held) drop(f func(*heldNote) bool) (cost int) {
	*h = slices.DeleteFunc(*h, func(n heldNote) bool {
		if !f(&n) {
			return false
		}
		cost += noteCost + len(n.data)
		return true
	})
	return cost
}

// note holds a note from m until its addressee confirms it, or hands it to the
// instance where the addressee is, which does.
func (s *Server) note(now time.Time, m *member, q *request) {
	to := s.members[q.to]
	if to == nil || !m.meets(to) {
		return // gone, of which m is being told
	}
	if _, has := to.held().from(m.id, q.seq); has {
		return // m tries again, and so do we
	}
	perMinute := float64(s.cfg.SourceNotes)
	switch cost := noteCost + len(q.data); {
	case m.extra().spent+cost > memberBudget:
		s.refuse(s.zones.path(m.at), q, refusedBusy)
		return
	case !m.src.notes.take(now, float64(cost), rate{2 * perMinute, perMinute / 60}):
		s.stats.Limited++
		return
	case to.isFar():
		s.bus.publish(to.instance().subject(), wire{kind: wireNote, id: m.id, to: to.id, seq: q.seq, part: q.part, data: q.data})
	case !s.hold(now, to, heldNote{from: m.id, seq: q.seq, part: q.part, data: q.data}):
		return
	}
	m.room.used = true
	m.more.spent += noteCost + len(q.data)
	s.stats.Notes++
}

// hold keeps a note for a member and has it pushed. It reports false if there
// is no room for it, or it is there already.
func (s *Server) hold(now time.Time, to *member, n heldNote) bool {
	cost := noteCost + len(n.data)
	of, has := to.held().from(n.from, n.seq)
	if has {
		return false
	}
	if of >= window || s.stats.NoteBytes+cost > s.cfg.NoteMemory {
		s.stats.Dropped++
		return false
	}
	to.room.used = true
	s.stats.NoteBytes += cost
	n.data, n.push = slices.Clone(n.data), push{due: at(now)}
	x := to.extra()
	x.held = append(x.held, n)
	s.timers.hasten(to)
	return true
}

// ack takes m's word for what it has: of the roster, or of another's notes; of
// the latter their author is told, whether it is news or was lost on the way.
func (s *Server) ack(m *member, q *request) {
	if q.to == (ID{}) {
		if m.seen = q.seq; m.seen == m.others().version {
			m.roster = push{}
			s.timers.hasten(m)
		}
		return
	}
	s.dropHeld(m, func(n *heldNote) bool { return n.from == q.to && n.seq < q.seq })
	s.timers.hasten(m)
	switch author := s.members[q.to]; {
	case author == nil || !m.meets(author):
	case author.isFar():
		s.bus.publish(author.instance().subject(), wire{kind: wireAck, id: m.id, to: author.id, seq: q.seq})
	default:
		s.confirm(author, m.id, q.seq)
	}
}

// confirm tells an author what a member has of its notes.
func (s *Server) confirm(author *member, by ID, next uint32) {
	s.reply(s.zones.path(author.at), answer{typ: typeAcked, token: author.token, from: by, seq: next})
}

// pushNotes sends the notes to m that are due, and gives up those that m did
// not confirm for long. It reports false when b is full.
func (s *Server) pushNotes(now time.Time, m *member, b *udp.Batch) bool {
	notes := m.held()
	for i := range notes {
		n := &notes[i]
		if !n.push.due.due(now) {
			continue
		}
		a := answer{typ: typePush, token: m.token, from: n.from, seq: n.seq, part: n.part, data: n.data}
		if !s.emit(b, s.zones.path(m.at), a) {
			return false
		}
		n.push.sent(now)
	}
	s.dropHeld(m, func(n *heldNote) bool { return n.push.due == 0 })
	return true
}
