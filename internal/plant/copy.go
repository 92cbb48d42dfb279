package plant

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// copyFile makes a copy of a file, with its mode and time. It is complete when
// it has its name.
func copyFile(src FS, old string, info fs.FileInfo, dst FS, name string) error {
	in, err := src.OpenFile(old, os.O_RDONLY)
	if err != nil {
		return err
	}
	defer in.Close()
	meanwhile := strayMark(name) + "~copy" + bedSuffix
	if err := dst.Remove(meanwhile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	out, err := dst.OpenFile(meanwhile, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.NewOffsetWriter(out, 0), io.NewSectionReader(in, 0, info.Size()))
	if err == nil {
		err = serious(out.Chmod(info.Mode()))
	}
	if err == nil {
		err = serious(dst.SetTime(meanwhile, info.ModTime()))
	}
	if err == nil {
		err = out.Sync()
	}
	err = errors.Join(err, out.Close())
	if err == nil && lateTimes {
		err = serious(dst.SetTime(meanwhile, info.ModTime()))
	}
	if err == nil {
		if err = renameNewIn(dst, meanwhile, dst, name); err == nil {
			err = dst.Sync()
		}
	}
	dst.Remove(meanwhile) // of an error, or a second name
	return err
}

// carry is place to another disk, which a directory of the target can be on:
// it copies, and leaves what it has copied for the bed's removal. Files appear
// whole.
func (m *mover) carry(src FS, name string, dst FS, as, p string) error {
	info, err := src.Lstat(name)
	if err != nil {
		return err
	}
	if m.b.ground.cfg.Archive {
		m.b.note("owner", p, errors.New("it was copied to another disk"))
	}
	switch {
	case info.IsDir():
		if err := dst.Mkdir(as); err != nil {
			return err
		}
		if err := m.merge(src, name, dst, as, p); err != nil {
			return err
		}
		err = errors.Join(serious(dst.SetTime(as, info.ModTime())), serious(dst.Chmod(as, info.Mode())))
	case info.Mode()&fs.ModeSymlink != 0:
		text, rerr := src.Readlink(name)
		if rerr != nil {
			return rerr
		}
		err = dst.Symlink(text, as)
	default:
		err = copyFile(src, name, info, dst, as)
	}
	return errors.Join(err, dst.Sync())
}

// serious is an error unless it only says that something cannot be set here.
func serious(err error) error {
	if isBroken(err) {
		return err
	}
	return nil
}
