package transport

import "time"

const (
	// silenceSlack is how much later than usual an acknowledgement may be
	// before the path is thought dead: longer than a handover of Wi-Fi takes.
	silenceSlack = 200 * time.Millisecond

	// silentWindow packets may be in flight on a path that seems dead: what an
	// application says now and then still leaves at once.
	silentWindow = 16
)

// window is how many bytes may be in flight. A full window may be two round
// trips of packets; on a path that has gone dead all of them would be lost.
// That acknowledgements have stopped shows much earlier.
func (c *Conn) window(now time.Time) int {
	w := c.cc.Window()
	if at := c.overdueAt(); !at.IsZero() && now.After(at) {
		w = min(w, silentWindow*c.mtu.size)
	}
	return w
}

// overdueAt is when the packet that should be acknowledged next will be
// suspiciously late; zero: none is in flight.
func (c *Conn) overdueAt() time.Time {
	l := &c.loss
	l.next = max(l.next, c.sent.base)
	if l.anyAcked && l.next <= l.newest {
		l.next = l.newest + 1
	}
	for ; l.next < c.sent.next; l.next++ {
		p := c.sent.get(l.next)
		if p.fate == inFlight && !p.probe {
			return c.start.Add(p.at + c.rtt.pto() + max(c.rtt.base()/4, silenceSlack))
		}
	}
	return time.Time{}
}
