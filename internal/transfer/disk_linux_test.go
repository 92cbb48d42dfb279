package transfer

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// mount mounts a small file system for a test, or skips it.
func mount(t *testing.T, options string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("mounting a small tmpfs needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error("files were left open: ", err)
		}
	})
	return dir
}

func TestReadOnlyDirectoryIsToldBeforeAnybodyWaits(t *testing.T) {
	dir := mount(t, "size=1m,ro")
	_, err := NewReceiver(ReceiverConfig{Dir: dir})
	wantKind(t, "receiver", err, Permission, false)
}

func TestTooLittleSpaceIsToldBeforeAByteIsSent(t *testing.T) {
	dir := mount(t, "size=3m")
	src, _ := place(t, content(1, 4*blockSize))
	w := newWorld(t, 1)
	w.connect(SenderConfig{Path: src}, ReceiverConfig{Dir: dir})
	serr, rerr := w.finish()
	wantKind(t, "sender", serr, NoSpace, true)
	wantKind(t, "receiver", rerr, NoSpace, false)
	wantOnly(t, dir)
	if len(w.link.ranges) != 0 {
		t.Errorf("%d ranges were sent", len(w.link.ranges))
	}
}

func TestFullDiskKeepsWhatArrivedAndContinues(t *testing.T) {
	dir := mount(t, "size=12m")
	b := content(2, 8*blockSize)
	src, _ := place(t, b)
	w := newWorld(t, 1)
	hog := filepath.Join(dir, "hog")
	w.each = func() {
		// Somebody else fills the disk while the file arrives.
		if _, err := os.Stat(hog); err != nil && w.r.phase == Moving {
			writeFile(t, hog, make([]byte, 9*blockSize/2))
		}
	}
	w.connect(SenderConfig{Path: src}, ReceiverConfig{Dir: dir})
	began := w.now
	serr, rerr := w.finish()
	wantKind(t, "sender", serr, NoSpace, true)
	wantKind(t, "receiver", rerr, NoSpace, false)
	if d := w.now.Sub(began); d > 3*time.Second {
		t.Errorf("both were told only after %v", d)
	}
	wantOnly(t, dir, ".file.bin.qft-journal", ".file.bin.qft-part", "hog")
	safe := journaled(t, dir, "file.bin")
	if int64(len(safe)) != w.r.safe.bytes/blockSize || len(safe) < 4 {
		t.Fatalf("%d blocks in the journal and %d bytes verified", len(safe), w.r.safe.bytes)
	}

	w.each = nil
	if err := os.Remove(hog); err != nil {
		t.Fatal(err)
	}
	w.connect(SenderConfig{Path: src}, ReceiverConfig{Dir: dir})
	if serr, rerr := w.finish(); serr != nil || rerr != nil {
		t.Fatalf("sender: %v, receiver: %v", serr, rerr)
	}
	wantNotSent(t, w, safe)
	wantFile(t, filepath.Join(dir, "file.bin"), b)
}
