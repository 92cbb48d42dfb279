package walk

import (
	"errors"
	"fmt"
	"io/fs"

	"qft/internal/manifest"
)

// Found is what the walk came upon.
type Found struct {
	// Entry is its line of the manifest. With a Problem it is none: only Name
	// and Depth are set.
	manifest.Entry
	// Path leads to it, for Open and for messages: the item's path as the
	// person named it, and from there the names. It is relative if the item's
	// was, and may be longer than the system takes in one call.
	Path string
	// Inode is zero where the system has none.
	Inode Inode
	// Problem says why this is not sent, nor what is in it. A directory can
	// have been found before without a Problem: then it is what is left of it
	// that is not sent.
	Problem error
	// Notice says what of it is not sent: attributes.
	Notice error

	ground ground // where Path leads
}

// Inode tells one state of a file from all others on this machine, as far as a
// system can: whatever changes the file changes Ctime too.
type Inode struct {
	Dev, Ino uint64
	Ctime    int64 // nanoseconds since 1970
}

// is reports whether both are the same file, in whatever state.
func (i Inode) is(o Inode) bool { return i.Dev == o.Dev && i.Ino == o.Ino }

// fail makes a problem of an error and returns true. But what is not there any
// more is none: it was removed while the walk went on, and nothing is found.
func (f *Found) fail(err error) bool {
	if errors.Is(err, fs.ErrNotExist) && f.Depth > 0 {
		return false
	}
	f.Entry = manifest.Entry{Name: f.Name, Depth: f.Depth}
	f.Problem = err
	return true
}

// set writes what all kinds of entries have.
func (f *Found) set(m *meta) {
	f.Kind = m.kind
	f.Mode = m.mode
	f.Sec, f.Nsec = m.sec, m.nsec
	f.Inode = m.inode
}

// file finds a file in d, or one that is an item.
func (w *walker) file(f *Found, d folder, m *meta) bool {
	if m.size > manifest.MaxSize {
		return f.fail(fmt.Errorf("%d bytes are more than a file may have", m.size))
	}
	if d != nil {
		if err := d.mayRead(f.Name, m); err != nil {
			return f.fail(err)
		}
	}
	f.set(m)
	if m.nlink > 1 {
		first, ok := w.links.find(m, func() string { return w.treePath(f.Path) })
		if ok && len(first) <= manifest.MaxTarget {
			f.Kind = manifest.Link
			f.Target = first
			return true
		}
	}
	f.Size = m.size
	f.Sparse = m.sparse
	w.attrs.read(f, attrSource{dir: onDisk(d)}, m)
	return true
}

func (w *walker) symlink(f *Found, d folder, m *meta) bool {
	text, err := d.readlink(f.Name)
	switch {
	case err != nil:
		return f.fail(err)
	case text == "" || len(text) > manifest.MaxTarget:
		return f.fail(fmt.Errorf("a symlink of %d bytes cannot be sent", len(text)))
	}
	f.set(m)
	f.Target = text
	w.attrs.read(f, attrSource{dir: onDisk(d)}, m)
	return true
}
