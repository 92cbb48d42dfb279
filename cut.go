package qft

import (
	"errors"
	"io"
	"sync"
)

var errCut = errors.New("the stream is not used any more")

// cutReader is a stream whose reads can be cut short. One from a terminal or a
// pipe cannot be interrupted, so it is left behind, with what it may yield.
type cutReader struct {
	r     io.Reader
	start sync.Once
	want  chan struct{}
	got   chan piece
	cut   chan struct{}
	end   sync.Once
	rest  []byte
	err   error
}

type piece struct {
	data []byte
	err  error
}

func newCutReader(r io.Reader) *cutReader {
	return &cutReader{r: r, want: make(chan struct{}), got: make(chan piece), cut: make(chan struct{})}
}

// Read implements io.Reader. It may be called by one goroutine at a time.
func (c *cutReader) Read(p []byte) (int, error) {
	if len(c.rest) == 0 && c.err == nil {
		c.start.Do(func() { go c.pump() })
		select {
		case c.want <- struct{}{}:
		case <-c.cut:
			return 0, errCut
		}
		select {
		case k := <-c.got:
			c.rest, c.err = k.data, k.err
		case <-c.cut:
			return 0, errCut
		}
	}
	if len(c.rest) == 0 {
		return 0, c.err
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// pump reads one piece at a time, when the one before is used up.
func (c *cutReader) pump() {
	buf := make([]byte, 256<<10)
	for {
		select {
		case <-c.want:
		case <-c.cut:
			return
		}
		n, err := c.r.Read(buf)
		select {
		case c.got <- piece{buf[:n], err}:
		case <-c.cut:
			return
		}
		if err != nil {
			return
		}
	}
}

// stop ends a read that is under way, and all that come.
func (c *cutReader) stop() { c.end.Do(func() { close(c.cut) }) }

// cutWriter is a stream whose writes can be cut short, likewise.
type cutWriter struct {
	w     io.Writer
	start sync.Once
	put   chan []byte
	done  chan piece
	cut   chan struct{}
	end   sync.Once
	buf   []byte
}

func newCutWriter(w io.Writer) *cutWriter {
	return &cutWriter{w: w, put: make(chan []byte), done: make(chan piece), cut: make(chan struct{})}
}

// Write implements io.Writer. It may be called by one goroutine at a time.
func (c *cutWriter) Write(p []byte) (int, error) {
	select {
	case <-c.cut: // somebody may still be writing what is in buf
		return 0, errCut
	default:
	}
	c.start.Do(func() { go c.pump() })
	c.buf = append(c.buf[:0], p...) // the caller's is its own again when we return
	select {
	case c.put <- c.buf:
	case <-c.cut:
		return 0, errCut
	}
	select {
	case k := <-c.done:
		return len(k.data), k.err
	case <-c.cut:
		return 0, errCut
	}
}

func (c *cutWriter) pump() {
	for {
		var p []byte
		select {
		case p = <-c.put:
		case <-c.cut:
			return
		}
		n, err := c.w.Write(p)
		select {
		case c.done <- piece{p[:n], err}:
		case <-c.cut:
			return
		}
	}
}

func (c *cutWriter) stop() { c.end.Do(func() { close(c.cut) }) }
