package faulty

import (
	"io/fs"
	"maps"
	"slices"
	"time"
)

const (
	sector    = 512
	chunkSize = 4096
)

// node is a file, directory or symbolic link: as it is now, and what of it is
// durable.
type node struct {
	meta
	text  string           // of a symbolic link
	names map[string]named // of a directory, by key
	size  int64            // of a file
	data  map[int64]*chunk // of a file; a missing one is zero
	space int64            // reserved
	links int              // names it has
	lock  bool
	xattr map[string]string

	safe      meta
	safeNames map[string]named
	safeSize  int64
	safeData  map[int64]*chunk // a chunk in both is never written to
}

type meta struct {
	mode  fs.FileMode
	mtime time.Time
}

// named is an entry of a directory.
type named struct {
	name string
	*node
}

type chunk [chunkSize]byte

func (d *Disk) newNode(mode fs.FileMode) *node {
	n := &node{meta: meta{mode, d.now()}}
	n.keepMeta() // a name that survives is never one of something without a mode
	switch {
	case mode.IsDir():
		n.names, n.safeNames = make(map[string]named), make(map[string]named)
	case mode.IsRegular():
		n.data = make(map[int64]*chunk)
	}
	return n
}

func (n *node) keepMeta() { n.safe = n.meta }

func (n *node) keepData() {
	n.safeSize = n.size
	n.safeData = maps.Clone(n.data)
}

// holds is the space that a file takes.
func (n *node) holds() int64 { return max(n.space, int64(len(n.data))*chunkSize) }

func (n *node) readAt(p []byte, off int64) int {
	done := 0
	for done < len(p) && off < n.size {
		at := off % chunkSize
		c := min(int64(len(p)-done), chunkSize-at, n.size-off)
		if from := n.data[off/chunkSize]; from != nil {
			copy(p[done:done+int(c)], from[at:])
		} else {
			clear(p[done : done+int(c)])
		}
		done, off = done+int(c), off+c
	}
	return done
}

// writeAt writes what fits into so many more bytes of space.
func (n *node) writeAt(p []byte, off, room int64) int {
	done := 0
	for done < len(p) {
		i, at := off/chunkSize, off%chunkSize
		c := n.data[i]
		if c == nil && int64(len(n.data)+1)*chunkSize > n.space { // beyond what is reserved
			if room < chunkSize {
				break
			}
			room -= chunkSize
		}
		switch {
		case c == nil:
			c = new(chunk)
		case c == n.safeData[i]:
			again := *c
			c = &again
		}
		n.data[i] = c
		k := copy(c[at:], p[done:])
		done, off = done+k, off+int64(k)
		n.size = max(n.size, off)
	}
	return done
}

func (n *node) truncate(size int64) {
	for i := range n.data {
		if i*chunkSize >= size {
			delete(n.data, i)
		}
	}
	if at := size % chunkSize; size < n.size && at > 0 {
		n.zero(size, chunkSize-at)
	}
	n.size = size
	n.space = min(n.space, (size+chunkSize-1)/chunkSize*chunkSize)
}

// zero makes bytes zero and lets whole chunks go.
func (n *node) zero(off, length int64) {
	for length > 0 {
		i, at := off/chunkSize, off%chunkSize
		k := min(length, chunkSize-at)
		if c := n.data[i]; c != nil {
			if k == chunkSize {
				delete(n.data, i)
			} else {
				again := *c
				clear(again[at : at+k])
				n.data[i] = &again
			}
		}
		off, length = off+k, length-k
	}
}

// settle makes a file what a crash leaves of it.
func (d *Disk) settle(n *node) {
	if d.rng.IntN(2) == 0 {
		n.safe.mode = n.mode
	}
	if d.rng.IntN(2) == 0 {
		n.safe.mtime = n.mtime
	}
	n.meta, n.lock, n.space = n.safe, false, 0
	if n.data == nil {
		return
	}
	size := n.safeSize
	if d.rng.IntN(2) == 0 {
		size = n.size
	}
	left := make(map[int64]*chunk)
	for _, i := range slices.Sorted(maps.Keys(union(n.data, n.safeData))) {
		if c := d.mix(n.safeData[i], n.data[i]); c != nil {
			left[i] = c
		}
	}
	n.data = left
	n.size = max(n.size, size)
	n.truncate(size)
	n.keepData()
}

func union(a, b map[int64]*chunk) map[int64]*chunk {
	u := maps.Clone(a)
	maps.Copy(u, b)
	return u
}

// mix takes each sector from one of two versions of a chunk.
func (d *Disk) mix(before, after *chunk) *chunk {
	if before == after {
		return before
	}
	var zero chunk
	if before == nil {
		before = &zero
	}
	if after == nil {
		after = &zero
	}
	c := *before
	for at := 0; at < chunkSize; at += sector {
		if d.rng.IntN(2) == 0 {
			copy(c[at:at+sector], after[at:])
		}
	}
	return &c
}
