package transfer

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestWholeFileArrives(t *testing.T) {
	sizes := []int{0, 1, blockSize - 1, blockSize, blockSize + 1, 3*blockSize + 12345}
	for _, size := range sizes {
		for _, mode := range []string{"inline", "delayed", "workers"} {
			t.Run(fmt.Sprintf("%d/%s", size, mode), func(t *testing.T) {
				w := newWorld(t, uint64(size))
				switch mode {
				case "delayed":
					w.exec = &delayed{rng: w.rng}
				case "workers":
					w.exec = newWorkers(t)
				}
				w.link.loss, w.link.dup = 0.1, 0.1
				b := content(1, size)
				src, dir := place(t, b)
				mtime := time.Unix(1234567890, 123456789)
				if err := os.Chmod(src, 0o751); err != nil {
					t.Fatal(err)
				}
				if err := os.Chtimes(src, mtime, mtime); err != nil {
					t.Fatal(err)
				}
				memory := Config{Memory: defaultMemory}
				w.connect(SenderConfig{Config: memory, Path: src}, ReceiverConfig{Config: memory, Dir: dir})
				if serr, rerr := w.finish(); serr != nil || rerr != nil {
					t.Fatalf("sender: %v, receiver: %v", serr, rerr)
				}
				wantFile(t, filepath.Join(dir, "file.bin"), b)
				wantOnly(t, dir, "file.bin")
				info, err := os.Stat(filepath.Join(dir, "file.bin"))
				if err != nil {
					t.Fatal(err)
				}
				if info.Mode() != 0o751 || !info.ModTime().Equal(mtime) {
					t.Errorf("mode %v and time %v", info.Mode(), info.ModTime())
				}
				if p := w.s.Progress(); p.Safe != int64(size) || p.Phase != Ended {
					t.Errorf("sender's progress at the end: %+v", p)
				}
			})
		}
	}
}

// TestCheckpointsDoNotOverlap: while one is under way, what is verified waits
// for the next, however much it is.
func TestCheckpointsDoNotOverlap(t *testing.T) {
	w := newWorld(t, 1)
	src, dir := place(t, content(1, 8*blockSize))
	w.connect(SenderConfig{Path: src}, ReceiverConfig{Dir: dir})
	for w.r.safe.bytes < blockSize {
		w.round()
	}
	held := &delayed{rng: w.rng}
	w.exec = held
	for range 2 {
		w.r.checkpoint()
		w.r.ledger.batch = append(w.r.ledger.batch, blockSum{index: 7})
		w.r.ledger.bytes += 2 * journalBytes
	}
	w.r.Step(w.now.Add(time.Hour))
	if len(held.works) != 1 {
		t.Errorf("%d checkpoints at once", len(held.works))
	}
	w.r.ledger.batch = nil
	w.s.Close()
	w.r.Close()
	for held.round() {
	}
	if !w.r.released {
		t.Error("files are still open")
	}
}
