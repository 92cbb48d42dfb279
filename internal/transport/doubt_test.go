package transport

import (
	"testing"
	"time"
)

func (w *world) doubts(c *Conn) bool {
	at := c.DoubtAt()
	return !at.IsZero() && !w.Now().Before(at)
}

// TestDoubtComesSoon: when the path dies in the middle of bulk, both ends are
// in doubt long before they would call the contact lost, also the one that has
// nothing to ask for.
func TestDoubtComesSoon(t *testing.T) {
	for _, rtt := range []time.Duration{time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond, 200 * time.Millisecond} {
		l := link(20, rtt/2)
		w := newWorld(t, 1, l, l)
		w.sendBulk(1 << 40)
		w.Run(5*time.Second, nil)
		w.hostA.SetDown(true)
		for i, c := range []*Conn{w.a, w.b} {
			name := []string{"sender", "receiver"}[i]
			start := w.Now()
			if w.doubts(c) || !w.Run(10*time.Second, func() bool { return w.doubts(c) }) {
				t.Fatalf("RTT %v: the %s is not in doubt, or was before", rtt, name)
			}
			took := w.Now().Sub(start)
			t.Logf("RTT %v: %s in doubt after %v, would be silent after %v", rtt, name, took, c.Silence())
			// The queue of 100 ms is in what it takes for the round trip.
			if most := 500*time.Millisecond + 4*(rtt+100*time.Millisecond); took > most {
				t.Errorf("RTT %v: the %s is in doubt after %v, want %v", rtt, name, took, most)
			}
			w.hostA.SetDown(false)
			w.Run(5*time.Second, nil)
			if w.doubts(c) {
				t.Errorf("RTT %v: the %s is in doubt though the path is back", rtt, name)
			}
			w.hostA.SetDown(true)
		}
	}
}

// TestNoDoubtWithoutCause: neither loss nor a pause makes one ask for another
// path, and who has nothing to say asks once a second.
func TestNoDoubtWithoutCause(t *testing.T) {
	l := link(20, 25*time.Millisecond)
	l.Loss = 0.1
	w := newWorld(t, 1, l, l)
	doubtful := func() bool { return w.doubts(w.a) || w.doubts(w.b) }
	for range 10 {
		w.a.SendBulk(w.a.bulk.top, 2<<20)
		w.hostA.Wake(port)
		if w.Run(3*time.Second, doubtful) {
			t.Fatalf("in doubt after %v", w.Elapsed())
		}
	}
	sent := w.b.Stats().SentPackets
	if w.Run(10*time.Second, doubtful) {
		t.Fatal("in doubt without anything to say")
	}
	if sent = w.b.Stats().SentPackets - sent; sent > 40 {
		t.Errorf("%d packets of the receiver in 10 s of a pause", sent)
	}
}
