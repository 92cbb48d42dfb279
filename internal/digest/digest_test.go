package digest

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/zeebo/blake3"
	"lukechampine.com/blake3/guts"
)

// content is n bytes that look random.
func content(seed byte, n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{seed})
	r.Read(b) // never fails
	return b
}

// slab is Slab without pieces.
func slab(b []byte, i int64) Sum {
	sum, err := Slab(b, i, nil)
	if err != nil {
		panic(err) // only each can fail
	}
	return sum
}

// joined is the hash of a file by way of its slabs.
func joined(b []byte) Sum {
	var t Tree
	for i := 0; i*Block < len(b); i++ {
		t.Add(slab(b[i*Block:min((i+1)*Block, len(b))], int64(i)))
	}
	return t.Sum()
}

// plainly is the chaining value of b, chunk by chunk, as section 2.1 of the
// BLAKE3 paper defines it.
func plainly(b []byte, chunk uint64) words {
	if len(b) <= guts.ChunkSize {
		return guts.ChainingValue(guts.CompressChunk(b, &guts.IV, chunk, 0))
	}
	chunks := uint64(len(b)-1) / guts.ChunkSize // before the last one
	left := uint64(1) << (bits.Len64(chunks) - 1)
	return guts.ChainingValue(guts.ParentNode(plainly(b[:left*guts.ChunkSize], chunk),
		plainly(b[left*guts.ChunkSize:], chunk+left), &guts.IV, 0))
}

// derived is BLAKE3 in key derivation mode by another implementation.
func derived(context string, sums []Sum) (out Sum) {
	h := blake3.NewDeriveKey(context)
	for _, s := range sums {
		h.Write(s[:]) // a hash.Hash never returns an error
	}
	h.Sum(out[:0])
	return out
}

func TestSlabsJoinIntoTheHashOfTheFile(t *testing.T) {
	const mib = 1 << 20
	sizes := []int{mib + 1, mib + 63, mib + 64, mib + 65, mib + 1023, mib + 1024, mib + 1025, mib + 2048, mib + 2049,
		mib + 16<<10 - 1, mib + 16<<10, mib + 16<<10 + 1, mib + 128<<10, mib + 128<<10 + 1, 2*mib - 1, 2 * mib, 2*mib + 1,
		3 * mib, 3*mib + 5, 4 * mib, 4*mib + 3000, 5 * mib, 6*mib - 1, 7*mib + 1, 8 * mib, 8*mib + 1, 15 * mib, 16 * mib,
		17*mib - 1, 31*mib + 500_000, 32 * mib, 33*mib + 777}
	whole := content(1, sizes[len(sizes)-1])
	r := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		sizes = append(sizes, mib+1+r.IntN(3*mib))
	}
	for _, n := range sizes {
		if joined(whole[:n]) != blake3.Sum256(whole[:n]) {
			t.Errorf("the slabs of %d bytes do not join into their hash", n)
		}
	}
}

func TestWholeFileHasItsPlainHash(t *testing.T) {
	whole := content(2, Block)
	sizes := []int{63, 64, 65, 1023, 1024, 1025, 2047, 2048, 2049, 3000, 8191, 8192, 8193, 16383, 16384, 16385, 17408,
		128<<10 - 1, 128 << 10, 128<<10 + 1, 512 << 10, 700_000, Block - 1, Block}
	for n := range 20 {
		sizes = append(sizes, n, n<<10, n<<14)
	}
	for _, n := range sizes {
		b := whole[:n:n]
		if File(b) != blake3.Sum256(b) {
			t.Errorf("the hash of %d bytes is wrong", n)
		}
		if sum, err := Whole(b, nil); err != nil || sum != File(b) {
			t.Errorf("%d bytes have another hash piecewise (%v)", n, err)
		}
	}
}

// TestSlabOfAHugeFileHasItsPlace: chunks are counted with 64 bits.
func TestSlabOfAHugeFileHasItsPlace(t *testing.T) {
	whole := content(3, Block)
	for _, i := range []int64{0, 1, 2, 1<<22 - 1, 1 << 22, 1<<22 + 1, 1<<26 - 1, 1 << 40} {
		for _, n := range []int{1, 1024, 1500, 16 << 10, 17_000, 100_000, Block - 1, Block} {
			if slab(whole[:n], i) != sumOf(plainly(whole[:n], uint64(i)*1024)) {
				t.Errorf("the value of %d bytes as slab %d is wrong", n, i)
			}
		}
	}
}

func TestHoleIsASlabOfZeros(t *testing.T) {
	zeros := make([]byte, Block)
	for _, i := range []int64{0, 1, 77, 1 << 22, 1<<26 - 1} {
		for _, n := range []int{1, 1024, 1025, 16 << 10, 16<<10 + 1, 300_000, Block - 1, Block} {
			if Hole(i, n) != slab(zeros[:n], i) {
				t.Errorf("a hole of %d bytes as slab %d is not zeros", n, i)
			}
		}
	}
}

func TestSlabAndFileNeverAgree(t *testing.T) {
	whole := content(4, Block)
	for _, n := range []int{1, 1024, 20_000, Block} {
		if slab(whole[:n], 0) == File(whole[:n]) {
			t.Errorf("%d bytes have the same digest as slab and as file", n)
		}
	}
}

func TestBlockIsHashedAsItIsFilled(t *testing.T) {
	for _, n := range []int{0, 1, 100_000, pieceSize, pieceSize + 5, Block - 1, Block} {
		want := content(5, n)
		got := make([]byte, n)
		next := int64(0)
		fill := func(piece []byte, at int64) error {
			if at != next || len(piece) > pieceSize {
				t.Errorf("a piece of %d bytes at %d, want %d", len(piece), at, next)
			}
			next += int64(len(piece))
			copy(piece, want[at:])
			return nil
		}
		sum, err := Whole(got, fill)
		if err != nil || !bytes.Equal(got, want) || sum != File(want) || next != int64(n) {
			t.Errorf("%d bytes as a file: filled to %d, %v", n, next, err)
		}
		clear(got)
		next = 0
		sum, err = Slab(got, 3, fill)
		if err != nil || !bytes.Equal(got, want) || sum != slab(want, 3) || next != int64(n) {
			t.Errorf("%d bytes as a slab: filled to %d, %v", n, next, err)
		}
	}
}

func TestFirstErrorOfAPieceEndsTheWork(t *testing.T) {
	broken := errors.New("broken")
	for _, last := range []int{1, 2, 8} {
		calls := 0
		each := func([]byte, int64) error {
			if calls++; calls == last {
				return broken
			}
			return nil
		}
		b := make([]byte, Block)
		if _, err := Slab(b, 1, each); err != broken || calls != last {
			t.Errorf("slab: %v after %d calls, want %d", err, calls, last)
		}
		calls = 0
		if _, err := Whole(b, each); err != broken || calls != last {
			t.Errorf("file: %v after %d calls, want %d", err, calls, last)
		}
	}
}

func TestPackIsAKeyDerivedFromItsFiles(t *testing.T) {
	var sums []Sum
	for n := range 1025 {
		if n < 70 || n%64 < 2 {
			if Pack(sums) != derived(packContext, sums) {
				t.Errorf("the digest of %d files is wrong", n)
			}
		}
		sums = append(sums, File([]byte{byte(n), byte(n >> 8)}))
	}
}

func TestHashingNeedsNoMemory(t *testing.T) {
	b := content(6, Block)
	for name, f := range map[string]func(){
		"file":  func() { File(b) },
		"small": func() { File(b[:5000]) },
		"slab":  func() { slab(b[:Block-1], 5) },
		"hole":  func() { Hole(5, Block) },
	} {
		if n := testing.AllocsPerRun(10, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func FuzzFileHasItsPlainHash(f *testing.F) {
	f.Add([]byte("abc"), uint16(1))
	f.Add(content(7, 1000), uint16(1100))
	f.Fuzz(func(t *testing.T, part []byte, times uint16) {
		if len(part)*int(times) > 4*Block {
			return
		}
		b := bytes.Repeat(part, int(times))
		if len(b) <= Block && File(b) != blake3.Sum256(b) || len(b) > Block && joined(b) != blake3.Sum256(b) {
			t.Errorf("the hash of %d bytes is wrong", len(b))
		}
	})
}

func BenchmarkFile(b *testing.B) {
	for _, n := range []int{100, 1 << 10, 4 << 10, 16 << 10, 64 << 10, Block - 1, Block} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			block := content(1, n)
			b.SetBytes(int64(n))
			for b.Loop() {
				File(block)
			}
		})
	}
}

func BenchmarkSlab(b *testing.B) {
	for _, n := range []int{Block - 1, Block} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			block := content(1, n)
			b.SetBytes(int64(n))
			for b.Loop() {
				Slab(block, 7, func([]byte, int64) error { return nil })
			}
		})
	}
}

func BenchmarkHole(b *testing.B) {
	b.SetBytes(Block)
	for b.Loop() {
		Hole(7, Block)
	}
}

func BenchmarkPack(b *testing.B) {
	sums := make([]Sum, 1024)
	b.ReportAllocs()
	for b.Loop() {
		Pack(sums)
	}
}
