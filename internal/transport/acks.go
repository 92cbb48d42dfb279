package transport

import (
	"encoding/binary"
	"time"
)

const (
	// maxAckDelay bounds how long an acknowledgement waits for company. Part
	// of the probe timeout, so both ends must use the same value.
	maxAckDelay = 20 * time.Millisecond

	// ackEvery packets one acknowledgement leaves at once. Per-packet
	// acknowledgements were the bottleneck of user-space transports measured
	// in arXiv:2310.09423; 32 full packets are one GRO train.
	ackEvery = 32

	// The first packets are acknowledged more often: the rate is being learned.
	ackEveryEarly = 2
	earlyPackets  = 64

	ackRangesKept = 256
	ackRangesSent = 64
)

// ackState is what has arrived and has to be acknowledged.
type ackState struct {
	seen      rangeSet[uint64]
	largestAt time.Time // when the largest packet number arrived
	unacked   int       // ack-eliciting packets since the last ACK
	received  uint64    // ack-eliciting packets in all
	due       time.Time // an ACK should leave then; zero: none to send
}

// packet notes an authenticated packet. at once: acknowledge without waiting.
func (a *ackState) packet(now time.Time, pn uint64, eliciting, atOnce bool, rtt time.Duration) {
	if len(a.seen) == 0 || pn >= a.seen[len(a.seen)-1].high {
		a.largestAt = now
	}
	a.seen.add(pn, pn+1)
	a.seen.keepNewest(ackRangesKept)
	if !eliciting {
		return
	}
	a.received++
	a.unacked++
	every := ackEvery
	if a.received <= earlyPackets {
		every = ackEveryEarly
	}
	switch {
	case atOnce || a.unacked >= every:
		a.due = now
	case a.due.IsZero():
		a.due = now.Add(min(max(rtt/8, time.Millisecond), maxAckDelay))
	}
}

func (a *ackState) isDue(now time.Time) bool { return !a.due.IsZero() && !a.due.After(now) }

// append writes an ACK frame of at most room bytes; window is how many bulk
// bytes the peer may have in flight.
func (a *ackState) append(b []byte, now time.Time, window int64, room int) []byte {
	n := len(a.seen)
	if n == 0 {
		return b
	}
	top := a.seen[n-1]
	start := len(b)
	b = append(b, byte(frameAck))
	b = appendVarint(b, top.high-1)
	b = appendVarint(b, uint64(max(now.Sub(a.largestAt), 0)/time.Microsecond))
	b = appendVarint(b, uint64(max(window, 0)))
	// The number of ranges is known only when the room is used up: two bytes
	// of the 14-bit form are filled in afterwards.
	countAt := len(b)
	b = append(b, 0x40, 0)
	b = appendVarint(b, top.high-1-top.low)
	if len(b)-start > room {
		return b[:start]
	}
	count := 0
	low := top.low
	for i := n - 2; i >= 0 && count < ackRangesSent; i-- {
		r := a.seen[i]
		gap, length := low-r.high-1, r.high-1-r.low
		if len(b)-start+varintSize(gap)+varintSize(length) > room {
			break
		}
		b = appendVarint(appendVarint(b, gap), length)
		low = r.low
		count++
	}
	binary.BigEndian.PutUint16(b[countAt:], 0x4000|uint16(count))
	return b
}

// sent notes that an ACK frame has left.
func (a *ackState) sent() {
	a.unacked = 0
	a.due = time.Time{}
}
