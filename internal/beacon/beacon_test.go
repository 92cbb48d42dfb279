package beacon

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"qft/internal/udp"
)

var (
	start = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	alice = netip.MustParseAddrPort("192.168.1.2:50000")
	bob   = netip.MustParseAddrPort("[fe80::1%eth0]:50001")
)

// sent is what a beacon sends at a time.
func sent(b *Beacon, now time.Time) (all []udp.Packet) {
	batch := udp.NewBatch(1 << 16)
	b.Send(now, batch)
	for p := range batch.All() {
		all = append(all, p)
	}
	return all
}

func from(a netip.AddrPort, data []byte) udp.Packet {
	return udp.Packet{Path: udp.To(a), Data: data}
}

func TestWhoAsksFindsWhoAnnounces(t *testing.T) {
	for _, c := range []struct {
		name       string
		ask, have  uint32
		wantAnswer bool
	}{{"the number", 7, 7, true}, {"another number", 7, 8, false}, {"an own phrase", 0, 0, true}, {"own phrase and number", 0, 7, false}} {
		t.Run(c.name, func(t *testing.T) {
			asker := New(start, Config{Number: c.ask})
			teller := New(start, Config{Number: c.have, Port: 4277})
			sent(teller, start)
			q := sent(asker, start)
			if len(q) != 2 || q[0].Remote != Group4() || q[1].Remote != Group6() {
				t.Fatalf("the query went to %v", q)
			}
			teller.Receive(start, from(bob, q[1].Data))
			a := sent(teller, start)
			if (len(a) == 1) != c.wantAnswer {
				t.Fatalf("%d answers", len(a))
			}
			if !c.wantAnswer {
				return
			}
			if a[0].Remote != bob || len(a[0].Data) > len(q[1].Data) {
				t.Errorf("the answer went to %v, %d bytes for %d", a[0].Remote, len(a[0].Data), len(q[1].Data))
			}
			asker.Receive(start, from(alice, a[0].Data))
			found, ok := asker.Next()
			if want := netip.AddrPortFrom(alice.Addr(), 4277); !ok || found != want {
				t.Errorf("found %v, want %v", found, want)
			}
		})
	}
}

func TestCallsSlowDownAndHurryAgain(t *testing.T) {
	for _, c := range []struct {
		name           string
		cfg            Config
		early, perRest int // calls in the first 2 s; in a minute after the eager time
	}{{"query", Config{Number: 7, V4: true}, 4, 6}, {"announce", Config{Number: 7, Port: 1, V4: true}, 1, 6}} {
		t.Run(c.name, func(t *testing.T) {
			b := New(start, c.cfg)
			calls := func(begin, length time.Duration) (n int) {
				end := start.Add(begin + length)
				for b.Deadline().Before(end) {
					n += len(sent(b, b.Deadline()))
				}
				return n
			}
			if n := calls(0, 2*time.Second); n != c.early {
				t.Errorf("%d calls in the first 2 s, want %d", n, c.early)
			}
			calls(2*time.Second, 28*time.Second)
			if n := calls(30*time.Second, time.Minute); n != c.perRest {
				t.Errorf("%d calls in a minute, want %d", n, c.perRest)
			}
			now := start.Add(90 * time.Second)
			b.Hurry(now)
			if d := b.Deadline(); !d.Equal(now) {
				t.Errorf("in a hurry, the next call is %v away", d.Sub(now))
			}
		})
	}
}

func TestFloodsAreBounded(t *testing.T) {
	teller := New(start, Config{Number: 7, Port: 1})
	asker := New(start, Config{Number: 7})
	sent(teller, start)
	q, a := message{query, 7, 0}.append(nil), message{announce, 7, 9}.append(nil)
	answers := 0
	for i := range 1000 {
		now := start.Add(time.Duration(i) * time.Millisecond)
		for range 20 {
			teller.Receive(now, from(alice, q))
			binary.BigEndian.PutUint16(a[7:], uint16(1+i))
			asker.Receive(now, from(alice, a))
		}
		answers += len(sent(teller, now))
	}
	if answers > answerBurst+answerRate {
		t.Errorf("%d answers in a second", answers)
	}
	asker.Receive(start, from(bob, a))
	n, other := 0, false
	for f, ok := asker.Next(); ok; f, ok = asker.Next() {
		n++
		other = other || f.Addr() == bob.Addr()
	}
	if n != maxOfHost+1 || !other {
		t.Errorf("%d found addresses waited, that of another host among them: %v", n, other)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(message{query, 7, 0}.append(nil))
	f.Add(message{announce, 1 << 31, 65535}.append(nil))
	f.Add([]byte{Mark})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, ok := parse(b)
		if !ok {
			return
		}
		if again := m.append(nil); string(again) != string(b) {
			t.Errorf("%x was read as %+v, which is %x", b, m, again)
		}
	})
}
