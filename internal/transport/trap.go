package transport

import "encoding/binary"

// trapState leaves out a packet number now and then. A peer that acknowledges
// packets before they arrive, to be sent to faster than its path allows, or to
// have others' traffic pushed aside, cannot know which, and is found out (RFC
// 9000 section 21.4).
type trapState struct {
	next   uint64  // number to be left out
	random [2]byte // a field, because a variable would escape to the heap
}

// trapSpan numbers hold two traps on average. Each is a gap in what the peer
// acknowledges, of which an ACK names few.
const trapSpan = 1 << 13

// setTrap leaves out the next packet number if it is its turn.
func (c *Conn) setTrap() {
	t := &c.trap
	if c.sent.next < t.next {
		return
	}
	if t.next > 0 {
		p := c.sent.add()
		p.at, p.fate = c.turn.now.Sub(c.start), skipped
	}
	c.random(t.random[:])
	t.next = c.sent.next + 1 + uint64(binary.BigEndian.Uint16(t.random[:])%trapSpan)
}
