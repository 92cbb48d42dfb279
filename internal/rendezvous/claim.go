package rendezvous

import (
	"slices"
	"time"
)

const (
	// claimWait is how long the other instances have to object to a number.
	claimWait = 100 * time.Millisecond

	maxClaims = 4096

	// Objections to numbers of a decade count up, numbers that nobody objects to
	// count down. At so many the decade is passed over for a while: others hold
	// about half of it, or more.
	crowdedMost = 5
	crowdedTime = time.Minute
)

// claim is a sender's wait for a number that no other instance holds.
type claim struct {
	number uint32
	nonce  uint64
	due    instant
	caller caller
	join   request
}

// claims is those that are open, the first to be due first.
type claims []*claim

func (cs claims) due() instant {
	if len(cs) == 0 {
		return 0
	}
	return cs[0].due
}

// of returns the claim of a member, or nil.
func (cs claims) of(k key) *claim {
	for _, c := range cs {
		if c.join.key == k {
			return c
		}
	}
	return nil
}

func (cs *claims) remove(c *claim) {
	for i, x := range *cs {
		if x == c {
			*cs = append((*cs)[:i:i], (*cs)[i+1:]...)
			return
		}
	}
}

// claim begins to look for a number for a sender. It reports why it cannot.
func (s *Server) claim(now time.Time, c caller, src *source, q *request) refusal {
	if open := s.bus.claims.of(q.key); open != nil {
		open.caller, open.join = c, *q // it is asking again
		return 0
	}
	if s.draining || len(s.bus.claims) >= maxClaims || !s.spend(now, src) {
		return refusedBusy
	}
	return s.propose(now, &claim{caller: c, join: *q})
}

// propose asks the others about another number.
func (s *Server) propose(now time.Time, c *claim) refusal {
	c.number = s.lobby.assign(now, s.rng)
	if c.number == 0 {
		return refusedBusy
	}
	c.nonce, c.due = s.rng.Uint64(), at(now).add(claimWait)
	s.lobby.reserve(c.number)
	s.bus.claims = append(s.bus.claims, c)
	s.bus.publish(subjectClaim, wire{kind: wireClaim, number: c.number, nonce: c.nonce})
	return 0
}

// settleClaims lets those in to whose numbers nobody objected.
func (s *Server) settleClaims(now time.Time) {
	if s.bus == nil {
		return
	}
	for s.bus.claims.due().due(now) {
		c := s.bus.claims[0]
		s.withdraw(c)
		s.lobby.granted(c.number)
		q, src := &c.join, s.sources.at(c.caller.addr.Addr())
		name := NumberedRoom(c.number)
		switch {
		case s.members[q.key.id()] != nil:
			s.join(now, c.caller, src, q) // it has a number by now
		case s.lobby.rooms.at(name) != nil:
			s.repeat(now, c)
		case !s.hasPlace(src): // others have come since it was asked
			s.refuse(c.caller.path, q, refusedBusy)
		default:
			s.welcome(now, s.seat(now, src, q, name), c.caller, src, q)
		}
	}
}

// withdraw gives up a number that was asked for.
func (s *Server) withdraw(c *claim) {
	s.lobby.release(c.number)
	s.bus.claims.remove(c)
}

// repeat asks for another number.
func (s *Server) repeat(now time.Time, c *claim) {
	if code := s.propose(now, c); code != 0 {
		s.refuse(c.caller.path, &c.join, code)
	}
}

// farClaim objects to a number that is held here, or was asked for by somebody
// here. Of two who ask for one, the lower nonce has it: both instances see that
// alike.
func (s *Server) farClaim(now time.Time, w *wire) {
	r := s.lobby.rooms.at(NumberedRoom(w.number))
	_, rests := s.lobby.rest.until[w.number]
	deny := r != nil || rests
	for _, c := range s.bus.claims {
		if c.number != w.number {
			continue
		}
		if c.nonce < w.nonce || c.nonce == w.nonce && slices.Compare(s.bus.self[:], w.author[:]) < 0 {
			deny = true
			break
		}
		s.withdraw(c)
		s.repeat(now, c)
		break
	}
	if deny {
		s.bus.publish(w.author.subject(), wire{kind: wireDeny, number: w.number, nonce: w.nonce})
	}
}

// denied takes an objection.
func (cs claims) denied(now time.Time, s *Server, w *wire) {
	for _, c := range cs {
		if c.number != w.number || c.nonce != w.nonce {
			continue
		}
		s.lobby.denied(now, c.number)
		s.withdraw(c)
		s.repeat(now, c)
		return
	}
}

// reserve keeps a number from being assigned twice while the others are asked.
func (l *lobby) reserve(number uint32) {
	l.claimed[number] = true
	l.taken[decade(number)]++
}

func (l *lobby) release(number uint32) {
	delete(l.claimed, number)
	l.taken[decade(number)]--
}

// objections is what others tell of a decade of numbers.
type objections struct {
	count int
	until instant // it is passed over
}

func (l *lobby) granted(number uint32) {
	c := &l.objected[decade(number)]
	c.count = max(0, c.count-1)
}

func (l *lobby) denied(now time.Time, number uint32) {
	c := &l.objected[decade(number)]
	if c.count++; c.count >= crowdedMost {
		*c = objections{until: at(now).add(crowdedTime)}
	}
}
