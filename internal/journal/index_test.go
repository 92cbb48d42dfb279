package journal

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestIndexFindsWhatAListWould(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 30 {
		var x index
		var list []entry
		at := int64(0)
		for range r.IntN(5000) {
			at += 1 + r.Int64N(100)
			e := entry{id(r.IntN(50)), at}
			x.add(e)
			list = append(list, e)
			if r.IntN(1000) == 0 {
				cut := at - r.Int64N(at)/4
				x.cut(cut)
				list = slices.DeleteFunc(list, func(e entry) bool { return e.at >= cut })
			}
		}
		for i := range 51 {
			var want []int64
			for _, e := range list {
				if e.id == id(i) {
					want = append(want, e.at)
				}
			}
			if got := x.find(id(i)); !slices.Equal(got, want) {
				t.Fatalf("%d places, want %d", len(got), len(want))
			}
		}
		if len(x.levels) > 12 {
			t.Errorf("%d levels for %d entries", len(x.levels), len(list))
		}
	}
}
