package transfer

import (
	"context"

	"qft/internal/digest"
	"qft/internal/squeeze"
)

const (
	// maxReads is how many blocks are read at a time; one while a retransmission
	// waits for the disk.
	maxReads = 3
	// leastDepth is how many blocks are read ahead while the files are faster
	// than the network: few, to stay in the processor's cache.
	leastDepth = 4
)

// readAhead reads blocks until there are enough ahead of the network: half of
// the memory for a slow disk. The rest keeps what was sent lately, and may have
// to be sent again.
func (s *Sender) readAhead() {
	b := &s.blocks
	sent := s.sent()
	s.releaseSent(sent - 2*s.ctl.conn.BulkUnacked() - blockSize)
	for s.mayRead() {
		ahead := s.ahead(sent)
		if ahead >= b.depth {
			b.held = true
			return
		}
		if s.feed != nil {
			s.readStream()
			return
		}
		if !s.hasRoom(sent) {
			return
		}
		p := s.nextParcel(ahead == 0)
		if p == nil {
			return
		}
		if p.flags&blockAgain == 0 {
			for _, x := range p.parts {
				x.e.refs++
			}
		}
		b.queue = append(b.queue, p)
		if p.ready { // a hole
			s.dispatch()
			continue
		}
		s.read(p, s.room(sent))
	}
}

// mayRead reports whether another parcel may be begun.
func (s *Sender) mayRead() bool {
	limit := maxReads
	if s.cache.loads > 0 {
		limit = 1
	}
	b := &s.blocks
	return b.reads < limit && !s.ctl.busy() && b.list.len()+len(b.queue) < maxUnsettled
}

// reading is the work that makes the payload of a parcel, and what came of it.
type reading struct {
	ctx     context.Context
	parts   []part
	file    *openFile // of a slab, else nil
	buf     []byte
	encoder *squeeze.Encoder // nil: not to be compressed
	scratch []byte           // for what is compressed
	rate    float64

	sum     digest.Sum
	sums    []digest.Sum // of each part
	errs    []error      // of each part that cannot be sent, else nil
	content []byte       // what was read
	packed  []byte       // the same compressed; nil: it is not
}

// read starts to read a parcel into a slot.
func (s *Sender) read(p *parcel, to *slot) {
	r := &reading{ctx: s.ctx, parts: p.parts, buf: to.buf}
	if e := p.parts[0].e; slabs(e.size()) > 0 {
		r.file = s.files.take(e)
	}
	var scratch *slot
	if s.encoder != nil && s.cache.mayPin() {
		if scratch = s.cache.newSlot(1); scratch != nil {
			r.encoder, r.scratch, r.rate = s.encoder, scratch.buf, s.rate.perSecond
		}
	}
	s.blocks.reads++
	s.run(r.work, func() {
		s.blocks.reads--
		if r.file != nil {
			s.files.give(r.file)
		}
		s.load(p, r, to, scratch)
		s.haveRead(p, r)
	})
}

// load notes where the payload lies, and gives back what is not needed.
func (s *Sender) load(p *parcel, r *reading, raw, scratch *slot) {
	if scratch != nil && r.packed == nil {
		s.cache.drop(scratch)
	}
	switch {
	case len(r.content) == 0:
		s.cache.drop(raw)
	case r.packed == nil:
		p.slot, p.data = raw, r.content
	default:
		s.cache.drop(raw)
		p.slot, p.data = s.cache.pin(r.packed, scratch)
		p.pinned = true
		p.flags |= blockZstd
	}
	p.payload = int64(len(p.data))
	p.ready = true
}

// haveRead takes what came of reading a parcel.
func (s *Sender) haveRead(p *parcel, r *reading) {
	if s.phase != Moving && s.phase != Finishing {
		return
	}
	again := p.flags&blockAgain != 0
	var sent []part
	for k, x := range p.parts {
		s.tally.hashed += x.n
		switch {
		case r.errs[k] != nil:
			s.drop(x.e, sourceError(x.e.found.Path, r.errs[k]))
		case again && !s.asBefore(p, r, k):
			s.drop(x.e, &Error{Kind: Changed, Path: x.e.found.Path})
		case !again:
			s.hashed(x, r.sums[k])
		}
		if r.errs[k] != nil {
			s.tally.hashed -= x.n
			x.e.refs--
			continue
		}
		sent = append(sent, x)
	}
	p.parts = sent
	p.sum = r.sum
}

// asBefore reports whether a part that was read again is what it was: the root
// has its digest.
func (s *Sender) asBefore(p *parcel, r *reading, k int) bool {
	if r.file != nil {
		return r.sum == p.sum
	}
	return r.sums[k] == p.parts[k].e.sum
}

// hashed takes the digest of a slab or small file.
func (s *Sender) hashed(x part, sum digest.Sum) {
	e := x.e
	if e.failed {
		return
	}
	s.sums.note(e, x.off>>blockShift, sum)
	if slabs(e.size()) == 0 {
		s.proveFile(sum)
		s.resolve(e, e.verdict, sum)
		return
	}
	e.large.set.Put(x.off>>blockShift, sum)
	s.proveSlab(e, x.off>>blockShift, sum)
	if e.large.set.Complete() {
		s.completeSlabs(e)
	}
}

// work reads, hashes, and compresses if that pays.
func (r *reading) work() {
	r.sums = make([]digest.Sum, len(r.parts))
	r.errs = make([]error, len(r.parts))
	if r.file != nil {
		x := r.parts[0]
		r.content = r.buf[:x.n]
		r.sum, r.errs[0] = r.file.readSlab(r.content, x.off>>blockShift)
		r.sums[0] = r.sum
		if r.errs[0] != nil {
			r.content = nil
		}
	} else {
		r.readPack()
	}
	if r.encoder == nil || len(r.content) == 0 {
		return
	}
	if out, ok := r.encoder.Block(r.scratch, r.content, r.rate); ok && len(out) < len(r.content) {
		r.packed = out
	}
}

// readPack reads small files one behind the other. One that cannot be read, or
// has changed, is left out.
func (r *reading) readPack() {
	var sums []digest.Sum
	at := int64(0)
	for k, x := range r.parts {
		if r.errs[k] = r.ctx.Err(); r.errs[k] != nil {
			continue
		}
		if r.sums[k], r.errs[k] = hashFile(x.e.found, r.buf[at:at+x.n]); r.errs[k] == nil {
			sums = append(sums, r.sums[k])
			at += x.n
		}
	}
	r.content = r.buf[:at]
	r.sum = digest.Pack(sums)
}
