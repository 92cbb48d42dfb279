package peer

import (
	"errors"
	"slices"
	"time"

	"qft/internal/nat"
	"qft/internal/rendezvous"
)

const (
	// searchAgain is how long a search for a lost peer goes on before it begins
	// anew.
	searchAgain = 10 * time.Second
)

// searchState is how a peer that fell silent is looked for: both sides join
// the room whose name only they can know, and pass each other their addresses.
// It begins when the contact is in doubt, so that in most cases it is over
// before anybody would say that contact was lost. Once joined it is kept to the
// end: a contact lost once is lost again.
type searchState struct {
	client  *rendezvous.Client // nil: not needed yet, or there is no helper
	on      bool               // the contact is in doubt or lost
	since   time.Time          // contact lost since then; zero: there is contact
	renew   time.Time          // begin anew
	posted  nat.List
	partner rendezvous.ID
	there   bool // the partner is in the room
}

// watchContact looks for a peer that has fallen silent.
func (p *Peer) watchContact(now time.Time) {
	if p.conn.Err() != nil {
		return
	}
	last := p.conn.LastContact()
	silent := now.Sub(last) >= p.conn.Silence()
	s := &p.search
	doubt := p.conn.DoubtAt()
	switch on := silent || !doubt.IsZero() && !now.Before(doubt); {
	case on && !s.on:
		s.on = true
		p.startSearch(now)
	case !on && s.on:
		s.on, s.renew = false, time.Time{}
	}
	switch {
	case silent && s.since.IsZero():
		s.since = last
		p.tell(ContactLost{Since: last})
	case !silent && !s.since.IsZero():
		p.tell(ContactBack{After: last.Sub(s.since)})
		s.since = time.Time{}
	}
	if s.client != nil {
		p.pumpSearch(now)
	}
	if s.on {
		p.stepSearch(now)
	}
	if !silent && p.told != p.conn.Path() {
		p.told = p.conn.Path()
		rtt := p.conn.Stats().RTT
		if rtt == 0 { // nothing has been acknowledged over the new path
			rtt = p.path.RTT
		}
		p.tell(Connected{Word: p.agent().Via(p.told), Remote: p.told.Remote, RTT: rtt})
	}
}

func (p *Peer) searchDeadline() time.Time {
	if p.conn == nil || p.conn.Err() != nil {
		return time.Time{}
	}
	s, doubt := &p.search, p.conn.DoubtAt()
	if !s.since.IsZero() {
		return s.renew
	}
	d := earlier(p.conn.LastContact().Add(p.conn.Silence()), s.renew)
	switch {
	case s.on && doubt.IsZero():
		return p.turn // it is over
	case !s.on:
		return earlier(d, doubt)
	}
	return d
}

// moved: our own addresses have changed.
func (p *Peer) moved(now time.Time) {
	l := p.network()
	for _, b := range p.bonds {
		b.agent.SetLocal(now, p.listFor(b, l))
	}
	if p.state == connected && p.conn.Err() == nil {
		p.startSearch(now) // what we had may be gone, and there may be better now
		if !p.search.on {
			p.search.renew = time.Time{} // once, unless contact is in doubt
		}
	}
}

// startSearch searches from our addresses as they are now.
func (p *Peer) startSearch(now time.Time) {
	s := &p.search
	s.posted = nat.List{}
	s.renew = now.Add(searchAgain)
	p.dropFresh() // they are used up
	p.agent().Restart(now, nat.List{}, p.network())
	if s.client != nil || len(p.cfg.Helpers) == 0 {
		return
	}
	var name [16]byte
	copy(name[:], p.sess().Export("private room", len(name)))
	s.client = rendezvous.NewClient(rendezvous.ClientConfig{
		Servers: p.cfg.Helpers, Ports: helperPorts, Room: rendezvous.PrivateRoom(name),
		Role: p.cfg.Role, Rand: p.cfg.Rand, Secret: p.cfg.Secret,
	})
	p.adoptLines(s.client)
}

// pumpSearch takes what the private room has told.
func (p *Peer) pumpSearch(now time.Time) {
	for {
		e, ok := p.search.client.Next()
		if !ok {
			return
		}
		p.onSearch(now, e)
	}
}

func (p *Peer) stepSearch(now time.Time) {
	s := &p.search
	if !now.Before(s.renew) {
		p.startSearch(now)
	}
	if s.client == nil || !s.there || len(s.client.Reflexive())+len(s.client.LineReflexive()) == 0 {
		return
	}
	l := p.network()
	if slices.Equal(l.Candidates, s.posted.Candidates) && l.Profile == s.posted.Profile {
		return
	}
	err := s.client.Post(s.partner, p.bonds[0].addressNote(p.cfg.Role, l))
	switch {
	case err == nil:
		s.posted = l
		p.agent().SetLocal(now, l)
	case errors.Is(err, rendezvous.ErrBusy) && !s.client.Pending():
		// It has said all that one membership may say; the next one may go
		// on. The old one is driven until it has left.
		s.client.Leave()
		p.parted = append(p.parted, s.client)
		s.client, s.there = nil, false
		p.startSearch(now)
	}
}

func (p *Peer) onSearch(now time.Time, e rendezvous.Event) {
	s := &p.search
	switch e.Kind {
	case rendezvous.Arrived:
		s.partner, s.there = e.Member, true
		s.posted = nat.List{}
	case rendezvous.Departed:
		s.there = false
	case rendezvous.Note:
		if len(e.Note) == 0 || e.Note[0] != noteAddresses {
			return
		}
		if l := p.bonds[0].openAddresses(p.otherRole(), e.Note[1:]); len(l.Candidates) > 0 {
			p.heedLines(l)
			p.agent().Restart(now, p.zoned(l), nat.List{})
		}
	}
}
