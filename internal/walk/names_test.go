package walk

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestNamesComeBackSorted(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	var n names
	for _, count := range []int{0, 1, 10, 1000, 2 * keepNames, 3} { // the last in the room of the others
		var want []string
		for range count {
			name := strings.Repeat(string(rune('a'+rng.IntN(26))), 1+rng.IntN(30)) + strings.Repeat("x", rng.IntN(2)*rng.IntN(1000))
			want = append(want, name)
			n.add(name)
		}
		slices.Sort(want)
		want = slices.Compact(want)
		n.sort()
		if n.left() != len(want) || n.has("") || count > 0 && !n.has(want[0]) {
			t.Fatalf("%d names of %d", n.left(), len(want))
		}
		for _, name := range want {
			if got, ok := n.next(); !ok || string(got) != name {
				t.Fatalf("got %q, want %q", got, name)
			}
		}
		if _, ok := n.next(); ok {
			t.Error("a name too many")
		}
		n.reset()
	}
}

func TestNamesKeepLittleRoom(t *testing.T) {
	var n names
	for range keepNames + 1 {
		n.add("name")
	}
	if n.reset(); cap(n.at) > 0 || n.blocks != nil {
		t.Error("the room of many names is kept")
	}
}
