package duplex

import (
	"encoding/binary"
	"testing"
	"time"

	"qft/internal/lab"
	"qft/internal/peer"
	"qft/internal/secret"
	"qft/internal/transport"
	"qft/internal/udp"
)

// side is an End over a connection of the lab, with a program that writes and
// reads as fast as it can, or not at all.
type side struct {
	*transport.Conn
	end  *End
	host *lab.Host

	started bool
	wrote   int64
	toWrite int64 // then CloseWrite
	read    int64
	idle    bool // reads nothing
	eof     bool
	err     error // of a Read
	wrong   int   // bytes that are not those of the pattern
	buf     []byte
	done    bool
	opened  int
}

const port = 4000

// pair is two sides on a line.
type pair struct {
	*lab.World
	t    testing.TB
	a, b *side
}

func newPair(t testing.TB, seed uint64, up, down lab.Link) *pair {
	t.Helper()
	p := &pair{World: lab.New(seed), t: t}
	hostA := p.Host(nil, lab.HostConfig{Name: "a", Up: up, Down: down})
	hostB := p.Host(nil, lab.HostConfig{Name: "b", Up: lab.Link{MTU: 65535}, Down: lab.Link{MTU: 65535}})
	phrase, err := secret.Parse("7-acid-robot-zebra")
	if err != nil {
		t.Fatal(err)
	}
	i, m1, _ := secret.NewInitiator(p.Entropy(), phrase, []byte("duplex"), true)
	r, m2, err := secret.NewResponder(p.Entropy(), phrase, []byte("duplex"), m1, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	m3, sa, _, err := i.Finish(m2, nil)
	if err != nil {
		t.Fatal(err)
	}
	sb, _, err := r.Finish(m3)
	if err != nil {
		t.Fatal(err)
	}
	rtt := up.Delay + down.Delay
	p.a = p.side(hostA, hostB, sa, 1, rtt)
	p.b = p.side(hostB, hostA, sb, 2, rtt)
	return p
}

func (p *pair) side(here, there *lab.Host, keys *secret.Session, id uint32, rtt time.Duration) *side {
	s := &side{host: here, buf: make([]byte, 64<<10)}
	s.Conn = transport.NewConn(p.Now(), transport.Config{Rand: p.Entropy(), Sealer: keys.Sealer(), Opener: keys.Opener(),
		SendID: id, ReceiveID: 3 - id, Path: udp.To(there.AddrPort(false, port)), RTT: rtt})
	s.end = New(func(work, done func()) { here.Wake(port) }, func() { s.opened++ })
	s.SetSource(s.end)
	s.SetSink(s.end)
	here.Bind(port, s)
	return s
}

// Send is a turn of the loop, and of the program.
func (s *side) Send(now time.Time, b *udp.Batch) {
	if !s.started {
		s.started = true
		s.end.Start(peer.Link{Conn: s.Conn})
	}
	if err := s.Err(); err != nil {
		s.end.PeerClosed(err)
	}
	s.end.Step(now)
	if s.opened > 0 {
		s.program()
	}
	s.end.Step(now)
	if done, err := s.end.Done(); done && !s.done {
		s.done = true
		code := uint64(0)
		if err != nil {
			code = 2
		}
		s.Close(now, code, "")
	}
	s.Conn.Send(now, b)
}

func (s *side) Deadline() time.Time {
	d := s.Conn.Deadline()
	if e := s.end.Deadline(); !e.IsZero() && (d.IsZero() || e.Before(d)) {
		d = e
	}
	return d
}

// program writes and reads what does not block.
func (s *side) program() {
	for s.wrote < s.toWrite && s.room() >= int64(len(s.buf)) {
		n := min(int64(len(s.buf)), s.toWrite-s.wrote)
		fill(s.buf[:n], s.wrote)
		m, err := s.end.Write(s.buf[:n])
		s.wrote += int64(m)
		if err != nil {
			s.toWrite = s.wrote
			return
		}
		if s.wrote == s.toWrite {
			s.end.CloseWrite()
		}
	}
	var want [64 << 10]byte
	for !s.idle && !s.eof && s.err == nil && s.readable() {
		n, err := s.end.Read(s.buf)
		fill(want[:n], s.read)
		for i := range n {
			if s.buf[i] != want[i] {
				s.wrong++
			}
		}
		s.read += int64(n)
		if s.eof = err != nil && err.Error() == "EOF"; !s.eof {
			s.err = err
		}
	}
}

func (s *side) room() int64 {
	s.end.mu.Lock()
	defer s.end.mu.Unlock()
	return Window - (s.end.out.end - s.end.out.base)
}

func (s *side) readable() bool {
	s.end.mu.Lock()
	defer s.end.mu.Unlock()
	in := &s.end.in
	return in.next > in.base || in.ended && in.base == in.end || s.end.err != nil
}

// fill has byte i be a function of i.
func fill(p []byte, off int64) {
	var word [8]byte
	for i := 0; i < len(p); {
		at := off + int64(i)
		binary.LittleEndian.PutUint64(word[:], uint64(at/8)*0x9e3779b97f4a7c15)
		i += copy(p[i:], word[at%8:])
	}
}

func (p *pair) until(limit time.Duration, what string, so func() bool) time.Duration {
	p.t.Helper()
	from := p.Elapsed()
	if !p.Run(limit, so) {
		p.t.Fatalf("not within %v: %s; a wrote %d, read %d, %v, b wrote %d, read %d, %v", limit, what,
			p.a.wrote, p.a.read, p.a.end.Flaw(), p.b.wrote, p.b.read, p.b.end.Flaw())
	}
	return p.Elapsed() - from
}

func (p *pair) hang(s *side) {
	s.end.Hang()
	s.host.Wake(port)
}
