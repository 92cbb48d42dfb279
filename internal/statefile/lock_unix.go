//go:build linux || darwin || freebsd

package statefile

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Locks says that this system has locks of files.
const Locks = true

// TryLock takes the lock of an open file, which the system lets go when the
// process ends, however it ends. It reports whether nobody else has it.
func TryLock(f *os.File) (bool, error) {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}
