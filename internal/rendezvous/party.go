package rendezvous

import (
	"time"

	"qft/internal/udp"
)

const (
	pollMost  = 2500 * time.Millisecond // for notes that nobody confirms, while the helper answers
	maxQueued = 32                      // notes to one member that wait or are under way
	maxPeers  = 32                      // members remembered, so that one who returns finds its streams
	maxEvents = 64                      // unread; while there are more, notes are not taken
)

// peer is a member of the other role, here or gone.
type peer struct {
	id      ID
	here    bool
	missing time.Time // when it is given up; zero: it is on the roster, or gone
	out     outgoing
	in      incoming
	nudged  time.Time // when its word last made us send notes again
	confirm bool      // its notes are to be confirmed
}

func (c *Client) peer(id ID) *peer {
	for _, p := range c.peers {
		if p.id == id {
			return p
		}
	}
	return nil
}

// meet compares those whom we know with the roster. A helper that forgot
// everybody lists them as they come back; until then nobody has departed.
func (c *Client) meet(now time.Time, members []ID, forgot bool) {
	listed := make(map[ID]bool, len(members)) // for look-up only
	for _, id := range members {
		listed[id] = true
	}
	for _, p := range c.peers {
		switch {
		case listed[p.id]:
			c.arrive(p, forgot)
		case p.here && forgot:
			p.missing = now.Add(returnTime)
		case p.here && p.missing.IsZero():
			c.depart(p)
		}
	}
	for _, id := range members {
		if c.peer(id) == nil {
			c.arrive(c.remember(id), forgot)
		}
	}
}

// arrive notes that p is on the roster.
func (c *Client) arrive(p *peer, forgot bool) {
	if !p.here {
		p.here = true
		c.tell(Event{Kind: Arrived, Member: p.id})
	}
	if forgot || !p.missing.IsZero() {
		p.out.again() // the helper lost its copies
	}
	p.missing = time.Time{}
}

// remember adds a peer, and forgets one that is gone when there are too many. A
// full roster fits, beside as many whose return is awaited.
func (c *Client) remember(id ID) *peer {
	if len(c.peers) >= maxPeers {
		c.forget()
	}
	p := &peer{id: id}
	c.peers = append(c.peers, p)
	return p
}

func (c *Client) forget() {
	for i, p := range c.peers {
		if !p.here {
			c.peers = append(c.peers[:i], c.peers[i+1:]...)
			return
		}
	}
	for i, p := range c.peers {
		if !p.missing.IsZero() {
			c.depart(p)
			c.peers = append(c.peers[:i], c.peers[i+1:]...)
			return
		}
	}
}

// depart tells the user that a member is gone. Its streams stay, for one that
// only slept.
func (c *Client) depart(p *peer) {
	p.here, p.missing = false, time.Time{}
	c.tell(Event{Kind: Departed, Member: p.id})
}

// checkMissing gives up members that did not come back in time.
func (c *Client) checkMissing(now time.Time) {
	for _, p := range c.peers {
		if due(p.missing, now) {
			c.depart(p)
		}
	}
}

// receivePush takes a note.
func (c *Client) receivePush(now time.Time, m *answer) {
	p := c.peer(m.from)
	if p == nil || !p.here {
		c.rejoin(now) // we missed an arrival; the note comes again
		return
	}
	if len(c.events) >= maxEvents {
		return
	}
	for _, msg := range p.in.accept(m.seq, m.part, m.data) {
		c.tell(Event{Kind: Note, Member: p.id, Note: msg})
	}
	p.confirm = true
}

// receiveAcked takes a member's word for what it has of our notes.
func (c *Client) receiveAcked(now time.Time, m *answer) {
	p := c.peer(m.from)
	switch {
	case p == nil:
	case p.out.acked(m.seq):
		p.out.due = time.Time{}
		if p.out.sent > 0 {
			p.out.due = now.Add(c.pollWait(0))
		}
	case p.out.stuck(m.seq) && now.Sub(p.nudged) >= promptWait:
		// It has a later one, or it would not have written: the first is
		// lost. At leisure, lest a hostile member makes us a flood.
		p.nudged = now
		p.out.again()
	}
}

// pollWait is how long to wait for the confirmation of notes, which takes the
// round trip of the other side as well.
func (c *Client) pollWait(tries int) time.Duration {
	limit := pollMost
	if c.box.silent {
		limit = maxWait
	}
	return min(c.jitter(2*c.first()<<min(tries, 8)), limit)
}

// sendConfirms confirms the roster and notes. It reports false when b is full.
func (c *Client) sendConfirms(b *udp.Batch) bool {
	if c.box.confirm {
		if !c.sendAck(b, ID{}, c.box.roster.version) {
			return false
		}
		c.box.confirm = false
	}
	for _, p := range c.peers {
		if !p.confirm {
			continue
		}
		if !c.sendAck(b, p.id, p.in.next()) {
			return false
		}
		p.confirm = false
	}
	return true
}

func (c *Client) sendAck(b *udp.Batch, to ID, seq uint32) bool {
	at := c.box.at
	return emit(b, at.path, &request{typ: typeAck, token: at.token, cookie: at.cookie, from: c.id, to: to, seq: seq})
}

// sendNotes sends the notes that have room in their windows, and again those
// that were not confirmed in time. It reports false when b is full.
func (c *Client) sendNotes(now time.Time, b *udp.Batch) bool {
	for _, p := range c.peers {
		if !p.here {
			continue
		}
		o := &p.out
		if due(o.due, now) {
			o.again()
			o.due = time.Time{}
		}
		for o.ready() {
			t := b.Tail(maxDatagram)
			if t == nil {
				return false
			}
			b.Commit(c.box.at.path, len(c.note(p, o.take()).append(t)))
			if o.due.IsZero() {
				o.due = now.Add(c.pollWait(o.tries))
				o.tries++
			}
		}
	}
	return true
}

// note is the request that carries note i of those kept for p.
func (c *Client) note(p *peer, i int) *request {
	at, n := c.box.at, &p.out.notes[i]
	return &request{
		typ: typeNote, token: at.token, cookie: at.cookie, from: c.id, to: p.id,
		seq: p.out.first() + uint32(i), part: n.part, data: n.data,
	}
}

// notesDue is when notes or confirmations are to be sent.
func (c *Client) notesDue() (t time.Time) {
	if c.box.confirm {
		return soon()
	}
	for _, p := range c.peers {
		if p.confirm || p.here && p.out.ready() {
			return soon()
		}
		t = earlier(t, p.missing)
		if p.here {
			t = earlier(t, p.out.due)
		}
	}
	return t
}
