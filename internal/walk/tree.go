package walk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"time"

	"qft/internal/manifest"
)

const (
	// maxNames is how many names a directory of an fs.FS may have, and
	// maxNameBytes how long they may be together. One that makes them up could go
	// on for ever.
	maxNames     = 1 << 20
	maxNameBytes = 64 << 20
)

// ErrCut is what a call comes to that was left behind.
var ErrCut = errors.New("is not wanted any more")

var errNothing = errors.New("nothing is known of it")

var errBadPath = errors.New("is no path in what is sent: those have slashes between names, and none at either end")

// tree is an fs.FS as ground. Its files have no inodes, holes, owners and
// attributes. Each call of it runs in a goroutine of its own, since it may
// block for ever.
type tree struct {
	fs  fs.FS
	cut <-chan struct{} // nil: nothing is left behind
}

// call runs f, or leaves it behind. What is then opened for nobody is closed.
func call[T any](t *tree, f func() (T, error)) (T, error) {
	type result struct {
		v   T
		err error
	}
	var none T
	select {
	case <-t.cut:
		return none, ErrCut
	default:
	}
	done := make(chan result)
	go func() {
		v, err := f()
		select {
		case done <- result{v, err}:
		case <-t.cut:
			if c, ok := any(v).(io.Closer); ok && err == nil {
				c.Close()
			}
		}
	}()
	select {
	case r := <-done:
		return r.v, plain(r.err)
	case <-t.cut:
		return none, ErrCut
	}
}

// top are the names at the top.
func (t *tree) top() ([]string, error) {
	var n names
	if err := (&branch{t, "."}).names(n.add); err != nil {
		return nil, fmt.Errorf("reading what is to be sent: %w", err)
	}
	n.sort()
	var all []string
	for name, ok := n.next(); ok; name, ok = n.next() {
		all = append(all, string(name))
	}
	return all, nil
}

func (t *tree) readable(path string) error {
	var m meta
	err := t.stat(path, &m)
	switch {
	case err != nil:
		return fmt.Errorf("%q: %w", path, err)
	case m.kind == manifest.Symlink:
		return fmt.Errorf("%q is a symlink, and is not followed", path)
	case m.kind == 0:
		return fmt.Errorf("%q is %s: %w", path, m.special, ErrSpecial)
	}
	return nil
}

func (t *tree) baseName(name string) (string, error) {
	if name == "." {
		return "", errors.New("the top has no name to arrive under: give it one, or name nothing to send what is in it")
	}
	return path.Base(name), nil
}

func (t *tree) trim(path string) string { return path }

func (t *tree) stat(path string, m *meta) error {
	if !fs.ValidPath(path) {
		return errBadPath
	}
	return m.setInfo(call(t, func() (fs.FileInfo, error) { return fs.Stat(t.fs, path) }))
}

func (t *tree) openItem(path string) (folder, error) { return t.open(path) }
func (t *tree) open(path string) (folder, error)     { return &branch{t, path}, nil }
func (t *tree) separator() byte                      { return '/' }
func (t *tree) separates(c byte) bool                { return c == '/' }
func (t *tree) slashed(path string) string           { return path }

// openFile opens a file if it is what it was.
func (t *tree) openFile(path string, _ bool, was *meta) (content, error) {
	if !fs.ValidPath(path) {
		return nil, errBadPath
	}
	l, err := t.openLeaf(path)
	if err != nil {
		return nil, err
	}
	var is meta
	if err = l.stat(&is); err == nil && !is.same(was) {
		err = ErrChanged
	}
	if _, ok := l.f.(io.ReaderAt); !ok && err == nil {
		err = errors.New("can only be read from its beginning on (it is no io.ReaderAt), so it cannot be sent")
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// openLeaf opens what is called path.
func (t *tree) openLeaf(path string) (*leaf, error) {
	f, err := call(t, func() (fs.File, error) { return t.fs.Open(path) })
	switch {
	case err != nil:
		return nil, err
	case f == nil:
		return nil, errNothing
	}
	return &leaf{tree: t, f: f}, nil
}

// branch is a directory of a tree.
type branch struct {
	*tree
	path string
}

func (b *branch) at(name string) (string, error) {
	if at := path.Join(b.path, name); fs.ValidPath(name) && fs.ValidPath(at) {
		return at, nil
	}
	return "", errBadPath
}

func (b *branch) open(name string) (folder, error) {
	at, err := b.at(name)
	if err != nil {
		return nil, err
	}
	return &branch{b.tree, at}, nil
}

func (b *branch) parent() (folder, error) { return &branch{b.tree, path.Dir(b.path)}, nil }

func (b *branch) names(each func(name string)) error {
	l, err := b.openLeaf(b.path)
	if err != nil {
		return err
	}
	defer l.Close()
	d, ok := l.f.(fs.ReadDirFile)
	if !ok {
		return errors.New("its names cannot be read")
	}
	for n, bytes := 0, 0; ; {
		list, err := call(b.tree, func() ([]fs.DirEntry, error) { return d.ReadDir(256) })
		for _, e := range list {
			name := e.Name()
			name = name[:min(len(name), manifest.MaxName+1)] // already too long to be sent
			bytes += len(name)
			each(name)
		}
		n += len(list)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case len(list) == 0:
			return io.ErrNoProgress
		case n > maxNames, bytes > maxNameBytes:
			return fmt.Errorf("has more names than can be sent: %d of them, %d bytes", n, bytes)
		}
	}
}

// stat looks at a name. What knows symlinks does not follow them.
func (b *branch) stat(name string, m *meta) error {
	at, err := b.at(name)
	if err != nil {
		return err
	}
	return m.setInfo(call(b.tree, func() (fs.FileInfo, error) { return fs.Lstat(b.fs, at) }))
}

func (b *branch) self(m *meta) error {
	err := b.tree.stat(b.path, m)
	if err == nil && m.kind != manifest.Dir {
		err = ErrChanged
	}
	return err
}

func (b *branch) mayRead(string, *meta) error { return nil } // opening will tell

func (b *branch) readlink(name string) (string, error) {
	at, err := b.at(name)
	if err != nil {
		return "", err
	}
	return call(b.tree, func() (string, error) { return fs.ReadLink(b.fs, at) })
}

func (b *branch) rules() (rules, error) {
	var m meta
	if err := b.stat(".gitignore", &m); err != nil || m.kind != manifest.File {
		return nil, wrapIgnore(err)
	}
	at, err := b.at(".gitignore")
	if err != nil {
		return nil, wrapIgnore(err)
	}
	l, err := b.openLeaf(at)
	if err != nil {
		return nil, wrapIgnore(err)
	}
	defer l.Close()
	return call(b.tree, func() (rules, error) { return readRules(l.f) })
}

func (b *branch) close() {}

// leaf is an open file of a tree.
type leaf struct {
	*tree
	f fs.File
}

// Close has it closed, and does not wait for that: it may block as well.
func (l *leaf) Close() error {
	go l.f.Close()
	return nil
}

func (l *leaf) stat(m *meta) error { return m.setInfo(call(l.tree, l.f.Stat)) }

func (l *leaf) data(off, size int64) (lo, hi int64, err error) { return off, size, nil }

// ReadAt implements io.ReaderAt. What is left behind may still write to its
// buffer, so it has its own.
func (l *leaf) ReadAt(p []byte, off int64) (int, error) {
	type read struct {
		b []byte
		n int
	}
	r, err := call(l.tree, func() (read, error) {
		b := make([]byte, len(p))
		n, err := l.f.(io.ReaderAt).ReadAt(b, off)
		if n == len(p) || n < 0 || n > len(p) {
			err = nil // what else it says does not matter, or makes no sense
		} else if err == nil {
			err = io.ErrNoProgress
		}
		return read{b, n}, err
	})
	switch {
	case r.n < 0 || r.n > len(p):
		return 0, errors.New("its reader tells lengths that cannot be")
	case r.n == len(p):
		return copy(p, r.b), nil
	}
	return copy(p, r.b[:r.n]), err
}

// setInfo translates what an fs.FS said.
func (m *meta) setInfo(info fs.FileInfo, err error) error {
	if err == nil && info == nil {
		err = errNothing
	}
	if err != nil {
		return err
	}
	*m = meta{mode: uint32(info.Mode().Perm()), size: info.Size()}
	switch { // many have no permissions to tell
	case m.mode == 0 && info.IsDir():
		m.mode = 0o755
	case m.mode == 0:
		m.mode = 0o644
	}
	if t := info.ModTime(); t.After(time.Time{}) {
		m.sec, m.nsec = t.Unix(), uint32(t.Nanosecond())
	}
	switch info.Mode().Type() {
	case fs.ModeDir:
		m.kind = manifest.Dir
	case 0:
		m.kind = manifest.File
		if m.size < 0 {
			return errors.New("its size is below nothing")
		}
	case fs.ModeSymlink:
		m.kind = manifest.Symlink
	default:
		m.special = "of another kind"
	}
	return nil
}
