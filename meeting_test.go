package qft

import (
	"errors"
	"strings"
	"testing"
	"time"

	"qft/internal/lab"
	"qft/internal/rendezvous"
	"qft/internal/udp"
)

func TestCodeBringsAFileAcross(t *testing.T) {
	m := newMeeting(t, 1, lab.Link{Delay: 10 * time.Millisecond})
	line := lab.Link{Rate: 20e6, Delay: 15 * time.Millisecond}
	home := func(name string) *lab.Host {
		r := m.Router(nil, lab.RouterConfig{Name: name, Up: line, Down: line,
			NAT: &lab.NAT{Mapping: lab.EndpointIndependent, Filtering: lab.AddressPortDependent}})
		return m.Host(r, lab.HostConfig{Name: name + " host"})
	}
	path := m.file("report.pdf", 3<<20)
	s := m.send(home("a"), "", path)
	code := s.code()
	dir := m.folder("to")
	r := m.receive(home("b"), code, dir)
	start := m.Elapsed()
	if err := m.finish(time.Minute, s, r); err != nil {
		t.Fatal(err)
	}
	if s.err() != nil || r.err() != nil {
		t.Errorf("sender: %v, receiver: %v", s.err(), r.err())
	}
	if err := same(path, dir); err != nil {
		t.Error(err)
	}
	t.Logf("%v: %v", m.Elapsed()-start, s.events)
}

// public makes hosts on plain public lines, for tests that are not about NATs.
func (m *meeting) public(names ...string) []*lab.Host {
	var all []*lab.Host
	for _, n := range names {
		line := lab.Link{Rate: 20e6, Delay: 15 * time.Millisecond}
		all = append(all, m.Host(nil, lab.HostConfig{Name: n, Up: line, Down: line}))
	}
	return all
}

func count[E Event](n *node) int {
	c := 0
	for _, e := range n.events {
		if _, ok := e.(E); ok {
			c++
		}
	}
	return c
}

// wrongCode is a code of the same number with other words.
func wrongCode(code string, i int) string {
	number, _, _ := strings.Cut(code, "-")
	words := []string{"acid-robot-zebra", "zebra-acid-robot", "robot-zebra-acid", "acid-zebra-robot", "zebra-robot-acid", "robot-acid-zebra"}
	return number + "-" + words[i%len(words)]
}

func TestWrongCodeIsToldAndTheSenderWaitsOn(t *testing.T) {
	m := newMeeting(t, 1, lab.Link{Delay: 10 * time.Millisecond})
	h := m.public("sender", "wrong", "right")
	path := m.file("a.bin", 100_000)
	s := m.send(h[0], "", path)
	code := s.code()
	wrong := m.receive(h[1], wrongCode(code, 0), m.folder("wrong"))
	if err := m.finish(20*time.Second, wrong); err != nil {
		t.Fatal(err)
	}
	if KindOf(wrong.err()) != KindPhrase {
		t.Errorf("the receiver with the wrong code was told %v", wrong.err())
	}
	if count[WrongPhrase](s) != 1 || s.Done() {
		t.Errorf("the sender was told of %d guesses, and its done is %v", count[WrongPhrase](s), s.Done())
	}
	dir := m.folder("right")
	right := m.receive(h[2], code, dir)
	if err := m.finish(time.Minute, s, right); err != nil {
		t.Fatal(err)
	}
	if err := same(path, dir); err != nil || s.err() != nil || right.err() != nil {
		t.Error(err, s.err(), right.err())
	}
}

func TestGuessesBurnTheCode(t *testing.T) {
	m := newMeeting(t, 1, lab.Link{Delay: 10 * time.Millisecond})
	s := m.send(m.public("sender")[0], "", m.file("a.bin", 100_000))
	code := s.code()
	guesses := 0
	for ; guesses < 10 && !s.Done(); guesses++ {
		g := m.receive(m.public("guesser")[0], wrongCode(code, guesses), m.folder("g"))
		if err := m.finish(time.Minute, g); err != nil {
			t.Fatal(err)
		}
		m.Run(2*time.Second, s.Done)
	}
	if guesses != 5 || KindOf(s.err()) != KindTaken {
		t.Errorf("after %d guesses the sender ended with %v", guesses, s.err())
	}
}

func TestSecondReceiverIsToldThatTheCodeIsTaken(t *testing.T) {
	m := newMeeting(t, 1, lab.Link{Delay: 10 * time.Millisecond})
	h := m.public("sender", "first", "second")
	path := m.file("a.bin", 3<<20)
	s := m.send(h[0], "", path)
	code := s.code()
	one := m.receive(h[1], code, m.folder("one"))
	two := m.receive(h[2], code, m.folder("two"))
	if err := m.finish(time.Minute, s, one); err != nil {
		if err = m.finish(time.Second, s, two); err != nil {
			t.Fatal(err)
		}
		one, two = two, one
	}
	if s.err() != nil || one.err() != nil {
		t.Error(s.err(), one.err())
	}
	// The other one either was told, or came when the sender had left the
	// room and waits for it.
	m.Run(time.Minute, two.Done)
	if two.Done() && KindOf(two.err()) != KindTaken {
		t.Errorf("the second receiver was told %v", two.err())
	}
}

func TestSecondSenderOnANumberIsToldAtOnce(t *testing.T) {
	m := newMeeting(t, 1, lab.Link{Delay: 10 * time.Millisecond})
	h := m.public("first", "second")
	path := m.file("a.bin", 1000)
	s := m.send(h[0], "", path)
	second := m.send(h[1], wrongCode(s.code(), 0), path)
	if err := m.finish(3*time.Second, second); err != nil {
		t.Fatal(err)
	}
	if KindOf(second.err()) != KindTaken || s.Done() {
		t.Errorf("the second sender was told %v; first done: %v", second.err(), s.Done())
	}
}

func TestTwoSendersOnOnePhraseAreTold(t *testing.T) {
	const phrase = "our own secret phrase"
	m := newMeeting(t, 1, lab.Link{Delay: 10 * time.Millisecond})
	h := m.public("one", "two", "receiver")
	path := m.file("a.bin", 1000)
	one := m.send(h[0], phrase, path)
	two := m.send(h[1], phrase, path)
	m.Run(3*time.Second, nil)
	r := m.receive(h[2], phrase, m.folder("to"))
	if err := m.finish(time.Minute, one, two, r); err != nil {
		t.Fatal(err)
	}
	for _, n := range []*node{one, two, r} {
		if KindOf(n.err()) != KindTaken {
			t.Errorf("%s was told %v", n.host.Name(), n.err())
		}
	}
}

func TestStrangersInOneRoomFindTheirPartners(t *testing.T) {
	// Two phrases whose rooms happen to be the same, found by trying.
	const a, b = "our own phrase 918", "our own phrase 1180"
	m := newMeeting(t, 1, lab.Link{Delay: 10 * time.Millisecond})
	h := m.public("sender a", "receiver a", "sender b", "receiver b")
	pathA, pathB := m.file("a.bin", 300_000), m.file("b.bin", 300_000)
	dirA, dirB := m.folder("to a"), m.folder("to b")
	nodes := []*node{m.send(h[0], a, pathA), m.send(h[2], b, pathB)}
	m.Run(time.Second, nil)
	nodes = append(nodes, m.receive(h[1], a, dirA), m.receive(h[3], b, dirB))
	if err := m.finish(time.Minute, nodes...); err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		if n.err() != nil {
			t.Errorf("%s: %v", n.host.Name(), n.err())
		}
	}
	if err := errors.Join(same(pathA, dirA), same(pathB, dirB)); err != nil {
		t.Error(err)
	}
}

func TestHelperThatIsNotThere(t *testing.T) {
	m := newMeeting(t, 1, lab.Link{Delay: 10 * time.Millisecond})
	m.helperHost.SetDown(true)
	s := m.send(m.public("sender")[0], "", m.file("a.bin", 1000))
	if err := m.finish(20*time.Second, s); err != nil {
		t.Fatal(err)
	}
	if KindOf(s.err()) != KindHelper {
		t.Errorf("ended with %v", s.err())
	}
}

// babbler answers everything with nonsense.
type babbler struct {
	r   interface{ Read([]byte) (int, error) }
	out []udp.Packet
}

func (b *babbler) Receive(_ time.Time, p udp.Packet) {
	d := make([]byte, 200)
	b.r.Read(d)
	d[0] = 0x51
	if len(p.Data) > 3 {
		copy(d[1:3], p.Data[1:3])
	}
	b.out = append(b.out, udp.Packet{Path: p.Path, Data: d})
}

func (b *babbler) Send(_ time.Time, batch *udp.Batch) {
	for _, p := range b.out {
		batch.Add(p.Path, p.Data)
	}
	b.out = nil
}

func (b *babbler) Deadline() time.Time {
	if len(b.out) > 0 {
		return time.Unix(0, 0)
	}
	return time.Time{}
}

func TestHelperThatBabbles(t *testing.T) {
	m := newMeeting(t, 1, lab.Link{Delay: 10 * time.Millisecond})
	m.helperHost.Bind(helperPort, &babbler{r: m.Entropy()})
	s := m.send(m.public("sender")[0], "", m.file("a.bin", 1000))
	if err := m.finish(20*time.Second, s); err != nil {
		t.Fatal(err)
	}
	if KindOf(s.err()) != KindHelper {
		t.Errorf("ended with %v", s.err())
	}
}

// TestNobodyCameForAsLongAsTheHelperLetsOneWait: and the person is told that,
// not that the helper is busy.
func TestNobodyCameForAsLongAsTheHelperLetsOneWait(t *testing.T) {
	m := newMeeting(t, 1, lab.Link{Delay: 10 * time.Millisecond})
	m.helperHost.Bind(helperPort, rendezvous.NewServer(rendezvous.ServerConfig{Rand: m.Entropy(), Lifetime: 10 * time.Minute}))
	s := m.send(m.public("sender")[0], "", m.file("a.bin", 1000))
	m.Run(9*time.Minute, nil)
	if s.Done() {
		t.Fatalf("ended early with %v", s.err())
	}
	if err := m.finish(3*time.Minute, s); err != nil {
		t.Fatal(err)
	}
	var e *Error
	if !errors.As(s.err(), &e) || e.Kind != KindHelper || !errors.Is(e, rendezvous.ErrExpired) || !strings.Contains(e.Hint, "both are there") {
		t.Errorf("ended with %v (%+v)", s.err(), e)
	}
}

// TestAPrivateHelperIsNotForEverybody: who does not know its secret is told so.
func TestAPrivateHelperIsNotForEverybody(t *testing.T) {
	m := newMeeting(t, 1, lab.Link{Delay: 10 * time.Millisecond})
	m.helperHost.Bind(helperPort, rendezvous.NewServer(rendezvous.ServerConfig{Rand: m.Entropy(), Secrets: [][]byte{[]byte("open, sesame")}}))
	s := m.send(m.public("sender")[0], "", m.file("a.bin", 1000))
	if err := m.finish(20*time.Second, s); err != nil {
		t.Fatal(err)
	}
	var e *Error
	if !errors.As(s.err(), &e) || e.Kind != KindHelper || !errors.Is(e, rendezvous.ErrDenied) || !strings.Contains(e.Hint, "secret") {
		t.Errorf("ended with %v (%+v)", s.err(), e)
	}
}

func TestInterruptIsToldToTheOtherSide(t *testing.T) {
	for _, who := range []string{"sender", "receiver"} {
		t.Run(who, func(t *testing.T) {
			m := newMeeting(t, 1, lab.Link{Delay: 10 * time.Millisecond})
			h := m.public("sender", "receiver")
			path := m.file("a.bin", 20<<20)
			dir := m.folder("to")
			s := m.send(h[0], "", path)
			code := s.code()
			r := m.receive(h[1], code, dir)
			m.Run(4*time.Second, nil)
			stopped, other := s, r
			if who == "receiver" {
				stopped, other = r, s
			}
			stopped.stop()
			if err := m.finish(2*time.Second, s, r); err != nil {
				t.Fatal(err)
			}
			if KindOf(stopped.err()) != KindCanceled || KindOf(other.err()) != KindPeer {
				t.Errorf("stopped: %v, the other: %v", stopped.err(), other.err())
			}
			// The same again goes on from there.
			s = m.send(h[0], "", path)
			r = m.receive(h[1], s.code(), dir)
			if err := m.finish(time.Minute, s, r); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(same(path, dir), s.err(), r.err()); err != nil {
				t.Fatal(err)
			}
			for _, e := range r.events {
				if o, ok := e.(Offer); ok && o.Resumed < 4<<20 {
					t.Errorf("only %d bytes were resumed", o.Resumed)
				}
			}
		})
	}
}

func TestContactIsRegainedThroughTheHelper(t *testing.T) {
	// Both peers are behind NATs that filter by port, and both get new public
	// addresses at once: neither can reach the other, until they meet again.
	m := newMeeting(t, 1, lab.Link{Delay: 10 * time.Millisecond})
	line := lab.Link{Rate: 20e6, Delay: 15 * time.Millisecond}
	var routers []*lab.Router
	home := func(name string) *lab.Host {
		r := m.Router(nil, lab.RouterConfig{Name: name, Up: line, Down: line,
			NAT: &lab.NAT{Filtering: lab.AddressPortDependent}})
		routers = append(routers, r)
		return m.Host(r, lab.HostConfig{Name: name + " host"})
	}
	path := m.file("a.bin", 20<<20)
	dir := m.folder("to")
	s := m.send(home("a"), "", path)
	code := s.code()
	r := m.receive(home("b"), code, dir)
	m.Run(4*time.Second, nil)
	changed := m.Elapsed()
	for _, r := range routers {
		r.Renumber()
	}
	if !m.Run(time.Minute, func() bool { return count[Connected](s) > 1 && count[Connected](r) > 1 }) {
		t.Fatalf("no contact a minute after both addresses changed: %v", s.events)
	}
	// Well before anybody is told that it is lost.
	d := m.Elapsed() - changed
	if t.Logf("contact again after %v", d); d > 2*time.Second || count[ContactLost](s)+count[ContactLost](r) > 0 {
		t.Errorf("regaining contact took %v", d)
	}
	if err := m.finish(time.Minute, s, r); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(same(path, dir), s.err(), r.err()); err != nil {
		t.Error(err)
	}
}
