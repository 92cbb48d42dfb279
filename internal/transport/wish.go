package transport

import "time"

// Wish is what one end wants of the other's sending.
type Wish struct {
	// Rate is the most UDP payload in bytes per second. Zero: no matter.
	Rate float64
	// Background wants it to yield to other traffic.
	Background bool
	// Paused says that this end has paused the connection: no bulk leaves
	// either end while one of them has. Everything else goes on.
	Paused bool
}

const (
	wishBackground = 0x01
	wishPaused     = 0x02
	maxWishRate    = 1 << 50 // bytes per second; more is no limit
)

// wishState is what each end wants of the other.
type wishState struct {
	background bool // our own sending should yield
	yielding   bool // it does
	own        Wish // for the peer
	due        bool // and it should be told
	peer       Wish
	peerFrom   uint64 // packet number of its newest
}

// Ask tells the peer what this end wants of its sending. It obeys half a round
// trip later, or as soon as the frame arrives.
func (c *Conn) Ask(w Wish) {
	w.Rate = min(max(w.Rate, 0), maxWishRate)
	if w == c.wish.own {
		return
	}
	c.wish.own, c.wish.due = w, true
	c.wake()
}

// Paused reports which ends have paused the connection: this one by Ask, and
// the peer, as far as is known here.
func (c *Conn) Paused() (here, there bool) { return c.wish.own.Paused, c.wish.peer.Paused }

func (w *wishState) paused() bool { return w.own.Paused || w.peer.Paused }

func (c *Conn) onWish(a *arrival, f *frame) {
	a.eliciting = true
	if a.pn < c.wish.peerFrom {
		return // overtaken by a newer one
	}
	c.wish.peerFrom = a.pn
	c.wish.peer = f.wish
	c.limit.peer = f.wish.Rate
	c.applyLimit()
	c.applyBackground()
}

// leastWish is room for a WISH.
const leastWish = 1 + 8 + 1

func (c *Conn) fillWish(o *outgoing) {
	if !c.wish.due || o.room() < leastWish {
		return
	}
	o.pkt = appendWish(o.pkt, c.wish.own)
	c.wish.due = false
	c.note(o, control{typ: frameWish})
}

func appendWish(b []byte, w Wish) []byte {
	b = append(b, byte(frameWish))
	b = appendVarint(b, uint64(w.Rate))
	var flags byte
	if w.Background {
		flags |= wishBackground
	}
	if w.Paused {
		flags |= wishPaused
	}
	return append(b, flags)
}

func parseWish(r *reader) (w Wish) {
	w.Rate = float64(min(r.varint(), maxWishRate))
	flags := r.byte()
	w.Background = flags&wishBackground != 0
	w.Paused = flags&wishPaused != 0
	return w
}

// Report is what one end tells the other of how the transfer goes, as far as
// the other cannot see it.
type Report struct {
	// Cause is what holds the transfer up; its meaning is the caller's.
	Cause byte
	// Loss is the share of this end's packets that are being lost, 0 to 1.
	Loss float64
	// Rate is what the path is thought to carry to the other end, in bytes per
	// second; zero: not known.
	Rate float64
	// RTT is the path's round-trip time; zero: not known.
	RTT time.Duration
}

// reportState is what the ends tell each other.
type reportState struct {
	own      Report
	due      bool
	peer     Report
	peerFrom uint64 // packet number of its newest
	heard    bool
}

// Report tells the peer how it goes. It travels in the next packet that leaves
// anyway, and is not repeated when lost: the next one is newer.
func (c *Conn) Report(r Report) {
	c.report.own, c.report.due = r, true
}

// PeerReport is what the peer has told last; false: nothing.
func (c *Conn) PeerReport() (Report, bool) { return c.report.peer, c.report.heard }

func (c *Conn) onReport(a *arrival, f *frame) {
	if a.pn >= c.report.peerFrom {
		c.report.peerFrom = a.pn
		c.report.peer, c.report.heard = f.report, true
	}
}

// leastReport is room for a REPORT.
const leastReport = 1 + 1 + 3*8

func (c *Conn) fillReport(o *outgoing) {
	if c.report.due && o.room() >= leastReport {
		o.pkt = appendReport(o.pkt, c.report.own)
		c.report.due = false
	}
}

func appendReport(b []byte, r Report) []byte {
	b = append(b, byte(frameReport), r.Cause)
	b = appendVarint(b, uint64(min(max(r.Loss, 0), 1)*1e6))
	b = appendVarint(b, uint64(min(max(r.Rate, 0), maxWishRate)))
	return appendVarint(b, uint64(max(r.RTT, 0)/time.Microsecond))
}

func parseReport(r *reader) (p Report) {
	p.Cause = r.byte()
	p.Loss = float64(min(r.varint(), 1e6)) / 1e6
	p.Rate = float64(min(r.varint(), maxWishRate))
	p.RTT = time.Duration(min(r.varint(), 1<<40)) * time.Microsecond
	return p
}
