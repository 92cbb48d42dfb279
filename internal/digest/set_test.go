package digest

import (
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/zeebo/blake3"
)

// sumsOf is the digests of a file's slabs.
func sumsOf(b []byte) (sums []Sum) {
	for i := 0; i*Block < len(b); i++ {
		sums = append(sums, slab(b[i*Block:min((i+1)*Block, len(b))], int64(i)))
	}
	return sums
}

// made is n digests of something.
func made(n int) []Sum {
	sums := make([]Sum, n)
	for i := range sums {
		sums[i] = File([]byte{byte(i), byte(i >> 8), byte(i >> 16)})
	}
	return sums
}

// fill puts sums into a set in the given order, and checks Has on the way.
func fill(t *testing.T, sums []Sum, order []int) *Set {
	t.Helper()
	s := NewSet(int64(len(sums)))
	for k, i := range order {
		if s.Complete() || s.Has(int64(i)) {
			t.Fatalf("before put %d: complete %v, has %d: %v", k, s.Complete(), i, s.Has(int64(i)))
		}
		if _, ok := s.File(); ok {
			t.Fatalf("before put %d there is a hash of the file", k)
		}
		s.Put(int64(i), sums[i])
		if !s.Has(int64(i)) {
			t.Fatalf("after put %d: has not %d", k, i)
		}
	}
	if !s.Complete() {
		t.Fatal("not complete after all")
	}
	return s
}

func TestSetFoldsInOrderWhateverComesFirst(t *testing.T) {
	b := content(1, 5*Block+333)
	sums := sumsOf(b)
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		s := fill(t, sums, r.Perm(len(sums)))
		if s.Sum() != derived(setContext, sums) {
			t.Fatal("the digest of the set is wrong")
		}
		if sum, ok := s.File(); !ok || sum != blake3.Sum256(b) {
			t.Fatal("the hash of the file is wrong")
		}
	}
}

func TestSetOfAnySize(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{0, 1, 2, 3, 31, 32, 33, 63, 64, 65, 127, 128, 129, 1000, 4096} {
		sums := made(n)
		var tree Tree
		for _, sum := range sums {
			tree.Add(sum)
		}
		s := fill(t, sums, r.Perm(n))
		if s.Sum() != derived(setContext, sums) {
			t.Errorf("%d slabs: the digest of the set is wrong", n)
		}
		sum, ok := s.File()
		if ok != (n > 1) || sum != tree.Sum() {
			t.Errorf("%d slabs: the hash of the file is wrong (%v)", n, ok)
		}
		if len(s.pages) != 0 {
			t.Errorf("%d slabs: %d pages are left", n, len(s.pages))
		}
	}
}

func TestMarkOfAHoleIsPartOfTheSetAndNotOfTheFile(t *testing.T) {
	for hole := range 4 {
		sums := made(4)
		without := fill(t, sums, []int{3, 0, 2, 1}).Sum()
		sums[hole] = Sum{}
		s := fill(t, sums, []int{1, 3, 2, 0})
		if s.Sum() != derived(setContext, sums) || s.Sum() == without {
			t.Errorf("hole %d: the digest of the set is wrong", hole)
		}
		if _, ok := s.File(); ok {
			t.Errorf("hole %d: there is a hash of the file", hole)
		}
	}
}

func TestHolesJoinByTheirTrueValue(t *testing.T) {
	b := content(2, 4*Block+100)
	clear(b[Block : 2*Block])
	clear(b[4*Block:])
	s := NewSet(5)
	for i, sum := range sumsOf(b) {
		switch i {
		case 1:
			sum = Hole(1, Block)
		case 4:
			sum = Hole(4, 100)
		}
		s.Put(int64(i), sum)
	}
	if sum, ok := s.File(); !ok || sum != blake3.Sum256(b) {
		t.Error("the hash of the file is wrong")
	}
}

func TestTreeOfLessThanTwoSlabsHasNoHash(t *testing.T) {
	var tree Tree
	if tree.Sum() != (Sum{}) {
		t.Error("of nothing")
	}
	tree.Add(Sum{1})
	if tree.Sum() != (Sum{}) {
		t.Error("of one slab")
	}
}

func TestTreeMayBeAskedOnTheWay(t *testing.T) {
	b := content(3, 9*Block)
	var tree Tree
	for i, sum := range sumsOf(b) {
		tree.Add(sum)
		if i > 0 && tree.Sum() != blake3.Sum256(b[:(i+1)*Block]) {
			t.Errorf("after %d slabs the hash is wrong", i+1)
		}
	}
}

// TestSetNeedsMemoryForTheSpreadOnly: a file of 64 TiB whose slabs come nearly
// in order must cost no more than a small one.
func TestSetNeedsMemoryForTheSpreadOnly(t *testing.T) {
	const n = 1 << 17
	s := NewSet(1 << 26)
	r := rand.New(rand.NewPCG(5, 6))
	for at := int64(0); at < n; at += 256 {
		for _, k := range r.Perm(256) {
			s.Put(at+int64(k), Sum{byte(k)})
		}
		if len(s.pages) > 1 {
			t.Fatalf("%d pages after %d slabs", len(s.pages), at+256)
		}
	}
	if s.next != n {
		t.Errorf("%d slabs are folded of %d", s.next, n)
	}
}

// TestThousandsOfSetsFit: there is one for each file that is on its way.
func TestThousandsOfSetsFit(t *testing.T) {
	sets := make([]*Set, 1000)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range sets {
		sets[i] = NewSet(3)
		sets[i].Put(2, Sum{1})
		sets[i].Put(0, Sum{2})
	}
	runtime.ReadMemStats(&after)
	if got := (after.TotalAlloc - before.TotalAlloc) / 1000; got > 1200 {
		t.Errorf("a set needs %d bytes", got)
	}
	runtime.KeepAlive(sets)
}

func BenchmarkSet(b *testing.B) {
	s := NewSet(1 << 46)
	i := int64(0)
	for b.Loop() {
		s.Put(i^1, Sum{byte(i)})
		i++
	}
}
