//go:build linux || darwin || freebsd

package walk

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// Opening a pipe would wait for somebody to write to it.
func TestOpenDoesNotWaitForPipes(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, "f")
	f := find(t, dir+"/f")
	if err := errors.Join(os.Remove(dir+"/f"), unix.Mkfifo(dir+"/f", 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(f); !errors.Is(err, ErrChanged) {
		t.Error(err)
	}
	d, err := openItem(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if f, err := d.openFile("f"); f != nil || err != nil {
		t.Errorf("a pipe instead of .gitignore: %v, %v", f, err)
	}
}

func TestHolesAreFound(t *testing.T) {
	const unit = 1 << 20
	path := t.TempDir() + "/sparse"
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	written := make([]byte, 10*unit)
	for _, at := range []int64{2, 3, 7} {
		b := bytes.Repeat([]byte{byte(at)}, unit)
		copy(written[at*unit:], b)
		if _, err := file.WriteAt(b, at*unit); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(file.Truncate(10*unit), file.Sync(), file.Close()); err != nil {
		t.Fatal(err)
	}
	found := find(t, path)
	if !found.Sparse {
		t.Skip("this file system keeps no holes")
	}
	f, err := Open(found)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	read := make([]byte, 10*unit)
	var data int64
	for off := int64(0); off < 10*unit; {
		lo, hi, err := f.Data(off)
		if err != nil || lo < off || hi < lo || hi == lo && lo != 10*unit || hi > 10*unit {
			t.Fatalf("from %d: data from %d to %d, %v", off, lo, hi, err)
		}
		if _, err := f.ReadAt(read[lo:hi], lo); err != nil {
			t.Fatal(err)
		}
		data += hi - lo
		off = hi
	}
	if !bytes.Equal(read, written) {
		t.Error("the data regions are not all that was written")
	}
	if data == 10*unit {
		t.Skip("the system does not tell where holes are")
	}
	if data != 3*unit {
		t.Logf("%d bytes of data, %d written", data, 3*unit)
	}
	if lo, hi, err := f.Data(5*unit + 1); lo != 7*unit || hi != 8*unit || err != nil {
		t.Logf("from the middle of a hole: %d to %d, %v", lo, hi, err)
	}
	if lo, hi, err := f.Data(9 * unit); lo != 10*unit || hi != 10*unit || err != nil {
		t.Errorf("from the last hole: %d to %d, %v", lo, hi, err)
	}
}

func TestFileWithoutHolesIsNotSparse(t *testing.T) {
	path := t.TempDir() + "/dense"
	if err := os.WriteFile(path, make([]byte, 1<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	if find(t, path).Sparse {
		t.Skip("this file system compresses")
	}
}
