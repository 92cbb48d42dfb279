package transfer

import (
	"errors"
	"math"
	"os"

	"golang.org/x/sys/windows"
)

func isDiskFull(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL) ||
		errors.Is(err, windows.ERROR_DISK_QUOTA_EXCEEDED)
}

func isReadOnly(err error) bool { return errors.Is(err, windows.ERROR_WRITE_PROTECT) }

// tryLock takes the lock of an open file, which the system lets go when the
// process ends, however it ends. It reports whether nobody else has it. Locks
// are mandatory here, so it locks one byte far behind the end.
func tryLock(f *os.File) (bool, error) {
	at := windows.Overlapped{OffsetHigh: 1 << 30}
	err := windows.LockFileEx(windows.Handle(f.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}

// freeSpace is how many bytes this user may still write to the file system
// of dir, if that is known.
func freeSpace(dir *os.File) (n int64, known bool) {
	path, err := windows.UTF16PtrFromString(dir.Name())
	if err != nil {
		return 0, false
	}
	var avail, total, free uint64
	err = windows.GetDiskFreeSpaceEx(path, &avail, &total, &free)
	if err != nil || avail > math.MaxInt64 {
		return 0, false
	}
	return int64(avail), true
}

// allocated is how many bytes of disk a file has, which is not known here.
func allocated(os.FileInfo) int64 { return 0 }

// writable returns nil: rights are known only by trying, which comes before
// the offer is accepted.
func writable(*os.File) error { return nil }

// syncDir does nothing: directories cannot be synced here.
func syncDir(*os.File) error { return nil }

// renameNew cannot be done in one call relative to a directory here.
func renameNew(*os.File, string, string) error { return errors.ErrUnsupported }

// datasync makes the bytes of a file durable.
func datasync(f *os.File) error { return f.Sync() }
