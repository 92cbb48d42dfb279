package peer

import (
	"net/netip"
	"time"

	"qft/internal/rendezvous"
	"qft/internal/udp"
)

// Limits of our own server. It is there for one sender and those who come to
// it, and a few who should not.
const (
	homeMembers = 64
	homeOfHost  = 8
	homeNotes   = 1 << 20
)

// desk is what passes between our own client and our own server: packets that
// never see a socket.
type desk struct {
	batch *udp.Batch
	out   *udp.Batch // to members elsewhere, until the next Send
	sent  int        // of out
}

const (
	deskSize = 64 << 10
	outSize  = 128 << 10
)

// inside is the address of either on the desk.
func inside() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 1)
}

// openHome has this sender be a helper itself, for its own room only. The seat of
// the sender is free after a meeting, until the next one takes it, through the
// door: nobody else may have it.
func (p *Peer) openHome(now time.Time) {
	pl := p.open(now, atHome, []netip.AddrPort{inside()})
	pl.server = rendezvous.NewServer(rendezvous.ServerConfig{
		Rand: p.cfg.Rand, Only: p.room(atHome), Members: homeMembers, SourceMembers: homeOfHost, NoteMemory: homeNotes, OwnSenders: true,
	})
	p.desk = &desk{batch: udp.NewBatch(deskSize), out: udp.NewBatch(outSize)}
	p.serve(now, pl) // we have the seat before anybody else can ask for it
}

// serve lets our own client and server speak until neither has more to say.
func (p *Peer) serve(now time.Time, pl *place) {
	d := p.desk
	for range 64 { // each says a little, and neither makes the other talk on
		moved := false
		if pl.client != nil && due(pl.client.Deadline(), now) {
			d.batch.Reset()
			pl.client.Send(now, d.batch)
			for k := range d.batch.All() {
				pl.server.Receive(now, udp.Packet{Path: udp.To(inside()), Data: k.Data})
				moved = true
			}
		}
		if due(pl.server.Deadline(), now) && d.out.Room() >= deskSize {
			d.batch.Reset()
			pl.server.Send(now, d.batch)
			moved = moved || d.batch.Len() > 0
			d.sort(now, pl)
		}
		if !moved {
			return
		}
	}
}

// sort hands our client what the server has for it, and keeps the rest.
func (d *desk) sort(now time.Time, pl *place) {
	for k := range d.batch.All() {
		switch {
		case k.Remote != inside():
			d.out.Add(k.Path, k.Data)
		case pl.client != nil:
			pl.client.Receive(now, k)
		}
	}
}

// drain moves what is for others to b, as far as there is room.
func (d *desk) drain(b *udp.Batch) {
	for ; d.sent < d.out.Len(); d.sent++ {
		if k := d.out.At(d.sent); !b.Add(k.Path, k.Data) {
			return
		}
	}
	d.out.Reset()
	d.sent = 0
}

// homeDeadline is when our own server or client has something to do.
func (p *Peer) homeDeadline() time.Time {
	h := p.home()
	if h == nil {
		return time.Time{}
	}
	d := h.server.Deadline()
	if h.client != nil {
		d = earlier(d, h.client.Deadline())
	}
	if p.desk.sent < p.desk.out.Len() {
		d = earlier(d, p.turn)
	}
	return d
}

func due(at, now time.Time) bool { return !at.IsZero() && !at.After(now) }
