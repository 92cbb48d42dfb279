package transfer

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// journaled reads which blocks the journal in dir vouches for.
func journaled(t *testing.T, dir, name string) map[int64]bool {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, hiddenName(name, journalSuffix)))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got := make(map[int64]bool)
	for _, r := range readJournal(f).runs {
		for k := range r.sums {
			got[r.first+int64(k)] = true
		}
	}
	return got
}

// wantNotSent checks that no byte of a block was given to the connection.
func wantNotSent(t *testing.T, w *world, blocks map[int64]bool) {
	t.Helper()
	for _, e := range w.link.ranges {
		for i := e.off / blockSize; i*blockSize < e.off+e.n; i++ {
			if blocks[i] {
				t.Fatalf("block %d was sent again though the journal vouched for it", i)
			}
		}
	}
}

// TestKilledTransferContinues kills both sides at a step that the seed
// decides, several times over, and lets them run once more to the end.
func TestKilledTransferContinues(t *testing.T) {
	const size = 7*blockSize + 777
	b := content(2, size)
	const seeds = 12
	resumed := 0
	for seed := range uint64(seeds) {
		w := newWorld(t, seed)
		w.link.loss, w.link.dup, w.link.piece, w.link.batch = 0.05, 0.05, 9000, 30
		src, dir := place(t, b)
		cfg := ReceiverConfig{Dir: dir}
		for range 1 + w.rng.IntN(4) {
			w.exec = &delayed{rng: w.rng}
			safe := journaled(t, dir, "file.bin")
			w.connect(SenderConfig{Path: src}, cfg)
			for range w.rng.IntN(120) {
				w.round()
				if w.rng.IntN(20) == 0 {
					w.now = w.now.Add(journalPeriod)
				}
			}
			wantNotSent(t, w, safe)
			if done, err := w.r.Done(); done && err == nil {
				break
			}
			w.crash()
		}
		if _, err := os.Stat(filepath.Join(dir, "file.bin")); err == nil {
			wantFile(t, filepath.Join(dir, "file.bin"), b)
			continue // it was killed when all was done, or nearly
		}
		safe := journaled(t, dir, "file.bin")
		w.exec = &delayed{rng: w.rng}
		w.connect(SenderConfig{Path: src}, cfg)
		if serr, rerr := w.finish(); serr != nil || rerr != nil {
			t.Fatalf("seed %d: sender: %v, receiver: %v", seed, serr, rerr)
		}
		wantNotSent(t, w, safe)
		wantFile(t, filepath.Join(dir, "file.bin"), b)
		wantOnly(t, dir, "file.bin")
		if got := w.s.Progress().Resumed; len(safe) > 0 && got < int64(len(safe)-1)*blockSize {
			t.Errorf("seed %d: %d blocks were safe and %d bytes resumed", seed, len(safe), got)
		}
		resumed += len(safe)
	}
	if resumed < seeds/2 {
		t.Errorf("only %d blocks were resumed in %d runs: the test shows little", resumed, seeds)
	}
}

// volatile is a disk that forgets, when the power is cut, what was not synced,
// though it remembers that the file became longer.
type volatile struct {
	dataFile
	unsynced []piece64
}

type piece64 struct {
	off  int64
	data []byte
}

func (v *volatile) WriteAt(p []byte, off int64) (int, error) {
	v.unsynced = append(v.unsynced, piece64{off, append([]byte(nil), p...)})
	f := v.dataFile.(diskFile)
	info, err := f.Stat()
	if end := off + int64(len(p)); err == nil && info.Size() < end {
		err = f.Truncate(end)
	}
	return len(p), err
}

func (v *volatile) ReadAt(p []byte, off int64) (int, error) {
	clear(p)
	if n, err := v.dataFile.ReadAt(p, off); err != nil && err != io.EOF {
		return n, err
	}
	for _, w := range v.unsynced {
		for i, c := range w.data {
			if at := w.off + int64(i) - off; at >= 0 && at < int64(len(p)) {
				p[at] = c
			}
		}
	}
	return len(p), nil
}

func (v *volatile) datasync() error {
	for _, w := range v.unsynced {
		if _, err := v.dataFile.WriteAt(w.data, w.off); err != nil {
			return err
		}
	}
	v.unsynced = nil
	return nil
}

func (v *volatile) Sync() error { return v.datasync() }

func TestPowerCutLosesNothingThatTheJournalVouchesFor(t *testing.T) {
	b := content(3, 6*blockSize+5)
	for seed := range 6 {
		w := newWorld(t, uint64(100+seed))
		src, dir := place(t, b)
		w.each = func() {
			if _, is := w.r.disk.data.(*volatile); w.r.disk.data != nil && !is {
				v := &volatile{dataFile: w.r.disk.data}
				w.r.disk.data, w.r.asm.file = v, v
			}
		}
		target := filepath.Join(dir, "file.bin")
		for missing := true; missing; {
			w.connect(SenderConfig{Path: src}, ReceiverConfig{Dir: dir})
			for range w.rng.IntN(30) {
				w.round()
				if w.rng.IntN(5) == 0 {
					w.now = w.now.Add(journalPeriod)
				}
			}
			if done, err := w.r.Done(); done && err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			w.crash()
			_, err := os.Stat(target)
			missing = err != nil
		}
		wantFile(t, target, b)
	}
}

func TestStoppedTransferContinues(t *testing.T) {
	b := content(4, 8*blockSize)
	for _, who := range []string{"sender", "receiver"} {
		t.Run(who, func(t *testing.T) {
			w := newWorld(t, 5)
			src, dir := place(t, b)
			w.connect(SenderConfig{Path: src}, ReceiverConfig{Dir: dir})
			for w.r.safe.bytes < 3*blockSize {
				w.round()
			}
			if who == "sender" {
				w.s.Stop(nil)
			} else {
				w.r.Stop(errors.New("enough"))
			}
			w.s.Step(w.now)
			w.r.Step(w.now)
			serr, rerr := w.finish()
			wantKind(t, "sender", serr, Canceled, who == "receiver")
			wantKind(t, "receiver", rerr, Canceled, who == "sender")
			wantOnly(t, dir, ".file.bin.qft-journal", ".file.bin.qft-part")
			safe := journaled(t, dir, "file.bin")
			if len(safe) < 3 {
				t.Fatalf("%d blocks in the journal, want at least 3", len(safe))
			}
			w.connect(SenderConfig{Path: src}, ReceiverConfig{Dir: dir})
			if serr, rerr := w.finish(); serr != nil || rerr != nil {
				t.Fatalf("sender: %v, receiver: %v", serr, rerr)
			}
			wantNotSent(t, w, safe)
			wantFile(t, filepath.Join(dir, "file.bin"), b)
			if got := w.r.Progress().Resumed; got != int64(len(safe))*blockSize {
				t.Errorf("%d bytes resumed of %d blocks", got, len(safe))
			}
		})
	}
}

func TestStoppingBeforeAnythingArrivedLeavesNothing(t *testing.T) {
	for rounds := range 8 {
		w := newWorld(t, uint64(rounds))
		w.exec = &delayed{rng: w.rng}
		src, dir := place(t, content(1, blockSize))
		w.connect(SenderConfig{Path: src}, ReceiverConfig{Dir: dir})
		for range rounds {
			w.round()
		}
		w.r.Stop(nil)
		w.r.Step(w.now)
		_, rerr := w.finish()
		wantKind(t, "receiver", rerr, Canceled, false)
		wantOnly(t, dir)
	}
}

func TestLostConnectionKeepsWhatIsVerified(t *testing.T) {
	b := content(6, 5*blockSize)
	w := newWorld(t, 1)
	src, dir := place(t, b)
	w.connect(SenderConfig{Path: src}, ReceiverConfig{Dir: dir})
	for w.r.safe.bytes < 2*blockSize {
		w.round()
	}
	w.s.PeerClosed(errors.New("no answer for 60 s"))
	w.r.PeerClosed(nil)
	serr, rerr := w.finish()
	wantKind(t, "sender", serr, Lost, false)
	wantKind(t, "receiver", rerr, Lost, false)
	if safe := journaled(t, dir, "file.bin"); len(safe) < 2 {
		t.Errorf("%d blocks in the journal, want at least 2", len(safe))
	}
}

func TestLastWordsBeforeTheConnectionEndsCount(t *testing.T) {
	w := newWorld(t, 1)
	src, dir := place(t, content(6, 100))
	w.connect(SenderConfig{Path: src}, ReceiverConfig{Dir: dir})
	for w.r.phase != Telling {
		w.round()
	}
	w.link.toSender.arrived = append(w.link.toSender.arrived, w.link.toSender.sent...)
	w.link.toSender.sent = nil
	w.s.PeerClosed(nil)
	w.r.PeerClosed(nil)
	if serr, rerr := w.finish(); serr != nil || rerr != nil {
		t.Errorf("sender: %v, receiver: %v", serr, rerr)
	}
}

func TestCloseWithoutDoneKeepsWhatIsVerified(t *testing.T) {
	w := newWorld(t, 1)
	w.exec = &delayed{rng: w.rng}
	src, dir := place(t, content(6, 5*blockSize))
	w.connect(SenderConfig{Path: src}, ReceiverConfig{Dir: dir})
	for w.r.safe.bytes < 2*blockSize {
		w.round()
	}
	w.s.Close()
	w.r.Close()
	for w.exec.round() {
	}
	if !w.s.released || !w.r.released {
		t.Error("files are still open")
	}
	if safe := journaled(t, dir, "file.bin"); len(safe) < 2 {
		t.Errorf("%d blocks in the journal, want at least 2", len(safe))
	}
	wantKind(t, "receiver", w.r.err, Canceled, false)
}

func TestOtherOfferReplacesOnlyWhatIsOurs(t *testing.T) {
	start := func(t *testing.T) (w *world, src, dir string) {
		w = newWorld(t, 1)
		src, dir = place(t, content(7, 3*blockSize))
		w.connect(SenderConfig{Path: src}, ReceiverConfig{Dir: dir})
		for w.r.safe.bytes < blockSize {
			w.round()
		}
		w.r.Stop(nil)
		w.r.Step(w.now)
		w.finish()
		return w, src, dir
	}
	t.Run("ours", func(t *testing.T) {
		w, src, dir := start(t)
		b := content(8, 3*blockSize)
		writeFile(t, src, b)
		if err := os.Chtimes(src, time.Unix(5, 0), time.Unix(5, 0)); err != nil {
			t.Fatal(err)
		}
		w.connect(SenderConfig{Path: src}, ReceiverConfig{Dir: dir})
		if serr, rerr := w.finish(); serr != nil || rerr != nil {
			t.Fatalf("sender: %v, receiver: %v", serr, rerr)
		}
		wantFile(t, filepath.Join(dir, "file.bin"), b)
		if p := w.r.Progress(); !p.Replaced || p.Resumed != 0 {
			t.Errorf("progress %+v", p)
		}
	})
	for _, name := range []string{".file.bin.qft-journal", ".file.bin.qft-part"} {
		t.Run("foreign "+name, func(t *testing.T) {
			w := newWorld(t, 1)
			src, dir := place(t, content(7, 3*blockSize))
			writeFile(t, filepath.Join(dir, name), []byte("somebody's letter"))
			w.connect(SenderConfig{Path: src}, ReceiverConfig{Dir: dir})
			serr, rerr := w.finish()
			wantKind(t, "sender", serr, Exists, true)
			wantKind(t, "receiver", rerr, Exists, false)
			wantFile(t, filepath.Join(dir, name), []byte("somebody's letter"))
			wantOnly(t, dir, name)
		})
	}
	for _, name := range []string{".file.bin.qft-journal", ".file.bin.qft-part"} {
		t.Run("link "+name, func(t *testing.T) {
			w, src, dir := start(t)
			victim := filepath.Join(dir, "victim")
			writeFile(t, victim, []byte("precious"))
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("victim", filepath.Join(dir, name)); err != nil {
				t.Skip(err)
			}
			w.connect(SenderConfig{Path: src}, ReceiverConfig{Dir: dir})
			w.finish()
			wantFile(t, victim, []byte("precious"))
		})
	}
}

func TestSecondReceiverOfAPartialFileIsToldAtOnce(t *testing.T) {
	w := newWorld(t, 1)
	src, dir := place(t, content(9, 3*blockSize))
	w.connect(SenderConfig{Path: src}, ReceiverConfig{Dir: dir})
	for w.r.safe.bytes < blockSize {
		w.round()
	}
	second := newWorld(t, 2)
	second.connect(SenderConfig{Path: src}, ReceiverConfig{Dir: dir})
	serr, rerr := second.finish()
	wantKind(t, "sender", serr, Busy, true)
	wantKind(t, "receiver", rerr, Busy, false)
	if serr, rerr := w.finish(); serr != nil || rerr != nil {
		t.Fatalf("the first one suffered: sender: %v, receiver: %v", serr, rerr)
	}
}

func TestCutPartialFileIsNotTrusted(t *testing.T) {
	b := content(10, 6*blockSize)
	w := newWorld(t, 1)
	src, dir := place(t, b)
	w.connect(SenderConfig{Path: src}, ReceiverConfig{Dir: dir})
	for w.r.safe.bytes < 4*blockSize {
		w.round()
	}
	w.r.Stop(nil)
	w.r.Step(w.now)
	w.finish()
	if err := os.Truncate(filepath.Join(dir, ".file.bin.qft-part"), 2*blockSize+1); err != nil {
		t.Fatal(err)
	}
	w.connect(SenderConfig{Path: src}, ReceiverConfig{Dir: dir})
	if serr, rerr := w.finish(); serr != nil || rerr != nil {
		t.Fatalf("sender: %v, receiver: %v", serr, rerr)
	}
	if got := w.r.Progress().Resumed; got != 2*blockSize {
		t.Errorf("%d bytes resumed, want 2 blocks", got)
	}
	wantFile(t, filepath.Join(dir, "file.bin"), b)
}

// TestTornJournalIsReadUpToTheTear cuts and spoils a journal at every place.
func TestTornJournalIsReadUpToTheTear(t *testing.T) {
	id := identity{name: "x", size: 20 * blockSize, sec: 1}
	path := filepath.Join(tempDir(t), "journal")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	j, err := startJournal(f, id)
	if err != nil {
		t.Fatal(err)
	}
	header := j.end
	for i := range 5 {
		if err := j.append([]blockSum{{int64(2*i + 1), digest{byte(i)}}, {int64(2 * i), digest{9}}}); err != nil {
			t.Fatal(err)
		}
	}
	whole := make([]byte, j.end)
	if _, err := f.ReadAt(whole, 0); err != nil {
		t.Fatal(err)
	}
	const record = recordFixed + 2*32 + checkSize
	torn := filepath.Join(tempDir(t), "torn")
	for cut := range whole {
		spoilt := append([]byte(nil), whole...)
		spoilt[cut] ^= 0x40
		for name, b := range map[string][]byte{"cut": whole[:cut], "spoilt": spoilt} {
			writeFile(t, torn, b)
			g, err := os.OpenFile(torn, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			c := readJournal(g)
			want := max(0, (int64(cut)-header)/record)
			switch {
			case int64(cut) < header && name == "spoilt" && cut < len(journalMagic):
				if !c.foreign {
					t.Errorf("%s at %d: not taken for foreign", name, cut)
				}
			case int64(cut) < header:
				if c.whole || c.foreign {
					t.Errorf("%s at %d: %+v", name, cut, c)
				}
			case !c.whole || c.id != id || int64(len(c.runs)) != want:
				t.Errorf("%s at %d: %d records, want %d", name, cut, len(c.runs), want)
			default:
				j, err := continueJournal(g, c)
				if err == nil {
					// As long as the record that was lost, so that the next old one, if
					// it were still there, would follow it.
					err = j.append([]blockSum{{18, digest{18}}, {19, digest{19}}})
				}
				if err != nil {
					t.Fatal(err)
				}
				if n := len(readJournal(io.NewSectionReader(g, 0, 1<<40)).runs); int64(n) != want+1 {
					t.Errorf("%s at %d: %d records after one more, want %d", name, cut, n, want+1)
				}
			}
			g.Close()
		}
	}
}

// TestJournalHasRoomAhead: there are always zeros behind the last record, for
// the time when the disk is full.
func TestJournalHasRoomAhead(t *testing.T) {
	f, err := os.Create(filepath.Join(tempDir(t), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	j, err := startJournal(f, identity{name: "x", size: maxSize})
	if err != nil {
		t.Fatal(err)
	}
	for i := range int64(4000) {
		if err := j.append([]blockSum{{2 * i, digest{1}}}); err != nil {
			t.Fatal(err)
		}
		if info, err := f.Stat(); err != nil || info.Size() < j.end+journalSpare/2 {
			t.Fatalf("after %d records %d bytes of %d are used (%v)", i, j.end, info.Size(), err)
		}
	}
	if n := len(readJournal(io.NewSectionReader(f, 0, 1<<40)).runs); n != 4000 {
		t.Errorf("%d records", n)
	}
}

// TestJournalOfAHugeFileIsShort: 61 % of 388 GB, block by block, must be
// readable without reading 10 MB.
func TestJournalOfAHugeFileIsShort(t *testing.T) {
	const blocks = 388_000_000_000 / 100 * 61 / blockSize
	f, err := os.Create(filepath.Join(tempDir(t), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	j, err := startJournal(f, identity{name: "x", size: 388e9})
	if err != nil {
		t.Fatal(err)
	}
	const batch = journalBytes / blockSize
	for i := int64(0); i+batch <= blocks; i += batch {
		var list []blockSum
		for k := range int64(batch) {
			list = append(list, blockSum{i + k, digest{byte(k)}})
		}
		var b []byte
		b = appendRecord(b, j.seal, i, sumsOf(list)) // without a sync each
		if _, err := f.WriteAt(b, j.end); err != nil {
			t.Fatal(err)
		}
		j.end += int64(len(b))
	}
	n := 0
	for _, r := range readJournal(io.NewSectionReader(f, 0, 1<<40)).runs {
		n += len(r.sums)
	}
	if n < blocks-batch || j.end > 10e6 {
		t.Errorf("%d of %d blocks read from %d bytes", n, int(blocks), j.end)
	}
}

func sumsOf(list []blockSum) (sums []digest) {
	for _, b := range list {
		sums = append(sums, b.sum)
	}
	return sums
}

func ExampleError() {
	fmt.Println(&Error{Kind: Exists, Path: "/tmp/a.iso"})
	fmt.Println(&Error{Kind: NoSpace, Peer: true, Err: errors.New("a.iso: not enough space: 5.0 GB are needed and 1.2 GB are free")})
	// Output:
	// /tmp/a.iso: already exists and is never overwritten; move it away, or choose another name with -o NAME
	// the other side reports: a.iso: not enough space: 5.0 GB are needed and 1.2 GB are free; when there is space, run the same command again on both sides to continue
}
