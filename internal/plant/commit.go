package plant

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"qft/internal/manifest"
)

// Commit puts everything into place: it makes the links, gives directories
// their modes and times, makes all durable, moves each item to its final name,
// makes that durable, and removes the bed. What is cut off anywhere in it is
// continued by the next run. If something has appeared under a final name
// meanwhile, everything else is put into place, the bed is kept with what is
// left, and the error satisfies errors.Is with fs.ErrExist.
func (b *Bed) Commit() error {
	b.last = pending{}
	for i := len(b.path) - 1; i > 0; i-- {
		b.leave(b.path[i], i)
	}
	b.path = b.path[:1]
	b.leave(b.path[0], 0)
	b.data.forget()
	for _, step := range []func() error{b.sweep, b.makeLinks, b.Sync, b.finishDirs} {
		if err := step(); err != nil {
			return fail("put in place", b.show(b.name), err)
		}
	}
	m := mover{b: b}
	err := b.record.sync(b.home)
	if err == nil {
		err = m.items()
	}
	if err == nil {
		err = b.relock()
	}
	if err != nil {
		return fail("put in place", b.show(b.name), err)
	}
	if m.clashes > 0 {
		more := ""
		if m.clashes > 1 {
			more = fmt.Sprintf(" (and %d more)", m.clashes-1)
		}
		return &Error{Op: "put in place", Path: b.show(m.first) + more, Err: ErrAppeared}
	}
	if err := b.Discard(); err != nil {
		b.note("the hidden directory", b.name, err) // everything is in place all the same
	}
	return nil
}

// sweep removes what is in data/ and must not be put in place: unfinished
// files, and what the manifest does not name any more.
func (b *Bed) sweep() error {
	for p, hidden := range b.growing {
		err := b.data.within(join(parent(p), hidden), func(d *dir, name string) error { return d.Remove(name) })
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	clear(b.growing)
	if !b.resumed {
		return nil
	}
	return b.sweepDir(b.data.root.FS, "")
}

func (b *Bed) sweepDir(d FS, at string) error {
	return d.Names(func(name string) error {
		p := join(at, name)
		if isSprout(name) || !b.keep.has(p) {
			b.touched(at)
			return removeAll(d, name)
		}
		return inside(d, name, func(below FS) error { return b.sweepDir(below, p) })
	})
}

// makeLinks makes the symbolic and hard links in data/. They come after all
// files, so that nothing can be written through them.
func (b *Bed) makeLinks() error {
	return b.later.forwards(func(p string, e *manifest.Entry) error {
		if e.Kind != manifest.Symlink && e.Kind != manifest.Link {
			return nil
		}
		d, err := b.grow(parent(p))
		if err != nil {
			return err
		}
		defer b.data.done(d)
		if b.resumed {
			if err := removeAll(d, path.Base(p)); err != nil {
				return err
			}
		}
		b.touched(parent(p))
		if e.Kind == manifest.Link {
			return b.makeLink(d.FS, path.Base(p), p, e)
		}
		return b.makeSymlink(d, path.Base(p), p, e)
	})
}

// makeSymlink makes a symbolic link. That the system or this user cannot have
// them is no reason to fail.
func (b *Bed) makeSymlink(d FS, name, p string, e *manifest.Entry) error {
	if err := d.Symlink(e.Target, name); err != nil {
		return b.note("symbolic links", p, err)
	}
	b.own(e, p, func(uid, gid int) error { return d.Chown(name, uid, gid) })
	d.SetTime(name, e.MTime()) // not every system can
	return nil
}

// makeLink makes a hard link to a file of this manifest: in data/, or under
// its final name if it was there already.
func (b *Bed) makeLink(d FS, name, p string, e *manifest.Entry) error {
	from := b.data
	info, err := from.lstat(e.Target)
	if err == nil && info == nil && b.same.has(e.Target) {
		from = b.final
		info, err = from.lstat(e.Target)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !blamesName(err) {
		return err
	}
	if err != nil || info == nil || !info.Mode().IsRegular() {
		b.lose(p)
		return nil
	}
	err = from.within(e.Target, func(src *dir, old string) error {
		err := src.Link(old, d, name)
		if err == nil || isFull(err) {
			return err
		}
		return copyFile(src, old, info, d, name) // where there are no hard links, or too many
	})
	return err
}

// finishDirs gives the directories in data/ what must wait until nothing is
// made in them any more, the deepest first, and makes it durable.
func (b *Bed) finishDirs() error {
	const few = 1 << 10 // bytes of what is noted: some twenty directories
	one := !b.traits.syncsAll || b.later.size() < few
	err := b.later.backwards(func(p string, e *manifest.Entry) error {
		if e.Kind != manifest.Dir {
			return nil
		}
		d, err := b.data.at(p)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		defer b.data.done(d)
		err = b.finishDir(d, p, e)
		if err == nil && one {
			err = d.Sync() // while it is open: its mode may keep us out
		}
		return err
	})
	if err == nil && !one {
		err = b.home.SyncAll()
	}
	b.data.forget() // Windows moves no directory that is open
	return err
}

func (b *Bed) finishDir(d *dir, p string, e *manifest.Entry) error {
	owned := b.own(e, p, func(uid, gid int) error { return d.Chown(".", uid, gid) })
	b.addXattrs(e, p, d.SetXattr)
	if err := b.setTime(d, ".", e, p); err != nil {
		return err
	}
	return b.note("mode", p, d.Chmod(".", b.mode(e, owned)))
}
