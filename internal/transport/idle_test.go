package transport

import (
	"testing"
	"time"
)

// TestIdleStartIsForgotten: what a connection says before there is anything to
// send, lost path MTU probes among it, must not be taken for what the path can
// do.
func TestIdleStartIsForgotten(t *testing.T) {
	skipUnderRace(t)
	for _, idle := range []time.Duration{0, 300 * time.Millisecond, time.Second, 4 * time.Second, time.Minute} {
		l := link(20, 20*time.Millisecond)
		w := newWorld(t, 1, l, l)
		w.Run(idle, nil)
		w.sendBulk(1 << 40)
		w.Run(6*time.Second, nil)
		share := float64(w.sink.fresh) * 8 / 6 / 20e6 / payloadShare
		t.Logf("idle for %v first: %.3f of the link in the next 6 s", idle, share)
		if share < 0.9 {
			t.Errorf("after %v of idleness only %.3f of the link is used in 6 s", idle, share)
		}
	}
}
