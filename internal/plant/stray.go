package plant

import (
	"errors"
	"io/fs"
	"strings"
	"sync"
)

// strays are the unfinished files that earlier runs have left, by their marks.
type strays struct {
	mu   sync.Mutex
	left map[string][]string // nil: not looked for yet
}

// weed removes what earlier runs have left of other versions of p: it will
// never be finished, and might be what fills the disk.
func (b *Bed) weed(p string) error {
	if !b.resumed {
		return nil
	}
	s := &b.stray
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left == nil {
		s.left = make(map[string][]string)
		if err := s.find(b.data.root.FS, ""); err != nil {
			return err
		}
	}
	mark := strayMark(p)
	for _, q := range s.left[mark] {
		if parent(q) != parent(p) {
			continue
		}
		err := b.data.within(q, func(d *dir, name string) error { return d.Remove(name) })
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	delete(s.left, mark)
	return nil
}

// find lists the strays below a directory.
func (s *strays) find(d FS, at string) error {
	return d.Names(func(name string) error {
		if isSprout(name) {
			mark := name[:markLength]
			s.left[mark] = append(s.left[mark], join(at, name))
			return nil
		}
		return inside(d, name, func(below FS) error { return s.find(below, join(at, name)) })
	})
}

// markLength is the length of what strayMark returns.
const markLength = 9

// isSprout reports whether a name in data/ is one of an unfinished file: of
// what comes from a sender nothing has such a name.
func isSprout(name string) bool {
	return strings.HasPrefix(name, ".") && strings.HasSuffix(name, bedSuffix) && len(name) > markLength
}

// inside calls do with a directory, if name is one.
func inside(in FS, name string, do func(below FS) error) error {
	info, err := in.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return nil
	}
	if err != nil {
		return err
	}
	below, err := in.Open(name)
	if err != nil {
		return err
	}
	defer below.Close()
	return do(below)
}
