package qft

import (
	"net/netip"
	"testing"
	"time"

	"qft/internal/lab"
	"qft/internal/rendezvous"
	"qft/internal/secret"
	"qft/internal/udp"
)

// stranger is a member of a room with a will of its own.
type stranger struct {
	*rendezvous.Client
	on func(s *stranger, e rendezvous.Event)
}

func (s *stranger) Send(now time.Time, b *udp.Batch) {
	for {
		e, ok := s.Next()
		if !ok {
			break
		}
		s.on(s, e)
	}
	s.Client.Send(now, b)
}

func (s *stranger) say(to rendezvous.ID, note ...byte) { _ = s.Post(to, note) }

func (m *meeting) stranger(h *lab.Host, phrase string, role rendezvous.Role, on func(*stranger, rendezvous.Event)) {
	p, err := parseOnce(phrase)
	if err != nil {
		m.t.Fatal(err)
	}
	room := rendezvous.SharedRoom(p.Room())
	if n, generated := p.Number(); generated {
		room = rendezvous.NumberedRoom(n)
	}
	h.Bind(0, &stranger{on: on, Client: rendezvous.NewClient(rendezvous.ClientConfig{
		Servers: []netip.AddrPort{m.helperHost.AddrPort(false, helperPort)}, Room: room, Role: role, Rand: m.Entropy(),
	})})
}

// guesser tries phrases at a receiver, saying what it likes
// instead of a confirmation.
func (m *meeting) guesser(h *lab.Host, phrase string, guesses *int, instead ...byte) {
	// Any wrong phrase is a guess; deriving one anew each time takes long.
	guess, err := parseOnce("not the phrase")
	if err != nil {
		m.t.Fatal(err)
	}
	var try func()
	try = func() {
		var i *secret.Initiator
		m.stranger(h, phrase, rendezvous.Sender, func(x *stranger, e rendezvous.Event) {
			switch e.Kind {
			case rendezvous.Arrived:
				id, other := x.ID(), e.Member
				var m1 []byte
				i, m1, _ = secret.NewInitiator(m.Entropy(), guess, append(id[:], other[:]...), true)
				x.say(e.Member, append([]byte{1}, m1...)...)
			case rendezvous.Note:
				if e.Note[0] != 2 || i == nil {
					return
				}
				*guesses++
				i = nil
				x.say(e.Member, instead...)
				m.After(200*time.Millisecond, func() { x.Leave() })
				m.After(300*time.Millisecond, try)
			}
		})
	}
	try()
}

func TestEveryGuessAtAReceiverCounts(t *testing.T) {
	const phrase = "our own secret phrase"
	for name, instead := range map[string][]byte{"malformed confirmation": {3, 0}, "wrong": {4}, "malformed taken": {5, 0}} {
		t.Run(name, func(t *testing.T) {
			m := newMeeting(t, 1, lab.Link{Delay: 10 * time.Millisecond})
			h := m.public("receiver", "stranger")
			r := m.receive(h[0], phrase, m.folder("to"))
			guesses := 0
			m.guesser(h[1], phrase, &guesses, instead...)
			m.Run(20*time.Minute, r.Done)
			if !r.Done() || KindOf(r.err()) != KindTaken || guesses > 20 {
				t.Errorf("after %d guesses: done %v, %v", guesses, r.Done(), r.err())
			}
		})
	}
}

func TestGuessesWhilePunchingCount(t *testing.T) {
	const phrase = "our own secret phrase"
	m := newMeeting(t, 1, lab.Link{Delay: 10 * time.Millisecond})
	home := func(name string) *lab.Host {
		n := &lab.NAT{Mapping: lab.AddressPortDependent, Filtering: lab.AddressPortDependent}
		return m.Host(m.Router(nil, lab.RouterConfig{Name: name, NAT: n}), lab.HostConfig{})
	}
	s := m.send(home("a"), phrase, m.file("a.bin", 1000))
	r := m.receive(home("b"), phrase, m.folder("to"))
	m.Run(20*time.Second, func() bool { return count[Met](s) > 0 && count[Met](r) > 0 })
	guesses := 0
	m.guesser(m.public("stranger")[0], phrase, &guesses, 4)
	m.Run(time.Minute, r.Done)
	if guesses == 0 || guesses > 20 {
		t.Errorf("%d guesses at a receiver that was punching", guesses)
	}
}

func TestStrangersNoteEndsNobody(t *testing.T) {
	for name, note := range map[string][]byte{"two senders": {6, 1}, "stopped": {6, 2}, "malformed answer": {2, 0}, "other version": {2, 9, 9}} {
		m := newMeeting(t, 1, lab.Link{Delay: 10 * time.Millisecond})
		h := m.public("sender", "stranger")
		s := m.send(h[0], "", m.file("a.bin", 1000))
		said := false
		m.stranger(h[1], s.code(), rendezvous.Receiver, func(x *stranger, e rendezvous.Event) {
			if e.Kind == rendezvous.Note {
				x.say(e.Member, note...)
				said = true
			}
		})
		m.Run(20*time.Second, s.Done)
		if s.Done() || !said {
			t.Errorf("%s: the sender ended with %v", name, s.err())
		}
	}
	const phrase = "our own secret phrase"
	for name, note := range map[string][]byte{"taken": {5}, "verdict": {6, 2}, "wrong": {4}} {
		m := newMeeting(t, 1, lab.Link{Delay: 10 * time.Millisecond})
		h := m.public("receiver", "stranger")
		r := m.receive(h[0], phrase, m.folder("to"))
		said := false
		m.stranger(h[1], phrase, rendezvous.Sender, func(x *stranger, e rendezvous.Event) {
			if e.Kind == rendezvous.Arrived {
				x.say(e.Member, note...)
				said = true
			}
		})
		m.Run(20*time.Second, r.Done)
		if r.Done() || !said {
			t.Errorf("%s: the receiver ended with %v", name, r.err())
		}
	}
}

func TestStrangersDoNotMakeAReceiverDeaf(t *testing.T) {
	const phrase = "our own secret phrase"
	m := newMeeting(t, 1, lab.Link{Delay: 10 * time.Millisecond})
	h := m.public("sender", "receiver")
	dir := m.folder("to")
	r := m.receive(h[1], phrase, dir)
	other, err := parseOnce("some other phrase")
	if err != nil {
		t.Fatal(err)
	}
	for range 10 { // they stay in the room
		m.stranger(m.public("stranger")[0], phrase, rendezvous.Sender, func(x *stranger, e rendezvous.Event) {
			switch e.Kind {
			case rendezvous.Arrived:
				id, member := x.ID(), e.Member
				_, m1, _ := secret.NewInitiator(m.Entropy(), other, append(id[:], member[:]...), true)
				x.say(e.Member, append([]byte{1}, m1...)...)
			case rendezvous.Note:
				x.say(e.Member, 3, 0)
			}
		})
	}
	m.Run(10*time.Second, nil)
	path := m.file("a.bin", 1000)
	s := m.send(h[0], phrase, path)
	if err := m.finish(time.Minute, s, r); err != nil {
		t.Fatal(err)
	}
	if err := same(path, dir); err != nil {
		t.Error(err, s.err(), r.err())
	}
}

func TestStopWhilePunchingIsTold(t *testing.T) {
	for _, who := range []string{"sender", "receiver"} {
		m := newMeeting(t, 1, lab.Link{Delay: 10 * time.Millisecond})
		h := m.public("sender", "receiver")
		s := m.send(h[0], "", m.file("a.bin", 1000))
		r := m.receive(h[1], s.code(), m.folder("to"))
		stopped, other := s, r
		if who == "receiver" {
			stopped, other = r, s
		}
		m.Run(10*time.Second, func() bool { return count[Met](stopped) > 0 && count[Met](other) > 0 })
		stopped.stop()
		if err := m.finish(4*time.Second, s, r); err != nil {
			t.Fatal(err)
		}
		if KindOf(other.err()) != KindPeer {
			t.Errorf("the %s stopped; the other was told %v", who, other.err())
		}
	}
}

func TestOutageWhileMeetingIsNoWrongPhrase(t *testing.T) {
	for _, length := range []time.Duration{10 * time.Second, 16 * time.Second, 25 * time.Second} {
		m := newMeeting(t, 1, lab.Link{Delay: 10 * time.Millisecond})
		h := m.public("sender", "receiver")
		s := m.send(h[0], "", m.file("a.bin", 1000))
		r := m.receive(h[1], s.code(), m.folder("to"))
		m.Run(10*time.Second, func() bool { return count[Met](s) > 0 })
		h[1].Outage(m.Elapsed(), length)
		m.Run(3*time.Minute, func() bool { return s.Done() && r.Done() })
		if r.Done() && KindOf(r.err()) == KindPhrase {
			t.Errorf("after an outage of %v the right code is called wrong", length)
		}
	}
}

func TestPathThatReturnsIsUsed(t *testing.T) {
	m := newMeeting(t, 1, lab.Link{Delay: 10 * time.Millisecond})
	h := m.public("a", "b")
	path := m.file("a.bin", 60<<20)
	dir := m.folder("to")
	s := m.send(h[0], "", path)
	r := m.receive(h[1], s.code(), dir)
	m.Run(5*time.Second, nil)
	a, b := h[0].Addrs(), h[1].Addrs()
	h[0].SetAddrs()
	m.Run(3*time.Second, nil)
	h[1].SetAddrs()
	m.Run(3*time.Second, nil)
	h[0].SetAddrs(a...)
	h[1].SetAddrs(b...)
	if err := m.finish(2*time.Minute, s, r); err != nil {
		t.Fatal(err)
	}
	if err := same(path, dir); err != nil {
		t.Error(err)
	}
}

func TestPartnerWithoutAddressesIsGivenUp(t *testing.T) {
	m := newMeeting(t, 1, lab.Link{Delay: 10 * time.Millisecond})
	h := m.public("sender", "stranger")
	s := m.send(h[0], "", m.file("a.bin", 1000))
	code := s.code()
	p, err := parseOnce(code)
	if err != nil {
		t.Fatal(err)
	}
	m.stranger(h[1], code, rendezvous.Receiver, func(x *stranger, e rendezvous.Event) {
		if e.Kind == rendezvous.Note && e.Note[0] == 1 {
			id, other := x.ID(), e.Member
			_, m2, err := secret.NewResponder(m.Entropy(), p, append(other[:], id[:]...), e.Note[1:], []byte{0}, true)
			if err != nil {
				t.Error(err)
			}
			x.say(e.Member, append([]byte{2}, m2...)...)
		}
	})
	if err := m.finish(time.Minute, s); err != nil {
		t.Fatal(err)
	}
	if KindOf(s.err()) != KindNoPath {
		t.Errorf("ended with %v", s.err())
	}
}

func TestStopWithoutContactTellsNoFalseStory(t *testing.T) {
	m := newMeeting(t, 1, lab.Link{Delay: 10 * time.Millisecond})
	h := m.public("a", "b")
	s := m.send(h[0], "", m.file("a.bin", 60<<20))
	m.receive(h[1], s.code(), m.folder("to"))
	m.Run(5*time.Second, nil)
	h[1].SetDown(true)
	m.Run(20*time.Second, nil)
	s.stop()
	m.Run(30*time.Second, s.Done)
	if !s.Done() || count[ContactLost](s) != 1 || count[ContactBack](s) != 0 {
		t.Errorf("done %v, lost %d times, back %d times", s.Done(), count[ContactLost](s), count[ContactBack](s))
	}
}
