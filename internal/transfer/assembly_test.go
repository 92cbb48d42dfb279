package transfer

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// memFile is a scratch file in memory.
type memFile struct{ b []byte }

func (m *memFile) WriteAt(p []byte, off int64) (int, error) {
	if need := int(off) + len(p); need > len(m.b) {
		m.b = append(m.b, make([]byte, need-len(m.b))...)
	}
	return copy(m.b[off:], p), nil
}

func (m *memFile) ReadAt(p []byte, off int64) (int, error) { return copy(p, m.b[off:]), nil }

// yard is an assembly in a test: blocks of known content, and what came out.
type yard struct {
	t       *testing.T
	a       assembly
	exec    delayed
	scratch memFile
	blocks  [][]byte
	out     int
}

func newYard(t *testing.T, seed uint64, n int, spill bool) *yard {
	rng := rand.New(rand.NewPCG(seed, 5))
	y := &yard{t: t, a: newAssembly(leastMemory), exec: delayed{rng: rng}}
	y.a.run = y.exec.run
	if y.a.inOrder(); spill {
		y.a.reach = maxOpen
		y.a.scratch = &y.scratch
	}
	for i := range n {
		y.blocks = append(y.blocks, content(seed+uint64(i), 1+rng.IntN(blockSize)))
	}
	y.a.failed = func(err error) { t.Fatal(err) }
	y.a.whole = func(b *block, buf []byte) {
		if !bytes.Equal(buf[:b.ann.payload], y.blocks[b.index]) {
			t.Fatalf("block %d is not what was sent", b.index)
		}
		y.out++
		y.a.pool.give(buf)
		y.a.settle(b.index)
	}
	return y
}

// put sends a piece of a block, and reports whether it was taken.
func (y *yard) put(i, lo, hi int) bool {
	y.t.Helper()
	taken, bad := y.a.put(y.blocks[i][lo:hi], int64(i)<<blockShift+int64(lo))
	if bad {
		y.t.Fatalf("bytes %d to %d of block %d called wrong", lo, hi, i)
	}
	if p := &y.a.pool; p.used > p.limit || p.used < 0 {
		y.t.Fatalf("%d buffers of %d", p.used, p.limit)
	}
	return taken
}

func (y *yard) announce(i int) {
	if !y.a.announce(&announcement{index: int64(i), payload: int64(len(y.blocks[i])), items: []*item{{}}}) {
		y.t.Fatalf("announcement of block %d refused", i)
	}
}

// rest lets all works end.
func (y *yard) rest() {
	for y.exec.round() {
		y.a.advance()
	}
	y.a.advance()
}

// TestBlocksComeTogetherInAnyOrder: pieces and announcements in any order,
// with more blocks open than there are buffers.
func TestBlocksComeTogetherInAnyOrder(t *testing.T) {
	for _, spill := range []bool{true, false} {
		for seed := range seeds(8) {
			y := newYard(t, seed, 40, spill)
			type part struct{ i, lo, hi int }
			var parts []part
			for i, b := range y.blocks {
				size := 1 + y.exec.rng.IntN(len(b))
				for lo := 0; lo < len(b); lo += size {
					parts = append(parts, part{i, max(0, lo-y.exec.rng.IntN(100)), min(len(b), lo+size)})
				}
				parts = append(parts, part{i, -1, 0})
			}
			reach := 1 << 6 // how far out of order things come
			for rounds := 0; len(parts) > 0; rounds++ {
				if rounds > 200_000 {
					t.Fatalf("seed %d, spill %v: stands still with %d of %d blocks", seed, spill, y.out, len(y.blocks))
				}
				k := y.exec.rng.IntN(min(reach, len(parts)))
				p := parts[k]
				if p.lo < 0 {
					y.announce(p.i)
				} else if !y.put(p.i, p.lo, p.hi) {
					y.exec.round()
					y.a.advance()
					continue
				}
				parts = append(parts[:k], parts[k+1:]...)
				if y.exec.rng.IntN(4) == 0 {
					y.exec.round()
					y.a.advance()
				}
			}
			y.rest()
			if y.out != len(y.blocks) || y.a.pool.used != 0 || y.a.lack != 0 || y.a.ranges != 0 || y.a.low != int64(len(y.blocks)) {
				t.Errorf("seed %d, spill %v: %d of %d blocks, %d buffers, lack %d, %d ranges, low %d",
					seed, spill, y.out, len(y.blocks), y.a.pool.used, y.a.lack, y.a.ranges, y.a.low)
			}
			if n := len(y.scratch.b); n > 40*blockSize {
				t.Errorf("the scratch file has %d bytes", n)
			}
		}
	}
}

// TestKilledBlockLeavesNothing: whatever it had, its memory is free again.
func TestKilledBlockLeavesNothing(t *testing.T) {
	y := newYard(t, 3, 12, true)
	for i := range y.blocks {
		y.announce(i)
		for !y.put(i, 0, len(y.blocks[i])/2) {
			y.exec.round()
			y.a.advance()
		}
	}
	for _, b := range y.a.opened() {
		y.a.kill(b)
	}
	y.rest()
	if y.a.pool.used != 0 || y.a.lack != 0 || y.a.ranges != 0 || y.a.low != int64(len(y.blocks)) || len(y.a.open) != 0 {
		t.Errorf("%d buffers, lack %d, %d ranges, low %d, %d open", y.a.pool.used, y.a.lack, y.a.ranges, y.a.low, len(y.a.open))
	}
}

// TestSpansAreASet compares spans with a plain array.
func TestSpansAreASet(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var s spans
		var have [200]bool
		for range 60 {
			lo := rng.IntN(len(have))
			hi := lo + 1 + rng.IntN(len(have)-lo)
			want := false
			for k := lo; k < hi; k++ {
				want = want || !have[k]
				have[k] = true
			}
			if fresh, ok := s.add(uint32(lo), uint32(hi), 1000); !ok || fresh != want {
				t.Fatalf("add(%d, %d): fresh %v, ok %v, want %v", lo, hi, fresh, ok, want)
			}
		}
		for k := range have {
			in := false
			for _, x := range s.list {
				in = in || uint32(k) >= x.lo && uint32(k) < x.hi
			}
			if in != have[k] {
				t.Fatalf("position %d: %v, want %v in %v", k, in, have[k], s.list)
			}
		}
	}
}
