package rendezvous

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSenderIsAssignedANumberAndMeetsTheReceiver(t *testing.T) {
	w := newWorld(t, 1)
	h := w.server(ServerConfig{})
	w.run(recall)
	s, r := w.pair(h)
	if n := s.last(Joined).Number; n < 100 || n > 999 {
		t.Errorf("a helper that has just started assigned %d, want 100 to 999", n)
	}
	if s.last(Arrived).Member != r.ID() || r.last(Arrived).Member != s.ID() {
		t.Errorf("each should see the other: %v, %v", s.story(), r.story())
	}
	w.run(recall)
	_, s2 := w.client("another", Sender, NumberedRoom(0), h.v4)
	w.until(time.Second, "another joins", s2.has(Joined))
	if n := s2.last(Joined).Number; n < 1 || n > 99 {
		t.Errorf("assigned %d, want 1 to 99", n)
	}
}

func TestWhoeverComesFirstWaits(t *testing.T) {
	for _, first := range []Role{Sender, Receiver} {
		t.Run(fmt.Sprint("role ", first), func(t *testing.T) {
			w := newWorld(t, 2)
			h := w.server(ServerConfig{})
			_, a := w.client("first", first, NumberedRoom(7), h.v4)
			w.until(time.Second, "first joins", a.has(Joined))
			w.run(40 * time.Second)
			if len(a.all()) != 1 {
				t.Fatalf("alone in the room, but %v", a.story())
			}
			_, b := w.client("second", first.other(), NumberedRoom(7), h.v4)
			if d := w.until(time.Second, "they meet", func() bool { return a.has(Arrived)() && b.has(Arrived)() }); d > 150*time.Millisecond {
				t.Errorf("took %v at 40 ms round trip: arrivals are pushed at once", d)
			}
		})
	}
}

func TestSecondSenderOnANumberIsToldAtOnceAndGetsItWhenFree(t *testing.T) {
	w := newWorld(t, 3)
	h := w.server(ServerConfig{})
	_, a := w.client("first", Sender, NumberedRoom(7), h.v4)
	w.until(time.Second, "first joins", a.has(Joined))
	_, b := w.client("second", Sender, NumberedRoom(7), h.v4)
	if d := w.until(time.Second, "second refused", b.has(Refused)); d > 100*time.Millisecond {
		t.Errorf("took %v", d)
	}
	if err := b.last(Refused).Err; err != ErrTaken {
		t.Errorf("refused for %v", err)
	}
	w.run(time.Minute)
	if n := b.count(Refused); n != 1 {
		t.Errorf("told %d times of one refusal", n)
	}
	a.Leave()
	w.until(10*time.Second, "second gets the number", b.has(Joined))
}

// TestNumberOfAMeetingRests: whoever crashes in a transfer comes back under the
// same code, and must not find strangers in its room.
func TestNumberOfAMeetingRests(t *testing.T) {
	w := newWorld(t, 3)
	h := w.server(ServerConfig{SourceJoins: 1 << 20})
	w.run(2 * recall)
	draw := func() uint32 {
		_, g := w.client("sender", Sender, NumberedRoom(0), h.v4)
		w.until(time.Second, "it joins", g.has(Joined))
		g.Leave()
		w.run(time.Second)
		return g.last(Joined).Number
	}
	s, r := w.pair(h)
	if err := s.Post(r.ID(), []byte("hello")); err != nil {
		t.Fatal(err)
	}
	w.run(time.Second)
	number := s.last(Joined).Number
	s.Leave()
	r.Leave()
	w.run(time.Second)
	l := &h.machine.(*Server).lobby
	for range 300 {
		if draw() == number {
			t.Fatalf("%d was given out again soon after a meeting", number)
		}
	}
	if len(l.rest.until) != 1 {
		t.Errorf("%d numbers rest: those without a meeting need not", len(l.rest.until))
	}
	_, back := w.client("sender that comes back", Sender, NumberedRoom(number), h.v4)
	w.until(time.Second, "its number is there for it", back.has(Joined))
	back.Leave()
	w.run(restTime + time.Second)
	draw()
	if len(l.rest.until) != 0 || l.rest.decades != [7]int{} {
		t.Errorf("after a day rest %v", l.rest.until)
	}
}

func TestRestingNumbersMakeRoomForLargerOnes(t *testing.T) {
	var l lobby
	l.rooms = newRooms()
	now := time.Unix(1_700_000_000, 0)
	rng := newRand(newWorld(t, 1).bytes())
	for i := range 3 * maxResting {
		n := l.assign(now.Add(recall+time.Duration(i)*time.Second), rng)
		if _, rests := l.rest.until[n]; rests || n == 0 {
			t.Fatalf("assigned %d", n)
		}
		if i < 74 && n > 99 || i == 100 && n < 100 {
			t.Errorf("the number of meeting %d is %d", i, n)
		}
		l.rest.lay(now.Add(time.Duration(i)*time.Second), n)
		l.rest.lay(now.Add(time.Duration(i)*time.Second), n) // a room that filled and emptied again
	}
	if len(l.rest.until) > maxResting || len(l.rest.order) > maxResting {
		t.Errorf("%d numbers rest", len(l.rest.until))
	}
	sum := 0
	for _, n := range l.rest.decades {
		sum += n
	}
	if sum != len(l.rest.until) {
		t.Errorf("%d are counted, %d rest", sum, len(l.rest.until))
	}
}

func TestRoomsHaveSeats(t *testing.T) {
	for _, tt := range []struct {
		room        Room
		senders     int
		receivers   int
		senderErr   error
		receiverErr error
	}{
		{NumberedRoom(7), 1, 16, ErrTaken, ErrBusy},
		{SharedRoom(7), 16, 16, ErrBusy, ErrBusy},
		{PrivateRoom([16]byte{7}), 1, 1, ErrTaken, ErrTaken},
	} {
		w := newWorld(t, 4)
		h := w.server(ServerConfig{})
		seat := map[Role]int{Sender: tt.senders, Receiver: tt.receivers}
		want := map[Role]error{Sender: tt.senderErr, Receiver: tt.receiverErr}
		var in []*guest
		for _, role := range []Role{Sender, Receiver} {
			for i := range seat[role] {
				_, g := w.client(fmt.Sprint(role, i), role, tt.room, h.v4)
				in = append(in, g)
			}
		}
		w.run(2 * time.Second)
		for i, g := range in {
			role := Sender
			if i >= tt.senders {
				role = Receiver
			}
			if g.count(Joined) != 1 || g.count(Arrived) != seat[role.other()] {
				t.Errorf("%v: %s: %d of %d arrived", tt.room, g.name, g.count(Arrived), seat[role.other()])
			}
		}
		for role, err := range want {
			_, g := w.client("too many", role, tt.room, h.v4)
			w.until(time.Second, "refusal", g.has(Refused))
			if got := g.last(Refused).Err; got != err {
				t.Errorf("%v: one %d too many: %v, want %v", tt.room, role, got, err)
			}
		}
	}
}

func TestMembersOfOneRoleDoNotSeeEachOther(t *testing.T) {
	w := newWorld(t, 5)
	h := w.server(ServerConfig{})
	_, a := w.client("a", Sender, SharedRoom(9), h.v4)
	_, b := w.client("b", Sender, SharedRoom(9), h.v4)
	_, c := w.client("c", Receiver, SharedRoom(8), h.v4)
	w.run(20 * time.Second)
	for _, g := range []*guest{a, b, c} {
		if len(g.all()) != 1 {
			t.Errorf("%s: %v, want Joined alone", g.name, g.story())
		}
	}
	if err := a.Post(b.ID(), nil); !errors.Is(err, ErrGone) {
		t.Errorf("posting to one's own role: %v", err)
	}
}

func TestSharedRoomNumbersStayWithin20Bits(t *testing.T) {
	if SharedRoom(0xfff00007) != SharedRoom(7) || SharedRoom(0xfffff).Number() != 0xfffff {
		t.Error("bits above 20 count")
	}
}

func TestMemberMovesToANewAddressWithItsPlace(t *testing.T) {
	w := newWorld(t, 6)
	h := w.server(ServerConfig{})
	s, r := w.pair(h)
	node := w.nodes[1]
	before := s.Reflexive()
	node.v4 = netip.MustParseAddrPort("203.0.113.77:999")
	r.post(s.ID(), "to the new address")
	d := w.until(20*time.Second, "note after the move", func() bool { return s.count(Note) == 1 })
	t.Logf("found again after %v", d)
	if after := s.Reflexive(); len(after) != 1 || after[0] != node.v4 || before[0] == after[0] {
		t.Errorf("own address is %v, was %v, want %v", after, before, node.v4)
	}
	if s.count(Joined) != 1 || s.count(Refused) != 0 || r.count(Departed) != 0 || r.count(Arrived) != 1 {
		t.Errorf("a move is nobody's event: %v, %v", s.story(), r.story())
	}
	if st := h.machine.(*Server).Stats(); st.Members != 2 {
		t.Errorf("%d members", st.Members)
	}
}

func TestMemberThatMovesFindsOutAtOnceWhenItPosts(t *testing.T) {
	w := newWorld(t, 7)
	s, r := w.pair(w.server(ServerConfig{}))
	w.nodes[1].v4 = netip.MustParseAddrPort("203.0.113.77:999")
	s.post(r.ID(), "from the new address")
	if d := w.until(20*time.Second, "note", r.has(Note)); d > 1500*time.Millisecond {
		t.Errorf("took %v", d)
	}
}

func TestVanishedMemberExpires(t *testing.T) {
	w := newWorld(t, 8)
	h := w.server(ServerConfig{})
	s, r := w.pair(h)
	w.nodes[1].cut = true
	d := w.until(2*time.Minute, "sender gone", r.has(Departed))
	if d < 45*time.Second || d > 62*time.Second {
		t.Errorf("expired after %v, want 60 s after its last sign of life", d)
	}
	if r.last(Departed).Member != s.ID() {
		t.Error("another departed")
	}
	if err := r.Post(s.ID(), []byte("x")); !errors.Is(err, ErrGone) {
		t.Errorf("posting to one who departed: %v", err)
	}
	if st := h.machine.(*Server).Stats(); st.Members != 1 || st.Expired != 1 {
		t.Errorf("%+v", st)
	}
}

func TestSleeperReturnsWithItsStreams(t *testing.T) {
	w := newWorld(t, 9)
	s, r := w.pair(w.server(ServerConfig{}))
	s.post(r.ID(), "one")
	w.until(time.Second, "one", r.has(Note))
	w.nodes[1].cut = true
	s.post(r.ID(), "two")
	w.until(2*time.Minute, "sender gone", r.has(Departed))
	w.run(5 * time.Minute)
	w.nodes[1].cut = false
	w.until(20*time.Second, "two", func() bool { return r.count(Note) == 2 })
	r.post(s.ID(), "three")
	w.until(time.Second, "three", s.has(Note))
	if got := r.notes(s.ID()); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("notes %q", got)
	}
	if r.count(Arrived) != 2 || s.count(Silent) != 1 || s.count(Back) != 1 || s.count(Departed) != 0 {
		t.Errorf("%v, %v", s.story(), r.story())
	}
}

func TestLeavingIsToldAtOnceAndFreesTheNumber(t *testing.T) {
	w := newWorld(t, 10)
	h := w.server(ServerConfig{})
	s, r := w.pair(h)
	s.Leave()
	if d := w.until(time.Second, "departed", r.has(Departed)); d > 50*time.Millisecond {
		t.Errorf("told after %v", d)
	}
	if d := w.until(time.Second, "done", s.Done); d > 50*time.Millisecond {
		t.Errorf("done after %v: the helper answers leave", d)
	}
	if !s.Deadline().IsZero() {
		t.Error("a machine that is done has a deadline")
	}
	_, s2 := w.client("next", Sender, NumberedRoom(s.last(Joined).Number), h.v4)
	w.until(time.Second, "next sender joins", s2.has(Joined))
}

func TestLeavingWithoutAHelperEndsSoon(t *testing.T) {
	w := newWorld(t, 11)
	s, _ := w.pair(w.server(ServerConfig{}))
	w.nodes[0].cut = true
	s.Leave()
	if d := w.until(5*time.Second, "done", s.Done); d > 700*time.Millisecond {
		t.Errorf("took %v", d)
	}
	_, x := w.client("never joined", Sender, NumberedRoom(0), w.nodes[0].v4)
	x.Leave()
	if !x.Done() {
		t.Error("nothing to leave, but not done")
	}
}

func TestJoinThatLeaveOvertookBringsNoGhost(t *testing.T) {
	w := newWorld(t, 12)
	h := w.server(ServerConfig{})
	var joins []flight
	w.tap = func(from, to *node, d []byte) {
		if from.name == "sender" && d[1] == byte(typeJoin) {
			joins = append(joins, flight{from: from.v4, to: to.v4, data: slices.Clone(d)})
		}
	}
	s, r := w.pair(h)
	s.Leave()
	w.until(time.Second, "departed", r.has(Departed))
	for _, f := range joins {
		f.at = w.now.Add(time.Second)
		w.wire = append(w.wire, f)
	}
	w.run(5 * time.Second)
	if r.count(Arrived) != 1 || h.machine.(*Server).Stats().Members != 1 {
		t.Errorf("a ghost: %v", r.story())
	}
}

func TestJoinFromAnOldAddressThatArrivesLateChangesNothing(t *testing.T) {
	w := newWorld(t, 13)
	h := w.server(ServerConfig{})
	var old flight
	w.tap = func(from, to *node, d []byte) {
		if from.name == "sender" && d[1] == byte(typeJoin) && old.data == nil {
			old = flight{from: from.v4, to: to.v4, data: slices.Clone(d)}
		}
	}
	s, r := w.pair(h)
	w.nodes[1].v4 = netip.MustParseAddrPort("203.0.113.77:999")
	w.run(15 * time.Second)
	old.at = w.now
	w.wire = append(w.wire, old)
	w.run(time.Millisecond)
	sv := h.machine.(*Server)
	if at := sv.zones.path(sv.members[s.ID()].at).Remote; at != w.nodes[1].v4 {
		t.Errorf("member is at %v", at)
	}
	r.post(s.ID(), "x")
	w.until(time.Second, "note at the new address", s.has(Note))
}

func TestBothFamiliesAreKnownSoonAndEitherCarriesTheMailbox(t *testing.T) {
	w := newWorld(t, 14)
	h := w.server(ServerConfig{})
	node, s := w.client("sender", Sender, NumberedRoom(0), h.v4, h.v6)
	d := w.until(time.Second, "two addresses", func() bool { return len(s.Reflexive()) == 2 })
	if d > 100*time.Millisecond || s.Reflexive()[0] != node.v4 || s.Reflexive()[1] != node.v6 {
		t.Errorf("after %v: %v", d, s.Reflexive())
	}
	w.until(time.Second, "joined", s.has(Joined))
	_, r := w.client("receiver", Receiver, NumberedRoom(s.last(Joined).Number), h.v6)
	w.until(time.Second, "met across families", r.has(Arrived))
	// The family of the mailbox breaks, the other one lives.
	used := s.Servers()[0]
	if !used.Mailbox {
		used = s.Servers()[1]
	}
	if used.Addr == h.v4 {
		node.v4 = netip.AddrPort{}
	} else {
		node.v6 = netip.AddrPort{}
	}
	r.post(s.ID(), "hello")
	t.Logf("fail-over took %v", w.until(40*time.Second, "note after fail-over", s.has(Note)))
	if r.count(Departed) != 0 {
		t.Error("fail-over looked like a departure")
	}
}

func TestEveryFamilyIsAskedAgainWhenTheAddressChanges(t *testing.T) {
	w := newWorld(t, 15)
	h := w.server(ServerConfig{})
	node, s := w.client("sender", Sender, NumberedRoom(0), h.v4, h.v6)
	w.run(time.Second)
	node.v4 = netip.MustParseAddrPort("203.0.113.5:1")
	node.v6 = netip.MustParseAddrPort("[2001:db8:ffff::5]:1")
	w.until(13*time.Second, "both new addresses", func() bool {
		return slices.Equal(s.Reflexive(), []netip.AddrPort{node.v4, node.v6})
	})
}

func TestKeepAliveHoldsAMappingOf30Seconds(t *testing.T) {
	w := newWorld(t, 16)
	h := w.server(ServerConfig{})
	self, s := w.client("sender", Sender, NumberedRoom(0), h.v4, h.v6)
	var prev [2]time.Time
	var gaps []time.Duration
	w.run(5 * time.Second)
	w.tap = func(from, to *node, d []byte) {
		if from != self {
			return
		}
		i := 0
		if d[1] == byte(typeHello) {
			i = 1
		}
		if !prev[i].IsZero() {
			gaps = append(gaps, w.now.Sub(prev[i]))
		}
		prev[i] = w.now
	}
	w.run(10 * time.Minute)
	if len(gaps) < 90 || slices.Min(gaps) < 7900*time.Millisecond || slices.Max(gaps) > 12100*time.Millisecond {
		t.Errorf("%d gaps of %v to %v, want 10 s +- 20 %% on each address", len(gaps), slices.Min(gaps), slices.Max(gaps))
	}
	if slices.Max(gaps)-slices.Min(gaps) < 2*time.Second {
		t.Error("no jitter")
	}
	if s.count(Silent) != 0 {
		t.Error("silent")
	}
}

func TestSilentHelperIsToldOnceAndAskedForever(t *testing.T) {
	w := newWorld(t, 17)
	h := w.server(ServerConfig{})
	s, r := w.pair(h)
	_ = r
	w.run(3 * time.Second)
	h.cut = true
	d := w.until(30*time.Second, "silent", s.has(Silent))
	if d < 10*time.Second || d > 23*time.Second {
		t.Errorf("told after %v", d)
	}
	var last time.Time
	var worst time.Duration
	w.tap = func(from, to *node, d []byte) {
		if from.name != "sender" {
			return
		}
		if !last.IsZero() {
			worst = max(worst, w.now.Sub(last))
		}
		last = w.now
	}
	w.run(time.Hour)
	if worst > maxWait || last.Before(w.now.Add(-maxWait)) {
		t.Errorf("asked every %v at most, last %v ago", worst, w.now.Sub(last))
	}
	h.cut = false
	if d := w.until(time.Minute, "back", s.has(Back)); d > maxWait+time.Second {
		t.Errorf("back after %v", d)
	}
	if s.count(Silent) != 1 || s.count(Joined) != 1 {
		t.Errorf("%v", s.story())
	}
}

func TestHelperThatComesLateIsFound(t *testing.T) {
	w := newWorld(t, 18)
	h := w.server(ServerConfig{})
	h.cut = true
	_, s := w.client("sender", Sender, NumberedRoom(0), h.v4, h.v6)
	w.run(2 * time.Minute)
	if len(s.all()) != 1 || s.count(Silent) != 1 {
		t.Fatalf("%v", s.story())
	}
	if st := s.Servers(); st[0].Asked < 10 || !st[0].Heard.IsZero() || st[1].Asked < 10 {
		t.Errorf("%+v", st)
	}
	h.cut = false
	w.until(6*time.Second, "joined", s.has(Joined))
	if s.count(Back) != 1 {
		t.Errorf("%v", s.story())
	}
}

func TestManyBehindOneNATMeetAtOnce(t *testing.T) {
	w := newWorld(t, 19)
	w.link.loss = 0.05
	w.link.jitter = 30 * time.Millisecond
	h := w.server(ServerConfig{})
	var guests []*guest
	for i := range 48 {
		role := Sender + Role(i%2)
		n, g := w.client(fmt.Sprint(i), role, NumberedRoom(uint32(500+i/2)), h.v4)
		n.v4 = netip.AddrPortFrom(netip.MustParseAddr("203.0.113.1"), uint16(1000+i))
		guests = append(guests, g)
	}
	w.run(3 * time.Second)
	for _, g := range guests {
		if g.count(Arrived) != 1 || g.count(Refused) != 0 {
			t.Fatalf("%s: %v", g.name, g.story())
		}
		for i := range 4 {
			g.post(g.last(Arrived).Member, strings.Repeat(fmt.Sprint(i), 1300))
		}
	}
	w.run(20 * time.Second)
	for _, g := range guests {
		if g.count(Note) != 4 {
			t.Errorf("%s got %d of 4 notes", g.name, g.count(Note))
		}
	}
	if st := h.machine.(*Server).Stats(); st.Limited != 0 || st.Refused != 0 {
		t.Errorf("limits hurt an honest crowd: %+v", st)
	}
}
