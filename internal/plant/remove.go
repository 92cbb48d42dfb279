package plant

import (
	"errors"
	"io/fs"
)

// removeAll removes a name and everything below it, including directories
// that their owner may not write to. That nothing is there is no error.
func removeAll(in FS, name string) error {
	err := in.Remove(name)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	info, lerr := in.Lstat(name)
	if errors.Is(lerr, fs.ErrNotExist) {
		return nil
	}
	if lerr != nil || !info.IsDir() {
		return err
	}
	if info.Mode().Perm()&0o700 != 0o700 {
		in.Chmod(name, 0o700) // if it fails, what follows says so
	}
	d, err := in.Open(name)
	if err != nil {
		return err
	}
	err = d.Names(func(below string) error { return removeAll(d, below) })
	d.Close()
	if err != nil {
		return err
	}
	return in.Remove(name)
}

// Close lets go of the bed and keeps it for a later run.
func (b *Bed) Close() error {
	b.release()
	return b.unlock()
}

// release closes everything but the bed's directory and its lock.
func (b *Bed) release() {
	b.data.forget()
	b.final.forget()
	if b.later != nil {
		b.later.f.Close()
		b.later = nil
		b.data.root.Close()
	}
}

// unlock closes what release has left.
func (b *Bed) unlock() error {
	if b.closed {
		return nil
	}
	b.closed = true
	err := b.log.Close()
	if errors.Is(err, fs.ErrClosed) { // by its journal, or because it had to be removed
		err = nil
	}
	return errors.Join(err, b.home.Close())
}

// Discard removes the bed and what is in it.
func (b *Bed) Discard() error {
	if b.closed {
		return nil
	}
	b.release()
	err := b.dissolve()
	return errors.Join(fail("remove", b.show(b.name), err), b.unlock())
}

// dissolve removes the bed's directory. The journal goes when it is durable
// that the rest is gone: without it nobody would know whose the rest is. Only
// the record outlasts it, since a run that is cut off here has put everything in
// place under the names in it.
func (b *Bed) dissolve() error {
	var rest []string
	named := false
	err := b.home.Names(func(name string) error {
		switch name {
		case journalName:
		case recordName:
			named = true
		default:
			rest = append(rest, name)
		}
		return nil
	})
	for _, name := range rest {
		err = errors.Join(err, removeAll(b.home, name))
	}
	if err == nil {
		err = b.home.Sync()
	}
	if err == nil {
		err = b.removeJournal()
	}
	if err == nil && named {
		if err = b.home.Sync(); err == nil {
			err = b.home.Remove(recordName)
		}
	}
	if err == nil {
		err = b.ground.fs.Remove(b.name)
		if errors.Is(err, fs.ErrExist) {
			// On disks where Windows keeps the name of what is removed while
			// it is open (FAT, network drives), the journal goes only now.
			b.log.Close()
			err = b.ground.fs.Remove(b.name)
		}
		if errors.Is(err, fs.ErrExist) {
			return nil // it is not empty: somebody has begun another there
		}
	}
	if err == nil {
		b.ground.fs.Sync() // if that fails an empty bed may come back, which harms nobody
	}
	return err
}

func (b *Bed) removeJournal() error {
	err := b.home.Remove(journalName)
	if err != nil { // Windows may refuse while it is open
		b.log.Close()
		err = b.home.Remove(journalName)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
