package transfer

import (
	"errors"
	"io"

	"github.com/zeebo/blake3"
)

// copier takes over the bytes of the old target that skip vouches for.
type copier struct {
	next int64 // block; whole blocks from offset 0, not clipped
	busy bool
}

// copyOld takes over the next part of the old target.
func (r *Receiver) copyOld() {
	c := &r.copier
	for !c.busy && c.next*blockSize < r.skip {
		at := c.next * blockSize
		to := min(at+blockSize, r.skip)
		if r.asm.sums.has(c.next) { // by the journal
			to = min(to, r.offer.start)
		}
		if to <= at {
			c.next++
			continue
		}
		buf := r.asm.pool.take(2 * spareBuffers)
		if buf == nil {
			return
		}
		r.copyBlock(at, buf[:to-at])
	}
}

// copyBlock copies the bytes of a block from at on, as many as part takes.
func (r *Receiver) copyBlock(at int64, part []byte) {
	i, to := at/blockSize, at+int64(len(part))
	lo, hi := r.asm.space.block(i)
	lo = min(lo, to) // all of it may lie before the offer
	whole := lo < hi && hi == to
	var sum digest
	var err error
	r.copier.busy = true
	r.run(func() {
		if _, err = r.disk.old.ReadAt(part, at); err != nil {
			return
		}
		sum = blake3.Sum256(part[lo-at:])
		_, err = r.disk.data.WriteAt(part, at)
	}, func() {
		r.copier.busy = false
		r.copied(i, part[lo-at:], sum, whole, err)
		r.asm.pool.give(part)
	})
}

// copied takes a block, or the beginning of one, that is like the old target.
func (r *Receiver) copied(i int64, part []byte, sum digest, whole bool, err error) {
	switch {
	case errors.Is(err, io.EOF):
		r.fail(&Error{Kind: BadSkip, Path: r.disk.path(r.disk.name), Err: errors.New("became shorter")})
		return
	case err != nil:
		r.fail(r.disk.diskError("copy", r.disk.name, err))
		return
	case r.phase != Moving:
		return
	case whole && !r.asm.sums.has(i):
		r.verified(i, sum)
		r.known++
		r.haves = append(r.haves, run{i, []digest{sum}})
	case !whole && len(part) > 0:
		lo, _ := r.asm.space.block(i)
		if !r.asm.put(part, lo) {
			return // and copy it again when there is memory
		}
	}
	r.copier.next++
}
