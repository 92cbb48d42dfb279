package transport

import (
	"slices"
	"sort"
	"time"

	"qft/internal/congestion"
)

// fate is what has become of a sent packet.
type fate uint8

const (
	// untracked packets elicit no acknowledgement, or met their fate long ago.
	untracked fate = iota
	// inFlight packets may still arrive. Next: acked or lost.
	inFlight
	// skipped packets were never sent.
	skipped
	// acked packets have arrived.
	acked
	// lost packets are thought lost and their content is on its way again. An
	// acknowledgement may still prove the thought wrong. Next: acked.
	lost
)

// sentPacket is the record of one packet number.
type sentPacket struct {
	cc     congestion.Packet
	at     time.Duration // since the connection began
	offset int64         // of the bulk bytes
	bulk   uint16        // number of bulk bytes
	size   uint16        // UDP payload
	fate   fate
	probe  bool  // a path MTU probe: its loss says nothing about congestion
	ctl    bool  // has records in sentLog.ctl
	copies uint8 // that have left of its bulk bytes; isCopy: it is one
}

// control is one piece of non-bulk content of a sent packet.
type control struct {
	pn     uint64
	typ    frameType
	stream byte
	offset int64
	length int
}

// sentLog remembers the packets whose fate is open, in a ring by packet
// number, and what they carried.
type sentLog struct {
	ring []sentPacket // length is a power of two
	base uint64       // lowest packet number that is remembered
	next uint64       // next packet number to be used
	ctl  []control    // ascending packet numbers
}

// add makes the record of packet number next, which is then used up.
func (l *sentLog) add() *sentPacket {
	// Acknowledgements are never acknowledged: whoever sends little else must
	// not keep their records.
	for l.base < l.next && l.get(l.base).fate == untracked {
		l.base++
	}
	if l.full() {
		l.grow()
	}
	p := &l.ring[l.next&uint64(len(l.ring)-1)]
	*p = sentPacket{}
	l.next++
	return p
}

// full reports whether the next record may need a larger ring.
func (l *sentLog) full() bool { return l.next-l.base == uint64(len(l.ring)) }

func (l *sentLog) grow() {
	bigger := make([]sentPacket, max(256, 2*len(l.ring)))
	for pn := l.base; pn < l.next; pn++ {
		bigger[pn&uint64(len(bigger)-1)] = l.ring[pn&uint64(len(l.ring)-1)]
	}
	l.ring = bigger
}

// get returns the record of pn, or nil if there is none.
func (l *sentLog) get(pn uint64) *sentPacket {
	if pn < l.base || pn >= l.next {
		return nil
	}
	return &l.ring[pn&uint64(len(l.ring)-1)]
}

// controls takes the control records of pn out of the log.
func (l *sentLog) controls(pn uint64, f func(control)) {
	i := sort.Search(len(l.ctl), func(i int) bool { return l.ctl[i].pn >= pn })
	j := i
	for j < len(l.ctl) && l.ctl[j].pn == pn {
		f(l.ctl[j])
		j++
	}
	l.ctl = slices.Delete(l.ctl, i, j)
}

// retire forgets the oldest packets whose fate is sealed; lost ones only when
// they left before the given time, so that a late acknowledgement is still
// recognised as a sign of reordering.
func (l *sentLog) retire(before time.Duration) {
	for l.base < l.next {
		p := l.get(l.base)
		if p.fate == inFlight || (p.fate == lost || p.fate == skipped) && p.at >= before {
			return
		}
		l.base++
	}
}
