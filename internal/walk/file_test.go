package walk

import (
	"errors"
	"io/fs"
	"os"
	"testing"
	"time"

	"qft/internal/manifest"
)

// find walks over one file and returns it.
func find(t *testing.T, path string) Found {
	t.Helper()
	found := all(t, Config{Paths: []string{path}})
	if len(found) != 1 || found[0].Problem != nil {
		t.Fatalf("found %v", show(found))
	}
	return found[0]
}

func TestFileIsReadInPieces(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, "some-file")
	f, err := Open(find(t, dir+"/some-file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 4)
	if n, err := f.ReadAt(b, 5); n != 4 || err != nil || string(b) != "file" {
		t.Errorf("read %q, %v", b[:n], err)
	}
	if n, err := f.ReadAt(b, 6); n != 3 || !errors.Is(err, ErrChanged) {
		t.Errorf("beyond the end, read %q, %v", b[:n], err)
	}
	if err := f.Unchanged(); err != nil {
		t.Error(err)
	}
	if lo, hi, err := f.Data(3); lo != 3 || hi != 9 || err != nil {
		t.Errorf("data from %d to %d, %v", lo, hi, err)
	}
	if lo, hi, err := f.Data(9); lo != 9 || hi != 9 || err != nil {
		t.Errorf("at the end, data from %d to %d, %v", lo, hi, err)
	}
}

func TestOpenRefusesWhatChanged(t *testing.T) {
	for what, change := range map[string]func(path string) error{
		"written to": func(path string) error { return os.WriteFile(path, []byte("longer than before"), 0o644) },
		"touched":    func(path string) error { return os.Chtimes(path, time.Time{}, time.Unix(1, 0)) },
		"replaced by its like": func(path string) error {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			if err := os.WriteFile(path+"2", []byte("other"), 0o644); err != nil {
				return err
			}
			if err := os.Chtimes(path+"2", time.Time{}, info.ModTime()); err != nil {
				return err
			}
			return os.Rename(path+"2", path)
		},
		"a directory": func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o755)) },
		"a symlink to it": func(path string) error {
			return errors.Join(os.Rename(path, path+"2"), os.Symlink(path+"2", path))
		},
	} {
		dir := t.TempDir()
		plant(t, dir, "t/f", "t/other")
		if err := os.WriteFile(dir+"/t/f", []byte("given"), 0o644); err != nil {
			t.Fatal(err)
		}
		f := all(t, Config{Paths: []string{dir + "/t"}})[1]
		if f.Inode == (Inode{}) && what == "replaced by its like" {
			continue // no system call tells here
		}
		if err := change(dir + "/t/f"); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(f); !errors.Is(err, ErrChanged) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestOpenTellsWhatIsGone(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, "f")
	f := find(t, dir+"/f")
	if err := os.Remove(dir + "/f"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(f); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestOpenTakesOnlyFiles(t *testing.T) {
	if _, err := Open(Found{Entry: manifest.Entry{Kind: manifest.Dir}, Path: t.TempDir()}); err == nil {
		t.Error("opened a directory")
	}
}

func TestOpenFileNoticesChanges(t *testing.T) {
	for what, change := range map[string]func(path string) error{
		"longer":  func(path string) error { return os.Truncate(path, 100) },
		"shorter": func(path string) error { return os.Truncate(path, 0) },
		"touched": func(path string) error { return os.Chtimes(path, time.Time{}, time.Unix(1, 0)) },
	} {
		path := t.TempDir() + "/f"
		plant(t, path[:len(path)-2], "f")
		f, err := Open(find(t, path))
		if err != nil {
			t.Fatal(err)
		}
		if err := change(path); err != nil {
			t.Fatal(err)
		}
		if err := f.Unchanged(); !errors.Is(err, ErrChanged) {
			t.Errorf("%s: %v", what, err)
		}
		f.Close()
	}
}

// Editors save by renaming. What was opened is still what was found.
func TestOpenFileOutlivesItsName(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, "old", "new")
	f, err := Open(find(t, dir+"/old"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Rename(dir+"/new", dir+"/old"); err != nil {
		t.Skip("an open file cannot be replaced here:", err)
	}
	b := make([]byte, 3)
	if _, err := f.ReadAt(b, 0); err != nil || string(b) != "old" {
		t.Errorf("read %q, %v", b, err)
	}
	if err := f.Unchanged(); err != nil {
		t.Error(err)
	}
}

func TestOpenFollowsItemsOnly(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, "file", "way -> file")
	f, err := Open(find(t, dir+"/way"))
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}
