package tcp

import (
	"slices"
	"time"

	"qft/internal/udp"
)

const (
	delayedAck = 40 * time.Millisecond // TCP_DELACK_MIN of Linux
	quickAcks  = 16                    // segments that are acknowledged at once at the start
)

// Receiver is the receiving end. Its zero value is ready.
type Receiver struct {
	from    udp.Path
	next    int64   // all segments below have arrived
	blocks  []block // what has arrived above, the latest first
	pending int     // segments since the latest acknowledgement
	seen    int64
	due     time.Time // when to acknowledge; zero: nothing to say
	total   int64
}

// Bytes is how many bytes of payload have arrived, each counted once.
func (r *Receiver) Bytes() int64 { return r.total * MSS }

// Receive takes a segment.
func (r *Receiver) Receive(now time.Time, p udp.Packet) {
	n, ok := parseData(p.Data)
	if !ok {
		return
	}
	r.from = p.Path
	r.seen++
	r.pending++
	inOrder := n == r.next && len(r.blocks) == 0
	r.take(n)
	switch {
	case !inOrder || r.pending >= 2 || r.seen <= quickAcks:
		r.due = now
	case r.due.IsZero():
		r.due = now.Add(delayedAck)
	}
}

// take notes segment n, whose block becomes the first one (RFC 2018 section 4:
// "the first SACK block MUST specify the contiguous block of data containing
// the segment which triggered this ACK").
func (r *Receiver) take(n int64) {
	if n < r.next || slices.ContainsFunc(r.blocks, func(b block) bool { return b.low <= n && n < b.high }) {
		return
	}
	r.total++
	grown := block{n, n + 1}
	r.blocks = slices.DeleteFunc(r.blocks, func(b block) bool {
		switch {
		case b.high == n:
			grown.low = b.low
		case b.low == n+1:
			grown.high = b.high
		default:
			return false
		}
		return true
	})
	if grown.low == r.next {
		r.next = grown.high
		return
	}
	r.blocks = slices.Insert(r.blocks, 0, grown)
}

// Send appends the acknowledgement that is due.
func (r *Receiver) Send(now time.Time, b *udp.Batch) {
	if r.due.IsZero() || r.due.After(now) {
		return
	}
	p := b.Tail(ackSize + 4 + maxBlocks*sackSize)
	if p == nil {
		return
	}
	p = appendAck(p, r.next, r.blocks[:min(len(r.blocks), maxBlocks)])
	b.Commit(r.from, len(p))
	r.pending, r.due = 0, time.Time{}
}

// Deadline is when the next acknowledgement is due.
func (r *Receiver) Deadline() time.Time { return r.due }
