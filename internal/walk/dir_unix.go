//go:build linux || darwin || freebsd

package walk

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"qft/internal/manifest"
)

// dir is an open directory. Names are looked up in it and not along a path, so
// that nobody can lead the walk elsewhere by putting a symlink in its way.
type dir struct{ f *os.File }

const (
	dirFlags  = unix.O_RDONLY | unix.O_CLOEXEC | unix.O_DIRECTORY
	fileFlags = unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK // a pipe could wait for ever
)

// openItem opens a directory that the person named.
func openItem(path string) (*dir, error) {
	fd, err := openat(unix.AT_FDCWD, path, dirFlags)
	return newDir(fd, err)
}

// open opens a directory in d, and does not follow a symlink.
func (d *dir) open(name string) (folder, error) {
	fd, err := openat(d.fd(), name, dirFlags|unix.O_NOFOLLOW)
	if isSwapped(err) {
		err = ErrChanged
	}
	return asFolder(newDir(fd, err))
}

// isSwapped reports the errors of opening what has become a symlink, or no
// directory any more. FreeBSD says EMLINK where others say ELOOP.
func isSwapped(err error) bool {
	return errors.Is(err, unix.ELOOP) || errors.Is(err, unix.EMLINK) || errors.Is(err, unix.ENOTDIR)
}

// parent opens the directory that d lies in.
func (d *dir) parent() (folder, error) { return d.open("..") }

func newDir(fd int, err error) (*dir, error) {
	if err != nil {
		return nil, err
	}
	return &dir{os.NewFile(uintptr(fd), "")}, nil
}

func (d *dir) fd() int { return int(d.f.Fd()) }

func (d *dir) close() { d.f.Close() }

// names calls each with every name in d but "." and "..".
func (d *dir) names(each func(name string)) error {
	for {
		list, err := d.f.Readdirnames(256)
		for _, name := range list {
			each(name)
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return plain(err)
		}
	}
}

// stat looks at a name in d, without following it.
func (d *dir) stat(name string, m *meta) error {
	var st unix.Stat_t
	err := again(func() error { return unix.Fstatat(d.fd(), name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	return m.set(&st, err)
}

// self looks at d.
func (d *dir) self(m *meta) error { return fstat(d.f, m) }

// mayRead says why a file in d cannot be read. It asks the system only where
// the permissions leave a doubt.
func (d *dir) mayRead(name string, m *meta) error {
	if m.mode&0o444 == 0o444 {
		return nil
	}
	return again(func() error { return unix.Faccessat(d.fd(), name, unix.R_OK, 0) })
}

// readlink returns the text of a symlink in d, or more than MaxTarget bytes of
// it.
func (d *dir) readlink(name string) (string, error) {
	for size := 256; ; size *= 4 {
		b := make([]byte, size)
		var n int
		err := again(func() (err error) {
			n, err = unix.Readlinkat(d.fd(), name, b)
			return err
		})
		if err != nil || n < size || n > manifest.MaxTarget {
			return string(b[:max(n, 0)]), err
		}
	}
}

// openFile opens a regular file in d; nil if it is something else.
func (d *dir) openFile(name string) (*os.File, error) {
	fd, err := openat(d.fd(), name, fileFlags|unix.O_NOFOLLOW)
	switch {
	case isSwapped(err), errors.Is(err, unix.ENXIO), errors.Is(err, unix.EOPNOTSUPP):
		return nil, nil // a symlink, or a socket
	case err != nil:
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	var m meta
	if err := fstat(f, &m); err != nil || m.kind != manifest.File {
		f.Close()
		return nil, err
	}
	return f, nil
}

func statItem(path string, m *meta) error {
	var st unix.Stat_t
	err := again(func() error { return unix.Stat(path, &st) })
	return m.set(&st, err)
}

func fstat(f *os.File, m *meta) error {
	var st unix.Stat_t
	err := again(func() error { return unix.Fstat(int(f.Fd()), &st) })
	return m.set(&st, err)
}

// set translates what the system said.
func (m *meta) set(st *unix.Stat_t, err error) error {
	if err != nil {
		return err
	}
	*m = meta{
		mode:  uint32(st.Mode) & 0o7777,
		size:  st.Size,
		nlink: uint64(st.Nlink),
		uid:   st.Uid,
		gid:   st.Gid,
	}
	sec, nsec := st.Mtim.Unix()
	m.sec, m.nsec = sec, uint32(uint64(nsec)%1e9) // a broken file system may say anything
	sec, nsec = st.Ctim.Unix()
	m.inode = Inode{uint64(st.Dev), uint64(st.Ino), sec*1e9 + nsec}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		m.kind = manifest.Dir
	case unix.S_IFREG:
		m.kind = manifest.File
		m.sparse = int64(st.Blocks)*512 < st.Size // the unit of st_blocks, whatever the file system's
	case unix.S_IFLNK:
		m.kind = manifest.Symlink
	case unix.S_IFIFO:
		m.special = "a pipe"
	case unix.S_IFSOCK:
		m.special = "a socket"
	case unix.S_IFBLK, unix.S_IFCHR:
		m.special = "a device"
	default:
		m.special = "of an unknown kind"
	}
	return nil
}

func openat(at int, name string, flags int) (fd int, err error) {
	err = again(func() error {
		fd, err = unix.Openat(at, name, flags, 0)
		return err
	})
	return fd, err
}

// again calls f until no signal interrupts it: network file systems let them,
// and the runtime sends many.
func again(f func() error) error {
	for {
		if err := f(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
