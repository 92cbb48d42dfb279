// Package plant grows a tree of files beside its place, hidden until it is
// whole, and puts it there.
//
// This file holds the shape of its configuration until the package is merged.
package plant

import (
	"os"
	"path/filepath"
	"strings"
	"time"
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
	Name  string    // of its hidden directory
	Items []string  // what grows in it, as file names; not safe to print; at most 100
	Head  []byte    // the first bytes of its journal, at most 64 KiB
	Size  int64     // bytes on disk
	Time  time.Time // of the last change to the journal
	Busy  bool      // a process uses it now
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
		p := Partial{Name: e.Name(), Head: []byte(name[1:])}
		if info, err := e.Info(); err == nil {
			p.Size, p.Time = info.Size(), info.ModTime()
		}
		list = append(list, p)
	}
	return list, nil
}

// Discard removes what an interrupted transfer has left.
func Discard(dir string, p Partial) error {
	os.Remove(filepath.Join(dir, strings.TrimSuffix(p.Name, suffix)+".qft-journal"))
	return os.RemoveAll(filepath.Join(dir, p.Name))
}
