package transfer

import (
	"encoding/binary"
	"errors"
	"slices"

	"qft/internal/digest"
	"qft/internal/manifest"
)

const protocolVersion = 2

// Types of messages on the control stream.
const (
	msgOffer    = 0x01
	msgAccept   = 0x02
	msgReject   = 0x03
	msgEntries  = 0x04
	msgCount    = 0x05
	msgVerdicts = 0x06
	msgHave     = 0x07
	msgClaim    = 0x08
	msgBlock    = 0x09
	msgHole     = 0x0a
	msgFailed   = 0x0b
	msgEqual    = 0x0c
	msgResend   = 0x0d
	msgSafe     = 0x0e
	msgEnded    = 0x0f
	msgEnd      = 0x10
	msgDone     = 0x11
	msgAbort    = 0x12
	msgDiffers  = 0x13
)

// StreamMessage is the type of the first message of whoever has come for a
// stream, and not for files: neither role takes it.
const StreamMessage = 0x40

const (
	frameHeader = 5       // length (4), type (1)
	maxBody     = 1 << 16 // bytes of a message behind its header
	maxSums     = 1024    // digests in one HAVE
	maxText     = 512     // bytes of text in REJECT, ABORT and FAILED
	maxNames    = 8       // names in an offer
	maxWireName = manifest.MaxName
	maxSent     = 48 << 10 // bytes of a text that is sent instead of files
	maxFiles    = 1024     // files in a pack
	entriesBody = 32 << 10 // bytes of entries behind which an ENTRIES message ends
	// window is how many entries may be told and not settled. It bounds the
	// memory of both sides for them.
	window = 1 << 15
)

// Flags of an offer.
const (
	offersStream  = 1 << iota // one entry, a Stream
	offersText                // no entries, a text
	offersCounted             // files and bytes are final
	offersArchive             // entries have attributes
)

// acceptsZstd is a flag of ACCEPT: blocks may be compressed.
const acceptsZstd = 1

// offer is what the sender has.
type offer struct {
	flags byte
	count count
	skip  int64
	label [16]byte // of all item names together
	items int      // how many there are
	names []string // of the first of them
	text  string
}

// count is how much is to be sent, as far as it was counted.
type count struct {
	files, bytes int64
	final        bool
}

// verdict says, of entries in a row, what the receiver does about them.
type verdict byte

const (
	verdictWant    verdict = iota // send it
	verdictHave                   // verified here by an earlier run, as HAVE told
	verdictSame                   // identical under its final name
	verdictSkip                   // something else is there, and stays
	verdictRefused                // cannot be made here
	verdictPart                   // send the slabs that HAVE did not tell
	verdictClaim                  // send it unless its digest is that of CLAIM
	verdictMade                   // nothing of it needs to be sent
	verdicts                      // how many there are
)

// verdictRun is the same verdict for count entries.
type verdictRun struct {
	verdict verdict
	count   int
}

// have is digests of consecutive slabs of an entry, or of a small file.
type have struct {
	entry, first int64
	sums         []digest.Sum
}

// extent is a range of a file's bytes.
type extent struct {
	entry, off, n int64
}

// announcement is a BLOCK message.
type announcement struct {
	index   int64
	payload int64 // bytes on the way
	flags   byte
	sum     digest.Sum
	extents []extent
	items   []*item // the receiver's, of the extents
	tries   int     // how often it did not match, at the receiver
	held    []int64 // numbers that it had before, and that are not settled
}

const (
	blockZstd  = 1 << iota // the payload is compressed
	blockAgain             // the block is sent once more
)

// size is how many bytes of content the block has.
func (a *announcement) size() (n int64) {
	for _, x := range a.extents {
		n += x.n
	}
	return n
}

// hole is slabs of an entry that have no bytes.
type hole struct {
	entry, first, count int64
}

// failing is a FAILED message.
type failing struct {
	entry int64
	why   reason
}

// reason is the body of REJECT and ABORT, and of FAILED.
type reason struct {
	kind Kind
	text string
}

// ending is an END message.
type ending struct {
	entries, blocks int64
	root            digest.Sum
}

// outcome is a DONE message.
type outcome struct {
	files, bytes int64
	refused      int64
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

// number reads a position, length or count, which must not be above maxSize.
func (d *decoder) number() int64 {
	v := d.uint(8)
	if v > maxSize {
		d.bad = true
		return 0
	}
	return int64(v)
}

func (d *decoder) sum() (s digest.Sum) {
	copy(s[:], d.bytes(len(s)))
	return s
}

// reason reads kind and text, whatever they are.
func (d *decoder) reason() reason {
	r := reason{kind: Kind(d.uint(1))}
	r.text = printable(string(d.bytes(int(d.uint(2)))), maxText)
	return r
}

// err reports a message that was too short or is longer than its fields.
func (d *decoder) err() error {
	if d.bad || len(d.b) != 0 {
		return errMalformed
	}
	return nil
}

func appendNumber(b []byte, v int64) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(v))
}

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

func appendReason(b []byte, r reason) []byte {
	return appendString(append(b, byte(r.kind)), r.text[:min(len(r.text), maxText)])
}

func appendOffer(b []byte, o offer) []byte {
	if o.count.final {
		o.flags |= offersCounted
	}
	b = append(b, protocolVersion, blockShift, o.flags)
	b = appendNumber(b, o.count.files)
	b = appendNumber(b, o.count.bytes)
	b = appendNumber(b, o.skip)
	b = append(b, o.label[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(o.items))
	b = append(b, byte(len(o.names)))
	for _, n := range o.names {
		b = appendString(b, n)
	}
	if o.flags&offersText != 0 {
		b = appendString(b, o.text)
	}
	return b
}

func parseOffer(b []byte) (offer, error) {
	d := decoder{b: b}
	if d.uint(1) != protocolVersion || d.uint(1) != blockShift {
		return offer{}, errVersion
	}
	o := offer{flags: byte(d.uint(1))}
	o.count = count{files: d.number(), bytes: d.number(), final: o.flags&offersCounted != 0}
	o.skip = d.number()
	copy(o.label[:], d.bytes(len(o.label)))
	o.items = int(d.uint(4))
	for range d.uint(1) {
		o.names = append(o.names, string(d.bytes(int(d.uint(2)))))
	}
	if o.flags&offersText != 0 {
		o.text = string(d.bytes(int(d.uint(2))))
	}
	long := func(name string) bool { return len(name) > maxWireName }
	if len(o.names) > maxNames || o.items < len(o.names) || slices.ContainsFunc(o.names, long) ||
		len(o.text) > maxSent || len(o.names) == 0 && o.flags&offersText == 0 {
		d.bad = true
	}
	return o, d.err()
}

func appendAccept(b []byte, flags byte) []byte { return append(b, protocolVersion, flags) }

func parseAccept(b []byte) (flags byte, err error) {
	d := decoder{b: b}
	if d.uint(1) != protocolVersion {
		return 0, errVersion
	}
	flags = byte(d.uint(1))
	return flags, d.err()
}

// appendVerdict is for REJECT and ABORT, whose layout never changes.
func appendVerdict(b []byte, r reason) []byte { return appendReason(append(b, protocolVersion), r) }

// parseVerdict takes any version, so that two versions can at least tell each
// other why they part.
func parseVerdict(b []byte) (reason, error) {
	d := decoder{b: b}
	d.uint(1)
	r := d.reason()
	return r, d.err()
}

// parseEntries calls each with the entries of an ENTRIES message, in order. raw
// is an entry's own encoding.
func parseEntries(b []byte, each func(n int64, e manifest.Entry, raw []byte) error) error {
	d := decoder{b: b}
	n := d.number()
	if d.bad || len(d.b) == 0 {
		return errMalformed
	}
	for rest := d.b; len(rest) > 0; n++ {
		e, next, err := manifest.Parse(rest)
		if err != nil {
			return err
		}
		if err := each(n, e, rest[:len(rest)-len(next)]); err != nil {
			return err
		}
		rest = next
	}
	return nil
}

func appendCount(b []byte, c count) []byte {
	b = appendNumber(appendNumber(b, c.files), c.bytes)
	if c.final {
		return append(b, 1)
	}
	return append(b, 0)
}

func parseCount(b []byte) (count, error) {
	d := decoder{b: b}
	c := count{files: d.number(), bytes: d.number()}
	final := d.uint(1)
	c.final = final == 1
	d.bad = d.bad || final > 1
	return c, d.err()
}

func appendVerdicts(b []byte, first int64, runs []verdictRun) []byte {
	b = appendNumber(b, first)
	for _, r := range runs {
		b = append(b, byte(r.verdict))
		b = binary.BigEndian.AppendUint32(b, uint32(r.count))
	}
	return b
}

func parseVerdicts(b []byte) (first int64, runs []verdictRun, err error) {
	d := decoder{b: b}
	first = d.number()
	for len(d.b) > 0 && !d.bad {
		r := verdictRun{verdict(d.uint(1)), int(d.uint(4))}
		if r.verdict >= verdicts || r.count < 1 || r.count > window {
			d.bad = true
		}
		runs = append(runs, r)
	}
	if len(runs) == 0 {
		d.bad = true
	}
	return first, runs, d.err()
}

func appendHave(b []byte, h have) []byte {
	b = appendNumber(appendNumber(b, h.entry), h.first)
	for i := range h.sums {
		b = append(b, h.sums[i][:]...)
	}
	return b
}

func parseHave(b []byte) (have, error) {
	d := decoder{b: b}
	h := have{entry: d.number(), first: d.number()}
	n := len(d.b) / len(digest.Sum{})
	if n == 0 || n > maxSums {
		return have{}, errMalformed
	}
	h.sums = make([]digest.Sum, n)
	for i := range h.sums {
		h.sums[i] = d.sum()
	}
	return h, d.err()
}

func appendClaim(b []byte, entry int64, sum digest.Sum) []byte {
	return append(appendNumber(b, entry), sum[:]...)
}

func parseClaim(b []byte) (entry int64, sum digest.Sum, err error) {
	d := decoder{b: b}
	entry, sum = d.number(), d.sum()
	return entry, sum, d.err()
}

func appendBlock(b []byte, a announcement) []byte {
	b = appendNumber(b, a.index)
	b = binary.BigEndian.AppendUint32(b, uint32(a.payload))
	b = append(append(b, a.flags), a.sum[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(a.extents)))
	for _, x := range a.extents {
		b = appendNumber(appendNumber(b, x.entry), x.off)
		b = binary.BigEndian.AppendUint32(b, uint32(x.n))
	}
	return b
}

// parseBlock checks what a block must be by itself: not empty, not more than
// blockSize, and not larger on the way than its content.
func parseBlock(b []byte) (announcement, error) {
	d := decoder{b: b}
	a := announcement{index: d.number(), payload: int64(d.uint(4)), flags: byte(d.uint(1)), sum: d.sum()}
	n := int(d.uint(2))
	if n == 0 || n > maxFiles {
		return a, errMalformed
	}
	a.extents = make([]extent, 0, min(n, len(d.b)/20))
	for range n {
		a.extents = append(a.extents, extent{d.number(), d.number(), int64(d.uint(4))})
		if x := a.extents[len(a.extents)-1]; x.n == 0 || x.n > blockSize {
			d.bad = true
		}
	}
	size := a.size()
	raw := a.flags&blockZstd == 0
	if size > blockSize || a.payload == 0 || a.payload > size || raw && a.payload != size ||
		a.flags&^(blockZstd|blockAgain) != 0 || a.index >= maxSize>>blockShift {
		d.bad = true
	}
	return a, d.err()
}

func appendHole(b []byte, h hole) []byte {
	return appendNumber(appendNumber(appendNumber(b, h.entry), h.first), h.count)
}

func parseHole(b []byte) (hole, error) {
	d := decoder{b: b}
	h := hole{d.number(), d.number(), d.number()}
	if h.count == 0 {
		d.bad = true
	}
	return h, d.err()
}

func appendFailed(b []byte, f failing) []byte { return appendReason(appendNumber(b, f.entry), f.why) }

func parseFailed(b []byte) (failing, error) {
	d := decoder{b: b}
	f := failing{entry: d.number(), why: d.reason()}
	return f, d.err()
}

// parseNumber reads the messages that are one number: EQUAL and DIFFERS (an
// entry) and RESEND (a block).
func parseNumber(b []byte) (int64, error) {
	d := decoder{b: b}
	v := d.number()
	return v, d.err()
}

// parsePair reads the messages that are two numbers: SAFE and ENDED.
func parsePair(b []byte) (x, y int64, err error) {
	d := decoder{b: b}
	x, y = d.number(), d.number()
	return x, y, d.err()
}

func appendEnd(b []byte, e ending) []byte {
	return append(appendNumber(appendNumber(b, e.entries), e.blocks), e.root[:]...)
}

func parseEnd(b []byte) (ending, error) {
	d := decoder{b: b}
	e := ending{entries: d.number(), blocks: d.number(), root: d.sum()}
	return e, d.err()
}

func appendDone(b []byte, o outcome) []byte {
	return appendNumber(appendNumber(appendNumber(b, o.files), o.bytes), o.refused)
}

func parseDone(b []byte) (outcome, error) {
	d := decoder{b: b}
	o := outcome{d.number(), d.number(), d.number()}
	return o, d.err()
}
