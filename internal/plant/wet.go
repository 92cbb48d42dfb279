package plant

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
)

// wet is what was made in data/ and may not survive a crash yet.
type wet struct {
	files []string            // small ones
	dirs  map[string]struct{} // that have new entries
	many  bool                // and more of both than are listed
}

const (
	// Up to so many files are synced one by one: a few that come alone need
	// not wait until all that other programs have written is on the disk, which
	// syncing everything means.
	fewFiles = 16
	fewDirs  = 4096
)

func (w *wet) file(p string) {
	if len(w.files) < fewFiles {
		w.files = append(w.files, p)
		return
	}
	w.many = true
}

func (w *wet) dir(p string) {
	if w.dirs == nil {
		w.dirs = make(map[string]struct{})
	}
	w.dirs[p] = struct{}{}
}

// Sync makes the small files and the directories that were made so far
// durable.
func (b *Bed) Sync() error {
	b.mu.Lock()
	w := b.wet
	b.wet = wet{}
	b.mu.Unlock()
	err := b.dry(w)
	if err != nil {
		b.mu.Lock()
		for p := range w.dirs {
			b.wet.dir(p)
		}
		b.wet.many = b.wet.many || w.many || len(w.files) > 0
		b.mu.Unlock()
	}
	return fail("write", b.show(b.name), err)
}

func (b *Bed) dry(w wet) error {
	if b.traits.syncsAll && (w.many || len(w.dirs) > fewFiles) {
		return b.home.SyncAll()
	}
	for _, p := range w.files {
		err := b.data.within(p, func(d *dir, name string) error { return syncFile(d, name, os.O_RDONLY) })
		if errors.Is(err, fs.ErrPermission) && b.traits.syncsAll { // its mode keeps us out, too
			return b.home.SyncAll()
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for _, p := range slices.Sorted(maps.Keys(w.dirs)) {
		if err := b.syncData(p); err != nil {
			return err
		}
	}
	return nil
}

// syncData makes the entries of a directory in data/ durable.
func (b *Bed) syncData(p string) error {
	d, err := b.data.at(p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // dropped meanwhile
	}
	if err != nil {
		info, lerr := b.data.lstat(p)
		if lerr == nil && (info == nil || !info.IsDir()) {
			return nil // something else has taken its place
		}
		return err
	}
	defer b.data.done(d)
	return d.Sync()
}

// syncFile makes a file durable. Windows does so only for who may write to it.
func syncFile(in FS, name string, flag int) error {
	f, err := in.OpenFile(name, flag)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// wrote notes a small file that was made, and syncs when too much is noted.
func (b *Bed) wrote(p string) error {
	b.mu.Lock()
	b.wet.dir(parent(p))
	if b.traits.syncsAll {
		b.wet.file(p)
	}
	full := len(b.wet.dirs) > fewDirs
	b.mu.Unlock()
	if full {
		return b.Sync()
	}
	return nil
}

// anchor makes the names on the way to p durable.
func (b *Bed) anchor(p string) error {
	for p != "" {
		p = parent(p)
		b.mu.Lock()
		_, due := b.wet.dirs[p]
		delete(b.wet.dirs, p)
		b.mu.Unlock()
		if !due {
			continue
		}
		if err := b.syncData(p); err != nil {
			b.touched(p)
			return err
		}
	}
	return nil
}
