package plant

import (
	"errors"
	"io/fs"
	"path/filepath"
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
		at = Place{What: Refused, Path: at.Path, Why: printable(cause(err).Error())}
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

// lookFinal describes what has the final name m in up, or returns nil.
func (b *Bed) lookFinal(up *level, m string) (fs.FileInfo, error) {
	if up.fresh {
		return nil, nil
	}
	return b.final.lstat(join(up.path, m))
}

// compare reports whether what has the final name settles the entry: it is the
// same, may be the same, or is a directory to merge with.
func (b *Bed) compare(up *level, e *manifest.Entry, m string, info fs.FileInfo) (at Place, known bool, err error) {
	p := join(up.path, m)
	switch e.Kind {
	case manifest.Dir:
		if !info.IsDir() || b.isBed(info) || up.name == "" && b.ground.cfg.Existing == Rename && !b.alias.moved(p) {
			return Place{}, false, nil
		}
		b.keepPath(p)
		return Place{What: Made, Path: p}, true, nil
	case manifest.File:
		at.What, known = b.compareFile(e, p, info)
	case manifest.Symlink:
		text, err := b.readFinalLink(p, info)
		if err != nil {
			return Place{}, false, err
		}
		known = text == filepath.FromSlash(e.Target)
		at.What = Same
	case manifest.Link:
		if at.What, known = b.compareLink(b.handle(e.Target), info); known && at.What == Made {
			b.mayReplace(p, info)
			at, err = b.accept(up, e, p, info)
			return at, true, err
		}
	}
	if known {
		b.mark(p, at.What)
	}
	at.Path = p
	return at, known, nil
}

// mark remembers of an entry under its final name that it is the sender's, or
// may be.
func (b *Bed) mark(p string, what What) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if what == Claim {
		b.claims.add(p)
	} else {
		b.same.add(p)
	}
}

// Stay notes that a Claim was right: what is under the final name stays.
func (b *Bed) Stay(p string) { b.mark(p, Same) }

// compareFile reports whether the file under the final name is the one that
// comes, as far as that can be known without its content.
func (b *Bed) compareFile(e *manifest.Entry, p string, info fs.FileInfo) (What, bool) {
	if !info.Mode().IsRegular() || info.Size() != e.Size {
		return 0, false
	}
	sameTime := b.traits.sameTime(info.ModTime(), e.MTime())
	if !b.ground.cfg.Checksum || e.Size == 0 {
		return Same, sameTime
	}
	switch b.ground.cfg.Existing {
	case Skip, Rename: // which settle it whatever the content is
		return Same, sameTime
	case Overwrite:
		b.mayReplace(p, info)
	}
	if what, _ := b.lookData(e, p); what != Fresh && !sameTime {
		return 0, false // an earlier run has found that it is another
	}
	return Claim, true
}

// compareLink reports whether a file under a final name is another name of the
// file target, or a copy where there are no hard links. The target must be the
// sender's, too, as other names of a file follow it when it is replaced: while
// that is not known the link is made anew.
func (b *Bed) compareLink(target string, info fs.FileInfo) (What, bool) {
	b.mu.Lock()
	same, claimed := b.same.has(target), b.claims.has(target)
	b.mu.Unlock()
	if !same && !claimed || !info.Mode().IsRegular() {
		return 0, false
	}
	of, err := b.final.lstat(target)
	if err != nil || of == nil {
		return 0, false
	}
	if !b.ground.fs.Same(of, info) && (of.Size() != info.Size() || !of.ModTime().Equal(info.ModTime())) {
		return 0, false
	}
	if !same {
		return Made, true
	}
	return Same, true
}

// readFinalLink is the text of a symbolic link under a final name, or "" if it
// is none.
func (b *Bed) readFinalLink(p string, info fs.FileInfo) (text string, err error) {
	if info.Mode()&fs.ModeSymlink == 0 {
		return "", nil
	}
	err = b.final.within(p, func(d *dir, name string) (err error) {
		text, err = d.Readlink(name)
		return err
	})
	return text, err
}

// isBed reports whether a directory is this bed, by whatever name the file
// system let it be found.
func (b *Bed) isBed(info fs.FileInfo) bool {
	own, err := b.home.Lstat(".")
	return err == nil && b.home.Same(own, info)
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
