package transport

import (
	"reflect"
	"testing"
	"time"

	"qft/internal/udp"
)

func TestVarintRoundTrip(t *testing.T) {
	for _, v := range []uint64{0, 1, 63, 64, 16383, 16384, 1<<30 - 1, 1 << 30, 1<<62 - 1} {
		b := appendVarint(nil, v)
		r := reader{b: b}
		if got := r.varint(); got != v || r.bad || len(r.b) != 0 || len(b) != varintSize(v) {
			t.Errorf("%d became %d in %d bytes", v, got, len(b))
		}
	}
}

func TestAckRoundTrip(t *testing.T) {
	var a ackState
	now := time.Unix(0, 0)
	for _, pn := range []uint64{3, 4, 5, 9, 10, 20, 100, 101, 102} {
		a.packet(now, pn, 100, true, false, 0)
	}
	f, rest, err := parseFrame(a.append(nil, now.Add(5*time.Millisecond), now, 12345, 1000))
	if err != nil || len(rest) != 0 {
		t.Fatal(err, rest)
	}
	var got []interval[uint64]
	f.ack.each(func(low, high uint64) { got = append(got, interval[uint64]{low, high}) })
	want := []interval[uint64]{{100, 102}, {20, 20}, {9, 10}, {3, 5}}
	if !reflect.DeepEqual(got, want) || f.ack.delay != 5*time.Millisecond || f.ack.window != 12345 {
		t.Errorf("got %v, delay %v, window %d", got, f.ack.delay, f.ack.window)
	}
}

func TestAckFitsItsRoom(t *testing.T) {
	var a ackState
	for pn := uint64(0); pn < 2000; pn += 2 {
		a.packet(time.Unix(0, 0), pn, 100, true, false, 0)
	}
	for room := range 200 {
		if b := a.append(nil, time.Unix(1, 0), time.Unix(0, 0), 1<<30, room); len(b) > room {
			t.Fatalf("%d bytes in a room of %d", len(b), room)
		} else if len(b) > 0 {
			if _, _, err := parseFrame(b); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestRangeSet(t *testing.T) {
	var s rangeSet[int64]
	in := make(map[int64]bool)
	state := uint64(1)
	for range 20000 {
		state = state*6364136223846793005 + 1442695040888963407
		low, n, add := int64(state>>33)%500, int64(state>>50)%20, state>>60 < 9
		if add {
			s.add(low, low+n)
		} else {
			s.sub(low, low+n)
		}
		for i := low; i < low+n; i++ {
			in[i] = add
		}
	}
	for i := range int64(520) {
		if s.covers(i, i+1) != in[i] {
			t.Fatalf("%d: %v", i, s)
		}
	}
	for i := 1; i < len(s); i++ {
		if s[i-1].high >= s[i].low || s[i].low >= s[i].high {
			t.Fatalf("not normal: %v", s)
		}
	}
}

func FuzzParseFrame(f *testing.F) {
	var a ackState
	for _, pn := range []uint64{3, 4, 9} {
		a.packet(time.Unix(0, 0), pn, 100, true, false, 0)
	}
	f.Add(a.append(nil, time.Unix(0, 0), time.Unix(0, 0), 1, 100))
	f.Add(append(appendBulkHead(nil, 1<<47), "data"...))
	f.Add(append(appendStreamHead(nil, 1, 70000, 4), "data"...))
	f.Add([]byte{byte(frameClose), 1, 2, 'h', 'i', byte(framePing), 0, 0, 0})
	f.Add(appendReport(appendWish(nil, Wish{Rate: 1e6, Background: true}), Report{Cause: 1, Loss: 0.5, Rate: 1e7, RTT: time.Second}))
	f.Fuzz(func(t *testing.T, b []byte) {
		for len(b) > 0 {
			fr, rest, err := parseFrame(b)
			if err != nil {
				return
			}
			if len(rest) >= len(b) {
				t.Fatal("no progress")
			}
			if fr.typ == frameAck {
				last := uint64(1 << 63)
				fr.ack.each(func(low, high uint64) {
					if low > high || high >= last {
						t.Fatalf("range [%d, %d] after %d", low, high, last)
					}
					last = low
				})
			}
			b = rest
		}
	})
}

// FuzzHostilePeer hands the frames of a peer that knows the keys.
func FuzzHostilePeer(f *testing.F) {
	f.Add([]byte{byte(framePing)}, []byte{byte(frameAck), 3, 0, 10, 0, 3})
	f.Add([]byte{byte(frameStream), 0, 4, 1, 'x'}, []byte{byte(frameStream), 0, 0, 4, 1, 2, 3, 4})
	f.Add([]byte{byte(frameWindow), 0, 0x80, 0, 0, 0}, []byte{byte(frameClose), 0, 0})
	f.Add(appendWish(nil, Wish{Rate: 1, Background: true}), appendReport(appendWish(nil, Wish{Rate: 1e18}), Report{}))
	f.Add(append([]byte{byte(frameChallenge)}, "12345678"...), append([]byte{byte(frameResponse)}, "12345678"...))
	f.Fuzz(func(t *testing.T, one, two []byte) {
		if len(one) > 1200 || len(two) > 1200 {
			return
		}
		w := newWorld(t, 1, link(20, 10*time.Millisecond), link(20, 10*time.Millisecond))
		w.b.SetSink(accepting{})
		w.b.SetSource(pattern{})
		w.b.SendBulk(0, 100000)
		b := udp.NewBatch(256 << 10)
		w.b.Send(w.Now(), b)
		buf := make([]byte, 100)
		for i, frames := range [][]byte{one, two} {
			now := w.Now().Add(time.Duration(i+1) * 30 * time.Millisecond)
			w.b.Receive(now, udp.Packet{Path: udp.To(w.hostA.AddrPort(false, port)), Data: w.forge(frames)})
			b.Reset()
			w.b.Send(now, b)
			w.b.Read(0, buf)
			w.b.Deadline()
		}
		if w.b.loss.inFlight < 0 || w.b.bulk.inFlight < 0 || w.b.loss.eliciting < 0 {
			t.Fatalf("negative in flight: %+v", w.b.loss)
		}
	})
}

type accepting struct{}

func (accepting) WriteBulk([]byte, int64) bool { return true }
func (accepting) BulkWindow() int64            { return 1 << 20 }
