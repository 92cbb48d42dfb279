package nat

import (
	"slices"
	"time"

	"qft/internal/udp"
)

// Receive takes a packet from the network; p is valid during the call only.
// Packets that are not of this session change nothing.
func (a *Agent) Receive(now time.Time, p udp.Packet) {
	from := p.Path.Unmap()
	if !sendable(from.Remote) {
		return
	}
	in, ok := a.seal.open(p.Data)
	if !ok || !a.window.accept(in.sequence) {
		return
	}
	a.advance(now)
	if int32(in.generation-a.round.generation) > 0 {
		a.begin(in.generation)
	}
	if in.generation == a.round.generation {
		a.round.heard = a.now
	}
	if in.kind == ping {
		a.receivePing(from, &in)
	} else {
		a.receivePong(from, &in)
	}
	a.choose()
}

func (a *Agent) receivePing(from udp.Path, in *probe) {
	if p := a.learn(from, in.size()); p != nil {
		p.count.heard++
		p.rise(heard)
		a.noteFlags(p, in)
		if !p.mutual() {
			// RFC 8445 section 7.3.1.4: the peer's packets pass here
			// now, so ours may too; waiting wastes a round trip.
			p.urge(a.now)
		}
	}
	a.out.reply(a.now, from, in)
}

func (a *Agent) receivePong(from udp.Path, in *probe) {
	p, sent, ok := a.match(in.txid)
	if !ok {
		a.receiveHint(from, in)
		return
	}
	if p.way() != from {
		// The peer answers from another of its addresses (IPv6 privacy
		// addresses do). That proves nothing about either, but the
		// other one is worth a ping.
		if q := a.learn(from, in.size()); q != nil && !q.mutual() {
			q.urge(a.now)
		}
		return
	}
	p.reached = true
	p.count.answered++
	if rtt := a.now.Sub(sent.at); p.rtt == 0 || rtt < p.rtt {
		p.rtt = max(rtt, 1) // 0 means unknown
	}
	if sent.full && in.full {
		p.count.answeredFull++
		p.rise(full)
	} else {
		p.rise(thin)
	}
	a.noteFlags(p, in)
	a.observe(p, in.observed)
	if sent.nominated && p == a.round.chosen && p.peerFull {
		a.round.confirmed = true
	}
	if !p.mutual() {
		// Either a full ping is worth trying now, or the peer should learn
		// that one has passed, and tell whether its own did.
		p.urge(a.now)
	}
}

// receiveHint takes a pong to no ping that is remembered, which a guess is not.
// It proves nothing, but its source is worth a ping.
func (a *Agent) receiveHint(from udp.Path, in *probe) {
	if a.guess.probes == 0 || a.round.chosen != nil {
		return
	}
	if q := a.learn(from, in.size()); q != nil && !q.mutual() {
		q.urge(a.now)
	}
}

// noteFlags takes over what the peer says of the pair. What it said of
// another generation was true of other mappings.
func (a *Agent) noteFlags(p *pair, in *probe) {
	if in.generation != a.round.generation {
		return
	}
	if in.flags&flagProven != 0 {
		p.peerFull = true
	}
	if in.kind == ping && in.flags&flagNominated != 0 {
		p.nomination = max(p.nomination, in.sequence)
	}
}

// match finds the ping that a pong answers.
func (a *Agent) match(txid uint64) (p *pair, s sentPing, ok bool) {
	for _, p := range a.pairs {
		if s, ok := p.flight.take(txid); ok {
			return p, s, true
		}
	}
	return nil, s, false
}

// learn returns the pair of an address from which an authenticated probe of
// the size came, adding it if it is new; nil if there is no room.
func (a *Agent) learn(from udp.Path, size int) *pair {
	p := find(a.pairs, from)
	if p == nil {
		if from.IsLine() {
			return nil // it has gone
		}
		if len(a.pairs)-a.named() >= maxCandidates && !a.forgetOne() {
			return nil
		}
		c := Candidate{PeerReflexive, from.Remote}
		p = &pair{Candidate: c, local: from.Local, class: classify(a.cfg.Local.Candidates, c), learned: true}
		p.start(a.now, a.now)
		a.pairs = append(a.pairs, p)
		a.startClock()
	}
	p.skip = "" // whatever spoke against it, it works in one direction
	p.earn(size)
	if slices.ContainsFunc(a.remote, func(c Candidate) bool { return c.Addr == from.Remote && !c.Kind.TCP() }) {
		p.credit = maxCredit // the peer itself has named it
	}
	return p
}

// forgetOne drops the learned address that has stayed unanswered longest.
func (a *Agent) forgetOne() bool {
	i := slices.IndexFunc(a.pairs, func(p *pair) bool {
		return p.learned && !p.reached && p != a.last
	})
	if i >= 0 {
		a.pairs = slices.Delete(a.pairs, i, i+1)
	}
	return i >= 0
}
