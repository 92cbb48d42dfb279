package transfer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"qft/internal/plant"
	"qft/internal/plant/faulty"
)

// TestDiskFailsBesideTheLoop is TestDiskFailsAtEachCall with works that run at
// the same time as the loop: run it with -race.
func TestDiskFailsBesideTheLoop(t *testing.T) {
	for seed := range faultSeeds(t, 20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := newStation(t, seed, faulty.Options{Capacity: 1 << 30})
			w := newWorld(t, seed)
			w.exec = newWorkers(t)
			w.connect(sending(items(t, s.from)...), ReceiverConfig{Plant: plant.Config{Dir: "there", FS: s.disk.FS()}})
			s.disk.Fail(faulty.Fault{At: 1 + s.rng.IntN(900), Err: syscall.ENOSPC, Short: seed%2 == 0})
			sent, received := w.finish()
			var e *Error
			if (sent != nil || received != nil) && (!errors.As(received, &e) || e.Peer || !errors.As(sent, &e) || !e.Peer) {
				t.Errorf("sender: %v, receiver: %v", sent, received)
			}
			s.disk.Fail(faulty.Fault{})
			s.wantWhole(false)
			s.begin().wantDelivered()
			s.wantWhole(true)
		})
	}
}

// TestForeignJournalIsLeftAlone: what is not ours is not touched, though it is
// where our journal would be.
func TestForeignJournalIsLeftAlone(t *testing.T) {
	src, dir := place(t, content(1, 5000))
	bed := filepath.Join(dir, ".file.bin.qft-part")
	if err := os.Mkdir(bed, 0o755); err != nil {
		t.Fatal(err)
	}
	mine := []byte("this is a text of mine, and no journal of anybody's")
	writeFile(t, filepath.Join(bed, "journal"), mine)
	w := newWorld(t, 1)
	w.connect(sending(src), receiving(dir))
	if _, received := w.finish(); received == nil {
		t.Fatal("it was taken for ours")
	}
	wantFile(t, filepath.Join(bed, "journal"), mine)
}

// TestSmallFileThatComesBackIsWhole is TestJournalForgetsWhatIsNotThereAnyMore
// for small files: what was written of one and not synced may be lost, and an
// old word of the journal's about the same version must not hide it.
func TestSmallFileThatComesBackIsWhole(t *testing.T) {
	for seed := range faultSeeds(t, 20) {
		old, other := content(1, 5000), content(2, 5000)
		s := newStationOf(t, spec{"t/a": old, "t/z": content(3, 6<<20)}, 0)
		s.disk = faulty.New(seed, faulty.Options{})
		src := filepath.Join(s.from, "t/a")
		for run, b := range [][]byte{old, other, old} {
			writeFile(t, src, b)
			atTime(t, src, 1e9+int64(run%2))
			w := s.begin()
			w.link.batch = 40
			w.some(1 << 20)
			if run < 2 {
				w.now = w.now.Add(2 * journalPeriod)
				w.r.Step(w.now)
			}
			w.crash()
			s.disk.Crash()
		}
		s.look()
		s.begin().wantDelivered()
		s.wantWhole(true)
	}
}
