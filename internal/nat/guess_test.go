package nat

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// meet has two hosts behind the NATs look for each other from one moment on.
func meet(t *testing.T, seed uint64, na, nb natType, loss float64) peers {
	t.Helper()
	w := newWorld(t, seed)
	w.loss = loss
	p := w.behind(na, nb)
	p.start()
	p.exchange()
	return p
}

// guessed are the pairs that no port-restricted punching passes, and how soon
// they must have met.
var guessed = []struct {
	name   string
	a, b   natType
	within time.Duration
}{
	{"random to port-restricted", symmetric, portRestricted, 20 * time.Second},
	{"random to Linux", symmetric, masquerade, 20 * time.Second},
	{"preserving to port-restricted", preserving, portRestricted, time.Second},
	{"preserving to Linux", preserving, masquerade, time.Second},
	{"preserving to preserving", preserving, preserving, time.Second},
	{"preserving to sequential", preserving, sequential, time.Second},
	{"sequential to port-restricted", sequential, portRestricted, time.Second},
	{"sequential to sequential", sequential, sequential, 2 * time.Second},
}

func TestGuessedPorts(t *testing.T) {
	seeds := uint64(3)
	if n, err := strconv.Atoi(os.Getenv("QFT_SEEDS")); err == nil {
		seeds = uint64(n)
	}
	for _, c := range guessed {
		for _, loss := range []float64{0, 0.1} {
			t.Run(fmt.Sprintf("%s/loss %v", c.name, loss), func(t *testing.T) {
				var took []time.Duration
				for seed := range seeds {
					for _, turned := range []bool{false, true} {
						na, nb := c.a, c.b
						if turned {
							na, nb = nb, na
						}
						p := meet(t, seed, na, nb, loss)
						took = append(took, p.wantConnected(c.within))
						p.wantTidy()
					}
				}
				slices.Sort(took)
				t.Logf("# median %v, 99th of 100 %v, worst of %d %v", took[len(took)/2], took[len(took)*99/100], len(took), took[len(took)-1])
			})
		}
	}
}

// wantTidy checks the bounds of guessing, and that a little later only the
// sockets in use are open, and nothing is guessed any more.
func (p peers) wantTidy() {
	p.t.Helper()
	p.run(p.now.Sub(epoch)+settleTime+time.Second, nil)
	for _, h := range []*host{p.a, p.b} {
		path, _ := h.agent.Best()
		if h.most > maxSockets {
			p.t.Errorf("%s had %d sockets", h.name, h.most)
		}
		for i, port := range h.opened {
			if l := i + 1; port != 0 && int(path.Way.Local) != l {
				p.t.Errorf("%s keeps socket %d, and its path is %v", h.name, l, path.Way)
			}
		}
		if l := path.Way.Local; l != 0 && !slices.Contains(h.promoted, l) {
			p.t.Errorf("%s has not promoted socket %d, which it uses", h.name, l)
		}
		most, n := 0, 0
		for i, s := range h.sent { // in every second
			for n < len(h.sent) && h.sent[n].at.Sub(s.at) < time.Second {
				n++
			}
			most = max(most, n-i)
		}
		if most > 2000 {
			p.t.Errorf("%s sent %d probes in a second", h.name, most)
		}
	}
}

func TestNothingToGuess(t *testing.T) {
	for _, c := range []struct {
		name string
		a, b natType
	}{
		{"random to random", symmetric, symmetric},
		{"random to preserving", symmetric, preserving},
		{"random to sequential", symmetric, sequential},
		{"random with a loose filter to random", loose, symmetric},
	} {
		for _, turned := range []bool{false, true} {
			na, nb := c.a, c.b
			if turned {
				na, nb = nb, na
			}
			t.Run(fmt.Sprintf("%s/turned %v", c.name, turned), func(t *testing.T) {
				p := meet(t, 1, na, nb, 0)
				p.wantFailure()
				f := p.a.agent.Failed(p.now)
				for _, want := range []string{"ports at random", "NATs of both sides"} {
					if !strings.Contains(f.Error(), want) {
						t.Errorf("the report does not say %q:\n%v", want, f)
					}
				}
				for _, h := range []*host{p.a, p.b} {
					if n := len(h.sent); n > 1000 {
						t.Errorf("%s sent %d probes where nothing can be guessed", h.name, n)
					}
				}
			})
		}
	}
}

// TestGuessedPortsAtDifferentTimes has one side begin up to half a second after
// the other, as the last message of the handshake takes its time.
func TestGuessedPortsAtDifferentTimes(t *testing.T) {
	for _, c := range guessed {
		for _, late := range []time.Duration{30 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond} {
			t.Run(fmt.Sprintf("%s/%v", c.name, late), func(t *testing.T) {
				for seed := range uint64(1) {
					for _, turned := range []bool{false, true} {
						w := newWorld(t, seed)
						p := w.behind(c.a, c.b)
						p.start()
						first, second := p.a, p.b
						if turned {
							first, second = second, first
						}
						la, lb := first.list(), second.list()
						first.agent.AddRemote(w.now, lb)
						p.run(late, nil)
						second.agent.AddRemote(w.now, la)
						p.wantConnected(c.within + late)
					}
				}
			})
		}
	}
}

// TestGuessesBesideOtherTraffic has the networks of both sides open a connection
// now and then, which takes a port.
func TestGuessesBesideOtherTraffic(t *testing.T) {
	for _, c := range guessed {
		if !c.a.inARow && !c.b.inARow {
			continue
		}
		for _, every := range []time.Duration{300 * time.Millisecond, 50 * time.Millisecond} {
			t.Run(fmt.Sprintf("%s/%v", c.name, every), func(t *testing.T) {
				met, seeds := 0, uint64(12)
				var took []time.Duration
				for seed := range seeds {
					w := newWorld(t, seed)
					p := w.behind(c.a, c.b)
					p.start()
					for _, h := range []*host{p.a, p.b} {
						w.busy(h, every)
					}
					la, lb := p.a.list(), p.b.list()
					p.run(150*time.Millisecond, nil) // the handshake's last message
					p.a.agent.AddRemote(w.now, lb)
					p.b.agent.AddRemote(w.now, la)
					at := p.run(20*time.Second, p.connected)
					if p.connected() {
						met++
					}
					took = append(took, at)
				}
				slices.Sort(took)
				t.Logf("# %d of %d met, median %v, worst %v", met, seeds, took[len(took)/2], took[len(took)-1])
				least := seeds
				if every < 100*time.Millisecond { // 20 connections a second on each side
					least = seeds / 2
				}
				if met < int(least) {
					t.Errorf("only %d of %d met", met, seeds)
				}
			})
		}
	}
}

// busy has another machine of the host's network open connections, at random
// times that are so far apart in the mean.
func (w *world) busy(h *host, every time.Duration) {
	r := h.homes[0].realm
	n := 0
	var next func()
	next = func() {
		n++
		r.gateway.translate(netip.AddrPortFrom(netip.MustParseAddr("192.168.1.77"), uint16(2000+n)), helpers[0])
		w.at(w.now.Add(time.Duration(w.rng.ExpFloat64()*float64(every))), next)
	}
	w.at(w.now.Add(time.Duration(w.rng.ExpFloat64()*float64(every))), next)
}

// TestFailedGuessesAreTold: the search for the port is blocked, and the report
// says that it took place.
func TestFailedGuessesAreTold(t *testing.T) {
	p := meet(t, 1, symmetric, portRestricted, 1)
	p.wantFailure()
	for h, want := range map[*host][]string{
		p.a: {" more sockets", "this side's NAT gives every destination another port, and the right one"},
		p.b: {"probes to guessed ports, with 0 more sockets", "the peer's NAT gives every destination another port, and the right one"},
	} {
		f := h.agent.Failed(p.now)
		for _, w := range want {
			if !strings.Contains(f.Error(), w) {
				t.Errorf("%s does not say %q:\n%v", h.name, w, f)
			}
		}
		if h.most > maxSockets {
			t.Errorf("%s had %d sockets", h.name, h.most)
		}
		if n, most := f.Report.Guesses.Probes, int(guessTime/blindEvery); n > most+200 {
			t.Errorf("%s sent %d probes to guessed ports, more than %d", h.name, n, most)
		}
	}
}

// TestGuessedAgainAfterARouterRestarts: all mappings are gone, and both sides
// search anew with what they are told then.
func TestGuessedAgainAfterARouterRestarts(t *testing.T) {
	for _, c := range guessed {
		t.Run(c.name, func(t *testing.T) {
			p := meet(t, 1, c.a, c.b, 0)
			p.wantConnected(c.within)
			p.run(p.now.Sub(epoch)+time.Minute, nil)
			p.a.homes[0].realm.gateway.rebind()
			p.b.homes[0].realm.gateway.rebind()
			p.a.prepared, p.b.prepared = List{}, List{}
			t.Log("# both know of their own addresses, and then of what the helper sees")
			for _, h := range []*host{p.a, p.b} {
				own := Candidate{Host, netip.AddrPortFrom(h.homes[0].addr, h.port)}
				h.agent.Restart(p.now, List{}, listOf(own))
			}
			p.run(p.now.Sub(epoch)+100*time.Millisecond, nil)
			la, lb := p.a.list(), p.b.list()
			p.a.agent.SetLocal(p.now, la)
			p.b.agent.SetLocal(p.now, lb)
			p.run(p.now.Sub(epoch)+50*time.Millisecond, nil)
			p.a.agent.Restart(p.now, lb, List{})
			p.b.agent.Restart(p.now, la, List{})
			t.Logf("# again after %v", p.wantConnected(c.within))
			p.wantTidy()
		})
	}
}

// TestNothingIsGuessedWithoutUDP: who has said that it cannot use UDP is not
// searched for.
func TestNothingIsGuessedWithoutUDP(t *testing.T) {
	w := newWorld(t, 1)
	p := w.behind(symmetric, portRestricted)
	p.start()
	la, lb := p.a.list(), p.b.list()
	la.Flags = NoUDP
	p.a.agent.SetLocal(w.now, la)
	p.a.agent.AddRemote(w.now, lb)
	p.b.agent.AddRemote(w.now, la)
	p.run(10*time.Second, nil)
	for _, h := range []*host{p.a, p.b} {
		if n := h.agent.Report(p.now).Guesses.Probes; n != 0 {
			t.Errorf("%s has guessed %d times", h.name, n)
		}
	}
}

// TestNATThatTellsAddressesApart looks like one that does not, to a helper with
// one address and two ports: the guesses come last, and find it.
func TestNATThatTellsAddressesApart(t *testing.T) {
	for seed := range uint64(5) {
		w := newWorld(t, seed)
		p := w.behind(byAddress, portRestricted)
		p.start()
		la, lb := p.a.list(), p.b.list()
		la.Profile = NewProfile(p.a.port, []netip.AddrPort{la.Profile.Last, la.Profile.Last})
		p.a.agent.SetLocal(w.now, la)
		p.a.agent.AddRemote(w.now, lb)
		p.b.agent.AddRemote(w.now, la)
		took := p.wantConnected(guessTime)
		if t.Logf("# connected after %v", took); took < guessLast {
			t.Errorf("guessed after %v", took)
		}
		p.wantTidy()
	}
}
