//go:build linux || darwin || freebsd

package transfer

import (
	"os"

	"golang.org/x/sys/unix"
)

// lockSums takes the lock of an open file, which the system lets go when the
// process ends, however it ends. It reports whether nobody else has it.
func lockSums(f *os.File) bool {
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
}
