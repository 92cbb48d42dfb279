package rendezvous

import (
	"crypto/subtle"
	"time"
)

const (
	packetBurst  = 2048 // packets of a source at once
	joinBurst    = 128  // new members of a source at once
	lookupBurst  = 24   // of a source: rooms in which nobody was, at once
	lookupRate   = 0.2  // and per second
	shareBurst   = 10   // seconds of what all sources together may at once
	netFactor    = 16   // what a neighbourhood may, in sources
	crowdFactor  = 16   // the part of its members that a source may have in the last quarter
	memberBudget = 1 << 18
)

// admissible reports whether a join shows a secret of the helper, if it has any.
// All are looked at, lest the time tell which.
func (s *Server) admissible(q *request) bool {
	ok := 0
	for _, secret := range s.cfg.Secrets {
		want := newMAC(secret, q.cookie, q.key)
		ok |= subtle.ConstantTimeCompare(want[:], q.mac[:])
	}
	return ok == 1 || len(s.cfg.Secrets) == 0
}

// admit makes a member, or says why not.
func (s *Server) admit(now time.Time, src *source, q *request) (*member, refusal) {
	name := q.room
	if name.unassigned() {
		if s.draining {
			return nil, refusedBusy
		}
		if name = NumberedRoom(s.lobby.assign(now, s.rng)); name.unassigned() {
			return nil, refusedBusy
		}
	}
	if s.cfg.Only != (Room{}) && name != s.cfg.Only {
		return nil, refusedBusy
	}
	if s.cfg.OwnSenders && q.role == Sender && !src.block.loopback() {
		return nil, refusedTaken
	}
	if code := s.lobby.full(name, q.role); code != 0 {
		return nil, code
	}
	if s.draining && s.lobby.rooms.at(name) == nil || !s.spend(now, src) {
		return nil, refusedBusy
	}
	lookup := q.role == Receiver && name.Kind == Numbered && !s.lobby.has(name, Sender)
	if lookup && !s.spendLookup(now, src) {
		s.stats.Lookups++
		return nil, refusedBusy
	}
	m := s.seat(now, src, q, name)
	if lookup {
		m.flags = guessed
	}
	return m, 0
}

// seat makes a member of a room that has a seat for it.
func (s *Server) seat(now time.Time, src *source, q *request, name Room) *member {
	m := &member{id: q.key.id(), role: q.role, heard: at(now), born: s.rng.Uint32()}
	s.members[m.id] = m
	s.settleSource(m, src)
	s.opening(name)
	s.enter(now, m, name)
	s.timers.add(m)
	return m
}

// enter puts m into a room that has a seat for it.
func (s *Server) enter(now time.Time, m *member, name Room) {
	if m.role == Sender && !s.lobby.has(name, Sender) {
		s.forgive(name)
	}
	s.lobby.enter(now, m, name, s.rng)
	m.seen = m.others().version - 1
	s.tellOthers(m.room, m.role, now)
}

// spend takes what a new member costs: a place, and a share of its source, of
// the neighbourhood, and of all. The last quarter of the places, and the second
// half of the shares of all, are for sources that have few members, or brought
// none lately: who floods the helper leaves them to the others.
func (s *Server) spend(now time.Time, src *source) bool {
	perSecond := float64(s.cfg.SourceJoins) / 60
	own := rate{joinBurst, perSecond}
	area := s.cells.net(src)
	newcomer := src.joins.fresh(now)
	switch {
	case !s.hasPlace(src), !src.joins.take(now, 1, own):
		return false
	case !area.joins.take(now, 1, rate{netFactor * joinBurst, netFactor * perSecond}):
		return false
	}
	return s.joins.takeShared(now, s.joinRate(), newcomer)
}

// hasPlace reports whether a source may have one more member now.
func (s *Server) hasPlace(src *source) bool {
	most := s.cfg.SourceMembers
	if 4*len(s.members) >= 3*s.cfg.Members {
		most = (most + crowdFactor - 1) / crowdFactor
	}
	return len(s.members) < s.cfg.Members && int(src.members) < most &&
		int(s.cells.net(src).members) < netFactor*s.cfg.SourceMembers
}

// joinRate is for all sources together. As many as have a place may come at
// once: they do after a restart.
func (s *Server) joinRate() rate {
	perSecond := float64(s.cfg.Joins)
	return rate{2*float64(s.cfg.Members) + shareBurst*perSecond, perSecond}
}

// spendLookup takes what a receiver spends who comes to a number that nobody holds.
// One does who mistyped it, or whose sender is late; who tries numbers at
// random does nothing else.
func (s *Server) spendLookup(now time.Time, src *source) bool {
	if s.lobby.recalls(now) {
		return true // senders of before the restart are on their way
	}
	newcomer := src.lookups.fresh(now)
	return src.lookups.take(now, 1, rate{lookupBurst, lookupRate}) && s.lookups.takeShared(now, s.lookupRate(), newcomer)
}

func (s *Server) lookupRate() rate {
	perSecond := float64(s.cfg.Lookups)
	return rate{2 * shareBurst * perSecond, perSecond}
}

// forgive gives back what receivers spent who came to a room before its sender.
func (s *Server) forgive(name Room) {
	r := s.lobby.rooms.at(name)
	if r == nil {
		return
	}
	for m := r.side(Receiver).first; m != nil; m = m.next {
		if m.flags&guessed != 0 && m.src != nil {
			m.src.lookups.give(1, rate{lookupBurst, lookupRate})
			s.lookups.give(1, s.lookupRate())
		}
		m.flags &^= guessed
	}
}

// settleSource counts m with another source, or with none.
func (s *Server) settleSource(m *member, src *source) {
	if src != nil {
		s.sources.enter(src)
		s.cells.net(src).members++
	}
	if m.src != nil {
		s.cells.net(m.src).members--
		s.sources.leave(m.src)
	}
	m.src = src
}
