package rendezvous

import (
	"net/netip"
	"time"

	"qft/internal/udp"
)

const (
	firstWait   = 150 * time.Millisecond // for an answer, as long as the round trip is not known; then twice as long
	leastWait   = 100 * time.Millisecond // for an answer, however near the helper is
	mostWait    = time.Second            // for the first answer, however far
	promptWait  = 250 * time.Millisecond // between things that an answer makes us send at once
	maxWait     = 5 * time.Second        // however long the helper is silent
	restWait    = 30 * time.Second       // for an address that is not needed
	keepAlive   = 10 * time.Second       // less than the 30 s that NATs keep a mapping at least
	maxContacts = 16
)

// contact is one address of the helper. The client greets all of them, for what
// each says of the client's own address, and holds its membership through one.
type contact struct {
	path     udp.Path
	order    int // of the first hello, among all that were sent to anywhere
	token    token
	cookie   cookie
	open     bool           // it gave us a cookie
	observed netip.AddrPort // our address as it sees it
	heard    time.Time      // latest valid answer
	due      time.Time      // next hello
	greeted  time.Time      // when the first hello since the latest answer left; zero: none did
	tries    int            // hellos without an answer
	asked    int            // requests sent
	garbled  int            // packets from there that make no sense
	foreign  bool           // it speaks another version
	guess    bool           // nobody said that the helper is there
	down     bool           // the line is gone
}

// ServerState says how one of the helper's addresses behaved, for a report to
// the user.
type ServerState struct {
	Addr     netip.AddrPort
	Asked    int            // requests sent to it
	Heard    time.Time      // latest valid answer; zero: none
	Garbled  int            // packets from it that are no answers
	Foreign  bool           // it speaks another version of the protocol
	Mailbox  bool           // membership is held through it
	Observed netip.AddrPort // this machine's address as it sees it, if known
}

// Servers reports on each of the helper's addresses, in the order of the
// configuration.
func (c *Client) Servers() []ServerState {
	states := make([]ServerState, 0, len(c.contacts))
	for _, ct := range c.contacts {
		states = append(states, ServerState{
			Addr: ct.path.Remote, Asked: ct.asked, Heard: ct.heard, Garbled: ct.garbled,
			Foreign: ct.foreign, Mailbox: ct == c.box.at, Observed: ct.observed,
		})
	}
	return states
}

// Reflexive returns this machine's UDP addresses as the helper saw them last,
// each once, in the order of the helper's addresses.
func (c *Client) Reflexive() []netip.AddrPort { return c.seen(false) }

// addContact begins to ask at a path, unless it is known already.
func (c *Client) addContact(p udp.Path) *contact {
	if c.contactAt(p) != nil {
		return nil
	}
	ct := &contact{path: p, due: soon()}
	fill(c.rand, ct.token[:])
	c.contacts = append(c.contacts, ct)
	return ct
}

// contactAt returns the contact that a path leads to, or nil.
func (c *Client) contactAt(at udp.Path) *contact {
	at = at.Unmap()
	for _, ct := range c.contacts {
		if ct.path == at {
			return ct
		}
	}
	return nil
}

// refresh takes the cookie and the address out of an answer.
func (c *Client) refresh(ct *contact, m *answer) {
	moved := ct.open && ct.observed != m.observed
	ct.cookie, ct.observed, ct.open = m.cookie, m.observed, true
	if !moved {
		return
	}
	// One mapping of our NAT changed: the others have, too, or soon will.
	for _, o := range c.contacts {
		if o != ct {
			o.due = soon()
		}
	}
	c.scout.again()
}

// receiveCookie takes a cookie: the answer to a hello, or to a request with a
// cookie that does not hold any more because we moved, the helper restarted,
// or time went by. In the latter cases only a join puts things right.
func (c *Client) receiveCookie(now time.Time, ct *contact, m *answer) {
	c.refresh(ct, m)
	c.measure(now, ct.greeted)
	ct.greeted = time.Time{}
	c.learn(ct, m.ports)
	ct.due = now.Add(c.jitter(keepAlive))
	if c.box.at == nil {
		c.box.moveTo(ct)
	}
	if c.box.at == ct {
		c.rejoin(now)
	}
}

// sendHellos greets the addresses whose turn it is. It reports false when b is
// full.
func (c *Client) sendHellos(now time.Time, b *udp.Batch) bool {
	for _, ct := range c.contacts {
		if c.atMailbox(ct) || ct.down || !due(ct.due, now) {
			continue
		}
		if !emit(b, ct.path, &request{typ: typeHello, token: ct.token}) {
			return false
		}
		c.scout.count(&ct.order)
		ct.asked++
		limit := maxWait
		if c.box.state == stateJoined && c.box.asked.IsZero() {
			limit = restWait
		}
		if c.box.at == nil {
			c.box.ask(now)
		}
		ct.due = now.Add(c.backoff(ct.tries, limit))
		if ct.tries == 0 {
			ct.greeted = now
		}
		ct.tries++
	}
	return c.sendScouts(now, b)
}

// atMailbox reports whether ct needs no hello because the joins do its work.
func (c *Client) atMailbox(ct *contact) bool { return ct == c.box.at && c.box.tries < moveTries }

// hellosDue is when the next hello is due.
func (c *Client) hellosDue() (t time.Time) {
	for _, ct := range c.contacts {
		if !c.atMailbox(ct) && !ct.down {
			t = earlier(t, ct.due)
		}
	}
	return earlier(t, c.scout.due())
}

// backoff is how long to wait for an answer after so many tries before. The
// first eight come soon: on a line that loses a fifth in each direction a
// person would else be told one time in fifty that the helper is not there.
func (c *Client) backoff(tries int, limit time.Duration) time.Duration {
	shift := min(tries, 2)
	if tries >= eagerTries {
		shift = min(tries-eagerTries+3, 8)
	}
	return min(c.jitter(c.first()<<shift), limit)
}

// first is how long to wait for the first answer: two round trips, as each one
// that is lost makes the meeting wait.
func (c *Client) first() time.Duration {
	if c.rtt == 0 {
		return firstWait
	}
	return min(max(2*c.rtt, leastWait), mostWait)
}

// measure takes the round trip to the helper from a request that is answered
// now; zero: from none. The first of several hellos shows too long a one, until
// a join is answered.
func (c *Client) measure(now, sent time.Time) {
	if rtt := now.Sub(sent); !sent.IsZero() && (c.rtt == 0 || rtt < c.rtt) {
		c.rtt = max(rtt, 1) // 0 means unknown
	}
}

const eagerTries = 8

// jitter varies a wait by up to a fifth, so that clients which lost contact at
// the same time do not come back at the same time.
func (c *Client) jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*c.rng.Float64()))
}

// emit appends a request to b, or reports that there is no room.
func emit(b *udp.Batch, to udp.Path, q *request) bool {
	t := b.Tail(maxDatagram)
	if t == nil {
		return false
	}
	b.Commit(to, len(q.append(t)))
	return true
}
