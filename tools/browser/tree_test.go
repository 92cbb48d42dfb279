package browser

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// grow makes a tree in the person's home: some large files and many small ones,
// so many bytes in all.
func (p *person) grow(name string, bytes int64) {
	p.t.Helper()
	rng := rand.NewChaCha8([32]byte{byte(bytes), byte(bytes >> 8)})
	left := bytes
	for i := 0; left > 0; i++ {
		size := min(left, 4000+int64(rng.Uint64()%60_000))
		if i%100 == 0 {
			size = min(left, bytes/3+1)
		}
		left -= size
		dir := filepath.Join(p.home, name, fmt.Sprintf("part %d", i%7))
		content := make([]byte, size)
		rng.Read(content)
		p.put(filepath.Join(dir, fmt.Sprintf("%03d.bin", i)), content)
	}
}

func (p *person) put(path string, content []byte) {
	p.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// untilKept waits until the journal of what the person receives vouches for
// something: what has only passed the network may be lost with the program. Its
// first record stands behind a header of 28 bytes and the head.
func (p *person) untilKept(name string) {
	p.t.Helper()
	journal := filepath.Join(p.downloads(), "."+name+".qft-part", "journal")
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(patience); ; {
		if b, _ := os.ReadFile(journal); len(b) > 12 {
			if at := 28 + int64(binary.BigEndian.Uint32(b[8:])); int64(len(b)) > at+4 && binary.BigEndian.Uint32(b[at:]) > 0 {
				return
			}
		}
		select {
		case <-tick.C:
		case <-late:
			p.t.Fatalf("nothing of %s is kept", name)
		}
	}
}

// wantEqual compares two trees.
func wantEqual(t *testing.T, want, got string) {
	t.Helper()
	w, g := read(t, want), read(t, got)
	for path, content := range w {
		if !bytes.Equal(content, g[path]) {
			t.Errorf("%s: %d bytes were sent, and %d are there, not the same", path, len(content), len(g[path]))
		}
	}
	if len(w) != len(g) || len(w) == 0 {
		t.Errorf("%d files in %s, %d in %s", len(w), want, len(g), got)
	}
}

func read(t *testing.T, top string) map[string][]byte {
	t.Helper()
	all := make(map[string][]byte)
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(top, path)
		all[name], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return all
}
