package transport

// A Source holds the bulk bytes to send.
type Source interface {
	// ReadBulk fills p, or the front of it, with the bytes at off and returns
	// how many; ok is false while they are not in memory. Then the source
	// fetches them, and the caller of Conn.Send calls it again afterwards.
	ReadBulk(p []byte, off int64) (n int, ok bool)
}

// A Sink takes the bulk bytes that arrive.
type Sink interface {
	// WriteBulk takes a copy of p, the bytes at off. False means that it has
	// no memory for them now: they are not acknowledged and come again.
	WriteBulk(p []byte, off int64) bool

	// BulkWindow is how many bytes the peer may have in flight.
	BulkWindow() int64
}

// span is a range of the bulk space.
type span struct{ off, n int64 }

// spanQueue is a FIFO of spans.
type spanQueue struct {
	spans []span
	head  int
	bytes int64
}

// push appends a span, as part of the last one where they touch.
func (q *spanQueue) push(off, n int64) {
	q.bytes += n
	if l := len(q.spans); l > q.head && q.spans[l-1].off+q.spans[l-1].n == off {
		q.spans[l-1].n += n
		return
	}
	if q.head > 1024 && q.head > len(q.spans)/2 {
		q.spans = q.spans[:copy(q.spans, q.spans[q.head:])]
		q.head = 0
	}
	q.spans = append(q.spans, span{off, n})
}

func (q *spanQueue) empty() bool { return q.bytes == 0 }

// first returns the head of the queue; the queue is not empty.
func (q *spanQueue) first() span { return q.spans[q.head] }

// take removes n bytes from the head of the queue.
func (q *spanQueue) take(n int64) {
	s := &q.spans[q.head]
	s.off += n
	s.n -= n
	q.bytes -= n
	if s.n == 0 {
		q.head++
	}
	if q.head == len(q.spans) {
		q.head, q.spans = 0, q.spans[:0]
	}
}

// bulkState is what bulk is to be sent, and what the peer can take.
type bulkState struct {
	source   Source
	sink     Sink
	fresh    spanQueue // never sent
	lost     spanQueue // to be sent again
	inFlight int64     // bulk bytes whose fate is open
	top      int64     // end of what was ever queued
	window   int64     // how many of them the peer allows
	starved  bool      // the source had nothing in memory when asked
}

// initialBulkWindow is assumed until the peer's first acknowledgement.
const initialBulkWindow = 16 << 20

func (b *bulkState) pending() bool { return !b.fresh.empty() || !b.lost.empty() }

// allowed reports whether the peer's window lets bulk out.
func (b *bulkState) allowed() bool { return b.inFlight < b.window }

// fill reads as much as fits in p from the head of q and takes it off. Zero:
// nothing is in memory.
func (b *bulkState) fill(q *spanQueue, p []byte) (off int64, n int) {
	s := q.first()
	want := int(min(int64(len(p)), s.n))
	for n < want {
		// A source may stop at the edge of its own blocks; a packet should
		// be full nevertheless, or it ends a train early.
		m, ok := b.source.ReadBulk(p[n:want], s.off+int64(n))
		if !ok || m <= 0 {
			break
		}
		n += m
	}
	if n > 0 {
		q.take(int64(n))
	}
	return s.off, n
}
