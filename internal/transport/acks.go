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

	// ackBytes is what 32 packets must not exceed: on loopback they would be
	// 2 MiB, more than the sender's window, which then waits for a timer.
	ackBytes = 256 << 10

	ackRangesKept = 256
	ackRangesSent = 64

	// ackedKept intervals of acknowledged packets are more than the ACKs of an
	// honest peer repeat, and few enough for any other to cost little.
	ackedKept = 1024
)

// ackState is what has arrived and has to be acknowledged.
type ackState struct {
	seen      rangeSet[uint64]
	largestAt time.Time // when the largest packet number arrived
	unacked   int       // ack-eliciting packets since the last ACK
	unackedB  int       // bytes of them
	received  uint64    // ack-eliciting packets in all
	counted   counted   // for the peer's congestion controller
	due       time.Time // an ACK should leave then; zero: none to send
}

// counted is what is fed back besides which packets have arrived: how many
// bytes of them, and when the newest did. The path's rate and its queue can be
// told from it without what the way back adds in delay, loss and bunching.
type counted struct {
	bytes   uint64    // of measured packets, each counted once
	newest  uint64    // packet number of the newest
	at      time.Time // when it arrived
	byThen  uint64    // bytes when it did
	started bool
}

// packet notes a measured packet.
func (m *counted) packet(now time.Time, pn uint64, size int) {
	m.bytes += uint64(size)
	if !m.started || pn > m.newest {
		m.started = true
		m.newest, m.at, m.byThen = pn, now, m.bytes
	}
}

// packet notes an authenticated packet. at once: acknowledge without waiting.
func (a *ackState) packet(now time.Time, pn uint64, size int, eliciting, atOnce bool, rtt time.Duration) {
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
	a.unackedB += size
	switch {
	case atOnce || a.unacked >= ackEvery || a.unackedB >= ackBytes:
		a.due = now
	case a.due.IsZero():
		a.due = now.Add(min(max(rtt/8, time.Millisecond), maxAckDelay))
	}
}

func (a *ackState) isDue(now time.Time) bool { return !a.due.IsZero() && !a.due.After(now) }

// append writes an ACK frame of at most room bytes; window is how many bulk
// bytes the peer may have in flight, start when this end's clock began.
func (a *ackState) append(b []byte, now, start time.Time, window int64, room int) []byte {
	n := len(a.seen)
	if n == 0 {
		return b
	}
	top := a.seen[n-1]
	begin := len(b)
	b = append(b, byte(frameAck))
	b = appendVarint(b, top.high-1)
	b = appendVarint(b, uint64(max(now.Sub(a.largestAt), 0)/time.Microsecond))
	b = appendVarint(b, uint64(max(window, 0)))
	b = a.counted.append(b, start)
	// The number of ranges is known only when the room is used up: two bytes
	// of the 14-bit form are filled in afterwards.
	countAt := len(b)
	b = append(b, 0x40, 0)
	b = appendVarint(b, top.high-1-top.low)
	if len(b)-begin > room {
		return b[:begin]
	}
	count := 0
	low := top.low
	for i := n - 2; i >= 0 && count < ackRangesSent; i-- {
		r := a.seen[i]
		gap, length := low-r.high-1, r.high-1-r.low
		if len(b)-begin+varintSize(gap)+varintSize(length) > room {
			break
		}
		b = appendVarint(appendVarint(b, gap), length)
		low = r.low
		count++
	}
	binary.BigEndian.PutUint16(b[countAt:], 0x4000|uint16(count))
	return b
}

// append writes the part of an ACK about measured packets.
func (m *counted) append(b []byte, start time.Time) []byte {
	if !m.started {
		return append(b, 0, 0, 0)
	}
	b = appendVarint(b, m.newest)
	b = appendVarint(b, uint64(max(m.at.Sub(start), 0)/time.Microsecond))
	return appendVarint(b, m.byThen)
}

// sent notes that an ACK frame has left.
func (a *ackState) sent() {
	a.unacked, a.unackedB = 0, 0
	a.due = time.Time{}
}
