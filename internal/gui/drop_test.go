package gui

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"qft/internal/settings"
)

const (
	testPage = "page-of-this-test-0"
	testDrop = "drop-of-this-test-0"
)

// bareHub is a hub that nothing runs in.
func bareHub() *hub {
	set, err := settings.Load(nil)
	if err != nil {
		panic(err)
	}
	return &hub{settings: set, pages: make(map[*page]struct{}), reads: make(map[int64]*pendingRead)}
}

// dropOf lists contents as a page would.
func dropOf(files ...string) (d Drop, contents [][]byte) {
	d = Drop{ID: testDrop, Page: testPage}
	for i, path := range files {
		c := bytes.Repeat([]byte{byte('a' + i)}, 100*i)
		if strings.HasSuffix(path, "/") {
			c = nil
		}
		d.Files, contents = append(d.Files, DroppedFile{Path: path, Size: int64(len(c)), Modified: 1_700_000_000_000}), append(contents, c)
	}
	return d, contents
}

// nextRead is the next thing that a page is asked for.
func nextRead(p *page) *Read {
	for m := range p.messages {
		if m.Read != nil {
			return m.Read
		}
	}
	return nil
}

// of is what is asked for of files.
func (r *Read) of(contents [][]byte) (b []byte) {
	for _, p := range r.Parts {
		b = append(b, contents[p.File][p.Offset:p.Offset+p.Length]...)
	}
	return b
}

// holder is a page that holds files, and answers what it is asked.
func holder(h *hub, p *page, contents [][]byte) {
	for m := range p.messages {
		if r := m.Read; r != nil {
			h.takeRead(r.ID, nil, bytes.NewReader(r.of(contents)))
		}
	}
}

func mustDrop(t *testing.T, h *hub, d Drop) *drop {
	t.Helper()
	f, err := newDrop(h, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.close)
	return f
}

func TestDropIsAFileSystem(t *testing.T) {
	h := bareHub()
	d, contents := dropOf("a.txt", "dir/", "dir/b.txt", "dir/deep/c.txt", "empty/", "new\nline")
	p, _ := h.enter(testPage)
	var page sync.WaitGroup
	page.Go(func() { holder(h, p, contents) })
	defer page.Wait()
	defer h.leave(p)
	f := mustDrop(t, h, d)
	if err := fstest.TestFS(f, "a.txt", "dir/b.txt", "dir/deep/c.txt", "empty", "new\nline"); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(f.items()); got != "[a.txt dir empty new\nline]" {
		t.Errorf("its items are %s", got)
	}
	if _, err := fs.Stat(f, "dir/../a.txt"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a path that goes up: %v", err)
	}
}

func TestDropRefusesWhatIsNone(t *testing.T) {
	for _, files := range [][]string{
		{}, {""}, {"/"}, {"/etc/passwd"}, {".."}, {"../a"}, {"a/../b"}, {"a/./b"}, {"a//b"}, {"a\x00b"}, {"\xff"},
		{"a", "a"}, {"a", "a/b"}, {"a/b", "a"}, {"a/", "a"}, {"a", "a/"},
	} {
		d, _ := dropOf(files...)
		if _, err := newDrop(bareHub(), d); err == nil {
			t.Errorf("%q is taken", files)
		}
	}
	crowd := Drop{ID: testDrop, Page: testPage}
	for i := range mostDropped/200 + 1 {
		crowd.Files = append(crowd.Files, DroppedFile{Path: fmt.Sprint(i, "/", strings.Repeat("x/", 200))})
	}
	deep := Drop{ID: testDrop, Page: testPage, Files: []DroppedFile{{Path: strings.Repeat("a/", 15<<20) + "b"}}}
	for name, d := range map[string]Drop{"deep": deep, "large": crowd} {
		if _, err := newDrop(bareHub(), d); err == nil {
			t.Errorf("what is too %s is taken", name)
		}
	}
	deep.Files[0].Path = strings.Repeat("a/", mostDepth-1) + "b"
	if _, err := newDrop(bareHub(), deep); err != nil {
		t.Error(err)
	}
	d, _ := dropOf("a")
	d.Files[0].Size = -1
	if _, err := newDrop(bareHub(), d); err == nil {
		t.Error("a negative size is taken")
	}
	for _, id := range []string{"", "short", strings.Repeat("x", 65)} {
		if _, err := newDrop(bareHub(), Drop{ID: id, Page: testPage, Files: []DroppedFile{{Path: "a"}}}); err == nil {
			t.Errorf("the name %q is taken", id)
		}
		if _, err := newDrop(bareHub(), Drop{ID: testDrop, Page: id, Files: []DroppedFile{{Path: "a"}}}); err == nil {
			t.Errorf("the page %q is taken", id)
		}
	}
}

// readAll reads a file of a drop.
func readAll(f fs.FS, name string) ([]byte, error) {
	file, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	st, _ := file.Stat()
	b := make([]byte, st.Size())
	n, err := file.(io.ReaderAt).ReadAt(b, 0)
	return b[:n], err
}

// TestDropAsksWithMeasure: of its own page only, never for more than there is
// room for, and only so many things at once.
func TestDropAsksWithMeasure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := bareHub()
		const files, parts = 3 * mostReads, 3
		d := Drop{ID: testDrop, Page: testPage}
		for i := range files {
			d.Files = append(d.Files, DroppedFile{Path: fmt.Sprint(i), Size: (parts-1)*readPart + 7})
		}
		f := mustDrop(t, h, d)
		ours, _ := h.enter(testPage)
		other, _ := h.enter("page-of-another-one")
		reading := files
		for i := range files {
			go func() {
				b, err := readAll(f, fmt.Sprint(i))
				if err != nil || int64(len(b)) != d.Files[i].Size {
					t.Errorf("%d bytes of file %d, %v", len(b), i, err)
				}
				reading--
			}()
		}
		for range files * parts {
			synctest.Wait() // whatever can be asked is asked
			if len(h.reads) != min(mostReads, reading) {
				t.Fatalf("%d things are asked at once, for %d readers", len(h.reads), reading)
			}
			r := nextRead(ours)
			if n := r.size(); r.Drop != testDrop || n > readPart || n < 1 || len(r.Parts) != 1 || r.Parts[0].Offset+n > d.Files[r.Parts[0].File].Size {
				t.Fatalf("%+v", r)
			}
			if err := h.takeRead(r.ID, nil, bytes.NewReader(make([]byte, r.size()))); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if reading != 0 {
			t.Errorf("%d readers were never done", reading)
		}
		h.leave(ours)
		h.leave(other)
		if r := nextRead(other); r != nil {
			t.Errorf("another page was asked: %+v", r)
		}
	})
}

// TestDropOfAPageThatLies: what is not just what was asked for fails the read.
func TestDropOfAPageThatLies(t *testing.T) {
	h := bareHub()
	f := mustDrop(t, h, Drop{ID: testDrop, Page: testPage, Files: []DroppedFile{{Path: "a", Size: 100}}})
	p, _ := h.enter(testPage)
	for name, answer := range map[string]func(id int64) error{
		"short": func(id int64) error { return h.takeRead(id, nil, strings.NewReader("short")) },
		"long":  func(id int64) error { return h.takeRead(id, nil, strings.NewReader(strings.Repeat("x", 101))) },
		"error": func(id int64) error {
			return h.takeRead(id, &unread{"it has changed", "drop it again"}, strings.NewReader(""))
		},
		"breaks off": func(id int64) error {
			return h.takeRead(id, nil, io.MultiReader(strings.NewReader("x"), brokenOff{}))
		},
	} {
		done := make(chan error)
		go func() {
			_, err := readAll(f, "a")
			done <- err
		}()
		id := nextRead(p).ID
		err := answer(id)
		if got := <-done; got == nil {
			t.Errorf("%s: it was read", name)
		}
		if (err == nil) != (name == "error") {
			t.Errorf("%s: the page hears %v", name, err)
		}
		if err := h.takeRead(id, nil, strings.NewReader("")); err == nil {
			t.Errorf("%s: a second answer is taken", name)
		}
	}
}

type brokenOff struct{}

func (brokenOff) Read([]byte) (int, error) { return 0, errors.New("broken off") }

func TestDropWhosePageGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := bareHub()
		f := mustDrop(t, h, Drop{ID: testDrop, Page: testPage, Files: []DroppedFile{{Path: "a", Size: 1}}})
		p, _ := h.enter(testPage)
		done := make(chan error)
		read := func() {
			_, err := readAll(f, "a")
			done <- err
		}
		go read()
		<-p.messages
		h.leave(p)
		began := time.Now()
		if err := <-done; !errors.Is(err, errPageGone) {
			t.Errorf("the page is gone: %v", err)
		}
		if took := time.Since(began); took < goneTime || took > goneTime+5*time.Second {
			t.Errorf("that was noticed after %s", took)
		}
	})
}

// TestDropWhosePageIsBack: it hears again of what it was asked, however short
// it was away.
func TestDropWhosePageIsBack(t *testing.T) {
	for _, away := range []time.Duration{0, time.Millisecond, goneTime - 2*time.Second} {
		synctest.Test(t, func(t *testing.T) {
			h := bareHub()
			f := mustDrop(t, h, Drop{ID: testDrop, Page: testPage, Files: []DroppedFile{{Path: "a", Size: 1}}})
			p, _ := h.enter(testPage)
			done := make(chan error)
			go func() {
				_, err := readAll(f, "a")
				done <- err
			}()
			synctest.Wait()
			h.leave(p) // with the request
			time.Sleep(away)
			p, _ = h.enter(testPage)
			go holder(h, p, [][]byte{{'x'}})
			if err := <-done; err != nil {
				t.Errorf("away for %s: %v", away, err)
			}
			h.leave(p)
		})
	}
}

// TestDropOfAPageThatIsSilent: nothing hangs for ever.
func TestDropOfAPageThatIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := bareHub()
		f := mustDrop(t, h, Drop{ID: testDrop, Page: testPage, Files: []DroppedFile{{Path: "a", Size: 1}}})
		h.enter(testPage)
		began := time.Now()
		if _, err := readAll(f, "a"); !errors.Is(err, errPageSilent) || time.Since(began) > readTime+5*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

func TestDropThatIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := bareHub()
		f := mustDrop(t, h, Drop{ID: testDrop, Page: testPage, Files: []DroppedFile{{Path: "a", Size: 8 * readPart}}})
		h.enter(testPage)
		done := make(chan error)
		const readers = 2 * mostReads
		for range readers {
			go func() {
				_, err := readAll(f, "a")
				done <- err
			}()
		}
		synctest.Wait()
		f.close()
		for range readers {
			if err := <-done; !errors.Is(err, errEnded) {
				t.Error(err)
			}
		}
		if len(h.reads) != 0 {
			t.Errorf("%d requests are left", len(h.reads))
		}
	})
}

// TestSmallFilesAreAskedForTogether: in the order in which they will be read, and
// no more than there is room for.
func TestSmallFilesAreAskedForTogether(t *testing.T) {
	h := bareHub()
	d := Drop{ID: testDrop, Page: testPage}
	var contents [][]byte
	for i := range 3000 {
		c := bytes.Repeat([]byte{byte(i)}, i%200)
		if i%500 == 499 {
			c = make([]byte, smallFile+i)
		}
		d.Files = append(d.Files, DroppedFile{Path: fmt.Sprintf("%d/%d", i%7, i), Size: int64(len(c))})
		contents = append(contents, c)
	}
	p, _ := h.enter(testPage)
	asked := 0
	var page sync.WaitGroup
	page.Go(func() {
		for m := range p.messages {
			if r := m.Read; r != nil {
				asked++
				if n := len(r.Parts); n > mostTogether || r.size() > readPart {
					t.Errorf("%d parts with %d bytes are asked for at once", n, r.size())
				}
				h.takeRead(r.ID, nil, bytes.NewReader(r.of(contents)))
			}
		}
	})
	f := mustDrop(t, h, d)
	for range 2 { // the second time nothing is asked for but what is read
		err := fs.WalkDir(f, ".", func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			var dir, i int
			fmt.Sscanf(path, "%d/%d", &dir, &i)
			got, err := readAll(f, path)
			if err == nil && !bytes.Equal(got, contents[i]) {
				err = fmt.Errorf("%s: %d bytes of %d, or not the same", path, len(got), len(contents[i]))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	h.leave(p)
	page.Wait()
	full := 0
	for _, c := range contents {
		full += min(len(c), 1)
	}
	if first := asked - full; first > 2*full/mostTogether+20 {
		t.Errorf("%d requests for %d files", first, full)
	}
	if n := len(f.ahead.batches); n > mostAhead*mostTogether {
		t.Errorf("%d chunks are kept", n)
	}
}

// TestSmallFileThatIsUnread: it does not take with it what is asked for with it.
func TestSmallFileThatIsUnread(t *testing.T) {
	h := bareHub()
	d, contents := dropOf("a", "b", "c", "d")
	p, _ := h.enter(testPage)
	var page sync.WaitGroup
	page.Go(func() {
		for m := range p.messages {
			r := m.Read
			switch {
			case r == nil:
			case slices.ContainsFunc(r.Parts, func(p Part) bool { return p.File == 2 }):
				h.takeRead(r.ID, &unread{what: "it has changed"}, nil)
			default:
				h.takeRead(r.ID, nil, bytes.NewReader(r.of(contents)))
			}
		}
	})
	f := mustDrop(t, h, d)
	for i, name := range f.items() {
		b, err := readAll(f, name)
		switch {
		case i == 2 && (err == nil || !strings.Contains(err.Error(), "it has changed")):
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		case i != 2 && (err != nil || !bytes.Equal(b, contents[i])):
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}
	h.leave(p)
	page.Wait()
}

// TestReadingAheadIsBounded: who reads only the beginning of everything has the
// rest forgotten.
func TestReadingAheadIsBounded(t *testing.T) {
	h := bareHub()
	d := Drop{ID: testDrop, Page: testPage}
	var contents [][]byte
	for i := range 50 {
		contents = append(contents, make([]byte, readPart))
		d.Files = append(d.Files, DroppedFile{Path: fmt.Sprint(i), Size: readPart})
	}
	p, _ := h.enter(testPage)
	var page sync.WaitGroup
	page.Go(func() { holder(h, p, contents) })
	f := mustDrop(t, h, d)
	for _, name := range f.items() {
		file, err := f.Open(name)
		if err == nil {
			_, err = file.(io.ReaderAt).ReadAt(make([]byte, 100), 0)
		}
		if err != nil {
			t.Fatal(err)
		}
		if n := len(f.ahead.batches); n > mostAhead || len(f.ahead.order) > mostAhead {
			t.Fatalf("%d chunks of %d batches are kept", n, len(f.ahead.order))
		}
	}
	h.leave(p)
	page.Wait()
}

// TestDropOfManyWhosePageGoes: it is waited for once, not for every file.
func TestDropOfManyWhosePageGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := bareHub()
		d := Drop{ID: testDrop, Page: testPage}
		for i := range 1000 {
			d.Files = append(d.Files, DroppedFile{Path: fmt.Sprint(i), Size: smallFile + 1})
		}
		f := mustDrop(t, h, d)
		p, _ := h.enter(testPage)
		h.leave(p)
		began := time.Now()
		for _, name := range f.items() {
			if _, err := readAll(f, name); !errors.Is(err, errPageGone) {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if took := time.Since(began); took < goneTime || took > goneTime+5*time.Second {
			t.Errorf("that was noticed after %s", took)
		}
	})
}

// FuzzDrop: whatever a page lists, what is taken is a tree of proper names with
// just the files of the list.
func FuzzDrop(f *testing.F) {
	f.Add([]byte(`{"id":"drop-of-this-test-0","page":"page-of-this-test-0","files":[{"path":"a/b","size":1},{"path":"c/"}]}`))
	f.Add([]byte(`{"id":"drop-of-this-test-0","page":"page-of-this-test-0","files":[{"path":"a","size":-1},{"path":"a/../b"},{"path":"//"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var d Drop
		if json.Unmarshal(text, &d) != nil {
			return
		}
		tree, err := newDrop(bareHub(), d)
		if err != nil {
			return
		}
		defer tree.close()
		found := 0
		err = fs.WalkDir(tree, ".", func(path string, e fs.DirEntry, err error) error {
			if err != nil || !fs.ValidPath(path) {
				t.Fatalf("%q: %v", path, err)
			}
			if !e.IsDir() {
				found++
			}
			return nil
		})
		files := 0
		for _, x := range d.Files {
			if !strings.HasSuffix(x.Path, "/") {
				files++
			}
		}
		if err != nil || found != files {
			t.Fatalf("%d files of %d, %v", found, files, err)
		}
	})
}

// TestPageThatIsAskedTooMuch: it is cut off, and nothing else comes of it.
func TestPageThatIsAskedTooMuch(t *testing.T) {
	h := bareHub()
	for i := range int64(2 * backlog) {
		h.reads[i] = &pendingRead{page: testPage, done: make(chan readAnswer, 1)}
	}
	if p, _ := h.enter(testPage); p == nil || h.pageThere(testPage) {
		t.Error("it is there")
	}
}
