package rendezvous

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// awful is a network at the edge of what the protocol is for.
var awful = link{
	loss: 0.2, dup: 0.1, corrupt: 0.02,
	delay: 10 * time.Millisecond, jitter: 300 * time.Millisecond, // so much jitter reorders nearly everything
}

// text returns a message of a size, different for every index but for tiny sizes.
func text(i, size int) string {
	return (fmt.Sprintf("%d:", i) + strings.Repeat(string(rune('a'+i%26)), size+4))[:size]
}

func TestMessagesArriveOnceAndInOrderOverAnAwfulNetwork(t *testing.T) {
	sizes := []int{0, 1, 999, 1000, 1001, 1300, 2000, 4000, 4096}
	for seed := range uint64(20) {
		w := newWorld(t, 100+seed)
		w.link = awful
		s, r := w.pair(w.server(ServerConfig{}))
		var want [2][]string
		ends := [2]*guest{s, r}
		for i := range 24 {
			dir := w.rng.IntN(2)
			from, to := ends[dir], ends[1-dir]
			msg := text(i, sizes[w.rng.IntN(len(sizes))])
			err := from.Post(to.ID(), []byte(msg))
			for errors.Is(err, ErrBusy) {
				w.run(time.Second)
				err = from.Post(to.ID(), []byte(msg))
			}
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			want[dir] = append(want[dir], msg)
			w.run(time.Duration(w.rng.IntN(500)) * time.Millisecond)
		}
		w.until(2*time.Minute, "everything confirmed", func() bool { return !s.Pending() && !r.Pending() })
		for dir, from := range ends {
			if got := ends[1-dir].notes(from.ID()); !slices.Equal(got, want[dir]) {
				t.Errorf("seed %d: %s sent %d messages, %d arrived or differ", seed, from.name, len(want[dir]), len(got))
			}
		}
		if s.count(Departed)+r.count(Departed)+s.count(Refused)+r.count(Refused) != 0 {
			t.Errorf("seed %d: %v %v", seed, s.story(), r.story())
		}
	}
}

func TestHelperRestartHealsByItself(t *testing.T) {
	var worst, worstIdle time.Duration
	for seed := range uint64(40) {
		w := newWorld(t, 200+seed)
		w.link = link{loss: 0.2, delay: 20 * time.Millisecond, jitter: 20 * time.Millisecond}
		h := w.server(ServerConfig{})
		s, r := w.pair(h)
		number := s.last(Joined).Number
		w.run(time.Duration(w.rng.IntN(15000)) * time.Millisecond)
		posts := seed%2 == 0
		s.post(r.ID(), "before")
		if posts { // die with the note in hand
			w.run(25 * time.Millisecond)
		} else {
			w.until(time.Minute, "first note", r.has(Note))
		}
		h.machine = NewServer(ServerConfig{Rand: w.bytes()})
		sv := h.machine.(*Server)
		if posts {
			s.post(r.ID(), "after")
		}
		d := w.until(time.Minute, "both are members again", func() bool { return sv.Stats().Members == 2 })
		if posts {
			worst = max(worst, w.until(time.Minute, "both notes", func() bool { return r.count(Note) == 2 }))
		} else {
			worstIdle = max(worstIdle, d)
		}
		w.run(time.Minute)
		if sv.lobby.rooms.at(NumberedRoom(number)) == nil {
			t.Errorf("seed %d: number %d was not claimed again", seed, number)
		}
		for _, g := range []*guest{s, r} {
			if g.count(Departed) != 0 || g.count(Arrived) != 1 || g.count(Joined) != 1 || g.count(Refused) != 0 {
				t.Errorf("seed %d: %s noticed: %v", seed, g.name, g.story())
			}
		}
	}
	t.Logf("waiting members were back after %v at worst; notes arrived %v after that at worst", worstIdle, worst)
	if worstIdle > 20*time.Second || worst > 20*time.Second {
		t.Error("too slow")
	}
}

func TestOneWhoDoesNotComeBackAfterARestartDeparts(t *testing.T) {
	w := newWorld(t, 20)
	h := w.server(ServerConfig{})
	_, r := w.pair(h)
	w.nodes[1].cut = true
	h.machine = NewServer(ServerConfig{Rand: w.bytes()})
	d := w.until(time.Minute, "departed", r.has(Departed))
	if d < returnTime || d > returnTime+13*time.Second {
		t.Errorf("after %v", d)
	}
}

func TestNumberIsNotGivenAwayWhileItsHolderComesBack(t *testing.T) {
	for seed := range uint64(6) {
		w := newWorld(t, 300+seed)
		h := w.server(ServerConfig{})
		w.client("first", Receiver, SharedRoom(1), h.v4)
		w.run(recall + time.Second)
		var held []*guest
		for i := range 40 {
			_, g := w.client(fmt.Sprint(i), Sender, NumberedRoom(0), h.v4)
			held = append(held, g)
		}
		w.run(10 * time.Second)
		h.machine = NewServer(ServerConfig{Rand: w.bytes()})
		for i := range 20 {
			w.client(fmt.Sprint("new", i), Sender, NumberedRoom(0), h.v4)
		}
		w.run(30 * time.Second)
		for _, g := range held {
			if g.count(Refused) != 0 {
				t.Fatalf("seed %d: number %d was given away", seed, g.last(Joined).Number)
			}
		}
	}
}

func TestHelperRetransmitsSoThatOneLossCostsLittle(t *testing.T) {
	w := newWorld(t, 21)
	h := w.server(ServerConfig{})
	s, r := w.pair(h)
	w.run(time.Second)
	pushes := 0
	w.tap = func(from, to *node, d []byte) {
		if d[1] == byte(typePush) {
			pushes++
			w.link.loss = 0
			if pushes == 1 {
				w.link.loss = 1
			}
		}
	}
	s.post(r.ID(), "x")
	if d := w.until(5*time.Second, "note", r.has(Note)); d > 600*time.Millisecond || pushes != 2 {
		t.Errorf("%d pushes, %v", pushes, d)
	}
}

func TestUnansweredNotesArePolledFasterThanKeepAlive(t *testing.T) {
	for _, c := range []struct{ delay, second time.Duration }{
		{20 * time.Millisecond, 200 * time.Millisecond}, // at the least
		{100 * time.Millisecond, 800 * time.Millisecond},
		{400 * time.Millisecond, 2 * time.Second}, // at most
	} {
		w := newWorld(t, 22)
		w.link.delay = c.delay
		h := w.server(ServerConfig{})
		s, r := w.pair(h)
		w.run(5 * time.Second)
		h.cut = true
		var at []time.Time
		w.tap = func(from, to *node, d []byte) {
			if d[1] == byte(typeNote) {
				at = append(at, w.now)
			}
		}
		s.post(r.ID(), "x")
		w.run(40 * time.Second)
		if len(at) < 9 {
			t.Fatalf("%d tries in 40 s", len(at))
		}
		if second := at[1].Sub(at[0]); second < c.second*4/5 || second > c.second*6/5 {
			t.Errorf("second try after %v, with %v to the helper", second, c.delay)
		}
		for i := range at[1:] {
			if gap := at[i+1].Sub(at[i]); gap > maxWait {
				t.Errorf("try %d after %v", i+2, gap)
			}
		}
	}
}

func TestStreamLimits(t *testing.T) {
	w := newWorld(t, 23)
	s, r := w.pair(w.server(ServerConfig{}))
	if err := s.Post(r.ID(), make([]byte, MaxMessage+1)); err == nil || errors.Is(err, ErrBusy) {
		t.Errorf("too large a message: %v", err)
	}
	sent := 0
	for s.Post(r.ID(), []byte("x")) == nil {
		sent++
	}
	if sent != maxQueued {
		t.Errorf("%d notes wait, want %d", sent, maxQueued)
	}
	for sent < maxNotes {
		w.step(w.now.Add(time.Minute))
		r.all()
		if s.Post(r.ID(), []byte("x")) == nil {
			sent++
		}
	}
	w.until(time.Minute, "all arrived", func() bool { return r.count(Note) == maxNotes })
	if err := s.Post(r.ID(), []byte("x")); !errors.Is(err, ErrBusy) {
		t.Errorf("beyond a life's notes: %v", err)
	}
}

func TestUnreadEventsStopTheNotes(t *testing.T) {
	w := newWorld(t, 24)
	s, r := w.pair(w.server(ServerConfig{}))
	for i := range 80 {
		for s.Post(r.ID(), []byte(text(i, 10))) != nil {
			w.run(time.Second)
			if n := len(r.events); n > maxEvents {
				t.Fatalf("%d events kept", n)
			}
			if w.now.Unix()%7 == 0 {
				r.all()
			}
		}
	}
	w.until(time.Minute, "all arrived", func() bool { return r.count(Note) == 80 })
}

// TestHostileAuthorCannotFillItsReader gives the reader every note that a
// member could make up, and measures what it keeps.
func TestHostileAuthorCannotFillItsReader(t *testing.T) {
	rng := rand.New(rand.NewPCG(25, 25))
	var in incoming
	for range 200_000 {
		p := part(rng.Uint32())
		data := make([]byte, []int{0, 1, 96, 97, 999, noteData}[rng.IntN(6)])
		seq := rng.Uint32N(maxNotes + 1)
		if rng.IntN(2) == 0 {
			seq = in.next() + rng.Uint32N(window+2)
		}
		if !validNote(seq, p, data) {
			continue
		}
		for _, m := range in.accept(seq, p, data) {
			if len(m) > MaxMessage {
				t.Fatalf("message of %d bytes", len(m))
			}
		}
		kept := len(in.msg)
		for _, n := range in.ahead {
			kept += len(n.data)
		}
		if kept > window*noteData+MaxMessage {
			t.Fatalf("%d bytes kept", kept)
		}
		if in.had == maxNotes {
			in = incoming{}
		}
	}
}

func TestReaderGoesOnAfterABrokenMessage(t *testing.T) {
	var in incoming
	full := make([]byte, noteData)
	for i, tt := range []struct {
		p    part
		data []byte
		want int // messages completed
	}{
		{newPart(0, 3), full, 0},
		{newPart(2, 3), []byte("skips one"), 0},
		{newPart(1, 2), []byte("begins in the middle"), 0},
		{newPart(0, 2), full, 0},
		{newPart(0, 1), []byte("begins anew"), 1},
		{newPart(0, 2), full, 0},
		{newPart(1, 2), []byte("end"), 1},
	} {
		msgs := in.accept(uint32(i+1), tt.p, tt.data)
		if len(msgs) != tt.want {
			t.Fatalf("note %d: %d messages, want %d", i+1, len(msgs), tt.want)
		}
	}
}

func TestConfirmationOfWhatWasNotSentIsIgnored(t *testing.T) {
	var o outgoing
	for range 12 {
		o.post([]byte("x"))
	}
	for o.ready() {
		o.take()
	}
	for _, next := range []uint32{0, 1, window + 2, 1 << 31, 1<<32 - 1} {
		if o.acked(next) {
			t.Errorf("took %d as confirmation", next)
		}
	}
	if !o.acked(window+1) || o.sent != 0 || len(o.notes) != 4 {
		t.Errorf("%d under way, %d kept", o.sent, len(o.notes))
	}
}

func TestSameSeedSameRun(t *testing.T) {
	run := func(seed uint64) uint64 {
		w := newWorld(t, seed)
		w.link = awful
		h := w.server(ServerConfig{})
		var guests []*guest
		for i := range 20 {
			_, g := w.client(fmt.Sprint(i), Sender+Role(i%2), SharedRoom(3), h.v4, h.v6)
			guests = append(guests, g)
		}
		w.run(5 * time.Second)
		for _, g := range guests {
			for _, e := range g.all() {
				if e.Kind == Arrived {
					g.post(e.Member, text(int(e.Member[0]), 1500))
				}
			}
		}
		w.run(10 * time.Second)
		h.machine = NewServer(ServerConfig{Rand: w.bytes()})
		w.run(10 * time.Second)
		return w.trace
	}
	first, again, other := run(1), run(1), run(2)
	if first != again {
		t.Error("two runs of one seed differ")
	}
	if first == other {
		t.Error("two seeds give one run: the trace sees nothing")
	}
}

// TestEverythingAtOnce lets two members write to each other while the network
// loses, doubles, reorders and corrupts, the helper restarts, addresses change
// and links fail for up to 30 s. Whatever was posted arrives, once, in order.
func TestEverythingAtOnce(t *testing.T) {
	for seed := range uint64(30) {
		w := newWorld(t, 1000+seed)
		w.link = awful
		w.link.loss = 0.2 * w.rng.Float64()
		h := w.server(ServerConfig{})
		s, r := w.pair(h)
		ends := [2]*guest{s, r}
		var want [2][]string
		for i := range 20 {
			dir := w.rng.IntN(2)
			n := w.nodes[1+w.rng.IntN(2)]
			switch w.rng.IntN(8) {
			case 0:
				h.machine = NewServer(ServerConfig{Rand: w.bytes()})
			case 1:
				n.v4 = netip.AddrPortFrom(n.v4.Addr(), n.v4.Port()+1)
			case 2:
				n.cut = true
				w.run(time.Duration(w.rng.IntN(30)) * time.Second)
				n.cut = false
			}
			if msg := text(i, w.rng.IntN(3000)); ends[dir].Post(ends[1-dir].ID(), []byte(msg)) == nil {
				want[dir] = append(want[dir], msg)
			}
			w.run(time.Duration(w.rng.IntN(3000)) * time.Millisecond)
		}
		w.run(2 * time.Minute)
		w.link.loss = 0 // or a helper may seem silent now and then
		w.run(time.Minute)
		for dir, from := range ends {
			if got := ends[1-dir].notes(from.ID()); !slices.Equal(got, want[dir]) {
				t.Errorf("seed %d: %s sent %d messages, %d arrived or differ", seed, from.name, len(want[dir]), len(got))
			}
		}
		if s.Pending() || r.Pending() || s.count(Joined) != 1 || s.count(Silent) != s.count(Back) {
			t.Errorf("seed %d: %v %v", seed, s.story(), r.story())
		}
	}
}
