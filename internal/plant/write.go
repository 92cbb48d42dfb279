package plant

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"runtime"

	"qft/internal/manifest"
)

// WriteFile makes a file of which all the content is at hand, with its mode
// and time. p is the handle that Place gave for e. It replaces what an earlier
// run has left, and becomes durable with the next Sync.
func (b *Bed) WriteFile(p string, e *manifest.Entry, content []byte) error {
	d, err := b.grow(parent(p))
	if err != nil {
		return fail("create", b.show(p), err)
	}
	defer b.data.done(d)
	b.keepPath(p)
	name := path.Base(p)
	f, err := b.create(d, name)
	if err != nil {
		return fail("create", b.show(p), err)
	}
	if _, err = f.WriteAt(content, 0); err == nil {
		err = b.dress(f, e, p)
	}
	if err == nil {
		err = b.setTime(d, name, e, p)
	}
	if err == nil && !b.traits.syncsAll {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil && lateTimes {
		err = b.setTime(d, name, e, p)
	}
	if err != nil {
		d.Remove(name)
		return b.full(int64(len(content)), fail("write", b.show(p), err))
	}
	return b.wrote(p)
}

// lateTimes says that closing a file that was written to changes its time.
const lateTimes = runtime.GOOS == "windows"

// create makes a new file, in the place of whatever an earlier run has left.
func (b *Bed) create(d *dir, name string) (File, error) {
	const flag = os.O_RDWR | os.O_CREATE | os.O_EXCL
	f, err := d.OpenFile(name, flag)
	if !b.resumed || !errors.Is(err, fs.ErrExist) {
		return f, err
	}
	if err := removeAll(d, name); err != nil {
		return nil, err
	}
	return d.OpenFile(name, flag)
}

// full adds to the error of a full disk how much was missing of n bytes.
func (b *Bed) full(n int64, err error) error {
	var e *Error
	if !errors.As(err, &e) || !isFull(e.Err) {
		return err
	}
	if free, known := b.Free(); known {
		e.Missing = max(n-free, 0)
	}
	return err
}

func (b *Bed) setTime(d FS, name string, e *manifest.Entry, p string) error {
	return b.note("time", p, d.SetTime(name, e.MTime()))
}

// dress gives an open file owner, mode and attributes.
func (b *Bed) dress(f File, e *manifest.Entry, p string) error {
	owned := b.own(e, p, f.Chown)
	b.addXattrs(e, p, f.SetXattr)
	return b.note("mode", p, f.Chmod(b.mode(e, owned)))
}

// mode is the mode that a file or directory gets. Without its owner a program
// must not keep the bits that make it run as that owner.
func (b *Bed) mode(e *manifest.Entry, owned bool) fs.FileMode {
	m := fs.FileMode(e.Mode) & fs.ModePerm
	if !b.ground.cfg.Archive || !owned {
		return m
	}
	for bit, mode := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if e.Mode&bit != 0 {
			m |= mode
		}
	}
	return m
}

// own sets the owner, if an archive is received, and reports whether it now is
// the one that the sender told.
func (b *Bed) own(e *manifest.Entry, p string, chown func(uid, gid int) error) bool {
	if !b.ground.cfg.Archive || e.Attrs == nil {
		return false
	}
	uid, gid := b.owner(e.Attrs)
	err := chown(uid, gid)
	if err == nil {
		return true
	}
	b.note("owner", p, err)
	chown(-1, gid) // a group of one's own may be given without any rights
	return false
}

// addXattrs sets extended attributes. There may be no room for them in a disk
// that is not full, so no failure of it is an error.
func (b *Bed) addXattrs(e *manifest.Entry, p string, set func(attr string, value []byte) error) {
	if !b.ground.cfg.Archive || e.Attrs == nil {
		return
	}
	for _, x := range e.Attrs.Xattrs {
		if err := set(x.Name, x.Value); err != nil {
			b.note("extended attributes", p, err)
		}
	}
}

// Drop removes what is here of a file that will not come after all.
func (b *Bed) Drop(p string) error {
	b.mu.Lock()
	hidden := b.growing[p]
	delete(b.growing, p)
	b.keep.remove(p)
	b.same.remove(p)
	b.mu.Unlock()
	err := b.data.within(p, func(d *dir, name string) error {
		if hidden != "" {
			if err := d.Remove(hidden); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return d.Remove(name)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fail("remove", b.show(p), err)
}
