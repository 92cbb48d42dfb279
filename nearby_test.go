package qft

import (
	"cmp"
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"qft/internal/lab"
	"qft/internal/peer"
	"qft/internal/rendezvous"
	"qft/internal/secret"
	"qft/internal/udp"
)

// lan makes a home with so many hosts.
func (m *meeting) lan(name string, n int) (*lab.Router, []*lab.Host) {
	wire := lab.Link{Rate: 100e6, Delay: 500 * time.Microsecond}
	line := lab.Link{Rate: 20e6, Delay: 15 * time.Millisecond}
	r := m.Router(nil, lab.RouterConfig{Name: name, Up: line, Down: line,
		NAT: &lab.NAT{Mapping: lab.EndpointIndependent, Filtering: lab.AddressPortDependent}})
	var hosts []*lab.Host
	for i := range n {
		hosts = append(hosts, m.Host(r, lab.HostConfig{Name: name + string(rune('0'+i)), Family: lab.DualStack, Up: wire, Down: wire}))
	}
	return r, hosts
}

// wantFile runs a sender and its receivers to the end, and compares.
func (m *meeting) wantFile(limit time.Duration, path, dir string, nodes ...*node) {
	m.t.Helper()
	if err := m.finish(limit, nodes...); err != nil {
		m.t.Fatal(err)
	}
	for _, n := range nodes {
		if n.err() != nil {
			m.t.Errorf("%s: %v", n.host.Name(), n.err())
		}
	}
	if err := same(path, dir); err != nil {
		m.t.Error(err)
	}
}

// connectedAfter is how long after a moment a node was connected.
func (m *meeting) connectedAfter(n *node, limit time.Duration) time.Duration {
	m.t.Helper()
	start := m.Elapsed()
	if !m.Run(limit, func() bool { return count[Connected](n) > 0 }) {
		m.t.Fatalf("not connected after %v: %v, %v", limit, n.events, n.Err())
	}
	return m.Elapsed() - start
}

func TestNeighboursMeetWithoutAHelper(t *testing.T) {
	for _, phrase := range []string{"", "a phrase of our own"} {
		t.Run(phrase, func(t *testing.T) {
			m := newMeeting(t, 1, lab.Link{})
			m.nearby, m.alone = true, true
			var beacons [][]byte
			m.Tap(func(s lab.Sighting) {
				if s.Fate == lab.Sent && s.Data[0] == 0x53 {
					beacons = append(beacons, append([]byte(nil), s.Data...))
				}
			})
			_, h := m.lan("home", 2)
			path, dir := m.file("a.bin", 1<<20), m.folder("to")
			s := m.send(h[0], phrase, path)
			code := phrase
			number := uint32(0)
			if phrase == "" {
				code = s.code()
				number, _ = m.phrase(code).Number()
			}
			m.Run(time.Second, nil)
			r := m.receive(h[1], code, dir)
			if d := m.connectedAfter(r, 5*time.Second); d > 250*time.Millisecond {
				t.Errorf("connected only after %v", d)
			}
			m.wantFile(time.Minute, path, dir, s, r)
			if len(beacons) < 3 {
				t.Errorf("%d beacons", len(beacons))
			}
			for _, b := range beacons {
				if len(b) != 9 || binary.BigEndian.Uint32(b[3:]) != number {
					t.Errorf("the beacon %x says something else than the number %d", b, number)
				}
			}
		})
	}
}

// TestReceiverMayComeFirst: its queries, and then the sender's announcements,
// bring them together.
func TestReceiverMayComeFirst(t *testing.T) {
	m := newMeeting(t, 1, lab.Link{})
	m.nearby, m.alone = true, true
	_, h := m.lan("home", 2)
	path, dir := m.file("a.bin", 100_000), m.folder("to")
	const code = "4711-acid-robot-zebra"
	r := m.receive(h[1], code, dir)
	m.Run(5*time.Minute, nil)
	s := m.send(h[0], code, path)
	m.connectedAfter(r, time.Second)
	m.wantFile(time.Minute, path, dir, s, r)
}

// TestNeighboursDoNotWaitForTheHelper: both ways are tried at once, and it is
// one meeting.
func TestNeighboursDoNotWaitForTheHelper(t *testing.T) {
	for seed := range uint64(10) {
		m := newMeeting(t, seed, lab.Link{Delay: 150 * time.Millisecond})
		m.nearby = true
		_, h := m.lan("home", 2)
		path, dir := m.file("a.bin", 1<<20), m.folder("to")
		s := m.send(h[0], "", path)
		code := s.code()
		m.Run(time.Second, nil)
		r := m.receive(h[1], code, dir)
		if d := m.connectedAfter(r, 5*time.Second); d > 250*time.Millisecond {
			t.Errorf("seed %d: connected only after %v", seed, d)
		}
		m.wantFile(time.Minute, path, dir, s, r)
		for _, n := range []*node{s, r} {
			if count[Met](n) != 1 || count[WrongPhrase](n) != 0 {
				t.Errorf("seed %d, %s: %v", seed, n.host.Name(), n.events)
			}
		}
	}
}

// TestNearAndFarAtTheSameMoment has the helper as near as the neighbour, so
// that handshakes in both places end in any order.
func TestNearAndFarAtTheSameMoment(t *testing.T) {
	for seed := range uint64(40) {
		m := newMeeting(t, seed, lab.Link{Delay: time.Duration(seed%8) * 250 * time.Microsecond})
		m.nearby = true
		wire := lab.Link{Delay: 500 * time.Microsecond, Jitter: 2 * time.Millisecond, Loss: 0.1}
		home := m.Router(nil, lab.RouterConfig{NAT: &lab.NAT{}})
		phrase := ""
		if seed%8 == 7 {
			phrase = "a phrase of our own" // its hash takes a while
		}
		path, dir := m.file("a.bin", 100_000), m.folder("to")
		s := m.send(m.Host(home, lab.HostConfig{Up: wire, Down: wire}), phrase, path)
		if phrase == "" {
			phrase = s.code()
		}
		r := m.receive(m.Host(home, lab.HostConfig{Up: wire, Down: wire}), phrase, dir)
		m.wantFile(time.Minute, path, dir, s, r)
	}
}

// TestWrongCodeInTwoPlacesIsTwoGuesses: at most. What a place on this network says
// of a code is not believed while there is a helper, so it is tried there as well.
func TestWrongCodeInTwoPlacesIsTwoGuesses(t *testing.T) {
	m := newMeeting(t, 1, lab.Link{Delay: 5 * time.Millisecond})
	m.nearby = true
	_, h := m.lan("home", 2)
	s := m.send(h[0], "", m.file("a.bin", 1000))
	code := s.code()
	m.Run(3*time.Second, nil)
	r := m.receive(h[1], wrongCode(code, 0), m.folder("to"))
	if err := m.finish(10*time.Second, r); err != nil {
		t.Fatal(err)
	}
	m.Run(20*time.Second, nil)
	if KindOf(r.err()) != KindPhrase {
		t.Errorf("the receiver was told %v", r.err())
	}
	if n := count[WrongPhrase](s); n > 2 || s.Done() {
		t.Errorf("the sender was told of %d guesses; done: %v", n, s.Done())
	}
}

func TestWrongCodeIsToldWithoutAHelper(t *testing.T) {
	m := newMeeting(t, 1, lab.Link{})
	m.nearby, m.alone = true, true
	_, h := m.lan("home", 2)
	s := m.send(h[0], "", m.file("a.bin", 1000))
	r := m.receive(h[1], wrongCode(s.code(), 0), m.folder("to"))
	if err := m.finish(5*time.Second, r); err != nil {
		t.Fatal(err)
	}
	if KindOf(r.err()) != KindPhrase || s.Done() {
		t.Errorf("the receiver was told %v; sender done: %v", r.err(), s.Done())
	}
}

// TestSendersOfOneNetwork have numbers of their own, or by bad luck the same.
func TestSendersOfOneNetwork(t *testing.T) {
	for _, c := range []struct{ name, a, b string }{
		{"their own numbers", "", ""},
		{"one number", "4711-acid-robot-zebra", "4711-zebra-acid-robot"},
		{"phrases of their own", "our phrase", "another phrase"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMeeting(t, 1, lab.Link{})
			m.nearby, m.alone = true, true
			_, h := m.lan("home", 4)
			pathA, dirA, pathB, dirB := m.file("a.bin", 300_000), m.folder("a"), m.file("b.bin", 300_000), m.folder("b")
			a, b := m.send(h[0], c.a, pathA), m.send(h[1], c.b, pathB)
			if c.a == "" {
				c.a, c.b = a.code(), b.code()
			}
			ra := m.receive(h[2], c.a, dirA)
			rb := m.receive(h[3], c.b, dirB)
			m.wantFile(time.Minute, pathA, dirA, a, ra)
			m.wantFile(time.Minute, pathB, dirB, b, rb)
		})
	}
}

func TestTwoSendersOfOnePhraseOnOneNetworkAreTold(t *testing.T) {
	m := newMeeting(t, 1, lab.Link{})
	m.nearby, m.alone = true, true
	_, h := m.lan("home", 3)
	path := m.file("a.bin", 1000)
	one, two := m.send(h[0], "our phrase", path), m.send(h[1], "our phrase", path)
	m.Run(time.Second, nil)
	r := m.receive(h[2], "our phrase", m.folder("to"))
	if err := m.finish(time.Minute, one, two, r); err != nil {
		t.Fatal(err)
	}
	for _, n := range []*node{one, two, r} {
		if KindOf(n.err()) != KindTaken {
			t.Errorf("%s was told %v", n.host.Name(), n.err())
		}
	}
}

// TestReceiverAsksTheSendersHost through a port that is forwarded to it. Both
// NATs refuse what they do not expect.
func TestReceiverAsksTheSendersHost(t *testing.T) {
	for _, phrase := range []string{"", "a phrase of our own"} {
		t.Run(phrase, func(t *testing.T) {
			m := newMeeting(t, 1, lab.Link{})
			m.alone = true
			router, h := m.lan("home", 1)
			_, away := m.lan("away", 1)
			path, dir := m.file("a.bin", 1<<20), m.folder("to")
			sender := m.sender((*disk)(nil).config(), path)
			s := m.joinAs(&node{m: m, host: h[0], port: 4277}, rendezvous.Sender, phrase, &app{party: sender, sends: true})
			if phrase == "" {
				phrase = s.code()
			}
			outside := router.Forward(4277, h[0].AddrPort(false, 4277))
			r := m.joinAs(&node{m: m, host: away[0], at: []netip.AddrPort{outside}}, rendezvous.Receiver, phrase,
				&app{party: m.receiver((*disk)(nil).config(), Target{Dir: dir}), ask: newAsker(Target{}, inPlace)})
			m.wantFile(time.Minute, path, dir, s, r)
		})
	}
}

func TestNobodyAtTheSendersHost(t *testing.T) {
	m := newMeeting(t, 1, lab.Link{})
	m.alone, m.nearby = true, true
	_, h := m.lan("home", 2)
	r := m.joinAs(&node{m: m, host: h[0], at: []netip.AddrPort{h[1].AddrPort(false, 4277)}}, rendezvous.Receiver, "7-acid-robot-zebra",
		&app{party: m.receiver((*disk)(nil).config(), Target{Dir: m.folder("to")}), ask: newAsker(Target{}, inPlace)})
	if err := m.finish(20*time.Second, r); err != nil {
		t.Fatal(err)
	}
	if KindOf(r.err()) != KindHelper || !strings.Contains(r.err().Error(), "4277") {
		t.Errorf("ended with %v", r.err())
	}
}

// TestPhraseIsEnoughWithoutTheHelper: it does not answer, and the network is
// there.
func TestPhraseIsEnoughWithoutTheHelper(t *testing.T) {
	m := newMeeting(t, 1, lab.Link{})
	m.nearby = true
	m.helperHost.SetDown(true)
	_, h := m.lan("home", 2)
	path, dir := m.file("a.bin", 1<<20), m.folder("to")
	s := m.send(h[0], "a phrase of our own", path)
	r := m.receive(h[1], "a phrase of our own", dir)
	m.wantFile(time.Minute, path, dir, s, r)
}

// TestReceiverOfANetworkComesBack: killed and started anew, or both with new
// addresses, there is no helper to ask.
func TestReceiverOfANetworkComesBack(t *testing.T) {
	for _, what := range []string{"killed", "interrupted", "moved"} {
		t.Run(what, func(t *testing.T) {
			m := newMeeting(t, 1, lab.Link{})
			m.nearby, m.alone = true, true
			wire := lab.Link{Rate: 10e6, Delay: 2 * time.Millisecond}
			home := m.Router(nil, lab.RouterConfig{NAT: &lab.NAT{}})
			var h []*lab.Host
			for range 2 {
				h = append(h, m.Host(home, lab.HostConfig{Up: wire, Down: wire}))
			}
			path, to := m.file("a.bin", 20<<20), Target{Dir: m.folder("to")}
			s := m.keepSending(h[0], "", path, 1)
			code := s.code()
			r := m.keepReceiving(h[1], code, to)
			m.until(time.Minute, "a part of the file", r.moved(4<<20))
			switch what {
			case "killed":
				r.kill()
				r = m.keepReceiving(h[1], code, to)
			case "interrupted":
				r.interrupt()
				m.until(time.Minute, "the end of the receiver", r.Done)
				r = m.keepReceiving(h[1], code, to)
			case "moved":
				for _, x := range h {
					x.SetAddrs()
				}
			}
			m.wantDone(2*time.Minute, s, r)
			if err := same(path, to.Dir); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestSeveralReceiversOfOneNetwork are served at the same time by a sender
// without a helper.
func TestSeveralReceiversOfOneNetwork(t *testing.T) {
	m := newMeeting(t, 1, lab.Link{})
	m.nearby, m.alone = true, true
	_, h := m.lan("home", 4)
	path := m.file("a.bin", 3<<20)
	s := m.keepSending(h[0], "", path, 3)
	code := s.code()
	all := []*keeper{s}
	for i := range 3 {
		all = append(all, m.keepReceiving(h[1+i], code, Target{Dir: m.folder(h[1+i].Name())}))
	}
	m.wantDone(2*time.Minute, all...)
	for _, r := range all[1:] {
		if err := same(path, r.path); err != nil {
			t.Error(err)
		}
	}
}

// liar is a host of the same network that answers every query: its own server
// is full of false senders, who answer anything.
type liar struct {
	*rendezvous.Server
	m       *meeting
	host    *lab.Host
	port    uint16
	claims  []uint16 // ports that it announces
	say     func(c *rendezvous.Client, to rendezvous.ID, note []byte) []byte
	members []*rendezvous.Client
	out     []udp.Packet
	room    rendezvous.Room
}

func (m *meeting) liar(h *lab.Host, room rendezvous.Room, claims []uint16, say func(*rendezvous.Client, rendezvous.ID, []byte) []byte) *liar {
	l := &liar{m: m, host: h, claims: claims, say: say, room: room, Server: rendezvous.NewServer(rendezvous.ServerConfig{Rand: m.Entropy()})}
	l.port = h.Bind(0, l)
	for _, g := range peer.Groups() {
		h.Hear(l.port, g)
	}
	l.claims = append(l.claims, l.port)
	return l
}

// join brings another false member to a place.
func (l *liar) join(at netip.AddrPort, role rendezvous.Role) {
	l.members = append(l.members, rendezvous.NewClient(rendezvous.ClientConfig{
		Servers: []netip.AddrPort{at}, Room: l.room, Role: role, Rand: l.m.Entropy()}))
	l.host.Wake(l.port)
}

func (l *liar) Receive(now time.Time, p udp.Packet) {
	switch {
	case p.Data[0] == 0x53 && p.Data[1] == 1:
		for range 10 {
			for _, port := range l.claims {
				d := append([]byte(nil), p.Data...)
				d[1] = 2
				binary.BigEndian.PutUint16(d[7:], port)
				l.out = append(l.out, udp.Packet{Path: p.Path, Data: d})
			}
		}
	case rendezvous.IsRequest(p.Data):
		l.Server.Receive(now, p)
	default:
		for _, c := range l.members {
			c.Receive(now, p)
		}
	}
}

func (l *liar) Send(now time.Time, b *udp.Batch) {
	for _, p := range l.out {
		b.Add(p.Path, p.Data)
	}
	l.out = nil
	l.Server.Send(now, b)
	for _, c := range l.members {
		for e, ok := c.Next(); ok; e, ok = c.Next() {
			var words []byte
			switch e.Kind {
			case rendezvous.Arrived:
				words = l.say(c, e.Member, nil)
			case rendezvous.Note:
				words = l.say(c, e.Member, e.Note)
			}
			if words != nil {
				c.Post(e.Member, words)
			}
		}
		c.Send(now, b)
	}
}

func (l *liar) Deadline() time.Time {
	d := l.Server.Deadline()
	if len(l.out) > 0 {
		d = l.m.Now()
	}
	for _, c := range l.members {
		d = earlier(d, c.Deadline())
	}
	return d
}

// guess is a first message of somebody who guesses a phrase.
func (m *meeting) guess(c *rendezvous.Client, to rendezvous.ID) []byte {
	from := c.ID()
	_, m1, err := secret.NewInitiator(m.Entropy(), m.phrase("4711-zebra-robot-acid"), append(from[:], to[:]...), true)
	if err != nil {
		m.t.Fatal(err)
	}
	return append([]byte{1}, m1...)
}

// TestLiarsOfTheNetworkDoNotStopTheMeeting over the helper, whatever they do.
func TestLiarsOfTheNetworkDoNotStopTheMeeting(t *testing.T) {
	const code = "4711-acid-robot-zebra"
	room := rendezvous.NumberedRoom(4711)
	// What a false sender says to the receiver's answer.
	for name, words := range map[string][]byte{
		"silent":  nil,
		"wrong":   {4},
		"confirm": append([]byte{3}, make([]byte, 114)...),
		"later":   append([]byte{8, 1, 3}, make([]byte, 200)...),
		"version": {3, 9, 9, 9},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMeeting(t, 1, lab.Link{Delay: 20 * time.Millisecond})
			m.nearby = true
			_, h := m.lan("home", 2)
			for range 6 {
				l := m.liar(h[1], room, nil, func(c *rendezvous.Client, to rendezvous.ID, note []byte) []byte {
					if note == nil {
						return m.guess(c, to)
					}
					return words
				})
				l.join(h[1].AddrPort(false, l.port), rendezvous.Sender)
			}
			path, dir := m.file("a.bin", 100_000), m.folder("to")
			r := m.receive(h[0], code, dir)
			m.Run(40*time.Second, nil)
			if r.Guesses() != 2 {
				t.Errorf("%d guesses are left: they were not used, or not kept", r.Guesses())
			}
			s := m.send(m.public("sender")[0], code, path)
			if d := m.connectedAfter(r, time.Minute); d > 3*time.Second {
				t.Errorf("connected only after %v", d)
			}
			m.wantFile(time.Minute, path, dir, s, r)
		})
	}
}

// TestFloodOfBeaconsHidesNobody, near or far.
func TestFloodOfBeaconsHidesNobody(t *testing.T) {
	const code = "4711-acid-robot-zebra"
	for _, near := range []bool{true, false} {
		m := newMeeting(t, 1, lab.Link{Delay: 20 * time.Millisecond})
		m.nearby, m.alone = true, near
		_, h := m.lan("home", 3)
		var ports []uint16
		for i := range 100 {
			ports = append(ports, uint16(20000+i))
		}
		m.liar(h[1], rendezvous.NumberedRoom(4711), ports, nil)
		from := h[2]
		if !near {
			from = m.public("sender")[0]
		}
		path, dir := m.file("a.bin", 100_000), m.folder("to")
		r := m.receive(h[0], code, dir)
		m.Run(30*time.Second, nil)
		s := m.send(from, code, path)
		if d := m.connectedAfter(r, time.Minute); d > 3*time.Second {
			t.Errorf("near %v: connected only after %v", near, d)
		}
		m.wantFile(time.Minute, path, dir, s, r)
	}
}

// TestGuessersOfTheNetworkDoNotBurnTheCode: whoever hears the number can come
// to the sender's own place and guess. Some guesses stay for the helper.
func TestGuessersOfTheNetworkDoNotBurnTheCode(t *testing.T) {
	m := newMeeting(t, 1, lab.Link{Delay: 20 * time.Millisecond})
	m.nearby = true
	_, h := m.lan("home", 2)
	path, dir := m.file("a.bin", 100_000), m.folder("to")
	s := m.send(h[0], "", path)
	code := s.code()
	number, _ := m.phrase(code).Number()
	l := m.liar(h[1], rendezvous.NumberedRoom(number), nil, func(_ *rendezvous.Client, _ rendezvous.ID, note []byte) []byte {
		if note == nil {
			return nil
		}
		answer := make([]byte, 1+1195+30)
		m.Entropy().Read(answer)
		answer[0], answer[1], answer[2], answer[3] = 2, 1, 2, 0
		return answer
	})
	for range 8 {
		l.join(h[0].AddrPort(false, s.port), rendezvous.Receiver)
	}
	m.Run(20*time.Second, nil)
	if s.Done() || count[WrongPhrase](s) == 0 || s.Guesses() != 2 {
		t.Fatalf("done: %v, %d guesses were left: %v", s.Done(), s.Guesses(), s.events)
	}
	r := m.receive(m.public("receiver")[0], code, dir)
	m.wantFile(time.Minute, path, dir, s, r)
}

// relay passes everything between the receivers of its network and a sender
// elsewhere, but for the last message of the handshake.
type relay struct {
	to       netip.AddrPort
	receiver udp.Path
	port     uint16 // zero: 6000
	out      []udp.Packet
	held     int
}

func (r *relay) Receive(_ time.Time, p udp.Packet) {
	d := append([]byte(nil), p.Data...)
	switch {
	case d[0] == 0x53 && d[1] == 1:
		d[1] = 2
		binary.BigEndian.PutUint16(d[7:], cmp.Or(r.port, 6000))
		r.out = append(r.out, udp.Packet{Path: p.Path, Data: d})
	case d[0] != 0x51:
	case p.Remote != r.to:
		r.receiver = p.Path
		r.out = append(r.out, udp.Packet{Path: udp.To(r.to), Data: d})
	case d[1] == 0x13 && d[32] == 3: // push of a confirm
		r.held++
	default:
		r.out = append(r.out, udp.Packet{Path: r.receiver, Data: d})
	}
}

func (r *relay) Send(_ time.Time, b *udp.Batch) {
	for _, p := range r.out {
		b.Add(p.Path, p.Data)
	}
	r.out = nil
}

func (r *relay) Deadline() time.Time {
	if len(r.out) > 0 {
		return time.Unix(0, 0)
	}
	return time.Time{}
}

// TestRelayThatHoldsBackTheLastMessage: the sender has met the receiver through
// it, and the receiver has met nobody, until the helper brings them together.
func TestRelayThatHoldsBackTheLastMessage(t *testing.T) {
	m := newMeeting(t, 1, lab.Link{Delay: 100 * time.Millisecond})
	m.nearby = true
	_, h := m.lan("home", 2)
	path, dir := m.file("a.bin", 100_000), m.folder("to")
	s := m.send(m.public("sender")[0], "", path)
	code := s.code()
	m.Run(time.Second, nil)
	mitm := &relay{to: s.host.AddrPort(false, s.port)}
	h[1].Bind(6000, mitm)
	for _, g := range peer.Groups() {
		h[1].Hear(6000, g)
	}
	r := m.receive(h[0], code, dir)
	if d := m.connectedAfter(r, time.Minute); d > 4*time.Second {
		t.Errorf("connected only after %v", d)
	}
	m.wantFile(time.Minute, path, dir, s, r)
	if mitm.held == 0 {
		t.Error("nothing was held back: the test tests nothing")
	}
	if err := errors.Join(s.err(), r.err()); err != nil {
		t.Error(err)
	}
}
