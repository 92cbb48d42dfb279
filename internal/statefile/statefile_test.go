package statefile

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestReplaceIsWholeOrNotAtAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "state")
	for _, text := range []string{"one", "a longer one", ""} {
		if err := Replace(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("%q, %v, want %q", got, err, text)
		}
	}
	if st, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st, err)
	}
	if err := os.Mkdir(path+"d", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(path+"d", "in it"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Replace(path+"d", []byte("x")); err == nil {
		t.Error("a folder with something in it was replaced")
	}
	if names, err := os.ReadDir(filepath.Dir(path)); err != nil || len(names) != 2 {
		t.Errorf("%v was left, %v", names, err)
	}
}

func TestLockIsOneProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	open := func() *os.File {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	a, b := open(), open()
	defer b.Close()
	if free, err := TryLock(a); !free || err != nil {
		t.Fatalf("%v, %v", free, err)
	}
	switch runtime.GOOS {
	case "linux", "darwin", "freebsd", "windows":
	default:
		t.Skip("there are no locks here")
	}
	if free, err := TryLock(b); free || err != nil {
		t.Errorf("two have it: %v", err)
	}
	a.Close()
	if free, err := TryLock(b); !free || err != nil {
		t.Errorf("it is not let go: %v", err)
	}
}
