package plant

import (
	"io/fs"
	"path/filepath"

	"qft/internal/manifest"
)

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
