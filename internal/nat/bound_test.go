package nat

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"qft/internal/udp"
)

// A step that nobody measures would have each of a million ports pinged.
func TestProfileThatLies(t *testing.T) {
	for _, step := range []int16{0, 5, -5, 32767, -32768} {
		l := List{Profile: Profile{Mapping: Sequential, Step: 1, Last: netip.MustParseAddrPort("203.0.113.7:65535")}}
		b := AppendCandidates(nil, l)
		binary.BigEndian.PutUint16(b[2:], uint16(step))
		got, err := ParseCandidates(b)
		if err != nil || got.Profile.Mapping != MappingUnknown {
			t.Errorf("step %d: %+v, %v", step, got.Profile, err)
		}
	}
	// Ports go round, and stay among those that NATs give out.
	for _, step := range []int16{1, -1, 4, -4} {
		for _, last := range []string{"203.0.113.7:1", "203.0.113.7:1023", "203.0.113.7:1024", "203.0.113.7:65535"} {
			p := Profile{Mapping: Sequential, Step: step, Last: netip.MustParseAddrPort(last)}
			for n := -windowBack * largestStep; n <= 2*walks*walkSteps; n++ {
				if at := p.nth(n); at.Port() < firstPort {
					t.Fatalf("step %d from %s: port %v", step, last, at)
				}
			}
		}
	}
}

// A peer that says that it is seen under an address of our own network does not
// have us look through somebody's ports there.
func TestNobodyWithinIsLookedThrough(t *testing.T) {
	for _, last := range []string{"127.0.0.1:53", "192.168.1.1:53", "10.0.0.1:53", "169.254.169.254:80"} {
		for _, m := range []Mapping{Preserving, Sequential, Random} {
			p := newWorld(t, 1).behind(portRestricted, portRestricted)
			p.a.start(true)
			p.a.agent.AddRemote(p.now, List{Profile: Profile{Mapping: m, Step: 1, Last: netip.MustParseAddrPort(last)}, Candidates: p.b.candidates()})
			p.run(10*time.Second, nil)
			for _, s := range p.a.sent {
				if s.to.Addr() == netip.MustParseAddrPort(last).Addr() {
					t.Fatalf("mapping %v: %v was pinged", m, s.to)
				}
			}
		}
	}
}

// counted are the agent's probes, all of them and the most in one second, when it
// lives for so long and what happens every time is done.
func counted(w *world, a *Agent, long, every time.Duration, happens func(turn int)) (all, most int) {
	var sent []time.Time
	b := udp.NewBatch(1 << 16)
	now, next, turn := w.now, w.now, 0
	for end := now.Add(long); now.Before(end); {
		if !now.Before(next) {
			w.now = now
			happens(turn)
			turn, next = turn+1, next.Add(every)
		}
		b.Reset()
		a.Send(now, b)
		for range b.Len() {
			sent = append(sent, now)
		}
		now = now.Add(time.Millisecond)
	}
	n := 0
	for i, s := range sent {
		for n < len(sent) && sent[n].Sub(s) < time.Second {
			n++
		}
		most = max(most, n-i)
	}
	return len(sent), most
}

// guessLimit is how much may be guessed in so long, and pinged beside.
func guessLimit(long time.Duration) int {
	return guessStore + int(long.Seconds())*(guessSlow+80)
}

// A side that has lost its peer, whose machine sleeps perhaps, searches anew
// every ten seconds for as long as the program runs.
func TestGuessingOfALongTimeIsBounded(t *testing.T) {
	w := newWorld(t, 1)
	p := w.behind(portRestricted, portRestricted)
	p.start()
	l := p.b.list()
	p.a.agent.AddRemote(w.now, l)
	const long = 5 * time.Minute
	all, most := counted(w, p.a.agent, long, 10*time.Second, func(int) {
		p.a.agent.Restart(w.now, List{}, p.a.list())
	})
	if all > guessLimit(long) || most > 2000 {
		t.Errorf("%d probes in %v, %d in one second", all, long, most)
	}
	t.Logf("# %d probes in %v, %d in one second", all, long, most)
}

// A peer that says something else of its NAT all the time has no more sent to
// where it says that it is.
func TestHostileProfilesAreBounded(t *testing.T) {
	w := newWorld(t, 1)
	p := w.behind(portRestricted, portRestricted)
	p.start()
	const long = 2 * time.Minute
	a := p.a.agent
	all, most := counted(w, a, long, 20*time.Millisecond, func(turn int) {
		if turn%50 == 0 {
			a.Restart(w.now, List{}, List{})
		}
		victim := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, byte(turn >> 8), byte(turn)}), uint16(1+turn))
		l := List{Profile: Profile{Mapping: Sequential, Step: 4, Last: victim}}
		for i := range maxCandidates {
			ip := netip.AddrFrom4([4]byte{100, byte(i), byte(turn >> 8), byte(turn)})
			l.Candidates = append(l.Candidates, Candidate{Host, netip.AddrPortFrom(ip, 7)})
		}
		a.AddRemote(w.now, l)
	})
	if all > guessLimit(long)+int(long.Seconds())*120 || most > 2000 {
		t.Errorf("%d probes in %v, %d in one second", all, long, most)
	}
	if n := len(a.remote); n > maxRemote {
		t.Errorf("%d addresses are remembered", n)
	}
	t.Logf("# %d probes in %v, %d in one second", all, long, most)
}
