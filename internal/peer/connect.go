package peer

import (
	"errors"
	"slices"
	"time"

	"qft/internal/nat"
	"qft/internal/rendezvous"
	"qft/internal/transport"
)

func (p *Peer) stepPunching(now time.Time) {
	if p.state != punching {
		return
	}
	if p.partedFrom(now); p.state != punching {
		return
	}
	failed := true
	for _, b := range p.bonds {
		b.punch(now)
		failed = failed && b.agent.Failed(now) != nil
	}
	if !p.meet.handOver.IsZero() && !now.Before(p.meet.handOver) {
		p.leaveRooms(now)
	}
	if failed || !now.Before(p.meet.punchEnd) {
		p.failSearch(now)
		return
	}
	if p.rival() && !p.meet.rivalEnd.IsZero() {
		return
	}
	for _, b := range p.bonds {
		if path, ok := b.agent.Best(); ok {
			p.decide(now, b)
			p.connect(now, path)
			return
		}
	}
}

// failSearch ends a search that has found no path, and says what was tried.
func (p *Peer) failSearch(now time.Time) {
	r := p.agent().Report(now)
	p.fail(now, NoPath, errors.New("no path between the two machines"))
	p.err.Report = &r
}

// rival reports whether another sender's handshake is under way, or can begin
// any moment. A code's number has one sender.
func (p *Peer) rival() bool {
	return p.meet.own && (p.unconfirmed() > 0 ||
		slices.ContainsFunc(p.places, func(pl *place) bool { return len(pl.expected) > 0 }))
}

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
		Sealer:     p.sess().Sealer(),
		Opener:     p.sess().Opener(),
		SendID:     label24(p.sess(), send),
		ReceiveID:  label24(p.sess(), receive),
		Path:       path.Way,
		RTT:        path.RTT,
		MaxPayload: payload,
		MaxBulk:    p.cfg.PacketBytes,
	}
	if p.sends() {
		cfg.Limit, cfg.Background = p.cfg.Limit, p.cfg.Background
	}
	cfg.Ask = p.wish()
	p.conn = transport.NewConn(now, cfg)
	p.inband.told = p.bonds[0].posted
	p.state = connected
	p.told = path.Way
	p.tell(Connected{Word: path.Via, Remote: path.Way.Remote, RTT: path.RTT})
	p.cfg.App.Start(now, Link{p.conn})
}

func (p *Peer) stepConnected(now time.Time) {
	p.leaveRooms(now)
	p.cfg.App.Step(now)
	p.watchPause()
	p.stepInBand(now)
	p.followAgent(now)
	p.watchContact(now)
}

// leaveRooms leaves the rooms once the partner has been heard over the
// connection. Until then it may still say through them that it does not want
// us; for which a sender of many does not wait for long, and nobody waits when
// contact is lost: then another member may be the partner, come again. Our own
// server stays: the next meeting may need it.
func (p *Peer) leaveRooms(now time.Time) {
	handsOver := !p.meet.handOver.IsZero() && !now.Before(p.meet.handOver) || !p.search.since.IsZero()
	if p.away {
		return
	}
	if !handsOver && !p.heard() {
		p.pump(now)
		return
	}
	p.quiet()
	waits := false
	for _, pl := range p.places {
		switch {
		case pl.client == nil:
		case pl.client.Done():
			pl.client = nil
		case !handsOver && pl.waits(now):
			waits = true
		case !pl.client.Pending() || !now.Before(p.meet.punchEnd):
			p.countOpen(pl)
			pl.members, pl.expected = nil, nil
			pl.client.Leave()
		}
	}
	if waits {
		p.pump(now)
	}
	if p.away = !p.inRooms(); p.away {
		p.tell(RoomLeft{})
	}
}

// waits reports whether an answer of ours may yet be confirmed there. One that is
// not was a guess.
func (pl *place) waits(now time.Time) bool {
	return slices.ContainsFunc(pl.members, func(m *member) bool {
		return m.responder != nil && !m.counted && now.Before(m.began.Add(confirmTime))
	})
}

// heard reports whether the partner has been heard over the connection. Nobody
// else is listened to from then on.
func (p *Peer) heard() bool { return p.conn != nil && p.conn.Stats().Received > 0 }

// followAgent uses the path that the agent has found, when it is a new one.
func (p *Peer) followAgent(now time.Time) {
	path, ok := p.agent().Best()
	// The same path found once more counts: the connection may have gone
	// elsewhere by itself in between.
	if ok && (path.Way != p.path.Way || path.Since != p.path.Since) {
		p.path = path
		p.conn.SetPath(now, path.Way)
	}
}
