package transport

import (
	"fmt"
	"os"
	"testing"
	"time"
)

// blackout is a path that goes dead for a while, at full rate.
type blackout struct {
	mbit   float64
	rtt    time.Duration
	length time.Duration
	dead   string // "both" directions, only "up" (the bulk), or only "down" (the acknowledgements)
	loss   float64
}

func (b blackout) String() string {
	return fmt.Sprintf("%g Mbit/s, %v, %g %% loss, %s dead for %v", b.mbit, b.rtt, 100*b.loss, b.dead, b.length)
}

// recovery is what came of it.
type recovery struct {
	sent    uint64        // packets into the dead link
	flight  uint64        // packets in flight when it went dead
	contact time.Duration // from the link's return to the first packet that the sender received
	share   float64       // of the rate, from 2 RTT + 1 s after contact on
}

func (b blackout) run(t testing.TB, seed uint64) (r recovery) {
	l := link(b.mbit, b.rtt/2)
	l.Loss = b.loss
	w := newWorld(t, seed, l, l)
	w.sendBulk(1 << 40)
	w.Run(5*time.Second+10*b.rtt, nil)

	dead := l
	dead.Loss = 1
	if b.dead != "down" {
		w.hostA.Up().Set(dead)
	}
	if b.dead != "up" {
		w.hostA.Down().Set(dead)
	}
	s := w.a.Stats()
	r.flight, r.sent = uint64(s.InFlight/s.MTU), s.SentPackets
	w.Run(b.length, nil)
	r.sent = w.a.Stats().SentPackets - r.sent
	w.hostA.Up().Set(l)
	w.hostA.Down().Set(l)

	start := w.Now()
	if !w.Run(time.Minute, func() bool { return w.a.LastContact().After(start) }) {
		t.Fatalf("%v: no contact after the link has returned", b)
	}
	r.contact = w.Now().Sub(start)
	w.Run(2*b.rtt+time.Second, nil)
	before := w.sink.backlog
	const over = 4 * time.Second
	w.Run(over, nil)
	r.share = float64(w.sink.backlog-before) * 8 / over.Seconds() / b.mbit / 1e6 / payloadShare / (1 - b.loss)
	return r
}

// mayNotKnow is how many packets leave before silence can be told from a
// path. If only the bulk's direction is dead, acknowledgements go on for a
// round trip.
func (b blackout) mayNotKnow() uint64 {
	return uint64(b.mbit * 1e6 / 8 * (1.35*b.rtt.Seconds() + 0.3) / 1500)
}

// eachBlackout visits all of them, or with QFT_BLACKOUTS unset, those without
// loss at 20 Mbit/s.
func eachBlackout(visit func(b blackout)) {
	rates, losses := []float64{20}, []float64{0}
	if os.Getenv("QFT_BLACKOUTS") != "" {
		rates, losses = []float64{20, 100}, []float64{0, 0.05}
	}
	for _, mbit := range rates {
		for _, rtt := range []time.Duration{20, 100, 1000} {
			for _, loss := range losses {
				for _, length := range []time.Duration{1, 10, 60, 600} {
					for _, dead := range []string{"both", "up", "down"} {
						visit(blackout{mbit, rtt * time.Millisecond, length * time.Second, dead, loss})
					}
				}
			}
		}
	}
}

func TestBlackoutsEndAtFullRate(t *testing.T) {
	skipUnderRace(t)
	t.Parallel()
	eachBlackout(func(b blackout) { checkBlackout(t, b) })
}

func checkBlackout(t *testing.T, b blackout) {
	r := b.run(t, 1)
	t.Logf("%v: %d packets into it, %d were in flight; contact %v after it, then %.2f of the rate",
		b, r.sent, r.flight, r.contact.Round(time.Millisecond), r.share)
	interval := max(maxProbeInterval, b.rtt)
	if most := b.mayNotKnow() + 2*uint64(b.length/interval) + 20; r.sent > most {
		t.Errorf("%v: %d packets into the dead link, at most %d are reasonable", b, r.sent, most)
	}
	if r.share < 0.85 {
		t.Errorf("%v: only %.2f of the rate 2 RTT + 1 s after contact", b, r.share)
	}
}

// TestWordsIntoADeadLinkAreFew has much on a stream when the link dies.
func TestWordsIntoADeadLinkAreFew(t *testing.T) {
	l := link(20, 50*time.Millisecond)
	w := newWorld(t, 1, l, l)
	w.Run(time.Second, nil)
	w.a.Write(0, make([]byte, streamBuffer))
	w.hostA.Wake(port)
	w.Run(10*time.Millisecond, nil)
	w.hostA.SetDown(true)
	w.Run(5*time.Second, nil)
	before := w.a.Stats()
	w.Run(time.Minute, nil)
	after := w.a.Stats()
	if n := after.SentPackets - before.SentPackets; n > 2*60*4/3 {
		t.Errorf("%d packets in a minute into a dead link", n)
	}
	if n := len(w.a.sent.ctl); n > 1000 {
		t.Errorf("%d records of what was said", n)
	}
}
