//go:build linux || darwin || freebsd

package plant

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// nonblock keeps the opening of a pipe from waiting for its other end.
const nonblock = unix.O_NONBLOCK

func isFull(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }

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
func allocated(info fs.FileInfo) int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Blocks * 512 // the unit of st_blocks, whatever the file system's
	}
	return info.Size()
}

// owner is the user that a file belongs to, if that is known.
func owner(info fs.FileInfo) (uid int, known bool) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid), true
	}
	return 0, false
}

// writable returns why no file can be made in dir, or nil.
func writable(dir *os.File) error {
	return unix.Faccessat(int(dir.Fd()), ".", unix.W_OK|unix.X_OK, unix.AT_EACCESS)
}

// syncDir makes a change of dir's entries durable, where the file system can.
func syncDir(dir *os.File) error {
	err := dir.Sync()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return err
}

func link(p pair, name, as string) error {
	return unix.Linkat(int(p.from.Fd()), name, int(p.to.Fd()), as, 0)
}

func rename(p pair, name, as string) error {
	return unix.Renameat(int(p.from.Fd()), name, int(p.to.Fd()), as)
}

// setTime sets the modification time of name, were it a symbolic link of the
// link itself, and leaves the time of the last access alone.
func setTime(d *disk, name string, mtime time.Time) error {
	dir, err := d.handle()
	if err != nil {
		return err
	}
	m, err := unix.TimeToTimespec(mtime)
	if err != nil {
		return err
	}
	times := []unix.Timespec{{Nsec: utimeOmit}, m}
	return unix.UtimesNanoAt(int(dir.Fd()), name, times, unix.AT_SYMLINK_NOFOLLOW)
}

func setXattr(f *os.File, attr string, value []byte) error {
	return unix.Fsetxattr(int(f.Fd()), attr, value, 0)
}

// isBadName reports whether an error is about a name rather than the disk: it
// is too long, or has characters that a FAT or NTFS does not take.
func isBadName(err error) bool {
	return errors.Is(err, unix.ENAMETOOLONG) || errors.Is(err, unix.EILSEQ) || errors.Is(err, unix.EINVAL)
}

// isOtherDisk reports whether something cannot be moved because it would have
// to be copied.
func isOtherDisk(err error) bool { return errors.Is(err, unix.EXDEV) }
