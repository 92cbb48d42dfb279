package peer

import (
	"net/netip"
	"slices"
	"time"

	"qft/internal/beacon"
	"qft/internal/rendezvous"
)

// nearbyState is the search on this network.
type nearbyState struct {
	beacon  *beacon.Beacon // nil: not looking, or not yet
	shunned []shunned
}

// shunned is an address that has not kept what its beacon promised.
type shunned struct {
	addr  netip.AddrPort
	until time.Time
}

// Groups are what a socket has to hear for Config.Nearby.
func Groups() []netip.AddrPort { return []netip.AddrPort{beacon.Group4(), beacon.Group6()} }

// call begins to call on this network: a receiver for the sender, a sender once
// it has a place there.
func (p *Peer) call(now time.Time) {
	if !p.cfg.Nearby || p.near.beacon != nil {
		return
	}
	cfg := beacon.Config{V4: p.cfg.V4, V6: p.cfg.V6}
	if p.cfg.Role == rendezvous.Sender {
		cfg.Port = p.cfg.Port
	}
	if n, generated := p.meet.phrase.Number(); generated {
		cfg.Number = n
	}
	p.near.beacon = beacon.New(now, cfg)
}

// stepNearby opens the places that beacons tell of, and leaves those where
// nobody is.
func (p *Peer) stepNearby(now time.Time) {
	if p.near.beacon == nil {
		return
	}
	for _, pl := range slices.Clone(p.places) {
		if pl.kind == nearby && due(pl.patience(), now) {
			p.shun(now, pl.addr)
			p.close(now, pl)
		}
	}
	for {
		a, ok := p.near.beacon.Next()
		if !ok {
			return
		}
		if p.sess() == nil && p.welcome(now, a) {
			p.open(now, nearby, []netip.AddrPort{a}).addr = a
		}
	}
}

// patience is until when a place that a beacon told of may be useless: zero if
// it is not. One whose sender has gone without a word has members for ever, who
// say nothing.
func (pl *place) patience() time.Time {
	until := pl.began.Add(nearbyPatience)
	if !pl.joined {
		return until
	}
	if len(pl.expected) > 0 {
		until = pl.began.Add(2 * confirmTime)
	}
	for _, m := range pl.members {
		if !m.counted {
			return time.Time{}
		}
		if t := m.began.Add(2 * confirmTime); t.After(until) {
			until = t
		}
	}
	return until
}

// welcome reports whether a is worth a place.
func (p *Peer) welcome(now time.Time, a netip.AddrPort) bool {
	near, ofHost := 0, 0
	for _, pl := range p.places {
		switch {
		case pl.kind != nearby:
		case pl.addr == a:
			return false
		default:
			near++
			if pl.addr.Addr() == a.Addr() {
				ofHost++
			}
		}
	}
	p.near.shunned = slices.DeleteFunc(p.near.shunned, func(s shunned) bool { return !s.until.After(now) })
	bad := slices.ContainsFunc(p.near.shunned, func(s shunned) bool { return s.addr == a })
	return near < maxNearby && ofHost < maxOfHost && !bad
}

func (p *Peer) shun(now time.Time, a netip.AddrPort) {
	if len(p.near.shunned) >= maxShunned {
		p.near.shunned = p.near.shunned[1:]
	}
	p.near.shunned = append(p.near.shunned, shunned{a, now.Add(shunTime)})
}

// nearbyDeadline is when stepNearby or the beacon has something to do.
func (p *Peer) nearbyDeadline() time.Time {
	if p.near.beacon == nil {
		return time.Time{}
	}
	d := p.near.beacon.Deadline()
	for _, pl := range p.places {
		if pl.kind == nearby {
			d = earlier(d, pl.patience())
		}
	}
	return d
}

// quiet ends the calling.
func (p *Peer) quiet() { p.near.beacon = nil }
