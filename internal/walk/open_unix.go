//go:build linux || darwin || freebsd

package walk

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// maxPath is the length of a path that every one of these systems takes in one
// call, its NUL included (PATH_MAX: 4,096 on Linux).
const maxPath = 1024

// reopens: directories can be closed on the way and opened again, which saves
// file descriptors. Systems give a process 256 or 1,024 of them.
const reopens = true

// openFile opens a file if it is what it was. follow says that the path may be
// a symlink, as an item may.
func openFile(path string, follow bool, was *meta) (*os.File, error) {
	at, name, done, err := shorten(path)
	if err != nil {
		return nil, err
	}
	defer done()
	flags, statFlags := fileFlags|unix.O_NOFOLLOW, unix.AT_SYMLINK_NOFOLLOW
	if follow {
		flags, statFlags = fileFlags, 0
	}
	var st unix.Stat_t
	err = again(func() error { return unix.Fstatat(at, name, &st, statFlags) })
	if err := was.check(&st, err); err != nil {
		return nil, err
	}
	fd, err := openat(at, name, flags)
	if errors.Is(err, unix.EAGAIN) {
		// Somebody has a lease on it, such as a file server, and was asked to
		// give it up (fcntl(2), "Leases"). That a pipe never answers.
		fd, err = openat(at, name, flags&^unix.O_NONBLOCK)
	}
	if err == nil {
		err = again(func() error { return unix.Fstat(fd, &st) })
		if err = was.check(&st, err); err != nil {
			unix.Close(fd)
		}
	}
	switch {
	case isSwapped(err):
		return nil, ErrChanged
	case err != nil:
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

// check reports what is not as it was.
func (m *meta) check(st *unix.Stat_t, err error) error {
	var is meta
	if err := is.set(st, err); err != nil {
		return err
	}
	if !is.same(m) {
		return ErrChanged
	}
	return nil
}

// openPath opens a directory of any length of path.
func openPath(path string) (*dir, error) {
	at, name, done, err := shorten(path)
	if err != nil {
		return nil, err
	}
	defer done()
	fd, err := openat(at, name, dirFlags)
	return newDir(fd, err)
}

// shorten opens directories along a path until the rest of it, name, is short
// enough for the system. done closes the last of them.
func shorten(path string) (at int, name string, done func(), err error) {
	at, done = unix.AT_FDCWD, func() {}
	for len(path) >= maxPath {
		cut := strings.LastIndexByte(path[:maxPath], '/')
		if cut <= 0 {
			break
		}
		fd, err := openat(at, path[:cut], dirFlags)
		done()
		if err != nil {
			return 0, "", nil, err
		}
		at, done = fd, func() { unix.Close(fd) }
		path = strings.TrimLeft(path[cut:], "/")
	}
	return at, path, done, nil
}

func slashed(path string) string { return path }

// data finds what is no hole.
func data(f *os.File, off, size int64) (lo, hi int64, err error) {
	lo, err = f.Seek(off, unix.SEEK_DATA)
	switch {
	case errors.Is(err, unix.ENXIO):
		return size, size, nil
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.ENOTTY):
		return off, size, nil // the file system does not know
	case err != nil:
		return 0, 0, err
	}
	hi, err = f.Seek(lo, unix.SEEK_HOLE)
	if errors.Is(err, unix.ENXIO) {
		return size, size, nil // it has become shorter: the next look will tell
	}
	return lo, hi, err
}
