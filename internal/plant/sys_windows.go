package plant

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// syncsAll says that syncAll works.
const syncsAll = false

// nonblock is not needed: there are no pipes among files here.
const nonblock = 0

func isFull(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL) ||
		errors.Is(err, windows.ERROR_DISK_QUOTA_EXCEEDED)
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

// allocated is how many bytes of disk a file has, as far as is known here.
func allocated(info fs.FileInfo) int64 { return info.Size() }

// owner is not asked for: what protects a directory here is its access list,
// which it inherits from the one it is in.
func owner(fs.FileInfo) (uid int, known bool) { return 0, false }

// writable returns nil: rights are known only by trying, which comes before
// the offer is accepted.
func writable(*os.File) error { return nil }

// syncDir does nothing: directories cannot be synced here.
func syncDir(*os.File) error { return nil }

// syncAll cannot be done here without an administrator's rights.
func syncAll(*os.File) error { return errors.ErrUnsupported }

func link(p pair, _, _ string) error { return p.top.Link(p.old, p.new) }

func rename(p pair, _, _ string) error { return p.top.Rename(p.old, p.new) }

// renameNew cannot be done in one call relative to a directory here.
func renameNew(pair, string, string) error { return errors.ErrUnsupported }

// setTime sets the modification time of name, which must be no symbolic link.
func setTime(d *disk, name string, mtime time.Time) error {
	return d.root.Chtimes(name, time.Time{}, mtime)
}

// setXattr cannot be done: access lists are of another kind here.
func setXattr(*os.File, string, []byte) error { return errors.ErrUnsupported }

// datasync makes the bytes of a file durable.
func datasync(f *os.File) error { return f.Sync() }

// reserve is not needed: the length of a file that is not sparse takes the
// space here.
func reserve(*os.File, int64) error { return errors.ErrUnsupported }

// makeSparse lets a file have holes.
func makeSparse(f *os.File) error {
	var n uint32
	return windows.DeviceIoControl(windows.Handle(f.Fd()), windows.FSCTL_SET_SPARSE, nil, 0, nil, 0, &n, nil)
}

// punch makes zeros, which are a hole if the file is sparse.
func punch(f *os.File, off, n int64) error {
	zeros := struct{ from, beyond int64 }{off, off + n}
	var done uint32
	return windows.DeviceIoControl(windows.Handle(f.Fd()), windows.FSCTL_SET_ZERO_DATA,
		(*byte)(unsafe.Pointer(&zeros)), uint32(unsafe.Sizeof(zeros)), nil, 0, &done, nil)
}

// isBadName reports whether an error is about a name rather than the disk.
func isBadName(err error) bool {
	return errors.Is(err, windows.ERROR_INVALID_NAME) || errors.Is(err, windows.ERROR_FILENAME_EXCED_RANGE)
}

// isOtherDisk reports whether something cannot be moved because it would have
// to be copied.
func isOtherDisk(err error) bool { return errors.Is(err, windows.ERROR_NOT_SAME_DEVICE) }
