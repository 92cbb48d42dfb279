package transfer

import (
	"os"

	"golang.org/x/sys/unix"
)

// renameNew renames within dir and fails if the new name exists; file systems
// that cannot do both at once return EINVAL.
func renameNew(dir *os.File, from, to string) error {
	fd := int(dir.Fd())
	return unix.Renameat2(fd, from, fd, to, unix.RENAME_NOREPLACE)
}

// datasync makes the bytes of a file durable, without its times.
func datasync(f *os.File) error { return unix.Fdatasync(int(f.Fd())) }
