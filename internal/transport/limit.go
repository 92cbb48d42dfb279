package transport

import "time"

const (
	// LeastLimit is the lowest limit in bytes per second; lower ones count as
	// this. One packet takes a second then, and the peer, which may ask for a
	// limit, cannot make it a standstill that looks like a slow path: whoever
	// pauses says so.
	LeastLimit = 1000

	// limitHold is how much time can be made up for after less has been sent
	// than the limit allows. A limit is exact over seconds, so it may be longer
	// than what the pacer makes up for, which the path has to bear.
	limitHold = 50 * time.Millisecond

	// limitPacket is how long a packet may take at the limit. Larger ones than
	// the base would let a slow limit stutter.
	limitPacket = 50 * time.Millisecond

	// limitHeadroom is how much faster than the limit the pacer may be: what a
	// slower phase of the controller has cost is then made up for, and it is
	// the limiter alone that keeps the mean.
	limitHeadroom = 1.25
)

// limiter keeps what this end sends below what the user and the peer allow. It
// is a second token bucket beside the pacer's: every byte of UDP payload
// counts, acknowledgements, probes and retransmissions included, but only bulk
// waits. Control is little, and would be late behind the debt of a packet.
type limiter struct {
	own    float64 // bytes per second; zero: none
	peer   float64 // what the peer wants at most; zero: no matter
	rate   float64 // the lower one; zero: none
	bucket pacer
}

// update takes the lower limit, and reports whether it is another one.
func (l *limiter) update() bool {
	r := l.own
	if r == 0 || l.peer > 0 && l.peer < r {
		r = l.peer
	}
	if r > 0 {
		r = max(r, LeastLimit)
	}
	changed := r != l.rate
	if l.rate == 0 {
		l.bucket = pacer{hold: limitHold}
	}
	l.rate = r
	return changed
}

func (l *limiter) advance(now time.Time, size int) {
	if l.rate == 0 {
		return
	}
	if l.bucket.last.IsZero() {
		l.bucket.last = now // nothing is saved at the start
	}
	l.bucket.advance(now, l.rate, min(size, l.largest()))
}

// ready reports whether a packet with bulk may leave.
func (l *limiter) ready() bool { return l.rate == 0 || l.bucket.ready() }

func (l *limiter) sent(size int) {
	if l.rate > 0 {
		l.bucket.sent(size)
	}
}

// largest is the UDP payload that packets should not exceed.
func (l *limiter) largest() int {
	if l.rate == 0 {
		return 1 << 16
	}
	return max(BaseMTU, int(min(l.rate*limitPacket.Seconds(), 1<<16)))
}

// headroom is the most that the controller may pace at; zero: no matter.
func (l *limiter) headroom() float64 { return limitHeadroom * l.rate }

// SetLimit bounds the UDP payload that this end sends, in bytes per second;
// zero: the path decides. It holds from the next packet on.
func (c *Conn) SetLimit(rate float64) {
	c.limit.own = max(rate, 0)
	c.applyLimit()
}

func (c *Conn) applyLimit() {
	if c.limit.update() {
		c.cc.SetMaxRate(c.limit.headroom())
		c.wake()
	}
}

// SetBackground makes this end's sending yield to other traffic, or no longer.
// What is known of the path is learned anew, since it was learned by other
// means.
func (c *Conn) SetBackground(on bool) {
	c.wish.background = on
	c.applyBackground()
}

// background reports whether either end wants this end's sending to yield.
func (c *Conn) background() bool { return c.wish.background || c.wish.peer.Background }

func (c *Conn) applyBackground() {
	if on := c.background(); on != c.wish.yielding {
		c.wish.yielding = on
		c.restartRate()
		c.wake()
	}
}
