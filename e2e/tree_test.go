package e2e

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// forest is a folder with some of everything that people have on their disks,
// of about so many bytes, as a seed decides.
func forest(dir string, seed uint64, size int64) error {
	g := grower{rng: rand.New(rand.NewPCG(seed, 77)), dir: dir}
	g.mkdir("empty folder")
	g.file("empty file", 0)
	g.file("large.bin", size*4/10)
	for i := range 4 {
		g.file(fmt.Sprintf("films/film %d.mkv", i), size/10)
	}
	for left := size / 10; left > 0; {
		n := min(left, 1<<16+g.rng.Int64N(3<<20))
		g.file(fmt.Sprintf("photos/%d/IMG_%04d.jpg", g.rng.IntN(12), g.rng.IntN(10_000)), n)
		left -= n
	}
	for i := range 800 {
		g.file(fmt.Sprintf("notes/%d/%d/%d.txt", i%9, i%7, i), g.rng.Int64N(16<<10))
	}
	g.sparse("disk image.raw", 64<<20)
	g.do(os.Symlink("/nowhere/at all", g.at("dangling")))
	g.do(os.Symlink("large.bin", g.at("to large")))
	g.do(os.Symlink("../..", g.at("films/up")))
	g.do(os.Link(g.at("large.bin"), g.at("films/the same.bin")))
	g.do(os.Link(g.at("notes/0/0/0.txt"), g.at("notes/twin.txt")))
	g.file("odd \xff\xfe name", 100)
	g.file("schön ☃", 100)
	g.do(os.Chmod(g.at("empty folder"), 0o555))
	return g.finish()
}

// grower makes the files of a forest.
type grower struct {
	rng *rand.Rand
	dir string
	err error
}

func (g *grower) do(err error) {
	if g.err == nil {
		g.err = err
	}
}

func (g *grower) at(name string) string { return filepath.Join(g.dir, name) }

func (g *grower) mkdir(name string) { g.do(os.MkdirAll(g.at(name), 0o755)) }

func (g *grower) file(name string, size int64) {
	g.mkdir(filepath.Dir(name))
	f, err := os.Create(g.at(name))
	g.do(err)
	if err != nil {
		return
	}
	defer f.Close()
	var seed [32]byte
	for i := range seed {
		seed[i] = byte(g.rng.Uint32())
	}
	_, err = io.CopyN(f, rand.NewChaCha8(seed), size)
	g.do(err)
	g.do(f.Chmod([]fs.FileMode{0o644, 0o600, 0o755, 0o444}[g.rng.IntN(4)]))
}

func (g *grower) sparse(name string, size int64) {
	f, err := os.Create(g.at(name))
	g.do(err)
	if err != nil {
		return
	}
	defer f.Close()
	g.do(f.Truncate(size))
	for range 20 {
		_, err := f.WriteAt([]byte("a few bytes somewhere"), g.rng.Int64N(size-100))
		g.do(err)
	}
}

// finish gives everything a time.
func (g *grower) finish() error {
	err := filepath.WalkDir(g.dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 || d.IsDir() {
			return err
		}
		at := time.Unix(1_600_000_000+g.rng.Int64N(1e8), g.rng.Int64N(1e9))
		return os.Chtimes(p, at, at)
	})
	g.do(err)
	return g.err
}

// portrait is everything about a tree that a transfer must keep, by path.
func portrait(dir string) (map[string]string, error) {
	all := make(map[string]string)
	first := make(map[uint64]string)
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		line := fmt.Sprintf("%v %d", info.Mode(), info.ModTime().UnixNano())
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			text, err := os.Readlink(p)
			if err != nil {
				return err
			}
			line = "link to " + text
		case info.Mode().IsRegular():
			sum, err := checksum(p)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %d bytes %x", info.Size(), sum[:sha256.Size/2])
			if id, links := inode(info); links > 1 {
				if first[id] == "" {
					first[id] = rel
				}
				line += " one with " + first[id]
			}
		}
		all[rel] = line
		return nil
	})
	return all, err
}

// differences says where two trees differ, or "".
func differences(want, got map[string]string) string {
	var b strings.Builder
	for p, w := range want {
		if g := got[p]; g != w {
			fmt.Fprintf(&b, "%q is %q, want %q\n", p, g, w)
		}
	}
	for p := range got {
		if _, ok := want[p]; !ok {
			fmt.Fprintf(&b, "%q should not be there\n", p)
		}
	}
	if text := b.String(); len(text) > 4000 {
		return text[:4000] + "..."
	}
	return b.String()
}
