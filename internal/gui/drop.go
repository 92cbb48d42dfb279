package gui

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	// mostDropped is how many files and folders one drop may have, and mostDepth
	// how many names a path of it.
	mostDropped = 200_000
	mostDepth   = 250
	// readPart is how much of a file a page is asked for at once, and
	// mostReads how many such requests of a drop are open.
	readPart  = 1 << 20
	mostReads = 4
	// goneTime is how long a page may be away before its files count as lost, and
	// readTime how long one that is there may take to read.
	goneTime = 20 * time.Second
	readTime = 2 * time.Minute
)

// drop is files that only a page can read, as a file system: what is read
// of them is asked of the page, which answers by further requests.
type drop struct {
	hub    *hub
	id     string
	page   string
	root   *dropped
	nodes  int // that root has in it
	slots  chan struct{}
	closed chan struct{}
	once   sync.Once
}

// dropped is a file or folder of a drop.
type dropped struct {
	name     string
	number   int // of the file in the page's list; -1: a folder
	size     int64
	modified time.Time
	in       map[string]*dropped // nil: a file
	sorted   []fs.DirEntry
}

var _ fs.FS = (*drop)(nil)

// newDrop makes the tree of a page's list.
func newDrop(h *hub, d Drop) (*drop, error) {
	switch {
	case !isName(d.ID) || !isName(d.Page):
		return nil, refuse(http.StatusBadRequest, "", "the drop has no proper name")
	case len(d.Files) == 0:
		return nil, refuse(http.StatusBadRequest, "", "nothing was dropped")
	case len(d.Files) > mostDropped:
		return nil, tooManyDropped()
	}
	f := &drop{hub: h, id: d.ID, page: d.Page, root: &dropped{name: ".", number: -1, in: make(map[string]*dropped)},
		slots: make(chan struct{}, mostReads), closed: make(chan struct{})}
	for i, file := range d.Files {
		if err := f.plant(i, file); err != nil {
			return nil, err
		}
	}
	f.root.sort()
	return f, nil
}

func tooManyDropped() error {
	return refuse(http.StatusRequestEntityTooLarge, "Choose the folder in the list of this machine's folders instead.",
		"more than %d files and folders cannot be sent through the page", mostDropped)
}

// plant adds one file of the list to the tree, or an empty folder.
func (d *drop) plant(number int, file DroppedFile) error {
	name, folder := strings.CutSuffix(file.Path, "/")
	if !fs.ValidPath(name) || name == "." || !utf8.ValidString(name) || strings.ContainsRune(name, 0) || file.Size < 0 {
		return refuse(http.StatusBadRequest, "", "%.100q is no path of a dropped file", file.Path)
	}
	if strings.Count(name, "/") >= mostDepth {
		return refuse(http.StatusBadRequest, "Choose the folder in the list of this machine's folders instead.",
			"what was dropped has folders in more than %d folders", mostDepth)
	}
	parts := strings.Split(name, "/")
	at := d.root
	for _, part := range parts[:len(parts)-1] {
		next := at.in[part]
		if next == nil {
			next = &dropped{name: part, number: -1, in: make(map[string]*dropped)}
			at.in[part] = next
			d.nodes++
		}
		if next.in == nil {
			return refuse(http.StatusBadRequest, "", "%.100q is a file and a folder", part)
		}
		at = next
	}
	last := parts[len(parts)-1]
	if d.nodes++; d.nodes > mostDropped {
		return tooManyDropped()
	}
	switch was := at.in[last]; {
	case was == nil && folder:
		at.in[last] = &dropped{name: last, number: -1, in: make(map[string]*dropped)}
	case was == nil:
		at.in[last] = &dropped{name: last, number: number, size: file.Size, modified: time.UnixMilli(file.Modified)}
	case was.in == nil || !folder:
		return refuse(http.StatusBadRequest, "", "%.100q was dropped twice", file.Path)
	}
	return nil
}

func (n *dropped) sort() {
	for _, c := range n.in {
		n.sorted = append(n.sorted, fs.FileInfoToDirEntry(c))
		if c.in != nil {
			c.sort()
		}
	}
	slices.SortFunc(n.sorted, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
}

// items are the names at the top.
func (d *drop) items() (all []string) {
	for _, e := range d.root.sorted {
		all = append(all, e.Name())
	}
	return all
}

// close gives up what is still asked for.
func (d *drop) close() { d.once.Do(func() { close(d.closed) }) }

// fs.FileInfo of a file or folder.
func (n *dropped) Name() string       { return n.name }
func (n *dropped) Size() int64        { return n.size }
func (n *dropped) ModTime() time.Time { return n.modified }
func (n *dropped) IsDir() bool        { return n.in != nil }
func (n *dropped) Sys() any           { return nil }
func (n *dropped) Mode() fs.FileMode {
	if n.IsDir() {
		return fs.ModeDir | 0o755
	}
	return 0o644
}

// Open implements fs.FS.
func (d *drop) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	at := d.root
	if name != "." {
		for part := range strings.SplitSeq(path.Clean(name), "/") {
			if at = at.in[part]; at == nil {
				return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
			}
		}
	}
	return &dropFile{drop: d, node: at}, nil
}

// dropFile is an open file or folder of a drop.
type dropFile struct {
	drop *drop
	node *dropped
	off  int64
	seen int // entries of a folder that were told
}

var (
	_ fs.ReadDirFile = (*dropFile)(nil)
	_ io.ReaderAt    = (*dropFile)(nil)
)

func (f *dropFile) Stat() (fs.FileInfo, error) { return f.node, nil }
func (f *dropFile) Close() error               { return nil }

func (f *dropFile) Read(p []byte) (int, error) {
	n, err := f.ReadAt(p[:min(len(p), readPart)], f.off)
	f.off += int64(n)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

func (f *dropFile) ReadDir(n int) ([]fs.DirEntry, error) {
	if !f.node.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: f.node.name, Err: errors.New("not a folder")}
	}
	rest := f.node.sorted[f.seen:]
	if n > 0 {
		if len(rest) == 0 {
			return nil, io.EOF
		}
		rest = rest[:min(n, len(rest))]
	}
	f.seen += len(rest)
	return rest, nil
}

// ReadAt asks the page for bytes, in parts.
func (f *dropFile) ReadAt(p []byte, off int64) (n int, err error) {
	if f.node.IsDir() {
		return 0, &fs.PathError{Op: "read", Path: f.node.name, Err: errors.New("is a folder")}
	}
	end := min(off+int64(len(p)), f.node.size)
	for at := off; at < end; {
		part := p[at-off : min(end, at+readPart)-off]
		b, err := f.drop.read(f.node.number, at, int64(len(part)))
		if err != nil {
			return n, &fs.PathError{Op: "read", Path: f.node.name, Err: err}
		}
		n += copy(part, b)
		at += int64(len(part))
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

var (
	errPageGone   = errors.New("the page that holds the files was closed")
	errPageSilent = errors.New("the browser does not read it")
	errEnded      = errors.New("the transfer has ended")
)

// read asks the page for part of a file and waits for the answer.
func (d *drop) read(file int, off, n int64) ([]byte, error) {
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	case <-d.closed:
		return nil, errEnded
	}
	r := &pendingRead{page: d.page, want: Read{Drop: d.id, File: file, Offset: off, Length: n}, done: make(chan readAnswer, 1)}
	defer d.hub.unask(d.hub.ask(r))
	check := time.NewTicker(time.Second)
	defer check.Stop()
	here, there := time.Now(), time.Now() // since when, and until when, it was there
	for {
		select {
		case a := <-r.done:
			return a.bytes, a.err
		case <-d.closed:
			return nil, errEnded
		case now := <-check.C:
			switch {
			case !d.hub.pageThere(d.page):
				here = now
				if now.Sub(there) >= goneTime {
					return nil, errPageGone
				}
			case now.Sub(here) >= readTime:
				return nil, errPageSilent
			default:
				there = now
			}
		}
	}
}

// pendingRead is a request to a page that has not been answered.
type pendingRead struct {
	page string
	want Read
	done chan readAnswer // has room for the one answer
}

type readAnswer struct {
	bytes []byte
	err   error
}

// ask sends a request to the page that holds the files. A page that comes back
// is asked again.
func (h *hub) ask(r *pendingRead) (id int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lastRead++
	r.want.ID = h.lastRead
	h.reads[r.want.ID] = r
	for p := range h.pages {
		if p.id == r.page {
			h.tellPage(p, Message{Read: &r.want})
		}
	}
	return r.want.ID
}

// askAgainLocked asks a page for all that it has not answered: requests can
// have been lost on the way to where it was before.
func (h *hub) askAgainLocked(p *page) {
	for _, id := range slices.Sorted(maps.Keys(h.reads)) {
		if r := h.reads[id]; r.page == p.id {
			h.tellPage(p, Message{Read: &r.want})
		}
	}
}

func (h *hub) unask(id int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.reads, id)
}

func (h *hub) pageThere(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for p := range h.pages {
		if p.id == id {
			return true
		}
	}
	return false
}

// unread is why a page cannot read a file, in its words.
type unread struct{ what, advice string }

func (e *unread) Error() string {
	if e.advice == "" {
		return e.what
	}
	return e.what + "; " + e.advice
}

// takeRead takes the answer to a request: just the bytes that were asked for,
// or why there are none.
func (h *hub) takeRead(id int64, problem *unread, content io.Reader) error {
	h.mu.Lock()
	r := h.reads[id]
	delete(h.reads, id)
	h.mu.Unlock()
	if r == nil {
		return refuse(http.StatusNotFound, "", "nobody has asked for this")
	}
	if problem != nil {
		r.done <- readAnswer{err: problem}
		return nil
	}
	b := make([]byte, r.want.Length)
	_, err := io.ReadFull(content, b)
	if err == nil {
		var more [1]byte
		if n, _ := io.ReadFull(content, more[:]); n > 0 {
			err = errors.New("there is more")
		}
	}
	if err != nil {
		r.done <- readAnswer{err: errors.New("the browser has sent something else than what was asked for")}
		return refuse(http.StatusBadRequest, "", "these are not the %d bytes that were asked for", r.want.Length)
	}
	r.done <- readAnswer{bytes: b}
	return nil
}
