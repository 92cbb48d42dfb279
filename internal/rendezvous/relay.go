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

// note holds a note from m until its addressee confirms it.
func (s *Server) note(now time.Time, m *member, q *request) {
	to := s.members[q.to]
	if to == nil || to.room != m.room || to.role == m.role {
		return // gone, of which m is being told
	}
	n, has := to.held().from(m.id, q.seq)
	if has {
		return // m tries again, and so do we
	}
	perMinute := float64(s.cfg.SourceNotes)
	switch cost := noteCost + len(q.data); {
	case m.extra().spent+cost > memberBudget:
		s.refuse(s.zones.path(m.at), q, refusedBusy)
	case !m.src.notes.take(now, float64(cost), rate{2 * perMinute, perMinute / 60}):
		s.stats.Limited++
	case n >= window || s.stats.NoteBytes+cost > s.cfg.NoteMemory:
		s.stats.Dropped++
	default:
		m.room.used = true
		m.more.spent += cost
		s.stats.Notes++
		s.stats.NoteBytes += cost
		x := to.extra()
		x.held = append(x.held, heldNote{m.id, q.seq, q.part, slices.Clone(q.data), push{due: at(now)}})
		s.timers.hasten(to)
	}
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
	if author := s.members[q.to]; author != nil && author.room == m.room && author.role != m.role {
		s.reply(s.zones.path(author.at), answer{typ: typeAcked, token: author.token, from: m.id, seq: q.seq})
	}
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
