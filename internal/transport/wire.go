package transport

import (
	"encoding/binary"
	"errors"
	"time"
)

// HeaderSize is the length in bytes of what precedes the sealed frames.
const HeaderSize = 12

// MaxOffset is the first bulk offset that a packet cannot name.
const MaxOffset = 1 << 48

// Bits of the first byte.
const (
	headerMark     = 0x80
	headerPhase    = 0x01 // key phase
	headerMeasured = 0x02 // the receiver counts the packet for its feedback
	headerAtOnce   = 0x04 // an acknowledgement should leave without waiting for company

	headerBits = headerPhase | headerMeasured | headerAtOnce
)

// IsPacket reports whether a UDP payload can be a packet of this package.
func IsPacket(b []byte) bool { return len(b) > 0 && b[0]&headerMark != 0 }

type header struct {
	id       uint32 // connection id, 24 bits
	pn       uint64
	phase    byte
	measured bool
	atOnce   bool
}

func appendHeader(b []byte, h header) []byte {
	b = append(b, headerMark|h.phase&headerPhase, byte(h.id>>16), byte(h.id>>8), byte(h.id))
	return binary.BigEndian.AppendUint64(b, h.pn)
}

func parseHeader(b []byte) (h header, ok bool) {
	if len(b) < HeaderSize || b[0]&^headerBits != headerMark {
		return header{}, false
	}
	h.phase = b[0] & headerPhase
	h.measured = b[0]&headerMeasured != 0
	h.atOnce = b[0]&headerAtOnce != 0
	h.id = uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	h.pn = binary.BigEndian.Uint64(b[4:])
	return h, true
}

type frameType byte

const (
	framePadding   frameType = 0x00
	framePing      frameType = 0x01
	frameAck       frameType = 0x02
	frameStream    frameType = 0x03
	frameBulk      frameType = 0x04
	frameWindow    frameType = 0x05
	frameChallenge frameType = 0x06
	frameResponse  frameType = 0x07
	frameClose     frameType = 0x08
	frameWish      frameType = 0x09
	frameReport    frameType = 0x0a
)

const (
	bulkFrameHead = 7   // type and offset
	maxReason     = 256 // bytes of text in a CLOSE
	maxAckRanges  = 256 // of one ACK; more are an error
	maxVarint     = 1<<62 - 1
	maxArrival    = 1 << 50 // us: 35 years
)

// errFrame is returned for a packet that authenticated but makes no sense: the
// peer is broken or hostile, and the connection is closed.
var errFrame = errors.New("malformed frame")

// appendVarint appends v in the form of RFC 9000 section 16. Values beyond 62
// bits do not occur: packet numbers and offsets are far below.
func appendVarint(b []byte, v uint64) []byte {
	switch {
	case v < 1<<6:
		return append(b, byte(v))
	case v < 1<<14:
		return append(b, byte(v>>8)|0x40, byte(v))
	case v < 1<<30:
		return binary.BigEndian.AppendUint32(b, uint32(v)|0x80<<24)
	default:
		return binary.BigEndian.AppendUint64(b, v&maxVarint|0xc0<<56)
	}
}

func varintSize(v uint64) int {
	switch {
	case v < 1<<6:
		return 1
	case v < 1<<14:
		return 2
	case v < 1<<30:
		return 4
	default:
		return 8
	}
}

// reader takes fields off a packet. The first field that does not fit turns
// it bad, and all later ones read as zero, so callers check once.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) varint() uint64 {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	n := 1 << (r.b[0] >> 6)
	if len(r.b) < n {
		r.bad = true
		return 0
	}
	v := uint64(r.b[0] & 0x3f)
	for _, c := range r.b[1:n] {
		v = v<<8 | uint64(c)
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) bytes(n uint64) []byte {
	if uint64(len(r.b)) < n {
		r.bad = true
		r.b = nil
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) byte() byte {
	if v := r.bytes(1); v != nil {
		return v[0]
	}
	return 0
}

func (r *reader) uint48() uint64 {
	v := r.bytes(6)
	if v == nil {
		return 0
	}
	return uint64(binary.BigEndian.Uint16(v))<<32 | uint64(binary.BigEndian.Uint32(v[2:]))
}

// frame is any frame, parsed. Data points into the packet.
type frame struct {
	typ    frameType
	stream byte
	offset uint64 // STREAM, BULK: of the first byte; WINDOW: the limit
	code   uint64 // CLOSE
	data   []byte // STREAM, BULK, CLOSE, CHALLENGE, RESPONSE
	ack    ackFrame
	wish   Wish
	report Report
}

// ackFrame keeps its ranges in the wire form; next walks them.
type ackFrame struct {
	largest uint64
	delay   time.Duration
	window  uint64

	measured uint64        // newest packet that was counted
	arrived  time.Duration // when it did, on the peer's clock
	received uint64        // bytes of all packets counted by then; 0: none yet

	count  uint64 // ranges behind the first
	first  uint64
	ranges []byte
}

// parseFrame takes one frame off the front of b.
func parseFrame(b []byte) (f frame, rest []byte, err error) {
	r := reader{b: b}
	f.typ = frameType(r.byte())
	switch f.typ {
	case framePadding, framePing:
	case frameAck:
		parseAck(&r, &f.ack)
	case frameStream:
		f.stream = r.byte()
		f.offset = r.varint()
		f.data = r.bytes(r.varint())
	case frameBulk:
		f.offset = r.uint48()
		f.data, r.b = r.b, nil
	case frameWindow:
		f.stream = r.byte()
		f.offset = r.varint()
	case frameChallenge, frameResponse:
		f.data = r.bytes(8)
	case frameClose:
		f.code = r.varint()
		n := r.varint()
		if n > maxReason {
			return f, nil, errFrame
		}
		f.data = r.bytes(n)
	case frameWish:
		f.wish = parseWish(&r)
	case frameReport:
		f.report = parseReport(&r)
	default:
		return f, nil, errFrame
	}
	if r.bad {
		return f, nil, errFrame
	}
	if f.typ == framePadding {
		r.b = nil
	}
	return f, r.b, nil
}

func parseAck(r *reader, a *ackFrame) {
	a.largest = r.varint()
	a.delay = time.Duration(min(r.varint(), 1<<30)) * time.Microsecond
	a.window = r.varint()
	a.measured = r.varint()
	a.arrived = time.Duration(min(r.varint(), maxArrival)) * time.Microsecond
	a.received = r.varint()
	a.count = r.varint()
	a.first = r.varint()
	if a.first > a.largest || a.count > maxAckRanges {
		r.bad = true
		return
	}
	start := r.b
	low := a.largest - a.first
	for range a.count {
		gap, length := r.varint(), r.varint()
		// "If any computed packet number is negative, an endpoint MUST
		// generate a connection error" (RFC 9000 section 19.3.1).
		if r.bad || gap > low || low-gap < 2 || length > low-gap-2 {
			r.bad = true
			return
		}
		low = low - gap - 2 - length
	}
	a.ranges = start[:len(start)-len(r.b)]
}

// each calls f for every range of packet numbers, lowest and highest
// included, from the newest to the oldest.
func (a *ackFrame) each(f func(low, high uint64)) {
	r := reader{b: a.ranges}
	high, low := a.largest, a.largest-a.first
	f(low, high)
	for range a.count {
		high = low - r.varint() - 2
		low = high - r.varint()
		f(low, high)
	}
}

func appendBulkHead(b []byte, off int64) []byte {
	b = append(b, byte(frameBulk), byte(off>>40), byte(off>>32))
	return binary.BigEndian.AppendUint32(b, uint32(off))
}

func appendStreamHead(b []byte, id byte, off int64, n int) []byte {
	b = append(b, byte(frameStream), id)
	b = appendVarint(b, uint64(off))
	return appendVarint(b, uint64(n))
}

func streamHeadSize(off int64, n int) int {
	return 2 + varintSize(uint64(off)) + varintSize(uint64(n))
}
