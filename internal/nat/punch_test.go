package nat

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

var zoo = []struct {
	name string
	kind natType
}{
	{"full cone", fullCone}, {"restricted", restricted}, {"port-restricted", portRestricted}, {"symmetric", symmetric},
}

// punchable is what plain punching reaches: the rest has no answer without guesses.
func punchable(a, b natType) bool {
	return !(a.mapping == perPort && b.filtering == perPort || b.mapping == perPort && a.filtering == perPort)
}

func TestPunchMatrix(t *testing.T) {
	for _, na := range zoo {
		for _, nb := range zoo {
			t.Run(na.name+" to "+nb.name, func(t *testing.T) {
				p := newWorld(t, 1).behind(na.kind, nb.kind)
				p.start()
				p.exchange()
				if punchable(na.kind, nb.kind) {
					took := p.wantConnected(time.Second)
					t.Logf("# connected after %v", took)
					p.a.wantVia("punched")
					p.b.wantVia("punched")
					return
				}
				if na.kind != nb.kind {
					t.Logf("# connected after %v", p.wantConnected(5*time.Second))
					return
				}
				p.wantFailure()
			})
		}
	}
}

// wantFailure runs to the 30 s and checks that neither side fails before, nor
// claims a path then or later.
func (p peers) wantFailure() {
	p.t.Helper()
	p.run(30*time.Second-time.Millisecond, nil)
	p.now = epoch.Add(30*time.Second - time.Millisecond)
	for _, h := range []*host{p.a, p.b} {
		if f := h.agent.Failed(p.now); f != nil {
			p.t.Fatalf("%s failed before 30 s: %v", h.name, f)
		}
	}
	p.run(30*time.Second+time.Millisecond, nil)
	for _, h := range []*host{p.a, p.b} {
		f := h.agent.Failed(epoch.Add(30 * time.Second))
		if f == nil {
			p.t.Fatalf("%s: no failure after 30 s", h.name)
		}
		if _, ok := h.agent.Best(); ok {
			p.t.Fatalf("%s has failed and a path", h.name)
		}
		p.t.Logf("# %s says:\n%v", h.name, f)
	}
}

func TestDeadlineMarksTheTimeout(t *testing.T) {
	p := newWorld(t, 1).behind(symmetric, symmetric)
	p.start()
	p.exchange()
	var woken time.Time
	p.run(40*time.Second, func() bool {
		if p.a.agent.Failed(p.now) != nil {
			woken = p.now
		}
		return !woken.IsZero()
	})
	if want := epoch.Add(30 * time.Second); !woken.Equal(want) {
		t.Errorf("a loop that sleeps to the deadline sees the failure at %v, want %v", woken.Sub(epoch), 30*time.Second)
	}
}

func TestFailureNamesSymmetricNAT(t *testing.T) {
	p := newWorld(t, 1).behind(symmetric, portRestricted)
	p.a.alone, p.b.alone = true, true
	p.start()
	p.exchange()
	p.run(31*time.Second, nil)
	f := p.a.agent.Failed(p.now)
	if f == nil {
		t.Fatal("no failure")
	}
	if got := f.Report.Own.V4.Look; got != PerDestination {
		t.Errorf("own NAT %q, want %q", got, PerDestination)
	}
	if got := f.Report.Peer.V4.Look; got != KeepsPort {
		t.Errorf("peer's NAT %q, want %q", got, KeepsPort)
	}
	if !strings.Contains(f.Error(), "another port") {
		t.Errorf("no hint about the NAT in:\n%v", f)
	}
	for _, tried := range f.Report.Tried {
		if tried.Sent < 25 {
			t.Errorf("%v: only %d probes in 30 s", tried.Remote, tried.Sent)
		}
	}
}

func TestPunchUnderLossAndReordering(t *testing.T) {
	var worst time.Duration
	for _, na := range zoo {
		for _, nb := range zoo {
			if !punchable(na.kind, nb.kind) {
				continue
			}
			for seed := range uint64(25) {
				w := newWorld(t, seed)
				w.loss, w.dup, w.jitter = 0.2, 0.1, 60*time.Millisecond
				p := w.behind(na.kind, nb.kind)
				p.start()
				p.exchange()
				worst = max(worst, p.wantConnected(8*time.Second))
			}
		}
	}
	t.Logf("# worst of all: %v", worst)
}

func TestBothEndsAgreeOnThePath(t *testing.T) {
	for seed := range uint64(30) {
		w := newWorld(t, seed)
		w.loss, w.jitter = 0.2, 30*time.Millisecond
		l := w.lan()
		w.router(fullCone, w.internet, l, "203.0.113.1")
		p := peers{w, w.host("a", 4001).join(l, "192.168.1.2"), w.host("b", 4002).join(l, "192.168.1.3")}
		p.a.join(w.internet, "2001:db8:1::2")
		p.b.join(w.internet, "2001:db8:2::2")
		p.start()
		p.exchange()
		p.wantConnected(5 * time.Second)
		p.run(15*time.Second, nil)
		p.wantPassage()
		pa, _ := p.a.agent.Best()
		pb, _ := p.b.agent.Best()
		if pa.Via != pb.Via || pa.Via != "LAN" {
			t.Errorf("seed %d: a uses %q, b uses %q, want LAN", seed, pa.Via, pb.Via)
		}
		for _, h := range []*host{p.a, p.b} {
			if d := h.agent.Deadline(); !d.IsZero() {
				t.Errorf("seed %d: settled %s still wakes at %v", seed, h.name, d.Sub(epoch))
			}
		}
	}
}

// Linux routers keep the port and filter by destination. Whether the router
// drops unexpected packets makes no difference to peers who begin together,
// though one knows more addresses of the other.
func TestPunchThroughLinuxRouters(t *testing.T) {
	for _, kinds := range [][2]natType{
		{masquerade, masquerade}, {masquerade, portRestricted}, {openMasquerade, openMasquerade}, {portRestricted, openMasquerade},
	} {
		w := newWorld(t, 1)
		p := w.behind(kinds[0], kinds[1])
		for i := range 5 {
			p.a.join(w.lan(), fmt.Sprintf("172.%d.0.1", 17+i))
		}
		p.a.join(p.a.homes[0].realm, "192.168.1.3")
		p.start()
		p.exchange()
		t.Logf("# connected after %v", p.wantConnected(time.Second))
		if got := p.a.agent.Report(p.now).Own.V4.Look; got != KeepsPort {
			t.Errorf("%+v looks like %q, want %q", kinds[0], got, KeepsPort)
		}
	}
}

// The same routers, but one side begins first: a router that takes the early
// ping for itself gives its own host another port. Two of that kind are passed
// only by pings that happen to cross.
func TestLinuxRouterMetByAnEarlyPing(t *testing.T) {
	for _, c := range []struct {
		early, late natType
		plain       bool // without guessing
	}{
		{masquerade, masquerade, true},
		{openMasquerade, masquerade, true},
		{fullCone, openMasquerade, true},
		{masquerade, openMasquerade, false},
	} {
		p := newWorld(t, 1).behind(c.early, c.late)
		p.start()
		la, lb := p.a.list(), p.b.list()
		p.a.agent.AddRemote(p.now, lb)
		p.run(500*time.Millisecond, nil)
		p.b.agent.AddRemote(p.now, la)
		if took := p.wantConnected(guessLast + 3*time.Second); took > time.Second == c.plain {
			t.Errorf("%+v before %+v: connected after %v", c.early, c.late, took)
		}
	}
}

// TestSymmetricMeetsARouterThatTakesEarlyPings: what arrives from a port before
// the other side has been at it closes that port, so all sockets that are open
// at first may have been opened in vain.
func TestSymmetricMeetsARouterThatTakesEarlyPings(t *testing.T) {
	for seed := range uint64(20) {
		for _, kinds := range [][2]natType{{symmetric, openMasquerade}, {openMasquerade, symmetric}} {
			p := newWorld(t, seed).behind(kinds[0], kinds[1])
			p.start()
			p.exchange()
			p.wantConnected(15 * time.Second)
		}
	}
}

func TestMappedPortPassesSymmetricNATs(t *testing.T) {
	p := newWorld(t, 1).behind(symmetric, symmetric)
	p.start()
	p.exchange()
	p.run(3*time.Second, nil)
	p.t.Log("# the router answers late")
	door := p.a.homes[0].realm.gateway.forwardPort(5555, netip.AddrPortFrom(p.a.homes[0].addr, p.a.port))
	p.b.agent.AddRemote(p.now, listOf(Candidate{Mapped, door}))
	t.Logf("# connected after %v", p.wantConnected(3*time.Second))
	p.b.wantVia("mapped")
	p.a.wantVia("punched")
}

func TestIPv6(t *testing.T) {
	w := newWorld(t, 1)
	p := w.behind(symmetric, symmetric)
	p.a.join(w.internet, "2001:db8:1::2")
	p.b.join(w.internet, "2001:db8:2::2")
	p.start()
	p.exchange()
	t.Logf("# connected after %v", p.wantConnected(time.Second))
	p.a.wantVia("IPv6")
	p.b.wantVia("IPv6")
	if got := p.a.agent.Report(p.now).Own.V6.Look; got != NoNAT {
		t.Errorf("IPv6 looks like %q, want %q", got, NoNAT)
	}
}

// A wildcard socket answers from the address that the system prefers, which
// with IPv6 privacy addresses is rarely the one that was asked.
func TestAnswersFromAnotherAddress(t *testing.T) {
	w := newWorld(t, 1)
	p := peers{w, w.host("a", 4001), w.host("b", 4002)}
	p.a.join(w.internet, "2001:db8:1::2").join(w.internet, "2001:db8:1::aaaa")
	p.b.join(w.internet, "2001:db8:2::2").join(w.internet, "2001:db8:2::bbbb")
	p.start()
	p.a.agent.AddRemote(w.now, listOf(p.b.candidates()[0]))
	p.b.agent.AddRemote(w.now, listOf(p.a.candidates()[0]))
	p.wantConnected(time.Second)
	if path, _ := p.a.agent.Best(); path.Kind != PeerReflexive {
		t.Errorf("path %v is %v, want the learned address", path.Way.Remote, path.Kind)
	}
}

func TestSameLAN(t *testing.T) {
	w := newWorld(t, 1)
	l := w.lan()
	w.router(portRestricted, w.internet, l, "203.0.113.1")
	p := peers{w, w.host("a", 4001).join(l, "192.168.1.2"), w.host("b", 4002).join(l, "192.168.1.3")}
	p.start()
	p.exchange()
	t.Logf("# connected after %v", p.wantConnected(time.Second))
	p.a.wantVia("LAN")
	p.b.wantVia("LAN")
}

func TestIsolatedLANNeedsHairpin(t *testing.T) {
	for _, hairpin := range []bool{true, false} {
		w := newWorld(t, 1)
		l := w.lan()
		l.isolated = true
		kind := portRestricted
		kind.hairpin = hairpin
		w.router(kind, w.internet, l, "203.0.113.1")
		p := peers{w, w.host("a", 4001).join(l, "192.168.1.2"), w.host("b", 4002).join(l, "192.168.1.3")}
		p.start()
		p.exchange()
		if !hairpin {
			p.wantFailure()
			continue
		}
		t.Logf("# connected after %v", p.wantConnected(time.Second))
		p.a.wantVia("punched")
	}
}

func TestSameMachine(t *testing.T) {
	w := newWorld(t, 1)
	l := w.lan()
	w.router(portRestricted, w.internet, l, "203.0.113.1")
	p := peers{w, w.host("a", 4001).join(l, "192.168.1.2"), w.host("b", 4002)}
	p.b.homes = p.a.homes
	p.start()
	p.exchange()
	t.Logf("# connected after %v", p.wantConnected(time.Second))
	p.a.wantVia("this machine")
	p.b.wantVia("this machine")
}

func TestDoubleNAT(t *testing.T) {
	for _, c := range []struct {
		home, carrier natType
		shared        bool // both homes behind the one carrier NAT
		ok            bool
	}{
		{portRestricted, portRestricted, false, true},
		{fullCone, restricted, false, true},
		{portRestricted, fullCone, true, true}, // hairpins
		{symmetric, portRestricted, false, false},
	} {
		w := newWorld(t, 1)
		ca, la, lb := w.lan(), w.lan(), w.lan()
		w.router(c.carrier, w.internet, ca, "203.0.113.1")
		cb := ca
		if !c.shared {
			cb = w.lan()
			w.router(c.carrier, w.internet, cb, "198.51.100.1")
		}
		w.router(c.home, ca, la, "100.64.0.1")
		w.router(c.home, cb, lb, "100.64.0.2")
		p := peers{w, w.host("a", 4001).join(la, "192.168.1.2"), w.host("b", 4002).join(lb, "192.168.1.2")}
		p.start()
		p.exchange()
		if !c.ok {
			p.wantFailure()
			continue
		}
		t.Logf("# %+v: connected after %v", c, p.wantConnected(time.Second))
		p.a.wantVia("punched")
	}
}

// The peer's private address may be somebody else's in this network, who
// answers with whatever his service answers.
func TestCollidingPrivateAddress(t *testing.T) {
	w := newWorld(t, 1)
	p := w.behind(portRestricted, portRestricted)
	stranger := &echo{p.a.homes[0].realm}
	p.a.homes[0].realm.nodes[p.b.homes[0].addr] = stranger
	p.start()
	p.exchange()
	p.wantConnected(time.Second)
	p.a.wantVia("punched")
}

// echo sends everything back, as the echo service of RFC 862 does.
type echo struct{ realm *realm }

func (e *echo) receive(src, dst netip.AddrPort, data []byte) { e.realm.route(dst, src, data) }

func TestLateStart(t *testing.T) {
	for _, first := range []string{"a", "b"} {
		for _, nats := range [][2]natType{
			{fullCone, fullCone}, {portRestricted, portRestricted}, {symmetric, restricted}, {restricted, symmetric},
		} {
			for _, late := range []time.Duration{0, 700 * time.Millisecond, 3 * time.Second, 29 * time.Second, 45 * time.Second, time.Minute} {
				t.Run(fmt.Sprint(first, nats, late), func(t *testing.T) {
					p := newWorld(t, 1).behind(nats[0], nats[1])
					early, other := p.a, p.b
					if first == "b" {
						early, other = p.b, p.a
					}
					// The late one's socket and its mapping are there, its
					// agent is not.
					early.start(early == p.a)
					early.agent.AddRemote(p.now, List{Candidates: other.candidates()})
					for s := time.Duration(0); s < late; s += 10 * time.Second {
						p.at(epoch.Add(s), func() { other.candidates() })
					}
					p.run(late, nil)
					if f := early.agent.Failed(p.now); (f != nil) != (late >= 30*time.Second) {
						t.Errorf("after %v alone: failure %v", late, f)
					}
					other.start(other == p.a)
					other.agent.AddRemote(p.now, List{Candidates: early.candidates()})
					if took := p.wantConnected(3500 * time.Millisecond); took > 250*time.Millisecond {
						t.Logf("# %v after the late one started", took)
					}
					if f := early.agent.Failed(p.now); f != nil {
						t.Errorf("connected, and failed: %v", f)
					}
				})
			}
		}
	}
}

// One side may hear of the other only by its probes.
func TestPeerWithoutCandidates(t *testing.T) {
	p := newWorld(t, 1).behind(symmetric, fullCone)
	p.start()
	p.a.agent.AddRemote(p.now, List{Candidates: p.b.candidates()})
	t.Logf("# connected after %v", p.wantConnected(time.Second))
}

func TestSmallMTUIsNotConnected(t *testing.T) {
	w := newWorld(t, 1)
	w.mtu = 1100
	p := w.behind(portRestricted, portRestricted)
	p.start()
	p.exchange()
	p.wantFailure()
	f := p.a.agent.Failed(p.now)
	for _, want := range []string{"small packets pass, 1,200-byte ones do not", "MTU"} {
		if !strings.Contains(f.Error(), want) {
			t.Errorf("the report does not say %q:\n%v", want, f)
		}
	}
	// The tunnel is gone: the agents are still there.
	w.mtu = 0
	p.wantConnected(5 * time.Second)
}

// Full packets pass from a to b only: b gets every ping, and no answer.
func TestOneWayMTUIsNotConnected(t *testing.T) {
	w := newWorld(t, 1)
	p := w.behind(fullCone, fullCone)
	p.start()
	p.exchange()
	r := p.b.homes[0].realm.gateway
	p.b.homes[0].realm.gateway = nil
	p.b.homes[0].realm.nodes[r.ip] = nil
	narrow := &narrowing{r}
	for _, c := range p.a.candidates() {
		p.b.homes[0].realm.nodes[c.Addr.Addr()] = narrow
	}
	p.wantFailure()
	if f := p.b.agent.Failed(p.now); !strings.Contains(f.Error(), "small packets pass") {
		t.Errorf("the report does not say what passes:\n%v", f)
	}
}

// narrowing forwards small packets only.
type narrowing struct{ *router }

func (n *narrowing) receive(src, dst netip.AddrPort, data []byte) {
	if len(data) < fullSize {
		n.forward(src, dst, data)
	}
}

func TestSameSeedSameRun(t *testing.T) {
	run := func(seed uint64) uint64 {
		w := newWorld(t, seed)
		w.loss, w.dup, w.jitter = 0.2, 0.1, 60*time.Millisecond
		p := w.behind(symmetric, restricted)
		p.start()
		p.exchange()
		p.run(5*time.Second, nil)
		return w.trace.Sum64()
	}
	if a, b := run(7), run(7); a != b {
		t.Errorf("seed 7 gave two different runs")
	}
	if a, b := run(7), run(8); a == b {
		t.Errorf("seeds 7 and 8 gave the same run")
	}
}
