package transfer

import (
	"io"

	"qft/internal/digest"
)

// maxStreamAhead is how many blocks of a stream may be announced and not
// verified. The receiver takes them in order and keeps what comes early in
// memory, so more would be refused; and the more is waited for, the larger the
// blocks become that leave next.
const maxStreamAhead = 24

// streamPiece is the next block of a stream, as a work makes it.
type streamPiece struct {
	slot    *slot
	whole   bool
	content []byte
	sum     digest.Sum
	packed  []byte // the content compressed, in its place; nil: it is not
	err     error
}

// readStream takes the next block of the stream, if it is wanted and there is
// memory. Blocks are hashed one after the other, since the digest of a stream
// is that of all its bytes.
func (s *Sender) readStream() {
	f := s.feed
	for s.cache.blocks.left() > 1 && f.wanted && f.needs() {
		f.supply(s.cache.newSlot(1)) // one is left for what is compressed
	}
	most := max(min(s.cache.blocks.limit-4, maxStreamAhead), 2)
	if !f.wanted || f.busy || f.ended || !f.can() || s.blocks.list.len()+len(s.blocks.queue) >= most {
		return
	}
	var scratch *slot
	if s.encoder != nil {
		scratch = s.cache.newSlot(0)
	}
	f.busy = true
	s.blocks.reads++
	r := new(streamPiece)
	rate := s.rate.perSecond
	s.run(func() {
		r.next(f)
		if scratch == nil || len(r.content) == 0 {
			return
		}
		if out, ok := s.encoder.Block(scratch.buf, r.content, rate); ok && len(out) < len(r.content) {
			r.packed = r.content[:copy(r.content, out)]
		}
	}, func() {
		f.busy = false
		s.blocks.reads--
		if scratch != nil {
			s.cache.drop(scratch)
		}
		if s.phase == Moving {
			s.tookPiece(r)
		}
	})
}

// next is work.
func (r *streamPiece) next(f *feed) {
	if r.slot, r.content, r.whole, r.err = f.take(); r.err != nil {
		return
	}
	r.sum, _ = digest.Whole(r.content, func(part []byte, _ int64) error {
		f.hash.Write(part) // a hash.Hash never returns an error
		return nil
	})
}

// tookPiece plans to send a piece of the stream, or its end.
func (s *Sender) tookPiece(r *streamPiece) {
	f := s.feed
	e := s.tree.list.at(0)
	switch {
	case r.err == io.EOF:
		f.ended = true
		var sum digest.Sum
		f.hash.Sum(sum[:0])
		s.proveFile(sum)
		s.resolve(e, verdictWant, sum)
		s.blocks.queue = append(s.blocks.queue, &parcel{ended: true, ready: true})
		return
	case r.err != nil:
		s.fail(&Error{Kind: Unreadable, Op: "read", Path: "the stream", Err: r.err})
		return
	}
	n := int64(len(r.content))
	p := &parcel{parts: []part{{e, f.size, n}}, sum: r.sum, slot: r.slot, pinned: true, data: r.content, ready: true}
	if r.packed != nil {
		p.data, p.flags = r.packed, blockZstd
	}
	p.payload = int64(len(p.data))
	e.refs++
	if !r.whole {
		r.slot.users++ // more follows in it
	}
	f.size += n
	s.tree.bytes += n
	s.tally.hashed += n
	s.blocks.queue = append(s.blocks.queue, p)
}
