package nat

import (
	"slices"
	"time"

	"qft/internal/udp"
)

const (
	// Pings and pongs may each take 50 kB/s, so a search costs 100 kB/s at
	// most; the bursts let the opening round to 48 addresses, and the
	// answers to the peer's, go out as planned.
	probeRate = 50_000
	pingBurst = 60_000
	pongBurst = 60_000

	// maxReplies bounds the pongs that wait for Send.
	maxReplies = 64
)

// outbound is what paces and numbers the probes of this side.
type outbound struct {
	sequence uint64
	nextPing time.Time
	pings    budget
	pongs    budget
	guesses  [2]budget // in probes, not bytes
	replies  []reply
}

// reply is a pong to be sent. Its flags are those of the time of sending.
type reply struct {
	to   udp.Path
	txid uint64
	full bool
}

func newOutbound() outbound {
	return outbound{
		pings: budget{rate: probeRate, burst: pingBurst},
		pongs: budget{rate: probeRate, burst: pongBurst},
		guesses: [2]budget{
			{rate: guessRate, burst: guessBurst},
			{rate: guessSlow, burst: guessStore},
		},
	}
}

// reply queues the pong to a ping; beyond the rate it is left out, and the
// peer will ask again.
func (o *outbound) reply(now time.Time, to udp.Path, in *probe) {
	if len(o.replies) >= maxReplies || o.pongs.ready(in.size()).After(now) {
		return
	}
	o.pongs.spend(now, in.size())
	o.replies = append(o.replies, reply{to, in.txid, in.full})
}

// Send appends the probes that should leave now.
func (a *Agent) Send(now time.Time, b *udp.Batch) {
	a.advance(now)
	n := 0
	for n < len(a.out.replies) && a.sendPong(b, a.out.replies[n]) {
		n++
	}
	a.out.replies = slices.Delete(a.out.replies, 0, n)
	if len(a.out.replies) > 0 {
		return
	}
	if p := a.nextPair(); p != nil {
		a.sendPing(b, p)
	}
	a.sendGuesses(b)
}

func (a *Agent) sendPong(b *udp.Batch, r reply) bool {
	pr := probe{kind: pong, txid: r.txid, observed: r.to.Remote, full: r.full}
	p := find(a.pairs, r.to)
	if !a.emit(b, r.to, p, &pr) {
		return false
	}
	if p != nil {
		p.credit -= pr.size()
	}
	return true
}

func (a *Agent) sendPing(b *udp.Batch, p *pair) {
	large, wait, _ := p.turn(a.late())
	nominated := a.cfg.Controlling && p == a.round.chosen
	pr := probe{kind: ping, full: large, txid: a.random()}
	if nominated {
		pr.flags = flagNominated
	}
	if !a.emit(b, p.way(), p, &pr) {
		return
	}
	a.out.pings.spend(a.now, pr.size())
	a.out.nextPing = a.now.Add(probeEvery)
	p.credit -= pr.size()
	p.flight.add(sentPing{pr.txid, a.now, large, nominated})
	p.count.sent++
	if large {
		p.count.sentFull++
	}
	if !p.timing.urgent {
		p.timing.try++
	}
	p.timing.urgent, p.timing.next, p.timing.last = false, a.now.Add(a.rest(p, wait)), a.now
}

// emit completes the probe, seals it and adds it to the batch. It reports
// false, and nothing has happened, if there is no room.
func (a *Agent) emit(b *udp.Batch, to udp.Path, p *pair, pr *probe) bool {
	if b.Room() < pr.size() {
		return false
	}
	if p != nil && p.stage == full {
		pr.flags |= flagProven
	}
	a.out.sequence++
	pr.sequence, pr.generation = a.out.sequence, a.round.generation
	a.mapped(to)
	return b.Add(to, a.seal.seal(pr))
}

// wants reports whether the pair should be pinged at all.
func (a *Agent) wants(p *pair) bool {
	switch c := a.round.chosen; {
	case p.timing.urgent, c == nil:
		return true
	case p == c && a.cfg.Controlling:
		return !a.round.confirmed
	case p == c:
		return p.nomination == 0 // the peer may have proven nothing so far, and needs to hear from here
	default:
		return p.promising(c)
	}
}

// promising reports whether a pair that has not been proven might replace the
// chosen one, if it turned out to be as fast as it can be.
func (p *pair) promising(chosen *pair) bool {
	return !p.mutual() && (p.class < chosen.class || p.cost().replaces(chosen.cost()))
}

// rest is how long a pair waits that goes on being tried after something was
// chosen: not long at first, and then as one does who looks out of the window.
func (a *Agent) rest(p *pair, wait time.Duration) time.Duration {
	switch {
	case a.round.chosen == nil || p == a.round.chosen || a.now.Before(later(p.timing.since, a.round.since).Add(settleTime)):
		return wait
	case p.count.sent >= hopeless && p.count.answered == 0:
		return seldomWait
	}
	return lookWait
}

// due returns when the pair's next ping may leave; ok is false if none is to.
func (a *Agent) due(p *pair) (t time.Time, ok bool) {
	large, _, ok := p.turn(a.late())
	if !ok || !a.wants(p) {
		return t, false
	}
	t = p.timing.next
	for _, other := range []time.Time{a.out.nextPing, a.out.pings.ready(sizeOf(large))} {
		if other.After(t) {
			t = other
		}
	}
	return t, true
}

// nextPair returns the pair to ping now, or nil. Answers to what came in go
// first, then pairs that have had fewer pings, then what is due longest.
func (a *Agent) nextPair() (next *pair) {
	for _, p := range a.pairs {
		if t, ok := a.due(p); ok && !t.After(a.now) && (next == nil || p.before(next)) {
			next = p
		}
	}
	return next
}

func (p *pair) before(q *pair) bool {
	if p.timing.urgent != q.timing.urgent {
		return p.timing.urgent
	}
	if p.timing.try != q.timing.try {
		return p.timing.try < q.timing.try
	}
	return p.timing.next.Before(q.timing.next)
}
