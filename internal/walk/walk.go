package walk

import "io"

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
	// Archive adds owners and extended attributes.
	Archive bool
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
	items, err := newItems(cfg.Paths, cfg.Name)
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
