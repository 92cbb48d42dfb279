package transfer

import "slices"

const (
	// maxOpen bounds the blocks that have some but not all of their bytes, and
	// separately those of which only the sender's hash has come.
	maxOpen = 1 << 14
	// maxRanges bounds the ranges that describe what an incomplete block has,
	// and so the cost of adding one. Half a block's packets can be missing
	// without reaching it at 128 bytes a packet.
	maxRanges = 4096
	// maxAllRanges bounds them over all blocks: 8 bytes each.
	maxAllRanges = 1 << 20
	// spareBuffers stay back for the stage and for reading back, which are what
	// frees the others.
	spareBuffers = 2
	// openWindow is what may be in flight while the disk keeps up.
	openWindow = 1 << 30
)

// blockState is where a block stands between its first byte and verification.
type blockState byte

const (
	// announced: nothing of it is here; the sender's hash may be. Next: filling.
	announced blockState = iota
	// filling: pieces are collected in its buffer. Next: spilled, checking.
	filling
	// spilled: memory was short, so what had come was written to its place, and
	// further pieces go there through the stage. Next: checking.
	spilled
	// checking: all of it is here and is being hashed, and written if it is not
	// on disk already. Next: parked, or verified: then it is no longer open.
	checking
	// parked: hashed and on disk; the sender's hash has not come. Next:
	// announced, or verified.
	parked
)

// block is an open block: one that is not verified yet.
type block struct {
	index   int64
	lo, hi  int64 // its bytes in the space
	state   blockState
	got     extents // positions relative to lo
	lack    int64   // while filling: bytes that have not come
	buf     []byte  // while filling
	writes  int     // pieces and spills that are not on disk yet
	tries   int     // how often it did not match its hash
	hasWant bool
	want    digest // the sender's hash, if hasWant
	sum     digest // our hash, if parked
}

// piece is a part of a spilled block that lies in the stage.
type piece struct {
	b   *block
	off int64 // in the space
	at  int   // in the stage's buffer
	n   int
}

// stage collects pieces of spilled blocks, to write many of them in one work.
type stage struct {
	buf    []byte // nil: none
	used   int
	pieces []piece
	urgent bool // it holds the last piece of a block
	busy   bool // an earlier one is being written
}

// assembly makes blocks of pieces, which come in any order, more than once,
// and overlapping. A block whose pieces are all in memory is hashed and
// written from there. When buffers get scarce, since a lossy long path leaves
// gaps in more blocks than fit, the oldest incomplete blocks are spilled, and
// read back when they are complete.
type assembly struct {
	space  space
	sums   digests // of verified blocks
	file   dataFile
	run    func(work, done func())
	report func(b *block, sum digest, err error) // a block was checked, or the disk failed

	pool      pool
	open      map[int64]*block
	last      *block   // of the latest piece
	filling   []*block // in the order of their first pieces
	complete  []*block // spilled blocks to be read back
	stage     stage
	lack      int64 // over all filling blocks
	ranges    int   // over all open blocks
	announced int   // open blocks that are announced only
	writing   int   // buffers that the disk has
	spilling  int   // those of them that are spills
}

func newAssembly(s space, memory int64) assembly {
	return assembly{
		space: s,
		sums:  newDigests(s),
		pool:  pool{size: blockSize, limit: int(memory / blockSize)},
		open:  make(map[int64]*block),
	}
}

// window is how many bytes the sender may have in flight. It is wide open
// while the disk has less than a quarter of the memory. Beyond, it is the
// memory that is left, less an eighth of the whole, and what is missing in
// blocks that have theirs: then what is in flight fits when it comes, and a
// disk that is slower than the path slows the sender with next to no packet
// refused and sent again. (A window that closes from 1 GiB in proportion meets
// the rate of the disk only when there is no memory left, and most of what
// arrives is refused; so does one that waits until the disk has half of the
// memory on a long and lossy path, where blocks with gaps have the other half.)
func (a *assembly) window() int64 {
	if !a.behind() {
		return openWindow
	}
	return int64(max(a.pool.left()-a.pool.limit/8, 0))*blockSize + a.lack
}

// behind reports whether the disk does not keep up.
func (a *assembly) behind() bool { return a.writing >= a.pool.limit/4 }

// find returns the open block i, or nil.
func (a *assembly) find(i int64) *block {
	if a.last != nil && a.last.index == i {
		return a.last
	}
	b := a.open[i]
	if b != nil {
		a.last = b
	}
	return b
}

// admit opens block i, which is neither open nor verified.
func (a *assembly) admit(i int64) *block {
	b := &block{index: i}
	b.lo, b.hi = a.space.block(i)
	a.open[i] = b
	a.announced++
	return b
}

// drop closes a block.
func (a *assembly) drop(b *block) {
	delete(a.open, b.index)
	if a.last == b {
		a.last = nil
	}
}

// put takes a copy of bytes of one block. It returns false if there is no
// memory for them now.
func (a *assembly) put(p []byte, off int64) bool {
	i := off / blockSize
	b := a.find(i)
	if b == nil {
		if a.sums.has(i) {
			return true // verified: a duplicate
		}
		if len(a.open)-a.announced >= maxOpen || a.pool.left() <= spareBuffers {
			return false
		}
		b = a.admit(i)
	}
	switch b.state {
	case checking, parked:
		return true // complete: a duplicate
	case announced:
		if !a.begin(b) {
			return false
		}
	}
	return a.add(b, p, off)
}

// begin gives a block its buffer.
func (a *assembly) begin(b *block) bool {
	buf := a.pool.take(spareBuffers)
	if buf == nil {
		return false
	}
	a.announced--
	b.state = filling
	b.buf = buf
	b.lack = b.hi - b.lo
	a.lack += b.lack
	a.filling = append(a.filling, b)
	for a.pool.left()+a.spilling < max(a.pool.limit/4, 2*spareBuffers) && len(a.filling) > 1 {
		a.spill(a.filling[0])
	}
	return true
}

// add puts a piece into a block that is filling or spilled.
func (a *assembly) add(b *block, p []byte, off int64) bool {
	if b.state == spilled && !a.stageRoom(len(p)) {
		return false
	}
	before := len(b.got.list)
	lo := uint32(off - b.lo)
	fresh, ok := b.got.add(lo, lo+uint32(len(p)), min(maxRanges, before+maxAllRanges-a.ranges))
	if !ok || !fresh {
		return ok
	}
	a.ranges += len(b.got.list) - before
	if b.state == filling {
		copy(b.buf[lo:], p)
		n := min(int64(len(p)), b.lack) // a part of it may be known
		b.lack -= n
		a.lack -= n
	} else {
		a.stagePiece(b, p, off)
	}
	if b.got.full(uint32(b.hi - b.lo)) {
		a.completed(b)
	}
	return true
}

// completed starts the check of a block that has all of its bytes.
func (a *assembly) completed(b *block) {
	a.ranges -= len(b.got.list)
	b.got.clear()
	if b.state == filling {
		a.leaveFilling(b)
		a.checkBuffer(b)
		return
	}
	b.state = checking
	if b.writes == 0 {
		a.complete = append(a.complete, b)
	} else {
		a.stage.urgent = true
	}
}

func (a *assembly) leaveFilling(b *block) {
	a.lack -= b.lack
	a.filling = slices.Delete(a.filling, slices.Index(a.filling, b), slices.Index(a.filling, b)+1)
}

// checkBuffer writes a block from its buffer and hashes it. One that turns out
// to be wrong is written over when it comes again.
func (a *assembly) checkBuffer(b *block) {
	b.state = checking
	buf := b.buf
	b.buf = nil
	data := buf[:b.hi-b.lo]
	var sum digest
	var err error
	a.disk(buf, func() {
		sum, err = sumBlock(data, func(piece []byte, at int64) error {
			_, err := a.file.WriteAt(piece, b.lo+at)
			return err
		})
	}, func() {
		a.report(b, sum, err)
	})
}

// disk runs work that owns a buffer, and gives the buffer back before done.
func (a *assembly) disk(buf []byte, work, done func()) {
	a.writing++
	a.run(work, func() {
		a.writing--
		a.pool.give(buf)
		done()
	})
}

// spill writes what a filling block has to its place and frees its buffer.
func (a *assembly) spill(b *block) {
	a.leaveFilling(b)
	b.state = spilled
	buf := b.buf
	b.buf = nil
	b.writes++
	list := slices.Clone(b.got.list)
	var err error
	a.spilling++
	a.disk(buf, func() {
		for _, x := range list {
			if _, err = a.file.WriteAt(buf[x.lo:x.hi], b.lo+int64(x.lo)); err != nil {
				return
			}
		}
	}, func() {
		a.spilling--
		a.written(b, err)
	})
}

// written notes that one write of a spilled block has ended.
func (a *assembly) written(b *block, err error) {
	if err != nil {
		a.report(nil, digest{}, err)
		return
	}
	b.writes--
	if b.state == checking && b.writes == 0 {
		a.complete = append(a.complete, b)
	}
}

// stageRoom reports whether the stage can take n bytes, after making room if
// that is possible.
func (a *assembly) stageRoom(n int) bool {
	s := &a.stage
	if s.buf != nil && s.used+n <= len(s.buf) {
		return true
	}
	a.flushStage()
	if s.buf == nil {
		s.buf = a.pool.take(1)
	}
	return s.buf != nil
}

func (a *assembly) stagePiece(b *block, p []byte, off int64) {
	s := &a.stage
	s.pieces = append(s.pieces, piece{b, off, s.used, copy(s.buf[s.used:], p)})
	s.used += len(p)
	b.writes++
}

// flushStage writes the pieces in the stage.
func (a *assembly) flushStage() {
	s := &a.stage
	if s.buf == nil {
		s.urgent = false // what is waited for is on its way already
		return
	}
	buf, pieces := s.buf, s.pieces
	*s = stage{busy: true}
	var err error
	a.disk(buf, func() {
		for _, x := range pieces {
			if _, err = a.file.WriteAt(buf[x.at:x.at+x.n], x.off); err != nil {
				return
			}
		}
	}, func() {
		s.busy = false
		for _, x := range pieces {
			a.written(x.b, err)
		}
	})
}

// advance starts what WriteBulk left to be started: the stage is written when
// a block waits for it, one at a time so that pieces gather meanwhile, and
// complete blocks are read back.
func (a *assembly) advance() {
	if a.stage.urgent && !a.stage.busy {
		a.flushStage()
	}
	for len(a.complete) > 0 {
		buf := a.pool.take(0)
		if buf == nil {
			return
		}
		b := a.complete[0]
		a.complete = a.complete[1:]
		a.readBack(b, buf)
	}
}

// readBack hashes a block that is on disk.
func (a *assembly) readBack(b *block, buf []byte) {
	data := buf[:b.hi-b.lo]
	var sum digest
	var err error
	a.disk(buf, func() {
		sum, err = sumBlock(data, func(piece []byte, at int64) error {
			_, err := a.file.ReadAt(piece, b.lo+at)
			return err
		})
	}, func() {
		a.report(b, sum, err)
	})
}

// reset makes a block that did not match its hash be received again.
func (a *assembly) reset(b *block) {
	b.state = announced
	a.announced++
}
