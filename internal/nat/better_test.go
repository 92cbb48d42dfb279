package nat

import (
	"net/netip"
	"testing"
	"time"
)

// wantMove runs until both sides use a path of that kind, and checks that there
// was one all the time.
func (p peers) wantMove(via string, within time.Duration) {
	p.t.Helper()
	begin := p.now.Sub(epoch)
	moved := func() bool {
		a, okA := p.a.agent.Best()
		b, okB := p.b.agent.Best()
		if !okA || !okB {
			p.t.Fatalf("at %v there is no path", p.now.Sub(epoch))
		}
		return a.Via == via && b.Via == via
	}
	took := p.run(begin+within, moved) - begin
	if !moved() {
		p.t.Fatalf("no path by %q after %v\na: %v", via, within, p.a.agent.Report(p.now))
	}
	p.t.Logf("# by %q after %v", via, took)
	p.wantPassage()
}

// TestBetterPathIsLookedForAllTheTime: the IPv6 of one side works only later.
func TestBetterPathIsLookedForAllTheTime(t *testing.T) {
	for _, later := range []time.Duration{2 * time.Second, time.Minute, 10 * time.Minute} {
		w := newWorld(t, 1)
		p := w.behind(portRestricted, portRestricted)
		p.a.join(w.internet, "2001:db8:1::2")
		p.b.join(w.internet, "2001:db8:2::2")
		six := netip.MustParseAddr("2001:db8:2::2")
		delete(w.internet.nodes, six)
		p.start()
		p.exchange()
		p.wantConnected(time.Second)
		p.a.wantVia("punched")
		p.run(later-100*time.Millisecond, nil)
		sent := len(p.a.sent)
		p.run(later, nil)
		w.internet.nodes[six] = p.b
		p.wantMove("IPv6", seldomWait+time.Second)
		if n := len(p.a.sent) - sent; n > 100 {
			t.Errorf("%d probes meanwhile", n)
		}
	}
}

// TestNewAddressIsTriedAtOnce: a machine gets an address that is better, or hears
// of one, while a path is used.
func TestNewAddressIsTriedAtOnce(t *testing.T) {
	for name, tell := range map[string]func(p peers){
		"told to the peer": func(p peers) { p.b.agent.AddRemote(p.now, p.a.list()) },
		"known here only":  func(p peers) { p.a.agent.SetLocal(p.now, p.a.list()) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1)
			p := w.behind(portRestricted, portRestricted)
			p.b.join(w.internet, "2001:db8:2::2")
			p.start()
			p.exchange()
			p.wantConnected(time.Second)
			p.run(5*time.Minute, nil)
			p.a.join(w.internet, "2001:db8:1::2")
			tell(p)
			p.wantMove("IPv6", 500*time.Millisecond)
		})
	}
}

// TestFasterPathOfTheSameKind: a straight way is found while a long one is used.
func TestFasterPathOfTheSameKind(t *testing.T) {
	for _, c := range []struct {
		class        class
		rtt          time.Duration
		other        class
		rtt2         time.Duration
		want, worthy bool
	}{
		{punched, 100 * time.Millisecond, punched, 0, true, true},
		{punched, 100 * time.Millisecond, punched, 90 * time.Millisecond, false, false},
		{punched, time.Millisecond, punched, 0, false, false},
		{lan, time.Millisecond, punched, 0, false, false},
		{lan, 300 * time.Millisecond, punched, 0, true, true},
		{punched, 20 * time.Millisecond, ipv6, 80 * time.Millisecond, true, false},
		{tcp, 20 * time.Millisecond, carrier, 0, true, true},
	} {
		chosen := &pair{class: c.class, rtt: c.rtt}
		p := &pair{class: c.other, rtt: c.rtt2}
		if got := p.promising(chosen); got != c.want {
			t.Errorf("%v, %v is tried beside %v, %v: %v", c.other, c.rtt2, c.class, c.rtt, got)
		}
		if got := p.cost().replaces(chosen.cost()); got != c.worthy {
			t.Errorf("%v, %v replaces %v, %v: %v", c.other, c.rtt2, c.class, c.rtt, got)
		}
	}
}
