package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"testing"

	"qft/internal/digest"
)

// TestChangedFileIsNoticedByFind: at least where another run stands now.
func TestChangedFileIsNoticedByFind(t *testing.T) {
	d := newDisk(1)
	j := create(t, d, "head")
	appendTo(t, j, run(1, 0, 1), run(2, 0, 1))
	at := j.index.find(id(2))[0]
	copy(d.cached[at:], make([]byte, runFixed))
	if _, err := j.Find(id(2)); err == nil {
		t.Error("no error")
	}
	if err := d.Truncate(at); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Find(id(2)); err == nil {
		t.Error("no error though the file is too short")
	}
	want(t, &Journal{f: d, index: newIndex([]entry{{id(1), j.index.find(id(1))[0]}})}, run(1, 0, 1))
}

// seal puts right checks at the end of b, which begins with the check of what
// precedes it.
func seal(b []byte) []byte {
	c := checkOf(b)
	return append(b, c[:]...)
}

// TestHostileRecordIsTheEnd: records with a good check that we would not write.
func TestHostileRecordIsTheEnd(t *testing.T) {
	sum := digest.Sum{1}
	body := func(first uint64, count uint16, sums int) []byte {
		b := append([]byte(nil), make([]byte, 16)...)
		b = binary.BigEndian.AppendUint64(b, first)
		b = binary.BigEndian.AppendUint16(b, count)
		for range sums {
			b = append(b, sum[:]...)
		}
		return b
	}
	for _, b := range map[string][]byte{
		"no run":            {},
		"no digests":        body(0, 0, 0),
		"too many digests":  body(0, maxSums+1, maxSums+1),
		"negative":          body(1<<63, 1, 1),
		"beyond the end":    body(1<<63-1, 1, 1),
		"more than is told": body(0, 1, 2),
		"less than is told": body(0, 2, 1),
		"half a run":        body(0, 1, 1)[:30],
		"good and bad":      append(body(0, 1, 1), body(0, 3, 1)...),
		"too long":          bytes.Repeat(body(0, 1, 1), 2000),
	} {
		d := newDisk(1)
		j := create(t, d, "head")
		appendTo(t, j, run(1, 2, 3))
		end := d.cached[:j.end.at]
		last := bytes.Clone(end[len(end)-checkSize:])
		record := seal(append(binary.BigEndian.AppendUint32(last, uint32(len(b))), b...))
		d = holding(append(bytes.Clone(end), record[checkSize:]...))
		j = resume(t, d)
		want(t, j, run(1, 2, 3))
		appendTo(t, j, run(3, 4, 5))
		want(t, resume(t, d), run(1, 2, 3), run(3, 4, 5))
	}
}

// FuzzResume: whatever the file holds, it is left alone or becomes a journal
// that works.
func FuzzResume(f *testing.F) {
	d := newDisk(1)
	j, err := Create(d, []byte("head"))
	if err == nil {
		err = j.Append([]Run{run(1, 2, 3), run(2, 3, 1)})
	}
	if err != nil {
		f.Fatal(err)
	}
	f.Add(d.cached[:j.end.at], false)
	f.Add(d.cached[:j.end.at+100], false)
	f.Add([]byte{0, 0, 0, 58, 1, 2, 3}, true)
	f.Add(append([]byte{0, 0, 0, 58}, make([]byte, 58)...), true)
	f.Add([]byte("somebody's letter"), false)
	f.Fuzz(func(t *testing.T, b []byte, sealed bool) {
		if sealed { // b is a record but for its check
			head, seal := appendHeader(nil, [saltSize]byte{}, nil)
			c := checkOf(append(seal[:], b...))
			b = append(append(head, b...), c[:]...)
		}
		d := holding(b)
		j, err := Resume(d)
		if err != nil {
			if !errors.Is(err, ErrForeign) && !errors.Is(err, ErrEmpty) || d.touched > 0 {
				t.Fatalf("%v, touched %d times", err, d.touched)
			}
			return
		}
		n := j.index.len()
		more := run(77, 5, 6)
		appendTo(t, j, more)
		j = resume(t, d)
		got, err := j.Find(more.ID)
		if err != nil || j.index.len() != n+1 || !reflect.DeepEqual(got[len(got)-1], more) {
			t.Fatalf("%d runs and one more are %d (%v)", n, j.index.len(), err)
		}
		for _, level := range j.index.levels {
			for _, e := range level {
				if _, err := j.Find(e.id); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
