package gui

import (
	"cmp"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"unicode"

	"qft/internal/settings"
)

// mostEntries is how many of a folder are listed.
const mostEntries = 5000

// places are where files may be read and written: in them and below.
type places []Place

// findPlaces looks for the places of this machine. What does not exist is left
// out, and so is the root of all: a service's working directory.
func findPlaces(more []string) (all places) {
	add := func(name, path string) {
		real, err := filepath.EvalSymlinks(path)
		if err != nil || real == filepath.Dir(real) && runtime.GOOS != "windows" {
			return
		}
		if real, err = filepath.Abs(real); err != nil {
			return
		}
		if st, err := os.Stat(real); err != nil || !st.IsDir() {
			return
		}
		if !slices.ContainsFunc(all, func(p Place) bool { return p.Path == real }) {
			all = append(all, Place{Name: cmp.Or(name, filepath.Base(real)), Path: real})
		}
	}
	if home, err := os.UserHomeDir(); err == nil {
		add("", home)
	}
	if wd, err := os.Getwd(); err == nil {
		add("", wd)
	}
	for _, path := range more {
		add("", path)
	}
	for _, path := range removable() {
		add("", path)
	}
	return all
}

// removable are the folders where systems show what is plugged in.
func removable() (all []string) {
	if runtime.GOOS == "windows" {
		for letter := 'A'; letter <= 'Z'; letter++ {
			all = append(all, string(letter)+`:\`)
		}
		return all
	}
	user := os.Getenv("USER")
	patterns := []string{"/media/" + user + "/*", "/run/media/" + user + "/*", "/mnt/*", "/Volumes/*"}
	if user == "" {
		patterns = []string{"/mnt/*", "/Volumes/*"}
	}
	for _, pattern := range patterns {
		found, err := filepath.Glob(pattern)
		if err == nil {
			all = append(all, found...)
		}
	}
	return all
}

// within returns a path without symlinks, if it exists and is in one of the
// places.
func (p places) within(path string) (string, error) {
	if path == "" || strings.ContainsRune(path, 0) || !filepath.IsAbs(path) || isNetwork(path) {
		return "", refuse(http.StatusBadRequest, "", "%q is no path of this machine", path)
	}
	real, err := filepath.EvalSymlinks(filepath.Clean(path))
	if err != nil {
		return "", refuse(http.StatusNotFound, "Choose another one.", "%s does not exist, or cannot be read", path)
	}
	for _, place := range p {
		if rel, err := filepath.Rel(place.Path, real); err == nil && (rel == "." || filepath.IsLocal(rel)) {
			return real, nil
		}
	}
	return "", refuse(http.StatusForbidden, "Choose something in one of the places that are listed, or start qft gui with this folder as its argument.",
		"%s is in none of the places that this page may look at", path)
}

// isNetwork reports whether a path leads to another machine, which Windows
// would ask for, and show who we are, before we could judge it.
func isNetwork(path string) bool {
	return runtime.GOOS == "windows" && (strings.HasPrefix(path, `\\`) || strings.HasPrefix(path, `//`))
}

// list lists a folder.
func (p places) list(path string, hidden bool) (Listing, error) {
	real, err := p.within(path)
	if err != nil {
		return Listing{}, err
	}
	found, err := os.ReadDir(real)
	if err != nil {
		return Listing{}, refuse(http.StatusForbidden, "Choose another folder.", "%s cannot be read", path)
	}
	l := Listing{Path: real, Entries: []Entry{}, Write: writable(real)}
	if up := filepath.Dir(real); up != real {
		if _, err := p.within(up); err == nil {
			l.Parent = up
		}
	}
	for _, e := range found {
		if entry, ok := describe(real, e); ok && (hidden || !entry.Hidden) {
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

// describe is what is shown of something in a folder; pipes, devices and what
// leads nowhere are not.
func describe(dir string, e os.DirEntry) (Entry, bool) {
	st, err := os.Stat(filepath.Join(dir, e.Name()))
	if err != nil || !st.IsDir() && !st.Mode().IsRegular() {
		return Entry{}, false
	}
	return Entry{Name: e.Name(), Folder: st.IsDir(), Size: st.Size(), Modified: st.ModTime().UnixMilli(), Hidden: strings.HasPrefix(e.Name(), ".")}, true
}

// writable reports whether something can be made in a folder, by its mode
// where that says it, without trying.
func writable(dir string) bool {
	st, err := os.Stat(dir)
	return err == nil && (os.Geteuid() == 0 || st.Mode().Perm()&0o222 != 0)
}

// folder returns a folder to receive into.
func (p places) folder(path string) (string, error) {
	real, err := p.within(path)
	if err != nil {
		return "", err
	}
	if st, err := os.Stat(real); err != nil || !st.IsDir() {
		return "", refuse(http.StatusBadRequest, "Choose a folder.", "%s is no folder", path)
	}
	return real, nil
}

// standard is the folder to receive into if nothing else is chosen; empty: there
// is none.
func (p places) standard(set *settings.Settings) string {
	for _, path := range []string{set.Lookup(settings.Folder).Value, settings.Downloads()} {
		if path == "" {
			continue
		}
		if real, err := p.folder(path); err == nil {
			return real
		}
	}
	if len(p) > 0 {
		return p[0].Path
	}
	return ""
}

// makeFolder makes a folder in one that there is.
func (p places) makeFolder(path string) (string, error) {
	name := filepath.Base(filepath.Clean(path))
	in, err := p.folder(filepath.Dir(filepath.Clean(path)))
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
}

// checkName refuses what is no name of a file or folder that is to be made: it
// could be a path.
func checkName(name string) error {
	if !filepath.IsLocal(name) || name == "." || strings.ContainsAny(name, `/\`) || strings.ContainsFunc(name, unicode.IsControl) {
		return refuse(http.StatusBadRequest, "Choose another name.", "%q is no name of a file or folder", name)
	}
	return nil
}
