package plant

import (
	"io"
	"io/fs"
	"time"
)

// FS is one directory of a disk. A name is a single element or, where that is
// said, "." for the directory itself; nothing else is accepted and no symbolic
// link is ever followed, so nothing that is done through an FS leads out of
// it. Errors satisfy errors.Is with fs.ErrExist and its like. It may be used by
// several goroutines at once.
//
// Config.FS lets tests put a simulated disk here: package faulty.
type FS interface {
	// Open opens a directory in this one.
	Open(name string) (FS, error)
	// OpenFile opens a regular file: flag is os.O_RDONLY, os.O_RDWR, or
	// os.O_RDWR|os.O_CREATE|os.O_EXCL for a new one, which only its owner
	// can read.
	OpenFile(name string, flag int) (File, error)
	// Lstat describes what has a name, or is ".".
	Lstat(name string) (fs.FileInfo, error)
	// Same reports whether two of Lstat's or File.Stat's answers are about the
	// same thing.
	Same(a, b fs.FileInfo) bool
	// Names calls each for every name in the directory, in no order, and
	// returns its error. What each removes is not missed for that.
	Names(each func(name string) error) error
	Readlink(name string) (string, error)

	// Mkdir makes a directory that only its owner can use.
	Mkdir(name string) error
	Symlink(text, name string) error
	// Link, Rename and RenameNew take a name of this directory and one of
	// another of the same disk. Rename replaces what is no directory.
	Link(name string, to FS, as string) error
	Rename(name string, to FS, as string) error
	// RenameNew fails with fs.ErrExist rather than replace anything, and with
	// errors.ErrUnsupported where that cannot be done in one step.
	RenameNew(name string, to FS, as string) error
	// Remove removes what is no directory, or an empty one.
	Remove(name string) error

	// Chmod takes ".", too, and so do SetTime and Chown.
	Chmod(name string, mode fs.FileMode) error
	SetTime(name string, mtime time.Time) error
	// Chown changes the owner; -1 leaves the user or the group as it is.
	Chown(name string, uid, gid int) error
	// SetXattr sets an extended attribute of the directory itself.
	SetXattr(attr string, value []byte) error

	// Sync makes the directory's own entries, mode and time durable.
	Sync() error
	// SyncAll makes everything on the disk durable, where SyncsAll says that
	// there is such a call.
	SyncAll() error
	SyncsAll() bool
	// Free is how many bytes this user may still write, if that is known.
	Free() (n int64, known bool)
	Close() error
}

// File is an open regular file.
type File interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	// Allot sets the length and reserves space for all of it. A sparse file
	// gets no space but may have holes.
	Allot(size int64, sparse bool) error
	// Punch makes a hole of n bytes, or fails with errors.ErrUnsupported.
	Punch(off, n int64) error
	Stat() (fs.FileInfo, error)
	Chmod(mode fs.FileMode) error
	Chown(uid, gid int) error
	SetXattr(attr string, value []byte) error
	// Lock takes the file's lock, which ends when the file is closed or the
	// process ends. It reports whether nobody else has it.
	Lock() (bool, error)
	// Datasync makes the bytes durable, Sync the mode and time as well.
	Datasync() error
	Sync() error
	Close() error
}
