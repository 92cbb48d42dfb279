package transfer

import (
	"errors"
	"io"
	"sync"

	"github.com/zeebo/blake3"
)

// maxEmptyReads is how often a Read may return nothing, and no error either.
const maxEmptyReads = 100

var (
	errAbandoned = errors.New("the transfer has ended")
	errReader    = errors.New("a Read of the stream returned more than it was asked for")
)

// feed reads a stream. A Read may block for ever, and nothing can end it from
// outside; so it has a goroutine of its own, which the first work starts. It
// reads as long as there are pages to fill, while works take what is there: what
// has come leaves at once when the network is idle, and grows to whole blocks
// while it is busy.
//
//	Read ─► pages ─► take: a work hashes, in order ─► blocks
//
// When the transfer ends, works return at once. The goroutine is left behind
// with the page it fills, until its Read returns.
type feed struct {
	r io.Reader

	// These belong to the loop.
	wanted bool // the receiver has said so
	busy   bool // a work takes the next block
	ended  bool // all was taken
	size   int64

	hash *blake3.Hasher // of all that was taken; belongs to the work

	mu      sync.Mutex // guards what follows
	change  sync.Cond
	started bool
	pages   []*page // in order; those that are taken whole have gone
	err     error   // why there is no more
	gone    bool    // nobody wants any
}

// page is a slot that is being filled and taken.
type page struct {
	slot          *slot
	filled, taken int
}

func newFeed(r io.Reader) *feed {
	f := &feed{r: r, hash: blake3.New()}
	f.change.L = &f.mu
	return f
}

// supply adds an empty page.
func (f *feed) supply(s *slot) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pages = append(f.pages, &page{slot: s})
	f.change.Broadcast()
}

// needs reports whether there is not more than the page that is being filled.
func (f *feed) needs() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	empty := 0
	for _, p := range f.pages {
		if p.filled == 0 {
			empty++
		}
	}
	return empty == 0 && f.err == nil
}

// can reports whether take will come to an end without further pages.
func (f *feed) can() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.pages) > 0 || f.err != nil
}

// abandon has all come to an end as far as it can.
func (f *feed) abandon() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gone = true
	f.change.Broadcast()
}

// take waits for bytes and returns all that are there, but at most a block; or
// the error that ended the stream, io.EOF if it is at its end. whole says that
// the slot has no more to come.
func (f *feed) take() (s *slot, b []byte, whole bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.started {
		f.started = true
		go f.pump()
	}
	for {
		if f.gone {
			return nil, nil, false, errAbandoned
		}
		if len(f.pages) > 0 {
			if p := f.pages[0]; p.filled > p.taken {
				b = p.slot.buf[p.taken:p.filled:p.filled]
				if p.taken = p.filled; p.taken == len(p.slot.buf) {
					f.pages = f.pages[1:]
					whole = true
				}
				return p.slot, b, whole, nil
			}
		}
		if f.err != nil {
			return nil, nil, false, f.err
		}
		f.change.Wait()
	}
}

// pump fills pages until the stream ends or nobody wants it.
func (f *feed) pump() {
	for {
		p := f.space()
		if p == nil {
			return
		}
		n, err := readSome(f.r, p.slot.buf[p.filled:])
		f.mu.Lock()
		p.filled += n
		f.err = err
		f.change.Broadcast()
		f.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// space waits for a page that is not full, or returns nil.
func (f *feed) space() *page {
	f.mu.Lock()
	defer f.mu.Unlock()
	for !f.gone {
		for _, p := range f.pages {
			if p.filled < len(p.slot.buf) {
				return p
			}
		}
		f.change.Wait()
	}
	return nil
}

// readSome reads at least one byte, or says why there are no more.
func readSome(r io.Reader, p []byte) (int, error) {
	for range maxEmptyReads {
		n, err := r.Read(p)
		if n < 0 || n > len(p) {
			return 0, errReader
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}
