package gui

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// invited answers another start of the program.
func (s *server) invited(w http.ResponseWriter, r *http.Request) (any, error) {
	var none struct{}
	if err := body(w, r, 4<<10, &none); err != nil {
		return nil, err
	}
	if !s.single.knows(r) {
		return nil, refuse(http.StatusForbidden, "", "not let in")
	}
	s.hub.await(keyTime)
	return invitation{s.door.key(time.Now(), typedTime)}, nil
}

// greet opens the first page, or says where it is.
func (s *server) greet() error {
	lives := keyTime
	if s.cfg.Open == nil {
		lives = typedTime
	}
	s.hub.await(typedTime)
	if err := s.cfg.open(s.folder, pageURL(s.hosts()[0], s.door.key(time.Now(), lives))); err != nil {
		return err
	}
	if !s.cfg.Stay {
		fmt.Fprintln(s.cfg.Out, "qft runs until its last page is closed and nothing is left to do; Ctrl-C stops it.")
	}
	return nil
}

func pageURL(host, key string) string { return "http://" + host + "/#" + key }

// open opens a page, or says where it is.
func (c *Config) open(folder, url string) error {
	if c.Open == nil {
		fmt.Fprintf(c.Out, "Open this address in a browser of this machine; it works once, within %d minutes:\n\n  %s\n\n", int(typedTime.Minutes()), url)
		return nil
	}
	path, err := porch(porchFolder(folder), url)
	if err != nil {
		return err
	}
	if err := c.Open(path); err != nil {
		os.Remove(path)
		fmt.Fprintf(c.Out, "No browser can be opened (%v). Open this address; it works once, within a minute:\n\n  %s\n\n", err, url)
		return nil
	}
	fmt.Fprintln(c.Out, "The page is open in your browser.")
	return nil
}

// porchFolder is where a file lies that leads a browser in. Browsers that come
// as snaps may not see hidden folders, nor those of temporary files.
func porchFolder(folder string) string {
	if home, err := os.UserHomeDir(); err == nil {
		if st, err := os.Stat("/snap/bin"); err == nil && st.IsDir() {
			return home
		}
	}
	return folder
}

// sweep removes files that lead browsers in, once their keys are of no use.
func sweep(folder string, now time.Time) {
	old, err := filepath.Glob(filepath.Join(porchFolder(folder), porchName("*")))
	if err != nil {
		return // a folder whose name is a pattern keeps them
	}
	for _, path := range old {
		if st, err := os.Stat(path); err == nil && now.Sub(st.ModTime()) > keyTime {
			os.Remove(path)
		}
	}
}
