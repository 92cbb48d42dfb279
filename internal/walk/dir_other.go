//go:build !linux && !darwin && !freebsd

package walk

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"qft/internal/manifest"
)

// dir is an open directory. Names are looked up in it and not along a path, so
// that nobody can lead the walk elsewhere by putting a symlink in its way.
type dir struct{ root *os.Root }

// modes are the bits of a mode that mean something. Windows has none for group
// and others, and Go makes 0666 and 0777 of that: arriving elsewhere with
// these, everything could be written to by everybody.
const modes = 0o755

// reopens is false: there is no way back from a directory to the one above,
// and these systems let a process open many.
const reopens = false

// openItem opens a directory that the person named.
func openItem(path string) (*dir, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, plain(err)
	}
	return &dir{root}, nil
}

// open opens a directory in d, and not one that a symlink leads to.
func (d *dir) open(name string) (folder, error) {
	was, err := d.root.Lstat(name)
	if err != nil {
		return nil, plain(err)
	}
	root, err := d.root.OpenRoot(name)
	if err != nil {
		return nil, plain(err)
	}
	if is, err := root.Stat("."); err != nil || !os.SameFile(was, is) {
		root.Close()
		return nil, ErrChanged
	}
	return &dir{root}, nil
}

func (d *dir) parent() (folder, error) { return nil, errors.ErrUnsupported }

func openPath(string) (*dir, error) { return nil, errors.ErrUnsupported }

func (d *dir) close() { d.root.Close() }

// names calls each with every name in d but "." and "..".
func (d *dir) names(each func(name string)) error {
	f, err := d.root.Open(".")
	if err != nil {
		return plain(err)
	}
	defer f.Close()
	for {
		list, err := f.Readdirnames(256)
		for _, name := range list {
			each(name)
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return plain(err)
		}
	}
}

// stat looks at a name in d, without following it.
func (d *dir) stat(name string, m *meta) error { return m.set(d.root.Lstat(name)) }

// self looks at d.
func (d *dir) self(m *meta) error { return m.set(d.root.Stat(".")) }

// mayRead returns nil: opening a file will tell.
func (d *dir) mayRead(string, *meta) error { return nil }

// readlink returns the text of a symlink in d, with slashes.
func (d *dir) readlink(name string) (string, error) {
	text, err := d.root.Readlink(name)
	if err != nil {
		return "", plain(err)
	}
	return filepath.ToSlash(text), nil
}

// openFile opens a regular file in d; nil if it is something else.
func (d *dir) openFile(name string) (*os.File, error) {
	var m meta
	if err := d.stat(name, &m); err != nil || m.kind != manifest.File {
		return nil, err
	}
	f, err := d.root.Open(name)
	if err != nil {
		return nil, plain(err)
	}
	return f, nil
}

func statItem(path string, m *meta) error { return m.set(os.Stat(path)) }

func fstat(f *os.File, m *meta) error { return m.set(f.Stat()) }

// set translates what the system said.
func (m *meta) set(info os.FileInfo, err error) error {
	if err != nil {
		return plain(err)
	}
	t := info.ModTime()
	*m = meta{
		mode: uint32(info.Mode().Perm()) & modes,
		size: info.Size(),
		sec:  t.Unix(),
		nsec: uint32(t.Nanosecond()),
	}
	switch info.Mode().Type() {
	case os.ModeDir:
		m.kind = manifest.Dir
		if runtime.GOOS == "windows" {
			m.mode = modes // read-only is how it marks folders with an icon of their own
		}
	case 0:
		m.kind = manifest.File
	case os.ModeSymlink:
		m.kind = manifest.Symlink
	default:
		m.special = special(info.Mode())
	}
	return nil
}

// openFile opens a file if it is what it was. follow says that the path may be
// a symlink, as an item may.
func openFile(path string, follow bool, was *meta) (*os.File, error) {
	stat := os.Lstat
	if follow {
		stat = os.Stat
	}
	var is meta
	if err := is.set(stat(path)); err != nil {
		return nil, err
	}
	if !is.same(was) {
		return nil, ErrChanged
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, plain(err)
	}
	if err = fstat(f, &is); err == nil && !is.same(was) {
		err = ErrChanged
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// special names what kind of thing can only be used where it is.
func special(m os.FileMode) string {
	switch {
	case m&os.ModeNamedPipe != 0:
		return "a pipe"
	case m&os.ModeSocket != 0:
		return "a socket"
	case m&os.ModeDevice != 0:
		return "a device"
	}
	return "of an unknown kind"
}

func slashed(path string) string { return filepath.ToSlash(path) }

// data does not know of holes here.
func data(_ *os.File, off, size int64) (lo, hi int64, err error) { return off, size, nil }
