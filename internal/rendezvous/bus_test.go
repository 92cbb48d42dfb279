package rendezvous

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"qft/internal/udp"
)

// hub is a simulated bus: who has subscribed gets what others publish, late or
// not at all.
type hub struct {
	w         *world
	instances []*desktop
	delay     time.Duration
	loss      float64
	apart     func(a, b *desktop) bool // nothing passes between them
	flying    []carried
	sent      int
}

type carried struct {
	at  time.Time
	to  *desktop
	msg BusMessage
}

// desktop is an instance of a helper with its place at the bus.
type desktop struct {
	*Server
	hub  *hub
	node *node
	subs map[string]bool
}

func newHub(w *world) *hub {
	h := &hub{w: w, delay: time.Millisecond}
	w.add("bus", h)
	return h
}

// instance adds one, or replaces one that is restarted.
func (h *hub) instance(old *desktop, cfg ServerConfig) *desktop {
	cfg.Rand, cfg.Bus = h.w.bytes(), true
	d := &desktop{Server: NewServer(cfg), hub: h, subs: make(map[string]bool)}
	if old != nil {
		d.node = old.node
		d.node.machine, d.node.cut = d, false
		h.instances = slices.DeleteFunc(h.instances, func(x *desktop) bool { return x == old })
	} else {
		d.node = h.w.add("helper", d)
	}
	h.instances = append(h.instances, d)
	d.exchange()
	return d
}

func (d *desktop) Receive(now time.Time, p udp.Packet) {
	d.Server.Receive(now, p)
	d.exchange()
}

func (d *desktop) Send(now time.Time, b *udp.Batch) {
	d.Server.Send(now, b)
	d.exchange()
}

// exchange carries what the instance has for the bus.
func (d *desktop) exchange() {
	h := d.hub
	adds, drops := d.Subscriptions()
	for _, s := range adds {
		d.subs[s] = true
	}
	for _, m := range d.ToBus() {
		h.sent++
		for _, to := range h.instances {
			apart := d.node.cut || to.node.cut || h.apart != nil && h.apart(d, to)
			if to.subs[m.Subject] && !apart && h.w.rng.Float64() >= h.loss {
				h.flying = append(h.flying, carried{h.w.now.Add(h.delay), to, m})
			}
		}
	}
	for _, s := range drops {
		delete(d.subs, s)
	}
}

func (h *hub) Receive(time.Time, udp.Packet) {}

func (h *hub) Send(now time.Time, _ *udp.Batch) {
	for len(h.flying) > 0 && !h.flying[0].at.After(now) {
		c := h.flying[0]
		h.flying = h.flying[1:]
		c.to.FromBus(now, c.msg)
		c.to.exchange()
	}
}

func (h *hub) Deadline() time.Time {
	if len(h.flying) == 0 {
		return time.Time{}
	}
	return h.flying[0].at
}

// kill ends an instance; its clients are not told.
func (d *desktop) kill() {
	d.node.cut = true
	d.hub.instances = slices.DeleteFunc(d.hub.instances, func(x *desktop) bool { return x == d })
}

// trio is three instances.
func trio(t *testing.T, seed uint64) (w *world, h *hub, ds [3]*desktop) {
	w = newWorld(t, seed)
	h = newHub(w)
	for i := range ds {
		ds[i] = h.instance(nil, ServerConfig{SourceJoins: 1 << 20})
	}
	return w, h, ds
}

// checkEmpty: after everybody has left nothing is kept but what always is.
func (d *desktop) checkEmpty(t *testing.T) {
	t.Helper()
	st := d.Stats()
	if st.Members != 0 || st.Rooms != 0 || st.Far != 0 || st.NoteBytes != 0 || len(d.subs) != 2 || len(d.bus.claims) != 0 || len(d.lobby.claimed) != 0 {
		t.Errorf("something is left: %+v, %v, %d claims", st, d.subs, len(d.bus.claims))
	}
}

func TestMembersOfDifferentInstancesMeet(t *testing.T) {
	for _, room := range []Room{NumberedRoom(4711), SharedRoom(7), PrivateRoom([16]byte{1})} {
		w, h, ds := trio(t, 70)
		_, s := w.client("sender", Sender, room, ds[0].node.v4)
		w.until(time.Second, "sender joins", s.has(Joined))
		_, r := w.client("receiver", Receiver, room, ds[1].node.v4)
		took := w.until(time.Second, "both meet", func() bool { return s.has(Arrived)() && r.has(Arrived)() })
		if took > 200*time.Millisecond {
			t.Errorf("they met after %v", took)
		}
		for i := range 40 {
			s.post(r.ID(), fmt.Sprintf("to receiver %d", i))
			r.post(s.ID(), fmt.Sprintf("to sender %d", i))
			w.run(100 * time.Millisecond)
		}
		w.until(2*time.Second, "all notes", func() bool { return len(s.notes(r.ID())) == 40 && len(r.notes(s.ID())) == 40 })
		for i := range 40 {
			if s.notes(r.ID())[i] != fmt.Sprintf("to sender %d", i) || r.notes(s.ID())[i] != fmt.Sprintf("to receiver %d", i) {
				t.Fatal("out of order")
			}
		}
		before := h.sent
		w.run(10 * time.Minute)
		if s.count(Departed)+r.count(Departed) != 0 || s.Pending() || r.Pending() {
			t.Errorf("%v, %v", s.story(), r.story())
		}
		if n := h.sent - before; n > 2*60*10/8+10 {
			t.Errorf("%d messages between instances in ten minutes", n)
		}
		if st := ds[2].Stats(); st.Members != 0 {
			t.Errorf("an instance that has nobody in the room knows of %+v", st)
		}
		r.Leave()
		w.until(time.Second, "the sender hears that the receiver left", s.has(Departed))
		s.Leave()
		w.run(time.Second)
		for _, d := range ds {
			d.checkEmpty(t)
		}
	}
}

// TestLossOfAnInstanceHeals: both sides know all addresses. The one that held
// their membership dies; they go on through another, as the same members.
func TestLossOfAnInstanceHeals(t *testing.T) {
	for seed := range uint64(10) {
		w, _, ds := trio(t, 80+seed)
		all := []netip.AddrPort{ds[0].node.v4, ds[1].node.v4, ds[2].node.v4}
		_, s := w.client("sender", Sender, NumberedRoom(4711), all...)
		_, r := w.client("receiver", Receiver, NumberedRoom(4711), all[1], all[2], all[0])
		w.until(time.Second, "both meet", func() bool { return s.has(Arrived)() && r.has(Arrived)() })
		s.post(r.ID(), "before")
		w.until(time.Second, "note", r.has(Note))
		w.run(time.Duration(w.rng.IntN(15)) * time.Second)
		home := slices.IndexFunc(ds[:], func(d *desktop) bool { m := d.members[s.ID()]; return m != nil && m.src != nil })
		ds[home].kill()
		s.post(r.ID(), "sender's word")
		r.post(s.ID(), "receiver's word")
		took := w.until(30*time.Second, "notes of both", func() bool { return r.count(Note) == 2 && s.count(Note) == 1 })
		if took > 20*time.Second {
			t.Errorf("seed %d: %v", seed, took)
		}
		w.run(2 * time.Minute)
		if s.count(Departed)+r.count(Departed) != 0 || s.count(Joined) != 1 || s.count(Refused) != 0 {
			t.Errorf("seed %d: %v, %v", seed, s.story(), r.story())
		}
	}
}

func TestLossOfTheBusHeals(t *testing.T) {
	w, h, ds := trio(t, 90)
	_, s := w.client("sender", Sender, NumberedRoom(4711), ds[0].node.v4)
	_, r := w.client("receiver", Receiver, NumberedRoom(4711), ds[1].node.v4)
	w.until(time.Second, "both meet", func() bool { return s.has(Arrived)() && r.has(Arrived)() })
	h.loss = 1
	s.post(r.ID(), "while the bus is away")
	w.run(20 * time.Second)
	if s.count(Departed) != 0 {
		t.Error("departed before 30 s were over")
	}
	w.run(5 * time.Minute)
	if s.count(Departed) != 1 || r.count(Departed) != 1 || s.count(Silent) != 0 {
		t.Errorf("%v, %v", s.story(), r.story())
	}
	// Each instance works on for those who are both at it.
	_, a := w.client("sender here", Sender, NumberedRoom(0), ds[0].node.v4)
	w.until(time.Second, "it joins", a.has(Joined))
	_, b := w.client("receiver here", Receiver, NumberedRoom(a.last(Joined).Number), ds[0].node.v4)
	w.until(time.Second, "they meet", b.has(Arrived))
	h.loss = 0
	took := w.until(15*time.Second, "they see each other again", func() bool { return s.count(Arrived) == 2 && r.count(Arrived) == 2 })
	w.until(5*time.Second, "the note", r.has(Note))
	t.Logf("after %v they see each other again", took)
}

// TestOverALossyBusEverythingArrives, only later.
func TestOverALossyBusEverythingArrives(t *testing.T) {
	w, h, ds := trio(t, 91)
	h.loss, h.delay = 0.2, 30*time.Millisecond
	w.link = link{loss: 0.1, dup: 0.1, delay: 20 * time.Millisecond, jitter: 30 * time.Millisecond}
	_, s := w.client("sender", Sender, SharedRoom(7), ds[0].node.v4)
	_, r := w.client("receiver", Receiver, SharedRoom(7), ds[1].node.v4)
	w.until(time.Minute, "both meet", func() bool { return s.has(Arrived)() && r.has(Arrived)() })
	for i := range 100 {
		s.post(r.ID(), fmt.Sprint(i))
		w.run(time.Second)
		r.all() // or it takes no more
	}
	w.until(time.Minute, "all", func() bool { return len(r.notes(s.ID())) == 100 })
	for i, m := range r.notes(s.ID()) {
		if m != fmt.Sprint(i) {
			t.Fatalf("note %d is %q", i, m)
		}
	}
}

func TestNumbersAreAssignedOnceOverAllInstances(t *testing.T) {
	w, h, ds := trio(t, 92)
	w.run(recall + time.Second)
	for _, d := range ds {
		d.Server.lobby.opened = w.now.Add(-time.Hour)
	}
	var guests []*guest
	for i := range 240 {
		_, g := w.client(fmt.Sprint("sender ", i), Sender, NumberedRoom(0), ds[i%3].node.v4)
		guests = append(guests, g)
		if i%8 == 7 {
			w.run(30 * time.Millisecond)
		}
	}
	w.run(4 * time.Second)
	seen := make(map[uint32]bool)
	most := uint32(0)
	for _, g := range guests {
		if g.count(Joined) != 1 || g.count(Refused) != 0 {
			t.Fatalf("%s: %v", g.name, g.story())
		}
		n := g.last(Joined).Number
		if seen[n] {
			t.Errorf("number %d was assigned twice", n)
		}
		seen[n], most = true, max(most, n)
	}
	if most > 999 {
		t.Errorf("the largest of 240 numbers is %d", most)
	}
	t.Logf("240 senders in %d messages, numbers up to %d", h.sent, most)
	for _, g := range guests {
		g.Leave()
	}
	w.run(2 * time.Second)
	for _, d := range ds {
		d.checkEmpty(t)
	}
}

// TestClaimsAllAtOnce: more than a decade has numbers, in less time than an
// objection may take. It once drew numbers for ever.
func TestClaimsAllAtOnce(t *testing.T) {
	d := newDesk(t, ServerConfig{Bus: true, Members: 1 << 16})
	for i := range 2 * maxClaims {
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1}), 1)
		q := request{typ: typeJoin, cookie: d.cookies.issue(d.now, from), req: 1, room: NumberedRoom(0), role: Sender, key: key{byte(i), byte(i >> 8), 1}}
		if as := d.ask(from, q); i < maxClaims && len(as) != 0 || i >= maxClaims && as[0].code != refusedBusy {
			t.Fatalf("join %d was answered by %+v", i, as)
		}
	}
	d.now = d.now.Add(claimWait)
	d.raw(netip.AddrPort{}, nil)
	if st := d.Stats(); st.Rooms != maxClaims || len(d.lobby.claimed) != 0 {
		t.Errorf("%+v", st)
	}
	d.now = d.now.Add(2 * expiry)
	d.raw(netip.AddrPort{}, nil)
	if d.lobby.taken != [7]int{} {
		t.Errorf("numbers that nobody has count: %v", d.lobby.taken)
	}
}

func TestANumberCostsAClaimAndAFewObjections(t *testing.T) {
	w, _, ds := trio(t, 93)
	_, s := w.client("sender", Sender, NumberedRoom(0), ds[0].node.v4)
	took := w.until(time.Second, "it joins", s.has(Joined))
	if took > 4*w.link.delay+claimWait+5*time.Millisecond {
		t.Errorf("%v", took)
	}
	// Two instances that assign the same numbers, at the same time.
	for range 20 {
		d := [2]*desktop{ds[1], ds[2]}
		for _, x := range d {
			x.rng = rand.New(rand.NewPCG(5, 5))
		}
		_, a := w.client("a", Sender, NumberedRoom(0), d[0].node.v4)
		_, b := w.client("b", Sender, NumberedRoom(0), d[1].node.v4)
		w.until(time.Second, "both join", func() bool { return a.has(Joined)() && b.has(Joined)() })
		if n := a.last(Joined).Number; n == b.last(Joined).Number {
			t.Fatalf("both have %d", n)
		}
		a.Leave()
		b.Leave()
		w.run(time.Second)
	}
	ds[0].rng = rand.New(rand.NewPCG(5, 5))
	resting := ds[0].lobby.assign(w.now, rand.New(rand.NewPCG(6, 6)))
	ds[1].lobby.rest.lay(w.now, resting)
	ds[0].rng = rand.New(rand.NewPCG(6, 6))
	_, c := w.client("c", Sender, NumberedRoom(0), ds[0].node.v4)
	w.until(time.Second, "it joins", c.has(Joined))
	if c.last(Joined).Number == resting {
		t.Error("a number that rests at another instance was assigned")
	}
}

// TestOfTwoWithOneSeatTheOlderStays: a split in which both halves let a sender
// in under one number. When it ends, one of them hears that it is taken.
func TestOfTwoWithOneSeatTheOlderStays(t *testing.T) {
	w, h, ds := trio(t, 94)
	h.apart = func(a, b *desktop) bool { return (a == ds[0]) != (b == ds[0]) }
	_, old := w.client("old", Sender, NumberedRoom(4711), ds[0].node.v4)
	w.run(3 * time.Second)
	_, young := w.client("young", Sender, NumberedRoom(4711), ds[1].node.v4)
	_, r := w.client("receiver", Receiver, NumberedRoom(4711), ds[2].node.v4)
	w.until(5*time.Second, "the half meets", r.has(Arrived))
	w.run(time.Minute)
	if old.count(Joined) != 1 || young.count(Joined) != 1 {
		t.Fatalf("%v, %v", old.story(), young.story())
	}
	h.apart = nil
	took := w.until(15*time.Second, "the younger is told", young.has(Refused))
	if young.last(Refused).Err != ErrTaken {
		t.Errorf("%v", young.last(Refused).Err)
	}
	w.until(15*time.Second, "the receiver meets the older", func() bool { return r.count(Arrived) == 2 && old.count(Arrived) == 1 })
	t.Logf("told after %v", took)
	w.run(10 * time.Minute)
	if old.count(Refused) != 0 || old.count(Departed) != 0 || young.count(Refused) != 1 {
		t.Errorf("%v, %v", old.story(), young.story())
	}
	old.Leave()
	w.until(2*time.Minute, "the younger gets the seat when it is free", func() bool { return r.count(Departed) == 2 && r.count(Arrived) == 3 })
}

// TestAMemberThatMovesIsOne: it comes to another instance with the same key,
// and an old join arrives late at the first.
func TestAMemberThatMovesIsOne(t *testing.T) {
	w, _, ds := trio(t, 95)
	n, s := w.client("sender", Sender, NumberedRoom(4711), ds[0].node.v4, ds[1].node.v4)
	_, r := w.client("receiver", Receiver, NumberedRoom(4711), ds[2].node.v4)
	var late flight
	w.tap = func(from, to *node, d []byte) {
		if from == n && to == ds[0].node && d[1] == byte(typeJoin) && late.data == nil {
			late = flight{from: n.v4, to: to.v4, data: slices.Clone(d)}
		}
	}
	w.until(time.Second, "both meet", func() bool { return s.has(Arrived)() && r.has(Arrived)() })
	s.box.moveTo(s.contacts[1])
	w.run(time.Second)
	if m := ds[0].members[s.ID()]; m != nil && m.room != nil {
		t.Error("the member is still at the instance that it left")
	}
	late.at = w.now
	w.wire = append(w.wire, late)
	w.run(time.Minute)
	r.post(s.ID(), "hello")
	w.until(time.Second, "note at the new instance", s.has(Note))
	if r.count(Departed)+s.count(Departed)+s.count(Refused) != 0 {
		t.Errorf("%v, %v", s.story(), r.story())
	}
	s.Leave()
	r.Leave()
	w.run(2 * expiry)
	for _, d := range ds {
		d.checkEmpty(t)
	}
}

// anycast is one address at which now one and now another instance answers, as
// routing has it.
type anycast struct {
	all  []*desktop
	here int
}

func (a *anycast) Receive(now time.Time, p udp.Packet) { a.all[a.here].Receive(now, p) }

func (a *anycast) Send(now time.Time, b *udp.Batch) {
	for _, d := range a.all {
		d.Send(now, b)
	}
}

func (a *anycast) Deadline() (t time.Time) {
	for _, d := range a.all {
		t = earlier(t, d.Deadline())
	}
	return t
}

// TestBehindOneAddressInstancesMayChange: each has cookies of its own, and a
// client that shows another's joins at once.
func TestBehindOneAddressInstancesMayChange(t *testing.T) {
	w := newWorld(t, 98)
	h := newHub(w)
	one := &anycast{}
	node := w.add("anycast", one)
	for range 3 {
		d := &desktop{Server: NewServer(ServerConfig{Rand: w.bytes(), Bus: true}), hub: h, node: node, subs: make(map[string]bool)}
		h.instances, one.all = append(h.instances, d), append(one.all, d)
		d.exchange()
	}
	_, s := w.client("sender", Sender, NumberedRoom(4711), node.v4)
	w.until(time.Second, "sender joins", s.has(Joined))
	one.here = 1
	_, r := w.client("receiver", Receiver, NumberedRoom(4711), node.v4)
	w.until(time.Second, "both meet", func() bool { return s.has(Arrived)() && r.has(Arrived)() })
	for i := range 30 {
		one.here = w.rng.IntN(3)
		s.post(r.ID(), fmt.Sprint(i))
		r.post(s.ID(), fmt.Sprint(i))
		w.until(5*time.Second, "the notes", func() bool { return s.count(Note) == i+1 && r.count(Note) == i+1 })
		w.run(time.Duration(w.rng.IntN(20)) * time.Second)
	}
	if s.count(Departed)+r.count(Departed)+s.count(Silent)+r.count(Silent)+s.count(Refused) != 0 {
		t.Errorf("%v, %v", s.story(), r.story())
	}
}

func TestReceiversThatOtherInstancesHaveASenderForArePaidBack(t *testing.T) {
	w, _, ds := trio(t, 96)
	for _, d := range ds {
		d.lobby.opened = w.now.Add(-time.Hour)
	}
	_, s := w.client("sender", Sender, NumberedRoom(4711), ds[0].node.v4)
	w.until(time.Second, "sender joins", s.has(Joined))
	node, r := w.client("receiver", Receiver, NumberedRoom(4711), ds[1].node.v4)
	w.until(time.Second, "both meet", r.has(Arrived))
	if !ds[1].sources.at(node.v4.Addr()).lookups.fresh(w.now) {
		t.Error("it paid for a number that somebody holds")
	}
}

// TestManyMeetWhileInstancesComeAndGo: a thousand, in virtual time.
func TestManyMeetWhileInstancesComeAndGo(t *testing.T) {
	w, _, ds := trio(t, 97)
	all := []netip.AddrPort{ds[0].node.v4, ds[1].node.v4, ds[2].node.v4}
	from := func(i int) []netip.AddrPort { return []netip.AddrPort{all[i%3], all[(i+1)%3], all[(i+2)%3]} }
	type pair struct{ s, r *guest }
	var pairs []*pair
	n := 120
	if testing.Short() {
		n = 30
	}
	for i := range n {
		p := &pair{}
		_, p.s = w.client("sender", Sender, NumberedRoom(0), from(i)...)
		pairs = append(pairs, p)
		if i == n/2 {
			ds[1].kill()
		}
		w.run(50 * time.Millisecond)
		for j := max(0, i-10); j <= i; j++ {
			if q := pairs[j]; q.r == nil && q.s.has(Joined)() {
				_, q.r = w.client("receiver", Receiver, NumberedRoom(q.s.last(Joined).Number), from(j+1)...)
			}
		}
	}
	met := func() (k int) {
		for _, p := range pairs {
			if p.r == nil && p.s.has(Joined)() {
				_, p.r = w.client("receiver", Receiver, NumberedRoom(p.s.last(Joined).Number), all[0], all[2])
			}
			if p.r != nil && p.s.has(Arrived)() && p.r.has(Arrived)() {
				k++
			}
		}
		return k
	}
	took := w.until(40*time.Second, "all meet", func() bool { return met() == n })
	t.Logf("the last of %d pairs met %v after the last had come", n, took)
	ds[1] = ds[1].hub.instance(ds[1], ServerConfig{})
	w.run(time.Minute)
	for i, p := range pairs {
		if p.s.count(Departed)+p.r.count(Departed)+p.s.count(Refused)+p.r.count(Refused) != 0 {
			t.Errorf("pair %d: %v, %v", i, p.s.story(), p.r.story())
		}
	}
}

func FuzzFromBus(f *testing.F) {
	room := NumberedRoom(7)
	far := instance{9}
	for _, w := range []wire{
		{kind: wireHere, room: room, role: Sender, id: ID{1}, req: 1, since: 1},
		{kind: wireHere, room: room, role: Receiver, id: testKey(2).id(), req: 9, since: 1, used: true},
		{kind: wireWho, room: room},
		{kind: wireGone, room: room, role: Sender, id: ID{1}},
		{kind: wireNote, id: ID{1}, to: testKey(2).id(), seq: 1, part: newPart(0, 1), data: []byte("x")},
		{kind: wireAck, id: ID{1}, to: testKey(2).id(), seq: 2},
		{kind: wireClaim, number: 7, nonce: 1},
		{kind: wireDeny, number: 7, nonce: 1},
	} {
		w.author = far
		b := w.encode()
		if got, ok := parseWire(b); !ok || fmt.Sprint(got) != fmt.Sprint(w) {
			f.Fatalf("%+v became %+v", w, got)
		}
		f.Add(append([]byte{0, byte(len(b))}, b...))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		d := newDesk(t, ServerConfig{Bus: true, Members: 20, NoteMemory: 4096})
		a, b := addr("192.0.2.1:1"), addr("192.0.2.2:1")
		d.join(a, room, Receiver, 2)
		d.ask(b, request{typ: typeJoin, cookie: d.cookie(b), req: 1, room: NumberedRoom(0), role: Sender, key: testKey(3)})
		script(in, func(op byte, data []byte) {
			if op&1 != 0 { // about our own claim, or member
				if w, ok := parseWire(data); ok {
					if len(d.bus.claims) > 0 {
						w.number, w.nonce = d.bus.claims[0].number, d.bus.claims[0].nonce+uint64(op>>7)
					}
					w.to = testKey(2).id()
					data = w.encode()
				}
			}
			d.now = d.now.Add(time.Duration(op>>1&7) * 50 * time.Millisecond)
			d.FromBus(d.now, BusMessage{"x", data})
			for _, p := range d.raw(a, nil) {
				if _, err := parseAnswer(p.Data); err != nil {
					t.Fatalf("the helper sent %x: %v", p.Data, err)
				}
			}
			for _, m := range d.ToBus() {
				if w, ok := parseWire(m.Data); !ok || w.author != d.bus.self {
					t.Fatalf("the helper published %x", m.Data)
				}
			}
			if len(d.members) > 20 || d.stats.NoteBytes > 4096 || d.stats.NoteBytes < 0 || d.bus.far < 0 || len(d.bus.claims) > 1 {
				t.Fatalf("bounds: %+v", d.Stats())
			}
		})
		d.now = d.now.Add(2 * expiry)
		d.raw(netip.AddrPort{}, nil)
		d.now = d.now.Add(2 * expiry)
		d.raw(netip.AddrPort{}, nil)
		if st := d.Stats(); st.Members != 0 || st.Rooms != 0 || st.Far != 0 || st.NoteBytes != 0 || len(d.members) != 0 {
			t.Fatalf("something is left: %+v", st)
		}
	})
}

// TestClaimsAtOnceStayWithinTheLimits: all of them are asked about before the
// first is let in.
func TestClaimsAtOnceStayWithinTheLimits(t *testing.T) {
	for _, cfg := range []ServerConfig{{Bus: true, SourceMembers: 3}, {Bus: true, Members: 3}} {
		d := newDesk(t, cfg)
		from := addr("192.0.2.1:5")
		for k := range byte(10) {
			d.ask(from, request{typ: typeJoin, cookie: d.cookies.issue(d.now, from), req: 1, room: NumberedRoom(0), role: Sender, key: testKey(k)})
		}
		d.now = d.now.Add(claimWait)
		d.raw(netip.AddrPort{}, nil)
		if st := d.Stats(); st.Members != 3 || st.Refused != 7 || len(d.lobby.claimed) != 0 {
			t.Errorf("%+v: %+v", cfg, st)
		}
	}
}
