// Package statefile replaces small files whole or not at all, and locks one for
// as long as a process lives.
package statefile

import (
	"crypto/rand"
	"os"
	"path/filepath"
)

// Replace puts a file in the place of another, whole or not at all, and durably.
// It is its owner's only, as is its folder if that has to be made.
func Replace(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	temp := path + "." + rand.Text()
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(temp) // in vain once it is renamed
	_, err = f.Write(text)
	if serr := f.Sync(); err == nil {
		err = serr
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(temp, path)
}
