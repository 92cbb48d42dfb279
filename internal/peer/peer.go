package peer

import (
	"encoding/binary"
	"io"
	"net/netip"
	"time"

	"qft/internal/nat"
	"qft/internal/rendezvous"
	"qft/internal/secret"
	"qft/internal/transport"
	"qft/internal/udp"
)

// Config is what a peer is made of.
type Config struct {
	Role    rendezvous.Role
	Helpers []netip.AddrPort // the helper's addresses, at least one
	Secret  []byte           // of a private helper; nil: none is shown

	// Phrase is what both sides know. A sender may leave it zero and set
	// Words instead: the helper then assigns the number of the code.
	Phrase secret.Phrase
	Words  string

	// Local returns the addresses at which the socket can be reached directly.
	// It is asked again when contact is lost.
	Local func() []netip.AddrPort

	// V4 and V6 say which families the socket has. If neither, both.
	V4, V6 bool

	Rand io.Reader
	AES  bool // this machine's processor has AES instructions

	App App

	// PacketBytes bounds the bulk bytes in one packet. If zero, the path
	// decides.
	PacketBytes int

	// Limit bounds the UDP payload that the sender sends, whichever side this
	// is, in bytes per second. If zero, the path decides.
	Limit float64

	// Background makes the sender yield to other traffic, whichever side this
	// is.
	Background bool

	// Guesses is how many wrong guesses are left of what earlier meetings under
	// this phrase were allowed. If zero, all.
	Guesses int

	// Again says that this side was in the room before. It then waits for as
	// long as the helper takes: the number may still be held by the membership
	// that it had, and the network may be what it comes back from.
	Again bool

	// Many says that a sender has other meetings after this one: who knows the
	// phrase is told to wait for its turn, rather than that it is taken.
	Many bool

	// Known are members of the room that a sender has met in an earlier
	// meeting. It says nothing to them.
	Known []rendezvous.ID
}

// App is what runs over the connection. Its methods are called in the loop.
type App interface {
	// Start is called once, when the connection is there.
	Start(now time.Time, l Link)
	// Step is called after packets have arrived or time has passed, before
	// packets are sent.
	Step(now time.Time)
	// Deadline is when Step must be called at the latest; zero: no matter.
	Deadline() time.Time
	// Stop asks for an orderly end; before Start too.
	Stop(now time.Time)
	// Done reports whether the app is finished with the connection, or, before
	// Start, that nothing keeps the peer.
	Done() bool
}

// The first byte of a UDP payload says whose it is; transport's have the
// highest bit set, STUN's the two highest clear (RFC 7983).
const (
	markRendezvous = 0x51
	markProbe      = 0x52
)

// state is where on the ladder of the package comment a peer is.
type state uint8

const (
	// meeting: at the helper, waiting for someone who knows the phrase.
	// Next: punching, parting.
	meeting state = iota
	// punching: looking for a path. Next: connected, parting.
	punching
	// connected: the app runs; lost contact is looked for in the background
	// without leaving this state. Next: parting.
	connected
	// parting: the helper is being told good-bye. Next: over.
	parting
	// over: nothing left to say.
	over
)

const (
	// helperPatience is how long the first answer of the helper may take: many
	// retransmissions at 20 % loss, and still short for a person.
	helperPatience = 15 * time.Second

	// partingTime bounds the good-bye to the helper and to the members: what
	// they were told last should arrive.
	partingTime = 3 * time.Second

	// handOver is how long after a success a sender of many stays in the room:
	// until what it said last has arrived, and no longer than a search for a
	// path usually takes, for the next meeting needs its place.
	handOver = 5 * time.Second

	// searchAgain is how long a search for a lost peer goes on before the
	// addresses are looked at anew.
	searchAgain = 10 * time.Second
)

// Peer is the machine. It is made by New and driven by a Loop or by the lab.
type Peer struct {
	cfg    Config
	state  state
	began  time.Time
	client *rendezvous.Client // of the public room, nil once left
	meet   meetState
	sess   *secret.Session
	agent  *nat.Agent
	conn   *transport.Conn
	search searchState
	path   nat.Path
	told   udp.Path // the path that was last told as an event
	events []Event
	err    *Error
	end    time.Time // parting: over then
	turn   time.Time // of the latest Send
}

// New returns a peer that begins to ask for the helper at once.
func New(now time.Time, cfg Config) *Peer {
	p := &Peer{cfg: cfg, began: now}
	p.meet.init(&cfg)
	p.client = rendezvous.NewClient(rendezvous.ClientConfig{
		Servers: cfg.Helpers, Room: p.room(), Role: cfg.Role, Rand: cfg.Rand, Secret: cfg.Secret,
	})
	return p
}

func (p *Peer) room() rendezvous.Room {
	if p.cfg.Words != "" {
		return rendezvous.NumberedRoom(0)
	}
	if n, generated := p.cfg.Phrase.Number(); generated {
		return rendezvous.NumberedRoom(n)
	}
	return rendezvous.SharedRoom(p.cfg.Phrase.Room())
}

// Next pops an event.
func (p *Peer) Next() (Event, bool) {
	if len(p.events) == 0 {
		return nil, false
	}
	e := p.events[0]
	p.events = p.events[1:]
	return e, true
}

func (p *Peer) tell(e Event) { p.events = append(p.events, e) }

// Err returns an *Error if no connection came about.
func (p *Peer) Err() error {
	if p.err == nil {
		return nil
	}
	return p.err
}

// Guesses is how many more wrong guesses this side would take.
func (p *Peer) Guesses() int { return p.meet.left }

// Conn returns the connection, nil before there is one.
func (p *Peer) Conn() *transport.Conn { return p.conn }

// Receive hands a packet to the machine that it belongs to.
func (p *Peer) Receive(now time.Time, k udp.Packet) {
	switch {
	case len(k.Data) == 0:
	case transport.IsPacket(k.Data):
		if p.conn != nil {
			p.conn.Receive(now, k)
		}
	case k.Data[0] == markProbe:
		if p.agent != nil {
			p.agent.Receive(now, k)
		}
	case k.Data[0] == markRendezvous:
		if p.client != nil {
			p.client.Receive(now, k)
		}
		if p.search.client != nil {
			p.search.client.Receive(now, k)
		}
	}
}

// Send lets every machine say what it has to say now.
func (p *Peer) Send(now time.Time, b *udp.Batch) {
	p.turn = now
	p.step(now)
	for _, m := range p.machines() {
		m.Send(now, b)
	}
	p.finish(now)
}

// finish notices that a machine has said its last word, after which it asks
// for no further turn.
func (p *Peer) finish(now time.Time) {
	if p.state == connected && p.conn.Done() && p.cfg.App.Done() {
		p.part(now)
	}
	if p.state == parting && (gone(p.client) && gone(p.search.client) || !now.Before(p.end)) {
		p.state = over
	}
}

type speaker interface {
	Send(now time.Time, b *udp.Batch)
	Deadline() time.Time
}

// machines are those that are awake, in a fixed order.
func (p *Peer) machines() []speaker {
	all := make([]speaker, 0, 4)
	if p.client != nil {
		all = append(all, p.client)
	}
	if p.search.client != nil {
		all = append(all, p.search.client)
	}
	if p.agent != nil && p.state != over && p.state != parting {
		all = append(all, p.agent)
	}
	if p.conn != nil {
		all = append(all, p.conn)
	}
	return all
}

// step moves the peer along its ladder.
func (p *Peer) step(now time.Time) {
	switch p.state {
	case meeting:
		p.stepMeeting(now)
	case punching:
		p.stepMeeting(now)
		p.stepPunching(now)
	case connected:
		p.stepConnected(now)
	case parting:
		p.leave(now)
	}
}

// Deadline is when Send must be called.
func (p *Peer) Deadline() time.Time {
	var d time.Time
	for _, m := range p.machines() {
		d = earlier(d, m.Deadline())
	}
	switch p.state {
	case meeting, punching:
		d = earlier(d, p.meetDeadline())
	case connected:
		d = earlier(d, p.cfg.App.Deadline())
		d = earlier(d, p.searchDeadline())
	case parting:
		d = earlier(d, p.end)
		if last := p.end.Add(-time.Second); last.After(p.turn) {
			d = earlier(d, last)
		}
	case over:
		return time.Time{}
	}
	return d
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// fail ends a peer that has found no partner.
func (p *Peer) fail(now time.Time, kind Kind, err error) {
	if p.state == parting || p.state == over {
		return
	}
	p.err = &Error{Kind: kind, Err: err}
	if p.state == connected {
		p.cfg.App.Stop(now) // parts when it is done
		return
	}
	p.part(now)
}

// part says good-bye to the helper.
func (p *Peer) part(now time.Time) {
	p.state = parting
	p.end = now.Add(partingTime)
	p.leave(now)
}

// leave leaves the helper's rooms once the members have what was posted to
// them, or too much time has passed for that.
func (p *Peer) leave(now time.Time) {
	for _, c := range []*rendezvous.Client{p.client, p.search.client} {
		if c != nil && (!c.Pending() || !now.Before(p.end.Add(-time.Second))) {
			c.Leave()
		}
	}
}

func gone(c *rendezvous.Client) bool { return c == nil || c.Done() }

// Stop asks for an orderly end.
func (p *Peer) Stop(now time.Time) {
	p.cfg.App.Stop(now)
	if p.state == punching {
		p.post(p.meet.partner, noteVerdict, p.verdict(p.sess, verdictStopped))
	}
	if p.state == meeting || p.state == punching {
		p.part(now)
	}
}

// Done reports whether nothing is left to do or say.
func (p *Peer) Done() bool { return p.state == over && p.cfg.App.Done() }

// label24 derives a 24-bit connection id.
func label24(s *secret.Session, label string) uint32 {
	return binary.BigEndian.Uint32(append([]byte{0}, s.Export(label, 3)...))
}
