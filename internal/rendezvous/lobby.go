package rendezvous

import (
	"math/rand/v2"
	"slices"
	"time"
)

// recall is how long a helper that has just started leaves the numbers 1 to 99
// to those who may hold one from before: each of them claims its number again
// within a keep-alive interval.
const recall = 15 * time.Second

// room is a meeting place with at least one member.
type room struct {
	name  Room
	sides [2]side // senders, receivers
}

// side is the members of one role.
type side struct {
	members []*member // longest here first
	version uint32    // of members
}

func (r *room) side(role Role) *side { return &r.sides[role-Sender] }

func (r *room) empty() bool { return len(r.sides[0].members)+len(r.sides[1].members) == 0 }

// lobby is the index of the rooms.
type lobby struct {
	rooms   map[Room]*room
	members int    // in all rooms
	taken   [7]int // numbered rooms by decade
	opened  time.Time
}

// open notes when the helper began to serve.
func (l *lobby) open(now time.Time) {
	if l.opened.IsZero() {
		l.opened = now
	}
}

// enter puts a member into a room that has a seat for it.
func (l *lobby) enter(m *member, name Room, rng *rand.Rand) {
	r := l.rooms[name]
	if r == nil {
		r = &room{name: name}
		// Versions begin anywhere, so that one from before a restart does
		// not pass for one of this helper's.
		r.sides[0].version, r.sides[1].version = rng.Uint32(), rng.Uint32()
		l.rooms[name] = r
		if name.Kind == Numbered {
			l.taken[decade(name.Number())]++
		}
	}
	sd := r.side(m.role)
	sd.members = append(sd.members, m)
	sd.version++
	m.room = r
	l.members++
}

// exit takes a member out of its room.
func (l *lobby) exit(m *member) {
	r := m.room
	sd := r.side(m.role)
	sd.members = slices.DeleteFunc(sd.members, func(o *member) bool { return o == m })
	sd.version++
	m.room = nil
	l.members--
	if r.empty() {
		delete(l.rooms, r.name)
		if r.name.Kind == Numbered {
			l.taken[decade(r.name.Number())]--
		}
	}
}

// full reports why a member of that role cannot enter, or 0.
func (l *lobby) full(name Room, role Role) refusal {
	r := l.rooms[name]
	seats := name.seats(role)
	switch {
	case r == nil || len(r.side(role).members) < seats:
		return 0
	case seats == 1:
		return refusedTaken
	}
	return refusedBusy
}

// assign returns a random free number from the smallest decade that is less
// than half full, or 0 if there is none.
func (l *lobby) assign(now time.Time, rng *rand.Rand) uint32 {
	d := 0
	if now.Sub(l.opened) < recall {
		d = 1
	}
	// The last decade is for numbers that only a user would make up.
	for ; d < len(l.taken)-1; d++ {
		lo, n := decadeRange(d)
		if 2*l.taken[d] >= int(n) {
			continue
		}
		for { // two draws on average at worst
			k := lo + rng.Uint32N(n)
			if l.rooms[NumberedRoom(k)] == nil {
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
