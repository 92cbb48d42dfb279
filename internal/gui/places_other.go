//go:build !windows

package gui

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// media are what is in the folders where systems show what is plugged in.
func (d *disks) media(limit time.Duration) (all []string) {
	folders := removable()
	found := make([][]fs.DirEntry, len(folders))
	var looking sync.WaitGroup
	for i, dir := range folders {
		looking.Go(func() {
			// Without an answer there is nothing in it.
			found[i], _ = visitDisk(d, dir, limit, func() ([]fs.DirEntry, error) { return d.read(dir) })
		})
	}
	looking.Wait()
	for i, dir := range folders {
		for _, e := range found[i] {
			all = append(all, filepath.Join(dir, e.Name()))
		}
	}
	return all
}

// removable are the folders where systems show what is plugged in.
func removable() []string {
	user := os.Getenv("USER")
	if user == "" {
		return []string{"/mnt", "/Volumes"}
	}
	return []string{"/media/" + user, "/run/media/" + user, "/mnt", "/Volumes"}
}

// isSystemRoot reports whether a path is the root of all.
func isSystemRoot(path string) bool { return path == "/" }

// rootName is what a person calls the root of all.
func rootName(path string) string { return path }

// isHere reports whether a path is one of this machine.
func isHere(path string) bool { return filepath.IsAbs(path) }

// resolve returns a path without symlinks.
func resolve(path string) (string, error) { return filepath.EvalSymlinks(path) }

// isHidden reports whether the system's own windows do not show something.
func isHidden(name string, _ fs.FileInfo) bool { return strings.HasPrefix(name, ".") }

// writable reports whether something can be made in a folder, by its mode,
// without trying.
func (d *disks) writable(dir string) bool {
	st, err := d.stat(dir)
	return err == nil && (os.Geteuid() == 0 || st.Mode().Perm()&0o222 != 0)
}

// keepsName reports whether a file or folder that is made under a name has just
// this one then.
func keepsName(string) bool { return true }
