package rendezvous

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"qft/internal/udp"
)

// mob is somebody with many addresses who sends by hand what no client would.
type mob struct {
	d    *desk
	rng  *rand.Rand
	net  func(i int) netip.Addr // its i-th address
	keys uint64
}

func newMob(d *desk, net func(i int) netip.Addr) *mob {
	return &mob{d: d, rng: rand.New(rand.NewPCG(1, 2)), net: net}
}

// join lets the i-th address join with a new key, with a cookie that it got as
// everybody does, and returns the answer.
func (m *mob) join(i int, room Room, role Role) (key, answer) {
	m.keys++
	k := key{0xee}
	binary.BigEndian.PutUint64(k[8:], m.keys)
	from := netip.AddrPortFrom(m.net(i), 666)
	q := request{typ: typeJoin, cookie: m.d.cookies.issue(m.d.now, from), req: 1, room: room, role: role, key: k}
	as := m.d.ask(from, q)
	if len(as) == 0 {
		return k, answer{}
	}
	return k, as[0]
}

// anywhere is public IPv4 addresses, no two in one /24.
func anywhere(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(20 + i>>16), byte(i >> 8), byte(i), 7})
}

// prefix is an IPv6 /48, of which each /64 is a source.
func prefix(i int) netip.Addr {
	return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 6, 6, byte(i >> 8), byte(i), 15: 1})
}

// waiting joins a sender that waits, and returns what its keep-alive is told.
func (d *desk) waiting(ip string, n uint32) (number uint32, alive func() answer) {
	d.t.Helper()
	from := netip.AddrPortFrom(netip.MustParseAddr(ip), 1000)
	k := key{0xaa}
	copy(k[1:], ip)
	req := uint32(0)
	alive = func() answer {
		req++
		q := request{typ: typeJoin, cookie: d.cookies.issue(d.now, from), req: req, room: NumberedRoom(n), role: Sender, key: k}
		as := d.ask(from, q)
		if len(as) == 0 {
			return answer{}
		}
		d.ask(from, request{typ: typeAck, cookie: q.cookie, from: k.id(), seq: as[0].roster.version})
		return as[0]
	}
	return alive().roster.number, alive
}

// TestAnExhaustionOfRoomsIsThrottled: three floods that ask for as many rooms as
// they can for three minutes, leaving none, while others wait, come and meet.
func TestAnExhaustionOfRoomsIsThrottled(t *testing.T) {
	for _, tt := range []struct {
		name string
		net  func(int) netip.Addr
		n    int // addresses
		most int // members that it may end up with
	}{
		{"one address", func(int) netip.Addr { return anywhere(1) }, 1, 256},
		{"one /48", prefix, 1 << 16, 16 * 256},
		{"400 addresses", anywhere, 400, 8192 - 1000},
		{"8,000 addresses", anywhere, 8000, 8192},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t, ServerConfig{Members: 8192})
			d.raw(addr("192.0.2.1:1"), nil)
			d.now = d.now.Add(time.Minute)
			_, alive := d.waiting("192.0.2.1", 4711)
			m := newMob(d, tt.net)
			served, most := 0, 0
			let, newcomers := 0, 0
			for s := range 180 {
				for range 500 {
					d.now = d.now.Add(2 * time.Millisecond)
					if _, a := m.join(m.rng.IntN(tt.n), NumberedRoom(0), Sender); a.typ == typeJoined {
						served++
					}
				}
				most = max(most, d.Stats().Members)
				if s%10 == 0 && alive().typ != typeJoined {
					t.Fatalf("second %d: who waited is let wait no more", s)
				}
				if s%2 == 0 { // an honest sender from elsewhere, which leaves again
					newcomers++
					from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, byte(s), 9}), 1000)
					k := key{0xbb, byte(s)}
					q := request{typ: typeJoin, cookie: d.cookies.issue(d.now, from), req: 1, room: NumberedRoom(0), role: Sender, key: k}
					if as := d.ask(from, q); len(as) == 1 && as[0].typ == typeJoined {
						let++
						d.ask(from, request{typ: typeLeave, cookie: q.cookie, from: k.id(), req: 2})
					}
				}
			}
			t.Logf("%d of 90,000 joins were served, %d members at most; %d of %d honest newcomers let in", served, most, let, newcomers)
			if most > tt.most+2 {
				t.Errorf("%d members, want at most %d", most, tt.most)
			}
			// Nothing tells 8,000 addresses of an attacker from as many people:
			// when the places are gone they are gone.
			if tt.n < 8000 && let < newcomers || tt.n == 8000 && let < newcomers/4 {
				t.Errorf("%d of %d newcomers were let in", let, newcomers)
			}
		})
	}
}

// TestGuessingNumbersIsThrottled: receivers that come to one number after the
// other, as they would to find senders whose guesses they could use up.
func TestGuessingNumbersIsThrottled(t *testing.T) {
	for _, tt := range []struct {
		name string
		net  func(int) netip.Addr
		n    int
		most int // numbers that it may try in three minutes
	}{
		{"one address", func(int) netip.Addr { return anywhere(1) }, 1, lookupBurst + 180/5 + 1},
		{"1,000 addresses", anywhere, 1000, 1000 + 180*100 + 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t, ServerConfig{})
			d.raw(addr("192.0.2.1:1"), nil)
			d.now = d.now.Add(time.Minute)
			number, alive := d.waiting("192.0.2.1", 0)
			m := newMob(d, tt.net)
			tried, let, mistyped, newcomers := 0, 0, 0, 0
			for s := range 180 {
				for range 500 {
					d.now = d.now.Add(2 * time.Millisecond)
					i := m.rng.IntN(tt.n)
					k, a := m.join(i, NumberedRoom(10_000_000+m.rng.Uint32N(1<<30)), Receiver)
					if a.typ == typeJoined {
						tried++
						from := netip.AddrPortFrom(m.net(i), 666)
						d.ask(from, request{typ: typeLeave, cookie: d.cookies.issue(d.now, from), from: k.id(), req: 2})
					}
				}
				if s%10 == 0 && alive().typ != typeJoined {
					t.Fatalf("second %d: who waited is let wait no more", s)
				}
				if s%2 == 0 { // the receiver for whom it waits, and one who mistypes the number
					newcomers++
					h := newMob(d, func(i int) netip.Addr { return netip.AddrFrom4([4]byte{198, 51, byte(s), byte(i)}) })
					h.keys = uint64(1+s) << 32
					if k, a := h.join(1, NumberedRoom(number), Receiver); a.typ == typeJoined {
						let++
						from := netip.AddrPortFrom(h.net(1), 666)
						d.ask(from, request{typ: typeLeave, cookie: d.cookies.issue(d.now, from), from: k.id(), req: 2})
					}
					if _, a := h.join(2, NumberedRoom(9_000_000+uint32(s)), Receiver); a.typ == typeJoined {
						mistyped++
					}
				}
			}
			t.Logf("%d of 90,000 numbers were tried; %d of %d receivers let in, %d of %d who mistyped", tried, let, newcomers, mistyped, newcomers)
			if tried > tt.most {
				t.Errorf("%d numbers tried, want at most %d", tried, tt.most)
			}
			if let < newcomers {
				t.Errorf("%d of %d receivers were let in", let, newcomers)
			}
			if d.Stats().Lookups == 0 {
				t.Error("nothing was counted")
			}
		})
	}
}

// TestReceiversBeforeTheirSenderArePaidBack: a class that is quicker than its
// teacher.
func TestReceiversBeforeTheirSenderArePaidBack(t *testing.T) {
	d := newDesk(t, ServerConfig{})
	d.raw(addr("192.0.2.1:1"), nil)
	d.now = d.now.Add(time.Minute)
	m := newMob(d, func(int) netip.Addr { return anywhere(1) })
	src := d.sources.at(anywhere(1))
	for range 10 {
		m.join(1, NumberedRoom(7), Receiver)
	}
	if src.lookups.fresh(d.now) || d.lookups.fresh(d.now) {
		t.Fatal("they did not pay")
	}
	d.waiting("192.0.2.1", 7)
	if !src.lookups.fresh(d.now) || !d.lookups.fresh(d.now) {
		t.Error("they were not paid back")
	}
}

// TestSpoofedSourcesHarmNobody: a minute of garbage, hellos and stale joins at
// full rate, from everywhere, and as many in the name of one who waits.
func TestSpoofedSourcesHarmNobody(t *testing.T) {
	d := newDesk(t, ServerConfig{})
	number, alive := d.waiting("192.0.2.1", 0)
	victim := addr("192.0.2.1:1000")
	rng := rand.New(rand.NewPCG(7, 7))
	hello := (&request{typ: typeHello}).append(nil)
	join := (&request{typ: typeJoin, cookie: cookie{1}, req: 1, room: NumberedRoom(0), role: Sender, key: key{1}}).append(nil)
	noise := make([]byte, 100)
	in, out := 0, 0
	sources, members := len(d.sources.table), len(d.members)
	for s := range 60 {
		for i := range 5000 {
			d.now = d.now.Add(time.Second / 5000)
			from := victim
			if i%2 == 0 {
				from = netip.AddrPortFrom(netip.AddrFrom4([4]byte{byte(1 + rng.Uint32N(200)), byte(rng.Uint32()), byte(rng.Uint32()), byte(rng.Uint32())}), 1)
			}
			data := [][]byte{hello, join, noise}[rng.IntN(3)]
			for j := range noise {
				noise[j] = byte(rng.Uint32())
			}
			noise[0] = byte(rng.Uint32N(2)) * magic
			in += len(data)
			d.Receive(d.now, udp.Packet{Path: udp.To(from), Data: data})
			d.batch.Reset()
			d.Send(d.now, d.batch)
			for p := range d.batch.All() {
				if p.Remote == from && len(p.Data) > len(data) {
					t.Fatalf("%d bytes were answered by %d", len(data), len(p.Data))
				}
				out += len(p.Data)
			}
		}
		if s%10 == 0 {
			if a := alive(); a.typ != typeJoined || a.roster.number != number {
				t.Fatalf("second %d: the keep-alive of who waits was answered by %+v", s, a)
			}
		}
	}
	if len(d.sources.table) != sources || len(d.members) != members {
		t.Errorf("state was taken: %d sources, %d members", len(d.sources.table), len(d.members))
	}
	if out > in {
		t.Errorf("%d bytes were answered by %d", in, out)
	}
}

// TestWhoHasWaitedForTooLongCounts: its joins are refused for as long as it goes
// on asking, and for so long it is one of its source's members.
func TestWhoHasWaitedForTooLongCounts(t *testing.T) {
	d := newDesk(t, ServerConfig{Lifetime: time.Minute, SourceMembers: 2})
	from := addr("192.0.2.1:5")
	join := func(k byte) refusal {
		d.raw(from, nil) // takes what is due, and answers to earlier joins
		c := d.cookies.issue(d.now, from)
		as := d.ask(from, request{typ: typeJoin, cookie: c, req: 1, room: NumberedRoom(uint32(k)), role: Sender, key: testKey(k)})
		return as[len(as)-1].code
	}
	for range 5 {
		for k := range byte(2) {
			join(1 + k)
		}
		d.now = d.now.Add(30 * time.Second)
	}
	if a, b := join(1), join(2); a != refusedExpired || b != refusedExpired {
		t.Fatalf("refused by %v and %v", a, b)
	}
	if code := join(3); code != refusedBusy {
		t.Errorf("a third one: %v", code)
	}
	d.now = d.now.Add(2 * expiry)
	d.raw(from, nil)
	if code := join(3); code != 0 {
		t.Errorf("after the others have gone: %v", code)
	}
}
