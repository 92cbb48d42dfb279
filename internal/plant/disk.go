package plant

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// disk is an FS on the system's disk. All of a tree goes through one os.Root,
// and each step through a directory that is held open, so neither a name nor
// somebody who moves directories meanwhile can lead elsewhere.
type disk struct {
	top  *os.Root // what nothing leads out of
	root *os.Root // this directory
	path string   // of it below top

	mu   sync.Mutex
	self *os.File // this directory as a file, once it was needed
}

// openDisk opens dir, through symbolic links if need be: a person named it.
func openDisk(dir string) (*disk, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &disk{top: root, root: root, path: "."}, nil
}

// errName is the answer to a name that is no single element. Names are judged
// and mapped before they get here; this is the second lock on the door.
var errName = errors.New("is not a name")

func element(name string) error {
	if name == "" || name == ".." || strings.ContainsAny(name, "/\x00") || strings.ContainsRune(name, filepath.Separator) {
		return &fs.PathError{Op: "open", Path: name, Err: errName}
	}
	return nil
}

// handle is the directory as an open file, for the calls that take one.
func (d *disk) handle() (*os.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.self == nil {
		f, err := d.root.Open(".")
		if err != nil {
			return nil, err
		}
		d.self = f
	}
	return d.self, nil
}

func (d *disk) Open(name string) (FS, error) {
	if err := element(name); err != nil {
		return nil, err
	}
	root, err := d.root.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	// OpenRoot follows a symbolic link that stays below; we do not.
	opened, err := root.Lstat(".")
	if err == nil {
		err = d.isStill(name, opened)
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	return &disk{top: d.top, root: root, path: path.Join(d.path, name)}, nil
}

// isStill reports an error unless name itself is what was opened.
func (d *disk) isStill(name string, opened fs.FileInfo) error {
	named, err := d.root.Lstat(name)
	switch {
	case err != nil:
		return err
	case named.Mode()&fs.ModeSymlink != 0:
		err = errors.New("is a symbolic link")
	case !os.SameFile(named, opened):
		err = errReplaced
	}
	if err != nil {
		err = &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return err
}

// errReplaced says that a name meant something else a moment ago.
var errReplaced = errors.New("was replaced just now")

func (d *disk) OpenFile(name string, flag int) (File, error) {
	if err := element(name); err != nil {
		return nil, err
	}
	if flag&os.O_EXCL != 0 { // which never follows a link
		f, err := d.root.OpenFile(name, flag, 0o600)
		if err != nil {
			return nil, err
		}
		return &diskFile{f}, nil
	}
	f, err := d.root.OpenFile(name, flag|nonblock, 0) // or a pipe would block
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: errors.New("is not a regular file")}
	}
	if err == nil {
		err = d.isStill(name, info)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &diskFile{f}, nil
}

func (d *disk) Lstat(name string) (fs.FileInfo, error) {
	if err := element(name); err != nil {
		return nil, err
	}
	return d.root.Lstat(name)
}

func (d *disk) Same(a, b fs.FileInfo) bool { return os.SameFile(a, b) }

// Names reads all names before it calls each: on some file systems a directory
// that changes while it is read loses names that did not change.
func (d *disk) Names(each func(name string) error) error {
	f, err := d.root.Open(".")
	if err != nil {
		return err
	}
	names, err := f.Readdirnames(-1)
	f.Close()
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := each(n); err != nil {
			return err
		}
	}
	return nil
}

func (d *disk) Readlink(name string) (string, error) {
	if err := element(name); err != nil {
		return "", err
	}
	return d.root.Readlink(name)
}

func (d *disk) Mkdir(name string) error {
	if err := element(name); err != nil {
		return err
	}
	return d.root.Mkdir(name, 0o700)
}

func (d *disk) Symlink(text, name string) error {
	if err := element(name); err != nil {
		return err
	}
	return d.root.Symlink(filepath.FromSlash(text), name)
}

func (d *disk) Remove(name string) error {
	if err := element(name); err != nil {
		return err
	}
	return d.root.Remove(name)
}

func (d *disk) Chmod(name string, mode fs.FileMode) error {
	if err := element(name); err != nil {
		return err
	}
	return d.root.Chmod(name, mode)
}

func (d *disk) SetTime(name string, mtime time.Time) error {
	if err := element(name); err != nil {
		return err
	}
	return setTime(d, name, mtime)
}

func (d *disk) Chown(name string, uid, gid int) error {
	if err := element(name); err != nil {
		return err
	}
	return d.root.Lchown(name, uid, gid)
}

func (d *disk) SetXattr(attr string, value []byte) error {
	f, err := d.handle()
	if err != nil {
		return err
	}
	return setXattr(f, attr, value)
}

func (d *disk) Sync() error {
	f, err := d.handle()
	if err != nil {
		return err
	}
	return syncDir(f)
}

func (d *disk) SyncAll() error {
	f, err := d.handle()
	if err != nil {
		return err
	}
	return syncAll(f)
}

func (d *disk) SyncsAll() bool { return syncsAll }

func (d *disk) Free() (int64, bool) {
	f, err := d.handle()
	if err != nil {
		return 0, false
	}
	return freeSpace(f)
}

func (d *disk) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.self != nil {
		d.self.Close()
		d.self = nil
	}
	return d.root.Close()
}

// FreeSpace is how many bytes this user may still write to the file system of
// dir, if that is known.
func FreeSpace(dir string) (n int64, known bool) {
	f, err := os.Open(dir)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	return freeSpace(f)
}
