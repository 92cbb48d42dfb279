package plant

import (
	"errors"
	"os"
	"path"
)

// pair is what two directories are to one call.
type pair struct {
	from, to *os.File
	top      *os.Root
	old, new string // below top
}

func (d *disk) pair(name string, to FS, as string) (pair, error) {
	t, ok := to.(*disk)
	if !ok {
		return pair{}, errors.ErrUnsupported
	}
	if err := errors.Join(element(name), element(as)); err != nil {
		return pair{}, err
	}
	from, err := d.handle()
	if err != nil {
		return pair{}, err
	}
	into, err := t.handle()
	return pair{from, into, d.top, path.Join(d.path, name), path.Join(t.path, as)}, err
}

func (d *disk) Link(name string, to FS, as string) error {
	p, err := d.pair(name, to, as)
	if err != nil {
		return err
	}
	return linkError("link", name, as, link(p, name, as))
}

func (d *disk) Rename(name string, to FS, as string) error {
	p, err := d.pair(name, to, as)
	if err != nil {
		return err
	}
	return linkError("rename", name, as, rename(p, name, as))
}

func (d *disk) RenameNew(name string, to FS, as string) error {
	p, err := d.pair(name, to, as)
	if err != nil {
		return err
	}
	return linkError("rename", name, as, renameNew(p, name, as))
}

func linkError(op, name, as string, err error) error {
	if err == nil {
		return nil
	}
	return &os.LinkError{Op: op, Old: name, New: as, Err: err}
}
