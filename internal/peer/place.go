package peer

import (
	"net/netip"
	"slices"
	"time"

	"qft/internal/rendezvous"
	"qft/internal/udp"
)

// placeKind says what a meeting place is, and with it how far it is trusted
// not to get in the way: what it says is never believed in any case.
type placeKind uint8

const (
	// atHelper: the helper that both sides were told.
	atHelper placeKind = iota
	// atHost: a host that a person named. The sender listens there itself.
	atHost
	// atHome: this sender's own server, on this socket.
	atHome
	// atDoor: the own server of another meeting of this machine, which has the
	// port that people were told.
	atDoor
	// byToken: none; two people have passed each other tokens.
	byToken
	// nearby: somebody on this network who answered a beacon.
	nearby
)

const (
	// maxNearby places are kept that beacons have told of, and maxOfHost of
	// one address: a host that floods must not be everywhere.
	maxNearby = 8
	maxOfHost = 3

	// nearbyPatience is how long such a place may take to let us in, or be
	// without a sender, before another one gets its turn; and shunTime how long
	// it gets none.
	nearbyPatience = 3 * time.Second
	shunTime       = 10 * time.Second
	maxShunned     = 64
)

// place is where members meet: a room at some server.
type place struct {
	kind     placeKind
	addr     netip.AddrPort // nearby: where
	began    time.Time
	client   *rendezvous.Client // nil once left
	server   *rendezvous.Server // atHome only
	members  []*member
	expected []rendezvous.ID // receiver: senders that are there and have not said hello
	joined   bool            // it has let us in once
	silent   bool            // it has stopped answering
}

// named reports whether a person has named the place: it is the one that the
// meeting fails with.
func (pl *place) named() bool { return pl.kind == atHelper || pl.kind == atHost }

func (pl *place) find(id rendezvous.ID) *member {
	for _, x := range pl.members {
		if x.id == id {
			return x
		}
	}
	return nil
}

func (pl *place) drop(id rendezvous.ID) {
	pl.members = slices.DeleteFunc(pl.members, func(x *member) bool { return x.id == id })
}

// hear takes a sender off those that have not said hello.
func (pl *place) hear(id rendezvous.ID) {
	pl.expected = slices.DeleteFunc(pl.expected, func(x rendezvous.ID) bool { return x == id })
}

// sid binds a handshake to the two members, and so to this place and meeting.
func (pl *place) sid(role rendezvous.Role, other rendezvous.ID) []byte {
	sender, receiver := pl.client.ID(), other
	if role == rendezvous.Receiver {
		sender, receiver = other, pl.client.ID()
	}
	return append(sender[:], receiver[:]...)
}

func (pl *place) post(to rendezvous.ID, kind byte, body []byte) {
	if pl.client != nil {
		// The only errors are of size and of too much outstanding: then the
		// handshake dies and the member comes again.
		_ = pl.client.Post(to, append([]byte{kind}, body...))
	}
}

// open begins to meet people at a place.
func (p *Peer) open(now time.Time, kind placeKind, servers []netip.AddrPort) *place {
	pl := &place{kind: kind, began: now}
	cfg := rendezvous.ClientConfig{Servers: servers, Room: p.room(kind), Role: p.cfg.Role, Rand: p.cfg.Rand}
	if kind == atHelper {
		cfg.Ports, cfg.Secret = helperPorts, p.cfg.Secret
	}
	pl.client = rendezvous.NewClient(cfg)
	p.places = append(p.places, pl)
	return pl
}

// room is the one in which we meet at a place. At a helper strangers are kept
// apart by a little of a phrase's hash. Elsewhere there is one sender, and
// nothing of the phrase needs to be shown.
func (p *Peer) room(kind placeKind) rendezvous.Room {
	switch n, generated := p.meet.phrase.Number(); {
	case !p.meet.ready:
		return rendezvous.NumberedRoom(0)
	case generated:
		return rendezvous.NumberedRoom(n)
	case kind == atHelper:
		return rendezvous.SharedRoom(p.meet.phrase.Room())
	}
	return rendezvous.SharedRoom(0)
}

// named is the place that a person has named, nil if there is none.
func (p *Peer) named() *place {
	for _, pl := range p.places {
		if pl.named() {
			return pl
		}
	}
	return nil
}

// helper is our membership at the helper in the room where one meets, nil if
// there is none.
func (p *Peer) helper() *rendezvous.Client {
	if n := p.named(); n != nil && n.kind == atHelper {
		return n.client
	}
	return nil
}

// home is our own place, nil if there is none.
func (p *Peer) home() *place {
	for _, pl := range p.places {
		if pl.kind == atHome {
			return pl
		}
	}
	return nil
}

// close leaves a place and forgets it. Answers that are open there were guesses.
func (p *Peer) close(now time.Time, pl *place) {
	for _, m := range pl.members {
		if m.responder != nil && !m.counted {
			p.wrong(now)
		}
	}
	p.places = slices.DeleteFunc(p.places, func(o *place) bool { return o == pl })
	p.meet.held = slices.DeleteFunc(p.meet.held, func(h hello) bool { return h.at == pl })
	if pl.client != nil {
		pl.client.Leave()
		if !pl.client.Done() {
			p.parted = append(p.parted, pl.client)
		}
	}
}

// forgetParted drops the clients that have said their good-byes.
func (p *Peer) forgetParted() {
	p.parted = slices.DeleteFunc(p.parted, (*rendezvous.Client).Done)
}

// eachClient visits all that speak with a server outside of this peer, in a
// fixed order.
func (p *Peer) eachClient(f func(*rendezvous.Client)) {
	for _, pl := range p.places {
		if pl.client != nil && pl.kind != atHome {
			f(pl.client)
		}
	}
	if p.search.client != nil {
		f(p.search.client)
	}
	for _, c := range p.parted {
		f(c)
	}
}

// receiveRendezvous hands a packet to our own server if it is a request, else
// to those who may have asked for it.
func (p *Peer) receiveRendezvous(now time.Time, k udp.Packet) {
	if rendezvous.IsRequest(k.Data) {
		if h := p.home(); h != nil && p.state < parting {
			h.server.Receive(now, k)
		}
		return
	}
	p.eachClient(func(c *rendezvous.Client) { c.Receive(now, k) })
}
