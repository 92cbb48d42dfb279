package rendezvous

import (
	"math/rand/v2"
	"time"
)

// recall is how long a helper that has just started leaves the numbers 1 to 99
// to those who may hold one from before: each of them claims its number again
// within a keep-alive interval.
const recall = 15 * time.Second

const (
	// restTime is how long the number of a meeting is given to nobody else
	// after its room has emptied. The transfer goes on without the helper, and
	// whoever crashes in it comes back under the same code: into the same room,
	// which must not be a stranger's by then. A day, since large transfers take
	// hours.
	restTime = 24 * time.Hour

	// maxResting bounds the numbers that rest. The oldest give way.
	maxResting = 1 << 14
)

// room is a meeting place with at least one member.
type room struct {
	sides [2]side // senders, receivers
	since instant // when it opened; a shared one: when somebody came last
	name  Room
	used  bool // notes were written in it
}

// side is the members of one role.
type side struct {
	first   *member // longest here
	version uint32  // of members
	n       uint8
}

func (r *room) side(role Role) *side { return &r.sides[role-Sender] }

func (r *room) empty() bool { return r.sides[0].first == nil && r.sides[1].first == nil }

// lobby is the index of the rooms.
type lobby struct {
	rooms    rooms
	members  int    // in all rooms
	taken    [7]int // numbered rooms by decade, and numbers that are claimed
	rest     rest
	opened   time.Time
	claimed  map[uint32]bool // numbers that we ask the other instances about
	objected [7]objections
}

// rooms finds rooms by their names. The many numbered ones do with a short key,
// which saves a helper of a million 30 MB.
type rooms struct {
	numbered map[uint32]*room
	others   map[Room]*room
}

func newRooms() rooms {
	return rooms{numbered: make(map[uint32]*room), others: make(map[Room]*room)}
}

func (rs *rooms) count() int { return len(rs.numbered) + len(rs.others) }

// at returns the room with a name, or nil.
func (rs *rooms) at(name Room) *room {
	if name.Kind == Numbered {
		return rs.numbered[name.Number()]
	}
	return rs.others[name]
}

func (rs *rooms) add(r *room) {
	if r.name.Kind == Numbered {
		rs.numbered[r.name.Number()] = r
		return
	}
	rs.others[r.name] = r
}

func (rs *rooms) remove(r *room) {
	if r.name.Kind == Numbered {
		delete(rs.numbered, r.name.Number())
		return
	}
	delete(rs.others, r.name)
}

// rest is the numbers that have been used for a meeting lately.
type rest struct {
	until   map[uint32]time.Time
	order   []resting // the first to wake first; some were woken already
	decades [7]int    // numbers by decade
}

type resting struct {
	number uint32
	until  time.Time
}

// lay has a number rest.
func (r *rest) lay(now time.Time, n uint32) {
	if r.until == nil {
		r.until = make(map[uint32]time.Time)
	}
	r.wake(n)
	until := now.Add(restTime)
	r.until[n] = until
	r.order = append(r.order, resting{n, until})
	r.decades[decade(n)]++
	r.prune(now)
}

// wake ends the rest of a number, and reports whether it rested.
func (r *rest) wake(n uint32) bool {
	_, rests := r.until[n]
	if rests {
		delete(r.until, n)
		r.decades[decade(n)]--
	}
	return rests
}

// prune wakes the numbers whose time has come, and the oldest if they are too
// many.
func (r *rest) prune(now time.Time) {
	for len(r.order) > 0 {
		first := r.order[0]
		valid := r.until[first.number].Equal(first.until)
		if valid && first.until.After(now) && len(r.order) <= maxResting {
			return
		}
		if valid {
			r.wake(first.number)
		}
		r.order = r.order[1:]
	}
}

// open notes when the helper began to serve.
func (l *lobby) open(now time.Time) {
	if l.opened.IsZero() {
		l.opened = now
	}
}

// recalls reports whether members from before a restart may be on their way.
func (l *lobby) recalls(now time.Time) bool { return now.Sub(l.opened) < recall }

// enter puts a member into a room that has a seat for it.
func (l *lobby) enter(now time.Time, m *member, name Room, rng *rand.Rand) {
	r := l.rooms.at(name)
	if r == nil {
		r = &room{name: name, since: at(now)}
		// Versions begin anywhere, so that one from before a restart does
		// not pass for one of this helper's.
		r.sides[0].version, r.sides[1].version = rng.Uint32(), rng.Uint32()
		l.rooms.add(r)
		if name.Kind == Numbered {
			l.taken[decade(name.Number())]++
			r.used = l.rest.wake(name.Number())
		}
	}
	if name.Kind == Shared {
		r.since = at(now)
	}
	sd := r.side(m.role)
	last := &sd.first
	for *last != nil {
		last = &(*last).next
	}
	*last = m
	sd.version++
	sd.n++
	m.room = r
	l.members++
}

// exit takes a member out of its room.
func (l *lobby) exit(now time.Time, m *member) {
	r := m.room
	sd := r.side(m.role)
	for p := &sd.first; *p != nil; p = &(*p).next {
		if *p == m {
			*p = m.next
			break
		}
	}
	sd.version++
	sd.n--
	m.room, m.next = nil, nil
	l.members--
	if r.empty() {
		l.rooms.remove(r)
		if r.name.Kind == Numbered {
			l.taken[decade(r.name.Number())]--
			if r.used {
				l.rest.lay(now, r.name.Number())
			}
		}
	}
}

// has reports whether somebody of that role is in the room.
func (l *lobby) has(name Room, role Role) bool {
	r := l.rooms.at(name)
	return r != nil && r.side(role).first != nil
}

// full reports why a member of that role cannot enter, or 0.
func (l *lobby) full(name Room, role Role) refusal {
	r := l.rooms.at(name)
	seats := name.seats(role)
	switch {
	case r == nil || int(r.side(role).n) < seats:
		return 0
	case seats == 1:
		return refusedTaken
	}
	return refusedBusy
}

// assign returns a random number that is free and does not rest, from the
// smallest decade that is less than half full, or 0 if there is none.
func (l *lobby) assign(now time.Time, rng *rand.Rand) uint32 {
	l.rest.prune(now)
	d := 0
	if l.recalls(now) {
		d = 1
	}
	// The last decade is for numbers that only a user would make up.
	for ; d < len(l.taken)-1; d++ {
		lo, n := decadeRange(d)
		if l.objected[d].until > at(now) || 2*l.taken[d] >= int(n) || 4*(l.taken[d]+l.rest.decades[d]) >= 3*int(n) {
			continue
		}
		for { // four draws on average at worst
			k := lo + rng.Uint32N(n)
			if _, rests := l.rest.until[k]; !rests && !l.claimed[k] && l.rooms.numbered[k] == nil {
				return k
			}
		}
	}
	return 0
}

// decade returns the index of the range that n lies in: 1 to 99, 100 to 999,
// and so on; the last one has no end.
func decade(n uint32) int {
	d := 0
	for top := uint32(99); n > top && d < 6; top = top*10 + 9 {
		d++
	}
	return d
}

// decadeRange returns the first number of decade d < 6, and how many it has.
func decadeRange(d int) (lo, n uint32) {
	if d == 0 {
		return 1, 99
	}
	lo = 10
	for range d {
		lo *= 10
	}
	return lo, 9 * lo
}
