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

// slot is a whole block of the file in memory.
type slot struct {
	index  int64
	lo, hi int64
	buf    []byte
	ready  bool
	queued bool
	again  bool  // asked for again by the receiver
	mark   int64 // if queued: the count of all bytes queued, with this block
}

// chunk is a small part of the file in memory, for retransmission.
type chunk struct {
	lo, hi int64
	buf    []byte
	ready  bool
	born   uint64 // call that made it
	used   uint64 // call that asked for it last; 0: none
}

// cache is the sender's memory: blocks that were read ahead or have been sent
// lately, and chunks of older ones that had to be read again. Both are few, so
// they are looked up one by one.
type cache struct {
	blocks pool
	slots  []*slot // in the order of reading
	last   *slot   // of the latest find

	pieces pool
	chunks []*chunk
	clock  uint64 // calls of copy
	loads  int    // chunks being read
}

func newCache(memory int64) cache {
	chunks := memory / chunkShare
	return cache{
		blocks: pool{size: blockSize, limit: int((memory - chunks) / blockSize)},
		pieces: pool{size: chunkSize, limit: int(chunks / chunkSize)},
	}
}

// find returns the slot that holds or will hold the byte at off, or nil.
func (c *cache) find(off int64) *slot {
	if s := c.last; s != nil && off >= s.lo && off < s.hi {
		return s
	}
	for _, s := range c.slots {
		if off >= s.lo && off < s.hi {
			c.last = s
			return s
		}
	}
	return nil
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

// copy fills p with the bytes from off as far as one slot or chunk has them.
// If it has none, waiting tells that they are being read.
func (c *cache) copy(p []byte, off int64) (n int, waiting bool) {
	c.clock++
	if s := c.find(off); s != nil {
		if s.ready {
			return copy(p, s.buf[off-s.lo:s.hi-s.lo]), false
		}
		return 0, true
	}
	if k := c.findChunk(off); k != nil {
		if k.ready {
			k.used = c.clock
			return copy(p, k.buf[off-k.lo:k.hi-k.lo]), false
		}
		return 0, true
	}
	return 0, false
}

// newChunk makes a chunk around off to be read. It returns nil when too many
// are being read, or the cache is full of chunks that are waited for; then one
// is being read, whose end is the time to ask again.
func (c *cache) newChunk(off int64, s space) *chunk {
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
	k := &chunk{lo: max(lo, s.start), hi: min(lo+chunkSize, s.size), buf: buf, born: c.clock}
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

// release lets go of the blocks that were sent and are not coming back: marked
// below what is kept. The buffer of the latest of them is used next, because
// that one is still in the processor's cache.
func (c *cache) release(kept int64) {
	for len(c.slots) > 0 && c.slots[0].queued && c.slots[0].mark <= kept {
		c.blocks.give(c.slots[0].buf)
		c.drop(0)
	}
}

// newSlot makes a slot for block i to be read, in place of the oldest block
// that was sent once if there is no other room. sent counts the queued bytes
// that have been in a packet. It returns nil when all blocks are still needed.
func (c *cache) newSlot(i int64, s space, sent int64) *slot {
	buf := c.blocks.take(0)
	for k := 0; buf == nil; k++ {
		if k == len(c.slots) {
			return nil
		}
		if old := c.slots[k]; old.queued && old.mark <= sent {
			buf = old.buf
			c.drop(k)
		}
	}
	sl := &slot{index: i, buf: buf}
	sl.lo, sl.hi = s.block(i)
	c.slots = append(c.slots, sl)
	return sl
}

func (c *cache) drop(k int) {
	if c.last == c.slots[k] {
		c.last = nil
	}
	c.slots = append(c.slots[:k], c.slots[k+1:]...)
}

// ahead counts the blocks that are being read or were not sent once yet.
func (c *cache) ahead(sent int64) (n int) {
	for _, s := range c.slots {
		if !s.queued || s.mark > sent {
			n++
		}
	}
	return n
}
