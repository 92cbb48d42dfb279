//go:build !linux && !darwin && !freebsd && !windows

package transfer

import (
	"errors"
	"os"
	"syscall"
)

func isDiskFull(err error) bool { return errors.Is(err, syscall.ENOSPC) }

func isReadOnly(err error) bool { return errors.Is(err, syscall.EROFS) }

// tryLock cannot lock here, so two receivers of one file are not told apart.
func tryLock(*os.File) (bool, error) { return true, nil }

// freeSpace is not known here.
func freeSpace(*os.File) (n int64, known bool) { return 0, false }

// allocated is not known here.
func allocated(os.FileInfo) int64 { return 0 }

// writable returns nil: making the first file will tell.
func writable(*os.File) error { return nil }

// syncDir makes a change of dir's entries durable, where the system can.
func syncDir(dir *os.File) error {
	_ = dir.Sync() // some of these systems refuse it for directories
	return nil
}

// renameNew cannot be done in one call here.
func renameNew(*os.File, string, string) error { return errors.ErrUnsupported }

// datasync makes the bytes of a file durable.
func datasync(f *os.File) error { return f.Sync() }
