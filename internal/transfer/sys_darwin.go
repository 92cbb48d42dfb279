package transfer

import (
	"os"

	"golang.org/x/sys/unix"
)

// renameNew renames within dir and fails if the new name exists; file systems
// that cannot do both at once return ENOTSUP.
func renameNew(dir *os.File, from, to string) error {
	fd := int(dir.Fd())
	return unix.RenameatxNp(fd, from, fd, to, unix.RENAME_EXCL)
}

// datasync makes the bytes of a file durable; Sync is F_FULLFSYNC here, since
// fsync alone leaves them in the drive's cache.
func datasync(f *os.File) error { return f.Sync() }
