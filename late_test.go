package qft

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"qft/internal/lab"
	"qft/internal/rendezvous"
	"qft/internal/secret"
	"qft/internal/udp"
)

// shortLived is a network whose router forgets a mapping, and who may come in by
// it, when nothing has gone out for 20 s.
func shortLived(n lab.NAT) *network {
	n.Timeout = 20 * time.Second
	return &network{name: "short-lived", v4: true, nat: &n}
}

// wait runs for a while.
func (e *encounter) wait(d time.Duration) { e.Run(d, nil) }

// meets runs until both are connected, and fails the test if that takes longer.
func (e *encounter) meets(t *testing.T, limit time.Duration, ends ...*end) {
	t.Helper()
	began := e.Elapsed()
	if !e.Run(limit, func() bool { return !slices.ContainsFunc(ends, func(n *end) bool { return n.connected == 0 }) }) {
		for _, n := range ends {
			t.Errorf("%s: connected %v, failed %v, %v", n.host.Name(), n.connected, n.failed, n.Err())
		}
		t.FailNow()
	}
	t.Logf("connected after %v", e.Elapsed()-began)
}

// outsides notes from which endpoints the helper has heard a host's router.
func (e *encounter) outsides(r *lab.Router) map[netip.AddrPort]int {
	seen := make(map[netip.AddrPort]int)
	e.Tap(func(s lab.Sighting) {
		if s.Fate == lab.Delivered && s.To.Port() == helperPorts[0] && slices.Contains(r.Public(), s.From.Addr()) {
			seen[s.From]++
		}
	})
	return seen
}

// TestFiveMinutesLate has one side come five minutes after the other, to a
// helper that was restarted twice meanwhile, once with half a minute in between.
func TestFiveMinutesLate(t *testing.T) {
	phrase, err := parseOnce("a phrase of our own")
	if err != nil {
		t.Fatal(err)
	}
	line := lab.Link{Delay: helperDelay}
	home := shortLived(lab.NAT{Filtering: byPort})
	for _, first := range []rendezvous.Role{rendezvous.Sender, rendezvous.Receiver} {
		e := newEncounter(1)
		a, _ := home.attach(e.World, "early", line, false)
		b, _ := home.attach(e.World, "late", line, false)
		early := e.start(first, a, "", phrase)
		e.wait(time.Minute)
		e.startHelper()
		e.wait(time.Minute)
		e.helper.SetDown(true)
		e.wait(30 * time.Second)
		e.startHelper()
		e.helper.SetDown(false)
		e.wait(150 * time.Second)
		late := e.start(rendezvous.Sender+rendezvous.Receiver-first, b, "", phrase)
		e.meets(t, time.Second, early, late)
	}
}

// TestCodeOutlivesTheHelper is the same for a code: its number is the one that
// the helper gave out before it was restarted.
func TestCodeOutlivesTheHelper(t *testing.T) {
	line := lab.Link{Delay: helperDelay}
	home := shortLived(lab.NAT{Filtering: byPort})
	e := newEncounter(2)
	a, _ := home.attach(e.World, "sender", line, false)
	b, _ := home.attach(e.World, "receiver", line, false)
	words := secret.NewWords(e.Entropy())
	s := e.start(rendezvous.Sender, a, words, secret.Phrase{})
	e.wait(2 * time.Minute)
	e.startHelper()
	e.wait(3 * time.Minute)
	r := e.start(rendezvous.Receiver, b, "", codeOf(t, s.number, words))
	e.meets(t, time.Second, s, r)
}

// TestMappingIsHeldWhileWaiting has a sender wait behind a router that forgets
// after 20 s.
func TestMappingIsHeldWhileWaiting(t *testing.T) {
	e := newEncounter(3)
	line := lab.Link{Delay: helperDelay, Loss: 0.02}
	a, router := shortLived(lab.NAT{Filtering: byPort}).attach(e.World, "sender", line, false)
	b, _ := shortLived(lab.NAT{Filtering: byPort}).attach(e.World, "receiver", line, false)
	seen := e.outsides(router)
	words := secret.NewWords(e.Entropy())
	s := e.start(rendezvous.Sender, a, words, secret.Phrase{})
	e.wait(30 * time.Minute)
	if len(seen) != 1 {
		t.Errorf("in half an hour the helper has seen the sender at %v", seen)
	}
	e.meets(t, 2*time.Second, s, e.start(rendezvous.Receiver, b, "", codeOf(t, s.number, words)))
}

// TestMappingIsHeldWhileNothingMoves has two peers that say nothing for half an
// hour, behind routers that forget after 20 s.
func TestMappingIsHeldWhileNothingMoves(t *testing.T) {
	e, s, r, _ := settledPair(t, 4)
	before := [2]udp.Path{s.Conn().Path(), r.Conn().Path()}
	e.wait(30 * time.Minute)
	if len(s.lost)+len(r.lost) > 0 {
		t.Errorf("contact was lost at %v and %v", s.lost, r.lost)
	}
	if after := [2]udp.Path{s.Conn().Path(), r.Conn().Path()}; after != before {
		t.Errorf("the path moved from %v to %v", before, after)
	}
}

// TestMappingIsHeldWhilePaused has one side go away, as a closed laptop does,
// for ten minutes: much longer than its router remembers it. The other side
// holds its own mapping meanwhile, and contact is there again when it comes back.
func TestMappingIsHeldWhilePaused(t *testing.T) {
	if underRace {
		t.Skip("one goroutine, and minutes of keep-alives: runs without the race detector")
	}
	for _, away := range []string{"sender", "receiver"} {
		for seed := range uint64(2) {
			e, s, r, routers := settledPair(t, seed)
			gone, here, router := s, r, routers[1]
			if away == "receiver" {
				gone, here, router = r, s, routers[0]
			}
			seen := e.outsides(router)
			gone.host.Pause(true)
			e.wait(10 * time.Minute)
			gone.host.Pause(false)
			began := e.Elapsed()
			if len(here.lost) != 1 {
				t.Errorf("contact was lost at %v", here.lost)
			}
			if !e.Run(10*time.Second, func() bool { return len(here.back) > 0 }) {
				t.Fatalf("seed %d, the %s was away: no contact 10 s after it came back", seed, away)
			}
			t.Logf("seed %d, the %s was away: contact %v after it came back", seed, away, e.Elapsed()-began)
			if len(seen) > 1 {
				t.Errorf("in two minutes the helper has seen who waited at %v", seen)
			}
		}
	}
}

// settledPair is two connected peers behind routers that forget after 20 s.
func settledPair(t *testing.T, seed uint64) (e *encounter, s, r *end, routers [2]*lab.Router) {
	t.Helper()
	e = newEncounter(seed)
	line := lab.Link{Delay: helperDelay}
	a, ra := shortLived(lab.NAT{Filtering: byPort}).attach(e.World, "sender", line, false)
	b, rb := shortLived(lab.NAT{Filtering: byPort}).attach(e.World, "receiver", line, false)
	words := secret.NewWords(e.Entropy())
	s = e.start(rendezvous.Sender, a, words, secret.Phrase{})
	e.wait(time.Second)
	r = e.start(rendezvous.Receiver, b, "", codeOf(t, s.number, words))
	e.meets(t, time.Second, s, r)
	return e, s, r, [2]*lab.Router{ra, rb}
}

func codeOf(t *testing.T, number uint32, words string) secret.Phrase {
	t.Helper()
	p, err := parseCode(number, words)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestFileComesFiveMinutesLate is the whole of it: a file, its sender and its
// receiver, in homes whose routers forget after 20 s, with 5 % loss.
func TestFileComesFiveMinutesLate(t *testing.T) {
	m := newMeeting(t, 5, lab.Link{Delay: helperDelay})
	line := lab.Link{Rate: 20e6, Delay: helperDelay, Loss: 0.05}
	a, _ := shortLived(lab.NAT{Filtering: byPort}).attach(m.World, "sender", line, false)
	b, _ := shortLived(lab.NAT{Filtering: byPort}).attach(m.World, "receiver", line, false)
	path, dir := m.file("report.pdf", 3<<20), m.folder("to")
	s := m.keepSending(a, "", path, 1)
	code := s.code()
	m.Run(150*time.Second, nil)
	m.startHelper()
	m.Run(150*time.Second, nil)
	r := m.keepReceiving(b, code, Target{Dir: dir})
	m.wantDone(time.Minute, s, r)
	if err := same(path, dir); err != nil {
		t.Error(err)
	}
}
