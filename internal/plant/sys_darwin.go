package plant

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// syncsAll says that syncAll works.
const syncsAll = false

const utimeOmit = -2 // UTIME_OMIT of <sys/stat.h>

// renameNew fails if the new name exists; file systems that cannot do both at
// once return ENOTSUP.
func renameNew(p pair, name, as string) error {
	err := unix.RenameatxNp(int(p.from.Fd()), name, int(p.to.Fd()), as, unix.RENAME_EXCL)
	if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EINVAL) {
		return errors.ErrUnsupported
	}
	return err
}

// datasync makes the bytes of a file durable; Sync is F_FULLFSYNC here, since
// fsync alone leaves them in the drive's cache.
func datasync(f *os.File) error { return f.Sync() }

// syncAll cannot be done here: sync(2) does not wait.
func syncAll(*os.File) error { return errors.ErrUnsupported }

// reserve takes the space for size bytes, so that a full disk is told before a
// long transfer and not at its end.
func reserve(f *os.File, size int64) error {
	info, err := f.Stat()
	if err != nil || info.Size() >= size {
		return err
	}
	s := unix.Fstore_t{Flags: unix.F_ALLOCATEALL, Posmode: unix.F_PEOFPOSMODE, Length: size - info.Size()}
	err = unix.FcntlFstore(f.Fd(), unix.F_PREALLOCATE, &s)
	if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EINVAL) {
		return errors.ErrUnsupported
	}
	return err
}

// punch is not used here: zeros are written instead.
func punch(*os.File, int64, int64) error { return errors.ErrUnsupported }

// makeSparse is not needed: APFS keeps what was never written as a hole.
func makeSparse(*os.File) error { return nil }
