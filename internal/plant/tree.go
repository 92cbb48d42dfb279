package plant

import (
	"errors"
	"io/fs"
	"path"
	"strings"
	"sync"
)

// openDirs is how many directories of a tree are kept open when nobody uses
// them: enough for a path of usual depth and its neighbours.
const openDirs = 32

// tree is a directory and what is below it, of which the directories that were
// used last are kept open: a file costs no walk along its path.
type tree struct {
	mu   sync.Mutex
	root *dir
	open map[string]*dir // without the root
	tick uint64
}

// dir is an open directory of a tree.
type dir struct {
	FS
	path  string // "" for the root
	users int
	used  uint64 // tick of the last use
}

func newTree(root FS) *tree {
	return &tree{root: &dir{FS: root}, open: make(map[string]*dir)}
}

// at opens the directory with a path. It must be given back with done.
func (t *tree) at(p string) (*dir, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.reach(p, nil)
}

// grow is at, and makes what is missing of the path. made has the directories
// that got a new entry.
func (t *tree) grow(p string) (d *dir, made []string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	d, err = t.reach(p, &made)
	return d, made, err
}

func (t *tree) reach(p string, made *[]string) (*dir, error) {
	t.tick++
	d, rest := t.nearest(p)
	d.users++
	d.used = t.tick
	for rest != "" {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		child, err := t.child(d, name, made)
		d.users--
		if err != nil {
			return nil, err
		}
		d = child
	}
	return d, nil
}

// nearest returns the open directory that is nearest to p, and what remains.
func (t *tree) nearest(p string) (d *dir, rest string) {
	for at := p; at != ""; {
		if d := t.open[at]; d != nil {
			return d, strings.TrimPrefix(p[len(at):], "/")
		}
		at = parent(at)
	}
	return t.root, p
}

// child opens an element of d, with one user.
func (t *tree) child(d *dir, name string, made *[]string) (*dir, error) {
	f, err := d.Open(name)
	if errors.Is(err, fs.ErrNotExist) && made != nil {
		if err = d.Mkdir(name); err == nil {
			*made = append(*made, d.path)
			f, err = d.Open(name)
		}
	}
	if err != nil {
		return nil, err
	}
	child := &dir{FS: f, path: join(d.path, name), users: 1, used: t.tick}
	t.open[child.path] = child
	t.shrink()
	return child, nil
}

// shrink closes the directory that was not used for the longest time, if there
// are too many.
func (t *tree) shrink() {
	if len(t.open) <= openDirs {
		return
	}
	var oldest *dir
	for _, d := range t.open {
		if d.users == 0 && (oldest == nil || d.used < oldest.used) {
			oldest = d
		}
	}
	if oldest != nil {
		delete(t.open, oldest.path)
		oldest.Close()
	}
}

// done gives a directory back.
func (t *tree) done(d *dir) {
	t.mu.Lock()
	defer t.mu.Unlock()
	d.users--
	if d.users == 0 && d != t.root && t.open[d.path] != d {
		d.Close() // it was forgotten while it was in use
	}
}

// forget closes what is open but the root: the directories are about to be
// moved or removed.
func (t *tree) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for p, d := range t.open {
		delete(t.open, p)
		if d.users == 0 {
			d.Close()
		}
	}
}

// within calls do with the directory of a path and the path's last element.
func (t *tree) within(p string, do func(d *dir, name string) error) error {
	d, err := t.at(parent(p))
	if err != nil {
		return err
	}
	defer t.done(d)
	return do(d, path.Base(p))
}

// lstat describes a path, or returns nil if nothing is there.
func (t *tree) lstat(p string) (info fs.FileInfo, err error) {
	err = t.within(p, func(d *dir, name string) (err error) {
		info, err = d.Lstat(name)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return info, err
}

// parent is the path of a path's directory, "" for an element.
func parent(p string) string {
	if i := strings.LastIndexByte(p, '/'); i >= 0 {
		return p[:i]
	}
	return ""
}

func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}
