package peer

import (
	"net/netip"
	"slices"
	"time"

	"qft/internal/nat"
	"qft/internal/rendezvous"
)

// lookEvery is how often our own addresses are looked at: a machine that moves
// to another network should be there again before a person wonders.
const lookEvery = time.Second

// selfState is what we know of our own addresses.
type selfState struct {
	local  []netip.AddrPort // of interfaces
	mapped []netip.AddrPort // opened in the router
	lines  []netip.AddrPort // the same, for TCP
	nat    nat.Profile      // of our NAT, as it was measured last
	fresh  nat.List         // sockets prepared for the search to come, and where they will be seen
	due    time.Time        // next look
}

// look looks at our own addresses, and reports whether they have changed.
func (p *Peer) look(now time.Time) bool {
	s := &p.self
	if now.Before(s.due) {
		return false
	}
	first := s.due.IsZero()
	s.due = now.Add(lookEvery)
	local := p.cfg.Local()
	if slices.Equal(local, s.local) {
		return false
	}
	s.local = local
	if p.near.beacon != nil && !first {
		p.near.beacon.Hurry(now)
	}
	return !first
}

// SetMapped says which outside addresses the router has opened for us. Call it
// in the loop.
func (p *Peer) SetMapped(_ time.Time, mapped []netip.AddrPort) {
	p.self.mapped = slices.Clone(mapped)
}

// SetMappedLines does so for the TCP port of the lines.
func (p *Peer) SetMappedLines(_ time.Time, mapped []netip.AddrPort) {
	p.self.lines = slices.Clone(mapped)
}

// network is what the partner is told of ours, as known now.
func (p *Peer) network() nat.List {
	l := nat.List{Candidates: listed(nat.Host, p.self.local)}
	l.Candidates = append(l.Candidates, listed(nat.Mapped, p.self.mapped)...)
	for _, c := range p.observers() {
		l.Candidates = append(l.Candidates, listed(nat.Reflexive, c.Reflexive())...)
	}
	if p.pasted != nil {
		l.Candidates = append(l.Candidates, listed(nat.Reflexive, p.pasted.out.seen())...)
	}
	l.Candidates = unique(l.Candidates)
	for _, a := range p.self.local {
		if a.Addr().Is4() {
			l.Profile = nat.NewProfile(a.Port(), p.outside()).After(p.self.nat)
			if l.Profile.Mapping != nat.MappingUnknown {
				p.self.nat = l.Profile
			}
			break
		}
	}
	p.addFresh(&l)
	p.addLines(&l)
	return l
}

// addFresh adds to our list the sockets whose outside ports can be told before
// anything was sent from them, if our NAT is of that kind.
func (p *Peer) addFresh(l *nat.List) {
	s := &p.self
	if s.fresh.Profile.Mapping != l.Profile.Mapping || s.fresh.Profile.Last.Addr() != l.Profile.Last.Addr() {
		p.dropFresh()
		s.fresh = nat.Prepare(p.cfg.Sockets, nat.List{Profile: l.Profile})
	}
	l.Candidates = append(l.Candidates, s.fresh.Candidates...)
	l.Fresh = s.fresh.Fresh
}

// dropFresh forgets the prepared sockets: an agent that has them shuts them when
// it gets others.
func (p *Peer) dropFresh() {
	if len(p.bonds) == 0 {
		for _, l := range p.self.fresh.Fresh {
			p.cfg.Sockets.Shut(l)
		}
	}
	p.self.fresh = nat.List{}
}

// listFor is our list as the agent of a bond gets it: the prepared sockets are
// those of the first one.
func (p *Peer) listFor(b *bond, l nat.List) nat.List {
	if len(p.bonds) > 0 && p.bonds[0] != b {
		l.Fresh = nil
	}
	return l
}

// outside are our addresses as the helper's saw them, in the order of asking. A
// sender on this network sees us from inside.
func (p *Peer) outside() (seen []netip.AddrPort) {
	if p.pasted != nil {
		return p.pasted.out.seen()
	}
	c := p.search.client
	if n := p.named(); n != nil && n.client != nil {
		c = n.client
	}
	if c != nil {
		for _, o := range c.Observed() {
			seen = append(seen, o.Seen)
		}
	}
	return seen
}

// observers are the clients whose servers see us from outside. What our own
// server, or another one of this machine, sees says nothing to others. One on this
// network sees an address that we know, or lies.
func (p *Peer) observers() (all []*rendezvous.Client) {
	if p.search.client != nil {
		all = append(all, p.search.client)
	}
	for _, pl := range p.places {
		if pl.client != nil && pl.named() {
			all = append(all, pl.client)
		}
	}
	return all
}

func listed(kind nat.Kind, addrs []netip.AddrPort) []nat.Candidate {
	var all []nat.Candidate
	for _, a := range addrs {
		all = append(all, nat.Candidate{Kind: kind, Addr: a})
	}
	return all
}

// unique leaves out what came before.
func unique(list []nat.Candidate) []nat.Candidate {
	var all []nat.Candidate
	for _, c := range list {
		if !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	return all
}

// news reports whether l says more than what was told.
func news(l, told nat.List) bool {
	return l.Profile != told.Profile || l.Flags != told.Flags ||
		slices.ContainsFunc(l.Candidates, func(c nat.Candidate) bool { return !slices.Contains(told.Candidates, c) })
}

// postAddresses tells the partner, through the place where it was met, what we
// have learned of our network since.
func (p *Peer) postAddresses(now time.Time) {
	if len(p.bonds) == 0 {
		return
	}
	l := p.network()
	for _, b := range p.bonds {
		if b.at.client == nil || !news(l, b.posted) {
			continue
		}
		b.agent.SetLocal(now, p.listFor(b, l))
		if b.at.client.Post(b.partner, b.addressNote(p.cfg.Role, l)) == nil {
			b.posted = l
		}
	}
}

// onAddresses: the partner has more of them.
func (p *Peer) onAddresses(now time.Time, b *bond, body []byte) {
	if l := b.openAddresses(p.otherRole(), body); len(l.Candidates) > 0 {
		p.heedLines(l)
		b.agent.AddRemote(now, p.zoned(l))
	}
}

// whereabouts adds to what the partner says of itself where we have met it: a
// port that is forwarded to it, which it does not know of; and, as many routers
// keep a port's number, the ports that it has beside it.
func (p *Peer) whereabouts(pl *place, l nat.List) nat.List {
	var met []netip.AddrPort
	switch pl.kind {
	case nearby:
		met = []netip.AddrPort{pl.addr}
	case atHost:
		met = p.cfg.Host
	}
	told := l.Candidates
	for _, a := range met {
		l.Candidates = append(l.Candidates, nat.Candidate{Kind: nat.Mapped, Addr: a})
		for _, c := range told {
			if c.Kind == nat.Host && pl.kind == atHost {
				l.Candidates = append(l.Candidates, nat.Candidate{Kind: nat.Mapped, Addr: netip.AddrPortFrom(a.Addr(), c.Addr.Port())})
			}
		}
	}
	return p.zoned(l)
}

// maxZones bounds the interfaces through which a link-local address is tried.
const maxZones = 4

// zoned replaces the partner's link-local addresses, which are told without a
// zone since that means nothing elsewhere, by one for each link of ours.
func (p *Peer) zoned(l nat.List) nat.List {
	var zones []string
	for _, a := range p.self.local {
		if z := a.Addr().Zone(); z != "" && !slices.Contains(zones, z) && len(zones) < maxZones {
			zones = append(zones, z)
		}
	}
	var all []nat.Candidate
	for _, c := range l.Candidates {
		if ip := c.Addr.Addr(); !ip.Is6() || !ip.IsLinkLocalUnicast() || ip.Zone() != "" {
			all = append(all, c)
			continue
		}
		for _, z := range zones {
			c.Addr = netip.AddrPortFrom(c.Addr.Addr().WithZone(z), c.Addr.Port())
			all = append(all, c)
		}
	}
	l.Candidates = unique(all)
	return l
}
