package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"

	"qft"
)

// streams reports whether QFT_STREAM allows what is no regular file.
func streams() bool {
	v := os.Getenv("QFT_STREAM")
	return v != "" && v != "0"
}

// irregular reports whether a path is a pipe, a device or the like.
func irregular(path string) bool {
	st, err := os.Stat(path)
	return err == nil && !st.Mode().IsRegular() && !st.IsDir()
}

// openSource makes a stream of "-", and of a path that is one where that is
// allowed; else the paths are what is sent.
func openSource(t *terminal, src *qft.Source, args []string) error {
	for _, a := range args {
		if a == "-" && len(args) > 1 {
			return usageError{errors.New("a stream, -, cannot be sent together with other things")}
		}
	}
	switch path := args[0]; {
	case path == "-":
		src.Stream = t.in
	case len(args) == 1 && streams() && irregular(path):
		if src.Name == "" {
			src.Name = filepath.Base(path)
		}
		src.Stream = &lazyFile{path: path, flag: os.O_RDONLY}
	default:
		src.Paths = args
	}
	return nil
}

// openTarget makes a stream of "-", and of a path that is one.
func openTarget(t *terminal, to *qft.Target, output string) {
	switch {
	case output == "-":
		to.Stream = t.out
	case output != "" && streams() && irregular(output):
		to.Stream = &lazyFile{path: output, flag: os.O_WRONLY}
	case output == "":
		to.Dir = "."
	case isDir(output) || os.IsPathSeparator(output[len(output)-1]):
		to.Dir = output
	default:
		to.Dir, to.Name = filepath.Dir(output), filepath.Base(output)
	}
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

// lazyFile is opened when it is first used: opening a pipe waits for somebody
// at its other end, and may be waited for only where nothing else has to go on.
type lazyFile struct {
	path string
	flag int
	open sync.Once
	f    *os.File
	err  error
}

func (l *lazyFile) file() (*os.File, error) {
	l.open.Do(func() { l.f, l.err = os.OpenFile(l.path, l.flag, 0) })
	return l.f, l.err
}

func (l *lazyFile) Read(p []byte) (int, error) {
	f, err := l.file()
	if err != nil {
		return 0, err
	}
	return f.Read(p)
}

func (l *lazyFile) Write(p []byte) (int, error) {
	f, err := l.file()
	if err != nil {
		return 0, err
	}
	return f.Write(p)
}

var _ io.ReadWriter = (*lazyFile)(nil)
