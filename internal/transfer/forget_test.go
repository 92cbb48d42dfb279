package transfer

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"qft/internal/plant"
)

// killedAt runs a transfer until so many bytes are safe and in the journal, and
// then drops both sides as SIGKILL would.
func killedAt(t *testing.T, seed uint64, sc SenderConfig, rc ReceiverConfig, bytes int64) {
	t.Helper()
	w := newWorld(t, seed)
	w.link.batch = 40
	w.connect(sc, rc)
	w.some(bytes)
	for range 5000 { // the period of the journal comes, but no more bytes
		if len(w.r.ledger.runs) == 0 && !w.r.ledger.busy {
			break
		}
		w.now = w.now.Add(journalPeriod)
		w.r.Step(w.now)
	}
	w.crash()
}

// atTime sets a file's time, which with path and size is what it is known by.
func atTime(t *testing.T, path string, sec int64) {
	t.Helper()
	at := time.Unix(sec, 0)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

// TestJournalForgetsWhatIsNotThereAnyMore: an unfinished file goes with the next
// version of it. When the first version comes back, what the journal says of it
// is about bytes that are gone.
func TestJournalForgetsWhatIsNotThereAnyMore(t *testing.T) {
	const size = 6 << 20
	old, other := content(1, size), content(2, size)
	src, dir := place(t, old)
	atTime(t, src, 1e9)
	killedAt(t, 1, sending(src), receiving(dir), 4<<20)

	writeFile(t, src, other)
	atTime(t, src, 1e9+5)
	killedAt(t, 2, sending(src), receiving(dir), 1<<20)

	writeFile(t, src, old)
	atTime(t, src, 1e9)
	killedAt(t, 3, sending(src), receiving(dir), 1<<20)

	w := newWorld(t, 4)
	w.connect(sending(src), receiving(dir))
	w.wantDelivered()
	wantFile(t, filepath.Join(dir, "file.bin"), old)
}

// TestFailedFileThatComesBackIsWhole: what was dropped because it could not be
// read is not there any more, whatever the journal says.
func TestFailedFileThatComesBackIsWhole(t *testing.T) {
	const size = 24 << 20
	s := spec{"t/a": content(1, size), "t/z": content(2, size)}
	from, to := trees(t, s, 1)
	src := filepath.Join(from, "t/a")
	atTime(t, src, 1e9)
	killedAt(t, 1, sending(items(t, from)...), receiving(to), 3<<20)

	// It is longer for a while, is failed, and what is there of it dropped.
	w := newWorld(t, 2)
	w.link.batch = 40
	w.connect(sending(items(t, from)...), receiving(to))
	for w.s.blocks.list.next() == 0 {
		w.round()
	}
	if err := os.WriteFile(src, append(bytes.Clone(s["t/a"].([]byte)), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	for w.r.failures.count == 0 || w.r.line.find(1) != nil {
		w.round()
		if done, err := w.r.Done(); done {
			t.Fatalf("ended too early: %v", err)
		}
	}
	w.crash()

	writeFile(t, src, s["t/a"].([]byte))
	atTime(t, src, 1e9)
	killedAt(t, 3, sending(items(t, from)...), receiving(to), 2<<20)

	again := newWorld(t, 4)
	again.connect(sending(items(t, from)...), receiving(to))
	again.wantDelivered()
	for p, v := range s {
		wantFile(t, filepath.Join(to, p), v.([]byte))
	}
}

// TestAnotherFinalNameIsAnotherFile: with another final name the unfinished file
// of the first run is not gone on with, and the journal must not vouch for the
// second one.
func TestAnotherFinalNameIsAnotherFile(t *testing.T) {
	b := content(1, 6<<20)
	src, dir := place(t, b)
	rc := receiving(dir)
	rc.Plant.Existing = plant.Rename
	killedAt(t, 1, sending(src), rc, 4<<20)
	writeFile(t, filepath.Join(dir, "file.bin"), []byte("mine"))
	killedAt(t, 2, sending(src), rc, 1<<20)

	w := newWorld(t, 3)
	w.connect(sending(src), rc)
	w.wantDelivered()
	wantFile(t, filepath.Join(dir, "file.bin"), []byte("mine"))
	wantFile(t, filepath.Join(dir, "file (2).bin"), b)
}

// TestReceivedFileMayBeContinuedOnAFullDisk: the room of an unfinished file was
// reserved by the run before, and is not needed again.
func TestReceivedFileMayBeContinuedWhereItsRoomIsReserved(t *testing.T) {
	s := newStationOf(t, spec{"f": content(1, 8<<20)}, 12<<20)
	w := s.begin()
	w.some(1 << 20)
	if n := len(w.r.ledger.runs); n == 0 {
		t.Fatal("all of it is in the journal")
	}
	w.crash() // before anything was in the journal
	s.begin().wantDelivered()
	s.wantWhole(true)
}

// TestNextVersionFitsInTheRoomOfTheLast: what is here of another version goes
// when the new one comes.
func TestNextVersionFitsInTheRoomOfTheLast(t *testing.T) {
	s := newStationOf(t, spec{"f": content(1, 8<<20)}, 12<<20)
	w := s.begin()
	w.some(1 << 20)
	w.crash()
	atTime(t, filepath.Join(s.from, "f"), 1e9+77)
	s.look()
	s.begin().wantDelivered()
	s.wantWhole(true)
}

// TestOtherNamesFollowAReplacedFile: a file that turns out to be another is
// replaced, and so are its other names.
func TestOtherNamesFollowAReplacedFile(t *testing.T) {
	s := spec{"d/a": content(1, 5000), "d/b": hard("d/a")}
	from, to := trees(t, s, 1)
	spec{"d/a": content(2, 5000), "d/b": hard("d/a")}.build(t, to, 2)
	w := newWorld(t, 3)
	rc := receiving(to)
	rc.Plant.Existing, rc.Plant.Checksum = plant.Overwrite, true
	w.connect(sending(items(t, from)...), rc)
	w.wantDelivered()
	wantFile(t, filepath.Join(to, "d/a"), content(1, 5000))
	wantFile(t, filepath.Join(to, "d/b"), content(1, 5000))
}

// cached sends files to nobody in particular, so that the cache knows them.
func cached(t *testing.T, cache string, paths ...string) {
	t.Helper()
	w := newWorld(t, 9)
	sc := sending(paths...)
	sc.Cache = cache
	w.connect(sc, receiving(tempDir(t)))
	w.wantDelivered()
}

// TestContradictedReceiverStartsAnew: a file was changed though its size and
// time were not. The sender's cache knows, and all of it comes again: small or
// large, all of it here or a part.
func TestContradictedReceiverStartsAnew(t *testing.T) {
	for name, size := range map[string]int{"small": 5000, "large": 3 << 20} {
		t.Run(name, func(t *testing.T) {
			s := spec{"t/a": content(1, 5<<20), "t/m": content(3, size), "t/z": content(2, 6<<20)}
			from, to := trees(t, s, 1)
			src := filepath.Join(from, "t/m")
			atTime(t, src, 1e9)
			killedAt(t, 1, sending(items(t, from)...), receiving(to), 9<<20)
			s["t/m"] = content(4, size)
			writeFile(t, src, s["t/m"].([]byte))
			atTime(t, src, 1e9)
			cache := filepath.Join(tempDir(t), "cache")
			cached(t, cache, items(t, from)...)

			w := newWorld(t, 2)
			sc := sending(items(t, from)...)
			sc.Cache = cache
			w.connect(sc, receiving(to))
			sent, received := w.finish()
			var e *Error
			if errors.As(received, &e) && e.Kind == Protocol {
				t.Fatalf("sender: %v, receiver: %v", sent, received)
			}
			if received == nil {
				wantFile(t, filepath.Join(to, "t/m"), s["t/m"].([]byte))
			}
		})
	}
}

// TestContradictedPartIsNoMixture: the sender's cache says that what is here of a
// file is another; the run is killed when some of the right one is here. The
// next sender has no cache.
func TestContradictedPartIsNoMixture(t *testing.T) {
	const size = 8 << 20
	old, other := content(1, size), content(2, size)
	src, dir := place(t, old)
	atTime(t, src, 1e9)
	killedAt(t, 1, sending(src), receiving(dir), 4<<20)
	writeFile(t, src, other)
	atTime(t, src, 1e9)
	cache := filepath.Join(tempDir(t), "cache")
	cached(t, cache, src)

	w := newWorld(t, 2)
	w.link.batch = 40
	sc := sending(src)
	sc.Cache = cache
	w.connect(sc, receiving(dir))
	for range 100_000 {
		w.round()
		if it := w.r.line.find(0); it != nil && it.verdict == verdictWant && w.r.safe.bytes >= 2<<20 {
			break
		}
	}
	w.crash() // some slabs are written, and none in the journal

	last := newWorld(t, 3)
	last.connect(sending(src), receiving(dir))
	sent, received := last.finish()
	if received != nil {
		t.Logf("sender: %v, receiver: %v", sent, received)
		return
	}
	got, err := os.ReadFile(filepath.Join(dir, "file.bin"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, other) && !bytes.Equal(got, old) {
		t.Error("the file is a mixture")
	}
}

// TestContradictedPartLeavesNothingInHoles: where the right file has a hole, what
// was there of the wrong one goes.
func TestContradictedPartLeavesNothingInHoles(t *testing.T) {
	const size = 12 << 20
	sparsely := func(path string, from, to int64) []byte {
		os.Remove(path)
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		b := make([]byte, size)
		copy(b[from:to], content(uint64(from), int(to-from)))
		f.Truncate(size)
		f.WriteAt(b[from:to], from)
		return b
	}
	src, dir := place(t, nil)
	sparsely(src, 0, 8<<20)
	atTime(t, src, 1e9)
	killedAt(t, 1, sending(src), receiving(dir), 6<<20)
	want := sparsely(src, 4<<20-512, 12<<20)
	atTime(t, src, 1e9)
	cache := filepath.Join(tempDir(t), "cache")
	cached(t, cache, src)
	// The cache knows no digest of a hole: it contradicts by the slabs with data.
	w := newWorld(t, 2)
	sc := sending(src)
	sc.Cache = cache
	w.connect(sc, receiving(dir))
	sent, received := w.finish()
	if sent != nil || received != nil {
		t.Fatalf("sender: %v, receiver: %v", sent, received)
	}
	wantFile(t, filepath.Join(dir, "file.bin"), want)
}
