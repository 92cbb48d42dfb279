package gui

import (
	"cmp"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"qft/internal/settings"
)

const (
	// mostEntries is how many of a folder are listed, and mostVisits how many
	// folders in it are looked at at the same time.
	mostEntries = 5000
	mostVisits  = 16
)

// places are where files may be read and written: in them and below.
type places struct {
	all   []Place
	disks *disks
}

// findPlaces looks for the places of this machine. What does not exist or
// does not answer is left out, and so is the root of all, where services work,
// unless the caller names it.
func (d *disks) findPlaces(more []string, limit time.Duration) places {
	candidates := d.candidates(more, limit)
	found := make([]string, len(candidates))
	var looking sync.WaitGroup
	for i, path := range candidates {
		looking.Go(func() {
			real, err := visitDisk(d, path, limit, func() (string, error) { return d.place(path, slices.Contains(more, path)) })
			if err == nil {
				found[i] = real
			}
		})
	}
	looking.Wait()
	p := places{disks: d}
	for _, real := range found {
		if real != "" && !slices.ContainsFunc(p.all, func(p Place) bool { return p.Path == real }) {
			p.all = append(p.all, Place{Name: placeName(real), Path: real})
		}
	}
	return p
}

// placeName is what a person calls a place.
func placeName(path string) string {
	if path == filepath.Dir(path) {
		return rootName(path)
	}
	return filepath.Base(path)
}

// place is the folder that a path leads to; named: the caller wants it.
func (d *disks) place(path string, named bool) (string, error) {
	real, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if real, err = d.resolve(real); err != nil {
		return "", err
	}
	if isSystemRoot(real) && !named {
		return "", fs.ErrInvalid
	}
	if st, err := d.stat(real); err != nil || !st.IsDir() {
		return "", fs.ErrNotExist
	}
	return real, nil
}

// candidates are the paths of what may be places.
func (d *disks) candidates(more []string, limit time.Duration) (all []string) {
	if home, err := os.UserHomeDir(); err == nil {
		all = append(all, home)
	}
	if wd, err := visitDisk(d, ".", limit, os.Getwd); err == nil {
		all = append(all, wd)
	}
	all = append(all, more...)
	return append(all, d.media(limit)...)
}

// within returns a path without symlinks, if it exists and is in one of the
// places.
func (p places) within(path string) (string, error) {
	return visitDisk(p.disks, path, answerTime, func() (string, error) { return p.judge(path) })
}

// judge is within that waits for the disk.
func (p places) judge(path string) (string, error) {
	if path == "" || strings.ContainsRune(path, 0) || !isHere(path) {
		return "", refuse(http.StatusBadRequest, "", "%q is no path of this machine", path)
	}
	real, err := p.disks.resolve(filepath.Clean(path))
	if err != nil {
		return "", refuse(http.StatusNotFound, "Choose another one.", "%s does not exist, or cannot be read", path)
	}
	for _, place := range p.all {
		if isIn(place.Path, real) {
			return real, nil
		}
	}
	return "", refuse(http.StatusForbidden, "Choose something in one of the places that are listed, or start qft gui with this folder as its argument.",
		"%s is in none of the places that this page may look at", path)
}

// list lists a folder.
func (p places) list(path string, hidden bool) (Listing, error) {
	return visitDisk(p.disks, path, answerTime, func() (Listing, error) { return p.listing(path, hidden) })
}

func (p places) listing(path string, hidden bool) (Listing, error) {
	real, err := p.judge(path)
	if err != nil {
		return Listing{}, err
	}
	found, err := p.disks.read(real)
	if err != nil {
		return Listing{}, refuse(http.StatusForbidden, "Choose another folder.", "%s cannot be read", path)
	}
	l := Listing{Path: real, Entries: []Entry{}, Write: p.disks.writable(real)}
	if up := filepath.Dir(real); up != real {
		if _, err := p.judge(up); err == nil {
			l.Parent = up
		}
	}
	for _, entry := range p.disks.describe(real, found) {
		if entry.Name != "" && (hidden || !entry.Hidden) {
			l.Entries = append(l.Entries, entry)
		}
	}
	slices.SortFunc(l.Entries, func(a, b Entry) int {
		if a.Folder != b.Folder {
			if a.Folder {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), cmp.Compare(a.Name, b.Name))
	})
	if l.More = len(l.Entries) - mostEntries; l.More > 0 {
		l.Entries = l.Entries[:mostEntries]
	}
	l.More = max(l.More, 0)
	return l, nil
}

// describe is what is shown of what is in a folder. Pipes, devices and what leads
// nowhere are not: they have no name. A folder or link in it may lead to a disk
// that does not answer, so each is visited by itself.
func (d *disks) describe(dir string, found []fs.DirEntry) []Entry {
	all := make([]Entry, len(found))
	slots := make(chan struct{}, mostVisits)
	var looking sync.WaitGroup
	for i, e := range found {
		path := filepath.Join(dir, e.Name())
		switch e.Type() {
		case 0:
			all[i], _ = d.entry(path)
		case fs.ModeDir, fs.ModeSymlink:
			slots <- struct{}{}
			looking.Go(func() {
				defer func() { <-slots }()
				var err error
				all[i], err = visitDisk(d, path, entryTime, func() (Entry, error) { return d.entry(path) })
				if err != nil && e.IsDir() { // who opens it hears why
					all[i] = Entry{Name: e.Name(), Folder: true, Hidden: isHidden(e.Name(), nil)}
				}
			})
		}
	}
	looking.Wait()
	return all
}

// entry is what is shown of a file or folder.
func (d *disks) entry(path string) (Entry, error) {
	st, err := d.stat(path)
	if err != nil || !st.IsDir() && !st.Mode().IsRegular() {
		return Entry{}, err
	}
	name := filepath.Base(path)
	return Entry{Name: name, Folder: st.IsDir(), Size: st.Size(), Modified: st.ModTime().UnixMilli(), Hidden: isHidden(name, st)}, nil
}

// folder returns a folder to receive into.
func (p places) folder(path string, limit time.Duration) (string, error) {
	return visitDisk(p.disks, path, limit, func() (string, error) { return p.judgeFolder(path) })
}

func (p places) judgeFolder(path string) (string, error) {
	real, err := p.judge(path)
	if err != nil {
		return "", err
	}
	if st, err := p.disks.stat(real); err != nil || !st.IsDir() {
		return "", refuse(http.StatusBadRequest, "Choose a folder.", "%s is no folder", path)
	}
	return real, nil
}

// standard is the folder to receive into if nothing else is chosen; empty: there
// is none.
func (p places) standard(set *settings.Settings, limit time.Duration) string {
	for _, path := range []string{set.Lookup(settings.Folder).Value, settings.Downloads()} {
		if path == "" {
			continue
		}
		if real, err := p.folder(path, limit); err == nil {
			return real
		}
	}
	if len(p.all) > 0 {
		return p.all[0].Path
	}
	return ""
}

// makeFolder makes a folder in one that there is.
func (p places) makeFolder(path string) (string, error) {
	name := filepath.Base(filepath.Clean(path))
	in := filepath.Dir(filepath.Clean(path))
	return visitDisk(p.disks, in, answerTime, func() (string, error) {
		in, err := p.judgeFolder(in)
		if err != nil {
			return "", err
		}
		if err := checkName(name); err != nil {
			return "", err
		}
		made := filepath.Join(in, name)
		if err := os.Mkdir(made, 0o777); err != nil {
			return "", refuse(http.StatusConflict, "Choose another name, or another place.", "the folder %s cannot be made: %v", name, plainError(err))
		}
		return made, nil
	})
}

// checkName refuses what is no name of a file or folder that is to be made: it
// could be a path.
func checkName(name string) error {
	if !filepath.IsLocal(name) || name == "." || strings.ContainsAny(name, `/\`) || strings.ContainsFunc(name, unicode.IsControl) || !keepsName(name) {
		return refuse(http.StatusBadRequest, "Choose another name.", "%q is no name of a file or folder", name)
	}
	return nil
}
