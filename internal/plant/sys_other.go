//go:build !linux && !darwin && !freebsd && !windows

package plant

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// syncsAll says that syncAll works.
const syncsAll = false

// nonblock keeps the opening of a pipe from waiting for its other end.
const nonblock = syscall.O_NONBLOCK

func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) }

// freeSpace is not known here.
func freeSpace(*os.File) (n int64, known bool) { return 0, false }

// allocated is how many bytes of disk a file has, as far as is known here.
func allocated(info fs.FileInfo) int64 { return info.Size() }

// owner is not known here.
func owner(fs.FileInfo) (uid int, known bool) { return 0, false }

// writable returns nil: making the first file will tell.
func writable(*os.File) error { return nil }

// syncDir makes a change of dir's entries durable, where the system can.
func syncDir(dir *os.File) error {
	_ = dir.Sync() // some of these systems refuse it for directories
	return nil
}

func link(p pair, _, _ string) error { return p.top.Link(p.old, p.new) }

func rename(p pair, _, _ string) error { return p.top.Rename(p.old, p.new) }

// renameNew cannot be done in one call here.
func renameNew(pair, string, string) error { return errors.ErrUnsupported }

// setTime sets the modification time of name, which must be no symbolic link.
func setTime(d *disk, name string, mtime time.Time) error {
	return d.root.Chtimes(name, time.Time{}, mtime)
}

func setXattr(*os.File, string, []byte) error { return errors.ErrUnsupported }

// datasync makes the bytes of a file durable.
func datasync(f *os.File) error { return f.Sync() }

// syncAll cannot be done here.
func syncAll(*os.File) error { return errors.ErrUnsupported }

func reserve(*os.File, int64) error { return errors.ErrUnsupported }

func punch(*os.File, int64, int64) error { return errors.ErrUnsupported }

func makeSparse(*os.File) error { return errors.ErrUnsupported }

// isBadName reports whether an error is about a name rather than the disk.
func isBadName(err error) bool {
	return errors.Is(err, syscall.ENAMETOOLONG) || errors.Is(err, syscall.EINVAL)
}

// isOtherDisk reports whether something cannot be moved because it would have
// to be copied.
func isOtherDisk(err error) bool { return errors.Is(err, syscall.EXDEV) }
