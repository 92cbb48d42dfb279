package transfer

import (
	"errors"
	"io"
	"syscall"

	"github.com/zeebo/blake3"

	"qft/internal/digest"
	"qft/internal/manifest"
	"qft/internal/plant"
)

// sink takes blocks in order: those of a stream, whose hash is that of all its
// bytes one after the other, and those of a file that goes into a stream here.
type sink struct {
	w    io.Writer
	next int64           // position that is written next
	wait map[int64]*sunk // by position
	gaps map[int64]hole  // by position
	busy bool
	hash *blake3.Hasher // over what was written
	open *plant.Sprout  // what a stream is written to, in a bed
	last *item          // the one whose bytes come
	size int64          // of the stream, once its end was told; else -1
}

// sunk is a block that is verified and waits for its turn.
type sunk struct {
	b            *block
	buf, content []byte
}

func newSink(w io.Writer) *sink {
	return &sink{w: w, wait: make(map[int64]*sunk), gaps: make(map[int64]hole), hash: blake3.New(), size: -1}
}

// empty reports whether nothing waits to be written.
func (s *sink) empty() bool { return s == nil || !s.busy && len(s.wait)+len(s.gaps) == 0 }

// checkInOrder compares a block with its digest, and has it written in its
// turn.
func (r *Receiver) checkInOrder(b *block, buf, content []byte) {
	right := false
	r.asm.writing++
	r.run(func() { right = b.ann.matches(content) }, func() {
		if !right {
			r.asm.writing--
			r.asm.pool.give(buf)
			r.mistaken(b)
			return
		}
		r.sink.wait[b.ann.extents[0].off] = &sunk{b, buf, content}
		r.pour()
	})
}

// matches hashes the content of a block that belongs to one entry.
func (a *announcement) matches(content []byte) bool {
	it := a.items[0]
	switch {
	case it.e.Kind == manifest.Stream:
		return digest.File(content) == a.sum
	case it.slabs() == 0:
		return digest.Pack([]digest.Sum{digest.File(content)}) == a.sum
	}
	sum, _ := digest.Slab(content, a.extents[0].off>>blockShift, nil) // without a callback there is no error
	return sum == a.sum
}

// pour writes what is next if it is there.
func (r *Receiver) pour() {
	s := r.sink
	if s.busy {
		return
	}
	if h, ok := s.gaps[s.next]; ok {
		r.pourGap(h)
		return
	}
	x := s.wait[s.next]
	if x == nil {
		return
	}
	delete(s.wait, s.next)
	s.busy = true
	var err error
	r.run(func() { err = r.writeNext(x) }, func() {
		s.busy = false
		s.next += int64(len(x.content))
		r.asm.writing--
		r.asm.pool.give(x.buf)
		if err != nil {
			r.fail(sinkError(err, r))
			return
		}
		r.poured(x.b)
	})
}

// pourGap writes the zeros of slabs that have no bytes. There are no gaps but in
// a file that goes into a stream.
func (r *Receiver) pourGap(h hole) {
	s := r.sink
	it := r.line.find(h.entry)
	delete(s.gaps, s.next)
	s.busy = true
	n := it.slabBytes(h.first, h.count)
	var err error
	r.run(func() {
		zeros := make([]byte, pieceOfZeros)
		for left := n; left > 0 && err == nil; left -= pieceOfZeros {
			_, err = s.w.Write(zeros[:min(left, pieceOfZeros)])
		}
	}, func() {
		s.busy = false
		s.next += n
		if err != nil {
			r.fail(sinkError(err, r))
			return
		}
		r.takeGap(it, h)
		if it.set.Complete() {
			r.settled(it)
		}
		r.line.settle()
		r.pour()
	})
}

const pieceOfZeros = 64 << 10

// writeNext is work.
func (r *Receiver) writeNext(x *sunk) error {
	s, it := r.sink, x.b.ann.items[0]
	s.hash.Write(x.content) // a hash.Hash never returns an error
	if r.bed == nil {
		_, err := s.w.Write(x.content)
		return err
	}
	if s.open == nil {
		f, err := r.bed.OpenFile(it.place.Path, &it.e)
		if err != nil {
			return err
		}
		s.open = f
	}
	_, err := s.open.WriteAt(x.content, x.b.ann.extents[0].off)
	return err
}

func sinkError(err error, r *Receiver) *Error {
	switch {
	case r.bed != nil:
		return r.diskError("write", "", err)
	case errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe):
		return &Error{Kind: Broken, Err: err}
	}
	return &Error{Kind: Disk, Op: "write to the stream", Err: err}
}

// poured takes note of a block that was written.
func (r *Receiver) poured(b *block) {
	a := b.ann
	it, x := a.items[0], a.extents[0]
	r.asm.settle(b.index)
	for _, i := range a.held {
		r.asm.settle(i)
	}
	r.safe.bytes += x.n
	switch {
	case it.e.Kind == manifest.Stream:
		r.sink.last = it
		r.endStream()
	case it.slabs() == 0:
		it.sum = digest.File(nil)
		r.sink.hash.Sum(it.sum[:0])
		r.settled(it)
	default:
		it.owed--
		it.set.Put(x.off>>blockShift, a.sum)
		if it.set.Complete() {
			r.settled(it)
		}
	}
	r.line.settle()
	r.pour()
}

// takeEnded takes the length of a stream that has ended.
func (r *Receiver) takeEnded(body []byte) *Error {
	n, size, err := parsePair(body)
	if err != nil {
		return violation(err.Error())
	}
	it := r.line.find(n)
	if it == nil || !it.judged || it.e.Kind != manifest.Stream || it.told || size != it.next {
		return violation("the end of a stream that there is not")
	}
	it.told = true
	r.sink.last, r.sink.size = it, size
	r.endStream()
	return nil
}

// endStream completes a stream of which everything is written.
func (r *Receiver) endStream() {
	s := r.sink
	if s.size < 0 || r.safe.bytes != s.size || s.last.settled {
		return
	}
	it := s.last
	it.e.Size = s.size
	s.hash.Sum(it.sum[:0])
	if r.bed == nil {
		r.settled(it)
		r.line.settle()
		return
	}
	it.large = &large{f: s.open}
	if s.open != nil {
		it.large.once.Do(func() {})
		s.open = nil
	}
	r.finishLarge(it)
}
