package transfer

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestSenderRefusesWhatIsNoFile(t *testing.T) {
	dir := tempDir(t)
	writeFile(t, filepath.Join(dir, "short"), []byte("12345"))
	if err := os.Symlink("nowhere", filepath.Join(dir, "dangling")); err != nil {
		t.Skip(err)
	}
	for _, c := range []struct {
		cfg  SenderConfig
		want Kind
	}{
		{SenderConfig{Path: ""}, NotFound},
		{SenderConfig{Path: filepath.Join(dir, "missing")}, NotFound},
		{SenderConfig{Path: filepath.Join(dir, "dangling")}, NotFound},
		{SenderConfig{Path: dir}, Directory},
		{SenderConfig{Path: os.DevNull}, NotRegular},
		{SenderConfig{Path: filepath.Join(dir, "short", "below")}, Unreadable},
		{SenderConfig{Path: filepath.Join(dir, "short"), Skip: 6}, BadSkip},
		{SenderConfig{Path: filepath.Join(dir, "short"), Skip: -1}, BadSkip},
	} {
		_, err := NewSender(c.cfg)
		wantKind(t, c.cfg.Path, err, c.want, false)
	}
}

func TestReceiverRefusesAPlaceThatCannotWork(t *testing.T) {
	dir := tempDir(t)
	writeFile(t, filepath.Join(dir, "there"), []byte("12345"))
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		cfg  ReceiverConfig
		want Kind
	}{
		{ReceiverConfig{Dir: filepath.Join(dir, "missing")}, NotFound},
		{ReceiverConfig{Dir: filepath.Join(dir, "there")}, NotFound},
		{ReceiverConfig{Dir: dir, Name: "there"}, Exists},
		{ReceiverConfig{Dir: dir, Name: "sub"}, Exists},
		{ReceiverConfig{Dir: dir, Name: "there", Skip: 6}, BadSkip},
		{ReceiverConfig{Dir: dir, Name: "sub", Skip: 1}, NotRegular},
		{ReceiverConfig{Dir: dir, Name: "missing", Skip: 1}, BadSkip},
		{ReceiverConfig{Dir: dir, Skip: -1}, BadSkip},
		{ReceiverConfig{Dir: dir, Name: ".."}, BadName},
		{ReceiverConfig{Dir: dir, Name: "."}, BadName},
		{ReceiverConfig{Dir: dir, Name: "sub/x"}, BadName},
		{ReceiverConfig{Dir: dir, Name: "/etc/x"}, BadName},
		{ReceiverConfig{Dir: dir, Name: string(bytes.Repeat([]byte("n"), 256))}, BadName},
	} {
		_, err := NewReceiver(c.cfg)
		wantKind(t, c.cfg.Dir+" "+c.cfg.Name, err, c.want, false)
	}
}

// faulty is a disk that fails at its n-th call.
type faulty struct {
	dataFile
	logFile
	calls *int
	n     int
	err   error
	short bool
}

func (f faulty) fails() bool {
	*f.calls++
	return *f.calls == f.n
}

type faultyData struct{ faulty }

func (f faultyData) WriteAt(p []byte, off int64) (int, error) {
	if !f.fails() {
		return f.dataFile.WriteAt(p, off)
	}
	if f.short {
		f.dataFile.WriteAt(p[:len(p)/2], off)
	}
	return len(p) / 2, f.err
}

func (f faultyData) ReadAt(p []byte, off int64) (int, error) {
	if f.fails() {
		return 0, f.err
	}
	return f.dataFile.ReadAt(p, off)
}

func (f faultyData) datasync() error {
	if f.fails() {
		return f.err
	}
	return f.dataFile.datasync()
}

func (f faultyData) Sync() error {
	if f.fails() {
		return f.err
	}
	return f.dataFile.Sync()
}

func (f faultyData) Close() error { return f.dataFile.Close() }

type faultyLog struct{ faulty }

func (f faultyLog) WriteAt(p []byte, off int64) (int, error) {
	if !f.fails() {
		return f.logFile.WriteAt(p, off)
	}
	if f.short {
		f.logFile.WriteAt(p[:len(p)/2], off)
	}
	return len(p) / 2, f.err
}

func (f faultyLog) ReadAt(p []byte, off int64) (int, error) { return f.logFile.ReadAt(p, off) }
func (f faultyLog) Truncate(n int64) error                  { return f.logFile.Truncate(n) }
func (f faultyLog) Close() error                            { return f.logFile.Close() }

func (f faultyLog) Sync() error {
	if f.fails() {
		return f.err
	}
	return f.logFile.Sync()
}

// TestEachDiskCallMayFail lets each call to the disk in turn fail, and then
// continues on a disk that works.
func TestEachDiskCallMayFail(t *testing.T) {
	b := content(3, 3*blockSize+1)
	for _, fault := range []error{syscall.EIO, syscall.ENOSPC} {
		for n, failed := 1, true; failed; n++ {
			calls := 0
			w := newWorld(t, uint64(n))
			w.exec = &delayed{rng: w.rng}
			w.link.piece, w.link.batch, w.link.loss = 9000, 40, 0.02
			src, dir := place(t, b)
			w.each = func() {
				w.now = w.now.Add(200 * time.Millisecond)
				p := w.r.disk
				if _, is := p.data.(faultyData); p.data != nil && !is && w.r.phase == Moving {
					f := faulty{p.data, p.journal.f, &calls, n, fault, n%2 == 0}
					p.data, p.journal.f = faultyData{f}, faultyLog{f}
					w.r.asm.file = p.data
				}
			}
			w.connect(SenderConfig{Path: src}, ReceiverConfig{Dir: dir})
			serr, rerr := w.finish()
			failed = calls >= n
			if rerr != nil {
				kind := Disk
				if fault == syscall.ENOSPC {
					kind = NoSpace
				}
				wantKind(t, "sender", serr, kind, true)
				wantKind(t, "receiver", rerr, kind, false)
				if _, err := os.Stat(filepath.Join(dir, "file.bin")); err == nil {
					t.Fatalf("call %d: the file is in place though the disk failed", n)
				}
				safe := journaled(t, dir, "file.bin")
				w.each = nil
				w.connect(SenderConfig{Path: src}, ReceiverConfig{Dir: dir})
				if serr, rerr = w.finish(); serr != nil || rerr != nil {
					t.Fatalf("call %d, again: sender: %v, receiver: %v", n, serr, rerr)
				}
				wantNotSent(t, w, safe)
			}
			wantFile(t, filepath.Join(dir, "file.bin"), b)
			wantOnly(t, dir, "file.bin")
		}
	}
}

func TestExistingTargetIsNotTouched(t *testing.T) {
	mine := []byte("mine")
	t.Run("before", func(t *testing.T) {
		w := newWorld(t, 1)
		src, dir := place(t, content(1, blockSize))
		writeFile(t, filepath.Join(dir, "file.bin"), mine)
		w.connect(SenderConfig{Path: src}, ReceiverConfig{Dir: dir})
		serr, rerr := w.finish()
		wantKind(t, "sender", serr, Exists, true)
		wantKind(t, "receiver", rerr, Exists, false)
		wantFile(t, filepath.Join(dir, "file.bin"), mine)
		wantOnly(t, dir, "file.bin")
	})
	for _, size := range []int{0, 2 * blockSize} {
		t.Run("during", func(t *testing.T) {
			w := newWorld(t, 1)
			w.exec = &delayed{rng: w.rng}
			b := content(1, size)
			src, dir := place(t, b)
			target := filepath.Join(dir, "file.bin")
			w.each = func() {
				if w.r.phase == Moving {
					writeFile(t, target, mine)
				}
			}
			w.connect(SenderConfig{Path: src}, ReceiverConfig{Dir: dir})
			serr, rerr := w.finish()
			wantKind(t, "sender", serr, Exists, true)
			wantKind(t, "receiver", rerr, Exists, false)
			wantFile(t, target, mine)

			// Once it is out of the way nothing has to be sent again.
			w.each = nil
			if err := os.Remove(target); err != nil {
				t.Fatal(err)
			}
			w.connect(SenderConfig{Path: src}, ReceiverConfig{Dir: dir})
			if serr, rerr := w.finish(); serr != nil || rerr != nil {
				t.Fatalf("sender: %v, receiver: %v", serr, rerr)
			}
			if len(w.link.ranges) != 0 {
				t.Errorf("sent again: %v", w.link.ranges)
			}
			wantFile(t, target, b)
		})
	}
}

// TestRenameFallsBack covers file systems without an exclusive rename.
func TestRenameFallsBack(t *testing.T) {
	dir := tempDir(t)
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	p := &partial{root: root, dir: dir, name: "x"}
	writeFile(t, filepath.Join(dir, p.part()), []byte("new"))
	writeFile(t, filepath.Join(dir, "x"), []byte("old"))
	if err := p.linkNew(); !errors.Is(err, fs.ErrExist) {
		t.Errorf("renaming onto a file: %v", err)
	}
	wantFile(t, filepath.Join(dir, "x"), []byte("old"))
	if err := os.Remove(filepath.Join(dir, "x")); err != nil {
		t.Fatal(err)
	}
	if err := p.linkNew(); err != nil {
		t.Fatal(err)
	}
	wantFile(t, filepath.Join(dir, "x"), []byte("new"))
	wantOnly(t, dir, "x")
}

func TestFileThatChangesIsNotReceived(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"grows": func(path string) error {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.Write([]byte("x"))
			return err
		},
		"shrinks":    func(path string) error { return os.Truncate(path, 100) },
		"is touched": func(path string) error { return os.Chtimes(path, time.Unix(9, 0), time.Unix(9, 0)) },
	} {
		for _, at := range []int64{0, 3 * blockSize} {
			t.Run(name, func(t *testing.T) {
				w := newWorld(t, 2)
				w.exec = &delayed{rng: w.rng}
				w.link.loss = 0.1
				src, dir := place(t, content(4, 12*blockSize))
				w.connect(SenderConfig{Path: src}, ReceiverConfig{Dir: dir})
				for w.r.safe.bytes < at {
					w.round()
				}
				if err := change(src); err != nil {
					t.Fatal(err)
				}
				serr, rerr := w.finish()
				wantKind(t, "sender", serr, Changed, false)
				wantKind(t, "receiver", rerr, Changed, true)
				if _, err := os.Stat(filepath.Join(dir, "file.bin")); err == nil {
					t.Error("a mixture is in place")
				}
			})
		}
	}
}

// TestSecretChangeIsFound changes bytes that are read again for packets that
// were lost, and hides it: size and time stay.
func TestSecretChangeIsFound(t *testing.T) {
	w := newWorld(t, 3)
	b := content(5, 16*blockSize)
	src, dir := place(t, b)
	info, err := os.Stat(src)
	if err != nil {
		t.Fatal(err)
	}
	var held []packet
	w.connect(SenderConfig{Path: src}, ReceiverConfig{Dir: dir})
	w.link.hold = func(p packet) bool {
		if p.off < blockSize-5000 || p.off >= blockSize {
			return false
		}
		held = append(held, p)
		return true
	}
	for w.s.next < 12 {
		w.round()
	}
	w.link.hold = nil
	if len(held) == 0 || w.s.cache.find(held[0].off) != nil {
		t.Fatalf("%d packets held: the test does not do what it should", len(held))
	}
	for i := range b {
		b[i] ^= 1
	}
	writeFile(t, src, b)
	if err := os.Chtimes(src, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	for _, p := range held {
		w.link.again = append(w.link.again, extent64{p.off, int64(len(p.data))})
	}
	serr, rerr := w.finish()
	wantKind(t, "sender", serr, Changed, true)
	wantKind(t, "receiver", rerr, Changed, false)
}

func TestSpoiltBytesAreAskedForAgain(t *testing.T) {
	b := content(6, 5*blockSize)
	for _, mode := range []string{"once", "always"} {
		t.Run(mode, func(t *testing.T) {
			w := newWorld(t, 4)
			w.exec = &delayed{rng: w.rng}
			src, dir := place(t, b)
			spoilt := 0
			w.link.corrupt = func(p packet) {
				if p.off <= 3*blockSize && p.off+int64(len(p.data)) > 3*blockSize && (spoilt == 0 || mode == "always") {
					p.data[3*blockSize-p.off] ^= 1
					spoilt++
				}
			}
			w.connect(SenderConfig{Path: src}, ReceiverConfig{Dir: dir})
			serr, rerr := w.finish()
			if mode == "always" {
				wantKind(t, "receiver", rerr, Corrupt, false)
				wantKind(t, "sender", serr, Corrupt, true)
				return
			}
			if serr != nil || rerr != nil || spoilt == 0 {
				t.Fatalf("sender: %v, receiver: %v, %d spoilt", serr, rerr, spoilt)
			}
			wantFile(t, filepath.Join(dir, "file.bin"), b)
		})
	}
}

func TestReceiverEndsWithoutAnAnswerToItsLastWord(t *testing.T) {
	w := newWorld(t, 1)
	src, dir := place(t, content(1, 10))
	w.connect(SenderConfig{Path: src}, ReceiverConfig{Dir: dir})
	for w.r.phase != Telling {
		w.round()
	}
	w.link.down = true
	began := w.now
	for done := false; !done; done, _ = w.r.Done() {
		w.now = w.r.Deadline()
		w.r.Step(w.now)
	}
	if d := w.now.Sub(began); d > tellPatience || d < tellPatience-time.Second {
		t.Errorf("it waited for %v", d)
	}
	if _, err := w.r.Done(); err != nil {
		t.Error(err)
	}
	w.close()
	wantFile(t, filepath.Join(dir, "file.bin"), content(1, 10))
}

func TestStopEndsSoonWithoutThePeer(t *testing.T) {
	w := newWorld(t, 1)
	src, dir := place(t, content(1, 10))
	w.connect(SenderConfig{Path: src}, ReceiverConfig{Dir: dir})
	w.link.down = true
	began := w.now
	w.s.Stop(nil)
	w.s.Step(w.now)
	for done := false; !done; done, _ = w.s.Done() {
		w.now = w.s.Deadline()
		w.s.Step(w.now)
	}
	if d := w.now.Sub(began); d > stopPatience {
		t.Errorf("it took %v", d)
	}
	w.s.Close()
	w.r.Close()
}

func TestBeforeStartThereIsNothingToWaitFor(t *testing.T) {
	src, dir := place(t, nil)
	s, err := NewSender(SenderConfig{Path: src})
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewReceiver(ReceiverConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	s.Stop(nil)
	r.Close()
	done, serr := s.Done()
	if !done {
		t.Error("the sender is not done")
	}
	wantKind(t, "sender", serr, Canceled, false)
	done, rerr := r.Done()
	if !done {
		t.Error("the receiver is not done")
	}
	wantKind(t, "receiver", rerr, Canceled, false)
	s.Close()
	if !s.released || !r.released {
		t.Error("files are still open")
	}
}
