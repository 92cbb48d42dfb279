//go:build linux || darwin || freebsd

package transfer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"qft/internal/walk"
)

// misfortunes are what happens to a file between being found and being read.
func misfortunes() map[string]func(path string) error {
	return map[string]func(path string) error{
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
		"vanishes":   os.Remove,
		"becomes a pipe": func(path string) error {
			if err := os.Remove(path); err != nil {
				return err
			}
			return syscall.Mkfifo(path, 0o600)
		},
		"becomes a link": func(path string) error {
			if err := os.Remove(path); err != nil {
				return err
			}
			return os.Symlink("/etc/passwd", path)
		},
	}
}

// TestOneFileThatFailsDoesNotStopTheOthers has something happen to a small file
// and a large one, before they are read, and to a large one in the middle.
func TestOneFileThatFailsDoesNotStopTheOthers(t *testing.T) {
	for name, happens := range misfortunes() {
		for _, mode := range []string{"at once", "later"} {
			claimed := mode == "later"
			t.Run(name+"/"+mode, func(t *testing.T) {
				dir := plot(t)
				top := orchard(t, dir, 1)
				small := sow(t, noise(1, 5000), top, "m", "small")
				large := sow(t, noise(1, 5*blockSize), top, "m", "large")
				long := sow(t, noise(1, 24*blockSize), top, "zz long")
				k := newTaker(t, 1)
				k.mode(mode)
				k.loss = 0.05
				happen := func(path string) {
					if err := happens(path); err != nil {
						t.Fatal(err)
					}
				}
				k.judging = func(e *takerEntry) verdict {
					switch e.path {
					case "tree/m/small":
						happen(small)
					case "tree/m/large":
						happen(large)
					default:
						return verdictWant
					}
					if claimed {
						e.claim[0] = 1
						return verdictClaim
					}
					return verdictWant
				}
				k.each = func() {
					n := k.s.blocks.list.next()
					if last := k.s.blocks.list.at(n - 1); last != nil && last.parts[0].e.found.Path == long && last.parts[0].off == 9*blockSize {
						happen(long)
						k.each = nil
					}
				}
				k.serve(files(top))
				if err := k.run(); err != nil {
					t.Fatal(err)
				}
				want := []string{"tree/m/small", "tree/m/large", "tree/zz long"}
				if name == "vanishes" || name == "becomes a pipe" || name == "becomes a link" {
					// An open file goes on to be what it was.
					delete(k.failed, want[2])
					want = want[:2]
					k.entries[len(k.entries)-1].verdict = verdictSkip
				}
				for _, p := range want {
					if k.failed[p] == "" {
						t.Errorf("%s did not fail: %v", p, k.failed)
					}
				}
				p := k.s.Progress()
				if len(k.failed) != len(want) || p.Failed != int64(len(want)) || len(p.Failures) != len(want) {
					t.Errorf("failed: %v, progress %+v", k.failed, p)
				}
				k.wantContent(dir)
				k.wantWhole()
			})
		}
	}
}

func TestOnlyFileThatFailsEndsTheTransfer(t *testing.T) {
	for name, happens := range misfortunes() {
		for _, size := range []int{5000, 12 * blockSize} {
			t.Run(fmt.Sprintf("%s/%d", name, size), func(t *testing.T) {
				path := sow(t, noise(1, size), plot(t), "f")
				k := newTaker(t, 1)
				k.mode("later")
				k.judging = func(e *takerEntry) verdict {
					if err := happens(path); err != nil {
						t.Fatal(err)
					}
					return verdictWant
				}
				k.serve(files(path))
				err := k.run()
				kind := Changed
				if name == "vanishes" {
					kind = NotFound
				}
				wantFailure(t, err, kind, false)
				if k.heard[msgAbort] != 1 || k.heard[msgFailed] != 0 {
					t.Errorf("the receiver heard %v", k.heard)
				}
				if t.Logf("%v", err); errors.Is(err, walk.ErrChanged) {
					t.Error("the error of another package comes through")
				}
			})
		}
	}
}

// TestWhatIsNoFileIsSkippedByName: that is told, and is no failure.
func TestWhatIsNoFileIsSkippedByName(t *testing.T) {
	dir := plot(t)
	top := orchard(t, dir, 1)
	if err := syscall.Mkfifo(filepath.Join(top, "pipe"), 0o600); err != nil {
		t.Skip(err)
	}
	k := newTaker(t, 1)
	k.serve(files(top))
	if err := k.run(); err != nil {
		t.Fatal(err)
	}
	k.wantContent(dir)
	k.wantWhole()
	if p := k.s.Progress(); p.Failed != 0 || len(p.Skipped) != 1 || p.Skipped[0].Path != filepath.Join(top, "pipe") {
		t.Errorf("progress %+v", p)
	}
}

// TestSecretChangeEndsIt changes bytes that are read again, and hides it: size
// and time stay. The digest that the root has is no more that of the file.
func TestSecretChangeEndsIt(t *testing.T) {
	for _, size := range []int{5000, 3*blockSize + 5} {
		for _, where := range []string{"a lost packet", "a spoilt block"} {
			t.Run(fmt.Sprintf("%d/%s", size, where), func(t *testing.T) {
				dir := plot(t)
				b := noise(1, size)
				path := sow(t, b, dir, "t", "a")
				sow(t, noise(2, 30*blockSize), dir, "t", "b")
				info, err := os.Stat(path)
				if err != nil {
					t.Fatal(err)
				}
				k := newTaker(t, 1)
				k.zstd = false
				held := false
				k.hold = func(block, at int64) bool {
					held = held || block == 0 && at == 1400
					return block == 0 && at == 1400
				}
				if where == "a spoilt block" {
					k.hold = nil
					k.spoil = func(block, at int64, p []byte) {
						if block == 0 && at == 1400 {
							p[0] ^= 1
							held = true
						}
					}
				}
				change := func() {
					for i := range b {
						b[i] ^= 1
					}
					sow(t, b, path)
					if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
						t.Fatal(err)
					}
				}
				k.each = func() {
					if !held || where == "a lost packet" && k.s.blocks.list.next() < 20 {
						return
					}
					k.each, k.hold = nil, nil
					change()
					if where == "a lost packet" {
						if k.s.blocks.list.at(0).data != nil {
							t.Fatal("the block is still in memory")
						}
						k.lost = append(k.lost, takerRange{1400, 1400})
					}
				}
				k.serve(files(filepath.Join(dir, "t")))
				wantFailure(t, k.run(), Changed, false)
				if k.heard[msgAbort] != 1 {
					t.Errorf("the receiver heard %v", k.heard)
				}
			})
		}
	}
}

// TestUnreadableFileIsNamed: a file that cannot be opened any more.
func TestUnreadableFileIsNamed(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read all")
	}
	dir := plot(t)
	top := orchard(t, dir, 1)
	path := sow(t, noise(1, 5000), top, "secret")
	k := newTaker(t, 1)
	k.judging = func(e *takerEntry) verdict {
		if e.path == "tree/secret" {
			if err := os.Chmod(path, 0); err != nil {
				t.Fatal(err)
			}
		}
		return verdictWant
	}
	k.serve(files(top))
	if err := k.run(); err != nil {
		t.Fatal(err)
	}
	if k.failed["tree/secret"] == "" {
		t.Errorf("failed: %v", k.failed)
	}
}
