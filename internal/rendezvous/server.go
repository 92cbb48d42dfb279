package rendezvous

import (
	cryptorand "crypto/rand"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"time"

	"qft/internal/stun"
	"qft/internal/udp"
)

const (
	idleSources = 1 << 14
	replyMemory = 1 << 19 // bytes of answers that wait for Send
)

// ServerConfig configures a helper. The zero value works. A source is an IPv4
// address or an IPv6 /64. A hundred people behind one NAT, all meeting at once,
// stay within its limits; a flood does not.
type ServerConfig struct {
	// Rand draws keys and numbers. If nil, crypto/rand.
	Rand io.Reader
	// Ports are the UDP ports on which the helper listens, and the sockets
	// that they belong to. Clients are told of the others than the one that
	// they ask, at most 6, to learn what their NAT does; and a STUN client
	// that wants an answer from another port gets it. If empty, there is one.
	Ports []Port
	// Secrets are what a join must show one of. If empty, everybody may join.
	Secrets [][]byte
	// Lifetime is how long somebody may wait in a room in which nothing was
	// said. If zero, an hour.
	Lifetime time.Duration
	// Bus says that other instances share their rooms with this one: what
	// ToBus and Subscriptions return has to be carried to and from them.
	// Read once, by NewServer.
	Bus bool
	// Members is how many members all rooms have together. If zero, 65,536.
	// One that waits alone costs about 400 bytes, with its room and its source.
	// Read once, by NewServer, for the size of its tables.
	Members int
	// SourceMembers is how many of them one source may have, and a sixteenth
	// of what a neighbourhood (IPv4 /24, IPv6 /48) may. If zero, 256.
	SourceMembers int
	// SourceJoins is how many new members a source may bring per minute, in
	// the long run, and a sixteenth of what a neighbourhood may. If zero, 60.
	SourceJoins int
	// Joins is how many new members all sources may bring per second, in the
	// long run; at once as many as there are places, and ten seconds' worth.
	// If zero, 1,000.
	Joins int
	// Lookups is how often per second, in the long run, receivers may come to
	// a number that nobody holds; ten times as many at once. If zero, 100.
	Lookups int
	// SourcePackets is how many packets per second of one source are looked
	// at; 2,048 at once. If zero, 512.
	SourcePackets int
	// SourceNotes is how many bytes of notes a source may send per minute, in
	// the long run; twice as much at once. If zero, 480 KiB: plenty for
	// meetings, and no use for carrying files.
	SourceNotes int
	// NoteMemory is how many bytes of undelivered notes are held. If zero,
	// 64 MiB. Notes beyond are dropped and their authors send them again.
	NoteMemory int
	// Only is the one room that there is, if not zero: joins of others are
	// refused.
	Only Room
	// OwnSenders has senders come from this machine only.
	OwnSenders bool
	// Log is told, at debug level, of members that come and go. If nil,
	// nothing is logged.
	Log *slog.Logger
	// LogAddresses has the log name the addresses of members as well.
	LogAddresses bool
}

// Port is a UDP port of the helper, as clients reach it, and its socket.
type Port struct {
	Local udp.Local
	Port  uint16
}

func (c ServerConfig) withDefaults() ServerConfig {
	if c.Rand == nil {
		c.Rand = cryptorand.Reader
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	for _, d := range []struct {
		v   *int
		def int
	}{
		{&c.Members, 1 << 16}, {&c.SourceMembers, 256}, {&c.SourceJoins, 60}, {&c.Joins, 1000},
		{&c.Lookups, 100}, {&c.SourcePackets, 512}, {&c.SourceNotes, 480 << 10}, {&c.NoteMemory, 64 << 20},
	} {
		if *d.v <= 0 {
			*d.v = d.def
		}
	}
	if c.Lifetime <= 0 {
		c.Lifetime = time.Hour
	}
	return c
}

// Stats counts what a helper did since it started; the first four are what it
// holds now.
type Stats struct {
	Rooms, Members, NoteBytes int
	Far                       int // of the members, those at other instances

	Hellos, Joins, Notes, Stun uint64 // served
	Refused                    uint64 // joins and notes turned down, with an answer
	Limited                    uint64 // packets of sources over their limit, unanswered
	Stale                      uint64 // requests without a valid cookie, answered by one
	Garbage                    uint64 // packets that are no request
	Denied                     uint64 // joins that did not show the secret
	Lookups                    uint64 // joins turned down since too many ask for numbers that nobody holds
	Outlived                   uint64 // members that waited for too long
	Expired                    uint64 // members that fell silent
	Dropped                    uint64 // notes and answers for which there was no memory
}

// Server is a helper: a machine that lets members of a room find and write to
// each other. See the package comment for what it keeps and for how long.
type Server struct {
	cfg      ServerConfig
	rng      *rand.Rand // numbers, jitter
	cookies  cookieJar
	sources  sourceTable
	cells    cells
	joins    bucket // new members of all sources
	lookups  bucket // and how often they came to a number that nobody holds
	lobby    lobby
	members  map[ID]*member // those in rooms, and for a while those that left
	zones    zones
	timers   timers
	replies  replies
	draining bool
	bus      *bus     // nil: there is no other instance
	ids      []ID     // scratch of joined
	ports    []uint16 // and of sendCookie
	view     answer   // scratch of emit
	stats    Stats
}

// NewServer returns a helper that knows of nobody.
func NewServer(cfg ServerConfig) *Server {
	cfg = cfg.withDefaults()
	s := &Server{
		cfg:     cfg,
		rng:     newRand(cfg.Rand),
		cookies: cookieJar{rand: cfg.Rand},
		sources: sourceTable{max: idleSources, table: make(map[block]*source)},
		lobby:   lobby{rooms: newRooms()},
		members: make(map[ID]*member),
		replies: replies{queue: udp.NewBatch(replyMemory)},
	}
	var seed [16]byte
	fill(cfg.Rand, seed[:])
	s.cells = newCells(cfg.Members, seed[:])
	if cfg.Bus {
		s.bus = &bus{}
		fill(cfg.Rand, s.bus.self[:])
		s.bus.adds = []string{subjectClaim, s.bus.self.subject()}
		s.lobby.claimed = make(map[uint32]bool)
	}
	return s
}

// Reload takes other limits, ports and secrets. Rand stays, and what
// concerns the log.
func (s *Server) Reload(cfg ServerConfig) {
	cfg.Rand, cfg.Log, cfg.LogAddresses = s.cfg.Rand, s.cfg.Log, s.cfg.LogAddresses
	s.cfg = cfg.withDefaults()
}

// Drain lets nobody into a new room from now on. Those who wait may still be
// met: here, and if there are other instances, through them.
func (s *Server) Drain() { s.draining = true }

// newRand returns a generator for what need not be secret.
func newRand(seed io.Reader) *rand.Rand {
	var s [32]byte
	fill(seed, s[:])
	return rand.New(rand.NewChaCha8(s))
}

// Stats returns the counters.
func (s *Server) Stats() Stats {
	st := s.stats
	st.Rooms, st.Members = s.lobby.rooms.count(), s.lobby.members
	if s.bus != nil {
		st.Far = s.bus.far
	}
	return st
}

// Receive takes a packet that arrived on one of the helper's ports. Answers
// leave with the next Send, through the same port.
func (s *Server) Receive(now time.Time, p udp.Packet) { s.ReceiveFor(now, p, p.Remote) }

// ReceiveFor takes a packet that a proxy passed on for a client at an address.
// Answers go to the proxy; cookies, limits, and what the client is told of its
// address are the client's.
func (s *Server) ReceiveFor(now time.Time, p udp.Packet, client netip.AddrPort) {
	c := caller{path: p.Path.Unmap(), addr: netip.AddrPortFrom(client.Addr().Unmap(), client.Port())}
	s.lobby.open(now)
	if stun.Is(p.Data) {
		s.receiveStun(now, c, p.Data)
		return
	}
	q, err := parseRequest(p.Data)
	foreign := err == errVersion && q.typ == typeHello && len(p.Data) >= helloSize
	switch {
	case err != nil && !foreign:
		s.stats.Garbage++
	case foreign:
		if s.stranger(now, c) {
			s.refuse(c.path, &q, refusedVersion)
		}
	case q.typ == typeHello:
		if s.stranger(now, c) {
			s.stats.Hellos++
			s.sendCookie(now, c, &q, len(p.Data))
		}
	case !s.cookies.valid(now, c.addr, q.cookie):
		if s.stranger(now, c) {
			s.stats.Stale++
			s.sendCookie(now, c, &q, len(p.Data))
		}
	default:
		s.serve(now, c, &q)
	}
}

// stranger reports whether a packet may be answered that anybody may have sent
// from anywhere. It has its own limit, so that a flood which bears somebody's
// address does not use up what that one may.
func (s *Server) stranger(now time.Time, c caller) bool {
	if s.draining && s.cfg.Bus {
		return false // another instance answers; who is told "busy" here would not ask it
	}
	if s.cells.packet(c.addr.Addr()).take(now, 1, s.packetRate()) {
		return true
	}
	s.stats.Limited++
	return false
}

func (s *Server) packetRate() rate { return rate{packetBurst, float64(s.cfg.SourcePackets)} }

// serve answers a request of somebody who receives what is sent to its address.
func (s *Server) serve(now time.Time, c caller, q *request) {
	src := s.sources.at(c.addr.Addr())
	if !src.packets.take(now, 1, s.packetRate()) {
		s.stats.Limited++
		return
	}
	m := s.members[q.from]
	switch {
	case q.typ == typeJoin:
		s.join(now, c, src, q)
	case q.typ == typeLeave:
		s.leave(now, m, c, q)
	// An ID is known to others: what is sent in its name must come from where
	// its owner joined.
	case m == nil || m.room == nil || !s.isAt(m, c, q):
		s.refuse(c.path, q, refusedUnknown)
	case q.typ == typeNote:
		m.heard = at(now)
		s.note(now, m, q)
	default:
		m.heard = at(now)
		s.ack(m, q)
	}
}

// sendCookie answers a request of so many bytes. Nothing but this goes to an
// address that has not shown a cookie, nothing about it is kept, and no answer
// is larger than its request.
func (s *Server) sendCookie(now time.Time, c caller, q *request, asked int) {
	a := answer{typ: typeCookie, token: q.token, cookie: s.cookies.issue(now, c.addr), observed: c.addr}
	s.ports = s.ports[:0]
	for _, p := range s.cfg.Ports {
		n := len(s.ports)
		if p.Local != c.path.Local && n < maxPorts && cookieSize+2*(n+1) <= asked {
			s.ports = append(s.ports, p.Port)
		}
	}
	a.ports = s.ports
	s.reply(c.path, a)
}

func (s *Server) refuse(to udp.Path, q *request, code refusal) {
	s.stats.Refused++
	s.reply(to, answer{typ: typeRefused, token: q.token, code: code, req: q.req})
}

func (s *Server) reply(to udp.Path, a answer) {
	if !s.emit(s.replies.queue, to, a) {
		s.stats.Dropped++
	}
}

func (s *Server) receiveStun(now time.Time, c caller, b []byte) {
	q, err := stun.ParseRequest(b)
	if err != nil {
		s.stats.Garbage++
		return
	}
	if !s.stranger(now, c) {
		return
	}
	s.stats.Stun++
	to := c.path
	if q.ChangePort {
		if to.Local = s.otherPort(c); to.Local == c.path.Local {
			q = q.Refuse()
		}
	}
	t := s.replies.queue.Tail(stun.MaxResponse)
	if t == nil {
		s.stats.Dropped++
		return
	}
	s.replies.queue.Commit(to, len(stun.AppendResponse(t, q, c.addr)))
}

// otherPort is a socket through which the client was not asked, if there is one
// whose packets reach it as if they came from the helper.
func (s *Server) otherPort(c caller) udp.Local {
	if c.addr == c.path.Remote && !c.path.IsLine() {
		for _, p := range s.cfg.Ports {
			if p.Local != c.path.Local {
				return p.Local
			}
		}
	}
	return c.path.Local
}

// Send appends answers, and whatever is due to members.
func (s *Server) Send(now time.Time, b *udp.Batch) {
	s.settleClaims(now)
	if !s.replies.drain(b) {
		return
	}
	for m := s.timers.next(); m != nil && m.timer.due(now); m = s.timers.next() {
		if !s.serviceMember(now, m, b) {
			return
		}
	}
}

// Deadline returns when Send has something to do.
func (s *Server) Deadline() time.Time {
	if s.replies.pending() {
		return soon()
	}
	var next instant
	if m := s.timers.next(); m != nil {
		next = m.timer
	}
	if s.bus != nil {
		next = next.or(s.bus.claims.due())
	}
	return next.time()
}

// emit appends an answer to b, or reports that there is no room.
func (s *Server) emit(b *udp.Batch, to udp.Path, a answer) bool {
	t := b.Tail(maxDatagram)
	if t == nil {
		return false
	}
	s.view = a
	b.Commit(to, len(s.view.append(t)))
	return true
}

// replies holds encoded answers from Receive to Send. When it is full, answers
// are lost, as on any busy link, and their clients ask again.
type replies struct {
	queue *udp.Batch
	next  int // first packet of the queue not yet sent
}

func (r *replies) pending() bool { return r.next < r.queue.Len() }

// drain moves answers to b and reports whether all of them found room.
func (r *replies) drain(b *udp.Batch) bool {
	for ; r.pending(); r.next++ {
		if p := r.queue.At(r.next); !b.Add(p.Path, p.Data) {
			return false
		}
	}
	r.queue.Reset()
	r.next = 0
	return true
}
