package plant

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// record is what a later run has to know if this one is cut off while it puts
// things into place. Almost always it is empty, and then there is no file.
type record struct {
	items  map[string]string // items that got another name: the sender's name, file name
	locked map[string]locked // directories that may have a wrong mode for a moment: path
	due    bool              // something was added that is not durable
}

// renamed is an item that got another name.
type renamed struct{ name, m string }

// locked is a directory whose owner may not write to it, which it must for
// being moved, and for that moment can.
type locked struct {
	mode  fs.FileMode
	mtime time.Time
}

// add notes a fact: lines of their own, whatever a crash has left.
func (r *record) add(home FS, fact any) error {
	f, err := home.OpenFile(recordName, os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = home.OpenFile(recordName, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	var line string
	switch fact := fact.(type) {
	case renamed:
		line = fmt.Sprintf("\nitem %q %q\n", fact.name, fact.m)
	case lockedAt:
		line = fmt.Sprintf("\nlocked %q %d %d\n", fact.p, fact.mode, fact.mtime.UnixNano())
	}
	if _, err = f.WriteAt([]byte(line), info.Size()); err == nil {
		r.due = true
	}
	return err
}

type lockedAt struct {
	locked
	p string
}

// sync makes what was added durable.
func (r *record) sync(home FS) error {
	if !r.due {
		return nil
	}
	if err := syncFile(home, recordName, os.O_RDWR); err != nil {
		return err
	}
	if err := home.Sync(); err != nil {
		return err
	}
	r.due = false
	return nil
}

// readRecord reads what earlier runs have noted.
func (g *Ground) readRecord(home FS) (record, error) {
	r := record{items: make(map[string]string), locked: make(map[string]locked)}
	f, err := home.OpenFile(recordName, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	defer f.Close()
	in := bufio.NewScanner(io.NewSectionReader(f, 0, 1<<30))
	in.Buffer(nil, 1<<20)
	for in.Scan() { // what cannot be read is only not known
		var name, m string
		var mode fs.FileMode
		var nanos int64
		if n, _ := fmt.Sscanf(in.Text(), "item %q %q", &name, &m); n == 2 && g.usable(m) == nil {
			r.items[name] = m
		}
		if n, _ := fmt.Sscanf(in.Text(), "locked %q %d %d", &name, &mode, &nanos); n == 3 {
			r.locked[name] = locked{mode, time.Unix(0, nanos)}
		}
	}
	return r, nil
}

// relock gives the directories that an earlier run has moved, and was cut off
// before it could do so, their modes.
func (b *Bed) relock() error {
	for p, l := range b.record.locked {
		info, err := b.final.lstat(p)
		if err != nil && !blamesName(err) {
			return err
		}
		if err != nil || info == nil || !info.IsDir() || info.Mode().Perm() != l.mode.Perm()|0o700 {
			continue
		}
		d, err := b.final.at(p)
		if err != nil {
			return err
		}
		err = l.apply(d)
		b.final.done(d)
		if err != nil {
			return err
		}
	}
	return nil
}

// apply gives an open directory its mode and time, durably.
func (l locked) apply(d FS) error {
	err := serious(d.SetTime(".", l.mtime))
	if err == nil {
		err = d.Chmod(".", l.mode)
	}
	if err == nil {
		err = d.Sync()
	}
	return err
}
