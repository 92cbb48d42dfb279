package nat

import (
	"time"

	"qft/internal/udp"
)

const (
	// While a better class may still succeed, the controlling side weighs
	// until two round trips, within these bounds, after it has first heard
	// from the peer. All pairs have been probed since then, so one that is
	// as fast would have shown; one that is not can still replace the
	// chosen one within settleTime.
	weighLeast = 50 * time.Millisecond
	weighMost  = 300 * time.Millisecond

	// confirmTime is how long a nomination may stay unanswered. It is sent
	// eight times in it; a path that loses all of them has died meanwhile.
	confirmTime = 3 * time.Second

	// A later pair replaces the chosen one only if it is better by a
	// quarter and this much: a change costs the transport what it has
	// learned of the path.
	switchMargin = 5 * time.Millisecond
)

// Path is the way to the peer.
type Path struct {
	Way   udp.Path      // how packets for the peer go
	Kind  Kind          // how the address became known
	Via   string        // for people: "this machine", "LAN", "IPv6", "IPv4", "mapped", "punched", "carrier or VPN", "TCP"
	RTT   time.Duration // lowest measured
	Since time.Time     // when it was chosen
}

// Best returns the path that both sides have proven with full-size packets
// and agreed on, in the current generation. It may change in the first
// seconds, to an address of a better class. It says nothing about contact
// being lost later.
func (a *Agent) Best() (Path, bool) {
	p := a.round.chosen
	if p == nil {
		return Path{}, false
	}
	return Path{Way: p.way(), Kind: p.Kind, Via: p.class.String(), RTT: p.rtt, Since: a.round.since}, true
}

// choose settles what can be settled at this time.
func (a *Agent) choose() {
	if !a.cfg.Controlling {
		if p := a.nominee(); p != nil && p != a.round.chosen {
			a.settle(p)
		}
		return
	}
	r := &a.round
	if r.chosen != nil && !r.confirmed && !a.now.Before(r.since.Add(confirmTime)) {
		a.forsake()
	}
	best := a.best()
	switch {
	case best == nil || best == r.chosen:
	case r.chosen != nil:
		if best.cost()*5/4+switchMargin < r.chosen.cost() {
			a.settle(best)
		}
	default:
		if !a.now.Before(a.decision(best)) {
			a.settle(best)
		}
	}
}

// best returns the cheapest mutual pair, or nil.
func (a *Agent) best() (best *pair) {
	for _, p := range a.pairs {
		if p.mutual() && (best == nil || p.cost() < best.cost()) {
			best = p
		}
	}
	return best
}

// nominee returns the pair that the controlling side chose last, among those
// that this side has proven too: a nomination that someone held back and
// delivered from his own address cannot move the path there.
func (a *Agent) nominee() (latest *pair) {
	for _, p := range a.pairs {
		if p.nomination > 0 && p.stage == full && (latest == nil || p.nomination > latest.nomination) {
			latest = p
		}
	}
	return latest
}

// decision returns when to nominate, given the best pair so far.
func (a *Agent) decision(best *pair) time.Time {
	for _, p := range a.pairs {
		if p.class < best.class && p.skip == "" && !p.mutual() {
			return a.round.contact.Add(min(max(2*best.rtt, weighLeast), weighMost))
		}
	}
	return a.round.contact
}

func (a *Agent) settle(p *pair) {
	a.last = p
	a.round.chosen, a.round.since, a.round.confirmed = p, a.now, false
	p.timing.try = 0
	if a.cfg.Controlling {
		p.urge(a.now)
	}
}

// forsake gives up the chosen pair, whose nomination nobody answered. The
// peer may have followed it and gone quiet, so it is told to search again, by
// a new generation; the time until Failed goes on.
func (a *Agent) forsake() {
	began := a.round.began
	a.begin(a.round.generation + 1)
	a.round.began = began
}
