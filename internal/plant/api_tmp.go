// Package plant grows a tree of files beside its place, hidden until it is
// whole, and puts it there.
//
// This file holds the shape of its configuration until the package is merged.
package plant

import (
	"os"
	"path/filepath"
	"strings"
)

// Existing is what happens to what is there already.
type Existing byte

const (
	Fail Existing = iota
	Overwrite
	Rename
	Skip
	Ask
)

// Config is where to put things.
type Config struct {
	Dir      string
	Name     string
	Existing Existing
	Archive  bool
	Checksum bool
}

// Partial is what an interrupted transfer has left.
type Partial struct {
	Path  string   // of the hidden directory, in Dir
	Names []string // of the first items
	Size  int64    // on the disk
}

const suffix = ".qft-part"

// List finds what interrupted transfers have left in a directory.
func List(dir string) ([]Partial, error) {
	all, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var list []Partial
	for _, e := range all {
		name, ok := strings.CutSuffix(e.Name(), suffix)
		if !ok || !strings.HasPrefix(name, ".") {
			continue
		}
		p := Partial{Path: e.Name(), Names: []string{name[1:]}}
		if info, err := e.Info(); err == nil {
			p.Size = info.Size()
		}
		list = append(list, p)
	}
	return list, nil
}

// Discard removes what an interrupted transfer has left.
func Discard(dir string, p Partial) error {
	os.Remove(filepath.Join(dir, strings.TrimSuffix(p.Path, suffix)+".qft-journal"))
	return os.RemoveAll(filepath.Join(dir, p.Path))
}
