package survey

import (
	"io"
	"net/netip"
	"time"

	"qft/internal/rendezvous"
	"qft/internal/udp"
)

const (
	// settleTime is how long a sleeper confirms what it was told when it
	// joined, before it is silent: or it would be told again.
	settleTime = time.Second

	// joinTime is how long joining may take.
	joinTime = 4 * time.Second

	// hearTime is how long the news of the waker may take, which the helper
	// repeats after 0.4, 0.8 and 1.6 s.
	hearTime = 3 * time.Second
)

// lifeStage is where the measurement of one idle time stands.
type lifeStage uint8

const (
	joining lifeStage = iota // the sleeper joins the room. Next: asleep, ended
	asleep                   // it says nothing. Next: woken
	woken                    // the waker joins the room. Next: ended
	ended
)

// life is whether a mapping outlives an idle time.
type life struct {
	idle    time.Duration
	server  netip.AddrPort
	room    rendezvous.Room
	rand    io.Reader
	stage   lifeStage
	sleeper member
	waker   member
	until   time.Time // of the stage
	settled time.Time // joining: the sleeper has joined; zero: not yet
	said    bool      // there is a result
	alive   bool
}

// member is a client of the room, behind one of our sockets.
type member struct {
	*rendezvous.Client
	local udp.Local
}

func newLife(now time.Time, idle time.Duration, server netip.AddrPort, local udp.Local, rand io.Reader) *life {
	var name [16]byte
	fill(rand, name[:])
	l := &life{idle: idle, server: server, room: rendezvous.PrivateRoom(name), rand: rand, until: now.Add(joinTime)}
	l.sleeper = l.join(rendezvous.Sender, local)
	return l
}

func (l *life) join(role rendezvous.Role, local udp.Local) member {
	return member{rendezvous.NewClient(rendezvous.ClientConfig{
		Servers: []netip.AddrPort{l.server}, Room: l.room, Role: role, Rand: l.rand,
	}), local}
}

// receive hands a packet to the member behind the socket that it came through.
func (m member) receive(now time.Time, p udp.Packet) {
	if m.Client != nil && p.Local == m.local {
		p.Local = 0 // all that the client knows of
		m.Receive(now, p)
	}
}

// send has a member say what it wants to, through its socket.
func (m member) send(now time.Time, b, scratch *udp.Batch) {
	if m.Client == nil || m.Done() {
		return
	}
	scratch.Reset()
	m.Client.Send(now, scratch)
	for p := range scratch.All() {
		if !p.IsLine() {
			b.Add(udp.Path{Local: m.local, Remote: p.Remote}, p.Data)
		}
	}
}

func (m member) deadline() time.Time {
	if m.Client == nil || m.Done() {
		return time.Time{}
	}
	return m.Deadline()
}

func (l *life) receive(now time.Time, p udp.Packet) {
	l.sleeper.receive(now, p)
	l.waker.receive(now, p)
}

// step takes what has happened to the members.
func (l *life) step(now time.Time) {
	for e, ok := l.sleeper.Next(); ok; e, ok = l.sleeper.Next() {
		switch {
		case e.Kind == rendezvous.Joined && l.stage == joining:
			l.settled = now.Add(settleTime)
		case e.Kind == rendezvous.Arrived && l.stage == woken:
			l.end(true)
		}
	}
	for l.waker.Client != nil {
		e, ok := l.waker.Next()
		if !ok {
			break
		}
		// The sleeper is in the room still, or nothing could be told to it. A
		// helper that says so again and again gets no more time.
		if e.Kind == rendezvous.Arrived && l.stage == woken && !l.said {
			l.until = now.Add(hearTime)
			l.said = true
		}
	}
	switch {
	case l.stage == joining && !l.settled.IsZero() && !now.Before(l.settled):
		l.stage, l.until = asleep, now.Add(l.idle)
	case l.stage == ended || now.Before(l.until):
	case l.stage == asleep:
		l.stage, l.until = woken, now.Add(joinTime)
		l.waker = l.join(rendezvous.Receiver, 1)
	default:
		l.end(false)
	}
}

// end takes the result, if there is one, and has both leave the room.
func (l *life) end(alive bool) {
	l.alive = alive
	l.said = l.said || alive
	l.stage = ended
	l.sleeper.Leave()
	if l.waker.Client != nil {
		l.waker.Leave()
	}
}

func (l *life) send(now time.Time, b, scratch *udp.Batch) {
	l.step(now)
	if l.stage != asleep && l.stage != woken {
		l.sleeper.send(now, b, scratch)
	}
	l.waker.send(now, b, scratch)
}

func (l *life) deadline() time.Time {
	var d time.Time
	if l.stage != ended {
		d = l.until
	}
	if l.stage == joining && !l.settled.IsZero() {
		d = earlier(d, l.settled)
	}
	if l.stage != asleep && l.stage != woken {
		d = earlier(d, l.sleeper.deadline())
	}
	return earlier(d, l.waker.deadline())
}

func (l *life) done() bool {
	return l.stage == ended && l.sleeper.Done() && (l.waker.Client == nil || l.waker.Done())
}

// fill reads randomness, without which a stranger could answer in a server's
// place.
func fill(rand io.Reader, b []byte) {
	if _, err := io.ReadFull(rand, b); err != nil {
		panic("survey: no randomness: " + err.Error())
	}
}

// earlier of two deadlines, of which zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
