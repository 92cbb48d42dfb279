package duplex

import (
	"io"
	"sync"
	"time"

	"qft/internal/transfer"
)

const (
	// Window is how far, in bytes, a writer may be ahead of its reader: more
	// than 100 Mbit/s take over a round trip of a second, or over 200 ms where a
	// tenth is lost and holds up the reader for some round trips.
	Window = 16 << 20

	// readStep is after how many bytes the writer is told what was read.
	readStep = Window / 16

	// flushPatience is how long Close waits while nothing gets on.
	flushPatience = 10 * time.Second

	// tellPatience is how long a failure waits for the peer to know of it.
	tellPatience = 2 * time.Second
)

// state is where an End stands, as in the package comment.
type state uint8

const (
	idle state = iota
	greeting
	open
	closing
	failing
	ended
)

// End is one side of a stream. It is made by New.
type End struct {
	spawn  func(work, done func())
	opened func()

	// Of the loop.
	state  state
	ctl    control
	now    time.Time
	giveUp time.Time
	behind int64 // closing: bytes not yet at the other side, when last looked at
	queued int64 // bytes given to the connection

	// Of all.
	mu   sync.Mutex
	news sync.Cond
	in   incoming
	out  outgoing
	err  *transfer.Error // why it is over; nil: it is not
	gone bool            // Hang was called
	said bool            // CLOSED was sent
	due  bool            // a Step is on its way
}

// incoming is what comes from the peer.
type incoming struct {
	window
	have  pieces
	base  int64 // bytes below were read
	next  int64 // bytes below can be
	top   int64 // end of what has arrived
	told  int64 // the peer knows that bytes below were read
	end   int64 // of the stream
	ended bool  // end is known
}

// outgoing is what goes to the peer.
type outgoing struct {
	window
	base   int64 // bytes below were read there
	end    int64 // of what was written
	shut   bool  // nothing more is written
	toldIt bool  // and END was sent
	closed bool  // the peer reads nothing more
}

// New returns an End that has not begun. spawn runs work beside the loop and
// then done in it; opened is called in the loop once, when the other side has
// opened a stream as well.
func New(spawn func(work, done func()), opened func()) *End {
	e := &End{spawn: spawn, opened: opened}
	e.news.L = &e.mu
	return e
}

// poke has Step called soon. It is called without the lock.
func (e *End) poke() {
	e.mu.Lock()
	ask := !e.due
	e.due = true
	e.mu.Unlock()
	if ask {
		e.spawn(func() {}, func() {})
	}
}

// Read takes bytes of the peer, in order. It waits for some; io.EOF says that
// the peer has ended its direction.
func (e *End) Read(p []byte) (int, error) {
	e.mu.Lock()
	in := &e.in
	for in.base == in.next && len(p) > 0 && !e.gone && e.err == nil && !(in.ended && in.base == in.end) {
		e.news.Wait()
	}
	n := min(int64(len(p)), in.next-in.base)
	switch {
	case e.gone:
		e.mu.Unlock()
		return 0, ErrGone
	case n == 0 && in.ended && in.base == in.end:
		e.mu.Unlock()
		return 0, io.EOF
	case n == 0:
		defer e.mu.Unlock()
		return 0, e.failure()
	}
	in.read(p[:n], in.base)
	in.base += n
	in.trim(in.base)
	tell := in.base-in.told >= readStep
	e.mu.Unlock()
	if tell {
		e.poke()
	}
	return int(n), nil
}

// failure is why it is over.
func (e *End) failure() error {
	if e.err == nil {
		return nil
	}
	return e.err
}

// Write puts bytes on their way. It waits while the peer has more unread than a
// window.
func (e *End) Write(p []byte) (n int, err error) {
	for {
		e.mu.Lock()
		out := &e.out
		for len(p) > 0 && out.end-out.base >= Window && !out.shut && !out.closed && e.err == nil {
			e.news.Wait()
		}
		err = e.unwritable(len(p))
		m := min(int64(len(p)), Window-(out.end-out.base), chunkSize)
		if err != nil || m == 0 {
			e.mu.Unlock()
			return n, err
		}
		out.write(p[:m], out.end)
		out.end += m
		e.mu.Unlock()
		e.poke()
		n, p = n+int(m), p[m:]
	}
}

// unwritable is why so many bytes cannot be written.
func (e *End) unwritable(n int) error {
	switch {
	case e.out.shut:
		return ErrGone
	case e.err != nil:
		return e.err
	case e.out.closed:
		return &transfer.Error{Kind: transfer.Broken, Peer: true, Err: ErrClosed}
	case e.out.end+int64(n) > maxOffset:
		return &transfer.Error{Kind: transfer.TooMuch, Err: errLong}
	}
	return nil
}

// CloseWrite ends this side's direction: the peer reads io.EOF behind what was
// written.
func (e *End) CloseWrite() error {
	e.mu.Lock()
	err := e.failure()
	e.out.shut = true
	e.news.Broadcast()
	e.mu.Unlock()
	e.poke()
	return err
}

// Hang ends both directions, and begins to end the connection; Flaw says how
// that went.
func (e *End) Hang() {
	e.mu.Lock()
	e.gone, e.out.shut = true, true
	e.news.Broadcast()
	e.mu.Unlock()
	e.poke()
}

// Flaw is what is wrong with a stream that was closed and has ended: nil if all
// that was written is with the other side, and was read if that closed first.
func (e *End) Flaw() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.failure()
}

// Abandon ends it for a reason from outside, if it has not ended. Call it when
// the loop has.
func (e *End) Abandon(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state != ended {
		e.over(&transfer.Error{Kind: transfer.Lost, Err: err})
	}
}

// over keeps the first reason, with the lock held.
func (e *End) over(err *transfer.Error) {
	if e.err == nil {
		e.err = err
	}
	e.news.Broadcast()
}
