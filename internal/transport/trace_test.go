package transport

import (
	"fmt"
	"os"
	"testing"
	"time"
)

// TestTrace prints how one transfer goes, for whoever works on the rate:
// QFT_TRACE="100 1000 0.1 100" is 100 Mbit/s, 1,000 ms, 10 % loss, a queue of
// 100 ms.
func TestTrace(t *testing.T) {
	var c cell
	var ms int
	var queue int
	if n, _ := fmt.Sscan(os.Getenv("QFT_TRACE"), &c.mbit, &ms, &c.loss, &queue); n < 3 {
		t.Skip("QFT_TRACE is not set")
	}
	c.rtt = time.Duration(ms) * time.Millisecond
	l := link(c.mbit, c.rtt/2)
	l.Loss = c.loss
	if queue > 0 {
		l.Queue = time.Duration(queue) * time.Millisecond
	}
	w := newWorld(t, 1, l, l)
	w.sendBulk(int64(c.mbit * 1e6 / 8 * 15))
	for range 80 {
		w.Run(max(c.rtt/4, 100*time.Millisecond), nil)
		s, m := w.a.Stats(), w.a.cc.Stats()
		t.Logf("%6v %-8v bw %7.3f rate %7.3f Mbit/s, flight %5d of %5d kB, RTT %v min %v, loss %.3f, lost %d of %d, sink %d MB queue %v thinks %v",
			w.Elapsed().Round(time.Millisecond), m.State, m.Bandwidth*8e-6, s.Rate*8e-6, s.InFlight/1000, s.Window/1000,
			s.RTT.Round(time.Millisecond), m.MinRTT.Round(time.Millisecond), m.Loss, s.Lost, s.SentPackets,
			w.sink.backlog/1e6, w.hostA.Up().Backlog().Round(time.Millisecond), m.Queue.Round(time.Microsecond*100))
	}
}
