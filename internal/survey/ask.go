package survey

import (
	"net/netip"
	"time"

	"qft/internal/stun"
	"qft/internal/udp"
)

const (
	// askTime is how long an answer may take.
	askTime = 3 * time.Second

	// firstPause is before the second copy of a request; it doubles.
	firstPause = 250 * time.Millisecond
)

// purpose is what a request is to show.
type purpose uint8

const (
	forReach  purpose = iota // whether a server answers at a port, and what it sees of socket 0
	forSecond                // what it sees of socket 1
	forFilter                // whether its answer from another port gets in
	forSize                  // whether a packet of a size arrives
)

// ask is one request, and what came of it.
type ask struct {
	purpose purpose
	way     udp.Path
	size    int // of the UDP payload; 0: whatever it takes
	tx      stun.Tx

	began, sent, due time.Time // first copy, latest copy, next copy
	tries            int
	over             bool // answered or given up

	answered bool
	seen     netip.AddrPort // invalid: the server refused to do what it was asked for
	from     netip.AddrPort // who answered
	rtt      time.Duration
}

func (a *ask) append(b []byte) []byte {
	if a.purpose == forFilter || a.size > 0 {
		return stun.AppendProbe(b, a.tx, a.size, a.purpose == forFilter)
	}
	return stun.AppendRequest(b, a.tx)
}

// send appends a copy if one is due, and reports whether there was room.
func (a *ask) send(now time.Time, b *udp.Batch) bool {
	if a.began.IsZero() {
		a.began, a.due = now, now
	}
	if !a.over && !now.Before(a.began.Add(askTime)) {
		a.over = true
	}
	if a.over || now.Before(a.due) {
		return true
	}
	t := b.Tail(max(a.size, stun.MinProbe) + 4)
	if t == nil {
		return false
	}
	b.Commit(a.way, len(a.append(t)))
	a.sent, a.due = now, now.Add(firstPause<<a.tries)
	a.tries++
	return true
}

// deadline is when send has something to do.
func (a *ask) deadline() time.Time {
	if end := a.began.Add(askTime); a.began.IsZero() || a.due.Before(end) {
		return a.due
	} else {
		return end
	}
}

// receive takes a response, and reports whether it is this request's.
func (a *ask) receive(now time.Time, from udp.Path, tx stun.Tx, seen netip.AddrPort) bool {
	if a.over || tx != a.tx || from.Local != a.way.Local {
		return false
	}
	if from.Remote != a.way.Remote && (a.purpose != forFilter || from.Remote.Addr() != a.way.Remote.Addr()) {
		return false
	}
	a.over, a.answered = true, true
	a.seen, a.from, a.rtt = seen, from.Remote, now.Sub(a.sent)
	return true
}
