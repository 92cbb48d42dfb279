//go:build linux || darwin || freebsd

package transfer

import (
	"errors"
	"math"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

func isDiskFull(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}

func isReadOnly(err error) bool { return errors.Is(err, unix.EROFS) }

// tryLock takes the lock of an open file, which the system lets go when the
// process ends, however it ends. It reports whether nobody else has it.
func tryLock(f *os.File) (bool, error) {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// freeSpace is how many bytes this user may still write to the file system
// of dir, if that is known.
func freeSpace(dir *os.File) (n int64, known bool) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(dir.Fd()), &st); err != nil || st.Blocks == 0 {
		return 0, false // an unbounded tmpfs has no blocks
	}
	if avail := float64(st.Bavail) * float64(st.Bsize); avail < math.MaxInt64 {
		return int64(avail), true
	}
	return 0, false
}

// allocated is how many bytes of disk a file has; holes do not count.
func allocated(info os.FileInfo) int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Blocks * 512 // the unit of st_blocks, whatever the file system's
	}
	return 0
}

// writable returns why no file can be made in dir, or nil.
func writable(dir *os.File) error {
	return unix.Faccessat(int(dir.Fd()), ".", unix.W_OK|unix.X_OK, 0)
}

// syncDir makes a change of dir's entries durable, where the file system can.
func syncDir(dir *os.File) error {
	err := dir.Sync()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return err
}
