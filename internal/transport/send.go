package transport

import (
	"time"

	"qft/internal/secret"
	"qft/internal/udp"
)

// outgoing is a packet being built in the tail of a batch. It is sealed and
// committed only when it turned out to say something.
type outgoing struct {
	pkt       []byte
	to        udp.Path
	eliciting bool
	probe     bool // path MTU probe
	ctl       bool
	copy      bool // repeats bulk bytes in flight
	offset    int64
	bulk      int
}

// room is how many bytes of frames still fit.
func (o *outgoing) room() int { return cap(o.pkt) - secret.Overhead - len(o.pkt) }

// pad fills the packet up to its size.
func (o *outgoing) pad() {
	n := len(o.pkt)
	o.pkt = o.pkt[:cap(o.pkt)-secret.Overhead]
	clear(o.pkt[n:])
}

// Send appends what should leave now.
func (c *Conn) Send(now time.Time, b *udp.Batch) {
	c.noticeStall(now)
	c.waits.begin(now)
	c.turn.now = now
	c.turn.wake = false
	c.turn.pacing = false
	if c.state == closed {
		return
	}
	c.sendAll(now, b)
	c.waits.kind = c.waitsFor()
	c.turn.due = c.Deadline()
}

// stallTime is how late a turn may come before this end itself, and not the
// path, is thought to have stood still.
const stallTime = 500 * time.Millisecond

// noticeStall finds that this process did not run, as after SIGSTOP or a
// suspend. What was on its way meanwhile says nothing about the path: its
// round-trip times would be minutes, its delivery rate next to nothing.
func (c *Conn) noticeStall(now time.Time) {
	if c.turn.due.IsZero() || now.Sub(c.turn.due) < stallTime {
		return
	}
	c.turn.due = time.Time{}
	c.contact.last = now // the peer's silence was our own
	c.turn.stallPN = c.sent.next
	c.ccFirst = c.sent.next
	c.cc.Blackout(now)
}

func (c *Conn) sendAll(now time.Time, b *udp.Batch) {
	c.tick(now)
	c.sendPathFrames(now, b)
	c.sendMTUProbes(now, b)
	c.bulk.starved = false
	c.tail.at = time.Time{}
	c.pace.advance(now, c.cc.Rate(), c.mtu.size)
	c.limit.advance(now, c.mtu.size)
	for c.sendOne(now, b) {
	}
	if c.turn.wake || c.state != open {
		return
	}
	if !c.limit.ready() || c.pace.ready() && c.loss.inFlight < c.window(now) {
		c.cc.AppLimited(now, c.loss.inFlight)
	}
}

// tick does what the passing of time asks for.
func (c *Conn) tick(now time.Time) {
	if (c.state == closing || c.state == draining) && !c.end.giveUp.After(now) {
		c.state = closed
		return
	}
	if !c.loss.timer.IsZero() && !c.loss.timer.After(now) {
		c.detectLosses(now)
	}
	c.checkProbe(now)
	if c.state != open {
		return
	}
	c.mtu.raise(now, c.local())
	if c.loss.eliciting == 0 && !c.keepAliveAt().After(now) {
		c.contact.pingDue = true
	}
	// The peer stopped when it was told that there is no room. That there is
	// again must not wait for the next packet, which may never come.
	if c.bulk.sink != nil && c.contact.told < smallWindow && c.acks.received > 0 &&
		c.bulk.sink.BulkWindow() > max(2*c.contact.told, smallWindow) {
		c.acks.due = now
	}
}

// smallWindow bytes or less in an ACK may have made the peer stop.
const smallWindow = 4 << 20

func (c *Conn) keepAliveAt() time.Time {
	every := keepAlive
	if c.contact.flowing {
		every = quickAlive
	}
	if c.bulk.pending() && !c.bulk.allowed() && !c.wish.paused() {
		// That there is room again was said in an acknowledgement, which may
		// have been lost (RFC 9293 section 3.8.6.1, zero-window probing).
		every = askForRoom
	}
	return c.contact.last.Add(max(every, c.rtt.pto()))
}

// askForRoom is how often a peer that has no room is asked whether it has.
const askForRoom = 100 * time.Millisecond

// begin starts a packet in the tail of the batch; false: no room.
func (c *Conn) begin(b *udp.Batch, to udp.Path, size int) (o outgoing, ok bool) {
	t := b.Tail(size)
	if t == nil {
		c.turn.wake = true
		return o, false
	}
	c.setTrap()
	pn := c.sent.next
	// A phase bit tells two keys apart, so the next update waits until the
	// peer has shown that it uses the current one.
	if c.cfg.Sealer.Due(pn) && c.loss.anyAcked && c.loss.newest >= c.end.phasePN {
		c.cfg.Sealer.Update(pn)
		c.end.phasePN = pn
		c.stats.KeyUpdates++
	}
	o.to = to
	o.pkt = appendHeader(t, header{id: c.cfg.SendID, pn: pn, phase: c.cfg.Sealer.Phase()})
	return o, true
}

// finish opens the packet's record, seals it and gives it to the batch.
func (c *Conn) finish(now time.Time, b *udp.Batch, o *outgoing) bool {
	pn := c.sent.next
	size := len(o.pkt) + secret.Overhead
	if c.sent.full() {
		// Whoever only acknowledges is hardly ever acknowledged.
		c.retire(now)
	}
	p := c.sent.add()
	p.at = now.Sub(c.start)
	p.size = uint16(size)
	if o.eliciting {
		c.launch(now, o, p)
	}
	pkt, err := c.cfg.Sealer.Seal(o.pkt, HeaderSize, pn)
	if err != nil {
		c.end.err = &CloseError{Code: CodeProtocol, Reason: "sealing a packet: " + err.Error()}
		c.state = closed
		return false
	}
	b.Commit(o.to, len(pkt))
	c.stats.SentPackets++
	c.stats.SentBytes += uint64(len(pkt))
	c.limit.sent(len(pkt))
	return true
}

// launch puts a packet that elicits an acknowledgement into the flight.
func (c *Conn) launch(now time.Time, o *outgoing, p *sentPacket) {
	p.fate = inFlight
	p.ctl, p.probe = o.ctl, o.probe
	p.offset, p.bulk = o.offset, uint16(o.bulk)
	if o.copy {
		p.copies = isCopy
		c.stats.Repeated++
	}
	c.loss.eliciting++
	c.loss.lastSent = now
	if o.probe {
		return
	}
	size := int(p.size)
	o.pkt[0] |= headerMeasured
	if c.cc.Sent(now, &p.cc, size, c.loss.inFlight) {
		o.pkt[0] |= headerAtOnce
	}
	c.loss.inFlight += size
	c.bulk.inFlight += int64(o.bulk)
	c.pace.sent(size)
}

// sendOne builds one packet of whatever is most urgent. False: there is
// nothing to send now, or no room for it.
func (c *Conn) sendOne(now time.Time, b *udp.Batch) bool {
	probe := c.loss.probesDue > 0
	wanted := c.state == open && (probe || c.hasData()) || c.state == closing && (c.end.due || probe)
	if !wanted {
		wanted = c.repeatDue(now)
	}
	data := wanted && (probe || c.loss.inFlight < c.window(now))
	if data && !probe && !c.pace.ready() {
		c.turn.pacing = true
		data = false
	}
	ack := c.acks.isDue(now)
	if !ack && !data {
		return false
	}
	size := min(c.mtu.size, c.limit.largest())
	if probe && c.loss.smallProbe() {
		size = min(c.mtu.base, leastMTU)
	} else if !data {
		size = c.mtu.base
	}
	o, ok := c.begin(b, c.path.chosen, size)
	if !ok {
		return false
	}
	if ack {
		c.appendAck(now, &o)
		c.fillReport(&o)
	}
	if data {
		c.fill(&o, probe)
	}
	if len(o.pkt) == HeaderSize || !c.finish(now, b, &o) {
		return false
	}
	return true
}

func (c *Conn) appendAck(now time.Time, o *outgoing) {
	c.contact.told = smallWindow
	if c.bulk.sink != nil {
		c.contact.told = c.bulk.sink.BulkWindow()
	}
	o.pkt = c.acks.append(o.pkt, now, c.start, c.contact.told, o.room())
	c.acks.sent()
}

// hasData reports whether something waits that elicits an acknowledgement.
func (c *Conn) hasData() bool {
	if c.contact.pingDue || c.wish.due || c.bulkDue() {
		return true
	}
	for i := range c.streams {
		if c.streams[i].out.pending() || c.streams[i].in.windowDue {
			return true
		}
	}
	return false
}

// bulkDue reports whether bulk may leave, as far as the path has no say.
func (c *Conn) bulkDue() bool {
	return c.bulk.pending() && c.bulk.allowed() && !c.bulk.starved && c.limit.ready() && !c.wish.paused()
}

// fill puts data into the packet, control before bulk.
func (c *Conn) fill(o *outgoing, probe bool) {
	if c.state == closing {
		c.fillClose(o)
	} else {
		if probe && !c.hasData() {
			c.repeatControl(o.room())
		}
		c.fillWish(o)
		c.fillStreams(o)
		bulk := c.bulkDue() || probe && c.bulk.pending() && !c.wish.paused()
		if bulk || o.eliciting {
			c.fillReport(o)
		}
		if bulk {
			c.fillBulk(o)
		} else if c.wish.paused() {
			// Only a PING, if anything.
		} else if probe && !o.eliciting {
			c.fillOldest(o)
		} else if !o.eliciting {
			c.fillRepeat(o)
		}
	}
	if c.contact.pingDue || probe && !o.eliciting {
		c.fillPing(o)
	}
	if probe && o.eliciting {
		c.loss.probesDue--
	}
}

func (c *Conn) note(o *outgoing, r control) {
	r.pn = c.sent.next
	c.sent.ctl = append(c.sent.ctl, r)
	o.ctl, o.eliciting = true, true
}

func (c *Conn) fillPing(o *outgoing) {
	// Its own frame unless something else asks for an answer already. At the
	// end of a packet a BULK would swallow it.
	if !o.eliciting && o.room() >= 1 {
		o.pkt = append(o.pkt, byte(framePing))
		o.eliciting = true
	}
	c.contact.pingDue, c.contact.flowing = false, false
}

func (c *Conn) fillClose(o *outgoing) {
	if o.room() < leastClose {
		return // behind a long ACK; the next packet has room
	}
	reason := c.end.err.Reason
	if n := o.room() - 16; len(reason) > n {
		reason = reason[:max(n, 0)]
	}
	o.pkt = append(o.pkt, byte(frameClose))
	o.pkt = appendVarint(o.pkt, c.end.err.Code)
	o.pkt = appendVarint(o.pkt, uint64(len(reason)))
	o.pkt = append(o.pkt, reason...)
	c.note(o, control{typ: frameClose})
	c.end.due = false
}

// leastClose is room for a CLOSE without a reason.
const leastClose = 16

func (c *Conn) fillStreams(o *outgoing) {
	for i := range c.streams {
		s := &c.streams[i]
		if s.in.windowDue && o.room() >= 10 {
			o.pkt = append(o.pkt, byte(frameWindow), byte(i))
			o.pkt = appendVarint(o.pkt, uint64(s.in.limit))
			s.in.windowDue = false
			c.note(o, control{typ: frameWindow, stream: byte(i)})
		}
		for s.out.pending() {
			room := o.room() - streamHeadSize(s.out.base+streamBuffer, o.room())
			if room <= 0 {
				return
			}
			off, data := s.out.take(room)
			if len(data) == 0 {
				break
			}
			o.pkt = appendStreamHead(o.pkt, byte(i), off, len(data))
			o.pkt = append(o.pkt, data...)
			c.note(o, control{typ: frameStream, stream: byte(i), offset: off, length: len(data)})
		}
	}
}

// minBulk is the least room that is worth a bulk frame behind others: tiny
// pieces would cost the packets their equal size.
const minBulk = 64

func (c *Conn) fillBulk(o *outgoing) {
	room := o.room() - bulkFrameHead
	if room < minBulk {
		return
	}
	if c.cfg.MaxBulk > 0 {
		room = min(room, c.cfg.MaxBulk)
	}
	head := len(o.pkt)
	buf := o.pkt[head+bulkFrameHead : head+bulkFrameHead+room]
	var off int64
	var n int
	// What is lost goes first: the receiver waits for it to complete a block.
	// If it has to be fetched, new data need not wait.
	if !c.bulk.lost.empty() {
		off, n = c.fillLost(buf)
	}
	if n == 0 && !c.bulk.fresh.empty() {
		c.tail.busy(c.turn.now)
		off, n = c.bulk.fill(&c.bulk.fresh, buf)
	}
	if n == 0 {
		c.bulk.starved = true
		return
	}
	c.setBulk(o, off, n)
}

func (c *Conn) setBulk(o *outgoing, off int64, n int) {
	head := len(o.pkt)
	o.pkt = appendBulkHead(o.pkt, off)[:head+bulkFrameHead+n]
	o.offset, o.bulk, o.eliciting = off, n, true
	c.tail.copies.sent(off, n)
}

// fillOldest repeats the oldest bulk bytes in flight, the best guess at what
// is missing when the peer falls silent.
func (c *Conn) fillOldest(o *outgoing) {
	for pn := c.sent.base; pn < c.sent.next; pn++ {
		p := c.sent.get(pn)
		if p.fate == inFlight && p.bulk > 0 && c.tail.copies.isOpen(p.offset) {
			c.fillCopy(o, p)
			return
		}
	}
}

// repeatControl puts control content in flight on its way once more, the
// oldest first, until it is about so many bytes.
func (c *Conn) repeatControl(most int) {
	for _, r := range c.sent.ctl {
		if c.controlLost(r); most <= r.length {
			return
		}
		most -= r.length
	}
}

// sendPadded sends a path validation frame in a packet of the given size.
func (c *Conn) sendPadded(now time.Time, b *udp.Batch, to udp.Path, size int, t frameType, data []byte) bool {
	o, ok := c.begin(b, to, max(size, leastChallenge))
	if !ok {
		return false
	}
	o.pkt = append(append(o.pkt, byte(t)), data...)
	o.pad()
	return c.finish(now, b, &o)
}

// sendMTUProbes sends what the path MTU search wants to know.
func (c *Conn) sendMTUProbes(now time.Time, b *udp.Batch) {
	if c.state != open || c.loss.probes > 0 {
		return // with the contact in doubt, a lost probe proves nothing
	}
	for size := c.mtu.next(); size > 0 && size <= c.limit.largest(); size = c.mtu.next() {
		o, ok := c.begin(b, c.path.chosen, size)
		if !ok {
			if b.Len() == 0 { // the batch can never hold it
				c.mtu.ceiling = min(c.mtu.ceiling, b.Room())
				c.mtu.probes = c.mtu.probes[:0]
			}
			return
		}
		o.pkt = append(o.pkt, byte(framePing))
		o.pad()
		o.eliciting, o.probe = true, true
		if !c.finish(now, b, &o) {
			return
		}
		c.mtu.sent(size)
	}
}

// Deadline is when Send should be called again.
func (c *Conn) Deadline() time.Time {
	if c.state == closed {
		return time.Time{}
	}
	if c.turn.wake {
		return c.turn.now
	}
	var d time.Time
	earlier := func(t time.Time) {
		if !t.IsZero() && (d.IsZero() || t.Before(d)) {
			d = t
		}
	}
	earlier(c.acks.due)
	earlier(c.loss.timer)
	earlier(c.probeDeadline())
	earlier(c.path.askAt)
	earlier(c.tail.at)
	if c.turn.pacing {
		earlier(c.pace.next())
	}
	if c.waits.kind == WaitLimit {
		earlier(c.limit.bucket.next())
	}
	if c.state == open {
		earlier(c.mtu.raiseAt)
		if c.loss.eliciting == 0 && !c.contact.pingDue {
			earlier(c.keepAliveAt())
		}
	} else {
		earlier(c.end.giveUp)
	}
	return d
}
