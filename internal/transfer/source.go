package transfer

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// source is the file that is sent.
type source struct {
	f    *os.File
	path string // as the person named it
	info os.FileInfo
}

// openSource opens a file and checks that it is one.
func openSource(path string) (*source, *Error) {
	// Look before opening: a pipe would block, and a device might do something.
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && path == "":
		return nil, &Error{Kind: NotFound, Op: "open", Path: path, Err: err}
	case err != nil:
		return nil, &Error{Kind: Unreadable, Op: "open", Path: path, Err: err}
	case info.IsDir():
		return nil, &Error{Kind: Directory, Path: path}
	case !info.Mode().IsRegular():
		return nil, &Error{Kind: NotRegular, Path: path}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, &Error{Kind: Unreadable, Op: "open", Path: path, Err: err}
	}
	if info, err = f.Stat(); err == nil && !info.Mode().IsRegular() {
		err = errors.New("is not a regular file any more")
	}
	if err != nil {
		f.Close()
		return nil, &Error{Kind: Unreadable, Op: "open", Path: path, Err: err}
	}
	return &source{f, path, info}, nil
}

// entry is the file's line of the manifest.
func (s *source) entry() entry {
	m := s.info.ModTime()
	name := filepath.Base(s.path)
	return entry{
		mode: uint16(s.info.Mode().Perm()),
		sec:  m.Unix(),
		nsec: uint32(m.Nanosecond()),
		size: s.info.Size(),
		name: name[:min(len(name), maxWireName)],
	}
}

// read fills p from off.
func (s *source) read(p []byte, off int64) *Error {
	_, err := s.f.ReadAt(p, off)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF):
		return &Error{Kind: Changed, Path: s.path, Err: errors.New("became shorter while it was being sent")}
	}
	return &Error{Kind: Unreadable, Op: "read", Path: s.path, Err: err}
}

// readBlock fills p from off and hashes it. It looks for changes each time:
// better to learn of them now than at the end of a long transfer.
func (s *source) readBlock(p []byte, off int64) (digest, *Error) {
	var failed *Error
	sum, err := sumBlock(p, func(piece []byte, at int64) error {
		if failed = s.read(piece, off+at); failed != nil {
			return failed
		}
		return nil
	})
	if err != nil {
		return digest{}, failed
	}
	return sum, s.unchanged()
}

// unchanged reports a file that has another size or modification time than
// when it was offered.
func (s *source) unchanged() *Error {
	info, err := s.f.Stat()
	if err != nil {
		return &Error{Kind: Unreadable, Op: "look at", Path: s.path, Err: err}
	}
	if info.Size() != s.info.Size() || !info.ModTime().Equal(s.info.ModTime()) {
		return &Error{Kind: Changed, Path: s.path}
	}
	return nil
}
