package transfer

const (
	chunkSize  = 64 << 10 // what is read again for a retransmission
	chunkShare = 8        // one in so many bytes of the memory is for chunks
	// maxLoads is how many chunks are read at a time. Whoever asks for more is
	// told to come back.
	maxLoads = 16
	// patience is for how many further calls a chunk that nobody has asked for
	// since it was read is kept. Whoever caused it comes back after trying other
	// places, and must find it however many those are; but it never comes if the
	// packet turned out not to be lost.
	patience = 1 << 14
)

// slot is a buffer in use: for one payload, or for several small ones that are
// kept until they are verified, one behind the other.
type slot struct {
	buf    []byte
	used   int  // bytes at its start that are taken
	users  int  // payloads in it; one more while others may follow
	pinned bool // it is one of the cache's pinned ones
}

// chunk is a small part of a payload in memory, for retransmission.
type chunk struct {
	lo, hi int64 // of the bulk space
	buf    []byte
	ready  bool
	born   uint64 // call that made it
	used   uint64 // call that asked for it last; 0: none
}

// cache is the sender's memory: payloads that were read ahead or have been sent
// lately, those that could not be made again, and chunks of older ones that had
// to be read again. Chunks are few, so they are looked up one by one.
type cache struct {
	blocks pool
	pinned int   // slots whose payloads are kept until they are verified
	shelf  *slot // the one of them that has room for small ones, or nil

	pieces pool
	chunks []*chunk
	clock  uint64 // calls of ReadBulk
	loads  int    // chunks being read
}

func newCache(memory int64) cache {
	chunks := memory / chunkShare
	return cache{
		blocks: pool{size: blockSize, limit: int((memory - chunks) / blockSize)},
		pieces: pool{size: chunkSize, limit: int(chunks / chunkSize)},
	}
}

// newSlot is a slot for a payload, or nil when fewer than reserve buffers would
// be left.
func (c *cache) newSlot(reserve int) *slot {
	buf := c.blocks.take(reserve)
	if buf == nil {
		return nil
	}
	return &slot{buf: buf, users: 1}
}

// drop gives up a payload in a slot.
func (c *cache) drop(s *slot) {
	s.users--
	switch {
	case s.users == 0:
		if s.pinned {
			c.pinned--
		}
		c.blocks.give(s.buf)
	case s.users == 1 && s == c.shelf:
		s.used = 0 // it is empty
	}
}

// mayPin reports whether there is room for payloads that have to be kept until
// they are verified: half of the memory.
func (c *cache) mayPin() bool { return c.pinned < max(c.blocks.limit/2, 1) }

// pin keeps a payload, which lies at the start of a slot, for as long as it is
// not dropped, and takes over the slot. Small payloads move together.
func (c *cache) pin(data []byte, from *slot) (*slot, []byte) {
	if len(data) > blockSize/2 {
		c.pinned++
		from.pinned = true
		return from, data
	}
	if c.shelf != nil && c.shelf.used+len(data) > blockSize {
		c.drop(c.shelf)
		c.shelf = nil
	}
	if c.shelf == nil {
		c.pinned++
		from.pinned = true
		from.users++
		from.used = len(data)
		c.shelf = from
		return from, data
	}
	s := c.shelf
	at := s.used
	s.used += copy(s.buf[at:], data)
	s.users++
	c.drop(from)
	return s, s.buf[at:s.used:s.used]
}

// findChunk returns the chunk that holds or will hold the byte at off, or nil.
func (c *cache) findChunk(off int64) *chunk {
	for _, k := range c.chunks {
		if off >= k.lo && off < k.hi {
			return k
		}
	}
	return nil
}

// copy fills p with the bytes from off as far as one chunk has them. If there
// is none, waiting tells that they are being read.
func (c *cache) copy(p []byte, off int64) (n int, waiting bool) {
	k := c.findChunk(off)
	switch {
	case k == nil:
		return 0, false
	case !k.ready:
		return 0, true
	}
	k.used = c.clock
	return copy(p, k.buf[off-k.lo:k.hi-k.lo]), false
}

// newChunk makes a chunk around off to be read, of a payload that ends at end.
// It returns nil when too many are being read, or the cache is full of chunks
// that are waited for; then one is being read, whose end is the time to ask
// again.
func (c *cache) newChunk(off, end int64) *chunk {
	if c.loads >= maxLoads {
		return nil
	}
	buf := c.pieces.take(0)
	if buf == nil {
		k := c.victim()
		if k < 0 {
			return nil
		}
		buf = c.chunks[k].buf
		c.chunks = append(c.chunks[:k], c.chunks[k+1:]...)
	}
	lo := off &^ (chunkSize - 1)
	k := &chunk{lo: lo, hi: min(lo+chunkSize, end), buf: buf, born: c.clock}
	c.chunks = append(c.chunks, k)
	return k
}

// victim is the chunk that may go, or -1: the one that was asked for longest
// ago, of those that were asked for or have been there for too long. If there
// are none and no read is under way that will wake the loop, it is the newest
// chunk: whoever goes round more places than there are chunks then finds all
// the others when it comes back, where the oldest would always just have gone.
func (c *cache) victim() int {
	oldest, newest := -1, -1
	for i, k := range c.chunks { // in the order of making
		if !k.ready {
			continue
		}
		newest = i
		waitedFor := k.used == 0 && c.clock-k.born < patience
		if !waitedFor && (oldest < 0 || k.used < c.chunks[oldest].used) {
			oldest = i
		}
	}
	if oldest < 0 && c.loads == 0 {
		return newest
	}
	return oldest
}
