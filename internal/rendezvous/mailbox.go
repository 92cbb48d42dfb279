package rendezvous

import (
	"time"

	"qft/internal/udp"
)

const (
	silence     = 10 * time.Second // without an answer, before the user is told
	moveTries   = 3                // joins without an answer, before another address is tried
	garbledMost = 3                // packets that make no sense, before one who sends nothing else is no helper
	returnTime  = 30 * time.Second // that others get to come back to a helper that forgot them
	leaveTries  = 3
	leaveWait   = 200 * time.Millisecond
)

// state is where a client's membership stands.
type state byte

const (
	// stateSeeking: no helper answered yet; hellos go to all addresses.
	stateSeeking state = iota
	// stateJoining: a helper gave a cookie and is asked to let us in, or back
	// in. May follow any but leaving.
	stateJoining
	// stateJoined: we are a member; joins keep it so.
	stateJoined
	// stateRefused: the helper said no; joins go on, slowly.
	stateRefused
	// stateLeaving: the helper is being told that we are gone.
	stateLeaving
	// stateDone: nothing happens any more.
	stateDone
)

// mailbox is the client's membership in its room.
type mailbox struct {
	state    state
	at       *contact  // through which it is held; nil: seeking
	req      uint32    // latest join sent
	sent     time.Time // when that was
	roster   roster    // latest accepted
	answered uint32    // join which that answered; 0: we have never been a member
	due      time.Time // next join, or leave
	tries    int       // joins since the latest answer to one, or copies of leave
	prompted time.Time // when an answer last caused a join
	asked    time.Time // oldest request since then; zero: none is open
	confirm  bool      // the roster is to be confirmed
	silent   bool      // the user was told that the helper is
	refused  error     // what the user was told last
}

// ask notes that an answer is expected.
func (m *mailbox) ask(now time.Time) {
	if m.asked.IsZero() {
		m.asked = now
	}
}

// rejoin joins at once, and sends behind that what is under way: a request of
// ours showed that the helper does not know us here and now. One that never
// learns must not make us spin.
func (c *Client) rejoin(now time.Time) {
	if now.Sub(c.box.prompted) < promptWait {
		return
	}
	c.box.prompted, c.box.due = now, now
	for _, p := range c.peers {
		p.out.again()
	}
}

// moveTo holds the membership through another address from now on.
func (m *mailbox) moveTo(ct *contact) {
	if m.at != nil {
		m.at.due = soon() // it needs hellos again
	}
	m.at, m.tries, m.due = ct, 0, soon()
	if m.state == stateSeeking {
		m.state = stateJoining
	}
}

// sendJoin sends a join when it is time. It reports false when b is full.
func (c *Client) sendJoin(now time.Time, b *udp.Batch) bool {
	m := &c.box
	if m.at == nil || !due(m.due, now) {
		return true
	}
	if m.tries >= moveTries {
		c.failOver()
	}
	q := &request{
		typ: typeJoin, token: m.at.token, cookie: m.at.cookie,
		req: m.req + 1, room: c.room, role: c.role, key: c.key,
	}
	if c.secret != nil {
		q.mac = newMAC(c.secret, q.cookie, q.key)
	}
	if !emit(b, m.at.path, q) {
		return false
	}
	m.req++
	m.sent = now
	m.at.asked++
	m.ask(now)
	m.due = now.Add(c.backoff(m.tries, maxWait))
	if m.tries++; m.tries == moveTries {
		for _, ct := range c.contacts {
			ct.due = soon() // who else is there?
		}
	}
	return true
}

// failOver moves the membership to an address that has answered since this one
// ceased to, if there is one.
func (c *Client) failOver() {
	m := &c.box
	var best *contact
	for _, ct := range c.contacts {
		if ct != m.at && ct.open && ct.heard.After(m.asked) && (best == nil || ct.heard.After(best.heard)) {
			best = ct
		}
	}
	if best != nil {
		m.moveTo(best)
	}
}

// answeredJoin notes that the helper deals with us.
func (c *Client) answeredJoin(now time.Time, s state, wait time.Duration) {
	m := &c.box
	m.state = s
	m.tries = 0
	m.asked = time.Time{}
	m.due = now.Add(c.jitter(wait))
	if m.silent {
		m.silent = false
		c.tell(Event{Kind: Back})
	}
}

// checkSilence tells the user, once, that the helper does not answer.
func (c *Client) checkSilence(now time.Time) {
	m := &c.box
	if m.silent || m.asked.IsZero() || now.Sub(m.asked) < silence {
		return
	}
	m.silent = true
	c.tell(Event{Kind: Silent})
	for _, ct := range c.contacts {
		if ct.garbled >= garbledMost && ct.heard.IsZero() && !ct.guess {
			c.refuse(ErrGarbled)
		}
	}
}

// receiveJoined takes the helper's view of our room, unless it was overtaken on
// the way by a newer one.
func (c *Client) receiveJoined(now time.Time, ct *contact, m *answer) {
	box := &c.box
	if ct != box.at || !c.plausible(m) {
		if ct == box.at {
			ct.garbled++
		}
		return
	}
	c.refresh(ct, m)
	age := int32(m.req - box.answered)
	again := age == 0 && m.roster.born == box.roster.born
	if age < 0 || age == 0 && (!again || int32(m.roster.version-box.roster.version) < 0) {
		return
	}
	if age > 0 && m.req == box.req {
		c.measure(now, box.sent)
	}
	first, forgot := box.answered == 0, box.answered != 0 && m.roster.born != box.roster.born
	box.confirm = again || first || forgot || m.roster.version != box.roster.version
	box.roster, box.answered, box.refused = m.roster, m.req, nil
	c.answeredJoin(now, stateJoined, keepAlive)
	if first {
		if c.room.unassigned() {
			c.room = NumberedRoom(m.roster.number)
		}
		c.tell(Event{Kind: Joined, Number: m.roster.number})
	}
	c.meet(now, m.roster.members, forgot)
}

// plausible reports whether an answer can be one to our latest joins.
func (c *Client) plausible(m *answer) bool {
	for _, id := range m.roster.members {
		if id == c.id {
			return false
		}
	}
	n := m.roster.number
	switch {
	case m.req == 0 || m.req > c.box.req:
		return false
	case c.room.unassigned():
		return n != 0
	case c.room.Kind == Numbered:
		return n == c.room.Number()
	}
	return n == 0
}

// receiveRefused takes the helper's no.
func (c *Client) receiveRefused(now time.Time, ct *contact, m *answer) {
	box := &c.box
	switch {
	case ct != box.at:
	case m.code == refusedUnknown:
		c.rejoin(now) // joined, but not from here
	case m.req == 0:
		c.refuse(ErrBusy) // a note
	case m.req > box.req || m.req <= box.answered:
		// of a join that never was, or was granted since
	default:
		if err := m.code.err(); err != nil {
			c.answeredJoin(now, stateRefused, maxWait)
			c.refuse(err)
		}
	}
}

// err is what a user is told of a refused join, or nil.
func (r refusal) err() error {
	switch r {
	case refusedTaken:
		return ErrTaken
	case refusedBusy:
		return ErrBusy
	case refusedExpired:
		return ErrExpired
	case refusedDenied:
		return ErrDenied
	}
	return nil
}

// refuse tells the user of a refusal, unless it is the same as before.
func (c *Client) refuse(err error) {
	if c.box.refused != err {
		c.box.refused = err
		c.tell(Event{Kind: Refused, Err: err})
	}
}

// sendLeave tells the helper that we are gone: a few copies, as nobody will be
// there to see whether one arrived. It reports false when b is full.
func (c *Client) sendLeave(now time.Time, b *udp.Batch) bool {
	m := &c.box
	if !due(m.due, now) {
		return true
	}
	if m.tries == leaveTries {
		m.state = stateDone
		return true
	}
	q := &request{typ: typeLeave, token: m.at.token, cookie: m.at.cookie, from: c.id, req: m.req}
	if !emit(b, m.at.path, q) {
		return false
	}
	m.tries++
	m.due = now.Add(leaveWait)
	return true
}
