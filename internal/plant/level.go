package plant

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"unicode"

	"qft/internal/manifest"
)

// level is a directory of the manifest, the top included, while its entries
// are being placed.
type level struct {
	name   string // its path, as the sender says it
	path   string // its handle
	what   What   // Made, or else why nothing in it can be
	why    string
	fresh  bool // nothing has its final name
	bare   bool // nothing of it is in data/ from an earlier run
	seen   set  // of the names in it
	probes FS   // see taken
}

// maxKnown bounds the names that are remembered at once, those of the
// directories on the path to the entry being placed: about 300 MB of them.
const maxKnown = 1 << 24

// enter makes the directory at dir the current one, which a manifest in order
// allows of those on the path only.
func (b *Bed) enter(dir string, depth int) (*level, error) {
	if depth < 0 || depth >= len(b.path) || b.path[depth].name != dir {
		return nil, fmt.Errorf("an entry of %q comes out of order", dir)
	}
	for len(b.path) > depth+1 {
		last := len(b.path) - 1
		b.leave(b.path[last], last)
		b.path = b.path[:last]
	}
	return b.path[depth], nil
}

func (b *Bed) leave(l *level, depth int) {
	b.known -= len(l.seen.in)
	if l.probes != nil {
		l.probes.Close()
		if probes, err := b.home.Open(probesName); err == nil {
			removeAll(probes, strconv.Itoa(depth))
			probes.Close()
		}
	}
}

// admit finds the file name for a name of the sender's, or says why there is
// none. Of two names that are one to the file system the later gets a number.
func (b *Bed) admit(up *level, name string) (m, why string) {
	if err := b.ground.usable(name); err != nil {
		return "", err.Error()
	}
	switch {
	case up.seen.has("=" + name):
		return "", "it is named twice"
	case b.known >= maxKnown:
		return "", "too many names in one directory"
	}
	m = b.ground.names.mapped(name)
	if len(b.path) == 1 && b.ground.cfg.Name != "" {
		m = b.ground.cfg.Name
	}
	base := m
	for n := 2; b.taken(up, m); n++ {
		if n > 999 {
			return "", "too many names that are one here"
		}
		m = b.ground.names.cut(base, name, "~"+strconv.Itoa(n))
	}
	b.remember(up, "="+name)
	if b.traits.folds {
		b.remember(up, "#"+fold(m))
	} else if m != name {
		b.remember(up, "#"+m)
	}
	return m, ""
}

func (b *Bed) remember(up *level, key string) {
	before := len(up.seen.in)
	up.seen.add(key)
	b.known += len(up.seen.in) - before
}

// taken reports whether an entry of this directory has the file name already.
// Which names are one if they are not plain only the file system knows: it is
// asked to make an empty file for each, in a directory of its own.
func (b *Bed) taken(up *level, m string) bool {
	if !b.traits.folds {
		return up.seen.has("="+m) || up.seen.has("#"+m)
	}
	if up.seen.has("#" + fold(m)) {
		return true
	}
	if strings.IndexFunc(m, func(r rune) bool { return r >= 0x80 }) < 0 {
		return false
	}
	if up.probes == nil && b.openProbes(up) != nil {
		return false
	}
	f, err := up.probes.OpenFile(m, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err == nil {
		f.Close()
	}
	return errors.Is(err, fs.ErrExist)
}

func (b *Bed) openProbes(up *level) error {
	if err := b.home.Mkdir(probesName); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	probes, err := b.home.Open(probesName)
	if err != nil {
		return err
	}
	defer probes.Close()
	depth := strconv.Itoa(len(b.path) - 1)
	if err := probes.Mkdir(depth); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	up.probes, err = probes.Open(depth)
	return err
}

// fold makes names equal that differ in case only.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return least
	}, name)
}

// down makes the directory e of up the current one.
func (b *Bed) down(up *level, e *manifest.Entry, l *level) {
	l.name = manifest.Join(up.name, e.Name)
	l.seen = newSet()
	b.path = append(b.path, l)
}
