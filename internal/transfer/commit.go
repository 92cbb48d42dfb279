package transfer

import (
	"errors"
	"fmt"
	"io/fs"
)

// checkpoint makes what was written durable and then has the journal vouch
// for the blocks.
func (p *partial) checkpoint(blocks []blockSum) *Error {
	if len(blocks) == 0 {
		return nil
	}
	if err := p.data.datasync(); err != nil {
		return p.diskError("write", p.part(), err)
	}
	if err := p.journal.append(blocks); err != nil {
		return p.diskError("write", p.logName(), err)
	}
	return nil
}

// commit gives the complete file its mode and time, makes it durable and puts
// it in place. If that fails the journal vouches for blocks, which are those
// that it does not hold yet, so that no byte is lost.
func (p *partial) commit(e entry, blocks []blockSum) *Error {
	if err := p.seal(e); err != nil {
		return err
	}
	err := p.place()
	if err != nil {
		if jerr := p.journal.append(blocks); jerr != nil {
			return p.diskError("write", p.logName(), jerr)
		}
		return err
	}
	p.syncDir()
	p.dropJournal()
	return nil
}

// seal sets mode and time, syncs, and checks the length.
func (p *partial) seal(e entry) *Error {
	// Best effort: FAT knows no modes, and a time that the file system cannot
	// hold is no reason to withhold the bytes.
	p.root.Chtimes(p.part(), e.mtime(), e.mtime())
	p.root.Chmod(p.part(), fs.FileMode(e.mode)&fs.ModePerm)
	if err := p.data.Sync(); err != nil {
		return p.diskError("write", p.part(), err)
	}
	info, err := p.root.Lstat(p.part())
	if err != nil {
		return p.diskError("look for", p.part(), err)
	}
	if info.Size() != e.size {
		return &Error{Kind: Corrupt, Path: p.path(p.part()),
			Err: fmt.Errorf("has %d bytes instead of %d: something else wrote to it", info.Size(), e.size)}
	}
	err = p.data.Close()
	p.data = nil
	if err != nil {
		return p.diskError("write", p.part(), err)
	}
	return nil
}

// place renames the partial file to its final name. Unless skip said so, a
// file of that name is never overwritten, not even one that appears just now.
func (p *partial) place() *Error {
	if p.id.skip > 0 {
		p.old.Close() // an open file cannot be replaced on Windows
		p.old = nil
		if err := p.root.Rename(p.part(), p.name); err != nil {
			return p.diskError("rename to", p.name, err)
		}
		return nil
	}
	dir, err := p.root.Open(".")
	if err != nil {
		return p.diskError("open", ".", err)
	}
	defer dir.Close()
	err = renameNew(dir, p.part(), p.name)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = p.linkNew()
	}
	if errors.Is(err, fs.ErrExist) {
		return &Error{Kind: Exists, Path: p.path(p.name), Err: errors.New("appeared during the transfer and is not overwritten")}
	}
	if err != nil {
		return p.diskError("rename to", p.name, err)
	}
	return nil
}

// linkNew does in two steps what renameNew could not: a second name, which
// fails if it exists, and then the first one goes. Where there are no hard
// links it looks and then renames, which is the best that is left.
func (p *partial) linkNew() error {
	err := p.root.Link(p.part(), p.name)
	if err == nil {
		return p.root.Remove(p.part())
	}
	if errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, err := p.root.Lstat(p.name); !errors.Is(err, fs.ErrNotExist) {
		return fs.ErrExist
	}
	return p.root.Rename(p.part(), p.name)
}

// dropJournal removes the journal while its lock is still held, so that it
// cannot be the next receiver's.
func (p *partial) dropJournal() {
	err := p.root.Remove(p.logName())
	p.journal.f.Close()
	p.journal = nil
	if err != nil {
		p.root.Remove(p.logName()) // Windows may refuse while it is open
	}
}

// discard removes a partial file that holds nothing worth keeping.
func (p *partial) discard() {
	if p.data != nil {
		p.data.Close()
		p.data = nil
	}
	p.root.Remove(p.part())
	p.dropJournal()
}
