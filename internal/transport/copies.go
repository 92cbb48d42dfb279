package transport

// copyState says which bulk bytes are done, while several packets may carry
// the same ones: a byte is done when any packet with it has arrived, and the
// loss of the others must not bring it again. As long as each byte is in one
// packet only, which is nearly always, the packets' records say it all and
// nothing is kept here.
type copyState struct {
	until uint64          // packets below may share bytes with others; 0: none do
	open  rangeSet[int64] // if until > 0: bytes that have left and are not acknowledged
}

// begin starts to keep account before the first copy leaves.
func (k *copyState) begin(c *Conn) {
	if k.until > 0 {
		return
	}
	k.until = c.sent.next
	k.open = k.open[:0]
	for pn := c.sent.base; pn < c.sent.next; pn++ {
		if p := c.sent.get(pn); p.fate == inFlight {
			k.open.add(p.offset, p.offset+int64(p.bulk))
		}
	}
	for _, s := range c.bulk.lost.spans[c.bulk.lost.head:] {
		k.open.add(s.off, s.off+s.n)
	}
}

// end stops it when each byte is in one packet again.
func (k *copyState) end(c *Conn) {
	if c.sent.base >= k.until && c.bulk.lost.empty() {
		k.until = 0
	}
}

func (k *copyState) isOpen(off int64) bool { return k.until == 0 || k.open.run(off) > 0 }

// sent notes that bytes leave.
func (k *copyState) sent(off int64, n int) {
	if k.until > 0 {
		k.open.add(off, off+int64(n))
	}
}

// acked notes that bytes have arrived.
func (k *copyState) acked(off int64, n int) {
	if k.until > 0 && n > 0 {
		k.open.sub(off, off+int64(n))
	}
}

// requeue puts lost bytes on their way again, unless they arrived otherwise.
func (c *Conn) requeue(off, n int64) {
	k := &c.tail.copies
	for end := off + n; off < end; {
		m := end - off
		if k.until > 0 {
			skip, run := k.open.next(off)
			if off += skip; off >= end {
				return
			}
			m = min(run, end-off)
		}
		c.bulk.lost.push(off, m)
		off += m
	}
}

// trimLost takes what has arrived otherwise off the front of the lost bytes,
// so that the first of them really is to be sent.
func (c *Conn) trimLost() {
	k, q := &c.tail.copies, &c.bulk.lost
	for k.until > 0 && !q.empty() {
		s := q.first()
		skip, _ := k.open.next(s.off)
		if skip == 0 {
			return
		}
		q.take(min(skip, s.n))
	}
}

// fillLost reads lost bytes into p and takes them off the queue.
func (c *Conn) fillLost(p []byte) (off int64, n int) {
	k, q := &c.tail.copies, &c.bulk.lost
	if k.until > 0 {
		p = p[:min(int64(len(p)), k.open.run(q.first().off))]
		// Two lost copies of a byte are two packets again.
		k.until = c.sent.next + 1
	}
	off, n = c.bulk.fill(q, p)
	c.trimLost()
	return off, n
}

// again makes the packets on their way say nothing about bytes that are to be
// sent once more although they have arrived: the peer has dropped them.
func (c *Conn) again(off, n int64) {
	if c.tail.copies.until == 0 {
		return
	}
	end := off + n
	for pn := c.sent.base; pn < c.sent.next; pn++ {
		p := c.sent.get(pn)
		low, high := p.offset, p.offset+int64(p.bulk)
		if p.fate != inFlight && p.fate != lost || p.bulk == 0 || low >= end || high <= off {
			continue
		}
		if p.fate == inFlight {
			c.bulk.inFlight -= int64(p.bulk)
			c.requeue(low, max(off-low, 0))
			c.requeue(end, max(high-end, 0))
		}
		p.bulk = 0
	}
	c.trimLost()
}

// unacked counts the bytes that have left and are not acknowledged.
func (b *bulkState) unacked(k *copyState) (n int64) {
	if k.until == 0 {
		return b.inFlight + b.lost.bytes
	}
	for _, r := range k.open {
		n += r.high - r.low
	}
	return n
}
