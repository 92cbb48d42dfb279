package squeeze

import (
	"bytes"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

const mbit = 1e6 / 8 // bytes/s

func TestLogTextShrinksFourfold(t *testing.T) {
	text := logText(8 * maxBlock)
	e := atSpeed(300e6)
	sent := 0
	for b := text; len(b) > 0; b = b[maxBlock:] {
		out := blockOf(t, e, b[:maxBlock], 20*mbit)
		sent += len(out)
		back := make([]byte, maxBlock)
		if err := Decode(back, out); err != nil || !bytes.Equal(back, b[:maxBlock]) {
			t.Fatalf("the block did not come back: %v", err)
		}
	}
	if ratio := float64(len(text)) / float64(sent); ratio < 4 {
		t.Errorf("log text shrank to 1/%.2f", ratio)
	}
}

func TestNoiseIsSentAsItIs(t *testing.T) {
	for name, b := range map[string][]byte{
		"random": noise(maxBlock), "gzip": gzipped(maxBlock), "short": noise(5000), "sample": noise(64 << 10), "odd": noise(70_001),
	} {
		for _, rate := range []float64{0, 1, 20 * mbit, 1e12} {
			if _, ok := atSpeed(1e9).Block(make([]byte, 0, len(b)), b, rate); ok {
				t.Errorf("%s was compressed at %g bytes/s", name, rate)
			}
		}
	}
}

// TestNoiseEndsAtTheSample: the two levels that blocks are compressed with are
// not called.
func TestNoiseEndsAtTheSample(t *testing.T) {
	for name, b := range map[string][]byte{"random": noise(maxBlock), "gzip": gzipped(maxBlock)} {
		e := atSpeed(1e9)
		e.fast, e.better = nil, nil // calling them would panic
		if _, ok := e.Block(make([]byte, 0, len(b)), b, 0); ok {
			t.Errorf("%s was compressed", name)
		}
	}
}

func TestRateOfThePathDecides(t *testing.T) {
	text := logText(maxBlock)
	for _, c := range []struct {
		speed, rate float64
		want        string
	}{
		{400e6, 0, "fast"},
		{400e6, 400e6 / 31, "fast"},
		{400e6, 400e6 / 33, "better"},
		{400e6, 400e6 / 4.1, "fast"},
		{400e6, 400e6 / 3.9, "none"},
		{400e6, 1e15, "none"},
		{10e6, 20 * mbit, "fast"},
		{9e6, 20 * mbit, "none"},
		{80.1e6, 20 * mbit, "better"},
		{1, 0, "fast"},
	} {
		e := atSpeed(c.speed)
		got := "none"
		switch e.choose(make([]byte, 0, len(text)), text, c.rate) {
		case e.fast:
			got = "fast"
		case e.better:
			got = "better"
		}
		if got != c.want {
			t.Errorf("%g bytes/s on a path of %g: %s, want %s", c.speed, c.rate, got, c.want)
		}
	}
}

func TestCoarseClockIsNoReasonNotToCompress(t *testing.T) {
	text := logText(maxBlock)
	stopped := NewEncoder((&clock{}).now)
	backwards := NewEncoder((&clock{step: -time.Second}).now)
	for _, e := range []*Encoder{stopped, backwards} {
		blockOf(t, e, text, 0)
		blockOf(t, e, text, 20*mbit)
		if _, ok := e.Block(make([]byte, 0, maxBlock), text, 1000*mbit); ok {
			t.Error("a path of 1 Gbit/s was taken for slow")
		}
	}
}

func TestBase64OfNoiseShrinks(t *testing.T) {
	b := encoded(maxBlock)
	if out := blockOf(t, atSpeed(1e9), b, 20*mbit); len(out) > len(b)*77/100 {
		t.Errorf("%d bytes of %d remain", len(out), len(b))
	}
}

// TestTextAmongNoiseIsFound: a pack may hold pictures and text in any order.
func TestTextAmongNoiseIsFound(t *testing.T) {
	for _, at := range []int{0, 1, 2, 3} {
		b := noise(maxBlock)
		copy(b[at*maxBlock/4:], logText(maxBlock/4))
		if out := blockOf(t, atSpeed(300e6), b, 20*mbit); len(out) > len(b)*83/100 {
			t.Errorf("text in quarter %d: %d bytes of %d remain", at, len(out), len(b))
		}
	}
}

// TestSampleMayBeWrong: what does not shrink after all is sent as it is.
func TestSampleMayBeWrong(t *testing.T) {
	b := noise(maxBlock)
	copy(b, logText(partSize))
	if _, ok := atSpeed(300e6).Block(make([]byte, 0, maxBlock), b, 0); ok {
		t.Error("a block with a little text was compressed")
	}
}

// TestBlockNeedsNoMoreThanItsPlace: the engine's buffers are counted.
func TestBlockNeedsNoMoreThanItsPlace(t *testing.T) {
	for _, n := range []int{1 << 10, 5000, 64 << 10, 64<<10 + 1, 300_000, maxBlock} {
		for name, content := range map[string]func(int) []byte{
			"text": logText, "zeros": func(n int) []byte { return make([]byte, n) }, "base64": encoded,
		} {
			src := content(n)
			kept := bytes.Clone(src)
			place := make([]byte, n+10)
			dst := place[5 : 5 : n+5]
			out, ok := atSpeed(300e6).Block(dst, src, 1)
			if !ok {
				t.Errorf("%d bytes of %s were not compressed", n, name)
				continue
			}
			if &out[0] != &place[5] || len(out) > n-n/minGain {
				t.Errorf("%d bytes of %s: %d bytes elsewhere", n, name, len(out))
			}
			if !bytes.Equal(place[:5], make([]byte, 5)) || !bytes.Equal(place[n+5:], make([]byte, 5)) || !bytes.Equal(src, kept) {
				t.Errorf("%d bytes of %s: something else was written to", n, name)
			}
			back := make([]byte, n)
			if err := Decode(back, out); err != nil || !bytes.Equal(back, src) {
				t.Errorf("%d bytes of %s did not come back: %v", n, name, err)
			}
		}
	}
}

func TestBlocksOutsideTheBoundsAreLeftAlone(t *testing.T) {
	for _, n := range []int{0, 1, minBlock - 1, maxBlock + 1} {
		if _, ok := atSpeed(1e9).Block(make([]byte, 0, n), make([]byte, n), 0); ok {
			t.Errorf("%d bytes were compressed", n)
		}
	}
}

func TestManyCompressAtTheSameTime(t *testing.T) {
	e := NewEncoder(time.Now)
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			src := append(logText(200_000), noise(10*i)...)
			for _, rate := range []float64{0, 1, 1} {
				out, ok := e.Block(make([]byte, 0, len(src)), src, rate)
				back := make([]byte, len(src))
				if !ok || Decode(back, out) != nil || !bytes.Equal(back, src) {
					t.Errorf("block %d did not come back", i)
				}
			}
		})
	}
	wg.Wait()
}

// TestEncoderHoldsWhatItSays: the engine must know what it spends.
func TestEncoderHoldsWhatItSays(t *testing.T) {
	e := NewEncoder(time.Now)
	workers := min(maxWorkers, runtime.GOMAXPROCS(0))
	text, dst := logText(maxBlock), make([]byte, 0, maxBlock)
	for name, level := range map[string]struct {
		z    *zstd.Encoder
		n    int
		most int64
	}{
		"samples": {e.trial, partSize, 1 << 20}, "fast": {e.fast, maxBlock, 2 << 20}, "better": {e.better, maxBlock, 6 << 20},
	} {
		before := heap()
		for range 4 * workers { // they take turns
			level.z.EncodeAll(text[:level.n], dst)
		}
		if got := heap() - before; got > level.most*int64(workers) {
			t.Errorf("%s: %d bytes for %d workers", name, got, workers)
		} else {
			t.Logf("%s: %d KiB for %d workers", name, got>>10, workers)
		}
	}
	runtime.KeepAlive(e)
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func BenchmarkBlock(b *testing.B) {
	for _, c := range []struct {
		name string
		src  []byte
		rate float64
	}{
		{"log fast", logText(maxBlock), 0},
		{"log better", logText(maxBlock), 1},
		{"base64 fast", encoded(maxBlock), 0},
		{"random", noise(maxBlock), 1},
		{"random, not in the cache", noise(64 * maxBlock), 1},
		{"gzip", gzipped(maxBlock), 1},
		{"zeros", make([]byte, maxBlock), 1},
	} {
		b.Run(c.name, func(b *testing.B) {
			e := NewEncoder(time.Now)
			dst := make([]byte, 0, maxBlock)
			b.SetBytes(maxBlock)
			b.ReportAllocs()
			n, at := maxBlock, 0
			for b.Loop() {
				src := c.src[at : at+maxBlock]
				at = (at + maxBlock) % len(c.src)
				if out, ok := e.Block(dst, src, c.rate); ok {
					n = len(out)
				}
			}
			b.ReportMetric(float64(maxBlock)/float64(n), "ratio")
		})
	}
}

func ExampleEncoder_Block() {
	e := NewEncoder(time.Now)
	src := bytes.Repeat([]byte("once more "), 1000)
	out, ok := e.Block(make([]byte, 0, len(src)), src, 0)
	back := make([]byte, len(src))
	err := Decode(back, out)
	fmt.Println(ok, len(out) < 100, bytes.Equal(back, src), err)
	// Output: true true true <nil>
}
