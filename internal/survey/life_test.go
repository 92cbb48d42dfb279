package survey

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"qft/internal/rendezvous"
	"qft/internal/udp"
)

// TestAHelperCannotKeepTheSurvey: it has somebody arrive in the room all the
// time.
func TestAHelperCannotKeepTheSurvey(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at, rng := netip.MustParseAddrPort("192.0.2.1:4277"), rand.NewChaCha8([32]byte{})
	server := rendezvous.NewServer(rendezvous.ServerConfig{Rand: rng})
	l := newLife(now, time.Second, at, 2, rng)
	l.room = rendezvous.SharedRoom(7) // the waker's, with seats for many
	var crowd []*rendezvous.Client
	b, scratch := udp.NewBatch(1<<16), udp.NewBatch(1<<16)
	// The own sockets have ports from 5000 on, and the others from 6000 on.
	deliver := func(first uint16) {
		for p := range b.All() {
			from := netip.AddrPortFrom(netip.MustParseAddr("198.51.100.1"), first+uint16(p.Local))
			server.Receive(now, udp.Packet{Path: udp.To(from), Data: p.Data})
		}
		b.Reset()
	}
	for end := now.Add(30 * time.Second); l.stage != ended; now = now.Add(100 * time.Millisecond) {
		if now.After(end) {
			t.Fatal("it has no end")
		}
		if now.UnixMilli()%2000 == 0 {
			crowd = append(crowd, rendezvous.NewClient(rendezvous.ClientConfig{
				Servers: []netip.AddrPort{at}, Room: l.room, Role: rendezvous.Sender, Rand: rng,
			}))
		}
		l.send(now, b, scratch)
		deliver(5000)
		for i, c := range crowd {
			c.Send(now, b)
			deliver(6000 + uint16(i))
		}
		out := udp.NewBatch(1 << 16)
		server.Send(now, out)
		for p := range out.All() {
			port := p.Remote.Port()
			back := udp.Packet{Path: udp.To(at), Data: p.Data}
			if port >= 6000 {
				crowd[port-6000].Receive(now, back)
				continue
			}
			back.Local = udp.Local(port - 5000)
			l.receive(now, back)
		}
	}
}
