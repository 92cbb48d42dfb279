package transfer

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"io"
	"slices"

	"github.com/zeebo/blake3"
)

const journalMagic = "qftjrnl1"

const (
	journalFixed  = 54 // bytes of the header before the name
	recordFixed   = 10 // bytes of a record before its hashes
	checkSize     = 8
	journalGrowth = 64 << 10 // the journal is made longer in such steps
	journalSpare  = 8 << 10  // and always has at least this much room left
)

// identity is the offer that a partial file belongs to. Two offers of equal
// identity are taken for the same bytes.
type identity struct {
	name        string
	size        int64
	sec         int64 // modification time
	nsec        uint32
	start, skip int64
}

// blockSum is one block that is safely on disk.
type blockSum struct {
	index int64
	sum   digest
}

// check is the checksum of a header or record: the first bytes of its BLAKE3,
// over the header's own check as well for a record, so that a record of one
// journal is never valid in another.
type check [checkSize]byte

func checkOf(parts ...[]byte) (c check) {
	h := blake3.New()
	for _, p := range parts {
		h.Write(p) // a hash.Hash never returns an error
	}
	sum := h.Sum(nil)
	copy(c[:], sum)
	return c
}

// logFile is what the journal is written to: a file.
type logFile interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	Sync() error
	Close() error
}

// journal is the file that says which blocks of the partial file are safe. It
// is only ever appended to, and only after the blocks were synced.
type journal struct {
	f    logFile
	seal check // of the header
	end  int64 // behind the last good record
	room int64 // length of the file: zeros from end on
}

func appendHeader(b []byte, id identity) []byte {
	at := len(b)
	b = append(b, journalMagic...)
	b = binary.BigEndian.AppendUint32(b, uint32(journalFixed+len(id.name)+checkSize))
	b = binary.BigEndian.AppendUint32(b, blockSize)
	b = binary.BigEndian.AppendUint64(b, uint64(id.size))
	b = binary.BigEndian.AppendUint64(b, uint64(id.start))
	b = binary.BigEndian.AppendUint64(b, uint64(id.skip))
	b = binary.BigEndian.AppendUint64(b, uint64(id.sec))
	b = binary.BigEndian.AppendUint32(b, id.nsec)
	b = binary.BigEndian.AppendUint16(b, uint16(len(id.name)))
	b = append(b, id.name...)
	c := checkOf(b[at:])
	return append(b, c[:]...)
}

// parseHeader reads the header at the start of b and returns its length, or 0
// if it is not whole.
func parseHeader(b []byte) (id identity, seal check, n int) {
	d := decoder{b: b}
	magic := d.bytes(len(journalMagic))
	n = int(d.uint(4))
	block := d.uint(4)
	id.size, id.start, id.skip = d.offset(), d.offset(), d.offset()
	id.sec, id.nsec = int64(d.uint(8)), uint32(d.uint(4))
	name := d.bytes(int(d.uint(2)))
	copy(seal[:], d.bytes(checkSize))
	if d.bad || string(magic) != journalMagic || block != blockSize ||
		n != journalFixed+len(name)+checkSize || id.start > id.size || len(name) > maxWireName ||
		seal != checkOf(b[:n-checkSize]) {
		return identity{}, check{}, 0
	}
	id.name = string(name)
	return id, seal, n
}

func appendRecord(b []byte, seal check, first int64, sums []digest) []byte {
	at := len(b)
	b = binary.BigEndian.AppendUint64(b, uint64(first))
	b = binary.BigEndian.AppendUint16(b, uint16(len(sums)))
	for i := range sums {
		b = append(b, sums[i][:]...)
	}
	c := checkOf(seal[:], b[at:])
	return append(b, c[:]...)
}

// readRecord reads one record. n is its length, or 0 if there is no further
// good one: the end, or what a crash left of an unfinished record.
func readRecord(r io.Reader, seal check, s space) (rec run, n int) {
	var fixed [recordFixed]byte
	if _, err := io.ReadFull(r, fixed[:]); err != nil {
		return run{}, 0
	}
	d := decoder{b: fixed[:]}
	rec.first = d.offset()
	count := int(d.uint(2))
	if d.bad || count == 0 || count > maxSums || !s.has(rec.first) || int64(count) > s.end()-rec.first {
		return run{}, 0
	}
	rest := make([]byte, count*len(digest{})+checkSize)
	if _, err := io.ReadFull(r, rest); err != nil {
		return run{}, 0
	}
	sums, sum := rest[:len(rest)-checkSize], rest[len(rest)-checkSize:]
	if check(sum) != checkOf(seal[:], fixed[:], sums) {
		return run{}, 0
	}
	rec.sums = make([]digest, count)
	for i := range rec.sums {
		copy(rec.sums[i][:], sums[i*len(digest{}):])
	}
	return rec, recordFixed + len(rest)
}

// contents is what a journal file was found to hold.
type contents struct {
	foreign bool     // not a journal of ours: hands off
	whole   bool     // the header is whole
	id      identity // if whole
	seal    check
	runs    []run
	end     int64 // behind the last good record
}

// readJournal reads a journal of whatever age and state. A file that is empty,
// all zero at its start, or begins like a journal is one that a crash left
// unfinished.
func readJournal(f io.Reader) contents {
	r := bufio.NewReaderSize(f, 64<<10)
	head, _ := r.Peek(journalFixed + maxWireName + checkSize) // shorter at the end
	id, seal, n := parseHeader(head)
	if n == 0 {
		start := head[:min(len(head), len(journalMagic))]
		ours := len(bytes.Trim(start, "\x00")) == 0 || string(start) == journalMagic[:len(start)]
		return contents{foreign: !ours}
	}
	c := contents{whole: true, id: id, seal: seal, end: int64(n)}
	r.Discard(n) // cannot fail: the bytes were peeked
	for {
		rec, n := readRecord(r, seal, space{id.start, id.size})
		if n == 0 {
			return c
		}
		c.runs = append(c.runs, rec)
		c.end += int64(n)
	}
}

// startJournal empties f and writes a new header, durably.
func startJournal(f logFile, id identity) (*journal, error) {
	if err := f.Truncate(0); err != nil {
		return nil, err
	}
	b := appendHeader(nil, id)
	if _, err := f.WriteAt(b, 0); err != nil {
		return nil, err
	}
	j := &journal{f: f, end: int64(len(b)), room: int64(len(b))}
	copy(j.seal[:], b[len(b)-checkSize:])
	j.reserve(0)
	return j, f.Sync()
}

// continueJournal goes on behind the last good record of what was read.
func continueJournal(f logFile, c contents) (*journal, error) {
	j := &journal{f: f, seal: c.seal, end: c.end, room: c.end}
	// What lies behind must go: it could become valid again if a new record
	// happened to end where an old one begins.
	if err := f.Truncate(j.end); err != nil {
		return nil, err
	}
	j.reserve(0)
	return j, nil
}

// reserve writes zeros ahead, so that the journal can still say what is safe
// when the data has filled the disk. Failing is harmless.
func (j *journal) reserve(n int) {
	if j.end+int64(n)+journalSpare <= j.room {
		return
	}
	zeros := make([]byte, (n+journalGrowth)&^(journalGrowth-1)+journalGrowth)
	if _, err := j.f.WriteAt(zeros, j.room); err == nil {
		j.room += int64(len(zeros))
	}
}

// append records blocks whose bytes are durable. It returns when the records
// are durable as well. After an error the journal is as it was.
func (j *journal) append(blocks []blockSum) error {
	if len(blocks) == 0 {
		return nil
	}
	slices.SortFunc(blocks, func(a, b blockSum) int { return cmp.Compare(a.index, b.index) })
	var b []byte
	for len(blocks) > 0 {
		sums := []digest{blocks[0].sum}
		for len(sums) < min(len(blocks), maxSums) && blocks[len(sums)].index == blocks[0].index+int64(len(sums)) {
			sums = append(sums, blocks[len(sums)].sum)
		}
		b = appendRecord(b, j.seal, blocks[0].index, sums)
		blocks = blocks[len(sums):]
	}
	j.reserve(len(b))
	_, err := j.f.WriteAt(b, j.end)
	if err == nil {
		err = j.f.Sync()
	}
	if err != nil {
		j.f.Truncate(j.end) // what remains of it would not be valid anyway
		j.room = j.end
		return err
	}
	j.end += int64(len(b))
	j.room = max(j.room, j.end)
	return nil
}
