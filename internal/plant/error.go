package plant

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"qft/internal/manifest"
)

var (
	// ErrBusy says that another process receives the same thing.
	ErrBusy = errors.New("another qft is receiving this")
	// ErrForeign says that something has a name that only qft gives, and is
	// not from qft or not this user's. It is left alone.
	ErrForeign = errors.New("is in the way and is not from this qft: remove it")
	// ErrName says that a name cannot be used here.
	ErrName = errors.New("cannot be a file name here")
	// ErrAppeared says that something got the final name during the transfer.
	// It satisfies errors.Is with fs.ErrExist.
	ErrAppeared = fmt.Errorf("appeared or changed during the transfer and is not overwritten: %w", fs.ErrExist)
)

// Error is why something could not be done on the receiver's disk. A full disk
// or quota satisfies errors.Is with syscall.ENOSPC on every system.
type Error struct {
	Op      string // what was being done: "write"
	Path    string // what it was done to, under the directory's name; safe to print
	Missing int64  // bytes that were wanted and not there, of a full disk; 0: not known
	Err     error  // the cause, without the operation and path of package os
}

// Error is one line in lower case.
func (e *Error) Error() string {
	text := strings.TrimSpace(e.Op+" "+e.Path) + ": " + e.Err.Error()
	if e.Missing > 0 {
		text += fmt.Sprintf(" (%s more are needed)", manifest.SizeText(e.Missing))
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// Is makes the systems' ways to say that a disk is full one.
func (e *Error) Is(target error) bool { return target == syscall.ENOSPC && isFull(e.Err) }

// fail makes an Error of what an operation returned.
func fail(op, path string, err error) error {
	if err == nil {
		return nil
	}
	var already *Error
	if errors.As(err, &already) {
		return err
	}
	return &Error{Op: op, Path: path, Err: Cause(err)}
}

// blamesName reports whether an error is about one entry and no other: its
// name, or a place that nobody may look into.
func blamesName(err error) bool {
	return err != nil && (isBadName(err) || errors.Is(err, fs.ErrPermission))
}

// isBroken reports whether an error is about the disk, rather than about what
// the file system or this user cannot do.
func isBroken(err error) bool { return isFull(err) || errors.Is(err, syscall.EIO) }

// Cause strips the operation and path that package os put around an error: an
// Error has its own.
func Cause(err error) error {
	var pathErr *fs.PathError
	var linkErr *os.LinkError
	switch {
	case errors.As(err, &pathErr):
		return pathErr.Err
	case errors.As(err, &linkErr):
		return linkErr.Err
	}
	return err
}
