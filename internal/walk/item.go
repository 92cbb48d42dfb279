package walk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"qft/internal/manifest"
)

// ErrSpecial is what is neither a file nor a directory nor a symlink: a pipe,
// a socket, a device.
var ErrSpecial = errors.New("not a file, directory or symlink")

// item is one of the things that the person named.
type item struct {
	name string
	path string // without slashes at its end
}

func (cfg *Config) items() ([]item, error) {
	from, paths, name := cfg.ground(), cfg.Paths, cfg.Name
	if t, ok := from.(*tree); ok && len(paths) == 0 {
		var err error
		if paths, err = t.top(); err != nil {
			return nil, err
		}
	}
	switch {
	case len(paths) == 0:
		return nil, errors.New("nothing to send")
	case name != "" && len(paths) > 1:
		return nil, fmt.Errorf("%d things cannot all be called %q", len(paths), name)
	}
	items := make([]item, 0, len(paths))
	named := make(map[string]string, len(paths))
	for _, path := range paths {
		if err := from.readable(path); err != nil {
			return nil, err
		}
		it, err := newItem(from, path, name)
		if err != nil {
			return nil, err
		}
		if other, ok := named[it.name]; ok {
			return nil, fmt.Errorf("%q and %q would both arrive as %q: rename one, or send them one after the other", other, path, it.name)
		}
		named[it.name] = path
		items = append(items, it)
	}
	return items, nil
}

func newItem(from ground, path, name string) (item, error) {
	if name == "" {
		var err error
		if name, err = from.baseName(path); err != nil {
			return item{}, err
		}
	}
	if err := manifest.CheckName(name); err != nil {
		return item{}, fmt.Errorf("%q: %w", path, err)
	}
	return item{name, from.trim(path)}, nil
}

// baseName is the last element of a path. Where that is "." or "..", it is
// what the directory is called in the one above.
func baseName(path string) (string, error) {
	name := filepath.Base(trim(path))
	var err error
	switch name {
	case ".":
		// As the shell shows it, should the way here go through a symlink.
		name, err = os.Getwd()
	case "..":
		name, err = resolve(path)
	}
	if err != nil {
		return "", fmt.Errorf("finding out what %q is called: %w", path, err)
	}
	name = filepath.Base(name)
	if os.IsPathSeparator(name[0]) {
		return "", fmt.Errorf("%q has no name to arrive under: give it one, or send what is in it", path)
	}
	return name, nil
}

// resolve returns where a path leads. That package filepath cannot say of "..",
// which it takes for the directory above by name, not above where a symlink
// has led.
func resolve(path string) (string, error) {
	if !filepath.IsAbs(path) {
		here, err := os.Getwd() // may be a way through symlinks
		if err != nil {
			return "", err
		}
		path = here + string(filepath.Separator) + path
	}
	return filepath.EvalSymlinks(path)
}

// trim removes what does not change where a path leads: slashes and "/." at
// its end.
func trim(path string) string {
	for {
		short := trimSlashes(path)
		if dot, ok := strings.CutSuffix(short, "."); ok && trimSlashes(dot) != dot {
			short = dot
		}
		if short == path || len(short) <= len(filepath.VolumeName(path)) {
			return path
		}
		path = short
	}
}

func trimSlashes(path string) string {
	return strings.TrimRightFunc(path, func(r rune) bool { return r < 0x80 && os.IsPathSeparator(byte(r)) })
}

// readable says why an item cannot be sent.
func readable(path string) error {
	var m meta
	err := statItem(path, &m)
	switch {
	case errors.Is(err, fs.ErrNotExist) && isSymlink(path):
		return fmt.Errorf("%q is a symlink that leads nowhere: %w", path, err)
	case err != nil:
		return fmt.Errorf("%q: %w", path, err)
	case m.kind == 0:
		return fmt.Errorf("%q is %s: %w", path, m.special, ErrSpecial)
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%q: %w", path, plain(err))
	}
	return f.Close()
}

func isSymlink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().Type() == fs.ModeSymlink
}
