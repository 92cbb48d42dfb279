package transport

import (
	"math"
	"testing"
	"time"

	"qft/internal/udp"
)

// fromB hands a a packet of b that holds the given frames.
func (w *world) fromB(frames []byte) {
	pn := w.b.sent.next
	pkt := appendHeader(make([]byte, 0, 65536), header{id: 2, pn: pn})
	pkt, err := w.b.cfg.Sealer.Seal(append(pkt, frames...), HeaderSize, pn)
	if err != nil {
		w.t.Fatal(err)
	}
	w.b.sent.add()
	w.a.Receive(w.Now(), udp.Packet{Path: udp.To(w.hostB.AddrPort(false, port)), Data: pkt})
	w.hostA.Wake(port)
}

// ackOf is an ACK frame of one range, with what it says for the controller.
func ackOf(low, top, measured, arrived, received uint64) []byte {
	b := appendVarint([]byte{byte(frameAck)}, top)
	for _, v := range []uint64{0, 1 << 30, measured, arrived, received, 0, top - low} {
		b = appendVarint(b, v)
	}
	return b
}

// TestOptimisticAcksAreFoundOut has a peer acknowledge whatever was sent,
// whether it has arrived or not.
func TestOptimisticAcksAreFoundOut(t *testing.T) {
	l := link(20, 50*time.Millisecond)
	w := newWorld(t, 1, l, l)
	w.hostB.Unbind(port)
	w.sendBulk(1 << 40)
	for i := 0; w.a.Err() == nil && i < 3000; i++ {
		w.Run(10*time.Millisecond, nil)
		if next := w.a.sent.next; next > 0 {
			w.fromB(ackOf(w.a.sent.base, next-1, 0, 0, 0))
		}
	}
	if w.a.Err() == nil {
		t.Errorf("%d packets were acknowledged unseen", w.a.stats.SentPackets)
	}
	t.Logf("found out after %d packets", w.a.stats.SentPackets)
}

// TestTrapsCatchNobodyHonest moves much over a bad link.
func TestTrapsCatchNobodyHonest(t *testing.T) {
	t.Parallel()
	l := link(100, 10*time.Millisecond)
	l.Loss, l.Reorder, l.Duplicate = 0.05, 0.05, 0.05
	w := newWorld(t, 1, l, l)
	w.sendBulk(60 * mib)
	w.wantBulk(60*mib, time.Minute)
	if n := w.a.sent.next - w.a.stats.SentPackets; n < 3 {
		t.Errorf("%d numbers of %d left out", n, w.a.sent.next)
	}
}

// TestNonsenseInAcksIsHarmless has a peer say anything that the wire allows:
// the sender may slow down, close, or be fooled about the path, but its books
// stay right and its rate a number.
func TestNonsenseInAcksIsHarmless(t *testing.T) {
	t.Parallel()
	for seed := range uint64(tailSeeds(30)) {
		l := link(20, 20*time.Millisecond)
		w := newWorld(t, seed, l, l)
		r := w.Rand()
		w.sendBulk(1 << 40)
		any62 := func() uint64 { return r.Uint64() >> (2 + r.IntN(62)) }
		for range 300 {
			w.Run(time.Duration(r.Int64N(int64(5*time.Millisecond))), nil)
			if w.a.sent.next < 10 {
				continue
			}
			top := w.a.sent.next - 1 - r.Uint64N(10)
			low := top - r.Uint64N(min(top, 40)+1)
			measured := any62()
			if r.IntN(2) == 0 {
				measured = top
			}
			w.fromB(ackOf(low, top, measured, any62(), any62()))
			if rate := w.a.Stats().Rate; !(rate > 0) || math.IsInf(rate, 0) {
				t.Fatalf("seed %d: the rate is %v", seed, rate)
			}
			if w.a.loss.inFlight < 0 || w.a.bulk.inFlight < 0 || w.a.loss.eliciting < 0 || w.a.Stats().Window <= 0 {
				t.Fatalf("seed %d: %+v", seed, w.a.Stats())
			}
			if w.a.Err() != nil {
				break // a trap
			}
		}
	}
}

// TestAcksOfEverySecondPacketCostLittle: the sender's account of them is
// bounded, however a peer acknowledges.
func TestAcksOfEverySecondPacketCostLittle(t *testing.T) {
	l := link(20, 50*time.Millisecond)
	w := newWorld(t, 1, l, l)
	w.Run(time.Second, nil)
	first := w.a.sent.next
	for range 10 * ackedKept {
		p := w.a.sent.add() // as if it had been sent
		p.at, p.size, p.fate = w.Now().Sub(w.a.start), 100, inFlight
		w.a.loss.inFlight += 100
		w.a.loss.eliciting++
	}
	most := 0
	for pn := first; pn < w.a.sent.next && w.a.Err() == nil; pn += 2 {
		w.fromB(ackOf(pn, pn, 0, 0, 0))
		most = max(most, len(w.a.ackedPN))
	}
	if most != ackedKept || w.a.Err() != nil {
		t.Errorf("%d intervals are kept, %v", most, w.a.Err())
	}
}

// TestLiesAboutArrivalsDoNotFlood has a peer report that packets arrive at
// impossible speed: what is then sent must not drown the path for long.
func TestLiesAboutArrivalsDoNotFlood(t *testing.T) {
	skipUnderRace(t)
	t.Parallel()
	const mbit = 20
	l := link(mbit, 25*time.Millisecond)
	w := newWorld(t, 1, l, l)
	w.sendBulk(1 << 40)
	origin := w.b.start
	for range 2000 {
		w.Run(5*time.Millisecond, nil)
		// As if a tenth of the time passed, and all bytes arrived twice.
		w.b.start = w.Now().Add(-w.Now().Sub(origin) / 10)
		w.b.acks.counted.bytes += w.b.acks.counted.bytes / 1000
	}
	sent := float64(w.a.Stats().SentBytes) * 8 / 10 / 1e6
	t.Logf("%.1f Mbit/s sent into %d", sent, mbit)
	if sent > 3*mbit {
		t.Errorf("lies make the sender send %.1f Mbit/s into %d", sent, mbit)
	}
}
