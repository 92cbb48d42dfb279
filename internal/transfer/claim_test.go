package transfer

import (
	"os"
	"path/filepath"
	"testing"

	"qft/internal/plant"
)

// claiming is a receiver that compares contents and replaces what differs.
func claiming(dir string) ReceiverConfig {
	rc := receiving(dir)
	rc.Plant.Existing, rc.Plant.Checksum = plant.Overwrite, true
	return rc
}

// TestEqualFileMayWaitForOthers: it is settled and still in the line when the end
// is told, because one before it is not written yet.
func TestEqualFileMayWaitForOthers(t *testing.T) {
	for seed := range seeds(30) {
		from, to := trees(t, spec{"t/a": content(1, 3<<20), "t/b": []byte("same")}, 1)
		spec{"t/b": []byte("same")}.build(t, to, 2)
		w := newWorld(t, seed)
		w.exec = &delayed{rng: w.rng}
		w.connect(sending(items(t, from)...), claiming(to))
		w.wantDelivered()
	}
}

// TestOtherContentOfTheSameTimeIsReplaced: that is what comparing is for.
func TestOtherContentOfTheSameTimeIsReplaced(t *testing.T) {
	from, to := trees(t, spec{"t/a": []byte("new!"), "t/b": []byte("same")}, 1)
	spec{"t/a": []byte("old!"), "t/b": []byte("same")}.build(t, to, 1)
	w := newWorld(t, 1)
	w.connect(sending(items(t, from)...), claiming(to))
	w.wantDelivered()
	wantFile(t, filepath.Join(to, "t/a"), []byte("new!"))
}

// TestOtherContentIsReplacedByAContinuedTransfer: what comes of it is not taken
// for something that the manifest does not name.
func TestOtherContentIsReplacedByAContinuedTransfer(t *testing.T) {
	s := spec{"t/a": content(1, 8<<20), "t/b": content(2, 5000)}
	from, to := trees(t, s, 1)
	spec{"t/b": content(3, 5000)}.build(t, to, 2)
	w := newWorld(t, 1)
	w.link.batch = 40
	w.connect(sending(items(t, from)...), claiming(to))
	for len(w.r.line.items) == 0 || w.r.safe.bytes < 1<<20 {
		w.round()
	}
	w.crash()
	// What was written of b before is not there.
	if beds, _ := filepath.Glob(filepath.Join(to, ".*/data/t/b")); len(beds) > 0 {
		os.Remove(beds[0])
	}
	again := newWorld(t, 2)
	again.connect(sending(items(t, from)...), claiming(to))
	again.wantDelivered()
	wantFile(t, filepath.Join(to, "t/a"), s["t/a"].([]byte))
	wantFile(t, filepath.Join(to, "t/b"), s["t/b"].([]byte))
}

// TestDirectoryThatBecameALinkIsContinued: what was in it goes, and is not looked
// for behind the link.
func TestDirectoryThatBecameALinkIsContinued(t *testing.T) {
	for name, now := range map[string]any{"symbolic": link("elsewhere"), "hard": hard("t/a")} {
		t.Run(name, func(t *testing.T) {
			s := spec{"t/a": content(1, 5000), "t/d/e": content(2, 5000), "t/z": content(3, 8<<20)}
			from, to := trees(t, s, 1)
			killedAt(t, 1, sending(items(t, from)...), receiving(to), 2<<20)
			if err := os.RemoveAll(filepath.Join(from, "t/d")); err != nil {
				t.Fatal(err)
			}
			if name == "hard" {
				os.Link(filepath.Join(from, "t/a"), filepath.Join(from, "t/d"))
			} else {
				os.Symlink(string(now.(link)), filepath.Join(from, "t/d"))
			}
			w := newWorld(t, 2)
			w.connect(sending(items(t, from)...), receiving(to))
			w.wantDelivered()
			wantTree(t, from, to)
		})
	}
}

// TestLinkToAFailedFileIsReported: the other name of a file that cannot be read
// is not here either, and somebody has to hear of it.
func TestLinkToAFailedFileIsReported(t *testing.T) {
	s := spec{"t/a": content(1, 24<<20), "t/b": hard("t/a"), "t/z": content(2, 5000)}
	from, to := trees(t, s, 1)
	w := newWorld(t, 1)
	w.link.batch = 40
	w.connect(sending(items(t, from)...), receiving(to))
	w.some(1 << 20)
	f, err := os.OpenFile(filepath.Join(from, "t/a"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.Write([]byte("more"))
	f.Close()
	w.wantDelivered()
	if _, err := os.Lstat(filepath.Join(to, "t/b")); err == nil {
		t.Fatal("t/b is there")
	}
	if p := w.r.Progress(); p.Failed != 2 {
		t.Errorf("of two names that are not here %d were reported: %v", p.Failed, p.Failures)
	}
}

// TestReplacedFileIsNotWhatTheJournalKnew: what an earlier run had of it is gone,
// something else has the final name, and turns out to differ.
func TestReplacedFileIsNotWhatTheJournalKnew(t *testing.T) {
	b := content(1, 8<<20)
	src, dir := place(t, b)
	killedAt(t, 1, sending(src), receiving(dir), 5<<20)
	grown, err := filepath.Glob(filepath.Join(dir, ".file.bin.qft-part/data/.*"))
	if err != nil || len(grown) != 1 {
		t.Fatal(grown, err)
	}
	os.Remove(grown[0]) // as a run does in which it cannot be read
	writeFile(t, filepath.Join(dir, "file.bin"), content(2, 8<<20))
	killedAt(t, 2, sending(src), claiming(dir), 1<<20)
	w := newWorld(t, 3)
	w.connect(sending(src), claiming(dir))
	w.wantDelivered()
	wantFile(t, filepath.Join(dir, "file.bin"), b)
}
