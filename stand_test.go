package qft

import (
	"fmt"
	"testing"
	"time"

	"qft/internal/lab"
	"qft/internal/udp"
)

const someMegabytes = 8 << 20

func newStanding(t *testing.T, seed uint64) *meeting {
	return newMeeting(t, seed, lab.Link{Delay: 10 * time.Millisecond})
}

func (m *meeting) wantSame(path, dir string) {
	m.t.Helper()
	if err := same(path, dir); err != nil {
		m.t.Error(err)
	}
}

func TestSenderStaysForAReceiverThatIsKilledAndStartedAgain(t *testing.T) {
	for _, phrase := range []string{"", "our own secret phrase"} {
		m := newStanding(t, 1)
		h := m.public("sender", "receiver")
		path, to := m.file("a.bin", someMegabytes), Target{Dir: m.folder("to" + phrase)}
		s := m.keepSending(h[0], phrase, path, 1)
		if phrase == "" {
			phrase = s.code()
		}
		r := m.keepReceiving(h[1], phrase, to)
		m.until(time.Minute, "half of it", r.moved(someMegabytes/2))
		r.kill()
		r = m.keepReceiving(h[1], phrase, to)
		began := m.Elapsed()
		m.wantDone(time.Minute, s, r)
		t.Logf("done %v after the restart", m.Elapsed()-began)
		m.wantSame(path, to.Dir)
		if o := last[Offer](r); o.Resumed < someMegabytes/4 {
			t.Errorf("only %d bytes were resumed", o.Resumed)
		}
		if seen[Code](s) > 1 || seen[Replaced](s) != 1 || seen[ContactLost](s) != 1 || !last[Waiting](s).Again {
			t.Errorf("the sender told %v", s.events)
		}
	}
}

func TestSenderStaysForAReceiverThatIsStopped(t *testing.T) {
	m := newStanding(t, 1)
	h := m.public("sender", "receiver", "elsewhere")
	path, to := m.file("a.bin", someMegabytes), Target{Dir: m.folder("to")}
	s := m.keepSending(h[0], "", path, 1)
	code := s.code()
	for i := range 3 {
		r := m.keepReceiving(h[1+i%2], code, to)
		m.until(time.Minute, "some more of it", r.moved(int64(i+1)<<20))
		r.interrupt()
		m.until(10*time.Second, "the receiver's end", r.Done)
		if err := r.verdict(t.Context()); KindOf(err) != KindCanceled {
			t.Errorf("the receiver ended with %v", err)
		}
	}
	m.until(10*time.Second, "the sender to know", func() bool { return seen[Interrupted](s) == 3 })
	if k := KindOf(last[Interrupted](s).Err); k != KindPeer || s.Done() {
		t.Errorf("the sender told kind %v, done %v", k, s.Done())
	}
	r := m.keepReceiving(h[1], code, to)
	m.wantDone(time.Minute, s, r)
	m.wantSame(path, to.Dir)
}

func TestReceiverStaysForASenderThatIsKilledAndStartedAgain(t *testing.T) {
	const phrase = "our own secret phrase"
	m := newStanding(t, 1)
	h := m.public("sender", "receiver")
	path, to := m.file("a.bin", someMegabytes), Target{Dir: m.folder("to")}
	asked := 0
	to.Accept = func(Proposal) bool { asked++; return true }
	s := m.keepSending(h[0], phrase, path, 1)
	r := m.keepReceiving(h[1], phrase, to)
	m.until(time.Minute, "half of it", r.moved(someMegabytes/2))
	s.kill()
	m.Run(30*time.Second, nil)
	s = m.keepSending(h[0], phrase, path, 1)
	m.wantDone(time.Minute, s, r)
	m.wantSame(path, to.Dir)
	if o := last[Offer](r); o.Resumed < someMegabytes/4 || seen[Offer](r) != 2 {
		t.Errorf("%d bytes were resumed with offer %d", o.Resumed, seen[Offer](r))
	}
	if asked != 1 {
		t.Errorf("the person was asked %d times about the same", asked)
	}
}

func TestReceiverEndsWhenTheSenderIsStopped(t *testing.T) {
	m := newStanding(t, 1)
	h := m.public("sender", "receiver")
	s := m.keepSending(h[0], "", m.file("a.bin", someMegabytes), 1)
	r := m.keepReceiving(h[1], s.code(), Target{Dir: m.folder("to")})
	m.until(time.Minute, "some of it", r.moved(1<<20))
	s.interrupt()
	m.until(3*time.Second, "the end of both", func() bool { return s.Done() && r.Done() })
	if err := s.verdict(t.Context()); KindOf(err) != KindCanceled {
		t.Errorf("sender: %v", err)
	}
	if err := r.verdict(t.Context()); KindOf(err) != KindPeer {
		t.Errorf("receiver: %v", err)
	}
}

func TestOldContactEndsTheNewWaiting(t *testing.T) {
	m := newStanding(t, 1)
	h := m.public("sender", "receiver")
	path, to := m.file("a.bin", someMegabytes), Target{Dir: m.folder("to")}
	s := m.keepSending(h[0], "", path, 1)
	r := m.keepReceiving(h[1], s.code(), to)
	m.until(time.Minute, "half of it", r.moved(someMegabytes/2))
	t.Log("# only the receiver is cut off: the sender waits at the helper meanwhile")
	h[1].Outage(m.Elapsed(), 30*time.Second)
	m.until(20*time.Second, "the sender waits at the helper", func() bool { return last[Waiting](s).Again && len(s.nodes) == 2 })
	m.until(time.Minute, "one attempt is left", func() bool { return len(s.nodes) == 1 && seen[ContactBack](s) > 0 })
	m.wantDone(time.Minute, s, r)
	m.wantSame(path, to.Dir)
	if seen[Met](s) != 1 || seen[Replaced](s) != 0 || s.ever != 2 {
		t.Errorf("sender: %d attempts, %v", s.ever, s.events)
	}
}

// TestBothStandStill: both sides wait at the helper, and what comes first, the
// old contact or a new meeting, must not depend on what the other side sees.
func TestBothStandStill(t *testing.T) {
	seeds := uint64(20)
	if underRace { // runs in full without it
		seeds = 5
	}
	for seed := range seeds {
		m := newStanding(t, seed)
		line := lab.Link{Rate: 20e6, Delay: 15 * time.Millisecond, Loss: 0.05 * float64(seed%3)}
		home := func(name string) (*lab.Host, *lab.Router) {
			r := m.Router(nil, lab.RouterConfig{Name: name, Up: line, Down: line, NAT: &lab.NAT{Filtering: lab.AddressPortDependent}})
			return m.Host(r, lab.HostConfig{Name: name + " host"}), r
		}
		a, ra := home("a")
		b, rb := home("b")
		path, to := m.file("a.bin", someMegabytes), Target{Dir: m.folder("to")}
		s := m.keepSending(a, "", path, 1)
		r := m.keepReceiving(b, s.code(), to)
		m.until(time.Minute, "some of it", r.moved(2<<20))
		t.Logf("# seed %d: both are cut off, and may have other addresses afterwards", seed)
		d := time.Duration(6+m.Rand().IntN(20)) * time.Second
		a.Outage(m.Elapsed(), d)
		b.Outage(m.Elapsed(), d+time.Duration(m.Rand().IntN(2000)-1000)*time.Millisecond)
		if seed%2 == 0 {
			m.After(d/2, func() { ra.Renumber(); rb.Renumber() })
		}
		m.wantDone(2*time.Minute, s, r)
		m.wantSame(path, to.Dir)
		if seen[Met](s) > 3 || seen[Interrupted](s) > 3 {
			t.Errorf("sender: %v", s.events)
		}
	}
}

func TestGuessesAreCountedOverAllMeetings(t *testing.T) {
	m := newStanding(t, 1)
	h := m.public("sender", "receiver", "guesser")
	path, to := m.file("a.bin", someMegabytes), Target{Dir: m.folder("to")}
	s := m.keepSending(h[0], "", path, 1)
	code := s.code()
	guesses := 0
	guess := func(n int) {
		for range n {
			g := m.receive(h[2], wrongCode(code, guesses), m.folder("g"))
			guesses++
			if err := m.finish(time.Minute, g); err != nil {
				t.Fatal(err)
			}
			m.Run(2*time.Second, nil)
		}
	}
	for range 2 {
		guess(2)
		r := m.keepReceiving(h[1], code, to)
		m.until(time.Minute, "some of it", r.moved(1<<20))
		r.interrupt()
		m.until(10*time.Second, "the receiver's end", r.Done)
		m.Run(5*time.Second, nil)
	}
	if s.Done() {
		t.Fatalf("after %d guesses the sender ended with %v", guesses, s.err)
	}
	guess(1)
	m.until(10*time.Second, "the sender's end", s.Done)
	if err := s.verdict(t.Context()); KindOf(err) != KindTaken || last[WrongPhrase](s).Left != 0 || guesses != 5 {
		t.Errorf("after %d guesses the sender ended with %v", guesses, err)
	}
}

func TestSenderComesBackToItsNumberThoughItsOldPlaceIsStillTaken(t *testing.T) {
	m := newStanding(t, 1)
	h := m.public("sender", "receiver")
	path, to := m.file("a.bin", someMegabytes), Target{Dir: m.folder("to")}
	s := m.keepSending(h[0], "", path, 1)
	code := s.code()
	deaf := false
	m.helperHost.Bind(helperPort, &deafHelper{m.server, &deaf})
	r := m.keepReceiving(h[1], code, to)
	m.until(time.Minute, "they have met", func() bool { return seen[Connected](s) > 0 })
	t.Log("# the helper never learns that the sender has left the room, so the number is taken for a minute")
	deaf = true
	m.until(time.Minute, "some of it", r.moved(1<<20))
	r.kill()
	m.Run(3*time.Second, nil)
	deaf = false
	r = m.keepReceiving(h[1], code, to)
	m.wantDone(3*time.Minute, s, r)
	m.wantSame(path, to.Dir)
	if seen[HelperRefuses](s) == 0 {
		t.Errorf("the place was free: the test shows nothing. %v", s.events)
	}
}

// deafHelper hears nothing while deaf.
type deafHelper struct {
	lab.Machine
	deaf *bool
}

func TestRefusalEndsTheSend(t *testing.T) {
	m := newStanding(t, 1)
	h := m.public("sender", "receiver")
	s := m.keepSending(h[0], "", m.file("a.bin", 1000), 1)
	var p Proposal
	r := m.keepReceiving(h[1], s.code(), Target{Dir: m.folder("to"), Accept: func(x Proposal) bool { p = x; return false }})
	m.until(time.Minute, "the end of both", func() bool { return s.Done() && r.Done() })
	if err := s.verdict(t.Context()); KindOf(err) != KindPeer {
		t.Errorf("sender: %v", err)
	}
	if err := r.verdict(t.Context()); KindOf(err) != KindRefused {
		t.Errorf("receiver: %v", err)
	}
	if p.Files != 1 || p.Bytes != 1000 || !p.Counted || p.Items != 1 || len(p.Names) != 1 || p.Names[0] != "a.bin" {
		t.Errorf("proposed was %+v", p)
	}
}

func TestConflictIsAskedAboutOnce(t *testing.T) {
	for what, want := range map[Existing]Kind{ExistingOverwrite: -1, ExistingRename: -1, ExistingFail: KindExists, ExistingAsk: KindExists} {
		m := newStanding(t, 1)
		h := m.public("sender", "receiver")
		dir := m.folder("a")
		m.file("a/x.bin", 1000)
		path := m.file("x.bin", someMegabytes)
		var asked []string
		to := Target{Dir: dir, Existing: ExistingAsk, Resolve: func(path string) (Existing, bool) {
			asked = append(asked, path)
			return what, false
		}}
		s := m.keepSending(h[0], "", path, 1)
		code := s.code()
		r := m.keepReceiving(h[1], code, to)
		if want != -1 {
			m.until(time.Minute, "the end of both", func() bool { return s.Done() && r.Done() })
			if err := r.verdict(t.Context()); KindOf(err) != want {
				t.Errorf("answer %d: %v", what, err)
			}
		} else {
			m.wantDone(time.Minute, s, r)
		}
		if len(asked) != 1 || asked[0] != dir+"/x.bin" {
			t.Errorf("answer %d: asked about %q", what, asked)
		}
	}
}

func TestThreeReceiversAtOnce(t *testing.T) {
	m := newStanding(t, 1)
	h := m.public("sender", "r1", "r2", "r3")
	path := m.file("a.bin", someMegabytes)
	s := m.keepSending(h[0], "", path, 3)
	code := s.code()
	all := []*keeper{s}
	for i, x := range h[1:] {
		all = append(all, m.keepReceiving(x, code, Target{Dir: m.folder(fmt.Sprint(i))}))
	}
	most := 0
	m.Run(time.Minute, func() bool {
		most = max(most, s.count(s.holds))
		return s.Done()
	})
	m.wantDone(time.Minute, all...)
	for _, r := range all[1:] {
		m.wantSame(path, r.path)
		if seen[WrongPhrase](r) > 0 {
			t.Errorf("a receiver lost a guess: %v", r.events)
		}
	}
	if most != 3 || seen[Finished](s) != 3 || seen[WrongPhrase](s) > 0 {
		t.Errorf("%d were served at the same time: %v", most, s.events)
	}
}

func TestReceiversEndDoesNotEndTheOthers(t *testing.T) {
	m := newStanding(t, 1)
	h := m.public("sender", "r1", "r2", "r3", "r4")
	path := m.file("a.bin", someMegabytes)
	s := m.keepSending(h[0], "", path, 2)
	code := s.code()
	refuses := m.keepReceiving(h[1], code, Target{Dir: m.folder("0"), Accept: func(Proposal) bool { return false }})
	good := m.keepReceiving(h[2], code, Target{Dir: m.folder("1")})
	killed := m.keepReceiving(h[3], code, Target{Dir: m.folder("2")})
	m.until(time.Minute, "one has refused, one has some of it", func() bool { return refuses.Done() && killed.moved(1<<20)() })
	killed.kill()
	late := m.keepReceiving(h[4], code, Target{Dir: m.folder("3")})
	m.wantDone(2*time.Minute, s, good, late)
	m.wantSame(path, good.path)
	m.wantSame(path, late.path)
	if n := seen[Finished](s); n != 3 {
		t.Errorf("%d sessions were told to have finished: %v", n, s.events)
	}
}

func TestKeepServesWhoeverComes(t *testing.T) {
	const n = 8
	m := newStanding(t, 3)
	names := []string{"sender"}
	for i := range n {
		names = append(names, fmt.Sprint("r", i))
	}
	h := m.public(names...)
	path := m.file("a.bin", 1<<20)
	s := m.keepSending(h[0], "our own secret phrase", path, -1)
	m.Run(time.Second, nil)
	var all []*keeper
	for i, x := range h[1:] {
		all = append(all, m.keepReceiving(x, "our own secret phrase", Target{Dir: m.folder(fmt.Sprint(i))}))
		if i%3 == 0 {
			m.Run(4*time.Second, nil)
		}
	}
	m.wantDone(2*time.Minute, all...)
	for _, r := range all {
		m.wantSame(path, r.path)
	}
	m.Run(time.Minute, nil)
	if s.Done() || len(s.nodes) != 1 {
		t.Fatalf("the sender is done %v, with %d attempts", s.Done(), len(s.nodes))
	}
	s.interrupt()
	m.until(5*time.Second, "the sender's end", s.Done)
	if err := s.verdict(t.Context()); err != nil || len(s.results) != n {
		t.Errorf("%d were served, %v", len(s.results), err)
	}
}

func (h *deafHelper) Receive(now time.Time, p udp.Packet) {
	if !*h.deaf {
		h.Machine.Receive(now, p)
	}
}

func TestSecondSenderIsToldThoughItIsConnected(t *testing.T) {
	const phrase = "our own secret phrase"
	for seed := range uint64(3) {
		m := newStanding(t, seed)
		line := lab.Link{Rate: 20e6, Delay: time.Millisecond}
		h := []*lab.Host{
			m.Host(nil, lab.HostConfig{Name: "near", Up: line, Down: line}),
			m.Host(nil, lab.HostConfig{Name: "far", Up: lab.Link{Delay: 150 * time.Millisecond}, Down: line}),
			m.Host(nil, lab.HostConfig{Name: "receiver", Up: line, Down: line}),
		}
		path := m.file("a.bin", 1000)
		near, far := m.keepSending(h[0], phrase, path, 1), m.keepSending(h[1], phrase, path, 1)
		m.Run(3*time.Second, nil)
		r := m.keepReceiving(h[2], phrase, Target{Dir: m.folder("to")})
		m.until(time.Minute, "the end of all", func() bool { return near.Done() && far.Done() && r.Done() })
		for _, k := range []*keeper{near, far, r} {
			if err := k.verdict(t.Context()); KindOf(err) != KindTaken {
				t.Errorf("%s was told %v: %v", k.host.Name(), err, k.events)
			}
		}
		if seen[Connected](near) == 0 {
			t.Errorf("it was not connected: %v", near.events)
		}
	}
}
