package squeeze

import (
	"bytes"
	"runtime"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// frame is src as one zstd frame, by an encoder that is not ours.
func frame(t testing.TB, src []byte, opts ...zstd.EOption) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil, opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	return z.EncodeAll(src, nil)
}

// blocks is a frame without a content size, made of blocks of one repeated byte:
// n of 128 KiB each, from 4 bytes each.
func blocks(n int) []byte {
	b := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x50} // magic, descriptor, window of 1 MiB
	for i := range n {
		header := 1<<1 | 128<<10<<3 // type 1 is a repeated byte
		if i == n-1 {
			header |= 1
		}
		b = append(b, byte(header), byte(header>>8), byte(header>>16), 'x')
	}
	return b
}

func TestBombIsRefused(t *testing.T) {
	big := make([]byte, 64<<20)
	small := frame(t, make([]byte, 1000))
	for name, c := range map[string]struct {
		src []byte
		n   int
	}{
		"larger than told":      {frame(t, big), maxBlock},
		"one byte larger":       {frame(t, make([]byte, 5001)), 5000},
		"smaller than told":     {frame(t, make([]byte, 4999)), 5000},
		"without size":          {blocks(10_000), maxBlock},
		"without size, a bit":   {blocks(1), 128<<10 - 1},
		"without size, shorter": {blocks(1), 128<<10 + 1},
		"a frame too many":      {append(bytes.Clone(small), small...), 1000},
		"large window":          {frame(t, big, zstd.WithWindowSize(32<<20), zstd.WithSingleSegment(false)), maxBlock},
		"more than a block":     {frame(t, big[:maxBlock+1]), maxBlock + 1},
		"nothing":               {nil, 1},
		"for nothing":           {nil, 0},
		"not shorter":           {frame(t, noise(2000)), 2000},
		"with a dictionary":     {[]byte{0x28, 0xb5, 0x2f, 0xfd, 0x21, 7, 10, 0x53, 0, 0, 'x'}, 10},
	} {
		if err := Decode(make([]byte, c.n), c.src); err == nil {
			t.Errorf("%s: not refused", name)
		}
	}
	if err := Decode(make([]byte, 1<<20), blocks(8)); err != nil {
		t.Errorf("what is no bomb was refused: %v", err)
	}
}

// TestBombCostsNoMemory: what is allocated before a bomb is recognised is
// bounded by a small multiple of the block.
func TestBombCostsNoMemory(t *testing.T) {
	dst := make([]byte, maxBlock)
	for name, src := range map[string][]byte{"repeats": blocks(10_000), "size": frame(t, make([]byte, 64<<20))} {
		Decode(dst, src) // so that the decoder has its tables
		const rounds = 8
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range rounds {
			Decode(dst, src)
		}
		runtime.ReadMemStats(&after)
		if got := (after.TotalAlloc - before.TotalAlloc) / rounds; got > 2*maxBlock {
			t.Errorf("%s: %d bytes were allocated", name, got)
		}
	}
}

func TestDecodeWritesNowhereElse(t *testing.T) {
	for _, src := range [][]byte{logText(3000), make([]byte, 100_000), logText(maxBlock)} {
		out := blockOf(t, atSpeed(300e6), src, 1)
		for _, short := range []int{0, 1, 17, len(src) / 2} {
			place := bytes.Repeat([]byte{0xaa}, len(src)+200)
			n := len(src) - short
			err := Decode(place[100:100+n], out)
			if (err == nil) != (short == 0) {
				t.Errorf("%d bytes for %d: %v", len(src), n, err)
			}
			if len(bytes.Trim(place[:100], "\xaa")) > 0 || len(bytes.Trim(place[100+n:], "\xaa")) > 0 {
				t.Errorf("%d bytes for %d: something else was written to", len(src), n)
			}
		}
	}
}

func TestCutBlockIsRefused(t *testing.T) {
	src := logText(4000)
	out := blockOf(t, atSpeed(300e6), src, 1)
	back := make([]byte, len(src))
	for n := range out {
		if Decode(back, out[:n]) == nil {
			t.Errorf("%d bytes of %d were enough", n, len(out))
		}
	}
}

func TestManyDecodeAtTheSameTime(t *testing.T) {
	src := logText(200_000)
	out := blockOf(t, atSpeed(300e6), src, 1)
	spoilt := bytes.Clone(out)
	spoilt[len(spoilt)/2] ^= 1
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				back := make([]byte, len(src))
				Decode(back, spoilt) // may or may not be noticed: blocks have digests
				if err := Decode(back, out); err != nil || !bytes.Equal(back, src) {
					t.Errorf("the block did not come back: %v", err)
				}
			}
		})
	}
	wg.Wait()
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(nil), uint32(0))
	f.Add(blocks(1), uint32(128<<10))
	f.Add(blocks(3), uint32(300_000))
	f.Add(frame(f, logText(3000)), uint32(3000))
	f.Add(frame(f, make([]byte, 5000)), uint32(5001))
	f.Fuzz(func(t *testing.T, src []byte, n uint32) {
		place := bytes.Repeat([]byte{0xaa}, int(n%(maxBlock+1))+64)
		dst := place[:len(place)-64]
		err := Decode(dst, src)
		if len(bytes.Trim(place[len(dst):], "\xaa")) > 0 {
			t.Fatal("it wrote behind the block")
		}
		if err != nil {
			return
		}
		z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		if want, err := z.DecodeAll(src, nil); err != nil || !bytes.Equal(want, dst) {
			t.Fatalf("another decoder says something else: %v", err)
		}
	})
}

func FuzzBlockComesBack(f *testing.F) {
	f.Add(logText(300), uint16(10), 1.0)
	f.Add(make([]byte, 100), uint16(700), 0.0)
	f.Add(encoded(1500), uint16(1), 1e6)
	e := NewEncoder((&clock{step: 1000}).now)
	f.Fuzz(func(t *testing.T, part []byte, times uint16, rate float64) {
		if len(part)*int(times) > maxBlock {
			return
		}
		src := bytes.Repeat(part, int(times))
		out, ok := e.Block(make([]byte, 0, len(src)), src, rate)
		if !ok {
			return
		}
		back := make([]byte, len(src))
		if err := Decode(back, out); err != nil || !bytes.Equal(back, src) || len(out) >= len(src) {
			t.Fatalf("%d bytes as %d: %v", len(src), len(out), err)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	for name, src := range map[string][]byte{"log": logText(maxBlock), "base64": encoded(maxBlock)} {
		b.Run(name, func(b *testing.B) {
			out, ok := atSpeed(300e6).Block(make([]byte, 0, maxBlock), src, 1)
			if !ok {
				b.Fatal("not compressed")
			}
			dst := make([]byte, maxBlock)
			b.SetBytes(maxBlock)
			b.ReportAllocs()
			for b.Loop() {
				Decode(dst, out)
			}
		})
	}
}
