package walk

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"qft/internal/manifest"
)

// shape is what of a walk is the same wherever it goes.
func shape(found []Found) (all []string) {
	for _, f := range found {
		all = append(all, fmt.Sprintf("%d %s %v %o %d %s %v", f.Depth, f.Name, f.Kind, f.Mode, f.Size, f.Target, f.Problem))
	}
	return all
}

// TestAnFSIsWalkedLikeADisk: with the same order, and the same rules.
func TestAnFSIsWalkedLikeADisk(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, "b/z", "b/a/y", "b/a.x", "b/é", "b/empty/", "b/.git/x", "b/no.o", "b/sub/keep.o", "a", "b/link -> a.x", "b/way -> a")
	for name, text := range map[string]string{"b/.gitignore": "*.o\n", "b/sub/.gitignore": "!keep.o\n"} {
		if err := os.WriteFile(dir+"/"+name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := shape(rest(t, begin(t, Config{Paths: []string{dir + "/a", dir + "/b"}, Exclude: []string{"z"}, GitIgnore: true})))
	for _, paths := range [][]string{nil, {"a", "b"}} {
		got := shape(rest(t, begin(t, Config{FS: os.DirFS(dir), Paths: paths, Exclude: []string{"z"}, GitIgnore: true, Archive: true})))
		if !slices.Equal(got, want) {
			t.Errorf("%q: it is\n%s\nrather than\n%s", paths, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	w := begin(t, Config{FS: os.DirFS(dir), Paths: []string{"b/a"}, Name: "other"})
	if got := w.Items(); !slices.Equal(got, []string{"other"}) {
		t.Error(got)
	}
	if got := shape(rest(t, w)); len(got) != 2 {
		t.Error(got)
	}
	if _, err := New(Config{FS: os.DirFS(dir), Paths: []string{"."}, Name: "all"}); err != nil {
		t.Error(err)
	}
}

func TestFilesOfAnFSAreRead(t *testing.T) {
	m := fstest.MapFS{"f": {Data: []byte("hello"), ModTime: time.Unix(1_700_000_000, 5)}}
	found := rest(t, begin(t, Config{FS: m}))
	if len(found) != 1 || found[0].Sec != 1_700_000_000 || found[0].Nsec != 5 || found[0].Mode != 0o644 {
		t.Fatalf("%+v", found)
	}
	f, err := Open(found[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 4)
	if n, err := f.ReadAt(b, 1); n != 4 || err != nil || string(b) != "ello" {
		t.Errorf("%q, %v", b[:n], err)
	}
	if _, err := f.ReadAt(b, 2); !errors.Is(err, ErrChanged) {
		t.Errorf("behind the end: %v", err)
	}
	if lo, hi, err := f.Data(2); lo != 2 || hi != 5 || err != nil {
		t.Error(lo, hi, err)
	}
	if err := f.Unchanged(); err != nil {
		t.Error(err)
	}
	m["f"] = &fstest.MapFile{Data: []byte("hello there")}
	if _, err := Open(found[0]); !errors.Is(err, ErrChanged) {
		t.Errorf("it was replaced: %v", err)
	}
}

// TestAnFSWithoutReaderAt: what can only be read in order is told so.
func TestAnFSWithoutReaderAt(t *testing.T) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	if f, err := z.Create("dir/f"); err != nil {
		t.Fatal(err)
	} else if _, err = io.WriteString(f, "hello"); err != nil {
		t.Fatal(err)
	}
	z.Close()
	r, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	found := rest(t, begin(t, Config{FS: r}))
	if len(found) != 2 {
		t.Fatalf("%+v", found)
	}
	if _, err := Open(found[1]); err == nil || !strings.Contains(err.Error(), "ReaderAt") {
		t.Error(err)
	}
}

// odd is an fs.FS that does as the test says.
type odd struct {
	fstest.MapFS
	list  func(name string, n int) ([]fs.DirEntry, error) // of a directory; nil: as the MapFS has it
	read  func(p []byte, off int64) (int, error)
	stats func() (fs.FileInfo, error)
	open  func(name string)
}

func (o odd) Open(name string) (fs.File, error) {
	if o.open != nil {
		o.open(name)
	}
	f, err := o.MapFS.Open(name)
	if err != nil {
		return nil, err
	}
	return &oddFile{f, o, name}, nil
}

type oddFile struct {
	fs.File
	odd  odd
	name string
}

func (f *oddFile) Stat() (fs.FileInfo, error) {
	if f.odd.stats != nil {
		return f.odd.stats()
	}
	return f.File.Stat()
}

func (f *oddFile) ReadDir(n int) ([]fs.DirEntry, error) {
	if f.odd.list != nil {
		return f.odd.list(f.name, n)
	}
	return f.File.(fs.ReadDirFile).ReadDir(n)
}

func (f *oddFile) ReadAt(p []byte, off int64) (int, error) { return f.odd.read(p, off) }

type entry struct {
	fs.DirEntry
	name string
}

func (e entry) Name() string { return e.name }

// TestAnFSWhoseNamesAreNone: what it makes up is found with a problem, or not
// at all, and in order.
func TestAnFSWhoseNamesAreNone(t *testing.T) {
	var o odd
	o.MapFS = fstest.MapFS{"b": {}, "a": {}, "dir/x": {}}
	given := 0
	o.list = func(name string, n int) ([]fs.DirEntry, error) {
		if name != "." || given > 0 {
			return nil, io.EOF
		}
		given++
		var all []fs.DirEntry
		for _, name := range []string{"b", "..", "a", "../b", "/etc", "dir/x", "", ".", "b", "a\x00", strings.Repeat("long", 1250), "nothing", "\xff", "dir"} {
			all = append(all, entry{name: name})
		}
		return all, nil
	}
	var got []string
	long := false
	for _, f := range rest(t, begin(t, Config{FS: o, Paths: []string{"."}, Name: "top"})) {
		long = long || strings.HasPrefix(f.Name, "longlong") && f.Problem != nil
		if err := manifest.CheckName(f.Name); err == nil && f.Problem == nil {
			got = append(got, f.Name)
		} else if f.Problem == nil {
			t.Errorf("%q is found", f.Name)
		}
	}
	if want := []string{"top", "a", "b", "dir"}; !slices.Equal(got, want) {
		t.Errorf("found are %q", got)
	}
	if !long {
		t.Error("a name that is too long is left out without a word")
	}
	for _, path := range []string{"../b", "/etc/passwd", "a/", "./a", "", "a//b", "dir/../a", "nothing"} {
		if _, err := New(Config{FS: o.MapFS, Paths: []string{path}}); err == nil {
			t.Errorf("%q is an item", path)
		}
	}
	if _, err := New(Config{FS: fstest.MapFS{}}); err == nil {
		t.Error("nothing is sent")
	}
	if _, err := New(Config{FS: o.MapFS, Paths: []string{"a", "a"}}); err == nil {
		t.Error("one thing is sent twice")
	}
}

// TestAnFSWithoutEnd: a directory that goes on for ever ends in a problem, and a
// depth too.
func TestAnFSWithoutEnd(t *testing.T) {
	n := 0
	o := odd{MapFS: fstest.MapFS{"d/x": {}}, list: func(name string, max int) (all []fs.DirEntry, err error) {
		for range max {
			n++
			all = append(all, entry{name: fmt.Sprintf("%x", n)})
		}
		return all, nil
	}}
	err := (&branch{&tree{fs: o}, "d"}).names(func(string) {})
	if err == nil || n > maxNames+1000 {
		t.Errorf("%d names, %v", n, err)
	}
	long := 0
	o.list = func(_ string, max int) (all []fs.DirEntry, err error) {
		for range max {
			long++
			all = append(all, entry{name: fmt.Sprintf("%0300x", long)})
		}
		return all, nil
	}
	kept := 0
	if err := (&branch{&tree{fs: o}, "d"}).names(func(name string) { kept += len(name) }); err == nil || kept > maxNameBytes+1<<20 {
		t.Errorf("%d bytes of names, %v", kept, err)
	}
	found := rest(t, begin(t, Config{FS: deep{}}))
	if last := found[len(found)-1]; !errors.Is(last.Problem, errTooDeep) || len(found) > manifest.MaxDepth+2 {
		t.Errorf("%d found, the last %+v", len(found), last)
	}
}

// deep is a directory in which there is a directory.
type deep struct{}

func (deep) Open(name string) (fs.File, error) {
	return &oddFile{File: nil, name: name, odd: odd{
		stats: func() (fs.FileInfo, error) { return fstest.MapFS{"d/x": {}}.Stat("d") },
		list:  func(string, int) ([]fs.DirEntry, error) { return []fs.DirEntry{entry{name: "d"}}, io.EOF },
	}}, nil
}

func (f *oddFile) Close() error { return nil }

// TestAnFSThatReadsWrongly: a reader that tells what cannot be is not believed.
func TestAnFSThatReadsWrongly(t *testing.T) {
	broken := errors.New("broken")
	for name, read := range map[string]func(p []byte, off int64) (int, error){
		"error":    func([]byte, int64) (int, error) { return 0, broken },
		"short":    func(p []byte, _ int64) (int, error) { return len(p) - 1, nil },
		"too long": func(p []byte, _ int64) (int, error) { return len(p) + 1, nil },
		"negative": func([]byte, int64) (int, error) { return -1, nil },
		"ends":     func([]byte, int64) (int, error) { return 0, io.EOF },
	} {
		o := odd{MapFS: fstest.MapFS{"f": {Data: []byte("hello")}}, read: read}
		found := rest(t, begin(t, Config{FS: o}))
		f, err := Open(found[0])
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 5)
		if n, err := f.ReadAt(b, 0); err == nil || n < 0 || n > 5 || name == "error" && !errors.Is(err, broken) {
			t.Errorf("%s: %d, %v", name, n, err)
		}
		f.Close()
	}
	o := odd{MapFS: fstest.MapFS{"f": {}}, stats: func() (fs.FileInfo, error) { return nil, nil }}
	if _, err := New(Config{FS: noStat{o}}); err == nil {
		t.Error("nothing is known of it, and it is sent")
	}
}

// noStat has fs.Stat ask the open file.
type noStat struct{ fs.FS }

// TestAnFSThatBlocks: whatever is under way is left behind.
func TestAnFSThatBlocks(t *testing.T) {
	wait := make(chan struct{})
	defer close(wait)
	asked := make(chan struct{}, 100)
	block := func() {
		asked <- struct{}{}
		<-wait
	}
	m := fstest.MapFS{"f": {Data: []byte("hello")}, "d/x": {}}
	for name, act := range map[string]func(cut chan struct{}) error{
		"opening": func(cut chan struct{}) error {
			_, err := New(Config{FS: odd{MapFS: m, open: func(string) { block() }}, Cut: cut})
			return err
		},
		"listing": func(cut chan struct{}) error {
			_, err := New(Config{FS: odd{MapFS: m, list: func(string, int) ([]fs.DirEntry, error) { block(); return nil, io.EOF }}, Cut: cut})
			return err
		},
		"reading": func(cut chan struct{}) error {
			found := rest(t, begin(t, Config{FS: odd{MapFS: m, read: func(p []byte, _ int64) (int, error) {
				block()
				p[0] = 'x' // long after it was left behind
				return len(p), nil
			}}, Paths: []string{"f"}, Cut: cut}))
			f, err := Open(found[0])
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.ReadAt(make([]byte, 5), 0)
			return err
		},
	} {
		cut, done := make(chan struct{}), make(chan error, 1)
		go func() { done <- act(cut) }()
		<-asked
		close(cut)
		if err := <-done; !errors.Is(err, ErrCut) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAnFSThatChangesItsMind: what was a directory a moment ago, and is a file
// or nothing of the kind when it is entered, is found with a problem.
func TestAnFSThatChangesItsMind(t *testing.T) {
	m := fstest.MapFS{"f": {}, "d/x": {}, "pipe": {Mode: fs.ModeNamedPipe}, "link": {Mode: fs.ModeSymlink}}
	for _, is := range []string{"f", "pipe", "link"} {
		found := rest(t, begin(t, Config{FS: fickle{m, is}, Paths: []string{"d"}, Name: "top"}))
		if len(found) != 2 || !errors.Is(found[1].Problem, ErrChanged) {
			t.Errorf("%s: %+v", is, found)
		}
	}
	if _, err := New(Config{FS: unfollowed{m}, Paths: []string{"link"}}); err == nil || !strings.Contains(err.Error(), "symlink") {
		t.Errorf("a symlink that is not followed: %v", err)
	}
}

// fickle says of a directory's directory x that it is one, and to the next who
// asks that it is something else.
type fickle struct {
	fstest.MapFS
	is string
}

func (f fickle) Lstat(name string) (fs.FileInfo, error) { return f.MapFS.Lstat("d") }

func (f fickle) Stat(name string) (fs.FileInfo, error) {
	if name == "d/x" {
		return f.MapFS.Lstat(f.is)
	}
	return f.MapFS.Stat(name)
}

// unfollowed does not follow symlinks.
type unfollowed struct{ fstest.MapFS }

func (u unfollowed) Stat(name string) (fs.FileInfo, error) { return u.MapFS.Lstat(name) }

// TestAnFSThatOpensTooLate: what was opened for nobody is closed.
func TestAnFSThatOpensTooLate(t *testing.T) {
	wait, asked, closed := make(chan struct{}), make(chan struct{}), make(chan struct{})
	late := lateFS{func() (fs.File, error) {
		close(asked)
		<-wait
		return closing{closed: closed}, nil
	}}
	cut, done := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := (&tree{fs: late, cut: cut}).openLeaf("f")
		done <- err
	}()
	<-asked
	close(cut)
	if err := <-done; !errors.Is(err, ErrCut) {
		t.Error(err)
	}
	close(wait)
	<-closed
}

type lateFS struct{ open func() (fs.File, error) }

func (l lateFS) Open(string) (fs.File, error) { return l.open() }

type closing struct {
	fs.File
	closed chan struct{}
}

func (c closing) Close() error {
	close(c.closed)
	return nil
}
