package transfer

import (
	"qft/internal/digest"
	"qft/internal/journal"
)

const (
	// sumsHead begins a cache, and tells it from the journal of a receiver.
	sumsHead = "qft hashes of files that were sent, version 1"
	// maxSumsFile is how long a cache may be. One that is longer is begun anew:
	// it has mostly what is gone or has changed.
	maxSumsFile = 64 << 20
	// maxKept bounds how many digests one transfer adds.
	maxKept = maxSumsFile / 64
	// Works of the cache take so much at a time.
	maxAsks  = 256
	maxNotes = 1024
	// maxWaiting bounds the digests that wait to be kept. A cache may forget.
	maxWaiting = 1 << 16
	// maxCompared is how many slabs a file may have to be compared with the
	// cache: 32 bytes each are read for it at once.
	maxCompared = 1 << 20
)

// sumCache remembers the hashes of files from one transfer to the next. A file
// is known by its path, size, modification time, inode and ctime: what keeps
// all of these keeps its bytes. Losing the cache, or a part of it, costs time
// and nothing else, so all its errors end in not using it.
type sumCache struct {
	path    string           // "" for none
	journal *journal.Journal // belongs to the work that is under way
	busy    bool
	broken  bool
	asks    []*sentEntry // to be compared with what is in it
	held    int          // digests that are kept for that
	notes   []note       // to be added to it
	waiting int          // digests in notes
	kept    int          // digests that were added
}

// note is digests of consecutive slabs of a file, or of a small file.
type note struct {
	e     *sentEntry
	first int64
	sums  []digest.Sum
}

// cacheAnswer is what the cache says to an entry that the receiver has
// something of.
type cacheAnswer struct {
	known   bool // what the receiver claims is right
	differs bool // what it has is something else
}

func (c *sumCache) usable() bool { return c.path != "" && !c.broken }

// note has the cache remember a digest.
func (c *sumCache) note(e *sentEntry, i int64, sum digest.Sum) {
	if !c.usable() || c.waiting >= maxWaiting || c.kept >= maxKept {
		return
	}
	c.waiting++
	c.kept++
	if k := len(c.notes) - 1; k >= 0 && c.notes[k].e == e && c.notes[k].first+int64(len(c.notes[k].sums)) == i {
		c.notes[k].sums = append(c.notes[k].sums, sum)
		return
	}
	c.notes = append(c.notes, note{e, i, []digest.Sum{sum}})
}

// consult asks the cache, and adds to it, when there is reason to.
func (s *Sender) consult() {
	c := &s.sums
	for c.usable() && !c.busy && (len(c.asks) > 0 || c.waiting >= maxNotes || s.phase == Finishing && c.waiting > 0) {
		s.useSums()
	}
}

// saveSums adds to the cache what is not in it, and reports whether there was
// anything.
func (s *Sender) saveSums() bool {
	c := &s.sums
	if c.busy || !c.usable() || c.waiting == 0 {
		return false
	}
	c.asks = nil
	s.useSums()
	return true
}

// useSums starts a work of the cache. There is one at a time.
func (s *Sender) useSums() {
	c := &s.sums
	c.busy = true
	asks := c.asks[:min(len(c.asks), maxAsks)]
	c.asks = c.asks[len(asks):]
	notes := c.notes
	c.notes, c.waiting = nil, 0
	answers := make([]cacheAnswer, len(asks))
	var err error
	s.run(func() {
		if err = c.open(); err != nil {
			return
		}
		for k, e := range asks {
			answers[k] = look(c.journal, e)
		}
		err = keep(c.journal, notes)
	}, func() {
		c.busy = false
		c.broken = c.broken || err != nil
		if s.phase >= Telling {
			return
		}
		for k, e := range asks {
			s.compared(e, answers[k])
		}
		if c.broken {
			for _, e := range c.asks {
				s.compared(e, cacheAnswer{})
			}
			c.asks, c.notes, c.waiting = nil, nil, 0
		}
	})
}
