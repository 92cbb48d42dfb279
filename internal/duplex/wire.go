package duplex

import (
	"encoding/binary"
	"errors"

	"qft/internal/transfer"
)

// version of what runs behind STREAM.
const version = 1

// Types of messages.
const (
	msgStream = transfer.StreamMessage
	msgRead   = 0x41
	msgEnd    = 0x42
	msgClosed = 0x43
)

const (
	frameHeader = 5  // length (4), type (1)
	maxBody     = 64 // bytes of a message behind its header
)

// control is the control stream.
type control struct {
	conn transfer.Conn
	in   []byte
	out  []byte // what the connection had no room for
}

func (c *control) send(typ byte, body ...byte) {
	c.out = binary.BigEndian.AppendUint32(c.out, uint32(len(body)))
	c.out = append(append(c.out, typ), body...)
}

func (c *control) sendOffset(typ byte, off int64) {
	c.send(typ, binary.BigEndian.AppendUint64(nil, uint64(off))...)
}

// flush hands to the connection what it has room for.
func (c *control) flush() {
	for len(c.out) > 0 {
		n := c.conn.Write(c.out)
		if n == 0 {
			return
		}
		c.out = append(c.out[:0], c.out[n:]...)
	}
}

func (c *control) flushed() bool { return len(c.out) == 0 && c.conn.Flushed() }

// fill takes what has arrived, as far as one message may be long; false: there
// is nothing.
func (c *control) fill() bool {
	var buf [frameHeader + maxBody]byte
	n := c.conn.Read(buf[:max(len(buf)-len(c.in), 0)])
	c.in = append(c.in, buf[:n]...)
	return n > 0
}

// next takes a message off what has arrived. Whole says that there was one.
// long says that the peer's is none of ours.
func (c *control) next() (typ byte, body []byte, whole, long bool) {
	if len(c.in) < frameHeader {
		return 0, nil, false, false
	}
	n := int64(binary.BigEndian.Uint32(c.in))
	typ = c.in[4]
	if n > maxBody {
		return typ, nil, false, true
	}
	if int64(len(c.in)) < frameHeader+n {
		return typ, nil, false, false
	}
	body = append([]byte(nil), c.in[frameHeader:frameHeader+n]...)
	c.in = append(c.in[:0], c.in[frameHeader+n:]...)
	return typ, body, true, false
}

// offset is the body of READ and END.
func offset(body []byte) (int64, bool) {
	if len(body) != 8 {
		return 0, false
	}
	v := binary.BigEndian.Uint64(body)
	return int64(v), v <= maxOffset
}

// maxOffset is where the offsets of bulk end.
const maxOffset = 1 << 48

// Reasons why a stream ends other than by io.EOF; but for ErrGone each is the
// Err of a *transfer.Error.
var (
	ErrGone   = errors.New("the stream was closed here")
	ErrLost   = errors.New("the connection ended before the stream did")
	ErrClosed = errors.New("the other side has closed the stream")
	ErrUnread = errors.New("not all that was written has been read by the other side")
	ErrLate   = errors.New("not all that was written could be brought to the other side")
	errBroken = errors.New("the other side broke the protocol of a stream")
	errLong   = errors.New("a direction of the stream has carried all that it can, 256 TiB")
)
