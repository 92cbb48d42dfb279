package transfer

import (
	"encoding/binary"
	"errors"
	"time"
)

const protocolVersion = 1

// Types of messages on the control stream.
const (
	msgOffer  = 0x01
	msgAccept = 0x02
	msgReject = 0x03
	msgHash   = 0x04
	msgHave   = 0x05
	msgResend = 0x06
	msgSafe   = 0x07
	msgEnd    = 0x08
	msgDone   = 0x09
	msgAbort  = 0x0a
)

const (
	frameHeader = 5       // length (4), type (1)
	maxBody     = 1 << 16 // bytes of a message behind its header
	maxSums     = 1024    // hashes in one message
	maxText     = 512     // bytes of text in REJECT and ABORT
	maxWireName = 1024    // bytes of a name: 255 UTF-16 units are up to 765
)

const kindRegular = 1

// entry is one file of the manifest.
type entry struct {
	mode uint16 // permission bits, 0 to 0777
	sec  int64  // modification time, seconds since 1970
	nsec uint32 // below 1e9
	size int64
	name string // as the sender calls it: any bytes, not to be trusted
}

func (e entry) mtime() time.Time { return time.Unix(e.sec, int64(e.nsec)) }

// offer is what the sender has: today a manifest of exactly one entry.
type offer struct {
	start int64 // the sender skips what lies before
	file  entry
}

func (o offer) space() space { return space{o.start, o.file.size} }

// run is the hashes of consecutive blocks.
type run struct {
	first int64
	sums  []digest
}

// verdict is the body of REJECT and ABORT.
type verdict struct {
	kind Kind
	text string
}

var (
	errMalformed = errors.New("malformed message")
	errVersion   = errors.New("another version of the protocol")
)

// decoder reads the fields of a message; after a short read it returns zeros
// and bad is set.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) bytes(n int) []byte {
	if d.bad || n > len(d.b) {
		d.bad = true
		return nil
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) uint(n int) (v uint64) {
	for _, c := range d.bytes(n) {
		v = v<<8 | uint64(c)
	}
	return v
}

// offset reads a position or length, which must not be above maxSize.
func (d *decoder) offset() int64 {
	v := d.uint(8)
	if v > maxSize {
		d.bad = true
		return 0
	}
	return int64(v)
}

// err reports a message that was too short or is longer than its fields.
func (d *decoder) err() error {
	if d.bad || len(d.b) != 0 {
		return errMalformed
	}
	return nil
}

func appendOffer(b []byte, o offer) []byte {
	b = append(b, protocolVersion, blockShift)
	b = binary.BigEndian.AppendUint64(b, uint64(o.start))
	b = binary.BigEndian.AppendUint32(b, 1)
	return appendEntry(b, o.file)
}

func parseOffer(b []byte) (offer, error) {
	d := decoder{b: b}
	if d.uint(1) != protocolVersion || d.uint(1) != blockShift {
		return offer{}, errVersion
	}
	o := offer{start: d.offset()}
	if d.uint(4) != 1 {
		d.bad = true
	}
	o.file = d.entry()
	if o.start > o.file.size {
		d.bad = true
	}
	return o, d.err()
}

func appendEntry(b []byte, e entry) []byte {
	b = append(b, kindRegular)
	b = binary.BigEndian.AppendUint16(b, e.mode)
	b = binary.BigEndian.AppendUint64(b, uint64(e.sec))
	b = binary.BigEndian.AppendUint32(b, e.nsec)
	b = binary.BigEndian.AppendUint64(b, uint64(e.size))
	b = binary.BigEndian.AppendUint16(b, uint16(len(e.name)))
	return append(b, e.name...)
}

func (d *decoder) entry() (e entry) {
	kind := d.uint(1)
	e.mode = uint16(d.uint(2))
	e.sec = int64(d.uint(8))
	e.nsec = uint32(d.uint(4))
	e.size = d.offset()
	e.name = string(d.bytes(int(d.uint(2))))
	if kind != kindRegular || e.mode > 0o777 || e.nsec >= 1e9 || len(e.name) > maxWireName {
		d.bad = true
	}
	return e
}

// accept is the receiver's answer; its HAVE messages went before.
type accept struct {
	from int64 // the bytes from the offer's start to here are there already
	had  int64 // bytes that need not be sent, by from and HAVE together
}

func appendAccept(b []byte, a accept) []byte {
	b = append(b, protocolVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(a.from))
	return binary.BigEndian.AppendUint64(b, uint64(a.had))
}

func parseAccept(b []byte) (accept, error) {
	d := decoder{b: b}
	if d.uint(1) != protocolVersion {
		return accept{}, errVersion
	}
	a := accept{from: d.offset(), had: d.offset()}
	return a, d.err()
}

func appendVerdict(b []byte, v verdict) []byte {
	text := v.text[:min(len(v.text), maxText)]
	b = append(b, protocolVersion, byte(v.kind))
	b = binary.BigEndian.AppendUint16(b, uint16(len(text)))
	return append(b, text...)
}

// parseVerdict takes any version: its layout never changes, so that two
// versions can at least tell each other why they part.
func parseVerdict(b []byte) (verdict, error) {
	d := decoder{b: b}
	d.uint(1)
	v := verdict{kind: Kind(d.uint(1))}
	v.text = printable(string(d.bytes(int(d.uint(2)))), maxText)
	return v, d.err()
}

func appendRun(b []byte, first int64, sums []digest) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(first))
	for i := range sums {
		b = append(b, sums[i][:]...)
	}
	return b
}

// parseRun reads HASH and HAVE: 1 to maxSums hashes of blocks of the space.
func parseRun(b []byte, s space) (run, error) {
	d := decoder{b: b}
	r := run{first: d.offset()}
	n := len(d.b) / len(digest{})
	if n == 0 || n > maxSums {
		return run{}, errMalformed
	}
	if !s.has(r.first) || int64(n) > s.end()-r.first {
		return run{}, errors.New("hash of a block outside the offer")
	}
	r.sums = make([]digest, n)
	for i := range r.sums {
		copy(r.sums[i][:], d.bytes(len(digest{})))
	}
	return r, d.err()
}

// appendNumber and parseNumber are for the messages that are one number:
// RESEND (a block) and SAFE (bytes).
func appendNumber(b []byte, v int64) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(v))
}

func parseNumber(b []byte) (int64, error) {
	d := decoder{b: b}
	v := d.offset()
	return v, d.err()
}

func parseEnd(b []byte) (root digest, err error) {
	d := decoder{b: b}
	copy(root[:], d.bytes(len(root)))
	return root, d.err()
}
