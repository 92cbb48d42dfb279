package walk

import (
	"errors"
	"fmt"
	"io"

	"qft/internal/manifest"
)

// ErrChanged is a file that is not what it was when the walk found it.
var ErrChanged = errors.New("has changed since it was looked at")

// File is a file of the walk, opened. Its methods may be called at the same
// time by several.
type File struct {
	f    content
	path string
	was  meta
}

// content is an open file of a ground.
type content interface {
	io.ReaderAt
	io.Closer
	// stat looks at it.
	stat(m *meta) error
	// data returns where the next bytes are that are no hole.
	data(off, size int64) (lo, hi int64, err error)
}

// Open opens what was found as a File. An error wraps ErrChanged if the path
// leads to something else now, or to a file of another size or modification
// time; such a thing is not opened, as that could make a pipe wait or a device
// do something.
func Open(f Found) (*File, error) {
	if f.Kind != manifest.File {
		return nil, fmt.Errorf("%q is not a file", f.Path)
	}
	was := meta{
		kind:   manifest.File,
		size:   f.Size,
		sec:    f.Sec,
		nsec:   f.Nsec,
		sparse: f.Sparse,
		inode:  f.Inode,
	}
	file, err := f.ground.openFile(f.Path, f.Depth == 0, &was)
	if err != nil {
		return nil, fmt.Errorf("opening %q: %w", f.Path, err)
	}
	return &File{f: file, path: f.Path, was: was}, nil
}

// ReadAt fills p from off. A file that ends before is ErrChanged.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.f.ReadAt(p, off)
	switch {
	case n == len(p):
		return n, nil
	case errors.Is(err, io.EOF):
		return n, f.changed("became shorter")
	}
	return n, fmt.Errorf("reading %q: %w", f.path, plain(err))
}

// Unchanged reports, as ErrChanged, a file that has another size or
// modification time than when it was found. A name that leads to another file
// now does not matter: this one is still there to be read.
func (f *File) Unchanged() error {
	var m meta
	if err := f.f.stat(&m); err != nil {
		return fmt.Errorf("looking at %q: %w", f.path, plain(err))
	}
	if !m.same(&f.was) {
		return f.changed("was written to")
	}
	return nil
}

func (f *File) changed(how string) error {
	return fmt.Errorf("%q %s: %w", f.path, how, ErrChanged)
}

// Data returns where the next bytes that are not a hole are, at or behind off:
// from lo to hi. Both are the file's size when only a hole is left. What is no
// Sparse file, or lies where nobody knows of holes, is all data.
func (f *File) Data(off int64) (lo, hi int64, err error) {
	size := f.was.size
	if !f.was.sparse || off >= size {
		return min(off, size), size, nil
	}
	if lo, hi, err = f.f.data(off, size); err != nil {
		return 0, 0, fmt.Errorf("looking for holes in %q: %w", f.path, plain(err))
	}
	return min(lo, size), min(hi, size), nil
}

// Close closes the file.
func (f *File) Close() error { return f.f.Close() }
