package peer

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"qft/internal/nat"
	"qft/internal/rendezvous"
	"qft/internal/transport"
)

// searchState is how a peer that fell silent is looked for: both sides join
// the room whose name only they can know, and pass each other their addresses.
// It begins when the contact is in doubt, so that in most cases it is over
// before anybody would say that contact was lost. Once joined it is kept to the
// end: a contact lost once is lost again.
type searchState struct {
	client  *rendezvous.Client
	on      bool      // the contact is in doubt or lost
	since   time.Time // contact lost since then; zero: there is contact
	renew   time.Time // look at our own addresses again
	posted  nat.List
	local   []netip.AddrPort // our addresses when last looked at
	partner rendezvous.ID
	there   bool // the partner is in the room
}

func (p *Peer) startAgent(now time.Time) {
	var tag [4]byte
	copy(tag[:], p.sess.Export("nat tag", len(tag)))
	p.agent = nat.NewAgent(now, nat.Config{
		Box:         p.sess.Box("nat"),
		Tag:         tag,
		Controlling: p.cfg.Role == rendezvous.Sender,
		Local:       p.meet.posted,
		Rand:        p.cfg.Rand,
		V4:          p.cfg.V4,
		V6:          p.cfg.V6,
	})
}

func (p *Peer) stepPunching(now time.Time) {
	if p.state != punching {
		return
	}
	p.punch(now)
	if !p.meet.handOver.IsZero() && !now.Before(p.meet.handOver) {
		p.leaveRoom(now)
	}
	if p.agent.Failed(now) != nil || !now.Before(p.meet.punchEnd) {
		r := p.agent.Report(now)
		p.fail(now, NoPath, errors.New("no path between the two machines"))
		p.err.Report = &r
		return
	}
	path, ok := p.agent.Best()
	if !ok || p.rival() && !p.meet.rivalEnd.IsZero() {
		return
	}
	p.connect(now, path)
}

// rival reports whether another sender's handshake is under way, or can begin
// any moment.
func (p *Peer) rival() bool { return p.meet.open() > 0 || len(p.meet.expected) > 0 }

// connect starts the connection over the path that was found.
func (p *Peer) connect(now time.Time, path nat.Path) {
	send, receive := "connection to sender", "connection to receiver"
	if p.cfg.Role == rendezvous.Sender {
		send, receive = receive, send
	}
	payload := 0
	if p.cfg.PacketBytes > 0 {
		payload = p.cfg.PacketBytes + transport.PacketOverhead
	}
	p.path = path
	cfg := transport.Config{
		Rand:       p.cfg.Rand,
		Sealer:     p.sess.Sealer(),
		Opener:     p.sess.Opener(),
		SendID:     label24(p.sess, send),
		ReceiveID:  label24(p.sess, receive),
		Path:       path.Way,
		RTT:        path.RTT,
		MaxPayload: payload,
		MaxBulk:    p.cfg.PacketBytes,
	}
	if p.cfg.Role == rendezvous.Sender {
		cfg.Limit, cfg.Background = p.cfg.Limit, p.cfg.Background
	} else {
		cfg.Ask = p.wish()
	}
	p.conn = transport.NewConn(now, cfg)
	p.state = connected
	p.told = path.Way
	p.tell(Connected{Word: path.Via, Remote: path.Way.Remote, RTT: path.RTT})
	p.cfg.App.Start(now, Link{p.conn})
}

func (p *Peer) stepConnected(now time.Time) {
	p.leaveRoom(now)
	p.cfg.App.Step(now)
	p.followAgent(now)
	p.watchContact(now)
}

// leaveRoom leaves the public room once the partner has been heard over the
// connection. Until then it may still say through the helper that it does not
// want us; for which a sender of many does not wait for long, and nobody waits
// when contact is lost: then another member may be the partner, come again.
func (p *Peer) leaveRoom(now time.Time) {
	handsOver := !p.meet.handOver.IsZero() && !now.Before(p.meet.handOver) || !p.search.since.IsZero()
	switch {
	case p.client == nil:
	case p.client.Done():
		p.client = nil
		p.tell(RoomLeft{})
	case !handsOver && (p.conn == nil || p.conn.Stats().Received == 0):
		p.pumpHelper(now)
	case !p.client.Pending() || !now.Before(p.meet.punchEnd):
		p.meet.members = nil
		p.client.Leave()
	}
}

// followAgent uses the path that the agent has found, when it is a new one.
func (p *Peer) followAgent(now time.Time) {
	path, ok := p.agent.Best()
	// The same path found once more counts: the connection may have gone
	// elsewhere by itself in between.
	if ok && (path.Way != p.path.Way || path.Since != p.path.Since) {
		p.path = path
		p.conn.SetPath(now, path.Way)
	}
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
		p.stepSearch(now)
	}
	if !silent && p.told != p.conn.Path() {
		p.told = p.conn.Path()
		p.tell(Connected{Word: p.path.Via, Remote: p.told.Remote, RTT: p.conn.Stats().RTT})
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

func (p *Peer) startSearch(now time.Time) {
	s := &p.search
	s.posted = nat.List{}
	p.lookAgain(now)
	if s.client != nil {
		return
	}
	var name [16]byte
	copy(name[:], p.sess.Export("private room", len(name)))
	s.client = rendezvous.NewClient(rendezvous.ClientConfig{
		Servers: p.cfg.Helpers, Room: rendezvous.PrivateRoom(name),
		Role: p.cfg.Role, Rand: p.cfg.Rand, Secret: p.cfg.Secret,
	})
}

func (p *Peer) stepSearch(now time.Time) {
	s := &p.search
	for {
		e, ok := s.client.Next()
		if !ok {
			break
		}
		p.onSearch(now, e)
	}
	if !s.on {
		return
	}
	if !now.Before(s.renew) {
		p.lookAgain(now)
	}
	if len(s.client.Reflexive()) == 0 || !s.there {
		return
	}
	local := p.network(s.local, s.client)
	if slices.Equal(local.Candidates, s.posted.Candidates) {
		return
	}
	err := s.client.Post(s.partner, p.addressNote(local))
	switch {
	case err == nil:
		s.posted = local
		p.agent.SetLocal(now, local)
	case errors.Is(err, rendezvous.ErrBusy) && !s.client.Pending() && p.client == nil:
		// It has said all that one membership may say; the next one may go
		// on. The old one is driven until it has left.
		s.client.Leave()
		p.client, s.client, s.there = s.client, nil, false
		p.startSearch(now)
	}
}

// lookAgain searches from our addresses as they are now.
func (p *Peer) lookAgain(now time.Time) {
	p.search.renew = now.Add(searchAgain)
	p.search.local = p.cfg.Local()
	p.agent.Restart(now, nat.List{}, nat.List{Candidates: hosts(p.search.local)})
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
		if l := p.openAddresses(e.Note[1:]); len(l.Candidates) > 0 {
			p.agent.Restart(now, l, nat.List{})
		}
	}
}
