package walk

import (
	"os"
)

// ground is where trees lie, and paths lead: the disks of this machine, or what
// somebody has made to look like one.
type ground interface {
	// readable says why an item cannot be sent.
	readable(path string) error
	// baseName is what an item is called, and trim its path without what does not
	// change where it leads.
	baseName(path string) (string, error)
	trim(path string) string
	// stat looks at an item, and openItem opens it if it is a directory; they
	// follow symlinks. open opens a directory on the way.
	stat(path string, m *meta) error
	openItem(path string) (folder, error)
	open(path string) (folder, error)
	// openFile opens a file if it is what it was. follow says that the path may
	// be a symlink.
	openFile(path string, follow bool, was *meta) (content, error)

	separator() byte
	separates(c byte) bool
	slashed(path string) string
}

// folder is an open directory.
type folder interface {
	// open opens a directory in it, and parent the one that it lies in. Neither
	// follows a symlink.
	open(name string) (folder, error)
	parent() (folder, error)
	// names calls each with every name in it but "." and "..".
	names(each func(name string)) error
	// stat looks at a name, without following it, and self at the directory.
	stat(name string, m *meta) error
	self(m *meta) error
	// mayRead says why a file in it cannot be read, as far as is known.
	mayRead(name string, m *meta) error
	readlink(name string) (string, error)
	// rules reads its .gitignore.
	rules() (rules, error)
	close()
}

// disks are the ground of this machine.
type disks struct{}

func (disks) readable(path string) error           { return readable(path) }
func (disks) baseName(path string) (string, error) { return baseName(path) }
func (disks) trim(path string) string              { return trim(path) }
func (disks) stat(path string, m *meta) error      { return statItem(path, m) }
func (disks) openItem(path string) (folder, error) { return asFolder(openItem(path)) }
func (disks) open(path string) (folder, error)     { return asFolder(openPath(path)) }
func (disks) separator() byte                      { return os.PathSeparator }
func (disks) separates(c byte) bool                { return os.IsPathSeparator(c) }
func (disks) slashed(path string) string           { return slashed(path) }

func (disks) openFile(path string, follow bool, was *meta) (content, error) {
	f, err := openFile(path, follow, was)
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

// diskFile is an open file of a disk.
type diskFile struct{ *os.File }

func (f diskFile) stat(m *meta) error { return fstat(f.File, m) }

func (f diskFile) data(off, size int64) (lo, hi int64, err error) { return data(f.File, off, size) }

func asFolder(d *dir, err error) (folder, error) {
	if err != nil {
		return nil, err
	}
	return d, nil
}

// onDisk is the directory of a disk, nil if it is of something else.
func onDisk(f folder) *dir {
	d, _ := f.(*dir)
	return d
}
