package walk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxIgnore is how long a .gitignore file may be, in bytes.
const maxIgnore = 1 << 20

// rules reads the .gitignore file in d. As for git, only a regular file is one.
// An error stops the directory from being sent: nobody knows what in it should
// not leave this machine.
func (d *dir) rules() (rules, error) {
	f, err := d.openFile(".gitignore")
	if f == nil || err != nil {
		return nil, wrapIgnore(err)
	}
	defer f.Close()
	return readRules(f)
}

// readRules reads a .gitignore file.
func readRules(f io.Reader) (rules, error) {
	text, err := io.ReadAll(io.LimitReader(f, maxIgnore+1))
	switch {
	case err != nil:
		return nil, wrapIgnore(plain(err))
	case len(text) > maxIgnore:
		return nil, wrapIgnore(fmt.Errorf("it has more than %d bytes", maxIgnore))
	}
	return parseRules(strings.Split(strings.TrimPrefix(string(text), "\ufeff"), "\n")), nil
}

func wrapIgnore(err error) error {
	if err == nil || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("its .gitignore cannot be read: %w", err)
}

// plain is an error without the path that package os adds: a Found has one.
func plain(err error) error {
	if e := new(os.PathError); errors.As(err, &e) {
		return e.Err
	}
	return err
}
