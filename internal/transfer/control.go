package transfer

import "encoding/binary"

// Conn is the connection to the peer, called in the loop only; no call blocks.
type Conn interface {
	// Read takes bytes of the peer's control stream that have arrived, in
	// order. It returns 0 when there are none now.
	Read(p []byte) int
	// Write takes as much of p as fits in the send buffer now, 0 when full.
	Write(p []byte) int
	// Flushed reports whether the peer has acknowledged all that was written.
	Flushed() bool
	// SendBulk queues a range of the linear space to be sent reliably. Its
	// bytes are asked from the sender's ReadBulk when they are put in a packet
	// and again whenever they have to be sent again.
	SendBulk(off, n int64)
	// BulkUnsent is how many bytes of the queued ranges have not been in a
	// packet yet.
	BulkUnsent() int64
	// BulkUnacked is how many bytes that have been in a packet are not known to
	// have arrived.
	BulkUnacked() int64
}

// enough is how many bytes of control messages may wait for room in the
// connection before producers of many messages pause.
const enough = 64 << 10

// control is the control stream: framed messages over Conn.
type control struct {
	conn Conn
	buf  []byte // room for the longest message
	in   []byte // the part of buf that was received and not yet handed on
	out  []byte // messages the connection had no room for
}

// send queues a message; body appends its bytes.
func (c *control) send(typ byte, body func([]byte) []byte) {
	at := len(c.out)
	c.out = append(c.out, 0, 0, 0, 0, typ)
	if body != nil {
		c.out = body(c.out)
	}
	binary.BigEndian.PutUint32(c.out[at:], uint32(len(c.out)-at-frameHeader))
}

// busy reports whether messages that can wait should wait.
func (c *control) busy() bool { return len(c.out) >= enough }

// flush hands to the connection what it has room for.
func (c *control) flush() {
	sent := 0
	for sent < len(c.out) {
		n := c.conn.Write(c.out[sent:])
		if n == 0 {
			break
		}
		sent += n
	}
	c.out = append(c.out[:0], c.out[sent:]...)
}

// flushed reports whether the peer has everything that was sent.
func (c *control) flushed() bool { return len(c.out) == 0 && c.conn.Flushed() }

// poll hands every message that has arrived to handle. While ready is false
// it leaves the rest in the connection, whose flow control then holds the peer
// back.
func (c *control) poll(ready func() bool, handle func(typ byte, body []byte) *Error) *Error {
	for ready() {
		typ, body, rest, err := nextFrame(c.in)
		if err != nil {
			return err
		}
		if rest == nil {
			if !c.fill() {
				return nil
			}
			continue
		}
		c.in = rest
		if err := handle(typ, body); err != nil {
			return err
		}
	}
	return nil
}

// fill reads more bytes behind those that wait, which are less than a message
// and so leave room.
func (c *control) fill() bool {
	if c.buf == nil {
		c.buf = make([]byte, 2*(frameHeader+maxBody))
	}
	n := copy(c.buf, c.in)
	got := c.conn.Read(c.buf[n:])
	c.in = c.buf[:n+got]
	return got > 0
}

// nextFrame takes the first message off b. rest is nil if b does not hold a
// whole one.
func nextFrame(b []byte) (typ byte, body, rest []byte, err *Error) {
	if len(b) < frameHeader {
		return 0, nil, nil, nil
	}
	n := binary.BigEndian.Uint32(b)
	if n > maxBody {
		return 0, nil, nil, violation("message too long")
	}
	if len(b)-frameHeader < int(n) {
		return 0, nil, nil, nil
	}
	cut := frameHeader + int(n)
	return b[4], b[frameHeader:cut:cut], b[cut:], nil
}
