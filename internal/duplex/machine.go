package duplex

import (
	"time"

	"qft/internal/transfer"
)

// This file is an End as the loop drives it.

// Start begins over conn. Call Step next.
func (e *End) Start(conn transfer.Conn) {
	if e.state != idle {
		return
	}
	e.state = greeting
	e.ctl.conn = conn
	e.ctl.send(msgStream, version)
}

// Step takes and sends what there is.
func (e *End) Step(now time.Time) {
	e.now = now
	if e.state == idle || e.state == ended {
		return
	}
	e.listen()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.due = false
	if e.state == open && e.gone {
		e.state, e.giveUp, e.behind = closing, now.Add(flushPatience), -1
	}
	if e.state == open || e.state == closing {
		e.speak()
	}
	if e.state != ended {
		e.ctl.flush()
	}
	switch e.state {
	case closing:
		e.conclude(now)
	case failing:
		if e.ctl.flushed() || !now.Before(e.giveUp) {
			e.state = ended
		}
	}
}

// speak gives the connection what was written, and what there is to tell.
func (e *End) speak() {
	in, out := &e.in, &e.out
	if n := out.end - e.queued; n > 0 {
		e.ctl.conn.SendBulk(e.queued, n)
		e.queued = out.end
	}
	if len(e.ctl.out) > 0 {
		return // newer figures later
	}
	if in.base-in.told >= readStep || e.gone && !e.said && in.base > in.told {
		in.told = in.base
		e.ctl.sendOffset(msgRead, in.base)
	}
	if out.shut && !out.toldIt {
		out.toldIt = true
		e.ctl.sendOffset(msgEnd, out.end)
	}
	if e.gone && !e.said {
		e.said = true
		e.ctl.send(msgClosed)
	}
}

// conclude ends a stream that was closed here, when the other side has all or
// nothing gets on.
func (e *End) conclude(now time.Time) {
	behind := e.ctl.conn.BulkUnsent() + e.ctl.conn.BulkUnacked()
	if e.said && e.ctl.flushed() && (behind == 0 || e.out.closed) {
		e.state = ended
		return
	}
	if behind != e.behind {
		e.behind, e.giveUp = behind, now.Add(flushPatience)
	}
	if !now.Before(e.giveUp) {
		e.over(&transfer.Error{Kind: transfer.Lost, Err: ErrLate})
		e.state = ended
	}
}

// Deadline is when to call Step next if nothing happens before; zero: never.
func (e *End) Deadline() time.Time {
	if e.state == closing || e.state == failing {
		return e.giveUp
	}
	return time.Time{}
}

// Done reports whether it has ended, and how: nil, or a *transfer.Error.
func (e *End) Done() (bool, error) {
	if e.state != ended {
		return false, nil
	}
	return true, e.Flaw()
}

// Stop ends it at once, because this side wants to.
func (e *End) Stop(error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state != ended {
		e.over(&transfer.Error{Kind: transfer.Canceled, Err: ErrGone})
		e.state = ended
	}
}

// Close is for when there will be no connection, or none any more.
func (e *End) Close() { e.Stop(nil) }

// PeerClosed tells that the connection has ended. What has arrived can still be
// read.
func (e *End) PeerClosed(error) {
	e.listen()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state == ended {
		return
	}
	switch behind := e.ctl.conn.BulkUnsent() + e.ctl.conn.BulkUnacked(); {
	case e.state == failing:
	case e.gone && behind > 0:
		e.over(&transfer.Error{Kind: transfer.Lost, Err: ErrLate})
	case !e.gone && !(e.out.closed && e.in.ended && e.in.next == e.in.end):
		e.over(&transfer.Error{Kind: transfer.Lost, Err: ErrLost})
	}
	e.news.Broadcast()
	e.state = ended
}

// Progress implements what a transfer tells; there is nothing to tell.
func (e *End) Progress() transfer.Progress { return transfer.Progress{} }

// fail ends it because of what the peer is or did.
func (e *End) fail(kind transfer.Kind, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.over(&transfer.Error{Kind: kind, Err: err})
	e.state, e.giveUp = failing, e.now.Add(tellPatience)
}

// listen takes the messages that have arrived.
func (e *End) listen() {
	for e.state != idle && e.state != failing && e.state != ended {
		typ, body, whole, long := e.ctl.next()
		switch {
		case long || whole && e.state == greeting && typ != msgStream:
			e.mistaken()
		case whole:
			e.handle(typ, body)
		case !e.ctl.fill():
			return
		}
	}
}

// mistaken: the peer says what nobody says in a stream.
func (e *End) mistaken() {
	if e.state == greeting {
		e.fail(transfer.Foreign, nil)
		return
	}
	e.fail(transfer.Protocol, errBroken)
}

func (e *End) handle(typ byte, body []byte) {
	if typ == msgStream && e.state == greeting {
		if len(body) != 1 || body[0] != version {
			e.fail(transfer.Version, nil)
			return
		}
		e.state = open
		e.opened()
		return
	}
	if !e.heed(typ, body) {
		e.fail(transfer.Protocol, errBroken)
	}
}

// heed takes a message of an open stream; false: it makes no sense.
func (e *End) heed(typ byte, body []byte) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer e.news.Broadcast()
	in, out := &e.in, &e.out
	off, ok := offset(body)
	switch {
	case typ == msgRead && ok && off >= out.base && off <= e.queued:
		out.base = off
		out.trim(off)
	case typ == msgEnd && ok && !in.ended && off >= in.top && off <= in.base+Window:
		in.end, in.ended = off, true
	case typ == msgClosed && len(body) == 0 && !out.closed:
		out.closed = true
		if out.end > out.base {
			e.over(&transfer.Error{Kind: transfer.Broken, Peer: true, Err: ErrUnread})
		}
	default:
		return false
	}
	return true
}

// ReadBulk implements what the connection sends from.
func (e *End) ReadBulk(p []byte, off int64) (n int, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	n = int(min(int64(len(p)), e.out.end-off))
	if n <= 0 {
		return 0, false
	}
	p = p[:n]
	if gone := min(e.out.base-off, int64(n)); gone > 0 {
		// It was read there, and this is a repetition: what it says is no matter.
		clear(p[:gone])
		p, off = p[gone:], off+gone
	}
	e.out.read(p, off)
	return n, true
}

// WriteBulk takes what arrives.
func (e *End) WriteBulk(p []byte, off int64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	in := &e.in
	end := off + int64(len(p))
	switch {
	case e.gone, end <= in.base:
		return true // nobody wants it, or it has been read
	case end > in.base+Window, in.ended && end > in.end:
		return false
	case off < in.base:
		p, off = p[in.base-off:], in.base
	}
	if !in.have.add(off, end) {
		return false
	}
	in.write(p, off)
	in.top = max(in.top, end)
	if next := in.have.runTo(in.next); next > in.next {
		in.next = next
		e.news.Broadcast()
	}
	return true
}

// BulkWindow is how much may be in flight: the writer knows what there is room
// for.
func (e *End) BulkWindow() int64 { return Window }
