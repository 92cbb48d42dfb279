package transfer

import (
	"maps"
	"slices"
)

const (
	// maxOpen bounds how far ahead of the first block that is not settled yet
	// others may be, and so the memory for what is known of them.
	maxOpen = 1 << 12
	// maxRanges bounds the ranges that describe what an incomplete block has,
	// and so the cost of adding one. Half a block's packets can be missing
	// without reaching it at 128 bytes a packet.
	maxRanges = 4096
	// maxAllRanges bounds them over all blocks: 8 bytes each.
	maxAllRanges = 1 << 20
	// spareBuffers stay back for the stage, for reading back and for what is
	// unpacked, which is what frees the others.
	spareBuffers = 3
	// openWindow is what may be in flight while the disk keeps up.
	openWindow = 1 << 30
)

// blockState is where a block stands between its first byte and its check.
type blockState byte

const (
	// empty: nothing of it is here but its announcement. Next: filling.
	empty blockState = iota
	// filling: pieces are collected in its buffer. Next: spilled, whole.
	filling
	// spilled: memory was short, so what had come was written to the scratch
	// file, and further pieces go there through the stage. Next: whole.
	spilled
	// whole: announced, and all of it is here: it is being read back if it was
	// spilled, and then checked. Next: settled, and then it is no longer open.
	whole
)

// block is an open block: one that is not settled yet.
type block struct {
	index  int64
	ann    *announcement // nil: bytes came first
	state  blockState
	got    spans  // of the payload
	lack   int64  // while filling: bytes that have not come, as far as known
	buf    []byte // while filling
	slot   int64  // while spilled: its place in the scratch file
	writes int    // pieces and spills that are not in the scratch file yet
	dead   bool   // whatever it holds is not wanted any more
}

// room is how many bytes its payload has, or may have.
func (b *block) room() int64 {
	if b.ann == nil {
		return blockSize
	}
	return b.ann.payload
}

// urgent reports whether others wait for a block, in the memory that it had
// before it turned out to be wrong.
func (b *block) urgent() bool { return b.ann != nil && len(b.ann.held) > 0 }

// shard is a part of a spilled block that lies in the stage.
type shard struct {
	b   *block
	off int64 // in the payload
	at  int   // in the stage's buffer
	n   int
}

// stage collects pieces of spilled blocks, to write many of them in one work.
type stage struct {
	buf    []byte // nil: none
	used   int
	shards []shard
	urgent bool // it holds the last piece of a block
	busy   bool // an earlier one is being written
}

// assembly makes payloads of pieces, which come in any order, more than once,
// and overlapping. One whose pieces are all in memory is handed on from there.
// When buffers get scarce, since a lossy long path leaves gaps in more blocks
// than fit, the oldest incomplete ones are spilled into a scratch file, and
// read back when they are complete.
type assembly struct {
	scratch scratchFile // nil: nothing may be spilled
	run     func(work, done func())
	whole   func(b *block, buf []byte) // takes over the buffer, with the payload
	failed  func(err error)            // the scratch file failed

	pool     pool
	reach    int64 // blocks may be so far ahead of low
	low      int64 // all blocks below are settled
	settled  map[int64]struct{}
	open     map[int64]*block
	last     *block   // of the latest piece
	filling  []*block // in the order of their first pieces
	complete []*block // spilled blocks to be read back
	stage    stage
	slots    []int64 // of the scratch file, free
	nslots   int64
	lack     int64 // over all filling blocks
	ranges   int   // over all open blocks
	writing  int   // buffers that the disk has
	spilling int   // those of them that are spills
}

// scratchFile is where blocks with gaps wait when memory is short.
type scratchFile interface {
	ReadAt(p []byte, off int64) (int, error)
	WriteAt(p []byte, off int64) (int, error)
}

func newAssembly(memory int64) assembly {
	return assembly{
		pool:    pool{size: blockSize, limit: int(memory / blockSize)},
		reach:   maxOpen,
		settled: make(map[int64]struct{}),
		open:    make(map[int64]*block),
	}
}

// inOrder is for blocks that leave in order and cannot be spilled: each that is
// let in has room, whichever comes first.
func (a *assembly) inOrder() { a.reach = int64(a.pool.limit - spareBuffers) }

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

// isSettled reports whether nothing of block i is wanted any more.
func (a *assembly) isSettled(i int64) bool {
	if i < a.low {
		return true
	}
	_, ok := a.settled[i]
	return ok
}

// settle closes a block for good.
func (a *assembly) settle(i int64) {
	if b := a.open[i]; b != nil {
		delete(a.open, i)
		if a.last == b {
			a.last = nil
		}
	}
	a.settled[i] = struct{}{}
	for {
		if _, ok := a.settled[a.low]; !ok {
			return
		}
		delete(a.settled, a.low)
		a.low++
	}
}

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

func (a *assembly) admit(i int64) *block {
	b := &block{index: i}
	a.open[i] = b
	return b
}

// announce takes what the sender says of a block, before, while or after its
// bytes come. It reports false if bytes came that the block does not have.
func (a *assembly) announce(ann *announcement) bool {
	b := a.find(ann.index)
	if b == nil {
		b = a.admit(ann.index)
	}
	b.ann = ann
	if n := len(b.got.list); n > 0 && int64(b.got.list[n-1].hi) > ann.payload {
		return false
	}
	if b.state == filling {
		b.lack -= blockSize - ann.payload
		a.lack -= blockSize - ann.payload
	}
	if b.state != empty && b.got.full(uint32(ann.payload)) {
		a.completed(b)
	}
	return true
}

// put takes a copy of bytes of one block. It returns false if there is no
// memory for them now, and bad if the block has no such bytes.
func (a *assembly) put(p []byte, off int64) (taken, bad bool) {
	i, at := off>>blockShift, off&(blockSize-1)
	b := a.find(i)
	if b == nil {
		if a.isSettled(i) {
			return true, false // a duplicate
		}
		if i >= a.low+a.reach || a.pool.left() <= spareBuffers {
			return false, false
		}
		b = a.admit(i)
	}
	if b.state == empty && i >= a.low+a.reach && !b.urgent() {
		return false, false
	}
	if at+int64(len(p)) > b.room() {
		return true, true
	}
	switch {
	case b.dead || b.state == whole:
		return true, false // a duplicate
	case b.state == empty && !a.begin(b):
		return false, false
	}
	return a.add(b, p, at), false
}

// begin gives a block its buffer.
func (a *assembly) begin(b *block) bool {
	reserve := spareBuffers
	if b.urgent() {
		reserve = 0
	}
	buf := a.pool.take(reserve)
	if buf == nil {
		return false
	}
	b.state = filling
	b.buf = buf
	b.lack = b.room()
	a.lack += b.lack
	a.filling = append(a.filling, b)
	for a.scratch != nil && a.pool.left()+a.spilling < max(a.pool.limit/4, 2*spareBuffers) && len(a.filling) > 1 {
		a.spill(a.filling[0])
	}
	return true
}

// add puts a piece into a block that is filling or spilled.
func (a *assembly) add(b *block, p []byte, at int64) bool {
	if b.state == spilled && !a.stageRoom(len(p)) {
		return false
	}
	before := len(b.got.list)
	lo := uint32(at)
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
		a.stagePiece(b, p, at)
	}
	if b.ann != nil && b.got.full(uint32(b.ann.payload)) {
		a.completed(b)
	}
	return true
}

// completed hands on a block that is announced and has all of its bytes.
func (a *assembly) completed(b *block) {
	a.ranges -= len(b.got.list)
	b.got.clear()
	was := b.state
	b.state = whole
	switch {
	case was == filling:
		a.whole(b, a.leaveFilling(b))
	case b.writes == 0:
		a.complete = append(a.complete, b)
	default:
		a.stage.urgent = true
	}
}

// leaveFilling takes a block's buffer away.
func (a *assembly) leaveFilling(b *block) []byte {
	a.lack -= b.lack
	at := slices.Index(a.filling, b)
	a.filling = slices.Delete(a.filling, at, at+1)
	buf := b.buf
	b.buf = nil
	return buf
}

// kill gives up a block that is not checked yet: nobody wants its bytes.
func (a *assembly) kill(b *block) {
	if b.dead {
		return
	}
	b.dead = true
	switch {
	case b.state == filling:
		a.pool.give(a.leaveFilling(b))
		fallthrough
	case b.state == empty:
		a.ranges -= len(b.got.list)
		a.settle(b.index)
	case b.state == spilled:
		a.ranges -= len(b.got.list)
		b.got.clear()
		if b.writes == 0 {
			a.free(b)
			a.settle(b.index)
		} else {
			a.stage.urgent = true
		}
	}
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

// free gives back a block's place in the scratch file.
func (a *assembly) free(b *block) { a.slots = append(a.slots, b.slot) }

// spill writes what a filling block has to the scratch file and frees its
// buffer.
func (a *assembly) spill(b *block) {
	buf := a.leaveFilling(b)
	b.state = spilled
	if n := len(a.slots); n > 0 {
		b.slot, a.slots = a.slots[n-1], a.slots[:n-1]
	} else {
		b.slot = a.nslots
		a.nslots++
	}
	b.writes++
	list := slices.Clone(b.got.list)
	var err error
	a.spilling++
	a.disk(buf, func() {
		for _, x := range list {
			if _, err = a.scratch.WriteAt(buf[x.lo:x.hi], b.slot<<blockShift+int64(x.lo)); err != nil {
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
		a.failed(err)
		return
	}
	b.writes--
	switch {
	case b.writes > 0:
	case b.dead:
		a.free(b)
		a.settle(b.index)
	case b.state == whole:
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
	s.shards = append(s.shards, shard{b, off, s.used, copy(s.buf[s.used:], p)})
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
	buf, shards := s.buf, s.shards
	*s = stage{busy: true}
	var err error
	a.disk(buf, func() {
		for _, x := range shards {
			if _, err = a.scratch.WriteAt(buf[x.at:x.at+x.n], x.b.slot<<blockShift+x.off); err != nil {
				return
			}
		}
	}, func() {
		s.busy = false
		for _, x := range shards {
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
		buf := a.pool.take(1)
		if buf == nil {
			return
		}
		b := a.complete[0]
		a.complete = a.complete[1:]
		a.readBack(b, buf)
	}
}

// readBack takes a block out of the scratch file.
func (a *assembly) readBack(b *block, buf []byte) {
	var err error
	a.writing++
	a.run(func() { _, err = a.scratch.ReadAt(buf[:b.ann.payload], b.slot<<blockShift) }, func() {
		a.writing--
		a.free(b)
		if err != nil {
			a.pool.give(buf)
			a.failed(err)
			return
		}
		a.whole(b, buf)
	})
}

// opened are the blocks that are not settled, in no order.
func (a *assembly) opened() []*block { return slices.Collect(maps.Values(a.open)) }
