package plant

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// Partial is a bed that a run has left.
type Partial struct {
	Name  string    // of its hidden directory
	Items []string  // what grows in it, as file names; not safe to print; at most 100
	Head  []byte    // the first bytes of its journal, at most 64 KiB
	Size  int64     // bytes on disk
	Time  time.Time // of the last change to the journal
	Busy  bool      // a process uses it now
}

const (
	maxItems = 100
	headSize = 64 << 10
)

// List finds the beds in a directory, in the order of their names.
func List(dir string) ([]Partial, error) {
	d, err := openDisk(dir)
	if err != nil {
		return nil, fail("open", printable(dir), err)
	}
	defer d.Close()
	g := &Ground{cfg: Config{Dir: dir}, fs: d, names: thisSystem()}
	var beds []Partial
	err = d.Names(func(name string) error {
		if !strings.HasPrefix(name, ".") || !strings.HasSuffix(name, bedSuffix) {
			return nil
		}
		p, err := g.describe(name)
		if err == nil {
			beds = append(beds, p)
		}
		return nil // what is not a bed, or may not be read, is not listed
	})
	slices.SortFunc(beds, func(a, b Partial) int { return strings.Compare(a.Name, b.Name) })
	return beds, fail("read", printable(dir), err)
}

// describe looks into a bed.
func (g *Ground) describe(name string) (Partial, error) {
	p := Partial{Name: name}
	home, log, err := g.openBed(name)
	if p.Busy = errors.Is(err, ErrBusy); err != nil && !p.Busy {
		return p, err
	}
	defer home.Close()
	if log == nil {
		if log, err = home.OpenFile(journalName, os.O_RDONLY); err != nil {
			return p, err
		}
	}
	defer log.Close()
	p.Head = make([]byte, headSize)
	n, err := log.ReadAt(p.Head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return p, err
	}
	p.Head = p.Head[:n]
	info, err := log.Stat()
	if err != nil {
		return p, err
	}
	p.Time = info.ModTime()
	p.Size, err = sizeOf(home)
	if err != nil {
		return p, err
	}
	return p, inside(home, dataName, func(data FS) error {
		return data.Names(func(name string) error {
			if !isSprout(name) && len(p.Items) < maxItems {
				p.Items = append(p.Items, name)
			}
			return nil
		})
	})
}

// openBed opens a bed that is there and locks it. Of one that is in use it
// returns the directory and ErrBusy.
func (g *Ground) openBed(name string) (home FS, log File, err error) {
	info, err := g.fs.Lstat(name)
	if err != nil {
		return nil, nil, err
	}
	if !isOurs(name) || !info.IsDir() || !g.mine(info) {
		return nil, nil, ErrForeign
	}
	if home, err = g.fs.Open(name); err != nil {
		return nil, nil, err
	}
	if log, err = home.OpenFile(journalName, os.O_RDWR); err == nil {
		var ours bool
		if ours, err = lockOurs(home, log); err == nil && !ours {
			err = fs.ErrNotExist
		}
		if err != nil {
			log.Close()
			log = nil
		}
	} else if errors.Is(err, fs.ErrNotExist) {
		err = ErrForeign
	}
	if err != nil && !errors.Is(err, ErrBusy) {
		home.Close()
		home = nil
	}
	return home, log, err
}

// sizeOf is the space of all files below a directory.
func sizeOf(d FS) (size int64, err error) {
	err = d.Names(func(name string) error {
		info, err := d.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if info.Mode().IsRegular() {
			size += allocated(info)
		}
		return inside(d, name, func(below FS) error {
			n, err := sizeOf(below)
			size += n
			return err
		})
	})
	if errors.Is(err, fs.ErrPermission) { // a directory that has its final mode already
		err = nil
	}
	return size, err
}

// Discard removes a bed that List has found. An error satisfies errors.Is with
// ErrBusy if a process uses it.
func Discard(dir string, p Partial) error {
	g := &Ground{cfg: Config{Dir: dir}, names: thisSystem()}
	d, err := openDisk(dir)
	if err != nil {
		return fail("open", printable(dir), err)
	}
	defer d.Close()
	g.fs = d
	home, log, err := g.openBed(p.Name)
	if err != nil {
		if home != nil {
			home.Close()
		}
		return fail("remove", g.show(p.Name), err)
	}
	b := &Bed{ground: g, name: p.Name, home: home, log: log}
	return errors.Join(fail("remove", g.show(p.Name), b.dissolve()), b.unlock())
}
