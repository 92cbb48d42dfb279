package faulty

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"syscall"
	"testing"
	"time"

	"qft/internal/plant"
)

const create = os.O_RDWR | os.O_CREATE | os.O_EXCL

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write makes a file, and syncs it if that is wanted.
func write(t *testing.T, in plant.FS, name string, content []byte, sync bool) {
	t.Helper()
	f, err := in.OpenFile(name, create)
	must(t, err)
	_, err = f.WriteAt(content, 0)
	must(t, err)
	if sync {
		must(t, f.Sync())
	}
	must(t, f.Close())
}

func contents(d *Disk) map[string]string {
	all := make(map[string]string)
	d.Each(func(p string, _ fs.FileMode, _ time.Time, content []byte) { all[p] = string(content) })
	return all
}

func TestWhatWasSyncedSurvives(t *testing.T) {
	for seed := range uint64(50) {
		d := New(seed, Options{})
		top := d.FS()
		must(t, top.Mkdir("dir"))
		in, err := top.Open("dir")
		must(t, err)
		write(t, in, "file", []byte("content"), true)
		must(t, in.Sync())
		must(t, top.Sync())
		write(t, in, "lost or not", []byte("x"), false)
		d.Crash()
		if got := contents(d); got["dir/file"] != "content" {
			t.Fatalf("seed %d: there is %q", seed, got)
		}
		if _, err := in.Lstat("file"); !errors.Is(err, ErrPower) {
			t.Fatalf("a handle of an earlier life says %v", err)
		}
	}
}

func TestWhatWasNotSyncedMayBeLost(t *testing.T) {
	seen := make(map[string]int)
	for seed := range uint64(200) {
		d := New(seed, Options{})
		top := d.FS()
		write(t, top, "name", bytes.Repeat([]byte("n"), 3*sector), false)
		must(t, top.Sync())
		f, err := top.OpenFile("name", os.O_RDWR)
		must(t, err)
		must(t, f.Datasync())
		_, err = f.WriteAt(bytes.Repeat([]byte("m"), 2*sector), 0)
		must(t, err)
		write(t, top, "other", []byte("o"), true)
		d.Crash()
		got := contents(d)
		name := got["name"]
		if len(name) != 3*sector {
			t.Fatalf("seed %d: %d bytes", seed, len(name))
		}
		for at := 0; at < len(name); at += sector {
			seen[name[at:at+1]+name[at+sector-1:at+sector]]++
		}
		if _, ok := got["other"]; ok {
			seen["other"]++
		}
	}
	if seen["mm"] == 0 || seen["nn"] < 200 || seen["mn"]+seen["nm"] > 0 || seen["other"] < 50 || seen["other"] > 150 {
		t.Errorf("sectors and files: %v", seen)
	}
}

// TestRenamesAreNotTorn: a file that moves is in one of the two places, and a
// directory that was removed is not gone before the file has left it.
func TestRenamesAreNotTorn(t *testing.T) {
	places := make(map[string]int)
	for seed := range uint64(200) {
		d := New(seed, Options{})
		top := d.FS()
		must(t, top.Mkdir("a"))
		must(t, top.Mkdir("b"))
		a, err := top.Open("a")
		must(t, err)
		b, err := top.Open("b")
		must(t, err)
		write(t, a, "f", []byte("f"), true)
		must(t, top.SyncAll())
		must(t, a.Rename("f", b, "g"))
		must(t, top.Remove("a"))
		if seed%2 == 0 {
			must(t, top.Sync()) // which includes what the removal builds on
		}
		d.Crash()
		got := contents(d)
		where := ""
		for p, content := range got {
			if content == "f" {
				where += p
			}
		}
		if seed%2 == 0 && where != "b/g" {
			t.Fatalf("seed %d: there is %q", seed, got)
		}
		places[where]++
	}
	if len(places) != 2 || places["a/f"] == 0 || places["b/g"] == 0 {
		t.Errorf("the file is in %v", places)
	}
}

func TestCallsFailAsPlanned(t *testing.T) {
	d := New(1, Options{})
	top := d.FS()
	f, err := top.OpenFile("f", create)
	must(t, err)
	d.Fail(Fault{At: 2, Err: syscall.EIO, Short: true})
	if _, err := f.WriteAt([]byte("1234"), 0); err != nil {
		t.Error(err)
	}
	if n, err := f.WriteAt([]byte("5678"), 4); n != 2 || !errors.Is(err, syscall.EIO) {
		t.Errorf("%d, %v", n, err)
	}
	d.Fail(Fault{At: 1})
	for range 3 {
		if err := f.Sync(); !errors.Is(err, ErrPower) {
			t.Error(err)
		}
	}
}

func TestSpaceIsCounted(t *testing.T) {
	d := New(1, Options{Capacity: 4 * chunkSize})
	top := d.FS()
	f, err := top.OpenFile("f", create)
	must(t, err)
	if err := f.Allot(5*chunkSize, false); !errors.Is(err, syscall.ENOSPC) {
		t.Error(err)
	}
	must(t, f.Allot(3*chunkSize, false))
	must(t, f.Allot(3*chunkSize, false))
	if free, _ := top.Free(); free != chunkSize {
		t.Errorf("%d bytes free", free)
	}
	g, err := top.OpenFile("g", create)
	must(t, err)
	if n, err := g.WriteAt(make([]byte, 2*chunkSize), 0); n != chunkSize || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := f.WriteAt(make([]byte, 3*chunkSize), 0); err != nil {
		t.Errorf("space was reserved: %v", err)
	}
	must(t, top.Remove("f"))
	must(t, top.Remove("g"))
	if free, _ := top.Free(); free != 4*chunkSize {
		t.Errorf("%d bytes free", free)
	}
}
