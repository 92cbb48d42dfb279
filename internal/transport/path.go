package transport

import (
	"bytes"
	"time"

	"qft/internal/secret"
	"qft/internal/udp"
)

const (
	challengeTries    = 6
	challengeInterval = 100 * time.Millisecond

	// leftTime is how long the peer may go on to use, beyond two round trips,
	// the way that the caller has left: it makes up its mind a little later.
	leftTime       = time.Second
	leastChallenge = HeaderSize + 1 + 8 + secret.Overhead // bytes of the packet
)

// pathState is the way that packets go. It changes only to one that has
// answered a challenge (RFC 9000 section 8.2), or to one that the caller has
// validated: a packet that was merely captured and sent on from elsewhere must
// not redirect the transfer.
type pathState struct {
	chosen  udp.Path
	highest uint64 // largest packet number that arrived

	left     udp.Path  // the caller has left this way for a better one
	returnAt time.Time // until then the peer's packets do not bring it back

	candidate udp.Path // the peer's newest packets come this way
	challenge [8]byte
	tries     int
	askAt     time.Time // when to send the challenge (again); zero: never
	since     time.Time // when the candidate was first seen
	credit    int       // bytes that may go to the candidate: three times what came from it

	answerTo udp.Path // a challenge came this way
	answer   [8]byte
	size     int // of the packet that carried it; the answer is no larger
	answers  bool
}

// seen notes where an authenticated packet came from.
func (c *Conn) seen(now time.Time, pn uint64, from udp.Path, size int) {
	p := &c.path
	if pn < p.highest {
		return
	}
	p.highest = pn
	if from == p.chosen {
		p.candidate = udp.Path{}
		p.askAt = time.Time{}
		return
	}
	// "an endpoint MUST NOT send more than three times as many bytes" to an
	// address that has not been validated (RFC 9000 section 8.2).
	if from == p.left && now.Before(p.returnAt) {
		return
	}
	if from == p.candidate && !p.askAt.IsZero() {
		p.credit = min(p.credit+3*size, 1<<20)
		return
	}
	if now.Sub(p.since) < challengeInterval {
		return
	}
	p.candidate = from
	p.since = now
	p.credit = 3 * size
	p.tries = 0
	p.askAt = now
	c.random(p.challenge[:])
}

func (c *Conn) onChallenge(data []byte, from udp.Path, size int) {
	c.path.answers = true
	c.path.size = size
	c.path.answerTo = from
	copy(c.path.answer[:], data)
}

func (c *Conn) onResponse(now time.Time, data []byte) {
	p := &c.path
	if p.candidate.Remote.IsValid() && p.tries > 0 && bytes.Equal(data, p.challenge[:]) {
		c.move(now, p.candidate)
	}
}

// SetPath makes to, which the caller has validated, the way that packets go.
// Where the peer's packets come from then moves it elsewhere; only not at once
// back to where it was.
func (c *Conn) SetPath(now time.Time, to udp.Path) {
	p := &c.path
	if to != p.chosen {
		p.left, p.returnAt = p.chosen, now.Add(leftTime+2*c.rtt.smoothed)
	}
	c.move(now, to)
}

// move makes to, which the caller or a challenge has validated, the way that
// packets go.
func (c *Conn) move(now time.Time, to udp.Path) {
	p := &c.path
	p.candidate = udp.Path{}
	p.askAt = time.Time{}
	if to == p.chosen {
		return
	}
	moved := to.Remote.Addr() != p.chosen.Remote.Addr() || to.IsLine() != p.chosen.IsLine()
	p.chosen = to
	c.stats.Migrations++
	// A probe that waits for its backed-off timer would leave the new path
	// idle for a second.
	if c.loss.eliciting > 0 {
		c.loss.probesDue = 2 // one may be lost
	}
	if moved {
		// "an endpoint MUST immediately reset the congestion controller and
		// round-trip time estimator ... unless the only change in the peer's
		// address is its port number" (RFC 9000 section 9.4).
		c.rtt.init(min(c.rtt.smoothed, max(challengeInterval, 2*c.rtt.base())))
		c.mtu.start(to.Remote.Addr(), c.ceiling(), false)
		c.restartRate()
	}
}

// sendPathFrames sends what path validation wants to say, each in a packet of
// its own, padded so that the path is tried with a full-size packet.
func (c *Conn) sendPathFrames(now time.Time, b *udp.Batch) {
	p := &c.path
	if p.answers && c.sendPadded(now, b, p.answerTo, min(p.size, c.mtu.base), frameResponse, p.answer[:]) {
		p.answers = false
	}
	if p.askAt.IsZero() || p.askAt.After(now) {
		return
	}
	if p.tries >= challengeTries {
		p.askAt = time.Time{} // the next packet from there starts again
		return
	}
	size := min(p.credit, c.mtu.base)
	if size >= leastChallenge && c.sendPadded(now, b, p.candidate, size, frameChallenge, p.challenge[:]) {
		p.credit -= size
	}
	p.tries++
	p.askAt = now.Add(max(challengeInterval, min(c.rtt.smoothed, maxProbeInterval)))
}
