package plant

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// syncsAll says that syncAll works.
const syncsAll = true

const utimeOmit = unix.UTIME_OMIT

// renameNew fails if the new name exists; file systems that cannot do both at
// once return EINVAL.
func renameNew(p pair, name, as string) error {
	err := unix.Renameat2(int(p.from.Fd()), name, int(p.to.Fd()), as, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return errors.ErrUnsupported
	}
	return err
}

// datasync makes the bytes of a file durable, without its times.
func datasync(f *os.File) error { return unix.Fdatasync(int(f.Fd())) }

// syncAll makes all that was written to the file system of dir durable. It
// reports errors of writing since Linux 5.8.
func syncAll(dir *os.File) error { return unix.Syncfs(int(dir.Fd())) }

// reserve takes the space for size bytes, so that a full disk is told before a
// long transfer and not at its end. In a tmpfs that would fill memory at once,
// a quarter of a second for a gigabyte in which nothing can be written: there it
// only looks whether there is enough.
func reserve(f *os.File, size int64) error {
	if size == 0 {
		return nil
	}
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err == nil && st.Type == unix.TMPFS_MAGIC {
		return fits(f, size)
	}
	return unsupported(unix.Fallocate(int(f.Fd()), 0, 0, size))
}

// fits reports ENOSPC if there is no space for a file of that size.
func fits(f *os.File, size int64) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if free, known := freeSpace(f); known && free < size-allocated(info) {
		return unix.ENOSPC
	}
	return nil
}

func punch(f *os.File, off, n int64) error {
	return unsupported(unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n))
}

func unsupported(err error) error {
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return errors.ErrUnsupported
	}
	return err
}

// makeSparse is not needed: every file may have holes.
func makeSparse(*os.File) error { return nil }
