package congestion

import "time"

// Packet is what a controller remembers of a packet in flight. Controller.Sent
// fills it in; nobody else writes to it.
type Packet struct {
	SentAt int64  // ns on the sender's clock
	UpTo   int64  // bytes of all measured packets sent on the path, it included
	Idle   uint32 // changes whenever the sender had less to send than it might have
	Mark   Mark   // what the controller was doing
}

// Mark says for which end a packet was sent.
type Mark uint8

const (
	// searching: nothing is known yet.
	searching Mark = iota
	// below the rate that the path is thought to take.
	below
	// at that rate.
	at
	// above it.
	above
	marks
)

// Feedback is what an acknowledgement says about the path.
type Feedback struct {
	// RTT is the round-trip time of the newest packet acknowledged, without
	// what the peer waited; zero: this acknowledgement gives none.
	RTT time.Duration

	// Packet is the newest measured packet that has arrived; nil: none of
	// this path.
	Packet *Packet

	// Arrived is when it did, on the peer's clock, whose origin is arbitrary.
	Arrived time.Duration

	// Received is how many bytes of measured packets had arrived by then,
	// since some origin before the path.
	Received int64
}

// point is one Feedback as numbers: where the sender and the receiver stood
// when a certain packet left and arrived.
type point struct {
	sentAt, upTo      int64
	arrived, received int64
	idle              uint32
}

// history remembers the points of the latest round trips, so that rates can be
// taken over a stretch of time of one's choice.
type history struct {
	tip  point // newest
	ring [64]point
	next int // in ring
	n    int
}

func (h *history) clear() { h.n, h.next, h.tip = 0, 0, point{} }

// add appends a point; those closer to each other than gap are not all kept.
func (h *history) add(p point, gap int64) {
	h.tip = p
	if h.n > 0 && p.arrived-h.at(0).arrived < gap {
		return
	}
	h.ring[h.next] = p
	h.next = (h.next + 1) % len(h.ring)
	h.n = min(h.n+1, len(h.ring))
}

// at returns the i-th newest kept point.
func (h *history) at(i int) *point {
	return &h.ring[(h.next-1-i+len(h.ring))%len(h.ring)]
}

// stretch is what lies between two points.
type stretch struct {
	sending, arriving int64 // ns
	sent, received    int64 // bytes
	limited           bool  // the sender had less to send than it might have
}

// between returns the stretch from a to b.
func between(a, b *point) stretch {
	return stretch{
		sending: b.sentAt - a.sentAt, arriving: b.arrived - a.arrived,
		sent: b.upTo - a.upTo, received: b.received - a.received,
		limited: a.idle != b.idle,
	}
}

// last returns the shortest stretch up to now whose packets took at least span
// to arrive and left at or after the time since. False: there is none.
func (h *history) last(span, since int64) (stretch, bool) {
	for i := range h.n {
		p := h.at(i)
		if p.sentAt < since {
			break
		}
		if h.tip.arrived-p.arrived >= span {
			return between(p, &h.tip), true
		}
	}
	return stretch{}, false
}

// carried is how many bytes of the stretch the path has carried, counting what
// was lost behind the bottleneck. Of all losses, base is the share that happens
// whatever one sends; what is lost beyond is the path's answer to too much.
func (s *stretch) carried(base float64) float64 {
	return min(float64(s.sent), float64(s.received)/(1-base))
}

// maxFilter is the largest value of the latest stretch of time: between one
// and two lengths.
type maxFilter struct {
	now, before float64
	began       int64
}

func (f *maxFilter) best() float64 { return max(f.now, f.before) }

// add takes a value. Only values let time pass, so that a pause ages nothing.
func (f *maxFilter) add(t, length int64, v float64) {
	if t-f.began >= length {
		f.before, f.now, f.began = f.now, 0, t
	}
	f.now = max(f.now, v)
}

func (f *maxFilter) set(t int64, v float64) { *f = maxFilter{now: v, before: 0, began: t} }

// minFilter is the smallest value of between one and two lengths of time.
type minFilter struct {
	now, before int64
	began       int64
	any         bool
}

func (f *minFilter) least() int64 { return min(f.now, f.before) }

func (f *minFilter) add(t, length, v int64) {
	switch {
	case !f.any || t-f.began >= 2*length:
		*f = minFilter{v, v, t, true}
	case t-f.began >= length:
		f.before, f.now, f.began = f.now, v, t
	default:
		f.now = min(f.now, v)
	}
}
