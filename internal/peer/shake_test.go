package peer

import (
	"crypto/rand"
	"net/netip"
	"testing"
	"time"

	"qft/internal/rendezvous"
	"qft/internal/secret"
)

// idle is an app that nobody needs.
type idle struct{}

func (idle) Start(time.Time, Link) {}
func (idle) Step(time.Time)        {}
func (idle) Deadline() time.Time   { return time.Time{} }
func (idle) Stop(time.Time)        {}
func (idle) Done() bool            { return true }

// TestHelloOfTheHelperFindsRoom: it is said once, and comes while a host of this
// network says so many that they have to wait.
func TestHelloOfTheHelperFindsRoom(t *testing.T) {
	phrase, err := secret.Parse("4711-acid-robot-zebra")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1000, 0)
	p := New(now, Config{
		Role: rendezvous.Receiver, Phrase: phrase, Rand: rand.Reader, App: idle{}, Nearby: true,
		Helpers: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:4000")},
		Local:   func() []netip.AddrPort { return nil },
	})
	near := p.open(now, nearby, []netip.AddrPort{netip.MustParseAddrPort("10.0.0.9:4000")})
	hello := func(pl *place, id rendezvous.ID) {
		_, m1, err := secret.NewInitiator(rand.Reader, phrase, pl.sid(p.cfg.Role, id), false)
		if err != nil {
			t.Fatal(err)
		}
		p.onHello(now, pl, id, m1)
	}
	for i := range 2 * maxHeld {
		hello(near, rendezvous.ID{1, byte(i)})
	}
	hello(p.named(), rendezvous.ID{2})
	hello(near, rendezvous.ID{3})
	if len(p.meet.held) > maxHeld {
		t.Errorf("%d hellos wait", len(p.meet.held))
	}
	now = now.Add(holdNearby)
	p.answerHeld(now)
	if p.named().find(rendezvous.ID{2}) == nil {
		t.Error("the sender at the helper is not answered after the first of the others")
	}
}

// TestLiesOfThisNetworkAreNotPassedOn: whoever answers a beacon may say that it
// sees us at any address, which the partner would then probe.
func TestLiesOfThisNetworkAreNotPassedOn(t *testing.T) {
	p := &Peer{cfg: Config{Rand: rand.Reader, Role: rendezvous.Receiver}}
	here := []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:4000")}
	p.open(time.Unix(1, 0), nearby, here)
	if n := len(p.observers()); n != 0 {
		t.Errorf("%d observers on this network", n)
	}
	if p.open(time.Unix(1, 0), atHelper, here); len(p.observers()) != 1 {
		t.Error("the helper is none")
	}
}
