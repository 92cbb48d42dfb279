package transfer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/zeebo/blake3"
)

// drip gives a stream in pieces of a random length.
type drip struct {
	b    []byte
	most int
	rng  *rand.Rand
	err  error // at the end
	read int
}

func dripping(b []byte, most int, err error) *drip {
	return &drip{b: b, most: most, rng: rand.New(rand.NewPCG(uint64(len(b)), 1)), err: err}
}

func (d *drip) Read(p []byte) (int, error) {
	if len(d.b) == d.read {
		return 0, d.err
	}
	n := copy(p[:min(len(p), 1+d.rng.IntN(d.most))], d.b[d.read:])
	d.read += n
	return n, nil
}

func TestStreamIsSentAsItComes(t *testing.T) {
	for _, size := range []int{0, 1, 5000, blockSize, 6*blockSize + 3} {
		for _, most := range []int{3000, 64 << 10, 2 << 20} {
			for _, mode := range []string{"at once", "later", "beside"} {
				if size > blockSize && most == 3000 {
					continue // slow
				}
				for _, b := range [][]byte{noise(1, size), prose(1, size)} {
					k := newTaker(t, uint64(size+most))
					k.mode(mode)
					k.loss = 0.1
					cfg := SenderConfig{Stream: dripping(b, most, io.EOF), Checksum: true}
					cfg.Walk.Name = "pipe"
					k.serve(cfg)
					if err := k.run(); err != nil {
						t.Fatal(err)
					}
					if !bytes.Equal(k.streams, b) || k.entries[0].Name != "pipe" || k.heard[msgEnded] != 1 {
						t.Errorf("%d of %d bytes came, heard %v", len(k.streams), len(b), k.heard)
					}
					p := k.s.Progress()
					if p.Size != int64(size) || p.Safe != p.Size || !p.Counted || p.FileSum != sumText(blake3.Sum256(b)) || p.Name != "pipe" {
						t.Errorf("progress %+v", p)
					}
					if k.zipped > 0 && p.Sent >= p.Size {
						t.Errorf("compressed to %d of %d bytes", p.Sent, p.Size)
					}
				}
			}
		}
	}
}

func TestSpoiltBlockOfAStreamIsSentFromMemory(t *testing.T) {
	b := prose(3, 10*blockSize)
	k := newTaker(t, 1)
	k.mode("later")
	k.spoil = func(block, at int64, p []byte) {
		if at == 0 && (block == 1 || block == 4) {
			p[0] ^= 1
		}
	}
	k.serve(SenderConfig{Stream: bytes.NewReader(b)})
	if err := k.run(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(k.streams, b) || k.s.Progress().Resent == 0 {
		t.Errorf("%d bytes came: %+v", len(k.streams), k.s.Progress())
	}
}

// endless is a stream that never ends, and counts what was read.
type endless struct{ read chan int }

func (e endless) Read(p []byte) (int, error) {
	e.read <- len(p)
	return len(p), nil
}

// TestSlowReceiverHoldsAStreamBack: of a stream that nobody takes, no more is
// read than fits in memory.
func TestSlowReceiverHoldsAStreamBack(t *testing.T) {
	for _, memory := range []int64{leastMemory, defaultMemory} {
		k := newTaker(t, 1)
		e := endless{make(chan int, 1000)}
		k.silent = true // nothing is safe
		k.zstd = false
		cfg := SenderConfig{Stream: e}
		cfg.Memory = memory
		k.serve(cfg)
		for range 3000 {
			k.round()
		}
		k.s.Stop(nil)
		k.s.Step(k.now)
		wantFailure(t, k.run(), Canceled, false)
		var read int64
		for n := len(e.read); n > 0; n-- {
			read += int64(<-e.read)
		}
		if read > memory || read < memory/3 {
			t.Errorf("%d bytes were read with a memory of %d", read, memory)
		}
		if n := k.last; n > maxStreamAhead {
			t.Errorf("%d blocks were announced and none is safe", n)
		}
	}
}

// TestLiveDataLeavesAtOnce: what a pipe has is not held back for a full block.
func TestLiveDataLeavesAtOnce(t *testing.T) {
	r, w := io.Pipe()
	k := newTaker(t, 1)
	k.mode("beside")
	k.serve(SenderConfig{Stream: r})
	for n := range 20 {
		line := fmt.Appendf(nil, "line %d\n", n)
		go w.Write(line)
		for len(k.streams) == 0 || !bytes.HasSuffix(k.streams, line) {
			k.round()
		}
	}
	if k.counts[len(k.counts)-1].final {
		t.Errorf("counts %+v before the end", k.counts)
	}
	go w.Close()
	if err := k.run(); err != nil {
		t.Fatal(err)
	}
	if last := k.counts[len(k.counts)-1]; last != (count{1, int64(len(k.streams)), true}) {
		t.Errorf("at last it counts %+v", last)
	}
}

// TestBlockedReadDoesNotHoldUpTheEnd: a pipe into which nobody writes.
func TestBlockedReadDoesNotHoldUpTheEnd(t *testing.T) {
	for name, end := range map[string]func(k *taker){
		"stop":        func(k *taker) { k.s.Stop(nil); k.s.Step(k.now) },
		"peer closed": func(k *taker) { k.s.PeerClosed(errors.New("gone")) },
		"close":       func(k *taker) { k.s.Close() },
		"abort":       func(k *taker) { k.says(msgAbort, appendVerdict(nil, reason{Canceled, ""})) },
	} {
		t.Run(name, func(t *testing.T) {
			r, w := io.Pipe()
			defer w.Close() // lets the goroutine end
			k := newTaker(t, 1)
			k.mode("beside")
			k.serve(SenderConfig{Stream: r})
			go w.Write([]byte("x"))
			for len(k.streams) == 0 {
				k.round()
			}
			end(k)
			if err := k.run(); err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestStreamThatFailsEndsTheTransfer(t *testing.T) {
	for _, c := range []io.Reader{
		dripping(noise(1, 3*blockSize), 1<<20, errors.New("tape torn")),
		dripping(noise(1, 10), 100, nil), // nothing, again and again
		boaster{},
	} {
		k := newTaker(t, 1)
		k.mode("later")
		k.serve(SenderConfig{Stream: c})
		wantFailure(t, k.run(), Unreadable, false)
		if k.heard[msgAbort] != 1 {
			t.Errorf("heard %v", k.heard)
		}
	}
}

// boaster says that it has read more than it was asked for.
type boaster struct{}

func (boaster) Read(p []byte) (int, error) { return len(p) + 1, nil }

func TestRefusedStreamIsNotRead(t *testing.T) {
	for _, v := range []verdict{verdictSkip, verdictRefused} {
		k := newTaker(t, 1)
		d := dripping(noise(1, 10), 100, io.EOF)
		k.judging = func(*takerEntry) verdict { return v }
		k.serve(SenderConfig{Stream: d})
		if err := k.run(); err != nil {
			t.Fatal(err)
		}
		if d.read != 0 {
			t.Errorf("%d bytes were read", d.read)
		}
	}
}
