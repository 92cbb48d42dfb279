package lab

import (
	"math/rand/v2"
	"testing"
)

// TestHeapOrdersByTimeThenSeq moves, adds and removes timers at random and
// compares the earliest with a search through all.
func TestHeapOrdersByTimeThenSeq(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var h heap
	timers := make([]*timer, 200)
	keys := make(map[*timer]slot)
	for i := range timers {
		timers[i] = &timer{}
	}
	for seq := range uint64(6000) {
		tm := timers[r.IntN(len(timers))]
		if r.IntN(3) == 0 {
			h.remove(tm)
			delete(keys, tm)
		} else {
			keys[tm] = slot{int64(r.IntN(100)), seq, tm}
			h.set(tm, keys[tm].at, seq)
		}
		if len(h) != len(keys) {
			t.Fatalf("%d timers in the heap, want %d", len(h), len(keys))
		}
		for _, k := range keys {
			if k.before(&h[0]) {
				t.Fatalf("first is %v, but %v is before it", h[0], k)
			}
		}
		for i, s := range h {
			if s.t.pos != i+1 || keys[s.t] != s {
				t.Fatalf("slot %d lost track of its timer", i)
			}
		}
		if seq == 2000 {
			timers = timers[:20] // small heaps take other paths
			for _, tm := range timers {
				h.remove(tm)
				delete(keys, tm)
			}
		}
	}
}
