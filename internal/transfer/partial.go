package transfer

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// dataFile is what blocks are written to and read back from: a file.
type dataFile interface {
	io.ReaderAt
	io.WriterAt
	datasync() error // makes the bytes durable
	Sync() error     // and the file's mode and times as well
	Close() error
}

type diskFile struct{ *os.File }

func (f diskFile) datasync() error { return datasync(f.File) }

// partial is a file on its way: ".NAME.qft-part" with its journal beside it,
// and the final step to NAME. Everything it touches is reached through one
// os.Root, so that no name and no link leads out of the directory. Its methods
// block and belong into work.
type partial struct {
	root    *os.Root
	dir     string // as the person named it; for messages
	name    string // the target
	id      identity
	data    dataFile
	journal *journal
	old     *os.File // the target whose first bytes skip vouches for, or nil
}

// found is what prepare learnt.
type found struct {
	runs     []run // blocks that are safe
	fresh    bool  // the journal was started anew
	replaced bool  // for that, a partial file of another offer was given up
}

func (p *partial) part() string    { return hiddenName(p.name, partSuffix) }
func (p *partial) logName() string { return hiddenName(p.name, journalSuffix) }

// path is a file of the directory as a message shows it.
func (p *partial) path(name string) string {
	return filepath.Join(p.dir, printable(name, maxWireName))
}

func (p *partial) diskError(op, name string, err error) *Error {
	return diskError(op, p.path(name), err)
}

// checkTarget reports why the target cannot be received: it exists, or skip
// asks for more of it than there is.
func (p *partial) checkTarget(skip int64) *Error {
	info, err := p.root.Lstat(p.name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && skip == 0:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return &Error{Kind: BadSkip, Path: p.path(p.name), Err: errors.New("does not exist, so nothing of it can be skipped")}
	case err != nil:
		return p.diskError("look for", p.name, err)
	case skip == 0:
		return &Error{Kind: Exists, Path: p.path(p.name)}
	case !info.Mode().IsRegular():
		return &Error{Kind: NotRegular, Path: p.path(p.name)}
	case info.Size() < skip:
		return &Error{Kind: BadSkip, Path: p.path(p.name),
			Err: fmt.Errorf("has %d bytes, fewer than the %d to skip", info.Size(), skip)}
	}
	return nil
}

// prepare opens or makes the partial file and its journal for an offer. After
// an error nothing is left open, and nothing is left behind that was not there.
func (p *partial) prepare(id identity) (found, *Error) {
	p.id = id
	if err := p.checkTarget(id.skip); err != nil {
		return found{}, err
	}
	f, c, err := p.lockJournal()
	if err != nil {
		return found{}, err
	}
	var got found
	if c.whole && c.id == id {
		got, err = p.resume(f, c)
	} else {
		got, err = p.startAnew(f, c)
	}
	if err != nil {
		if got.fresh && p.data != nil {
			p.root.Remove(p.part())
		}
		if got.fresh || !c.whole {
			p.root.Remove(p.logName())
		}
		p.close()
		f.Close()
		return found{}, err
	}
	return got, nil
}

// lockTries is how often the journal may vanish between opening and locking.
const lockTries = 10

// lockJournal opens or makes the journal, makes sure that no other receiver
// uses it, and reads it.
func (p *partial) lockJournal() (*os.File, contents, *Error) {
	for range lockTries {
		f, err := p.root.OpenFile(p.logName(), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, contents{}, p.diskError("open", p.logName(), err)
		}
		locked, err := tryLock(f)
		if err != nil || !locked {
			f.Close()
			if err != nil {
				return nil, contents{}, p.diskError("lock", p.logName(), err)
			}
			return nil, contents{}, &Error{Kind: Busy, Path: p.path(p.name)}
		}
		same, err := p.isThere(f, p.logName())
		if err != nil {
			f.Close()
			return nil, contents{}, p.diskError("open", p.logName(), err)
		}
		if !same {
			f.Close() // another receiver ended and removed it before we had the lock
			continue
		}
		c := readJournal(io.NewSectionReader(f, 0, 1<<62))
		if c.foreign {
			f.Close()
			return nil, contents{}, p.inTheWay(p.logName())
		}
		return f, c, nil
	}
	return nil, contents{}, &Error{Kind: Busy, Path: p.path(p.name)}
}

// isThere reports whether name still is the open file f, and a regular one.
func (p *partial) isThere(f *os.File, name string) (bool, error) {
	opened, err := f.Stat()
	if err != nil {
		return false, err
	}
	named, err := p.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil && !named.Mode().IsRegular() {
		err = errors.New("is not a regular file; remove it")
	}
	return err == nil && os.SameFile(opened, named), err
}

// inTheWay is the error for a file that has one of our names and is not ours.
func (p *partial) inTheWay(name string) *Error {
	return &Error{Kind: Exists, Path: p.path(name), Err: errors.New("is in the way and is not from qft: remove it")}
}

// resume takes over the partial file that c vouches for.
func (p *partial) resume(f *os.File, c contents) (found, *Error) {
	info, err := p.root.Lstat(p.part())
	if err != nil || !info.Mode().IsRegular() {
		return p.startAnew(f, c)
	}
	data, err := p.root.OpenFile(p.part(), os.O_RDWR, 0)
	if err != nil {
		return found{}, p.diskError("open", p.part(), err)
	}
	p.data = diskFile{data}
	same, err := p.isThere(data, p.part())
	if err != nil || !same {
		return found{}, p.inTheWay(p.part())
	}
	got := found{runs: within(c.runs, space{p.id.start, p.id.size}, info.Size())}
	if err := p.checkSpace(allocated(info), got.runs); err != nil {
		return got, err
	}
	if p.journal, err = continueJournal(f, c); err != nil {
		return got, p.diskError("write", p.logName(), err)
	}
	return got, p.openOld()
}

// within drops the blocks that lie behind the end of a file of length n: the
// journal vouched for them, but somebody has cut the file since.
func within(runs []run, s space, n int64) []run {
	var kept []run
	for _, r := range runs {
		for len(r.sums) > 0 {
			if _, hi := s.block(r.first + int64(len(r.sums)) - 1); hi <= n {
				break
			}
			r.sums = r.sums[:len(r.sums)-1]
		}
		if len(r.sums) > 0 {
			kept = append(kept, r)
		}
	}
	return kept
}

// startAnew makes an empty partial file and a new journal. A partial file that
// is there is replaced if the journal shows that it is ours.
func (p *partial) startAnew(f *os.File, c contents) (found, *Error) {
	var got found
	old, err := p.root.Lstat(p.part())
	switch {
	case err == nil && !c.whole:
		return got, p.inTheWay(p.part())
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return got, p.diskError("look for", p.part(), err)
	case err == nil:
		if err := p.checkSpace(allocated(old), nil); err != nil {
			return got, err
		}
		// First, and durably: without its journal nobody would know whose it is.
		if err := p.root.Remove(p.part()); err != nil {
			return got, p.diskError("remove", p.part(), err)
		}
		p.syncDir()
		got.replaced = true
	default:
		if err := p.checkSpace(0, nil); err != nil {
			return got, err
		}
	}
	got.fresh = true
	if p.journal, err = startJournal(f, p.id); err != nil {
		return got, p.diskError("write", p.logName(), err)
	}
	data, err := p.root.OpenFile(p.part(), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return got, p.diskError("create", p.part(), err)
	}
	p.data = diskFile{data}
	p.syncDir()
	return got, p.openOld()
}

// checkSpace reports whether the file system has room for what is missing.
// onDisk is what the partial file occupies already.
func (p *partial) checkSpace(onDisk int64, runs []run) *Error {
	s := space{p.id.start, p.id.size}
	var have int64
	for _, r := range runs {
		lo, _ := s.block(r.first)
		_, hi := s.block(r.first + int64(len(r.sums)) - 1)
		have += hi - lo
	}
	dir, err := p.root.Open(".")
	if err != nil {
		return p.diskError("open", ".", err)
	}
	defer dir.Close()
	missing := p.id.size - max(onDisk, have)
	if free, known := freeSpace(dir); known && free < missing {
		return &Error{Kind: NoSpace, Path: p.path(p.name),
			Err: fmt.Errorf("not enough space: %s are needed and %s are free", sizeText(missing), sizeText(free))}
	}
	return nil
}

// sizeText is a number of bytes for a person.
func sizeText(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d bytes", n)
	}
	v, unit := float64(n)/1000, 0
	for v >= 1000 {
		v, unit = v/1000, unit+1
	}
	return fmt.Sprintf("%.1f %cB", v, "kMGTPE"[unit])
}

// openOld opens the target whose first bytes are to be taken over.
func (p *partial) openOld() *Error {
	if p.id.skip == 0 {
		return nil
	}
	var err error
	if p.old, err = p.root.Open(p.name); err != nil {
		return p.diskError("open", p.name, err)
	}
	return nil
}

// syncDir makes renames and new files durable. Failing is not reported: the
// file is whole whichever name survives a power cut.
func (p *partial) syncDir() {
	if dir, err := p.root.Open("."); err == nil {
		syncDir(dir)
		dir.Close()
	}
}

// close lets go of the files, and with them of the lock.
func (p *partial) close() {
	if p.data != nil {
		p.data.Close()
		p.data = nil
	}
	if p.old != nil {
		p.old.Close()
		p.old = nil
	}
	if p.journal != nil {
		p.journal.f.Close()
		p.journal = nil
	}
}
