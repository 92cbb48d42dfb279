package e2e

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
)

// file is one to be sent, with what it takes to recognise it.
type file struct {
	path string
	size int64
	sum  [sha256.Size]byte
}

// makeFile makes a file of random bytes.
func makeFile(path string, size int64) (file, error) {
	f := file{path: path, size: size}
	w, err := os.Create(path)
	if err != nil {
		return f, err
	}
	defer w.Close()
	h := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(w, h), rand.Reader, size); err != nil {
		return f, fmt.Errorf("making a file of %d bytes: %w", size, err)
	}
	h.Sum(f.sum[:0])
	return f, w.Close()
}

// checksum reads a file again.
func checksum(path string) (sum [sha256.Size]byte, err error) {
	r, err := os.Open(path)
	if err != nil {
		return sum, err
	}
	defer r.Close()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return sum, err
	}
	h.Sum(sum[:0])
	return sum, nil
}
