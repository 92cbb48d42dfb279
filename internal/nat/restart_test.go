package nat

import (
	"net/netip"
	"testing"
	"time"
)

// settled returns two peers that are connected and quiet.
func settled(w *world, na, nb natType) peers {
	p := w.behind(na, nb)
	p.start()
	p.exchange()
	p.wantConnected(5 * time.Second)
	p.run(p.now.Sub(epoch)+5*time.Second, nil)
	return p
}

func TestSettledAgentIsQuietAndAnswers(t *testing.T) {
	p := settled(newWorld(t, 1), portRestricted, portRestricted)
	before := len(p.a.sent)
	p.run(p.now.Sub(epoch)+time.Minute, nil)
	if n := len(p.a.sent) - before; n > 6 {
		t.Errorf("a settled agent sent %d probes in a minute", n)
	}
	path, _ := p.a.agent.Best()
	p.b.agent.Restart(p.now, List{}, List{})
	p.wantConnected(time.Second)
	if again, _ := p.a.agent.Best(); again.Way.Remote != path.Way.Remote || !again.Since.After(path.Since) {
		t.Errorf("after a restart the path is %+v, was %+v", again, path)
	}
	p.wantConnected(time.Second)
}

func TestRestartForgetsWhatWasProven(t *testing.T) {
	p := settled(newWorld(t, 1), portRestricted, portRestricted)
	p.a.agent.Restart(p.now, List{}, List{})
	if path, ok := p.a.agent.Best(); ok {
		t.Errorf("right after a restart %v is called proven", path.Way.Remote)
	}
	p.loss = 1 // contact is really gone
	begin := p.now
	p.run(p.now.Sub(epoch)+40*time.Second, nil)
	if p.a.agent.Failed(begin.Add(30*time.Second-1)) == nil && p.a.agent.Failed(p.now) == nil {
		t.Error("no failure 40 s after a restart without contact")
	}
	p.loss = 0
	t.Logf("# connected %v after contact came back", p.wantConnected(4*time.Second))
}

func TestNATRebind(t *testing.T) {
	for _, c := range []struct {
		name     string
		na, nb   natType
		tell     bool // b learns a's new address through the helper
		rebindOn func(p peers) *host
	}{
		{"filter by address, controlling side rebinds", restricted, restricted, false, func(p peers) *host { return p.a }},
		{"filter by address, controlled side rebinds", restricted, restricted, false, func(p peers) *host { return p.b }},
		{"filter by port, controlling side rebinds", fullCone, portRestricted, true, func(p peers) *host { return p.a }},
		{"filter by port, controlled side rebinds", portRestricted, fullCone, true, func(p peers) *host { return p.b }},
		{"symmetric side rebinds", symmetric, restricted, false, func(p peers) *host { return p.a }},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := settled(newWorld(t, 1), c.na, c.nb)
			moved := c.rebindOn(p)
			other := p.b
			if moved == p.b {
				other = p.a
			}
			old, _ := other.agent.Best()
			moved.homes[0].realm.gateway.rebind()
			moved.agent.Restart(p.now, List{}, List{Candidates: moved.candidates()})
			if c.tell {
				other.agent.Restart(p.now, List{Candidates: moved.candidates()}, List{})
			}
			t.Logf("# connected %v after the rebind", p.wantConnected(3*time.Second))
			if now, _ := other.agent.Best(); now.Way.Remote == old.Way.Remote {
				t.Errorf("%s still calls %v the path", other.name, now.Way.Remote)
			}
		})
	}
}

func TestAddressChange(t *testing.T) {
	for _, first := range []bool{true, false} {
		p := settled(newWorld(t, 1), portRestricted, portRestricted)
		moved, other := p.a, p.b
		if !first {
			moved, other = p.b, p.a
		}
		p.t.Logf("# %s moves to a phone's network", moved.name)
		moved.leave()
		l := p.lan()
		p.router(portRestricted, p.internet, l, "198.18.0.9")
		moved.join(l, "192.168.43.7")
		now := moved.candidates()
		moved.agent.Restart(p.now, List{}, List{Candidates: now})
		other.agent.Restart(p.now, List{Candidates: now}, List{})
		t.Logf("# connected %v after the move", p.wantConnected(3*time.Second))
		if path, _ := other.agent.Best(); path.Way.Remote.Addr() != netip.MustParseAddr("198.18.0.9") {
			t.Errorf("%s uses %v, want the new network", other.name, path.Way.Remote)
		}
		if n := len(moved.agent.pairs); n > 5 {
			t.Errorf("%s keeps %d pairs", moved.name, n)
		}
	}
}

// Both may notice at once, or again and again while there is no contact.
func TestRepeatedRestartsConverge(t *testing.T) {
	for seed := range uint64(25) {
		p := settled(newWorld(t, seed), portRestricted, restricted)
		p.loss, p.jitter = 1, 40*time.Millisecond
		for i := range 12 {
			p.run(p.now.Sub(epoch)+time.Duration(p.rng.Int64N(int64(3*time.Second))), nil)
			h := []*host{p.a, p.b}[p.rng.IntN(2)]
			other := []*host{p.b, p.a}[i%2]
			h.agent.Restart(p.now, List{}, List{})
			other.agent.Restart(p.now, List{}, List{Candidates: other.candidates()})
		}
		p.loss = 0.2
		p.wantConnected(4 * time.Second)
		p.run(p.now.Sub(epoch)+5*time.Second, nil)
		p.wantPassage()
	}
}

// A path that turns one-way just when it was nominated: the peer follows the
// nomination and goes quiet, its answers never arrive.
func TestUnansweredNominationIsGivenUp(t *testing.T) {
	w := newWorld(t, 1)
	p := w.behind(fullCone, fullCone)
	p.a.join(w.internet, "2001:db8:1::2")
	p.b.join(w.internet, "2001:db8:2::2")
	p.start()
	p.exchange()
	p.run(5*time.Second, func() bool { path, _ := p.a.agent.Best(); return path.Via == "IPv6" })
	p.a.wantVia("IPv6")
	p.b.homes[1].realm = &realm{world: w, nodes: map[netip.Addr]node{}} // b's IPv6 leads nowhere now
	p.run(2*time.Second, nil)
	p.b.wantVia("IPv6")
	p.run(10*time.Second, func() bool { path, _ := p.b.agent.Best(); return path.Via == "punched" && p.connected() })
	p.wantPassage()
	p.a.wantVia("punched")
	p.b.wantVia("punched")
}

// A better address may become known when a path is already in use.
func TestLaterBetterAddressReplacesThePath(t *testing.T) {
	w := newWorld(t, 1)
	l := w.lan()
	kind := fullCone
	w.router(kind, w.internet, l, "203.0.113.1")
	p := peers{w, w.host("a", 4001).join(l, "192.168.1.2"), w.host("b", 4002).join(l, "192.168.1.3")}
	p.start()
	ca, cb := p.a.candidates(), p.b.candidates()
	p.a.agent.AddRemote(p.now, List{Candidates: cb[1:]})
	p.b.agent.AddRemote(p.now, List{Candidates: ca[1:]})
	p.wantConnected(time.Second)
	p.a.wantVia("punched")
	p.a.agent.AddRemote(p.now, listOf(cb[0]))
	p.run(p.now.Sub(epoch)+time.Second, nil)
	p.a.wantVia("LAN")
	p.b.wantVia("LAN")
	p.wantPassage()
}

func TestWorseAddressDoesNotReplaceThePath(t *testing.T) {
	w := newWorld(t, 1)
	p := w.behind(fullCone, fullCone)
	p.a.join(w.internet, "2001:db8:1::2")
	p.b.join(w.internet, "2001:db8:2::2")
	p.start()
	ca, cb := p.a.candidates(), p.b.candidates()
	p.a.agent.AddRemote(p.now, listOf(cb[1], cb[len(cb)-1]))
	p.b.agent.AddRemote(p.now, listOf(ca[1], ca[len(ca)-1]))
	p.wantConnected(time.Second)
	p.a.wantVia("IPv6")
	p.exchange()
	p.run(p.now.Sub(epoch)+5*time.Second, nil)
	p.a.wantVia("IPv6")
	p.b.wantVia("IPv6")
}

func TestIdleAgentSleeps(t *testing.T) {
	p := newWorld(t, 1).behind(fullCone, fullCone)
	p.start()
	p.run(time.Minute, nil)
	if d := p.a.agent.Deadline(); !d.IsZero() {
		t.Errorf("without an address of the peer the agent wakes at %v", d)
	}
	if f := p.a.agent.Failed(p.now); f != nil {
		t.Errorf("without an address of the peer the agent fails: %v", f)
	}
	if n := len(p.a.sent); n != 0 {
		t.Errorf("without an address of the peer the agent sent %d probes", n)
	}
}
