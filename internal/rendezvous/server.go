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

// Limits that a source (an IPv4 address, an IPv6 /64) has beside those of
// ServerConfig. A hundred people behind one NAT, all meeting at once, stay
// within them; a flood does not.
const (
	packetBurst  = 2048
	packetRate   = 512 // per second
	joinBurst    = 128 // new members at once
	idleSources  = 1 << 14
	replyMemory  = 1 << 19 // bytes of answers that wait for Send
	memberBudget = 1 << 18 // bytes of notes that one member may send in its life
)

// ServerConfig configures a helper. The zero value works.
type ServerConfig struct {
	// Rand draws keys and numbers. If nil, crypto/rand.
	Rand io.Reader
	// Members is how many members all rooms have together. If zero, 65,536.
	// Each costs about 600 bytes beside its notes.
	Members int
	// SourceMembers is how many of them one source may have. If zero, 256.
	SourceMembers int
	// SourceJoins is how many new members a source may bring per minute, in
	// the long run. If zero, 60.
	SourceJoins int
	// SourceNotes is how many bytes of notes a source may send per minute, in
	// the long run; twice as much at once. If zero, 480 KiB: plenty for
	// meetings, and no use for carrying files.
	SourceNotes int
	// NoteMemory is how many bytes of undelivered notes are held. If zero,
	// 64 MiB. Notes beyond are dropped and their authors send them again.
	NoteMemory int
	// Log is told, at debug level, of members that come and go. If nil,
	// nothing is logged.
	Log *slog.Logger
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
		{&c.Members, 1 << 16}, {&c.SourceMembers, 256}, {&c.SourceJoins, 60},
		{&c.SourceNotes, 480 << 10}, {&c.NoteMemory, 64 << 20},
	} {
		if *d.v <= 0 {
			*d.v = d.def
		}
	}
	return c
}

// Stats counts what a helper did since it started; the first three are what it
// holds now.
type Stats struct {
	Rooms, Members, NoteBytes int

	Hellos, Joins, Notes, Stun uint64 // served
	Refused                    uint64 // joins and notes turned down, with an answer
	Limited                    uint64 // packets of sources over their limit, unanswered
	Stale                      uint64 // requests without a valid cookie, answered by one
	Garbage                    uint64 // packets that are no request
	Expired                    uint64 // members that fell silent
	Dropped                    uint64 // notes and answers for which there was no memory
}

// Server is a helper: a machine that lets members of a room find and write to
// each other. See the package comment for what it keeps and for how long.
type Server struct {
	cfg     ServerConfig
	rng     *rand.Rand // numbers, jitter
	cookies cookieJar
	sources sourceTable
	lobby   lobby
	members map[ID]*member // those in rooms, and for a while those that left
	timers  timers
	replies replies
	view    answer // scratch of joined
	stats   Stats
}

// NewServer returns a helper that knows of nobody.
func NewServer(cfg ServerConfig) *Server {
	cfg = cfg.withDefaults()
	return &Server{
		cfg:     cfg,
		rng:     newRand(cfg.Rand),
		cookies: cookieJar{rand: cfg.Rand},
		sources: sourceTable{max: idleSources, table: make(map[netip.Addr]*source)},
		lobby:   lobby{rooms: make(map[Room]*room)},
		members: make(map[ID]*member),
		replies: replies{queue: udp.NewBatch(replyMemory)},
	}
}

// newRand returns a generator for what need not be secret.
func newRand(seed io.Reader) *rand.Rand {
	var s [32]byte
	fill(seed, s[:])
	return rand.New(rand.NewChaCha8(s))
}

// Stats returns the counters.
func (s *Server) Stats() Stats {
	st := s.stats
	st.Rooms, st.Members = len(s.lobby.rooms), s.lobby.members
	return st
}

// Receive takes a packet that arrived on the helper's port. Answers leave with
// the next Send.
func (s *Server) Receive(now time.Time, p udp.Packet) {
	from := p.Path.Unmap()
	s.lobby.open(now)
	if stun.Is(p.Data) {
		s.receiveStun(now, from, p.Data)
		return
	}
	q, err := parseRequest(p.Data)
	foreign := err == errVersion && q.typ == typeHello && len(p.Data) >= helloSize
	if err != nil && !foreign {
		s.stats.Garbage++
		return
	}
	src := s.sources.at(from.Remote.Addr())
	if !src.packets.take(now, 1, rate{packetBurst, packetRate}) {
		s.stats.Limited++
		return
	}
	if foreign {
		s.refuse(from, &q, refusedVersion)
		return
	}
	s.serve(now, from, src, &q)
}

// serve answers a well-formed request of this version. Nothing but a cookie
// goes to an address that has not shown one, and nothing about it is kept.
func (s *Server) serve(now time.Time, from udp.Path, src *source, q *request) {
	switch {
	case q.typ == typeHello:
		s.stats.Hellos++
		s.sendCookie(now, from, q)
		return
	case !s.cookies.valid(now, from.Remote, q.cookie):
		s.stats.Stale++
		s.sendCookie(now, from, q)
		return
	case q.typ == typeJoin:
		s.join(now, from, src, q)
		return
	}
	m := s.members[q.from]
	if q.typ == typeLeave {
		s.leave(now, m, from, q)
		return
	}
	// An ID is known to others: what is sent in its name must come from where
	// its owner joined.
	if m == nil || m.room == nil || m.path != from || m.token != q.token {
		s.refuse(from, q, refusedUnknown)
		return
	}
	m.heard = now
	if q.typ == typeNote {
		s.note(now, m, q)
	} else {
		s.ack(m, q)
	}
}

func (s *Server) sendCookie(now time.Time, to udp.Path, q *request) {
	s.reply(to, &answer{typ: typeCookie, token: q.token, cookie: s.cookies.issue(now, to.Remote), observed: to.Remote})
}

func (s *Server) refuse(to udp.Path, q *request, code refusal) {
	s.stats.Refused++
	s.reply(to, &answer{typ: typeRefused, token: q.token, code: code, req: q.req})
}

func (s *Server) reply(to udp.Path, a *answer) {
	if !emit(s.replies.queue, to, a) {
		s.stats.Dropped++
	}
}

func (s *Server) receiveStun(now time.Time, from udp.Path, b []byte) {
	q, err := stun.ParseRequest(b)
	if err != nil {
		s.stats.Garbage++
		return
	}
	if !s.sources.at(from.Remote.Addr()).packets.take(now, 1, rate{packetBurst, packetRate}) {
		s.stats.Limited++
		return
	}
	s.stats.Stun++
	if q.ChangePort {
		q = q.Refuse()
	}
	t := s.replies.queue.Tail(stun.MaxResponse)
	if t == nil {
		s.stats.Dropped++
		return
	}
	s.replies.queue.Commit(from, len(stun.AppendResponse(t, q, from.Remote)))
}

// Send appends answers, and whatever is due to members.
func (s *Server) Send(now time.Time, b *udp.Batch) {
	if !s.replies.drain(b) {
		return
	}
	for m := s.timers.next(); m != nil && !m.timer.due.After(now); m = s.timers.next() {
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
	if m := s.timers.next(); m != nil {
		return m.timer.due
	}
	return time.Time{}
}

// message is a request or an answer.
type message interface{ append(b []byte) []byte }

// emit appends a message to b, or reports that there is no room.
func emit(b *udp.Batch, to udp.Path, m message) bool {
	t := b.Tail(maxDatagram)
	if t == nil {
		return false
	}
	b.Commit(to, len(m.append(t)))
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
