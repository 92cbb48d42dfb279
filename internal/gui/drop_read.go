package gui

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	// readPart is how much a page is asked for at once, and mostReads how many
	// such requests of a drop are open.
	readPart  = 1 << 20
	mostReads = 4
	// smallFile is up to what size files are asked for together, mostTogether at
	// a time: asking takes longer than reading them. More hold the page up.
	smallFile    = 64 << 10
	mostTogether = 32
	// mostAhead is how many answers are kept of which not all has been read.
	mostAhead = 2 * mostReads
	// goneTime is how long a page may be away before its files count as lost, and
	// readTime how long one that is there may take to read.
	goneTime = 20 * time.Second
	readTime = 2 * time.Minute
)

var (
	errPageGone   = errors.New("the page that holds the files was closed")
	errPageSilent = errors.New("the browser does not read it")
	errEnded      = errors.New("the transfer has ended")
)

// chunk is what a page is asked for of a file: readPart bytes of it, fewer at its
// end.
type chunk struct {
	node *dropped
	at   int64 // a multiple of readPart
}

func (c chunk) size() int64 { return min(c.node.size-c.at, readPart) }

// batch is what a page is asked for at once.
type batch struct {
	chunks  []chunk
	done    chan struct{} // closed when the following is known
	content map[chunk][]byte
	err     error
}

// ahead is what was read of a drop before it was asked for.
type ahead struct {
	mu      sync.Mutex
	batches map[chunk]*batch
	order   []*batch  // the oldest first
	away    time.Time // since when the page was seen to be away; zero: it is there
}

// ReadAt asks the page for bytes.
func (f *dropFile) ReadAt(p []byte, off int64) (n int, err error) {
	if f.node.IsDir() {
		return 0, &fs.PathError{Op: "read", Path: f.node.name, Err: errors.New("is a folder")}
	}
	end := min(off+int64(len(p)), f.node.size)
	for at := off; at < end; {
		c := chunk{f.node, at - at%readPart}
		b, err := f.drop.read(c)
		if err != nil {
			return n, &fs.PathError{Op: "read", Path: f.node.name, Err: err}
		}
		got := copy(p[at-off:end-off], b[at-c.at:])
		n += got
		if at += int64(got); at == c.at+c.size() { // who reads goes on behind it
			f.drop.forget(c)
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// read returns what is in a chunk.
func (d *drop) read(c chunk) ([]byte, error) {
	d.ahead.mu.Lock()
	b, known := d.ahead.batches[c]
	if !known {
		b = d.planLocked(c)
	}
	d.ahead.mu.Unlock()
	if !known {
		d.fetch(b)
	}
	select {
	case <-b.done:
	case <-d.closed:
		return nil, errEnded
	}
	if b.err == nil {
		return b.content[c], nil
	}
	d.forget(c)
	var u *unread
	if len(b.chunks) > 1 && errors.As(b.err, &u) { // one of them cannot be read: which?
		b = &batch{chunks: []chunk{c}, done: make(chan struct{})}
		d.fetch(b)
	}
	return b.content[c], b.err
}

// planLocked makes a batch of a chunk and, if it is a small file, of those
// that will be read next.
func (d *drop) planLocked(c chunk) *batch {
	b := &batch{chunks: []chunk{c}, done: make(chan struct{})}
	size := c.size()
	for n := c.node.next; n != nil && !c.node.asked && c.node.size <= smallFile && len(b.chunks) < mostTogether; n = n.next {
		if n.size > smallFile || size+n.size > readPart {
			break
		}
		if n.size > 0 && !n.asked {
			n.asked = true
			size += n.size
			b.chunks = append(b.chunks, chunk{n, 0})
		}
	}
	c.node.asked = true
	for _, x := range b.chunks {
		d.ahead.batches[x] = b
	}
	d.ahead.order = append(d.ahead.order, b)
	if len(d.ahead.order) > mostAhead {
		d.forgetLocked(d.ahead.order[0])
		d.ahead.order = slices.Delete(d.ahead.order, 0, 1)
	}
	return b
}

// forgetLocked gives up what was not read of a batch.
func (d *drop) forgetLocked(b *batch) {
	for _, x := range b.chunks {
		if d.ahead.batches[x] == b {
			delete(d.ahead.batches, x)
		}
	}
}

// forget gives up a chunk: whoever reads it once more asks anew.
func (d *drop) forget(c chunk) {
	d.ahead.mu.Lock()
	defer d.ahead.mu.Unlock()
	delete(d.ahead.batches, c)
}

// fetch asks the page for a batch.
func (d *drop) fetch(b *batch) {
	defer close(b.done)
	want := Read{Drop: d.id}
	for _, c := range b.chunks {
		want.Parts = append(want.Parts, Part{File: c.node.number, Offset: c.at, Length: c.size()})
	}
	all, err := d.ask(want)
	if err != nil {
		b.err = err
		return
	}
	b.content = make(map[chunk][]byte)
	for _, c := range b.chunks {
		b.content[c], all = all[:c.size()], all[c.size():]
	}
}

// ask asks the page for parts of files and waits for the answer.
func (d *drop) ask(want Read) ([]byte, error) {
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	case <-d.closed:
		return nil, errEnded
	}
	r := &pendingRead{page: d.page, want: want, done: make(chan readAnswer, 1)}
	defer d.hub.unask(d.hub.ask(r))
	check := time.NewTicker(time.Second)
	defer check.Stop()
	now := time.Now()
	here := now // since when it was there
	for {
		switch away := d.away(now); {
		case away >= goneTime:
			return nil, errPageGone
		case away > 0:
			here = now
		case now.Sub(here) >= readTime:
			return nil, errPageSilent
		}
		select {
		case a := <-r.done:
			return a.bytes, a.err
		case <-d.closed:
			return nil, errEnded
		case now = <-check.C:
		}
	}
}

// away is for how long the page has been away, for all who wait for it.
func (d *drop) away(now time.Time) time.Duration {
	there := d.hub.pageThere(d.page)
	d.ahead.mu.Lock()
	defer d.ahead.mu.Unlock()
	switch {
	case there:
		d.ahead.away = time.Time{}
	case d.ahead.away.IsZero():
		d.ahead.away = now
	}
	if there {
		return 0
	}
	return max(now.Sub(d.ahead.away), 1)
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

func (r *Read) size() (n int64) {
	for _, p := range r.Parts {
		n += p.Length
	}
	return n
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
	b := make([]byte, r.want.size())
	_, err := io.ReadFull(content, b)
	if err == nil {
		var more [1]byte
		if n, _ := io.ReadFull(content, more[:]); n > 0 {
			err = errors.New("there is more")
		}
	}
	if err != nil {
		r.done <- readAnswer{err: errors.New("the browser has sent something else than what was asked for")}
		return refuse(http.StatusBadRequest, "", "these are not the %d bytes that were asked for", r.want.size())
	}
	r.done <- readAnswer{bytes: b}
	return nil
}
