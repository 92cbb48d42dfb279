package journal

import (
	"encoding/binary"

	"qft/internal/digest"
)

const magic = "qftjrnl2"

const (
	checkSize   = 8
	saltSize    = 8
	maxHead     = 32 << 10
	headerFixed = len(magic) + 4 + saltSize // bytes of the header before the head

	recordFixed = 4        // bytes of a record before its body
	maxBody     = 64 << 10 // bytes of a body
	runFixed    = 26       // bytes of a run before its digests
	maxSums     = 1024     // digests in a run
	sumSize     = len(digest.Sum{})
)

// MaxHeader is how many bytes of a journal file its header has at most.
const MaxHeader = headerFixed + maxHead + checkSize

// ID names what a run's blocks belong to.
type ID [16]byte

// Run is the digests of consecutive blocks: Sums[k] is that of block First+k.
// First is not negative.
type Run struct {
	ID    ID
	First int64
	Sums  []digest.Sum
}

// check is the checksum of a header or record: the first bytes of its BLAKE3.
type check [checkSize]byte

func checkOf(b []byte) check {
	sum := digest.File(b)
	return check(sum[:checkSize])
}

func appendHeader(b []byte, salt [saltSize]byte, head []byte) ([]byte, check) {
	at := len(b)
	b = append(b, magic...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(head)))
	b = append(b, salt[:]...)
	b = append(b, head...)
	c := checkOf(b[at:])
	return append(b, c[:]...), c
}

// parseHeader reads the header at the start of b. n is its length, or 0 if it
// is not whole.
func parseHeader(b []byte) (head []byte, seal check, n int) {
	if len(b) < headerFixed || string(b[:len(magic)]) != magic {
		return nil, check{}, 0
	}
	size := binary.BigEndian.Uint32(b[len(magic):])
	if size > maxHead || len(b) < headerFixed+int(size)+checkSize {
		return nil, check{}, 0
	}
	end := headerFixed + int(size)
	seal = check(b[end : end+checkSize])
	if seal != checkOf(b[:end]) {
		return nil, check{}, 0
	}
	return b[headerFixed:end], seal, end + checkSize
}

// writer makes records of runs.
type writer struct {
	b     []byte  // the check before the first record, and records
	at    int64   // where b[0] goes in the file
	open  int     // where in b the record begins that is not closed; 0: none
	index []entry // of each run
}

// run adds a run, in pieces if it is long.
func (w *writer) run(r *Run) {
	for k := 0; k < len(r.Sums); k += maxSums {
		sums := r.Sums[k:min(k+maxSums, len(r.Sums))]
		if size := runFixed + len(sums)*sumSize; w.open > 0 && len(w.b)-w.open-recordFixed+size > maxBody {
			w.close()
		}
		if w.open == 0 {
			w.open = len(w.b)
			w.b = append(w.b, make([]byte, recordFixed)...)
		}
		w.index = append(w.index, entry{r.ID, w.at + int64(len(w.b))})
		w.b = append(w.b, r.ID[:]...)
		w.b = binary.BigEndian.AppendUint64(w.b, uint64(r.First)+uint64(k))
		w.b = binary.BigEndian.AppendUint16(w.b, uint16(len(sums)))
		for i := range sums {
			w.b = append(w.b, sums[i][:]...)
		}
	}
}

// close ends the open record, if there is one.
func (w *writer) close() {
	if w.open == 0 {
		return
	}
	binary.BigEndian.PutUint32(w.b[w.open:], uint32(len(w.b)-w.open-recordFixed))
	c := checkOf(w.b[w.open-checkSize:])
	w.b = append(w.b, c[:]...)
	w.open = 0
}

// parseRun reads the fixed part of a run. ok is false if no run begins so.
func parseRun(b []byte) (r Run, count int, ok bool) {
	if len(b) < runFixed {
		return Run{}, 0, false
	}
	r.ID = ID(b)
	first := binary.BigEndian.Uint64(b[16:])
	count = int(binary.BigEndian.Uint16(b[24:]))
	if count < 1 || count > maxSums || first > 1<<63-1-uint64(count) {
		return Run{}, 0, false
	}
	r.First = int64(first)
	return r, count, true
}
