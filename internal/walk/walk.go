package walk

import (
	"io"
	"io/fs"

	"qft/internal/manifest"
)

// Config says what to read.
type Config struct {
	// Paths are the items as a person named them: files, directories, or
	// symlinks to such, which are followed. At least one.
	Paths []string
	// Name is what a single item is called in the manifest. If "", the last
	// element of its path.
	Name string
	// Exclude are patterns as in a .gitignore file that lies in each item. An
	// item itself is never excluded: somebody named it.
	Exclude []string
	// GitIgnore makes .gitignore files count, and leaves out what is called
	// ".git".
	GitIgnore bool
	// Archive adds owners and extended attributes, but not those of an FS.
	Archive bool

	// FS is what Paths lead through, in its own way of writing them (fs.ValidPath),
	// if it is not nil. Without any, all that is at its top are items. A call that
	// blocks is left behind when Cut is closed, and fails then.
	FS  fs.FS
	Cut <-chan struct{}
}

// ground is where the items lie.
func (cfg *Config) ground() ground {
	if cfg.FS != nil {
		return &tree{fs: cfg.FS, cut: cfg.Cut}
	}
	return disks{}
}

// Walk reads the trees of some items.
type Walk struct {
	cfg   Config
	items []item
	w     *walker
}

// New looks at the items: every path must exist, be a file or a directory, and
// be readable, and the names must be known and distinct. Errors wrap what the
// system says (fs.ErrNotExist, fs.ErrPermission) or ErrSpecial.
func New(cfg Config) (*Walk, error) {
	items, err := cfg.items()
	if err != nil {
		return nil, err
	}
	return &Walk{cfg, items, newWalker(cfg, items)}, nil
}

// Items are the items' names, in the order of Config.Paths.
func (w *Walk) Items() []string {
	names := make([]string, len(w.items))
	for i, it := range w.items {
		names[i] = it.name
	}
	return names
}

// Single returns the size of the only item, if it is a file.
func (w *Walk) Single() (size int64, single bool, err error) {
	if len(w.items) != 1 {
		return 0, false, nil
	}
	var m meta
	if err := w.w.ground.stat(w.items[0].path, &m); err != nil {
		return 0, false, err
	}
	return m.size, m.kind != manifest.Dir, nil
}

// Next returns what comes next, in the order of the manifest: at least one and
// at most limit, or io.EOF behind the last. There are no other errors; what
// cannot be read is found with a Problem.
func (w *Walk) Next(limit int) ([]Found, error) {
	limit = max(limit, 1)
	found := make([]Found, 0, min(limit, 1024))
	var f Found
	for len(found) < limit && w.w.next(&f) {
		found = append(found, f)
	}
	if len(found) == 0 {
		return nil, io.EOF
	}
	return found, nil
}

// Close lets go of what the walk holds open. Behind it, Next returns io.EOF.
func (w *Walk) Close() error {
	w.w.close()
	return nil
}
