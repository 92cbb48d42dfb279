package walk

import (
	"fmt"

	"qft/internal/manifest"
)

// walker goes through trees, depth first. It remembers the directories on the
// way to where it is, each with the names that are left.
type walker struct {
	exclude   rules
	gitIgnore bool
	ground    ground
	attrs     *attrReader // nil: without attributes
	items     []item      // that are left
	item      item        // the present one
	base      int         // length of what precedes, in paths, those within the item
	way       []level
	path      []byte // of the present thing
	links     links
	after     []Found // what must come before all else
}

func newWalker(cfg Config, items []item) *walker {
	w := &walker{exclude: parseRules(cfg.Exclude), gitIgnore: cfg.GitIgnore, ground: cfg.ground(), items: items}
	if cfg.Archive && cfg.FS == nil {
		w.attrs = newAttrReader()
	}
	return w
}

// next finds one thing more, or returns false at the end.
func (w *walker) next(f *Found) bool {
	for {
		switch {
		case len(w.after) > 0:
			*f, w.after = w.after[0], w.after[1:]
			return true
		case len(w.way) > 0:
			if name, ok := w.last().names.next(); !ok {
				w.leave()
			} else if w.visit(f, name) {
				return true
			}
		case len(w.items) > 0:
			w.item, w.items = w.items[0], w.items[1:]
			w.start(f)
			return true
		default:
			return false
		}
	}
}

// start looks at an item.
func (w *walker) start(f *Found) {
	w.path = append(w.path[:0], w.item.path...)
	w.base = len(w.separated())
	*f = Found{Path: w.item.path, ground: w.ground}
	f.Name = w.item.name
	var m meta
	err := w.ground.stat(w.item.path, &m)
	switch {
	case err != nil:
		f.fail(err)
	case m.kind == manifest.Dir:
		d, err := w.ground.openItem(w.item.path)
		w.enter(f, d, err)
	case m.kind == manifest.File:
		w.file(f, nil, &m)
	default:
		f.fail(fmt.Errorf("is %s now: %w", m.special, ErrChanged))
	}
}

// visit looks at a name in the last level's directory. It returns false if
// there is nothing to be found.
func (w *walker) visit(f *Found, name []byte) bool {
	l := w.last()
	w.path = append(w.path[:l.end], name...)
	path := string(w.path)
	*f = Found{Path: path, ground: w.ground}
	f.Name = path[l.end:] // shares memory: most of what is found is kept for a while
	f.Depth = len(w.way)
	if err := manifest.CheckName(f.Name); err != nil {
		return f.fail(err)
	}
	var m meta
	if err := l.dir.stat(f.Name, &m); err != nil {
		return f.fail(err)
	}
	if w.excluded(path, m.kind == manifest.Dir) {
		return false
	}
	switch m.kind {
	case manifest.Dir:
		d, err := l.dir.open(f.Name)
		return w.enter(f, d, err)
	case manifest.File:
		return w.file(f, l.dir, &m)
	case manifest.Symlink:
		return w.symlink(f, l.dir, &m)
	}
	return f.fail(fmt.Errorf("is %s: %w", m.special, ErrSpecial))
}

// excluded reports whether the person, or a .gitignore file, leaves a path
// out. The person's word comes first, then the nearest file's.
func (w *walker) excluded(path string, isDir bool) bool {
	if w.gitIgnore && path[w.last().end:] == ".git" {
		return true
	}
	v := w.exclude.judge(w.ground.slashed(path[w.base:]), isDir)
	for i := len(w.way) - 1; i >= 0 && v == silent; i-- {
		if l := &w.way[i]; l.rules != nil {
			v = l.rules.judge(w.ground.slashed(path[l.end:]), isDir)
		}
	}
	return v == ignored
}

// separated returns the path with a separator behind it, for a name to follow.
func (w *walker) separated() []byte {
	if w.ground.separates(w.path[len(w.path)-1]) {
		return w.path
	}
	return append(w.path, w.ground.separator())
}

// treePath is the path in the manifest of what is opened as path.
func (w *walker) treePath(path string) string {
	if len(path) < w.base {
		return w.item.name
	}
	return manifest.Join(w.item.name, w.ground.slashed(path[w.base:]))
}

func (w *walker) close() {
	for i := range w.way {
		w.way[i].close()
	}
	w.way, w.items, w.after = nil, nil, nil
}
