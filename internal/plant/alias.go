package plant

import (
	"io/fs"
	"path"
	"strconv"

	"qft/internal/manifest"
)

// aliases is where entries went whose names alone do not say it, because of
// others that were one with them here or had their final names.
type aliases struct {
	paths map[string]string // the sender's path: handle
	size  int               // bytes of them
	done  map[string]bool   // file names of items that an earlier run has moved into place
}

// maxAliases bounds the bytes of aliases that a sender can make us remember.
const maxAliases = 16 << 20

func newAliases() aliases {
	return aliases{paths: make(map[string]string), done: make(map[string]bool)}
}

func (a *aliases) add(from, to string) bool {
	if a.size += len(from) + len(to); a.size > maxAliases {
		return false
	}
	a.paths[from] = to
	return true
}

// moved reports whether an item of an earlier run's already is under the file
// name that it got.
func (a *aliases) moved(m string) bool { return a.done[m] }

// sender is what the sender calls the item with a file name.
func (a *aliases) sender(m string) string {
	for from, to := range a.paths {
		if to == m {
			return from
		}
	}
	return m
}

// handle is the handle that an entry of this path has.
func (b *Bed) handle(from string) string {
	if to, ok := b.alias.paths[from]; ok {
		return to
	}
	dir, name := parent(from), path.Base(from)
	m := b.ground.names.mapped(name)
	if dir == "" {
		return m
	}
	return b.handle(dir) + "/" + m
}

// rename finds another name for an entry whose name something else has. A file
// that is already there under such a name is the same, so that receiving it
// again and again does not pile up copies.
func (b *Bed) rename(up *level, e *manifest.Entry, m string, info fs.FileInfo) (Place, error) {
	for n := 2; n < 10_000; n++ {
		next := b.ground.names.cut(m, m, " ("+strconv.Itoa(n)+")")
		p := join(up.path, next)
		info, err := b.lookFinal(up, next)
		if err != nil {
			return Place{Path: p}, err
		}
		if info != nil && e.Kind == manifest.File && !b.ground.cfg.Checksum {
			if what, known := b.compareFile(e, p, info); known {
				return Place{What: what, Path: p}, nil
			}
		}
		if info != nil || b.taken(up, next) {
			continue
		}
		b.remember(up, "#"+fold(next))
		b.remember(up, "#"+next)
		if !b.alias.add(manifest.Join(up.name, e.Name), p) {
			break
		}
		if up.name == "" {
			if err := b.record.add(b.home, renamed{e.Name, next}); err != nil {
				return Place{Path: p}, err
			}
		}
		at, err := b.accept(up, e, p, nil)
		at.Renamed = true
		return at, err
	}
	return Place{What: Refused, Path: join(up.path, m), Why: inTheWay(e, info)}, nil
}

// again is the file name that an earlier run has given an item, if it still
// fits: it grows under that name, or has been moved to it.
func (b *Bed) again(name, m string) (string, error) {
	given, ok := b.record.items[name]
	if !ok || given == m || b.ground.cfg.Existing != Rename {
		return m, nil
	}
	final, err := b.final.lstat(given)
	if err != nil {
		return "", err
	}
	grows, err := b.data.lstat(given)
	if err != nil {
		return "", err
	}
	if (final == nil) == (grows == nil) || b.taken(b.path[0], given) {
		return m, nil
	}
	b.remember(b.path[0], "#"+fold(given))
	b.remember(b.path[0], "#"+given)
	if final != nil {
		b.alias.done[given] = true
	}
	return given, nil
}
