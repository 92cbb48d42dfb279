package rendezvous

import (
	cryptorand "crypto/rand"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"time"

	"qft/internal/udp"
)

var (
	// ErrTaken: somebody else is the sender of this number, or has the place
	// in this private room.
	ErrTaken = errors.New("somebody else is using this code")
	// ErrBusy: a limit is reached, of the helper, of a room, or of a stream.
	ErrBusy = errors.New("a limit of the helper is reached, or it is being stopped")
	// ErrVersion: the helper speaks another version of the protocol.
	ErrVersion = errors.New("the helper speaks another version of the protocol")
	// ErrExpired: nobody was met for as long as the helper lets one wait.
	ErrExpired = errors.New("nobody came for as long as the helper lets one wait")
	// ErrDenied: the helper is a private one, and its secret was not shown.
	ErrDenied = errors.New("the helper is private, and wants its secret")
	// ErrGarbled: what answers at the helper's address is no helper.
	ErrGarbled = errors.New("what answers at the helper's address is no qft helper")
	// ErrGone: there is no such member in the room.
	ErrGone = errors.New("no such member in the room")
)

// ClientConfig configures a client. Servers, Room and Role are required.
type ClientConfig struct {
	// Servers are the addresses of the one helper, of both families where it
	// has both; the first 16 valid ones count.
	Servers []netip.AddrPort
	// Ports are other UDP ports at which the helper may be found, on the same
	// hosts: they are asked when nothing has answered for 1.5 s.
	Ports []uint16
	// Room is where to meet; NumberedRoom(0) asks for a number.
	Room Room
	Role Role
	// Secret is what a private helper lets in by. If nil, none is shown.
	Secret []byte
	// Rand draws the member's key and the tokens. If nil, crypto/rand.
	Rand io.Reader
}

// EventKind says what happened.
type EventKind byte

const (
	// Joined: we are in the room, once; Number is that of a numbered room.
	Joined EventKind = iota + 1
	// Arrived: Member of the other role is in the room and can be written to.
	Arrived
	// Note: Member sent the message Note. Messages of one member come in the
	// order in which it posted them, each once.
	Note
	// Departed: Member left or was silent for a minute. One that was only
	// asleep may arrive again and go on.
	Departed
	// Refused: the helper does not do what we ask, for Err: ErrTaken, ErrBusy,
	// ErrVersion, ErrDenied, ErrExpired or ErrGarbled. The client keeps asking,
	// slowly.
	Refused
	// Silent: the helper has not answered for 10 s. The client keeps asking.
	Silent
	// Back: after Silent, the helper answers again. Number, ID and messages
	// are what they were, and Refused follows if the helper does not agree.
	Back
)

// Event is something that the user of a client should know.
type Event struct {
	Kind   EventKind
	Member ID
	Number uint32
	Note   []byte
	Err    error
}

// Client is a member of a room, or on the way to be one: a machine.
type Client struct {
	room     Room
	role     Role
	key      key
	secret   []byte
	id       ID
	rng      *rand.Rand // jitter
	rand     io.Reader
	ports    []uint16      // asked as well if nothing answers
	began    time.Time     // first turn
	spread   bool          // nothing did
	rtt      time.Duration // lowest to the helper; 0: not known
	contacts []*contact
	scout    scout
	box      mailbox
	peers    []*peer // in the order of first arrival
	events   []Event
}

// NewClient returns a client under a new ID. It begins with the first Send.
func NewClient(cfg ClientConfig) *Client {
	if cfg.Rand == nil {
		cfg.Rand = cryptorand.Reader
	}
	c := &Client{room: cfg.Room, role: cfg.Role, secret: cfg.Secret, rng: newRand(cfg.Rand), rand: cfg.Rand, ports: cfg.Ports}
	fill(cfg.Rand, c.key[:])
	c.id = c.key.id()
	for _, a := range cfg.Servers {
		at := udp.To(a).Unmap()
		if a.Addr().IsValid() && a.Port() != 0 && len(c.contacts) < maxContacts {
			c.addContact(at)
		}
	}
	if len(c.contacts) == 0 {
		c.refuse(errors.New("meeting at the helper: no usable address of one"))
	}
	return c
}

// ID returns the client's own ID, as the others see it.
func (c *Client) ID() ID { return c.id }

// Next returns the oldest event that was not returned yet.
func (c *Client) Next() (Event, bool) {
	if len(c.events) == 0 {
		return Event{}, false
	}
	e := c.events[0]
	c.events = c.events[1:]
	return e, true
}

func (c *Client) tell(e Event) { c.events = append(c.events, e) }

// Post sends a message of at most MaxMessage bytes to a member that arrived.
// It arrives once, and in order, for as long as both stay in the room. The
// errors are ErrGone, and ErrBusy when 32 notes of up to 1,000 bytes wait or
// 256 have been sent to the member.
func (c *Client) Post(to ID, msg []byte) error {
	if len(msg) > MaxMessage {
		return fmt.Errorf("posting a message of %d bytes: at most %d are possible", len(msg), MaxMessage)
	}
	p := c.peer(to)
	if p == nil || !p.here || c.box.state >= stateLeaving {
		return fmt.Errorf("posting to %v: %w", to, ErrGone)
	}
	if !p.out.post(msg) {
		return fmt.Errorf("posting to %v: %w", to, ErrBusy)
	}
	return nil
}

// Pending reports whether a member that is here has not confirmed a message.
func (c *Client) Pending() bool {
	for _, p := range c.peers {
		if p.here && len(p.out.notes) > 0 {
			return true
		}
	}
	return false
}

// Leave ends the membership. The helper is told, for which the machine needs
// to run until Done, 600 ms at most; messages not yet confirmed may be lost.
func (c *Client) Leave() {
	switch {
	case c.box.state >= stateLeaving:
	case c.box.req == 0: // no helper knows us
		c.box.state = stateDone
	default:
		c.box.state, c.box.tries, c.box.due = stateLeaving, 0, soon()
	}
}

// Done reports whether the client has left and will send nothing more.
func (c *Client) Done() bool { return c.box.state == stateDone }

// Receive takes a packet that arrived on the client's port. What did not come
// from a helper that we asked is ignored.
func (c *Client) Receive(now time.Time, p udp.Packet) {
	ct := c.contactAt(p.Path)
	switch {
	case c.Done():
		return
	case ct == nil:
		c.scout.receive(p)
		return
	}
	m, err := parseAnswer(p.Data)
	switch {
	case err == errVersion && m.typ == typeRefused && m.token == ct.token:
		ct.foreign = true
		c.box.asked = time.Time{} // an answer it is
		c.refuse(ErrVersion)
		return
	case err != nil || m.token != ct.token:
		ct.garbled++
		return
	}
	ct.heard, ct.tries, ct.foreign = now, 0, false
	switch {
	case m.typ == typeCookie:
		c.receiveCookie(now, ct, &m)
	case c.box.state == stateLeaving:
		if m.typ == typeLeft {
			c.box.state = stateDone
		}
	case m.typ == typeJoined:
		c.receiveJoined(now, ct, &m)
	case m.typ == typePush:
		c.receivePush(now, &m)
	case m.typ == typeAcked:
		c.receiveAcked(now, &m)
	case m.typ == typeRefused:
		c.receiveRefused(now, ct, &m)
	}
}

// Send appends what should leave now.
func (c *Client) Send(now time.Time, b *udp.Batch) {
	switch c.box.state {
	case stateDone:
		return
	case stateLeaving:
		c.sendLeave(now, b)
		return
	}
	c.checkReach(now)
	c.checkSilence(now)
	c.checkMissing(now)
	ok := c.sendJoin(now, b) && c.sendHellos(now, b)
	if ok && c.box.answered != 0 {
		_ = c.sendConfirms(b) && c.sendNotes(now, b)
	}
}

// Deadline returns when Send has something to do.
func (c *Client) Deadline() time.Time {
	switch c.box.state {
	case stateDone:
		return time.Time{}
	case stateLeaving:
		return c.box.due
	}
	t := earlier(c.hellosDue(), c.reachDue())
	if c.box.at != nil {
		t = earlier(t, c.box.due)
	}
	if !c.box.silent && !c.box.asked.IsZero() {
		t = earlier(t, c.box.asked.Add(silence))
	}
	if c.box.answered != 0 {
		t = earlier(t, c.notesDue())
	}
	return t
}
