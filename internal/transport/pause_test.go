package transport

import (
	"fmt"
	"testing"
	"time"
)

// pause has an end pause, or go on.
func (w *world) pause(from string, on bool) {
	end, host := w.a, w.hostA
	if from == "receiver" {
		end, host = w.b, w.hostB
	}
	wish := end.wish.own
	wish.Paused = on
	end.Ask(wish)
	host.Wake(port)
}

// wantQuiet runs for a while, in which nothing but contact is kept: no bulk, and
// at most so many packets a second.
func (w *world) wantQuiet(length time.Duration, most float64) {
	w.t.Helper()
	before, bytes := w.sink.fresh, w.a.Stats().SentBytes
	w.Run(length, nil)
	if n := w.sink.fresh - before; n != 0 {
		w.t.Errorf("%d bytes of bulk have arrived while it was paused", n)
	}
	if rate := float64(w.a.Stats().SentBytes-bytes) / length.Seconds(); rate > most {
		w.t.Errorf("%.0f B/s while it was paused", rate)
	}
	if silent := w.Now().Sub(w.a.LastContact()); silent > w.a.Silence() {
		w.t.Errorf("no contact for %v", silent)
	}
}

// rateOver is the rate at which bulk arrives over a time.
func (w *world) rateOver(d time.Duration) float64 {
	before := w.sink.fresh
	w.Run(d, nil)
	return float64(w.sink.fresh-before) / d.Seconds()
}

// TestPauseKeepsContactAndRate: from either side, for a while, over short and
// long paths: nothing but keep-alives, and the old rate at once.
func TestPauseKeepsContactAndRate(t *testing.T) {
	skipUnderRace(t)
	t.Parallel()
	for _, rtt := range []time.Duration{20 * time.Millisecond, 200 * time.Millisecond, time.Second} {
		for _, loss := range []float64{0, 0.1} {
			for _, from := range []string{"sender", "receiver"} {
				t.Run(fmt.Sprintf("RTT %v, loss %.1f, by the %s", rtt, loss, from), func(t *testing.T) {
					l := link(20, rtt/2)
					l.Loss = loss
					for seed := range uint64(3) {
						w := newWorld(t, seed, l, l)
						w.sendBulk(1 << 40)
						w.Run(5*time.Second+10*rtt, nil)
						old := w.rateOver(4 * time.Second)
						w.pause(from, true)
						w.Run(2*time.Second+4*rtt, nil) // what is in flight arrives or is found lost
						w.wantQuiet(30*time.Second, 2000)
						w.pause(from, false)
						lost, sent := w.a.Stats().Lost, w.a.Stats().SentPackets
						w.Run(rtt+500*time.Millisecond, nil)
						if loss > 0 {
							w.Run(rtt, nil) // the frame that ends the pause may be lost
						}
						first := w.rateOver(4 * time.Second)
						t.Logf("seed %d: %.2f MB/s before, %.2f after", seed, old/1e6, first/1e6)
						if first < 0.8*old {
							t.Errorf("seed %d: %.2f MB/s before the pause, %.2f after it", seed, old/1e6, first/1e6)
						}
						share := float64(w.a.Stats().Lost-lost) / float64(w.a.Stats().SentPackets-sent)
						if share > loss+0.05 {
							t.Errorf("seed %d: %.0f %% lost when it went on", seed, 100*share)
						}
					}
				})
			}
		}
	}
}

// TestPauseOfBoth: it goes on when neither pauses any more.
func TestPauseOfBoth(t *testing.T) {
	skipUnderRace(t)
	t.Parallel()
	l := link(20, 25*time.Millisecond)
	w := newWorld(t, 1, l, l)
	w.sendBulk(1 << 40)
	w.Run(2*time.Second, nil)
	w.pause("sender", true)
	w.pause("receiver", true)
	w.Run(time.Second, nil)
	for _, c := range []*Conn{w.a, w.b} {
		if here, there := c.Paused(); !here || !there {
			t.Errorf("both have paused, and one knows %v, %v", here, there)
		}
	}
	w.pause("sender", false)
	w.Run(time.Second, nil)
	w.wantQuiet(10*time.Second, 2000)
	if here, there := w.b.Paused(); !here || there {
		t.Errorf("the receiver has paused, and knows %v, %v", here, there)
	}
	w.pause("receiver", false)
	if w.Run(time.Second, nil); w.rateOver(2*time.Second) < 1e6 {
		t.Error("it does not go on")
	}
}

// TestPauseDuringAnOutage: it begins while nothing passes, and is known and
// obeyed when contact is back; likewise its end.
func TestPauseDuringAnOutage(t *testing.T) {
	skipUnderRace(t)
	t.Parallel()
	for _, from := range []string{"sender", "receiver"} {
		for seed := range uint64(3) {
			l := link(20, 50*time.Millisecond)
			l.Loss = 0.05
			w := newWorld(t, seed, l, l)
			dead := func(on bool) {
				x := l
				if on {
					x.Loss = 1
				}
				w.hostA.Up().Set(x)
				w.hostA.Down().Set(x)
			}
			const size = 12 << 20
			w.sendBulk(size)
			w.Run(2*time.Second, nil)
			dead(true)
			w.Run(3*time.Second, nil)
			w.pause(from, true)
			w.Run(5*time.Second, nil)
			dead(false)
			w.Run(3*time.Second, nil)
			w.wantQuiet(10*time.Second, 5000) // the path's MTU is looked for anew
			dead(true)
			w.pause(from, false)
			w.Run(10*time.Second, nil)
			dead(false)
			w.wantBulk(size, 20*time.Second)
		}
	}
}

// counting is a source that counts how often it is asked.
type counting struct {
	pattern
	n int
}

func (c *counting) ReadBulk(p []byte, off int64) (int, bool) {
	c.n++
	return c.pattern.ReadBulk(p, off)
}

// TestPauseSendsNoBulk: not as a probe, not as a copy, and not at the end of
// what there is to send, where everything in flight is repeated otherwise.
func TestPauseSendsNoBulk(t *testing.T) {
	skipUnderRace(t)
	t.Parallel()
	for seed := range uint64(5) {
		l := link(5, 100*time.Millisecond)
		l.Loss = 0.2
		w := newWorld(t, seed, l, l)
		const size = 1 << 20
		w.sendBulk(size)
		w.Run(1500*time.Millisecond, nil)
		w.pause("sender", true)
		asked := &counting{}
		w.a.SetSource(asked)
		w.Run(20*time.Second, nil)
		if asked.n > 0 {
			t.Errorf("seed %d: %d packets of bulk while it was paused", seed, asked.n)
		}
		w.pause("sender", false)
		w.wantBulk(size, 20*time.Second)
	}
}

// TestUnknownFlagsOfAWish: flags that are not known change nothing.
func TestUnknownFlagsOfAWish(t *testing.T) {
	b := appendWish(nil, Wish{Background: true})
	b[len(b)-1] |= 0xfc
	f, rest, err := parseFrame(b)
	if err != nil || len(rest) != 0 || f.wish != (Wish{Background: true}) {
		t.Errorf("%+v, %v", f.wish, err)
	}
}
