package rendezvous

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"qft/internal/stun"
	"qft/internal/udp"
)

// desk is a helper with somebody before it who builds requests by hand.
type desk struct {
	t   testing.TB
	now time.Time
	*Server
	batch *udp.Batch
}

func newDesk(t testing.TB, cfg ServerConfig) *desk {
	cfg.Rand = rand.NewChaCha8([32]byte{1})
	return &desk{t: t, now: time.Unix(1_700_000_000, 0), Server: NewServer(cfg), batch: udp.NewBatch(1 << 16)}
}

// raw hands the helper a packet and returns what it sends, to anybody.
func (d *desk) raw(from netip.AddrPort, data []byte) (out []udp.Packet) {
	d.Receive(d.now, udp.Packet{Path: udp.To(from), Data: data})
	for due(d.Deadline(), d.now) {
		d.batch.Reset()
		d.Send(d.now, d.batch)
		for p := range d.batch.All() {
			out = append(out, udp.Packet{Path: p.Path, Data: slices.Clone(p.Data)})
		}
	}
	return out
}

// ask returns the answers that go back to from.
func (d *desk) ask(from netip.AddrPort, q request) (as []answer) {
	d.t.Helper()
	for _, p := range d.raw(from, q.append(nil)) {
		if p.Remote != from {
			continue
		}
		a, err := parseAnswer(p.Data)
		if err != nil {
			d.t.Fatalf("the helper sent %x: %v", p.Data, err)
		}
		as = append(as, a)
	}
	return as
}

func (d *desk) cookie(from netip.AddrPort) cookie {
	d.t.Helper()
	as := d.ask(from, request{typ: typeHello})
	if len(as) != 1 || as[0].typ != typeCookie || as[0].observed != from {
		d.t.Fatalf("hello from %v was answered by %+v", from, as)
	}
	return as[0].cookie
}

// join returns the answer to a join with everything in order.
func (d *desk) join(from netip.AddrPort, room Room, role Role, k byte) answer {
	d.t.Helper()
	q := request{typ: typeJoin, cookie: d.cookie(from), req: 1, room: room, role: role, key: testKey(k)}
	as := d.ask(from, q)
	if len(as) != 1 {
		d.t.Fatalf("join was answered by %+v", as)
	}
	return as[0]
}

func testKey(n byte) key { return key{1, 2, n} }

func addr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func TestBeforeTheCookieNothingIsLargerOrRemembered(t *testing.T) {
	d := newDesk(t, ServerConfig{})
	from := addr("192.0.2.1:1000")
	full := make([]byte, noteData)
	for _, q := range []request{
		{typ: typeHello},
		{typ: typeJoin, room: NumberedRoom(7), role: Sender, key: testKey(1)},
		{typ: typeNote, from: ID{1}, to: ID{2}, seq: 1, part: newPart(0, 1)},
		{typ: typeNote, from: ID{1}, to: ID{2}, seq: 1, part: newPart(0, 2), data: full},
		{typ: typeAck, from: ID{1}, to: ID{2}, seq: 1},
		{typ: typeLeave, from: ID{1}},
	} {
		for _, version := range []byte{version, 2, 255} {
			b := q.append(nil)
			b[2] = version
			b = finish(b[:len(b)-sumSize], 0)
			out := d.raw(from, b)
			if version == 1 && len(out) != 1 {
				t.Errorf("type %d: %d answers", q.typ, len(out))
			}
			if len(out) > 1 || len(out) == 1 && (len(out[0].Data) > len(b) || out[0].Remote != from) {
				t.Errorf("type %d version %d: %d bytes were answered by %v", q.typ, version, len(b), out)
			}
		}
	}
	if st := d.Stats(); st.Members != 0 || st.Rooms != 0 || st.NoteBytes != 0 || len(d.members) != 0 {
		t.Errorf("state before the cookie: %+v", st)
	}
}

func TestShortHelloIsNotAnswered(t *testing.T) {
	d := newDesk(t, ServerConfig{})
	whole := (&request{typ: typeHello}).append(nil)
	for n := leftSize; n < helloSize; n++ {
		if out := d.raw(addr("192.0.2.1:1000"), finish(slices.Clone(whole[:n-sumSize]), 0)); len(out) != 0 {
			t.Fatalf("a hello of %d bytes was answered by %d", n, len(out[0].Data))
		}
	}
}

func TestCookieHoldsForOneAddressAndPort(t *testing.T) {
	d := newDesk(t, ServerConfig{})
	own := addr("192.0.2.1:1000")
	q := request{typ: typeJoin, cookie: d.cookie(own), req: 1, room: NumberedRoom(7), role: Sender, key: testKey(1)}
	for _, other := range []string{"192.0.2.1:1001", "192.0.2.2:1000", "[::ffff:192.0.2.2]:1000", "[2001:db8::1]:1000"} {
		as := d.ask(addr(other), q)
		if len(as) > 1 || len(as) == 1 && as[0].typ != typeCookie {
			t.Errorf("cookie of %v passed at %v: %+v", own, other, as)
		}
	}
	bad := q
	for bit := range 128 {
		bad.cookie = q.cookie
		bad.cookie[bit/8] ^= 1 << (bit % 8)
		if as := d.ask(own, bad); as[0].typ != typeCookie {
			t.Fatalf("cookie with bit %d flipped passed", bit)
		}
	}
	if as := d.ask(own, q); as[0].typ != typeJoined {
		t.Errorf("cookie did not pass at its own address: %+v", as)
	}
}

func TestCookiesAge(t *testing.T) {
	for _, tt := range []struct {
		age  time.Duration
		busy bool // does the helper see other packets in the meantime
		pass bool
	}{
		{29 * time.Second, false, true},
		{31 * time.Second, false, true},
		{59 * time.Second, true, true},
		{61 * time.Second, true, false},
		{61 * time.Second, false, false},
		{time.Hour, false, false},
	} {
		d := newDesk(t, ServerConfig{})
		from := addr("192.0.2.1:1000")
		q := request{typ: typeJoin, cookie: d.cookie(from), req: 1, room: NumberedRoom(7), role: Sender, key: testKey(1)}
		for range int(tt.age / time.Second) {
			d.now = d.now.Add(time.Second)
			if tt.busy {
				d.cookie(addr("192.0.2.9:9"))
			}
		}
		as := d.ask(from, q)
		if pass := as[0].typ == typeJoined; pass != tt.pass {
			t.Errorf("after %v (busy %v): passed %v", tt.age, tt.busy, pass)
		}
	}
}

func TestKnowingAnIDIsNotEnoughToActForIt(t *testing.T) {
	d := newDesk(t, ServerConfig{})
	victim, thief := addr("192.0.2.1:1000"), addr("192.0.2.66:666")
	d.join(victim, NumberedRoom(7), Sender, 1)
	a := d.join(thief, NumberedRoom(7), Receiver, 2)
	stolen := a.roster.members[0]
	c := d.cookie(thief)
	me := testKey(2).id()
	for _, q := range []request{
		{typ: typeNote, from: stolen, to: me, seq: 1, part: newPart(0, 1)},
		{typ: typeAck, from: stolen, to: me, seq: 5},
		{typ: typeLeave, from: stolen, req: 99},
		{typ: typeJoin, req: 99, room: NumberedRoom(7), role: Sender, key: key(stolen)},
	} {
		q.cookie = c
		for _, a := range d.ask(thief, q) {
			if a.typ != typeRefused && a.typ != typeLeft {
				t.Errorf("type %d in another's name: %+v", q.typ, a)
			}
		}
	}
	if m := d.members[stolen]; m == nil || m.room == nil || d.zones.path(m.at).Remote != victim {
		t.Error("the victim lost its place")
	}
	if st := d.Stats(); st.Notes != 0 || st.Members != 2 {
		t.Errorf("%+v", st)
	}
}

func TestNotesStayWithinTheRoomAndGoToTheOtherRole(t *testing.T) {
	d := newDesk(t, ServerConfig{})
	from := addr("192.0.2.1:1000")
	d.join(from, SharedRoom(7), Sender, 1)
	d.join(addr("192.0.2.2:1000"), SharedRoom(7), Sender, 2)
	d.join(addr("192.0.2.3:1000"), SharedRoom(8), Receiver, 3)
	c := d.cookie(from)
	for k := byte(1); k < 5; k++ {
		d.ask(from, request{typ: typeNote, cookie: c, from: testKey(1).id(), to: testKey(k).id(), seq: 1, part: newPart(0, 1)})
	}
	if st := d.Stats(); st.Notes != 0 || st.NoteBytes != 0 {
		t.Errorf("%+v", st)
	}
}

func TestMembersAreLimited(t *testing.T) {
	d := newDesk(t, ServerConfig{Members: 300, SourceMembers: 100, SourceJoins: 1 << 20})
	d.now = d.now.Add(time.Second)
	join := func(ip string, n int) int {
		in := 0
		for i := range n {
			from := netip.AddrPortFrom(netip.MustParseAddr(ip), uint16(1000+i))
			q := request{typ: typeJoin, cookie: d.cookie(from), req: 1, room: NumberedRoom(0), role: Sender}
			q.key = key{from.Addr().As16()[3], from.Addr().As16()[15], byte(i), byte(i >> 8)}
			d.now = d.now.Add(10 * time.Millisecond)
			switch a := d.ask(from, q)[0]; {
			case a.typ == typeJoined:
				in++
			case a.typ != typeRefused || a.code != refusedBusy:
				t.Fatalf("%+v", a)
			}
		}
		return in
	}
	if n := join("2001:db8:0:1::1", 150); n != 100 {
		t.Errorf("one source has %d members", n)
	}
	if n := join("2001:db8:0:1::2", 20); n != 0 {
		t.Errorf("another address of the same /64 has %d members", n)
	}
	// In the last quarter a source that has a sixteenth of its own gets no more.
	if a, b, c := join("192.0.2.1", 150), join("192.0.2.2", 150), join("192.0.2.3", 10); a != 100 || b != 25 || c != 7 {
		t.Errorf("%d, %d and %d members more, want 100, 25 and 7", a, b, c)
	}
	n := 0
	for i := range 100 {
		n += join(fmt.Sprintf("192.0.2.%d", 100+i), 1)
	}
	if n != 68 {
		t.Errorf("%d of newcomers, want 68", n)
	}
	if st := d.Stats(); st.Members != 300 || st.Rooms != 300 {
		t.Errorf("%+v", st)
	}
	d.now = d.now.Add(2 * expiry)
	d.raw(addr("192.0.2.1:1"), nil)
	st := d.Stats()
	if st.Members != 0 || st.Rooms != 0 || len(d.members) != 0 || d.lobby.taken != [7]int{} || d.timers.next() != nil {
		t.Errorf("after everybody expired: %+v, %v", st, d.lobby.taken)
	}
	if n := join("192.0.2.1", 20); n != 20 {
		t.Errorf("%d members after that", n)
	}
}

func TestNewMembersPerMinuteAreLimited(t *testing.T) {
	d := newDesk(t, ServerConfig{})
	in := 0
	for i := range 3600 {
		d.now = d.now.Add(100 * time.Millisecond)
		from := netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(1000+i))
		c := d.cookie(from)
		k := key{byte(i), byte(i >> 8)}
		if d.ask(from, request{typ: typeJoin, cookie: c, req: 1, room: PrivateRoom(k), role: Sender, key: k})[0].typ == typeJoined {
			in++
			d.ask(from, request{typ: typeLeave, cookie: c, from: k.id(), req: 2})
		}
	}
	if in > joinBurst+6*60 || in < 6*60 {
		t.Errorf("%d new members in 6 minutes", in)
	}
}

func TestHelperIsNoRelay(t *testing.T) {
	d := newDesk(t, ServerConfig{})
	a, b := addr("192.0.2.1:1000"), addr("198.51.100.1:1000")
	carried := 0
	full := make([]byte, noteData)
	n := byte(0)
	for minute := range 10 {
		for range 60 {
			n++ // fresh members, lest a life's budget stop the two
			k := byte(minute)
			room := PrivateRoom([16]byte{n, k})
			d.join(a, room, Sender, n)
			d.join(b, room, Receiver, n+100)
			ca, cb := d.cookie(a), d.cookie(b)
			for seq := uint32(1); seq <= 100; seq++ {
				q := request{typ: typeNote, cookie: ca, from: testKey(n).id(), to: testKey(n + 100).id(), seq: seq, part: newPart(0, 2), data: full}
				for _, p := range d.raw(a, q.append(nil)) {
					if m, err := parseAnswer(p.Data); err == nil && m.typ == typePush {
						carried += len(m.data)
					}
				}
				d.ask(b, request{typ: typeAck, cookie: cb, from: testKey(n + 100).id(), to: testKey(n).id(), seq: seq + 1})
			}
			d.ask(a, request{typ: typeLeave, cookie: ca, from: testKey(n).id(), req: 2})
			d.ask(b, request{typ: typeLeave, cookie: cb, from: testKey(n + 100).id(), req: 2})
			d.now = d.now.Add(time.Second)
		}
	}
	limit := 12 * 480 << 10 // ten minutes and the burst
	t.Logf("two who misuse the helper moved %d KiB in ten minutes", carried>>10)
	if carried > limit || carried < limit/10 {
		t.Errorf("%d bytes were carried, want at most %d", carried, limit)
	}
	if d.Stats().NoteBytes != 0 {
		t.Errorf("%d bytes of notes are left", d.Stats().NoteBytes)
	}
}

func TestNoteMemoryIsLimited(t *testing.T) {
	d := newDesk(t, ServerConfig{NoteMemory: 20 * (noteData + noteCost)})
	room := SharedRoom(1)
	for k := byte(1); k <= 8; k++ {
		d.join(netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, k}), 1), room, Sender+Role(k%2), k)
	}
	full := make([]byte, noteData)
	most := 0
	for k := byte(1); k <= 8; k++ {
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, k}), 1)
		c := d.cookie(from)
		for to := byte(1); to <= 8; to++ {
			for seq := uint32(1); seq <= 20; seq++ {
				d.ask(from, request{typ: typeNote, cookie: c, from: testKey(k).id(), to: testKey(to).id(), seq: seq, part: newPart(0, 2), data: full})
				most = max(most, d.Stats().NoteBytes)
			}
		}
	}
	if most != d.cfg.NoteMemory {
		t.Errorf("%d bytes held, want the limit of %d", most, d.cfg.NoteMemory)
	}
	for range 100 { // nobody confirms anything
		d.now = d.now.Add(time.Second / 2)
		d.raw(addr("192.0.2.1:1"), nil)
	}
	if n := d.Stats().NoteBytes; n != 0 {
		t.Errorf("%d bytes are held for members that never confirm", n)
	}
}

func TestOneAuthorHasOneWindow(t *testing.T) {
	d := newDesk(t, ServerConfig{})
	a, b := addr("192.0.2.1:1"), addr("192.0.2.2:1")
	d.join(a, NumberedRoom(7), Sender, 1)
	d.join(b, NumberedRoom(7), Receiver, 2)
	c := d.cookie(a)
	for seq := uint32(1); seq <= maxNotes; seq++ {
		d.ask(a, request{typ: typeNote, cookie: c, from: testKey(1).id(), to: testKey(2).id(), seq: seq, part: newPart(0, 1)})
	}
	if n := len(d.members[testKey(2).id()].held()); n != window {
		t.Errorf("%d notes held, want %d", n, window)
	}
}

func TestAFloodFromOneSourceLeavesOthersAlone(t *testing.T) {
	d := newDesk(t, ServerConfig{})
	hello := (&request{typ: typeHello}).append(nil)
	answered := 0
	for i := range 20_000 {
		answered += len(d.raw(netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(i)), hello))
	}
	if answered > packetBurst {
		t.Errorf("%d of 20,000 at once were answered", answered)
	}
	d.cookie(addr("192.0.2.2:1"))
	d.now = d.now.Add(time.Second)
	d.cookie(addr("192.0.2.1:1"))
}

func TestSourcesAreForgottenNotCollected(t *testing.T) {
	d := newDesk(t, ServerConfig{})
	kept := addr("192.0.2.1:1")
	d.join(kept, NumberedRoom(7), Sender, 1)
	hello := (&request{typ: typeHello}).append(nil)
	for i := range uint32(3 * idleSources) {
		ip := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		d.raw(netip.AddrPortFrom(ip, 1), hello)
	}
	if n := len(d.sources.table); n != 1 || d.sources.idle.Len() != 0 {
		t.Errorf("%d sources kept of those that showed no cookie, %d idle", n, d.sources.idle.Len())
	}
	leave := request{typ: typeLeave}
	for i := range uint32(3 * idleSources) {
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 1)
		leave.cookie = d.cookies.issue(d.now, from)
		d.raw(from, leave.append(nil))
	}
	if n := len(d.sources.table); n != idleSources+1 || n != d.sources.idle.Len()+1 {
		t.Errorf("%d sources kept, %d idle", n, d.sources.idle.Len())
	}
	if d.sources.table[blockOf(kept.Addr())].members != 1 {
		t.Error("the source of a member was forgotten")
	}
}

func TestRepliesBeyondTheQueueAreDropped(t *testing.T) {
	d := newDesk(t, ServerConfig{})
	hello := (&request{typ: typeHello}).append(nil)
	for i := range 20_000 {
		ip := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		d.Receive(d.now, udp.Packet{Path: udp.To(netip.AddrPortFrom(ip, 1)), Data: hello})
	}
	st := d.Stats()
	if st.Dropped == 0 || st.Hellos != 20_000 {
		t.Errorf("%+v", st)
	}
	sent := d.raw(addr("192.0.2.1:1"), nil)
	if uint64(len(sent))+st.Dropped != 20_000 || d.replies.pending() {
		t.Errorf("%d sent, %d dropped", len(sent), st.Dropped)
	}
	d.cookie(addr("192.0.2.1:1"))
}

func TestHelperAnswersStun(t *testing.T) {
	d := newDesk(t, ServerConfig{})
	for _, from := range []string{"192.0.2.1:32853", "[2001:db8:1234:5678:11:2233:4455:6677]:32853", "[::ffff:192.0.2.1]:1"} {
		tx := stun.Tx{1, 2, 3}
		out := d.raw(addr(from), stun.AppendRequest(nil, tx))
		if len(out) != 1 {
			t.Fatalf("%d answers", len(out))
		}
		got, seen, ok := stun.ParseResponse(out[0].Data)
		want := netip.AddrPortFrom(addr(from).Addr().Unmap(), addr(from).Port())
		if !ok || got != tx || seen != want {
			t.Errorf("%v is seen as %v: %v", from, seen, ok)
		}
	}
	for _, b := range [][]byte{{}, {0}, {0x3f, 1, 2}, {0x40}, {0x52, 1, 2, 3}, {0x80}, make([]byte, 20), make([]byte, 1500)} {
		if out := d.raw(addr("192.0.2.1:1"), b); len(out) != 0 {
			t.Errorf("%x was answered", b)
		}
	}
}

// liar is a machine that answers whatever it gets with what f makes of it.
type liar struct {
	f   func(q request, raw []byte) [][]byte
	out []udp.Packet
}

func (l *liar) Receive(_ time.Time, p udp.Packet) {
	q, _ := parseRequest(p.Data)
	for _, b := range l.f(q, p.Data) {
		l.out = append(l.out, udp.Packet{Path: p.Path, Data: b})
	}
}

func (l *liar) Send(_ time.Time, b *udp.Batch) {
	for len(l.out) > 0 && b.Add(l.out[0].Path, l.out[0].Data) {
		l.out = l.out[1:]
	}
}

func (l *liar) Deadline() time.Time {
	if len(l.out) > 0 {
		return soon()
	}
	return time.Time{}
}

func TestHelpersThatAreNone(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	answerTo := func(q request, a answer) [][]byte {
		a.token = q.token
		return [][]byte{a.append(nil)}
	}
	good := func(q request) answer {
		a := answer{typ: typeCookie, observed: addr("192.0.2.1:1")}
		if q.typ == typeJoin {
			a.typ, a.req, a.roster = typeJoined, q.req, roster{born: 1, version: 1, number: 7}
		}
		return a
	}
	for _, tt := range []struct {
		name string
		want []error // that are told within a minute
		f    func(q request, raw []byte) [][]byte
	}{
		{"echo", []error{ErrGarbled}, func(_ request, raw []byte) [][]byte { return [][]byte{slices.Clone(raw)} }},
		{"right magic, noise behind", []error{ErrGarbled}, func(_ request, raw []byte) [][]byte {
			b := slices.Clone(raw)
			for i := range b[3:] {
				b[3+i] = byte(rng.Uint32())
			}
			return [][]byte{b}
		}},
		{"good checksum, noise in the fields", []error{ErrGarbled}, func(q request, _ []byte) [][]byte {
			b := begin(nil, typeCookie+msgType(rng.IntN(8)), q.token)
			for range rng.IntN(200) {
				b = append(b, byte(rng.Uint32()))
			}
			return [][]byte{finish(b, 0)}
		}},
		{"another version", []error{ErrVersion}, func(q request, _ []byte) [][]byte {
			b := (&answer{typ: typeRefused, token: q.token, code: refusedVersion}).append(nil)
			b[2] = 9
			return [][]byte{finish(b[:len(b)-sumSize], 0)}
		}},
		{"only cookies", nil, func(q request, _ []byte) [][]byte { q.typ = typeHello; return answerTo(q, good(q)) }},
		{"refuses everything as unknown", nil, func(q request, _ []byte) [][]byte {
			if q.typ == typeHello {
				return answerTo(q, good(q))
			}
			return answerTo(q, answer{typ: typeRefused, code: refusedUnknown, req: q.req})
		}},
		{"another number", nil, func(q request, _ []byte) [][]byte {
			a := good(q)
			a.roster.number++
			return answerTo(q, a)
		}},
		{"our own ID among the others", nil, func(q request, _ []byte) [][]byte {
			a := good(q)
			a.roster.members = []ID{q.key.id()}
			return answerTo(q, a)
		}},
		{"an answer to a join that is to come", nil, func(q request, _ []byte) [][]byte {
			a := good(q)
			a.req += 1 << 20
			return answerTo(q, a)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, 40)
			h := w.add("liar", &liar{f: tt.f})
			_, s := w.client("sender", Sender, NumberedRoom(7), h.v4)
			sent := 0
			w.tap = func(from, to *node, d []byte) { sent++ }
			w.run(time.Minute)
			var told []error
			for _, e := range s.all() {
				switch e.Kind {
				case Refused:
					told = append(told, e.Err)
				case Silent:
				default:
					t.Errorf("believed it: %+v", e)
				}
			}
			if !slices.Equal(told, tt.want) {
				t.Errorf("told %v, want %v", told, tt.want)
			}
			if tt.want == nil && s.count(Silent) == 0 {
				t.Error("a helper that lets nobody in is as good as silent, but nobody was told")
			}
			if sent > 1000 {
				t.Errorf("%d packets in a minute", sent)
			}
		})
	}
}

func TestLyingHelperCannotMakeAClientGrow(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	w := newWorld(t, 41)
	born, version := uint32(0), uint32(0)
	h := w.add("liar", &liar{f: func(q request, _ []byte) [][]byte {
		a := answer{typ: typeCookie, token: q.token, observed: addr("192.0.2.1:1")}
		out := [][]byte{a.append(nil)}
		if q.typ != typeJoin {
			return out
		}
		for range 20 { // new faces all the time, and notes from them
			version++
			born += rng.Uint32N(2)
			a = answer{typ: typeJoined, token: q.token, observed: a.observed, req: q.req, roster: roster{born: born, version: version}}
			for range rng.IntN(maxMembers + 1) {
				a.roster.members = append(a.roster.members, ID{byte(rng.Uint32()), byte(rng.Uint32()), 1})
			}
			out = append(out, a.append(nil))
			for _, id := range a.roster.members {
				p := answer{typ: typePush, token: q.token, from: id, seq: 1 + rng.Uint32N(window), part: newPart(0, 2), data: make([]byte, noteData)}
				out = append(out, p.append(nil))
			}
		}
		return out
	}})
	_, s := w.client("sender", Sender, SharedRoom(7), h.v4)
	for range 300 {
		w.run(time.Second)
		s.all()
		kept := 0
		for _, p := range s.peers {
			kept += len(p.in.msg)
			for _, n := range p.in.ahead {
				kept += len(n.data)
			}
		}
		if len(s.peers) > maxPeers || kept > maxPeers*(window*noteData+MaxMessage) {
			t.Fatalf("%d peers, %d bytes", len(s.peers), kept)
		}
	}
	if s.count(Arrived) < 100 {
		t.Error("the liar was not believed: this test shows nothing")
	}
}

func TestStrangersPacketsAreIgnored(t *testing.T) {
	w := newWorld(t, 42)
	h := w.server(ServerConfig{})
	s, r := w.pair(h)
	token := s.contacts[0].token
	for name, p := range map[string]udp.Packet{
		"from elsewhere": {Path: udp.To(addr("192.0.2.66:6")), Data: (&answer{typ: typePush, token: token, from: r.ID(), seq: 1, part: newPart(0, 1)}).append(nil)},
		"without token":  {Path: udp.To(h.v4), Data: (&answer{typ: typePush, from: r.ID(), seq: 1, part: newPart(0, 1)}).append(nil)},
	} {
		before := fmt.Sprintf("%+v", *s.peers[0])
		s.Receive(w.now, p)
		if after := fmt.Sprintf("%+v", *s.peers[0]); after != before || s.count(Note) != 0 {
			t.Errorf("a note %s was taken", name)
		}
	}
}

func TestAClientWithoutAHelperSaysSo(t *testing.T) {
	c := NewClient(ClientConfig{Room: NumberedRoom(0), Role: Sender, Servers: []netip.AddrPort{{}, netip.AddrPortFrom(netip.IPv6Loopback(), 0)}})
	e, ok := c.Next()
	if !ok || e.Kind != Refused || e.Err == nil || !c.Deadline().IsZero() {
		t.Errorf("%+v", e)
	}
}

// TestSendersOfThisMachineOnly: nobody else takes the seat while it is free.
func TestSendersOfThisMachineOnly(t *testing.T) {
	room := NumberedRoom(4711)
	for from, want := range map[string]msgType{
		"192.0.2.1:1": typeRefused, "[2001:db8::1]:1": typeRefused, "[fe80::1]:1": typeRefused,
		"127.0.0.1:1": typeJoined, "127.9.9.9:1": typeJoined, "[::1]:1": typeJoined,
	} {
		d := newDesk(t, ServerConfig{Only: room, OwnSenders: true})
		if a := d.join(addr(from), room, Sender, 1); a.typ != want {
			t.Errorf("a sender from %s gets %+v", from, a)
		}
		d = newDesk(t, ServerConfig{Only: room, OwnSenders: true})
		if a := d.join(addr(from), room, Receiver, 2); a.typ != typeJoined {
			t.Errorf("a receiver from %s gets %+v", from, a)
		}
	}
}
