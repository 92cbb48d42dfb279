package nat

import (
	"time"

	"qft/internal/udp"
)

const (
	// confirmTime is how long a nomination may stay without an answer that
	// says that the peer has proven the path as well. It is sent eight times in
	// it; a path that loses all of them has died meanwhile.
	confirmTime = 3 * time.Second

	// A later pair replaces the chosen one only if it is better by a
	// quarter and this much: a change costs the transport what it has
	// learned of the path.
	switchMargin = cost(5 * time.Millisecond)
)

// Path is the way to the peer.
type Path struct {
	Way   udp.Path      // how packets for the peer go
	Kind  Kind          // how the address became known
	Via   string        // for people: "this machine", "LAN", "IPv6", "IPv4", "mapped", "punched", "carrier or VPN", "TCP"
	RTT   time.Duration // lowest measured
	Since time.Time     // when it was chosen
}

// Best returns a path that this side has proven with full-size packets there
// and back, in the current generation. It may change in the first seconds: on
// both sides to an address that is better, on the controlled one to what is
// nominated. It says nothing about contact being lost later.
func (a *Agent) Best() (Path, bool) {
	p := a.round.chosen
	if p == nil {
		return Path{}, false
	}
	return Path{Way: p.way(), Kind: p.Kind, Via: p.class.String(), RTT: p.rtt, Since: a.round.since}, true
}

// Via is the word for people for a way to the peer, whether it was chosen or
// the peer's packets come by it.
func (a *Agent) Via(way udp.Path) string {
	switch p := find(a.pairs, way); {
	case p != nil:
		return p.class.String()
	case way.IsLine():
		return tcp.String()
	}
	return classify(a.cfg.Local.Candidates, Candidate{PeerReflexive, way.Remote}).String()
}

// choose settles what can be settled. The first path that works is used at once:
// what is better replaces it when it has shown itself.
func (a *Agent) choose() {
	r := &a.round
	if !a.cfg.Controlling {
		switch p := a.nominee(); {
		case p != nil && p != r.chosen:
			a.settle(p)
		case r.chosen == nil:
			// The nomination is on its way. Until it is here, what works will do:
			// the peer takes what comes by it.
			if p := a.best(); p != nil {
				a.settle(p)
			}
		}
		return
	}
	if r.chosen != nil && !r.confirmed && !a.now.Before(r.since.Add(confirmTime)) {
		a.forsake()
	}
	best := a.best()
	switch {
	case best == nil || best == r.chosen:
	case r.chosen == nil || best.cost().replaces(r.chosen.cost()):
		a.settle(best)
	}
}

// best returns the cheapest proven pair, or nil.
func (a *Agent) best() (best *pair) {
	for _, p := range a.pairs {
		if p.stage == full && (best == nil || p.cost() < best.cost()) {
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

func (a *Agent) settle(p *pair) {
	a.last = p
	a.round.chosen, a.round.since, a.round.confirmed = p, a.now, false
	p.timing.try = 0
	a.round.tidied = false
	a.promote(p.local)
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
