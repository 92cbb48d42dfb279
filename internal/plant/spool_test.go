package plant

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"testing"

	"qft/internal/manifest"
)

// memory is a file of which only the bytes matter.
type memory struct {
	File
	b []byte
}

func (m *memory) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(m.b)) {
		return 0, io.EOF
	}
	n := copy(p, m.b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (m *memory) WriteAt(p []byte, off int64) (int, error) {
	if need := int(off) + len(p); need > len(m.b) {
		m.b = append(m.b, make([]byte, need-len(m.b))...)
	}
	return copy(m.b[off:], p), nil
}

func TestSpoolIsReadInBothDirections(t *testing.T) {
	for _, n := range []int{0, 1, 2, 5000} {
		s := &spool{f: &memory{}}
		var want []string
		for i := range n {
			p := fmt.Sprintf("dir/%d", i)
			e := manifest.Entry{Kind: manifest.Symlink, Name: fmt.Sprint(i), Target: string(make([]byte, i%3000+1)), Mode: 0o777}
			e.Target = fmt.Sprintf("%0*d", i%3000+1, i)
			if err := s.add(p, &e); err != nil {
				t.Fatal(err)
			}
			want = append(want, p+" "+e.Target)
		}
		var got []string
		each := func(p string, e *manifest.Entry) error {
			got = append(got, p+" "+e.Target)
			return nil
		}
		if err := s.forwards(each); err != nil || !slices.Equal(got, want) {
			t.Errorf("%d records: %d forwards, %v", n, len(got), err)
		}
		got = nil
		slices.Reverse(want)
		if err := s.backwards(each); err != nil || !slices.Equal(got, want) {
			t.Errorf("%d records: %d backwards, %v", n, len(got), err)
		}
		stop := errors.New("stop")
		if err := s.forwards(func(string, *manifest.Entry) error { return stop }); n > 0 && err != stop {
			t.Error(err)
		}
	}
}

// FuzzSpool reads a file that something else has written.
func FuzzSpool(f *testing.F) {
	s := &spool{f: &memory{}}
	e := manifest.Entry{Kind: manifest.Dir, Name: "n", Mode: 0o755}
	s.add("p/n", &e)
	s.add("p/m", &e)
	s.flush()
	f.Add(s.f.(*memory).b)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		s := &spool{f: &memory{b: b}, end: int64(len(b))}
		count := 0
		each := func(string, *manifest.Entry) error { count++; return nil }
		there, back := s.forwards(each), s.backwards(each)
		if count > len(b)/4 {
			t.Errorf("%d records in %d bytes", count, len(b))
		}
		_, _ = there, back // no panic, and no memory beyond a record's, is all that is wanted
	})
}

// recordDir is a directory with a record.
type recordDir struct {
	FS
	f *memory
}

func (d recordDir) OpenFile(string, int) (File, error) { return recordFile{d.f}, nil }

type recordFile struct{ *memory }

func (recordFile) Close() error                 { return nil }
func (f recordFile) Stat() (fs.FileInfo, error) { return sized{n: int64(len(f.b))}, nil }

type sized struct {
	fs.FileInfo
	n int64
}

func (s sized) Size() int64 { return s.n }

func TestRecordOutlivesTornLines(t *testing.T) {
	g := &Ground{}
	d := recordDir{f: &memory{}}
	var r record
	for _, name := range []string{"a", "b\n \"c\" \xff", "item"} {
		if err := r.add(d, renamed{name, name + " (2)"}); err != nil {
			t.Fatal(err)
		}
		d.f.b = append(d.f.b, "item \"torn"...)
	}
	if err := r.add(d, lockedAt{locked{mode: fs.ModeDir | 0o555}, "t/in"}); err != nil {
		t.Fatal(err)
	}
	got, err := g.readRecord(d)
	if err != nil || len(got.items) != 3 || got.items["b\n \"c\" \xff"] != "b\n \"c\" \xff (2)" || got.locked["t/in"].mode != fs.ModeDir|0o555 {
		t.Errorf("%+v, %v", got, err)
	}
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte("\nitem \"a\" \"a (2)\"\n"))
	f.Add([]byte("\nlocked \"t\" 365 1600000000000000000\nitem \"..\" \"../x\"\nitem \"a\" \".x.qft-part\""))
	g := &Ground{}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := g.readRecord(recordDir{f: &memory{b: b}})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range r.items {
			if g.usable(m) != nil {
				t.Errorf("%q is taken for a file name", m)
			}
		}
	})
}
