package plant

import (
	"errors"
	"io/fs"
	"path"

	"qft/internal/manifest"
)

// accept notes or makes an entry that gets its final name at the end. before
// is what has that name and will be replaced, or nil.
func (b *Bed) accept(up *level, e *manifest.Entry, p string, before fs.FileInfo) (Place, error) {
	at := Place{What: Made, Path: p}
	b.keepPath(p)
	var err error
	switch e.Kind {
	case manifest.Dir:
		if err = b.makeDir(up, p); err == nil {
			err = b.later.add(p, e)
		}
	case manifest.Symlink:
		err = b.later.add(p, e)
	case manifest.Link:
		l := *e
		l.Target = b.handle(e.Target)
		err = b.later.add(p, &l)
	case manifest.Stream:
		at.What = Fresh
	case manifest.File:
		if e.Size == 0 { // no journal knows whether one is complete
			err = b.WriteFile(p, e, nil)
		} else {
			at.What, err = b.lookData(e, p)
		}
	}
	return at, fail("make", b.show(p), err)
}

// makeDir makes the directory p in data/. Over an earlier run's it prevails,
// whose own mode may already have been set.
func (b *Bed) makeDir(up *level, p string) error {
	d, err := b.grow(up.path)
	if err != nil {
		return err
	}
	defer b.data.done(d)
	name := path.Base(p)
	err = d.Mkdir(name)
	if errors.Is(err, fs.ErrExist) && b.resumed {
		info, lerr := d.Lstat(name)
		if lerr == nil && info.IsDir() {
			if info.Mode().Perm() == 0o700 {
				return nil
			}
			return d.Chmod(name, 0o700)
		}
		if err = d.Remove(name); err == nil {
			err = d.Mkdir(name)
		}
	}
	if err == nil {
		b.touched(up.path)
	}
	return err
}

// levelState reports of a directory that was just placed whether its children
// can have anything under their final names, and in data/ from an earlier run.
func (b *Bed) levelState(up *level, p string) (fresh, bare bool) {
	fresh, bare = up.fresh, !b.resumed || up.bare
	if !fresh {
		info, err := b.final.lstat(p)
		fresh = err == nil && info == nil
	}
	if !bare {
		info, err := b.data.lstat(p)
		bare = err == nil && info == nil
	}
	return fresh, bare
}

// lookData reports what an earlier run has left of a file: Kept, Part or Fresh.
func (b *Bed) lookData(e *manifest.Entry, p string) (What, error) {
	if !b.resumed {
		return Fresh, nil
	}
	what := Fresh
	err := b.data.within(p, func(d *dir, name string) error {
		info, err := d.Lstat(name)
		if err == nil && info.Mode().IsRegular() && info.Size() == e.Size && b.traits.sameTime(info.ModTime(), e.MTime()) {
			what = Kept
			return nil
		}
		if _, err = d.Lstat(sproutName(p, e)); err == nil {
			what = Part
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) || blamesName(err) {
		err = nil
	}
	return what, err
}

// keepPath notes that the manifest names p, for the sweep at Commit.
func (b *Bed) keepPath(p string) {
	if !b.resumed {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keep.add(p)
}

// grow opens a directory in data/ and makes what is missing of its path.
func (b *Bed) grow(p string) (*dir, error) {
	d, made, err := b.data.grow(p)
	b.touched(made...)
	return d, err
}

func (b *Bed) touched(dirs ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range dirs {
		b.wet.dir(p)
	}
}
