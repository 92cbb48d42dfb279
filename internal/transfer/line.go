package transfer

import (
	"errors"
	"fmt"

	"qft/internal/digest"
	"qft/internal/journal"
	"qft/internal/manifest"
	"qft/internal/plant"
)

// item is an entry at the receiver that is not settled.
type item struct {
	n         int64
	e         manifest.Entry
	raw       []byte // its encoding
	dir       string // path of its directory, unmapped
	judged    bool
	verdict   verdict
	place     plant.Place
	id        journal.ID
	set       *digest.Set // of a large file that comes: its slabs
	sum       digest.Sum  // of a small one, or a stream
	next      int64       // large: all slabs below were announced or are here; stream: bytes announced
	told      bool        // its bytes were announced to the end
	settled   bool        // nothing more will happen to it
	expected  int64       // bytes that will come and have no room reserved
	owed      int         // slabs of it that are announced and not written yet
	large     *large      // open file, once a slab of it was written
	stale     bool        // the journal holds something of it that is not true any more
	wrong     bool        // what is in the bed of it is another file
	finishing bool        // all of it is here
	got       int64       // bytes of a large file that are here
	dropping  bool        // failed, and being removed
}

// path is the entry's path as the sender has it.
func (it *item) path() string { return manifest.Join(it.dir, it.e.Name) }

// weight is about how many bytes of memory the item takes: an entry of an
// archive may have 48 KiB.
func (it *item) weight() int { return 2*len(it.raw) + len(it.dir) + 256 }

// slabs is how many slabs the item has; 0: it is part of a pack.
func (it *item) slabs() int64 { return slabs(it.e.Size) }

// empty reports whether the item has no bytes that could be sent.
func (it *item) empty() bool {
	return it.e.Kind != manifest.Stream && (it.e.Kind != manifest.File || it.e.Size == 0)
}

// comes reports whether bytes of the item are expected.
func (it *item) comes() bool {
	return it.verdict == verdictWant || it.verdict == verdictPart || it.verdict == verdictClaim
}

// line is the receiver's entries in order: those that are not settled, and what
// is not settled behind the first of these.
type line struct {
	base   int64 // number of the first item
	items  []*item
	order  manifest.Order
	judge  int // items[judge:] wait for their verdict
	root   root
	first  string // hash of the first entry as b3sum prints it, if that is a file
	files  int64  // told so far
	weight int    // bytes of memory, about
	bytes  int64
	placed int64 // files that are whole
	sent   int64 // bytes of these
	failed int64 // entries that were refused here or failed there
}

// next is the number of the entry that comes next.
func (l *line) next() int64 { return l.base + int64(len(l.items)) }

// find returns an entry that is not settled, or nil.
func (l *line) find(n int64) *item {
	if n < l.base || n >= l.next() {
		return nil
	}
	return l.items[n-l.base]
}

// add takes the next entry.
func (l *line) add(n int64, e manifest.Entry, raw []byte) error {
	if n != l.next() {
		return fmt.Errorf("entry %d instead of %d", n, l.next())
	}
	if len(l.items) >= 2*window {
		return errors.New("too many entries at a time")
	}
	dir, err := l.order.Next(&e)
	if err != nil {
		return err
	}
	if e.Kind == manifest.File || e.Kind == manifest.Stream {
		l.files++
		l.bytes += e.Size
		if l.bytes > maxSize {
			return errors.New("more bytes than there can be")
		}
	}
	it := &item{n: n, e: e, raw: append([]byte(nil), raw...), dir: dir}
	l.items = append(l.items, it)
	l.weight += it.weight()
	return nil
}

// settle closes the items at the head of the line that are settled.
func (l *line) settle() {
	k := 0
	for k < len(l.items) && l.items[k].settled {
		it := l.items[k]
		l.root.add(it.raw, it.verdict, it.content())
		if it.n == 0 {
			l.first = it.fileSum()
		}
		l.weight -= it.weight()
		l.items[k] = nil
		k++
	}
	l.items = l.items[k:]
	l.base += int64(k)
	l.judge -= k
	if len(l.items) == 0 {
		l.items = nil // the array behind it can go
	}
}

// content is the digest of what was transferred, now or before.
func (it *item) content() digest.Sum {
	switch {
	case it.verdict == verdictHave, it.verdict == verdictWant, it.verdict == verdictPart:
		if it.set != nil {
			return it.set.Sum()
		}
		return it.sum
	}
	return digest.Sum{}
}

// fileSum is the BLAKE3 hash of a file, as b3sum prints it, or "".
func (it *item) fileSum() string {
	if it.e.Kind != manifest.File && it.e.Kind != manifest.Stream {
		return ""
	}
	sum := it.sum
	if it.e.Kind == manifest.File && it.e.Size == 0 {
		sum = digest.File(nil)
	}
	if it.set != nil {
		var whole bool
		if sum, whole = it.set.File(); !whole {
			return ""
		}
	}
	if sum == (digest.Sum{}) {
		return "" // nothing of it came
	}
	return sumText(sum)
}
