package plant

import (
	"errors"
	"io/fs"
	"strconv"
)

// mover moves what has grown to its final names. It never removes a directory
// from data/: that waits until the moves are durable.
type mover struct {
	b       *Bed
	merged  int    // directories that existed and got new entries
	clashes int    // names that something else got meanwhile
	first   string // of them
}

func (m *mover) items() error {
	b := m.b
	err := b.data.root.Names(func(name string) error { return m.move(b.data.root.FS, name, b.ground.fs, name) })
	if err != nil {
		return err
	}
	if m.merged > fewFiles && b.traits.syncsAll {
		return b.ground.fs.SyncAll()
	}
	return b.ground.fs.Sync()
}

// move moves one name of a directory in data/ into the one that it belongs in.
// p is its handle.
func (m *mover) move(src FS, name string, dst FS, p string) error {
	if isSprout(name) {
		return nil
	}
	err := m.place(src, name, dst, name, p)
	if !errors.Is(err, fs.ErrExist) {
		return fail("put in place", m.b.show(p), err)
	}
	have, err := src.Lstat(name)
	if err != nil {
		return err
	}
	there, err := dst.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		m.clash(p) // it comes and goes: somebody else is at work there
		return nil
	}
	if err != nil {
		return err
	}
	switch top := parent(p) == ""; {
	case top && m.renames(p):
		return m.moveAside(src, name, dst)
	case have.IsDir() && there.IsDir():
		return m.merge(src, name, dst, name, p)
	case src.Same(have, there):
		return nil // a crash can come between the second name and the removal of the first
	case !have.IsDir() && m.b.replace.has(version(p, there)):
		return src.Rename(name, dst, name)
	case m.arrived(have, there):
		return nil
	case m.b.ground.cfg.Existing == Skip:
		return nil
	}
	m.clash(p)
	return nil
}

func (m *mover) clash(p string) {
	if m.clashes++; m.clashes == 1 {
		m.first = p
	}
}

// renames reports whether an item gets another name rather than be merged with
// what has its own.
func (m *mover) renames(p string) bool {
	return m.b.ground.cfg.Existing == Rename && !m.b.alias.moved(p)
}

// arrived reports whether the same file is under its final name already.
func (m *mover) arrived(have, there fs.FileInfo) bool {
	return have.Mode().IsRegular() && there.Mode().IsRegular() && have.Size() == there.Size() &&
		m.b.traits.sameTime(there.ModTime(), have.ModTime())
}

// merge moves what is in the directory name of src into as of dst.
func (m *mover) merge(src FS, name string, dst FS, as, p string) error {
	if info, err := src.Lstat(name); err == nil && info.Mode().Perm()&0o700 != 0o700 {
		src.Chmod(name, 0o700) // it was to be moved as a whole
	}
	from, err := src.Open(name)
	if err != nil {
		return err
	}
	defer from.Close()
	into, err := dst.Open(as)
	if err != nil {
		return err
	}
	defer into.Close()
	err = from.Names(func(below string) error { return m.move(from, below, into, join(p, below)) })
	if err != nil {
		return err
	}
	if m.merged++; m.merged <= fewFiles || !m.b.traits.syncsAll {
		return into.Sync()
	}
	return nil
}

// moveAside moves an item whose name something else got to the next one that
// is free.
func (m *mover) moveAside(src FS, name string, dst FS) error {
	for n := 2; n < 10_000; n++ {
		next := m.b.ground.names.cut(name, name, " ("+strconv.Itoa(n)+")")
		if _, err := dst.Lstat(next); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := m.b.tell(renamed{m.b.alias.sender(name), next}); err != nil {
			return err
		}
		err := m.place(src, name, dst, next, next)
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	m.clash(name)
	return nil
}

// place moves name to as, where nothing must be: exclusively where the system
// can, and across disks where it must.
func (m *mover) place(src FS, name string, dst FS, as, p string) error {
	err := renameNewIn(src, name, dst, as)
	if errors.Is(err, fs.ErrPermission) {
		err = m.placeLocked(src, name, dst, as, p, err)
	}
	if isOtherDisk(err) {
		return m.carry(src, name, dst, as, p)
	}
	return err
}

// renameNewIn is FS.RenameNew with what is left where that is not supported:
// a second name, which fails if it exists. The first one stays, to go with the
// bed: if it went now a crash could lose both. Where there are no hard links it
// looks and then renames.
func renameNewIn(src FS, name string, dst FS, as string) error {
	err := src.RenameNew(name, dst, as)
	if !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	err = src.Link(name, dst, as)
	if err == nil || errors.Is(err, fs.ErrExist) || isOtherDisk(err) {
		return err
	}
	if _, err = dst.Lstat(as); err == nil {
		return fs.ErrExist
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return src.Rename(name, dst, as)
}

// placeLocked moves a directory that its owner may not write to: to move it
// changes its "..". refused is what moving it as it is has returned.
func (m *mover) placeLocked(src FS, name string, dst FS, as, p string, refused error) error {
	info, err := src.Lstat(name)
	if err != nil {
		return err
	}
	if !info.IsDir() || info.Mode().Perm()&0o700 == 0o700 {
		return refused
	}
	l := locked{info.Mode(), info.ModTime()}
	if err := m.b.tell(lockedAt{l, p}); err != nil {
		return err
	}
	if err := src.Chmod(name, l.mode|0o700); err != nil {
		return err
	}
	d, err := src.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	return errors.Join(renameNewIn(src, name, dst, as), l.apply(d))
}

// tell adds a fact to the record, durably.
func (b *Bed) tell(fact any) error {
	if err := b.record.add(b.home, fact); err != nil {
		return err
	}
	return b.record.sync(b.home)
}
