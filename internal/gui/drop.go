package gui

import (
	"errors"
	"io"
	"io/fs"
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
	ahead  ahead
}

// dropped is a file or folder of a drop.
type dropped struct {
	name     string
	number   int // of the file in the page's list; -1: a folder
	size     int64
	modified time.Time
	in       map[string]*dropped // nil: a file
	sorted   []fs.DirEntry
	next     *dropped // file that a walk comes to after this one
	asked    bool     // it has been read, or is about to be
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
		slots: make(chan struct{}, mostReads), closed: make(chan struct{}), ahead: ahead{batches: make(map[chunk]*batch)}}
	for i, file := range d.Files {
		if err := f.plant(i, file); err != nil {
			return nil, err
		}
	}
	f.root.sort(nil)
	return f, nil
}

func tooManyDropped() error {
	return refuse(http.StatusRequestEntityTooLarge, "Choose the folder in the list of this machine's folders instead.",
		"more than %d files and folders, or %d MiB of names, cannot be sent through the page", mostDropped, dropLimit>>20)
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

// sort puts what is in a folder in the order of a walk, behind the file last, and
// returns the last file.
func (n *dropped) sort(last *dropped) *dropped {
	for _, c := range n.in {
		n.sorted = append(n.sorted, fs.FileInfoToDirEntry(c))
	}
	slices.SortFunc(n.sorted, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, e := range n.sorted {
		c := n.in[e.Name()]
		if c.in != nil {
			last = c.sort(last)
			continue
		}
		if last != nil {
			last.next = c
		}
		last = c
	}
	return last
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
