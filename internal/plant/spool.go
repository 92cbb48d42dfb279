package plant

import (
	"encoding/binary"
	"errors"

	"qft/internal/manifest"
)

// spool is a file of entries that are only made at the end: links, and what
// directories need once nothing is written to them any more. It is written
// forwards and can be read in both directions; a record has its length at both
// ends. What it holds is told again by the next run, so it need not last.
//
//	length (4), length of the handle (4), handle, entry, length (4)
type spool struct {
	f   File
	end int64 // of what is in the file
	buf []byte
}

const (
	spoolBuffer = 64 << 10
	maxRecord   = 1 << 20 // far more than an entry and its path have
)

var errSpool = errors.New("what was noted in the bed was changed by something else")

func (s *spool) add(p string, e *manifest.Entry) error {
	at := len(s.buf)
	b := append(s.buf, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(len(p)))
	b = append(b, p...)
	b = manifest.Append(b, e)
	n := uint32(len(b) - at - 4)
	binary.BigEndian.PutUint32(b[at:], n)
	s.buf = binary.BigEndian.AppendUint32(b, n)
	if len(s.buf) < spoolBuffer {
		return nil
	}
	return s.flush()
}

func (s *spool) size() int64 { return s.end + int64(len(s.buf)) }

func (s *spool) flush() error {
	n, err := s.f.WriteAt(s.buf, s.end)
	s.buf = s.buf[:copy(s.buf, s.buf[n:])]
	s.end += int64(n)
	return err
}

// forwards calls each with every record, from the first to the last.
func (s *spool) forwards(each func(p string, e *manifest.Entry) error) error {
	if err := s.flush(); err != nil {
		return err
	}
	w := window{f: s.f}
	for at := int64(0); at < s.end; {
		if s.end-at < 8 {
			return errSpool
		}
		head, err := w.read(at, 4)
		if err != nil {
			return err
		}
		n := int64(binary.BigEndian.Uint32(head))
		if n > maxRecord || n > s.end-at-8 {
			return errSpool
		}
		body, err := w.read(at+4, n)
		if err != nil {
			return err
		}
		if err := entryIn(body, each); err != nil {
			return err
		}
		at += n + 8
	}
	return nil
}

// backwards calls each with every record, from the last to the first, so that
// a directory comes behind those in it.
func (s *spool) backwards(each func(p string, e *manifest.Entry) error) error {
	if err := s.flush(); err != nil {
		return err
	}
	w := window{f: s.f, back: true}
	for at := s.end; at > 0; {
		if at < 8 {
			return errSpool
		}
		tail, err := w.read(at-4, 4)
		if err != nil {
			return err
		}
		n := int64(binary.BigEndian.Uint32(tail))
		if n > maxRecord || n > at-8 {
			return errSpool
		}
		body, err := w.read(at-4-n, n)
		if err != nil {
			return err
		}
		if err := entryIn(body, each); err != nil {
			return err
		}
		at -= n + 8
	}
	return nil
}

func entryIn(body []byte, each func(p string, e *manifest.Entry) error) error {
	if len(body) < 4 {
		return errSpool
	}
	n := int64(binary.BigEndian.Uint32(body))
	if n > int64(len(body)-4) {
		return errSpool
	}
	p := string(body[4 : 4+n])
	e, rest, err := manifest.Parse(body[4+n:])
	if err != nil || len(rest) > 0 {
		return errSpool
	}
	return each(p, &e)
}

// window is the part of a file that was read last.
type window struct {
	f    File
	back bool // the next read will be before this one
	at   int64
	b    []byte
}

// read returns n bytes at off, valid until the next call.
func (w *window) read(off, n int64) ([]byte, error) {
	if off >= w.at && off+n <= w.at+int64(len(w.b)) {
		return w.b[off-w.at : off-w.at+n], nil
	}
	from, to := off, off+max(n, spoolBuffer)
	if w.back {
		from, to = max(off+n-max(n, spoolBuffer), 0), off+n
	}
	if int64(cap(w.b)) < to-from {
		w.b = make([]byte, to-from)
	}
	w.b = w.b[:to-from]
	got, err := w.f.ReadAt(w.b, from)
	w.at, w.b = from, w.b[:got]
	if off+n > from+int64(got) {
		w.b = w.b[:0]
		if err == nil {
			err = errSpool
		}
		return nil, err
	}
	return w.b[off-from : off-from+n], nil
}
