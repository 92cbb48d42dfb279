package transfer

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

	"qft/internal/digest"
	"qft/internal/journal"
)

// TestHugeFileIsResumedAtOnce: of a file of 388 GB the journal vouches for 61 %.
// What is there is known from the journal alone, which is less than 10 MB, and
// nothing is hashed on either side. (The file has holes, so that the test needs
// no such disk; the digests in the journal are made up, and nobody reads what
// they are of.)
func TestHugeFileIsResumedAtOnce(t *testing.T) {
	const size = 388_000_000_000
	top := t.TempDir()
	src, dir := filepath.Join(top, "disk.img"), filepath.Join(top, "in")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(src)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Skipf("no file system for a file of %d bytes: %v", int64(size), err)
	}

	t.Log("# the first run, killed when 61 % were safe")
	first := newWorld(t, 1)
	first.connect(sending(src), receiving(dir))
	for len(first.r.line.items) == 0 || !first.r.line.items[0].judged {
		first.round()
	}
	it := first.r.line.items[0]
	grown, err := first.r.bed.OpenFile(it.place.Path, &it.e)
	if err != nil {
		t.Fatal(err)
	}
	grown.Close()
	id := it.id
	n := slabs(size) * 61 / 100
	for at := int64(0); at < n; {
		run := journal.Run{ID: id, First: at}
		for len(run.Sums) < 1024 && at < n {
			var sum digest.Sum
			binary.BigEndian.PutUint64(sum[:], uint64(at)+1)
			run.Sums = append(run.Sums, sum)
			at++
		}
		if err := first.r.journal.Append([]journal.Run{run}); err != nil {
			t.Fatal(err)
		}
	}
	first.crash()

	t.Log("# the second run")
	w := newWorld(t, 2)
	began := time.Now()
	w.connect(sending(src), receiving(dir))
	for w.s.tree.judged == 0 {
		w.round()
		if done, err := w.s.Done(); done {
			t.Fatalf("the sender ended: %v", err)
		}
	}
	t.Logf("RESUME: decided in %v", time.Since(began).Round(time.Millisecond))
	if got := w.s.Progress().Resumed; got < n*blockSize {
		t.Errorf("%d bytes are resumed, want %d", got, n*int64(blockSize))
	}
	beds, err := filepath.Glob(filepath.Join(dir, ".*", "journal"))
	if err != nil || len(beds) != 1 {
		t.Fatalf("%q, %v", beds, err)
	}
	if info, err := os.Stat(beds[0]); err != nil || info.Size() > 10e6 {
		t.Errorf("the journal: %v, %v", info, err)
	}
	w.wantDelivered()
	if s, r := w.s.Progress(), w.r.Progress(); s.Hashed != 0 || s.Sent != 0 || r.Hashed > size-n*blockSize {
		t.Errorf("%d bytes hashed and %d sent at the sender", s.Hashed, s.Sent)
	}
	info, err := os.Stat(filepath.Join(dir, "disk.img"))
	if err != nil || info.Size() != size {
		t.Fatalf("%v, %v", info, err)
	}
}
