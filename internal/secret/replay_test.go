package secret

import (
	"math/rand/v2"
	"testing"
)

func TestReplayZeroValueHasSeenNothing(t *testing.T) {
	var r Replay
	for _, pn := range []uint64{0, 1, 63, 64, replayWindow, 1 << 40, maxPacketNumber} {
		if r.Seen(pn) {
			t.Errorf("Seen(%d)", pn)
		}
	}
}

func TestReplayWindowIsLargeEnough(t *testing.T) {
	if replayWindow < 1<<16 {
		t.Errorf("the window is %d packets", replayWindow)
	}
	for _, top := range []uint64{replayWindow + 1000, 1<<32 + 17, 1<<40 + 63, 1 << 50} {
		var r Replay
		r.Mark(top)
		if oldest := top - replayWindow + 1; r.Seen(oldest) || !r.Seen(oldest-1) {
			t.Errorf("top %d: oldest %v, one older %v", top, r.Seen(oldest), r.Seen(oldest-1))
		}
		// A mark that is too late changes nothing, least of all the number
		// that shares its place in the ring.
		r.Mark(top - replayWords*64 + 1)
		if r.Seen(top + 1) {
			t.Errorf("top %d: an old mark came back as a new one", top)
		}
	}
}

// The model keeps every number; numbers jump, go back, and repeat.
func TestReplayAgreesWithAModel(t *testing.T) {
	for _, c := range []struct {
		name       string
		jump, back uint64
	}{
		{"in order", 1, 1}, {"reordered", 40, 60}, {"far back", 1000, 200_000},
		{"words", 64, 64}, {"wide jumps", 150_000, 200_000}, {"huge jumps", 1 << 40, 300_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			random := rand.New(seeded(1))
			var r Replay
			marked := make(map[uint64]bool)
			top := uint64(0)
			for step := range 30_000 {
				pn := top + random.Uint64N(c.jump) + 1
				if step%3 != 0 {
					pn = top - min(top, random.Uint64N(c.back))
				}
				want := marked[pn] || top >= replayWindow && pn <= top-replayWindow
				if got := r.Seen(pn); got != want {
					t.Fatalf("step %d: Seen(%d) = %v with top %d", step, pn, got, top)
				}
				if random.IntN(4) > 0 {
					r.Mark(pn)
					marked[pn] = true
					top = max(top, pn)
				}
			}
		})
	}
}

func BenchmarkReplayInOrder(b *testing.B) {
	var r Replay
	pn := uint64(0)
	for b.Loop() {
		if r.Seen(pn) {
			b.Fatal("seen")
		}
		r.Mark(pn)
		pn++
	}
}
