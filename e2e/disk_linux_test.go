package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// asNobody runs the program as somebody who may not read everything.
func asNobody() []string {
	return []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}
}

// TestFileThatCannotBeSent is told before anybody is bothered with a code.
func TestFileThatCannotBeSent(t *testing.T) {
	t.Parallel()
	w := newPair(t)
	w.a.startHelper()
	private := w.file("private", 10)
	if err := os.Chmod(private.path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(w.dir+"/pipe", 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, path string
		wrap       []string
		says       []string
	}{
		{"missing", w.dir + "/nothing-here", nil, []string{"nothing-here", "no such file", "check the name"}},
		{"unreadable", private.path, asNobody(), []string{"private", "permission denied"}},
		{"pipe", w.dir + "/pipe", nil, []string{"pipe", "is a pipe", "as a stream"}},
	} {
		for _, args := range [][]string{
			{"send", c.path, "--helper", pairHelper},
			{"sender", pairHelper, phrase, c.path},
		} {
			if c.wrap != nil {
				needTools(t, c.wrap[0])
			}
			p := w.a.launch(launch{args: args, wrap: c.wrap})
			p.wantEndSoon(5*time.Second, 3)
			p.wantSaid(c.says...)
			if p.out.text() != "" {
				t.Errorf("%s: a code was printed: %s", c.name, p.out.text())
			}
		}
	}
}

func TestSmallFilesArrive(t *testing.T) {
	t.Parallel()
	w := newPair(t)
	w.a.startHelper()
	for _, n := range []int64{0, 1, 1 << 20, 1<<20 + 1} {
		w.bySend(w.a, w.b, pairHelper, w.file(fmt.Sprintf("of-%d", n), n)).wantDelivered(bigTime)
	}
}

// wantRefused wants the receiver to end with a code and the sender to be told.
func (x *transfer) wantRefused(code int, says ...string) {
	x.t.Helper()
	x.receiver.wantEnd(patience, code)
	x.receiver.wantSaid(says...)
	x.sender.wantEndSoon(5*time.Second, 10)
	x.sender.wantSaid("the other side")
}

func TestTargetThatExistsIsNotTouched(t *testing.T) {
	t.Parallel()
	w := newPair(t)
	w.a.startHelper()
	f := w.file("thesis", 100_000)
	old := []byte("three years of work")
	place := func(path string) {
		if err := os.WriteFile(path, old, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	wantOld := func(path string) {
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, old) {
			t.Errorf("the target was touched: %q, %v", now, err)
		}
	}

	t.Log("# under the sender's name, known only when it is offered: both are told")
	dir := w.folder()
	place(dir + "/thesis")
	x := &transfer{t: t, file: f, target: dir + "/thesis"}
	x.sender = w.a.qft("send", f.path, "--helper", pairHelper)
	x.receiver = w.b.qft("receive", w.learn(x.sender), "-o", dir, "--helper", pairHelper)
	x.wantRefused(4, "already exists", "-o")
	x.sender.wantSaid("exists")
	wantOld(x.target)
	for _, name := range x.remains() {
		t.Errorf("%s was left behind", name)
	}

	t.Log("# named by the receiver: it is told before anybody else is bothered")
	target := w.folder() + "/mine"
	place(target)
	s := w.a.qft("sender", pairHelper, phrase, f.path)
	s.wantSay(patience, "waiting")
	r := w.b.qft("receiver", pairHelper, phrase, target)
	r.wantEnd(patience, 4)
	r.wantSaid("already exists")
	wantOld(target)
	if !s.running() {
		t.Errorf("the sender must go on waiting")
	}
}

// TestTargetThatCannotBeWritten is told at once, while the sender waits on.
func TestTargetThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	needTools(t, "setpriv", "mount")
	w := newPair(t)
	w.a.startHelper()
	readOnly := []string{"sh", "-c", `mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"`}
	for _, c := range []struct {
		name, dir string
		wrap      []string
		says      string
	}{
		{"missing", w.dir + "/nowhere", nil, "no such file or directory"},
		{"no directory", w.file("f", 1).path, nil, "not a directory"},
		{"forbidden", w.folder(), asNobody(), "permission denied"},
		{"read-only", w.folder(), nil, "read-only"},
	} {
		if c.name == "read-only" {
			c.wrap = append(readOnly, c.dir)
		}
		for _, args := range [][]string{
			{"receive", "7-acid-robot-zebra", "-o", c.dir + "/", "--helper", pairHelper},
			{"receiver", pairHelper, phrase, c.dir + "/target"},
		} {
			p := w.b.launch(launch{args: args, wrap: c.wrap})
			p.wantEndSoon(5*time.Second, 5)
			p.wantSaid(c.says)
		}
	}
}

// smallDisk is a file system of a few megabytes at the receiver.
func (w *world) smallDisk(mib int) string {
	w.t.Helper()
	dir := w.folder()
	w.mountSmall(dir, mib)
	return dir
}

// mountSmall makes a folder a file system of its own.
func (w *world) mountSmall(dir string, mib int) {
	w.t.Helper()
	if err := unix.Mount("qft-e2e", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", mib)); err != nil {
		w.t.Skipf("needs to mount a small tmpfs: %v", err)
	}
	w.t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			w.t.Errorf("unmounting: %v", err)
		}
	})
}

func TestDiskTooSmallIsToldBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	w := newPair(t)
	w.a.startHelper()
	f := w.file("film", 20<<20)
	dir := w.smallDisk(8)
	x := &transfer{t: t, file: f, target: dir + "/film"}
	x.sender = w.a.qft("send", f.path, "--helper", pairHelper)
	x.receiver = w.b.qft("receive", w.learn(x.sender), "-o", dir, "--helper", pairHelper)
	x.receiver.wantEnd(patience, 5)
	x.receiver.wantSaid("space", "free")
	x.sender.wantStays()
	x.sender.wantSaid("the other side", "space")
	if seen := w.b.traffic("eth0").in; seen > f.size/4 {
		t.Errorf("%d bytes were sent for nothing", seen)
	}

	t.Log("# the sender has stayed: another folder will do")
	x.target = w.folder() + "/film"
	x.receiver = w.b.qft("receive", w.secrets[len(w.secrets)-1], "-o", x.target, "--helper", pairHelper)
	x.wantDelivered(bigTime)
}

// TestDiskThatFillsUp: somebody else takes the space meanwhile (space for the
// files that have begun is reserved, so it takes several). What has arrived is
// kept, both sides are told how much is missing, and the same command at the
// receiver continues when there is room: the sender has stayed.
func TestDiskThatFillsUp(t *testing.T) {
	t.Parallel()
	w := newPair(t)
	w.a.limit("eth0", "10mbit") // until the disk is filled
	w.a.startHelper()
	for i := range 4 {
		w.file(fmt.Sprintf("films/%d", i), 10<<20)
	}
	films := filepath.Join(w.dir, "from", "films")
	want, err := portrait(films)
	if err != nil {
		t.Fatal(err)
	}
	dir := w.smallDisk(56)
	w.secrets = append(w.secrets, phrase)
	s := w.a.qft("sender", pairHelper, phrase, films)
	r := w.b.qft("receiver", pairHelper, phrase, dir+"/films")
	eventually(t, bigTime, "some of the films", func() bool { return w.b.traffic("eth0").in > 2<<20 })
	fill(t, dir+"/other", 30<<20) // before the third has begun
	w.hurry()
	full := time.Now()
	r.wantEnd(patience, 5)
	r.wantSaid("space", "missing", "again")
	s.wantStays()
	s.wantSaid("the other side", "missing")
	t.Logf("FULL: both were told %.1f s after the disk was filled", time.Since(full).Seconds())
	if _, err := os.Lstat(dir + "/films"); err == nil {
		t.Error("the films must not be there before they are complete")
	}

	if err := os.Remove(dir + "/other"); err != nil {
		t.Fatal(err)
	}
	r = w.b.qft("receiver", pairHelper, phrase, dir+"/films")
	r.wantEnd(patience, 0)
	s.wantEnd(patience, 0)
	r.wantSaid("of it were there already")
	got, err := portrait(dir + "/films")
	if err != nil {
		t.Fatal(err)
	}
	if d := differences(want, got); d != "" {
		t.Error(d)
	}
}

func fill(t *testing.T, path string, n int) {
	t.Helper()
	if err := os.WriteFile(path, make([]byte, n), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestFileThatChangesWhileItIsSent: what arrives must be one state of the
// file; a mixture of two is never given its name.
func TestFileThatChangesWhileItIsSent(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(path string) error{
		"shrinks": func(path string) error { return os.Truncate(path, 1<<20) },
		"grows": func(path string) error {
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteString("one more line")
			return err
		},
		"is rewritten": func(path string) error {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteAt(noise(4<<20), 0)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newPair(t)
			w.a.limit("eth0", "20mbit") // until it has changed
			w.a.startHelper()
			f := w.file("log", 40<<20)
			x := w.bySend(w.a, w.b, pairHelper, f)
			eventually(t, bigTime, "a third of the file", func() bool { return w.b.traffic("eth0").in > f.size/3 })
			if err := change(f.path); err != nil {
				t.Fatal(err)
			}
			w.hurry()
			x.sender.wantEnd(patience, 11)
			x.receiver.wantEndSoon(5*time.Second, 11)
			x.sender.wantSaid("while it was being sent", "send it again")
			x.receiver.wantSaid("the other side", "while it was being sent")
			if _, err := os.Lstat(x.target); err == nil {
				t.Errorf("a file that changed was given its name")
			}
		})
	}
}

// TestSkip: the historical offset. What is there is kept as it is.
func TestSkip(t *testing.T) {
	t.Parallel()
	w := newPair(t)
	w.a.startHelper()
	w.secrets = append(w.secrets, phrase)
	f := w.file("film", 10<<20)
	const skip = 7_000_001
	whole, err := os.ReadFile(f.path)
	if err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(w.folder(), "film")
	if err := os.WriteFile(target, whole[:skip], 0o644); err != nil {
		t.Fatal(err)
	}
	x := &transfer{t: t, file: f, target: target}
	x.sender = w.a.qft("sender", pairHelper, phrase, f.path, "0", fmt.Sprint(skip))
	x.receiver = w.b.qft("receiver", pairHelper, phrase, target, "0", fmt.Sprint(skip))
	x.wantDelivered(bigTime)
	if seen := w.b.traffic("eth0").in; seen > f.size-skip+2<<20 {
		t.Errorf("%d bytes were sent of the %d that were missing", seen, f.size-skip)
	}
}

// TestBitrate: the historical bound on the file bytes in a packet holds.
func TestBitrate(t *testing.T) {
	t.Parallel()
	w := newPair(t)
	w.a.ip("link set dev eth0 gso_max_segs 1") // packets are counted as they are on a wire
	w.a.startHelper()
	w.secrets = append(w.secrets, phrase)
	f := w.file("film", 2<<20)
	x := &transfer{t: t, file: f, target: w.folder() + "/film"}
	x.sender = w.a.qft("sender", pairHelper, phrase, f.path, "256")
	x.receiver = w.b.qft("receiver", pairHelper, phrase, x.target, "256")
	x.wantDelivered(bigTime)
	if n := w.b.traffic("eth0").packets; n < f.size/256 {
		t.Errorf("%d packets carried %d bytes: more than 256 in each", n, f.size)
	}
}
