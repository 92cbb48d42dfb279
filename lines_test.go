package qft

import (
	"slices"
	"testing"
	"time"

	"qft/internal/lab"
	"qft/internal/peer"
	"qft/internal/rendezvous"
	"qft/internal/secret"
)

// lined is an encounter in which there is TCP: at the helper, and for both
// sides when they want it.
type lined struct {
	*encounter
	t    *testing.T
	ends [2]*end // sender, receiver
	home [2]*lab.Router
}

// office is a network that lets no UDP out, behind a NAT that keeps ports.
func office() *network {
	return &network{name: "office", v4: true, nat: &lab.NAT{Filtering: byPort, PortPreserve: true}, blocked: true}
}

func home() *network {
	return &network{name: "home", v4: true, nat: &lab.NAT{Filtering: byPort}}
}

// newLined has a sender in one network wait, and a receiver in another come.
func newLined(t *testing.T, seed uint64, a, b *network, loss float64) *lined {
	e := &lined{encounter: newEncounter(seed), t: t}
	e.tcp = true
	e.helper.Lines(helperPorts[0]).Listen(helperPorts[0])
	line := lab.Link{Delay: helperDelay, Loss: loss}
	words := secret.NewWords(e.Entropy())
	var hosts [2]*lab.Host
	hosts[0], e.home[0] = a.attach(e.World, "sender", line, false)
	hosts[1], e.home[1] = b.attach(e.World, "receiver", line, false)
	e.ends[0] = e.start(rendezvous.Sender, hosts[0], words, secret.Phrase{})
	if !e.Run(30*time.Second, func() bool { return e.ends[0].joined }) {
		t.Fatalf("seed %d: the sender has not joined: %v", seed, e.ends[0].Err())
	}
	e.World.Run(time.Second, nil)
	phrase, err := parseCode(e.ends[0].number, words)
	if err != nil {
		t.Fatal(err)
	}
	e.ends[1] = e.start(rendezvous.Receiver, hosts[1], "", phrase)
	return e
}

// wantPath wants both sides to have the path, within d.
func (e *lined) wantPath(word string, d time.Duration) time.Duration {
	e.t.Helper()
	began := e.Elapsed()
	if !e.Run(d, func() bool { return e.ends[0].path == word && e.ends[1].path == word }) {
		e.t.Fatalf("not within %v: %q; the sender has %q (%v), the receiver %q (%v)",
			d, word, e.ends[0].path, e.ends[0].Err(), e.ends[1].path, e.ends[1].Err())
	}
	return e.Elapsed() - began
}

// TestMeetsOverTCP where one side or both have no UDP, from a few seeds with
// and without loss.
func TestMeetsOverTCP(t *testing.T) {
	for _, c := range []struct {
		name string
		a, b *network
	}{
		{"sender in an office", office(), home()},
		{"receiver in an office", home(), office()},
		{"both in offices", office(), office()},
		{"a public receiver", office(), &network{v4: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(4) {
				for _, loss := range []float64{0, 0.1} {
					e := newLined(t, seed, c.a, c.b, loss)
					took := e.wantPath("TCP", 20*time.Second)
					t.Logf("seed %d, loss %v: %v after the receiver came", seed, loss, took)
					if loss == 0 && took > 4*time.Second {
						t.Errorf("seed %d: it took %v", seed, took)
					}
				}
			}
		})
	}
}

// TestWhatIsBlockedIsTold: only to the side that it concerns, within 5 s.
func TestWhatIsBlockedIsTold(t *testing.T) {
	e := newLined(t, 1, office(), home(), 0)
	e.wantPath("TCP", 20*time.Second)
	s, r := e.ends[0], e.ends[1]
	if len(s.told) == 0 || s.toldAt[0] > 5*time.Second || len(s.told[0].Open) != 0 ||
		!slices.Equal(s.told[0].Blocked, []uint16{4277, 53, 123, 443}) || !slices.Equal(s.told[0].TCP, []uint16{4277}) {
		t.Errorf("the sender was told %+v after %v", s.told, s.toldAt)
	}
	if len(r.told) != 0 {
		t.Errorf("the receiver was told %+v", r.told)
	}
}

// TestNoHelperAtAllIsToldSoon: there is nothing to wait 15 s for to say so.
func TestNoHelperAtAllIsToldSoon(t *testing.T) {
	e := &lined{encounter: newEncounter(1), t: t}
	e.tcp = true
	e.helper.SetDown(true)
	host, _ := home().attach(e.World, "sender", lab.Link{Delay: helperDelay}, false)
	s := e.start(rendezvous.Sender, host, "acid-robot-zebra", secret.Phrase{})
	e.Run(5*time.Second, func() bool { return len(s.told) > 0 })
	if len(s.told) != 1 || len(s.told[0].Open)+len(s.told[0].TCP) != 0 {
		t.Errorf("was told %+v", s.told)
	}
	e.Run(15*time.Second, func() bool { return s.failed != 0 })
	if !s.failedAs(peer.HelperUnreachable) {
		t.Errorf("ended with %v", s.Err())
	}
}

// TestLineIsReplacedWhenAnAddressChanges: the lines are dead, and nobody says
// so. Others take their place before contact counts as lost.
func TestLineIsReplacedWhenAnAddressChanges(t *testing.T) {
	for seed := range uint64(5) {
		for _, who := range []int{0, 1} {
			e := newLined(t, seed, office(), office(), 0)
			e.wantPath("TCP", 20*time.Second)
			e.World.Run(15*time.Second, nil)
			e.home[who].Renumber()
			changed, began := e.Now().Add(time.Second), e.Elapsed()
			fresh := func() bool {
				return e.ends[0].Conn().LastContact().After(changed) && e.ends[1].Conn().LastContact().After(changed)
			}
			if !e.Run(20*time.Second, fresh) {
				t.Errorf("seed %d: no contact after side %d has another address", seed, who)
				continue
			}
			t.Logf("seed %d: side %d has another address, contact after %v", seed, who, e.Elapsed()-began)
			for i, n := range e.ends {
				if len(n.lost) != len(n.back) {
					t.Errorf("seed %d: side %d has lost contact at %v, and had it back at %v", seed, i, n.lost, n.back)
				}
				if p := n.Conn().Path(); !p.IsLine() {
					t.Errorf("seed %d: side %d sends to %v", seed, i, p)
				}
			}
		}
	}
}

// TestLineIsReplacedAfterAReset, from another port.
func TestLineIsReplacedAfterAReset(t *testing.T) {
	for seed := range uint64(5) {
		e := newLined(t, seed, office(), office(), 0)
		e.wantPath("TCP", 20*time.Second)
		e.World.Run(15*time.Second, nil)
		before := e.ends[0].Conn().Path()
		port := e.ends[0].tcp.Port()
		e.ends[0].tcp.Hang(before.Local)
		reset, began := e.Now().Add(200*time.Millisecond), e.Elapsed()
		fresh := func() bool {
			return e.ends[0].Conn().LastContact().After(reset) && e.ends[1].Conn().LastContact().After(reset)
		}
		if !e.Run(10*time.Second, fresh) {
			t.Errorf("seed %d: no contact after a reset", seed)
			continue
		}
		t.Logf("seed %d: contact after %v", seed, e.Elapsed()-began)
		if p := e.ends[0].Conn().Path(); !p.IsLine() || p == before || e.ends[0].tcp.Port() == port {
			t.Errorf("seed %d: the path is %v as before, from port %d", seed, p, port)
		}
	}
}

// TestNothingListensWhereUDPDoes: TCP is for those who need it.
func TestNothingListensWhereUDPDoes(t *testing.T) {
	e := newLined(t, 4, home(), home(), 0)
	e.wantPath("punched", 20*time.Second)
	e.World.Run(time.Minute, nil)
	for i, n := range e.ends {
		if n.tcp.Port() != 0 {
			t.Errorf("side %d listens on TCP port %d", i, n.tcp.Port())
		}
	}
}
