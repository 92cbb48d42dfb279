package plant

import (
	"errors"
	"io/fs"
	"strings"

	"qft/internal/manifest"
)

// pending is an entry that Place answered Exists to.
type pending struct {
	up   *level
	e    manifest.Entry
	m    string
	info fs.FileInfo // of what has the final name
}

// Place finds out what is here of an entry and notes or makes what takes no
// content. path is the entry's directory as the sender calls it: "" for an
// item. Entries must come in the manifest's order. An error means that the
// disk failed; what is wrong with the entry itself is Refused.
func (b *Bed) Place(path string, e manifest.Entry) (Place, error) {
	up, err := b.enter(path, e.Depth)
	if err != nil {
		return Place{}, err
	}
	b.last = pending{}
	at, err := b.judge(up, &e)
	return b.settled(up, &e, at, err)
}

// Resolve decides what to do about the entry to which Place has just answered
// Exists: Overwrite, Rename or Skip. With all it decides about later ones, too.
func (b *Bed) Resolve(how Existing, all bool) (Place, error) {
	p := b.last
	if p.info == nil {
		return Place{}, errors.New("there is no conflict to resolve")
	}
	b.last = pending{}
	if p.e.Kind == manifest.Dir { // Place has made it a level already
		b.path = b.path[:len(b.path)-1]
	}
	if all {
		b.ground.cfg.Existing = how
	}
	at, err := b.clash(p.up, &p.e, p.m, p.info, how)
	return b.settled(p.up, &p.e, at, err)
}

// settled turns a failure that the entry's name is to blame for into a
// refusal, and makes a directory the current one.
func (b *Bed) settled(up *level, e *manifest.Entry, at Place, err error) (Place, error) {
	if err != nil {
		if !blamesName(err) {
			return Place{}, err
		}
		at = Place{What: Refused, Path: at.Path, Why: printable(Cause(err).Error())}
	}
	if e.Kind != manifest.Dir {
		return at, nil
	}
	l := &level{path: at.Path, what: at.What, why: at.Why}
	if at.What == Made {
		l.fresh, l.bare = b.levelState(up, at.Path)
	}
	b.down(up, e, l)
	return at, nil
}

// judge is Place without the bookkeeping.
func (b *Bed) judge(up *level, e *manifest.Entry) (Place, error) {
	switch up.what {
	case Made:
	case Skipped:
		return Place{What: Skipped, Why: up.why}, nil
	default:
		return Place{What: Refused, Why: "its directory cannot be made: " + up.why}, nil
	}
	m, why := b.admit(up, e.Name)
	if why == "" {
		why = b.wrong(e)
	}
	if why != "" {
		return Place{What: Refused, Path: join(up.path, m), Why: printable(why)}, nil
	}
	if len(b.path) == 1 {
		var err error
		if m, err = b.again(e.Name, m); err != nil {
			return Place{}, err
		}
	}
	p := join(up.path, m)
	if p != join(up.path, b.ground.names.mapped(e.Name)) && !b.alias.add(manifest.Join(up.name, e.Name), p) {
		return Place{What: Refused, Path: p, Why: "too many names had to be changed"}, nil
	}
	info, err := b.lookFinal(up, m)
	if err != nil {
		return Place{Path: p}, err
	}
	if info == nil {
		return b.accept(up, e, p, nil)
	}
	at, known, err := b.compare(up, e, m, info)
	if known || err != nil {
		return at, err
	}
	return b.clash(up, e, m, info, b.ground.cfg.Existing)
}

// wrong says what is wrong with an entry that its name does not show.
func (b *Bed) wrong(e *manifest.Entry) string {
	switch e.Kind {
	case manifest.Dir:
		if e.Depth >= manifest.MaxDepth {
			return "directories are too deep"
		}
	case manifest.File, manifest.Stream:
		if e.Size < 0 || e.Size > manifest.MaxSize {
			return "its size is impossible"
		}
	case manifest.Symlink:
		if e.Target == "" || strings.ContainsRune(e.Target, 0) {
			return "a symbolic link to nothing"
		}
	case manifest.Link:
		for name := range strings.SplitSeq(e.Target, "/") {
			if err := b.ground.usable(name); err != nil {
				return "a link to " + e.Target + ": " + err.Error()
			}
		}
	default:
		return "it is of a kind that is not known"
	}
	if e.Nsec >= 1e9 {
		return "its time is impossible"
	}
	return ""
}

// clash settles an entry whose final name something else has.
func (b *Bed) clash(up *level, e *manifest.Entry, m string, info fs.FileInfo, how Existing) (Place, error) {
	p := join(up.path, m)
	why := inTheWay(e, info)
	switch how {
	case Skip:
		return Place{What: Skipped, Path: p, Why: why}, nil
	case Rename:
		return b.rename(up, e, m, info)
	case Overwrite:
		if e.Kind == manifest.Dir || !replaceable(info) {
			return Place{What: Refused, Path: p, Why: why}, nil
		}
		b.mayReplace(p, info)
		if what, known := b.compareFile(e, p, info); known && e.Kind == manifest.File {
			return Place{What: what, Path: p}, nil
		}
		return b.accept(up, e, p, info)
	}
	b.last = pending{up, *e, m, info}
	return Place{What: Exists, Path: p, Why: why}, nil
}

// replaceable reports whether Overwrite may replace something: a file, or a
// link, which is replaced itself and not what it points to.
func replaceable(info fs.FileInfo) bool {
	return info.Mode().IsRegular() || info.Mode()&fs.ModeSymlink != 0
}

// inTheWay says what has the final name of an entry.
func inTheWay(e *manifest.Entry, info fs.FileInfo) string {
	kind := "something special"
	switch {
	case info.IsDir():
		kind = "a directory"
	case info.Mode().IsRegular():
		kind = "a file"
	case info.Mode()&fs.ModeSymlink != 0:
		kind = "a symbolic link"
	}
	if info.Mode().IsRegular() && e.Kind == manifest.File {
		return "another file has this name"
	}
	return kind + " has this name"
}

func (b *Bed) mayReplace(p string, info fs.FileInfo) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.replace.add(version(p, info))
}
