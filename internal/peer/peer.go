package peer

import (
	"encoding/binary"
	"io"
	"net/netip"
	"slices"
	"time"

	"qft/internal/beacon"
	"qft/internal/nat"
	"qft/internal/rendezvous"
	"qft/internal/secret"
	"qft/internal/stun"
	"qft/internal/transport"
	"qft/internal/udp"
)

// Config is what a peer is made of.
type Config struct {
	Role rendezvous.Role

	// Helpers are the helper's addresses. If there are none, the two sides meet
	// on this network or at the sender's machine.
	Helpers []netip.AddrPort

	// Secret is what a private helper lets in by. If nil, none is shown.
	Secret []byte

	// Host is where the sender's own server listens, as the receiver was told:
	// it meets there instead of at the helper.
	Host []netip.AddrPort

	// Nearby has the two sides find each other by beacons on this network, too.
	// The socket hears Groups.
	Nearby bool

	// Port is the socket's own. A sender needs it, to tell others.
	Port uint16

	// Door is, for a sender, the own server of another meeting of this machine,
	// at the port that people were told.
	Door netip.AddrPort

	// Stun are STUN servers. If there are any, nobody is met anywhere: two people
	// pass each other tokens, as the events Token and WantToken and the method
	// Paste have it. Phrase may then be zero.
	Stun []netip.AddrPort

	// Phrase is what both sides know. A sender may leave it zero and set
	// Words instead: the helper then assigns the number of the code, or
	// without one the sender makes it up.
	Phrase secret.Phrase
	Words  string

	// Local returns the addresses at which the socket can be reached directly.
	// It is asked again when contact is lost.
	Local func() []netip.AddrPort

	// V4 and V6 say which families the socket has. If neither, both.
	V4, V6 bool

	// Sockets gives the peer further sockets. If nil, it has only the first.
	Sockets Sockets

	// Lines makes TCP connections where UDP does not do. If nil, it has to.
	Lines Lines

	Rand io.Reader
	AES  bool // this machine's processor has AES instructions

	App App

	// PacketBytes bounds the bulk bytes in one packet. If zero, the path
	// decides.
	PacketBytes int

	// Throttle is what this side wants of the sending at the start.
	Throttle

	// Duplex says that both sides send bulk, whatever their roles in the
	// meeting.
	Duplex bool

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

	// Known are those whom a sender has met in an earlier meeting, as Met names
	// them. It says nothing to them.
	Known []rendezvous.ID
}

// Sockets are further sockets; a Loop has them.
type Sockets = nat.Sockets

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
	// beacon.Mark    0x53
)

// state is where on the ladder of the package comment a peer is.
type state uint8

const (
	// meeting: in the places where one meets, waiting for someone who knows the phrase.
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
)

// Peer is the machine. It is made by New and driven by a Loop or by the lab.
type Peer struct {
	cfg    Config
	state  state
	began  time.Time
	places []*place             // where we meet, until we leave
	parted []*rendezvous.Client // of places that were given up, saying good-bye
	desk   *desk                // of our own place; nil: there is none
	near   nearbyState
	pasted *pasted // nil: tokens are not what we meet by
	meet   meetState
	bonds  []*bond // with the partner; once connected, one
	away   bool    // the rooms are left
	self   selfState
	conn   *transport.Conn
	search searchState
	lines  lineState
	inband inBandState
	path   nat.Path
	told   udp.Path // the path that was last told as an event
	paused pauseState
	events []Event
	err    *Error
	end    time.Time // parting: over then
	turn   time.Time // of the latest Send
}

// New returns a peer that begins to ask for the helper, and on this network, at
// once.
func New(now time.Time, cfg Config) *Peer {
	p := &Peer{cfg: cfg, began: now, turn: now}
	if err := p.meet.init(&cfg); err != nil {
		p.fail(now, Broken, err)
		return p
	}
	p.begin(now)
	return p
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
		for _, b := range p.bonds {
			b.agent.Receive(now, k)
		}
	case k.Data[0] == markRendezvous:
		p.receiveRendezvous(now, k)
	case stun.Is(k.Data):
		if p.pasted != nil {
			p.pasted.out.Receive(now, k)
		}
	case k.Data[0] == beacon.Mark:
		if p.near.beacon != nil {
			p.near.beacon.Receive(now, k)
		}
	}
}

// Send lets every machine say what it has to say now.
func (p *Peer) Send(now time.Time, b *udp.Batch) {
	p.turn = now
	p.step(now)
	if h := p.home(); h != nil {
		p.serve(now, h)
		p.desk.drain(b)
	}
	p.eachMachine(func(m speaker) { m.Send(now, b) })
	p.finish(now)
}

// finish notices that a machine has said its last word, after which it asks
// for no further turn.
func (p *Peer) finish(now time.Time) {
	if p.state == connected && p.conn.Done() && p.cfg.App.Done() {
		p.part(now)
	}
	p.forgetParted()
	if p.state == parting && (!p.inRooms() && len(p.parted) == 0 && gone(p.search.client) || !now.Before(p.end)) {
		p.state = over
	}
}

type speaker interface {
	Send(now time.Time, b *udp.Batch)
	Deadline() time.Time
}

// eachMachine visits those that are awake, in a fixed order.
func (p *Peer) eachMachine(f func(speaker)) {
	p.eachClient(func(c *rendezvous.Client) { f(c) })
	if p.state != over && p.state != parting {
		if p.pasted != nil && p.state != connected {
			f(p.pasted.out)
		}
		if p.near.beacon != nil {
			f(p.near.beacon)
		}
		for _, b := range p.bonds {
			f(b.agent)
		}
	}
	if p.conn != nil {
		f(p.conn)
	}
}

// step moves the peer along its ladder.
func (p *Peer) step(now time.Time) {
	if p.state < parting && p.look(now) {
		p.moved(now)
	}
	switch p.state {
	case meeting:
		p.stepMeeting(now)
		p.stepLines(now)
	case punching:
		p.stepMeeting(now)
		p.stepLines(now)
		p.stepPunching(now)
	case connected:
		p.stepConnected(now)
		p.stepLines(now)
	case parting:
		p.leave(now)
	}
}

// Deadline is when Send must be called.
func (p *Peer) Deadline() time.Time {
	var d time.Time
	p.eachMachine(func(m speaker) { d = earlier(d, m.Deadline()) })
	d = earlier(d, p.homeDeadline())
	if p.state < parting {
		d = earlier(d, p.self.due)
	}
	switch p.state {
	case meeting, punching:
		d = earlier(earlier(d, p.meetDeadline()), p.nearbyDeadline())
		d = earlier(d, p.linesDeadline())
	case connected:
		d = earlier(d, p.linesDeadline())
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

// part says good-bye to the helper, and wherever else we are.
func (p *Peer) part(now time.Time) {
	p.state = parting
	p.end = now.Add(partingTime)
	p.quiet()
	for _, pl := range p.places {
		p.countOpen(pl)
	}
	p.leave(now)
}

// leave leaves the rooms once the members have what was posted to them, or too
// much time has passed for that.
func (p *Peer) leave(now time.Time) {
	late := !now.Before(p.end.Add(-time.Second))
	for _, pl := range p.places {
		switch {
		case pl.client == nil:
		case pl.client.Done():
			pl.client = nil
		case !pl.client.Pending() || late:
			pl.client.Leave()
		}
	}
	if c := p.search.client; c != nil && (!c.Pending() || late) {
		c.Leave()
	}
}

// inRooms reports whether we are a member anywhere.
func (p *Peer) inRooms() bool {
	return slices.ContainsFunc(p.places, func(pl *place) bool { return !gone(pl.client) })
}

func gone(c *rendezvous.Client) bool { return c == nil || c.Done() }

// Stop asks for an orderly end.
func (p *Peer) Stop(now time.Time) {
	p.cfg.App.Stop(now)
	if p.state == punching {
		p.postVerdict(verdictStopped)
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
