package transport

import "time"

// Wait is what the sending of bulk waits for between two turns.
type Wait uint8

const (
	// WaitQueue: nothing is queued that has not left; the caller has no more,
	// or is late with it.
	WaitQueue Wait = iota
	// WaitSource: what is queued is not in memory.
	WaitSource
	// WaitPeer: the peer has no room for more (its bulk window).
	WaitPeer
	// WaitLimit: the limit of this end's user, or the peer's.
	WaitLimit
	// WaitPause: one of the two ends has paused it.
	WaitPause
	// WaitPath: the congestion controller, by its rate or its window.
	WaitPath
	// WaitTurn: nothing but the next turn: the batch was full.
	WaitTurn

	waitKinds
)

// Waits is how much time went by while the sending waited for each.
type Waits [waitKinds]time.Duration

// waitState attributes time: what passes until the next turn is put down to
// what ended this one.
type waitState struct {
	kind  Wait
	since time.Time
	spent Waits
}

// Waits returns how long the sending of bulk has waited for what until now.
func (c *Conn) Waits(now time.Time) Waits {
	w := c.waits
	w.begin(now)
	return w.spent
}

func (w *waitState) begin(now time.Time) {
	if !w.since.IsZero() && now.After(w.since) {
		w.spent[w.kind] += now.Sub(w.since)
	}
	w.since = now
}

// waitsFor is what has ended a turn.
func (c *Conn) waitsFor() Wait {
	switch {
	case c.turn.wake:
		return WaitTurn
	case c.wish.paused():
		return WaitPause
	case !c.bulk.pending() || c.state != open:
		return WaitQueue
	case !c.bulk.allowed():
		return WaitPeer
	case c.bulk.starved:
		return WaitSource
	case !c.limit.ready():
		return WaitLimit
	}
	return WaitPath
}
