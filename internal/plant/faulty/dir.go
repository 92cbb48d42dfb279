package faulty

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"qft/internal/plant"
)

// dir is an open directory.
type dir struct {
	d    *Disk
	n    *node
	life int
}

// What a user without privileges needs of a directory.
const (
	mayList  = 0o400
	mayWrite = 0o300
	mayPass  = 0o100
)

// begin starts a call on a name and unlocks the disk if it fails. need is what
// the directory's mode must allow.
func (h *dir) begin(op, name string, need fs.FileMode) error {
	h.d.mu.Lock()
	_, err := h.d.call(op, name, h.life)
	if err == nil && h.n.mode&need != need {
		err = pathError(op, name, syscall.EACCES)
	}
	if err == nil && (name == "" || name == ".." || strings.ContainsAny(name, "/\x00")) {
		err = pathError(op, name, errors.New("a name that is no name came down to the disk"))
	}
	if err == nil && h.d.opt.Strict && strings.ContainsAny(name, `<>"|?*:\`) {
		err = pathError(op, name, syscall.EINVAL)
	}
	if err == nil && len(name) > 255 {
		err = pathError(op, name, syscall.ENAMETOOLONG)
	}
	if err != nil {
		h.d.mu.Unlock()
	}
	return err
}

func pathError(op, name string, err error) error { return &fs.PathError{Op: op, Path: name, Err: err} }

func (h *dir) lookup(op, name string) (named, error) {
	if name == "." {
		return named{".", h.n}, nil
	}
	e, ok := h.n.names[h.d.key(name)]
	if !ok {
		return e, pathError(op, name, syscall.ENOENT)
	}
	return e, nil
}

func (h *dir) Open(name string) (plant.FS, error) {
	if err := h.begin("open", name, mayPass); err != nil {
		return nil, err
	}
	defer h.d.mu.Unlock()
	e, err := h.lookup("open", name)
	switch {
	case err != nil:
		return nil, err
	case !e.mode.IsDir():
		return nil, pathError("open", name, syscall.ENOTDIR)
	case e.mode&mayList == 0:
		return nil, pathError("open", name, syscall.EACCES)
	}
	return &dir{h.d, e.node, h.life}, nil
}

func (h *dir) OpenFile(name string, flag int) (plant.File, error) {
	need := fs.FileMode(mayPass)
	if flag&os.O_CREATE != 0 {
		need = mayWrite
	}
	if err := h.begin("open", name, need); err != nil {
		return nil, err
	}
	defer h.d.mu.Unlock()
	e, err := h.lookup("open", name)
	if flag&os.O_CREATE != 0 {
		if err == nil {
			return nil, pathError("open", name, syscall.EEXIST)
		}
		n := h.d.newNode(0o600)
		h.put(name, n)
		return &file{d: h.d, n: n, life: h.life, write: true}, nil
	}
	if err != nil {
		return nil, err
	}
	rights := fs.FileMode(0o400)
	if flag&os.O_RDWR != 0 {
		rights = 0o600
	}
	switch {
	case !e.mode.IsRegular():
		return nil, pathError("open", name, errors.New("is not a regular file"))
	case e.mode&rights != rights:
		return nil, pathError("open", name, syscall.EACCES)
	}
	return &file{d: h.d, n: e.node, life: h.life, write: flag&os.O_RDWR != 0}, nil
}

// put gives a new node a name.
func (h *dir) put(name string, n *node) {
	n.links++
	h.d.do(change{edits: []edit{{h.n, h.d.key(name), named{name, n}}}})
}

func (h *dir) Lstat(name string) (fs.FileInfo, error) {
	need := fs.FileMode(mayPass)
	if name == "." {
		need = 0
	}
	if err := h.begin("lstat", name, need); err != nil {
		return nil, err
	}
	defer h.d.mu.Unlock()
	e, err := h.lookup("lstat", name)
	if err != nil {
		return nil, err
	}
	return infoOf(e.name, e.node), nil
}

func (h *dir) Same(a, b fs.FileInfo) bool { return a.(info).n == b.(info).n }

func (h *dir) Names(each func(name string) error) error {
	if err := h.begin("list", ".", mayList); err != nil {
		return err
	}
	var names []string
	for _, key := range sortedKeys(h.n.names) {
		names = append(names, h.n.names[key].name)
	}
	h.d.mu.Unlock()
	for _, name := range names {
		if err := each(name); err != nil {
			return err
		}
	}
	return nil
}

func sortedKeys(names map[string]named) []string { return slices.Sorted(maps.Keys(names)) }

func (h *dir) Readlink(name string) (string, error) {
	if err := h.begin("readlink", name, mayPass); err != nil {
		return "", err
	}
	defer h.d.mu.Unlock()
	e, err := h.lookup("readlink", name)
	if err == nil && e.mode&fs.ModeSymlink == 0 {
		err = pathError("readlink", name, syscall.EINVAL)
	}
	if err != nil {
		return "", err
	}
	return e.text, nil
}

func (h *dir) Mkdir(name string) error { return h.make("mkdir", name, fs.ModeDir|0o700, "") }

func (h *dir) Symlink(text, name string) error {
	return h.make("symlink", name, fs.ModeSymlink|0o777, text)
}

func (h *dir) make(op, name string, mode fs.FileMode, text string) error {
	if err := h.begin(op, name, mayWrite); err != nil {
		return err
	}
	defer h.d.mu.Unlock()
	if _, err := h.lookup(op, name); err == nil {
		return pathError(op, name, syscall.EEXIST)
	}
	n := h.d.newNode(mode)
	n.text = text
	h.put(name, n)
	return nil
}

// ends looks up what a name of h is to become in another directory.
func (h *dir) ends(op, name string, to plant.FS, as string) (e named, into *dir, err error) {
	into = to.(*dir)
	e, err = h.lookup(op, name)
	if err == nil && into.n.mode&mayWrite != mayWrite {
		err = pathError(op, as, syscall.EACCES)
	}
	return e, into, err
}

func (h *dir) Link(name string, to plant.FS, as string) error {
	if err := h.begin("link", name, mayPass); err != nil {
		return err
	}
	defer h.d.mu.Unlock()
	e, into, err := h.ends("link", name, to, as)
	if err != nil {
		return err
	}
	if _, err := into.lookup("link", as); err == nil {
		return pathError("link", as, syscall.EEXIST)
	}
	if h.d.opt.NoLinks || e.mode.IsDir() {
		return pathError("link", as, syscall.EPERM)
	}
	into.put(as, e.node)
	return nil
}

func (h *dir) Rename(name string, to plant.FS, as string) error { return h.rename(name, to, as, false) }

func (h *dir) RenameNew(name string, to plant.FS, as string) error {
	return h.rename(name, to, as, true)
}

func (h *dir) rename(name string, to plant.FS, as string, exclusive bool) error {
	if err := h.begin("rename", name, mayWrite); err != nil {
		return err
	}
	defer h.d.mu.Unlock()
	if exclusive && h.d.opt.NoRenameNew {
		return errors.ErrUnsupported
	}
	e, into, err := h.ends("rename", name, to, as)
	if err != nil {
		return err
	}
	if e.mode.IsDir() && e.mode&0o200 == 0 && into.n != h.n {
		return pathError("rename", name, syscall.EACCES)
	}
	old, err := into.lookup("rename", as)
	switch {
	case err == nil && exclusive:
		return pathError("rename", as, syscall.EEXIST)
	case err == nil && old.mode.IsDir() && (!e.mode.IsDir() || len(old.names) > 0):
		return pathError("rename", as, syscall.EISDIR)
	case err == nil && e.mode.IsDir() && !old.mode.IsDir():
		return pathError("rename", as, syscall.ENOTDIR)
	case err == nil && old.node == e.node:
		return nil
	case err == nil:
		h.d.unlink(old.node)
	}
	c := change{edits: []edit{
		{h.n, h.d.key(name), named{}},
		{into.n, h.d.key(as), named{as, e.node}},
	}}
	if old.node != nil && old.mode.IsDir() {
		c.empty = old.node
	}
	h.d.do(c)
	return nil
}

func (h *dir) Remove(name string) error {
	if err := h.begin("remove", name, mayWrite); err != nil {
		return err
	}
	defer h.d.mu.Unlock()
	e, err := h.lookup("remove", name)
	if err != nil {
		return err
	}
	c := change{edits: []edit{{h.n, h.d.key(name), named{}}}}
	if e.mode.IsDir() {
		if len(e.names) > 0 {
			return pathError("remove", name, syscall.ENOTEMPTY)
		}
		c.empty = e.node
	}
	h.d.unlink(e.node)
	h.d.do(c)
	return nil
}

func (d *Disk) unlink(n *node) {
	if n.links--; n.links == 0 {
		d.used -= n.holds()
	}
}

func (h *dir) Chmod(name string, mode fs.FileMode) error {
	return h.change("chmod", name, func(n *node) {
		n.mode = n.mode.Type() | mode&(fs.ModePerm|fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky)
	})
}

func (h *dir) SetTime(name string, mtime time.Time) error {
	return h.change("utimes", name, func(n *node) { n.mtime = h.d.grain(mtime) })
}

// grain is a time as the disk keeps it.
func (d *Disk) grain(t time.Time) time.Time {
	if d.opt.Grain == 0 {
		return t
	}
	return t.Add(-time.Duration(t.UnixNano() % int64(d.opt.Grain)))
}

func (h *dir) Chown(name string, uid, gid int) error {
	if err := h.begin("chown", name, 0); err != nil {
		return err
	}
	defer h.d.mu.Unlock()
	return pathError("chown", name, syscall.EPERM)
}

func (h *dir) SetXattr(attr string, value []byte) error {
	return h.change("setxattr", ".", func(n *node) { n.setXattr(attr, value) })
}

func (n *node) setXattr(attr string, value []byte) {
	if n.xattr == nil {
		n.xattr = make(map[string]string)
	}
	n.xattr[attr] = string(value)
}

func (h *dir) change(op, name string, do func(n *node)) error {
	need := fs.FileMode(mayPass)
	if name == "." {
		need = 0
	}
	if err := h.begin(op, name, need); err != nil {
		return err
	}
	defer h.d.mu.Unlock()
	e, err := h.lookup(op, name)
	if err == nil {
		do(e.node)
	}
	return err
}

func (h *dir) Sync() error {
	if err := h.begin("sync", ".", 0); err != nil {
		return err
	}
	defer h.d.mu.Unlock()
	h.d.sync(h.n)
	return nil
}

func (h *dir) SyncAll() error {
	if err := h.begin("syncfs", ".", 0); err != nil {
		return err
	}
	defer h.d.mu.Unlock()
	if h.d.opt.NoSyncAll {
		return errors.ErrUnsupported
	}
	h.d.syncAll()
	return nil
}

func (h *dir) SyncsAll() bool { return !h.d.opt.NoSyncAll }

func (h *dir) Free() (int64, bool) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	return max(h.d.opt.Capacity-h.d.used, 0), h.d.opt.Capacity > 0
}

func (h *dir) Close() error { return nil }

// info is what Lstat tells.
type info struct {
	name string
	n    *node
	size int64
	meta
}

func infoOf(name string, n *node) info { return info{name, n, n.size, n.meta} }

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return i.mtime }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return nil }
