package transfer

import (
	"errors"
	"io/fs"

	"qft/internal/digest"
	"qft/internal/manifest"
	"qft/internal/walk"
)

// entryState is what becomes of an entry at the sender.
type entryState byte

const (
	// entryTold: the receiver has not judged it. Next: entryCompared,
	// entryWanted, entrySettled.
	entryTold entryState = iota
	// entryCompared: the receiver has something of it, which is compared with
	// what is here. Next: entryWanted, entrySettled.
	entryCompared
	// entryWanted: it is sent, as soon as it is its turn. Next: entrySettled.
	entryWanted
	// entrySettled: it was read to its end, or need not be: its verdict and
	// digest stand.
	entrySettled
)

// sentEntry is an entry, from when it is found until all blocks that it is part
// of are verified at the receiver.
type sentEntry struct {
	n       int64 // its number
	found   walk.Found
	raw     []byte // its encoding, until it is folded
	verdict verdict
	state   entryState
	failed  bool       // it cannot be sent
	sum     digest.Sum // what HAVE or CLAIM told of a file; when settled: of its content
	large   *sentSlabs // of a file that has slabs, as long as it is not settled
	refs    int        // blocks that it is part of, and that are not verified
	weight  int        // bytes of memory, nearly
	cached  bool       // for the works of the cache: it has all there is to know
}

// sentSlabs is what is known of the slabs of a file.
type sentSlabs struct {
	n      int64       // how many there are
	set    *digest.Set // those that were read, and those that the receiver has
	had    int64       // bytes that the receiver has
	told   []have      // the same, to be compared with the cache
	next   int64       // slab to be planned next
	data   []region    // where there is data from next on, as far as known
	mapped int64       // up to where it is known
}

// region is a range of a file, lo <= position < hi.
type region struct{ lo, hi int64 }

// size is how many bytes of content the entry has, if that is known before.
func (e *sentEntry) size() int64 {
	if e.found.Kind != manifest.File {
		return 0
	}
	return e.found.Size
}

// isFile reports whether the entry is one that the counts of files count.
func (e *sentEntry) isFile() bool {
	return e.found.Kind == manifest.File || e.found.Kind == manifest.Stream
}

// slab is the range of slab i.
func (e *sentEntry) slab(i int64) region {
	return region{i * blockSize, min((i+1)*blockSize, e.found.Size)}
}

// drop gives up an entry that cannot be sent. The others go on, but for two
// cases: it is all there was to send, or the receiver already counts on it.
func (s *Sender) drop(e *sentEntry, err *Error) {
	switch {
	case s.phase != Moving && s.phase != Finishing || e.failed:
		return
	case s.single:
		s.fail(err)
		return
	case e.state == entrySettled:
		s.fail(&Error{Kind: Changed, Path: err.Path, Err: err.Err})
		return
	}
	e.failed = true
	s.tally.failures.add(e.found.Path, err.what())
	s.tally.kept += e.size()
	s.blocks.mayTakeBack(e.size())
	s.resolve(e, verdictRefused, digest.Sum{})
	s.ctl.send(msgFailed, func(b []byte) []byte {
		return appendFailed(b, failing{e.n, reason{err.Kind, err.what()}})
	})
}

// sourceError is the error for a file that cannot be read as it was found.
func sourceError(path string, err error) *Error {
	e := &Error{Kind: Unreadable, Path: path, Err: rootCause(err)}
	switch {
	case errors.Is(err, walk.ErrChanged):
		e.Kind, e.Err = Changed, nil
	case errors.Is(err, fs.ErrNotExist):
		e.Kind = NotFound
	}
	return e
}
