package plant

import (
	"errors"
	"io/fs"
)

// removeAll removes a name and everything below it, including directories
// that their owner may not write to. That nothing is there is no error.
func removeAll(in FS, name string) error {
	err := in.Remove(name)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	info, lerr := in.Lstat(name)
	if errors.Is(lerr, fs.ErrNotExist) {
		return nil
	}
	if lerr != nil || !info.IsDir() {
		return err
	}
	if info.Mode().Perm()&0o700 != 0o700 {
		in.Chmod(name, 0o700) // if it fails, what follows says so
	}
	d, err := in.Open(name)
	if err != nil {
		return err
	}
	err = d.Names(func(below string) error { return removeAll(d, below) })
	d.Close()
	if err != nil {
		return err
	}
	return in.Remove(name)
}
