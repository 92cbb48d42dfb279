package statefile

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// Locks says that this system has locks of files.
const Locks = true

// TryLock takes the lock of an open file, which the system lets go when the
// process ends, however it ends. It reports whether nobody else has it. Locks
// are mandatory here, so it locks one byte far behind the end.
func TryLock(f *os.File) (bool, error) {
	at := windows.Overlapped{OffsetHigh: 1 << 30}
	err := windows.LockFileEx(windows.Handle(f.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}
