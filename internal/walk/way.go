package walk

import (
	"errors"
	"fmt"
	"io/fs"

	"qft/internal/manifest"
)

// maxOpen is how many of the directories on the way to the present one are
// held open. The others are opened again on the way back.
const maxOpen = 32

// level is a directory on the way.
type level struct {
	dir   folder // nil if it is closed at present
	inode Inode
	found Found // as a problem, should there be one
	end   int   // length of what precedes its names in paths
	names names
	rules rules // of its .gitignore file
}

func (l *level) close() {
	if l.dir != nil {
		l.dir.close()
		l.dir = nil
	}
}

func (w *walker) last() *level { return &w.way[len(w.way)-1] }

// enter goes into a directory that was opened, whose names are then the next.
func (w *walker) enter(f *Found, d folder, err error) bool {
	if err != nil {
		return f.fail(err)
	}
	var m meta
	if err = d.self(&m); err == nil {
		err = w.mayEnter(f, &m)
	}
	if err != nil {
		d.close()
		return f.fail(err)
	}
	l := w.push()
	l.dir, l.inode, l.found = d, m.inode, *f
	w.path = w.separated()
	l.end = len(w.path)
	torn := d.names(l.names.add)
	l.names.sort()
	switch {
	case errors.Is(torn, fs.ErrNotExist):
		err = torn // it has just been removed
	case len(w.way) > manifest.MaxDepth && l.names.left() > 0:
		err = errTooDeep
	}
	if err == nil && w.gitIgnore && l.names.has(".gitignore") {
		l.rules, err = d.rules()
	}
	if err != nil {
		w.leave()
		return f.fail(err)
	}
	f.set(&m)
	w.attrs.read(f, attrSource{self: onDisk(d)}, &m)
	if torn != nil { // what was read is sent all the same
		w.report(l, fmt.Errorf("reading what is in it: %w", torn))
	}
	return true
}

var errTooDeep = errors.New("lies too deep to be sent")

// mayEnter refuses a directory whose children would lie too deep, or that lies
// within itself, as mounts and broken file systems can make it.
func (w *walker) mayEnter(f *Found, m *meta) error {
	if len(w.treePath(f.Path)) > manifest.MaxPath {
		return errTooDeep
	}
	for i := range w.way {
		if in := w.way[i].inode; in.Ino != 0 && in.is(m.inode) {
			return errors.New("is a directory that it lies in itself")
		}
	}
	return nil
}

// push adds a level, and closes one that is far from it.
func (w *walker) push() *level {
	if n := len(w.way); n < cap(w.way) {
		w.way = w.way[:n+1] // with the room of its names
	} else {
		w.way = append(w.way, level{})
	}
	if far := len(w.way) - 1 - maxOpen; far >= 0 && reopens {
		w.way[far].close()
	}
	return w.last()
}

// leave goes back to the directory above.
func (w *walker) leave() {
	l := w.last()
	if len(w.way) > 1 {
		w.reopen(&w.way[len(w.way)-2], l.dir)
	}
	l.close()
	l.names.reset()
	l.rules = nil
	w.way = w.way[:len(w.way)-1]
}

// reopen opens a level's directory again, given the one below it, if there are
// names left in it.
func (w *walker) reopen(l *level, below folder) {
	if l.dir != nil || l.names.left() == 0 {
		return
	}
	if below != nil && l.back(below.parent()) || l.back(w.ground.open(l.found.Path)) {
		return
	}
	l.names.taken = len(l.names.at)
	w.report(l, fmt.Errorf("what is left in it is not to be found any more: %w", ErrChanged))
}

// back takes a directory for the level's if it is that.
func (l *level) back(d folder, err error) bool {
	if err != nil {
		return false
	}
	var m meta
	if err := d.self(&m); err != nil || !m.inode.is(l.inode) {
		d.close()
		return false
	}
	l.dir = d
	return true
}

// report has a problem with a directory follow.
func (w *walker) report(l *level, err error) {
	f := l.found
	f.Problem = err
	w.after = append(w.after, f)
}
