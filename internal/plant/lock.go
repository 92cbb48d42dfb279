package plant

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
)

// The files of a bed.
const (
	journalName = "journal" // its lock is the bed's
	dataName    = "data"    // the tree that grows
	laterName   = "later"   // what is only made at the end
	recordName  = "record"  // facts for a later run
	probesName  = "probes"  // for questions to the file system
	scratchName = "scratch" // the engine's
)

// journalMagic begins every journal (package journal), or it is empty or all
// zero: what a crash left of one that was just begun.
const journalMagic = "qftjrnl"

// lockJournal opens or makes the journal of a bed and locks it. It returns nil
// if the journal was removed meanwhile, and ErrForeign if this is no bed.
func lockJournal(home FS) (File, error) {
	f, err := home.OpenFile(journalName, os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		if bare, err := isBare(home); err != nil || !bare {
			return nil, err
		}
		f, err = home.OpenFile(journalName, os.O_RDWR|os.O_CREATE|os.O_EXCL)
		if errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
			return nil, nil // somebody was faster, in making the journal or removing the bed
		}
		if err == nil {
			err = home.Sync() // before anything else is there, which would be nobody's without it
		}
	}
	if err != nil {
		return nil, err
	}
	ours, err := lockOurs(home, f)
	if err != nil || !ours {
		f.Close()
		return nil, err
	}
	return f, nil
}

// lockOurs locks the open journal f. It reports whether it still is the
// journal then, rather than one that its last user has removed.
func lockOurs(home FS, f File) (bool, error) {
	free, err := f.Lock()
	if err != nil {
		return false, err
	}
	if !free {
		return false, ErrBusy
	}
	opened, err := f.Stat()
	if err != nil {
		return false, err
	}
	named, err := home.Lstat(journalName)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !home.Same(opened, named) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	start := make([]byte, len(journalMagic))
	n, err := f.ReadAt(start, 0)
	if err != nil && err != io.EOF {
		return false, err
	}
	start = start[:n]
	if len(bytes.Trim(start, "\x00")) > 0 && string(start) != journalMagic[:n] {
		return false, ErrForeign
	}
	return true, nil
}

// isBare reports whether a directory that has the name of a bed and had no
// journal is one that was just made, or almost removed: then nothing is in it
// but what goes behind the journal. It fails with ErrForeign if something else
// is, unless there is a journal by now.
func isBare(home FS) (bool, error) {
	err := home.Names(func(name string) error {
		if name == journalName || name == recordName {
			return nil
		}
		return ErrForeign
	})
	if errors.Is(err, ErrForeign) {
		if _, lerr := home.Lstat(journalName); !errors.Is(lerr, fs.ErrNotExist) {
			return false, lerr
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // the directory was removed
	}
	return err == nil, err
}

// isThere reports whether a name in dir still is the open directory.
func isThere(dir FS, name string, open FS) (bool, error) {
	opened, err := open.Lstat(".")
	var named fs.FileInfo
	if err == nil {
		named, err = dir.Lstat(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && dir.Same(opened, named), err
}
