package nat

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"qft/internal/udp"
)

// guessing is what is under way beside pinging the candidates: aims at single
// ports, the spreading of sockets, and the blind search for those of the peer.
// Whatever it meets becomes a learned pair, and is then like any other.
type guessing struct {
	basis  basis
	tactic tactic
	aims   []aim
	walked int       // walks so far
	walkAt time.Time // of the next one; zero: none

	from     time.Time   // of spreading and looking; zero: neither
	spread   []udp.Local // in the order of opening
	turn     int         // place in spread that pings next
	again    int         // sockets that have had their turn again
	spreadAt time.Time
	blindAt  time.Time
	port     int // where the blind search is

	sockets int               // opened by the Agent, ever
	probes  int               // sent in this generation
	made    map[udp.Path]bool // ways that our NAT has a mapping for
	before  int               // how many of them it made before our profile was taken
}

// basis is what the tactic follows from.
type basis struct {
	own, peer Profile
	blocked   bool      // a side cannot use UDP
	fresh     udp.Local // the first
	twin      netip.AddrPort
}

// aim is one port that is pinged a few times.
type aim struct {
	way  udp.Path
	next time.Time
	try  int
}

// aimTries pings of an aim are aimWait and then always twice as long apart, so
// that they last as long as guessing does.
const (
	aimWait  = 150 * time.Millisecond
	aimTries = 8
)

// Prepare opens the sockets that a NAT as in the profile keeps the ports of, if
// nothing is sent from them before their time, and adds to the list of this
// side where they will be seen from outside. The list belongs to one search.
func Prepare(s Sockets, l List) List {
	if s == nil || l.Profile.Mapping != Preserving {
		return l
	}
	l.Fresh = s.Open(freshCount)
	l.Candidates = slices.Clone(l.Candidates)
	for _, f := range l.Fresh {
		at := netip.AddrPortFrom(l.Profile.Last.Addr(), s.PortOf(f))
		l.Candidates = append(l.Candidates, Candidate{Predicted, at})
	}
	return l
}

// replan looks for another tactic when what is known of the NATs has changed.
func (a *Agent) replan() {
	g := &a.guess
	now := basis{own: a.ownProfile(), peer: a.peerProfile(), blocked: (a.flags|a.cfg.Local.Flags)&NoUDP != 0}
	predicted := filter(a.remote, func(c Candidate) bool { return c.Kind == Predicted && c.Addr.Addr().Is4() })
	if len(predicted) > 0 {
		now.twin = predicted[0].Addr
	}
	if len(a.cfg.Local.Fresh) > 0 {
		now.fresh = a.cfg.Local.Fresh[0]
	}
	if now == g.basis || a.round.began.IsZero() {
		return
	}
	g.basis = now
	g.aims, g.walked, g.walkAt, g.from = nil, 0, time.Time{}, time.Time{}
	t := tactics(now.own.Mapping, now.peer.Mapping)
	at, ok := a.peerOutside()
	if g.tactic = t; !ok || !a.cfg.V4 || now.blocked {
		g.tactic = tactic{}
		return
	}
	for i, f := range a.cfg.Local.Fresh {
		switch {
		case t.fresh == outside && i >= freshCount-freshOutside:
			a.aim(udp.Path{Local: f, Remote: at})
		case t.fresh == twins && i < len(predicted):
			a.aim(udp.Path{Local: f, Remote: predicted[i].Addr})
		case t.fresh == row:
			a.aim(udp.Path{Local: f, Remote: now.peer.nth(1 + i + rowShift(i))})
		}
	}
	if t.window {
		width := max(int(now.peer.Step), -int(now.peer.Step))
		for n := 1; n <= windowSteps*width; n++ {
			a.aim(udp.To(now.peer.unit().nth(n)))
		}
		for n := 1; n <= windowBack*width; n++ {
			a.aim(udp.To(now.peer.unit().nth(-n)))
		}
	}
	if t.walk {
		g.walkAt = a.now
	}
	if t.spread && a.cfg.Sockets != nil || t.blind {
		g.from = a.round.began.Add(t.after)
		g.spreadAt, g.blindAt = g.from, g.from
		var start [2]byte
		a.entropy(start[:])
		g.port = int(binary.BigEndian.Uint16(start[:]))
	}
}

// aim adds an aim behind the others: a NAT makes its mappings in this order.
func (a *Agent) aim(way udp.Path) {
	a.guess.aims = append(a.guess.aims, aim{way: way, next: a.now})
}

// walk aims at the mappings that the peer's NAT makes while ours makes those
// that the peer aims at. Each side corrects for what it has mapped beside, and
// so neither needs to know of the other's: the k-th of this side meets, with
// the offsets d of mappings made and t of ports aimed at, the j-th of the peer
// if j = k + d - t' and j = k + t - d'.
func (a *Agent) walk() {
	g := &a.guess
	offset := g.since() - g.walked*walkSteps
	local := udp.Local(0)
	if g.walked > 0 {
		l, ok := a.open()
		if !ok {
			g.walkAt = time.Time{}
			return
		}
		local = l // to which all destinations are new
	}
	for k := 1; k <= walkSteps; k++ {
		n := g.walked*walkSteps + k + offset
		if a.cfg.Controlling {
			n += walkShift(g.walked, k)
		}
		a.aim(udp.Path{Local: local, Remote: g.basis.peer.nth(n)})
	}
	g.walked++
	g.walkAt = g.walkAt.Add(walkEvery)
	if g.walked == walks {
		g.walkAt = time.Time{}
	}
}

// open opens one more socket, if it may.
func (a *Agent) open() (udp.Local, bool) {
	if a.cfg.Sockets == nil || len(a.own) >= maxSockets {
		return 0, false
	}
	l := a.cfg.Sockets.Open(1)
	if len(l) == 0 {
		return 0, false
	}
	a.own = append(a.own, l[0])
	a.guess.sockets++
	return l[0], true
}

// guessDue reports when the next guess is due; ok is false if none is.
func (a *Agent) guessDue() (t time.Time, ok bool) {
	t, ok = a.guessWanted()
	for i := range a.out.guesses {
		t = later(t, a.out.guesses[i].ready(1))
	}
	return t, ok
}

// guessWanted is the same without regard to how many there were.
func (a *Agent) guessWanted() (t time.Time, ok bool) {
	g := &a.guess
	earliest := func(at time.Time) {
		if !at.IsZero() && (!ok || at.Before(t)) {
			t, ok = at, true
		}
	}
	if a.round.chosen != nil {
		return t, false
	}
	for _, m := range g.aims {
		earliest(m.next)
	}
	earliest(g.walkAt)
	if g.from.IsZero() || !a.now.Before(g.from.Add(guessTime)) {
		return t, ok
	}
	// What has been heard of is pinged; only if nothing comes of it, guessing
	// goes on.
	rest := a.round.heard
	if !rest.IsZero() {
		rest = rest.Add(guessLater)
	}
	for _, at := range []struct {
		t  time.Time
		is bool
	}{{g.spreadAt, g.tactic.spread && a.cfg.Sockets != nil}, {g.blindAt, g.tactic.blind}} {
		if at.is {
			earliest(later(at.t, rest))
		}
	}
	return t, ok
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// sendGuesses sends what is due, or reports that b is full.
func (a *Agent) sendGuesses(b *udp.Batch) bool {
	g := &a.guess
	for {
		t, ok := a.guessDue()
		if !ok || t.After(a.now) {
			return true
		}
		if b.Room() < smallSize {
			return false
		}
		if !g.walkAt.IsZero() && !g.walkAt.After(a.now) {
			a.walk()
			continue
		}
		i := slices.IndexFunc(g.aims, func(m aim) bool { return !m.next.After(a.now) })
		switch {
		case i >= 0:
			m := &g.aims[i]
			a.guessAt(b, m.way)
			m.next = a.now.Add(aimWait << m.try)
			if m.try++; m.try == aimTries {
				g.aims = slices.Delete(g.aims, i, i+1)
			}
		case g.tactic.spread && a.cfg.Sockets != nil && !g.spreadAt.After(a.now):
			a.spreadOne(b)
		default:
			a.lookBlindly(b)
		}
	}
}

// spreadOne pings the peer's endpoint from one more socket. When there are all,
// it does so once again from those that have, should that have been lost, and now
// and then from a fresh one in the place of an old one: its port may be one that
// the peer has been at. A router that takes what nobody asked for to be its own
// can be passed only so, for behind it the peer must have pinged first.
func (a *Agent) spreadOne(b *udp.Batch) {
	g := &a.guess
	wait := spreadEvery
	if l, ok := a.open(); ok {
		g.spread = append(g.spread, l)
		g.turn = len(g.spread) - 1
	} else {
		wait = againEvery
		g.turn = (g.turn + 1) % max(len(g.spread), 1)
		if g.again++; g.again%replaceEvery == 0 {
			a.replace(g.turn)
		}
		if len(g.spread) == 0 {
			g.tactic.spread = false // none to be had
			return
		}
	}
	if at, ok := a.peerOutside(); ok {
		a.guessAt(b, udp.Path{Local: g.spread[g.turn], Remote: at})
	}
	g.spreadAt = paced(g.spreadAt, a.now, wait)
}

// replace opens a socket in the place of one from which nothing was heard.
func (a *Agent) replace(i int) {
	if i >= len(a.guess.spread) {
		return
	}
	l := a.guess.spread[i]
	if slices.ContainsFunc(a.pairs, func(p *pair) bool { return p.local == l }) {
		return
	}
	a.cfg.Sockets.Shut(l)
	a.own = slices.DeleteFunc(a.own, func(o udp.Local) bool { return o == l })
	if fresh, ok := a.open(); ok {
		a.guess.spread[i] = fresh
		return
	}
	a.guess.spread = slices.Delete(a.guess.spread, i, i+1)
	a.guess.turn = 0
}

// lookBlindly pings one more port of the peer's outside address. One order is as
// good as another where the ports are random, as long as none comes twice; a
// step that shares no factor with their number visits all.
func (a *Agent) lookBlindly(b *udp.Batch) {
	const stride = 24691
	g := &a.guess
	if at, ok := a.peerOutside(); ok {
		g.port = (g.port + stride) % portCount
		a.guessAt(b, udp.To(netip.AddrPortFrom(at.Addr(), uint16(firstPort+g.port))))
	}
	every := blindEvery
	if g.tactic.spread {
		every *= 2
	}
	g.blindAt = paced(g.blindAt, a.now, every)
}

// paced is when the next one may go after one that was due at the time. A loop
// that was late may make up for a little.
func paced(due, now time.Time, every time.Duration) time.Time {
	return later(due, now.Add(-10*time.Millisecond)).Add(every)
}

// guessAt pings a port that may be nobody's.
func (a *Agent) guessAt(b *udp.Batch, way udp.Path) {
	a.guess.probes++
	for i := range a.out.guesses {
		a.out.guesses[i].spend(a.now, 1)
	}
	a.emit(b, way, nil, &probe{kind: ping, txid: a.random()})
}

// since is how many mappings our NAT has made for us since our profile was taken.
func (g *guessing) since() int { return len(g.made) - g.before }

// mapped notes that our NAT has made a mapping for this way, if it is one that
// counts its ports, or may turn out to be, and the way leads through it.
func (a *Agent) mapped(way udp.Path) {
	ip := way.Remote.Addr()
	if m := a.cfg.Local.Profile.Mapping; m != Sequential && m != MappingUnknown || !ip.Is4() || ip.IsLoopback() || a.neighbour(ip) || len(a.guess.made) >= 1<<12 {
		return
	}
	if a.guess.made == nil {
		a.guess.made = make(map[udp.Path]bool)
	}
	a.guess.made[way] = true
}

// neighbour reports whether the address is most likely of our own network, so
// that what is sent there passes no NAT.
func (a *Agent) neighbour(ip netip.Addr) bool {
	return slices.ContainsFunc(a.cfg.Local.Candidates, func(c Candidate) bool {
		own := c.Addr.Addr()
		return c.Kind == Host && own.Is4() && netip.PrefixFrom(own, 24).Masked().Contains(ip)
	})
}

// ownProfile is what our NAT does; none at all is as good as one that maps
// independently.
func (a *Agent) ownProfile() Profile {
	return withoutNAT(a.cfg.Local.Profile, a.cfg.Local.Candidates)
}

func (a *Agent) peerProfile() Profile { return withoutNAT(a.peer, a.remote) }

func withoutNAT(p Profile, list []Candidate) Profile {
	if p.Mapping == MappingUnknown && newSide(list, nil).V4.Look == NoNAT {
		p.Mapping = Independent
	}
	return p
}

// peerOutside is the endpoint of the peer that is seen from outside. One within
// our own network is none, for a peer whose word we take for it would have us
// look through the ports of somebody who lives there.
func (a *Agent) peerOutside() (netip.AddrPort, bool) {
	if last := a.peer.Last; last.IsValid() {
		return last, !inward(last.Addr()) || inward(a.cfg.Local.Profile.Last.Addr())
	}
	for _, c := range a.remote {
		if c.Addr.Addr().Is4() && (c.Kind == Reflexive || c.Kind == Host && classify(nil, c) == direct) {
			return c.Addr, true
		}
	}
	return netip.AddrPort{}, false
}

// inward reports whether the address is of some network that is not the
// internet.
func inward(ip netip.Addr) bool { return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() }

// unit is the profile with a step of one port in the same direction.
func (p Profile) unit() Profile {
	p.Step = max(-1, min(1, p.Step))
	return p
}

// promote gives the socket of the chosen pair what a transfer needs.
func (a *Agent) promote(l udp.Local) {
	if l != 0 && l < udp.FirstLine && a.cfg.Sockets != nil {
		a.cfg.Sockets.Promote(l)
	}
}

// tidy shuts the sockets that no path in use leads through, but for those that
// are kept for what comes.
func (a *Agent) tidy(keep []udp.Local) {
	a.guess.spread, a.guess.aims, a.guess.turn = nil, nil, 0
	a.own = slices.DeleteFunc(a.own, func(l udp.Local) bool {
		if slices.Contains(keep, l) || a.last != nil && a.last.local == l || a.round.chosen != nil && a.round.chosen.local == l {
			return false
		}
		a.cfg.Sockets.Shut(l)
		a.pairs = slices.DeleteFunc(a.pairs, func(p *pair) bool { return p.local == l })
		return true
	})
}

// Close shuts the sockets that the Agent has beside the first. It is for an Agent
// that is not needed any more.
func (a *Agent) Close() {
	a.last, a.round.chosen = nil, nil
	a.tidy(nil)
}

// renew takes the prepared sockets of a new list in the place of those of an
// old one.
func (a *Agent) renew(old []udp.Local) {
	fresh := a.cfg.Local.Fresh
	if slices.Equal(old, fresh) {
		return
	}
	a.tidy(slices.DeleteFunc(slices.Clone(a.own), func(l udp.Local) bool { return slices.Contains(old, l) }))
	a.own = append(a.own, fresh...)
}
