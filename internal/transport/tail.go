package transport

import (
	"math"
	"time"
)

// The end of a transfer is the one place where a lost packet costs whole round
// trips: nothing else is left to send while the sender waits for the proof. So
// what is unacknowledged is repeated with capacity that would be idle.
//
//	new bulk ──► none for a grace ──► pass, newest first ──► pass ... ──► all acknowledged
//	                   ▲                                                        │
//	                   └───────────── new bulk: the source was slow ◄───────────┘
//
// A pass offers each packet in flight one copy, the newest first: the older
// ones are about to be acknowledged, or given up, anyway. What is known to be
// lost goes before all copies (bulkState.lost), and each copy found lost yields
// another. Copies are packets like any other: paced, within the window,
// numbered and counted on their own. A packet gets no more of them than make it
// unlikely (tailDoubt) that any byte is still missing.
//
// Streams are repeated as a whole, for they are short.

const (
	// Passes begin this share of a round trip apart, so that one burst of
	// losses does not take all copies of a packet, and no less than leastGap:
	// then acknowledgements on short paths are faster than any copy.
	gapShare = 8
	leastGap = 5 * time.Millisecond

	tailDoubt = 1e-3
	maxCopies = 8
	// leastRounds of copies follow what streams say: a few bytes, on whose
	// arrival the peer's next step may depend.
	leastRounds = 2

	// A source that was slow so often waits a whole round trip for its copies,
	// when they are most likely needed.
	maxSpells = 3

	isCopy = math.MaxUint8 // sentPacket.copies of the copies themselves
)

// tailState is what the repeating of unacknowledged content knows.
type tailState struct {
	dryAt  time.Time // since when there is no new bulk; zero: there is
	busyAt time.Time // since when there was
	copied bool      // copies have left since dryAt
	spells int       // how often new bulk came after copies had left

	cursor uint64    // packets from here on have had their turn in this pass
	passAt time.Time // when the next one may begin
	due    bool      // the packet below the cursor is to be repeated

	said    int64     // how much streams have said
	rounds  int       // copies of it that have left
	roundAt time.Time // when the next may leave

	at time.Time // when to look again; zero: not by time

	copies copyState
	fates  float64 // packets whose fate was learned lately,
	losses float64 // and how many of them were lost
}

// gap is the least time between two copies of a packet.
func (c *Conn) tailGap() time.Duration { return max(c.rtt.base()/gapShare, leastGap) }

// repeatDue reports whether something in flight is to be repeated now. It is
// asked when nothing else is to be sent.
func (c *Conn) repeatDue(now time.Time) bool {
	t := &c.tail
	t.due = false
	// With the contact in doubt the probes repeat, one at a time; that a few
	// words are in doubt is what their copies are for.
	if c.loss.eliciting == 0 || c.loss.probes >= blackoutProbes || c.state == draining {
		return false
	}
	if c.controlDue(now) {
		return true
	}
	t.due = c.state == open && c.loss.probes == 0 && c.copyDue(now)
	return t.due
}

func (t *tailState) wakeAt(at time.Time) {
	if t.at.IsZero() || at.Before(t.at) {
		t.at = at
	}
}

// controlDue has the content of streams repeated.
func (c *Conn) controlDue(now time.Time) bool {
	t := &c.tail
	if said := c.said(); said != t.said {
		t.said, t.rounds, t.roundAt = said, 0, now.Add(c.tailGap())
	}
	if len(c.sent.ctl) == 0 || t.rounds >= max(leastRounds, c.copiesWanted(len(c.sent.ctl))) {
		return false
	}
	due := false
	if !now.Before(t.roundAt) {
		t.rounds++
		t.roundAt = now.Add(c.tailGap())
		c.repeatControl(math.MaxInt)
		due = c.hasData() || c.end.due
	}
	t.wakeAt(t.roundAt)
	return due
}

// said grows with whatever is put on the streams, and with a CLOSE.
func (c *Conn) said() (n int64) {
	for i := range c.streams {
		n += c.streams[i].out.next + c.streams[i].in.limit
	}
	if c.state == closing {
		n++
	}
	return n
}

// copyDue finds the next packet to be repeated.
func (c *Conn) copyDue(now time.Time) bool {
	t := &c.tail
	if c.bulk.inFlight == 0 || c.bulk.pending() || c.bulk.starved || !c.bulk.allowed() || c.wish.paused() {
		return false
	}
	if t.dryAt.IsZero() {
		t.dry(now, c.tailGap())
	}
	if !c.limit.ready() {
		t.wakeAt(c.limit.bucket.next())
		return false
	}
	most := uint8(c.copiesWanted(int(c.bulk.inFlight / int64(c.mtu.size))))
	for {
		for ; t.cursor > c.sent.base; t.cursor-- {
			p := c.sent.get(t.cursor - 1)
			if p.fate == inFlight && p.bulk > 0 && p.copies < most && c.tail.copies.isOpen(p.offset) {
				return true
			}
		}
		if now.Before(t.passAt) {
			t.wakeAt(t.passAt)
			return false
		}
		t.cursor = c.sent.next
		t.passAt = now.Add(c.tailGap())
	}
}

// dry notes that there is no new bulk, and when copies may begin.
func (t *tailState) dry(now time.Time, gap time.Duration) {
	if now.Sub(t.busyAt) > time.Second+4*gapShare*gap {
		t.spells = 0
	}
	t.dryAt, t.copied, t.cursor = now, false, 0
	t.passAt = now.Add(gap << t.spells)
}

// busy notes that new bulk leaves.
func (t *tailState) busy(now time.Time) {
	if t.dryAt.IsZero() {
		return
	}
	if t.copied {
		t.spells = min(t.spells+1, maxSpells)
	}
	t.dryAt, t.busyAt = time.Time{}, now
}

// copiesWanted is how many copies of n packets each make it unlikely enough
// that one of them does not arrive.
func (c *Conn) copiesWanted(n int) int {
	p := min((c.tail.losses+1)/(c.tail.fates+20), 0.5)
	doubt := float64(max(n, 1)) * p
	k := 0
	for ; k < maxCopies && doubt >= tailDoubt; k++ {
		doubt *= p
	}
	return k
}

// learned counts the fate of a packet.
func (t *tailState) learned(lost bool) {
	if t.fates++; lost {
		t.losses++
	}
	if t.fates > 1<<12 {
		t.fates, t.losses = t.fates/2, t.losses/2
	}
}

// fillRepeat repeats the packet that copyDue has found.
func (c *Conn) fillRepeat(o *outgoing) {
	t := &c.tail
	if !t.due {
		return
	}
	p := c.sent.get(t.cursor - 1)
	if !c.fillCopy(o, p) {
		c.bulk.starved = true // until the source has fetched it
		return
	}
	p.copies++
	t.copied = true
	t.cursor--
}

// fillCopy puts the bulk bytes of a packet in flight into another one.
func (c *Conn) fillCopy(o *outgoing, p *sentPacket) bool {
	k := &c.tail.copies
	k.begin(c)
	n := min(int64(p.bulk), int64(o.room()-bulkFrameHead), k.open.run(p.offset))
	if n < 1 {
		return false
	}
	head := len(o.pkt) + bulkFrameHead
	m, ok := c.bulk.source.ReadBulk(o.pkt[head:head+int(n)], p.offset)
	if !ok || m < 1 {
		return false
	}
	c.setBulk(o, p.offset, m)
	o.copy = true
	k.until = c.sent.next + 1
	return true
}
