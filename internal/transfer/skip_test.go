package transfer

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"
)

// TestSkip: the first bytes are taken from the existing target, and the
// complete file replaces it.
func TestSkip(t *testing.T) {
	const size = 4*blockSize + 100
	b := content(1, size)
	for _, c := range []struct {
		sender, receiver int64
		existing         int // bytes of the target
	}{
		{0, 1, size}, {0, 1, 1}, {0, blockSize, blockSize}, {0, 2*blockSize + 17, 3 * blockSize}, {0, size, size}, {0, size, size + 5},
		{5, 5, 5}, {5, blockSize + 1, 2 * blockSize}, {blockSize, blockSize, blockSize}, {blockSize + 7, 3 * blockSize, 3 * blockSize},
		{size, size, size}, {size - 1, size - 1, size}, {size - 1, size, size},
	} {
		for _, mode := range []string{"inline", "delayed"} {
			t.Run(fmt.Sprintf("%d/%d/%s", c.sender, c.receiver, mode), func(t *testing.T) {
				w := newWorld(t, 1)
				if mode == "delayed" {
					w.exec = &delayed{rng: w.rng}
				}
				w.link.loss = 0.1
				src, dir := place(t, b)
				target := filepath.Join(dir, "target")
				writeFile(t, target, append(b[:min(c.existing, size):min(c.existing, size)], make([]byte, max(c.existing-size, 0))...))
				w.connect(SenderConfig{Path: src, Skip: c.sender}, ReceiverConfig{Dir: dir, Name: "target", Skip: c.receiver})
				if serr, rerr := w.finish(); serr != nil || rerr != nil {
					t.Fatalf("sender: %v, receiver: %v", serr, rerr)
				}
				wantFile(t, target, b)
				wantOnly(t, dir, "target")
				for _, e := range w.link.ranges {
					if e.off < c.receiver {
						t.Errorf("%d bytes at %d were sent", e.n, e.off)
					}
				}
				if p := w.s.Progress(); p.Resumed != c.receiver-c.sender || p.Safe != size-c.sender || p.Total != size-c.sender {
					t.Errorf("progress %+v", p)
				}
			})
		}
	}
}

func TestSkipsThatDoNotFit(t *testing.T) {
	b := content(1, 3*blockSize)
	for name, c := range map[string]struct {
		sender, receiver int64
		existing         []byte
	}{
		"only the sender":    {10, 0, nil},
		"receiver less":      {10, 9, b},
		"beyond the file":    {0, 3*blockSize + 1, append(b[:len(b):len(b)], 1, 2, 3)},
		"another beginning":  {0, blockSize + 10, bytes.Repeat([]byte{1}, 2*blockSize)},
		"shorter than skips": {0, 100, b[:99]},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1)
			src, dir := place(t, b)
			if c.existing != nil {
				writeFile(t, filepath.Join(dir, "file.bin"), c.existing)
			}
			w.connect(SenderConfig{Path: src, Skip: c.sender}, ReceiverConfig{Dir: dir, Skip: c.receiver})
			serr, rerr := w.finish()
			wantKind(t, "sender", serr, BadSkip, true)
			wantKind(t, "receiver", rerr, BadSkip, false)
			if c.existing != nil {
				wantFile(t, filepath.Join(dir, "file.bin"), c.existing)
			}
		})
	}
}

func TestKilledSkipContinues(t *testing.T) {
	b := content(2, 8*blockSize)
	for seed := range 8 {
		w := newWorld(t, uint64(seed))
		w.link.batch, w.link.piece = 30, 9000
		src, dir := place(t, b)
		target := filepath.Join(dir, "file.bin")
		writeFile(t, target, b[:3*blockSize+5])
		cfg := ReceiverConfig{Dir: dir, Skip: 3*blockSize + 5}
		w.exec = &delayed{rng: w.rng}
		w.connect(SenderConfig{Path: src, Skip: 9}, cfg)
		for range w.rng.IntN(30) {
			w.round()
			w.now = w.now.Add(journalPeriod / 4)
		}
		wantFile(t, target, b[:3*blockSize+5])
		w.crash()
		safe := journaled(t, dir, "file.bin")
		w.exec = &delayed{rng: w.rng}
		w.connect(SenderConfig{Path: src, Skip: 9}, cfg)
		w.each = func() {
			if _, is := w.r.disk.data.(watched); w.r.disk.data != nil && !is {
				w.r.disk.data = watched{w.r.disk.data, func(off int64) {
					if off%blockSize == 0 && off > 0 && safe[off/blockSize] {
						t.Errorf("seed %d: block %d was copied again", seed, off/blockSize)
					}
				}}
				w.r.asm.file = w.r.disk.data
			}
		}
		if serr, rerr := w.finish(); serr != nil || rerr != nil {
			t.Fatalf("seed %d: sender: %v, receiver: %v", seed, serr, rerr)
		}
		wantNotSent(t, w, safe)
		wantFile(t, target, b)
		wantOnly(t, dir, "file.bin")
	}
}

// watched tells of every write.
type watched struct {
	dataFile
	wrote func(off int64)
}

func (w watched) WriteAt(p []byte, off int64) (int, error) {
	w.wrote(off)
	return w.dataFile.WriteAt(p, off)
}
