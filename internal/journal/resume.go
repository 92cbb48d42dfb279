package journal

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// maxCreated is more than a file has directly after Create.
const maxCreated = MaxHeader + growth + spare

// Resume opens a journal of whatever age and state, and goes on behind its last
// good record; what lies behind that is cut off. What it finds is durable when
// it returns. It fails with ErrForeign, with ErrEmpty, or because the file
// cannot be read or written; it has touched nothing then, unless it was the
// writing that failed.
func Resume(f File) (*Journal, error) {
	r := bufio.NewReaderSize(io.NewSectionReader(f, 0, math.MaxInt64), 128<<10)
	start, err := peek(r, maxCreated)
	if err != nil {
		return nil, fmt.Errorf("reading a journal: %w", err)
	}
	head, seal, n := parseHeader(start)
	if n == 0 {
		return nil, judge(start)
	}
	head = bytes.Clone(head)
	r.Discard(n - checkSize) // cannot fail: the bytes were peeked
	x, end, err := readRecords(r, mark{int64(n), seal})
	if err != nil {
		return nil, fmt.Errorf("reading a journal: %w", err)
	}
	// What lies behind must go: it could become valid again if just the same
	// records were written before it.
	if err := f.Truncate(end.at); err != nil {
		return nil, fmt.Errorf("cutting a journal: %w", err)
	}
	j, err := open(f, head, end)
	if err != nil {
		return nil, err
	}
	j.index = x
	return j, nil
}

// ReadHead is the head of the journal whose file begins with start, of which
// MaxHeader bytes are enough. It fails with ErrForeign or ErrEmpty.
func ReadHead(start []byte) ([]byte, error) {
	head, _, n := parseHeader(start)
	if n == 0 {
		return nil, judge(start)
	}
	return head, nil
}

// judge says why a file is no journal: start is its beginning, as far as what a
// crash can leave of Create. That is a header that is not whole, and where the
// beginning of the header is not whole either, zeros in its place: but then the
// file is no longer than Create makes it, while other files with zeros at their
// beginning, such as images of disks, are.
func judge(start []byte) error {
	begin := start[:min(len(start), len(magic))]
	if string(begin) == magic {
		return ErrEmpty
	}
	begin = bytes.TrimRight(begin, "\x00")
	if string(begin) == magic[:len(begin)] && len(start) < maxCreated {
		return ErrEmpty
	}
	return ErrForeign
}

// peek is the next n bytes, or what there is if the file ends before.
func peek(r *bufio.Reader, n int) ([]byte, error) {
	b, err := r.Peek(n)
	if err == io.EOF {
		err = nil
	}
	return b, err
}

// readRecords reads records as long as they are good; r stands at the check
// before the first, which ends at end.
func readRecords(r *bufio.Reader, end mark) (index, mark, error) {
	var all []entry
	for {
		body, seal, err := peekRecord(r)
		if err != nil {
			return index{}, mark{}, err
		}
		more, ok := appendEntries(all, body, end.at+recordFixed)
		if !ok {
			return newIndex(all), end, nil
		}
		all = more
		n := recordFixed + len(body) + checkSize
		end = mark{end.at + int64(n), seal}
		r.Discard(n) // cannot fail: the bytes were peeked
	}
}

// peekRecord is the body and the check of the next record. The body is empty if
// there is no further good one: the end, or what a crash has left.
func peekRecord(r *bufio.Reader) (body []byte, seal check, err error) {
	const fixed = checkSize + recordFixed
	b, err := peek(r, fixed)
	if err != nil || len(b) < fixed {
		return nil, check{}, err
	}
	size := binary.BigEndian.Uint32(b[checkSize:])
	if size > maxBody {
		return nil, check{}, nil
	}
	end := fixed + int(size)
	b, err = peek(r, end+checkSize)
	if err != nil || len(b) < end+checkSize || checkOf(b[:end]) != check(b[end:]) {
		return nil, check{}, err
	}
	return b[fixed:end], check(b[end:]), nil
}

// appendEntries adds the runs of a body that begins at the given offset of the
// file. ok is false if it is not made of runs, of which there must be one.
func appendEntries(all []entry, body []byte, at int64) (_ []entry, ok bool) {
	if len(body) == 0 {
		return nil, false
	}
	for len(body) > 0 {
		run, count, ok := parseRun(body)
		n := runFixed + count*sumSize
		if !ok || n > len(body) {
			return nil, false
		}
		all = append(all, entry{run.ID, at})
		body = body[n:]
		at += int64(n)
	}
	return all, true
}
