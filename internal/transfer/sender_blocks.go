package transfer

import (
	"slices"

	"qft/internal/digest"
)

const (
	// maxUnsent is how many bytes may be queued and not yet in a packet.
	maxUnsent = 8 << 20
	// maxUnsettled is how many blocks may be announced and not verified: the
	// receiver takes nothing that is further ahead.
	maxUnsettled = 1 << 12
	// maxAgain is how often a block may be asked for again. The connection
	// authenticates every packet, so even once means a bug, bad memory, or a
	// file that is being changed.
	maxAgain = 3
)

// parcel is a block from its planning until it is verified at the receiver; or
// slabs without data, or the end of a stream, which are told in their turn.
type parcel struct {
	parts []part
	hole  int64 // slabs without data that begin with the first part; 0: a block
	ended bool  // the stream has ended
	ready bool  // it can be announced

	sum     digest.Sum
	flags   byte
	tries   int    // how often it was asked for again
	slot    *slot  // where its payload lies; nil: not in memory
	pinned  bool   // it stays there until it is verified
	data    []byte // the payload, while it is in memory
	payload int64  // bytes of it
	mark    int64  // when it was queued: the count of all bytes queued, with it
	void    bool   // nobody wants its bytes any more
}

// size is how many bytes of content the parcel has.
func (p *parcel) size() (n int64) {
	for _, x := range p.parts {
		n += x.n
	}
	return n
}

// failed reports whether the parcel is of a large file that was given up.
func (p *parcel) failed() bool { return len(p.parts) > 0 && p.parts[0].e.failed }

// shipment is the blocks on their way.
type shipment struct {
	queue  []*parcel     // planned, in order, and not announced
	list   deque[parcel] // announced, and not verified; numbered as the protocol does
	reads  int           // parcels being read
	depth  int           // how many blocks to be ahead of the network
	held   bool          // that many were, so that reading has paused
	queued int64         // bytes given to SendBulk
	gone   int64         // blocks below have been in packets once
	freed  int64         // blocks below are not in memory, but for those that are pinned
	told   int64         // bytes of content that the receiver may have by what it was told, and told us
	safe   int64         // as the receiver says
	back   int64         // by how much that may still become less
}

// mayTakeBack allows the receiver to count less than before, when it has to
// forget some of what it has.
func (b *shipment) mayTakeBack(n int64) { b.back += n }

// sent is how many of the queued bytes have been in a packet.
func (s *Sender) sent() int64 { return s.blocks.queued - s.ctl.conn.BulkUnsent() }

// ahead counts the blocks that are being read or were not sent once yet.
func (s *Sender) ahead(sent int64) int {
	b := &s.blocks
	b.gone = max(b.gone, b.list.base)
	for p := b.list.at(b.gone); p != nil && p.mark <= sent; p = b.list.at(b.gone) {
		b.gone++
	}
	return int(b.list.next()-b.gone) + len(b.queue)
}

// dispatch announces what was read and has the connection send it, in the order
// of planning, as long as it has not too much already.
func (s *Sender) dispatch() {
	b := &s.blocks
	for len(b.queue) > 0 && !s.ctl.busy() {
		p := b.queue[0]
		if !p.ready || p.hole == 0 && !p.ended && s.ctl.conn.BulkUnsent() >= maxUnsent {
			return
		}
		b.queue[0] = nil
		b.queue = b.queue[1:]
		switch {
		case p.failed() || len(p.parts) == 0 && !p.ended:
			s.discard(p)
		case p.ended:
			s.ctl.send(msgEnded, func(m []byte) []byte { return appendNumber(appendNumber(m, 0), s.tree.bytes) })
		case p.hole > 0:
			s.tellHole(p)
		default:
			s.announce(p)
		}
	}
}

func (s *Sender) tellHole(p *parcel) {
	x := p.parts[0]
	h := hole{x.e.n, x.off >> blockShift, p.hole}
	s.blocks.told += min(x.off+p.hole*blockSize, x.e.size()) - x.off
	s.ctl.send(msgHole, func(m []byte) []byte { return appendHole(m, h) })
	x.e.refs--
}

// announce gives a block its number and has its bytes sent.
func (s *Sender) announce(p *parcel) {
	b := &s.blocks
	if b.held && s.ctl.conn.BulkUnsent() == 0 {
		// The network has waited for it, and it could have been read before.
		b.depth = min(b.depth+1, s.cache.blocks.limit/2)
		b.held = false
	}
	i := b.list.push(p)
	if i >= maxSize>>blockShift {
		s.fail(&Error{Kind: TooMuch})
		return
	}
	a := announcement{index: i, payload: p.payload, flags: p.flags, sum: p.sum, extents: make([]extent, len(p.parts))}
	for k, x := range p.parts {
		a.extents[k] = extent{x.e.n, x.off, x.n}
	}
	if p.flags&blockAgain == 0 {
		b.told += p.size()
	}
	s.tally.sent += p.payload
	s.tally.file = p.parts[0].e
	s.ctl.send(msgBlock, func(m []byte) []byte { return appendBlock(m, a) })
	b.queued += p.payload
	p.mark = b.queued
	s.ctl.conn.SendBulk(i<<blockShift, p.payload)
}

// discard gives up a parcel that will not be announced, or has been verified.
func (s *Sender) discard(p *parcel) {
	s.unload(p)
	for _, x := range p.parts {
		x.e.refs--
	}
	p.parts = nil
}

// unload lets go of a parcel's memory.
func (s *Sender) unload(p *parcel) {
	if p.slot != nil {
		s.cache.drop(p.slot)
	}
	p.slot, p.data = nil, nil
}

// oldest is the parcel that was announced first of those that are in memory and
// can be read again, if all of it was queued before the count of bytes was kept.
func (b *shipment) oldest(kept int64) *parcel {
	for b.freed = max(b.freed, b.list.base); ; b.freed++ {
		p := b.list.at(b.freed)
		switch {
		case p == nil || p.mark > kept:
			return nil
		case p.slot != nil && !p.pinned:
			return p
		}
	}
}

// releaseSent lets go of payloads that were sent and are not coming back: marked
// below what is kept. The buffer of the latest of them is used next, because
// that one is still in the processor's cache.
func (s *Sender) releaseSent(kept int64) {
	for p := s.blocks.oldest(kept); p != nil; p = s.blocks.oldest(kept) {
		s.unload(p)
	}
}

// hasRoom reports whether room would find some.
func (s *Sender) hasRoom(sent int64) bool {
	return s.cache.blocks.left() > 0 || s.blocks.oldest(sent) != nil
}

// room is a slot for a payload, in place of the oldest that was sent once and
// can be read again, if there is no other room.
func (s *Sender) room(sent int64) *slot {
	if s.cache.blocks.left() == 0 {
		s.unload(s.blocks.oldest(sent))
	}
	return s.cache.newSlot(0)
}

// takeSafe takes how much is verified.
func (s *Sender) takeSafe(body []byte) *Error {
	b := &s.blocks
	bytes, below, err := parsePair(body)
	if err != nil {
		return violation(err.Error())
	}
	if less := b.safe - bytes; less > 0 {
		if less > b.back {
			return violation("what was safe is not any more")
		}
		b.back -= less
	}
	// What is not judged may be there, and HAVE be on its way.
	if bytes > b.told+s.tree.open || below < b.list.base || below > b.list.next() {
		return violation("more is safe than was sent")
	}
	b.safe = bytes
	for b.list.base < below {
		s.discard(b.list.pop())
	}
	return nil
}

// takeResend has a block sent again that did not match its digest.
func (s *Sender) takeResend(body []byte) *Error {
	i, err := parseNumber(body)
	if err != nil {
		return violation(err.Error())
	}
	p := s.blocks.list.at(i)
	if p == nil || p.void {
		return violation("a block again that was not sent, or is settled")
	}
	p.void = true
	if p.failed() {
		s.unload(p)
		return nil
	}
	if p.tries == maxAgain {
		return &Error{Kind: Corrupt, Path: p.parts[0].e.found.Path}
	}
	again := &parcel{parts: slices.Clone(p.parts), sum: p.sum, flags: p.flags | blockAgain, tries: p.tries + 1}
	for _, x := range again.parts {
		x.e.refs++
	}
	s.tally.resent += p.size()
	if s.feed != nil { // it cannot be read again, and was kept
		again.slot, again.data, again.pinned, again.payload, again.ready = p.slot, p.data, true, p.payload, true
		p.slot, p.data = nil, nil
		s.blocks.queue = append(s.blocks.queue, again)
		return nil
	}
	s.unload(p)
	again.flags &^= blockZstd
	s.plan.again = append(s.plan.again, again)
	return nil
}
