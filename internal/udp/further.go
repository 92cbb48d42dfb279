package udp

import (
	"net/netip"
	"sync"
)

// maxFurther bounds how many further sockets are open at a time.
const maxFurther = 1024

// further are the IPv4 sockets beside the first.
type further struct {
	mu    sync.Mutex
	open  map[Local]*family
	last  Local // given out last
	ended bool  // no more
}

// Open opens n further IPv4 sockets on ports that the system chooses, or as many
// as half of the files that the program may have open allow: others are needed. What arrives there comes through Incoming like the rest. A
// further socket costs little while it is idle, and has the system's own buffer
// sizes and no offload until Promote.
func (s *Socket) Open(n int) []Local {
	if s.v4 == nil {
		return nil
	}
	var opened []Local
	for range n {
		l, ok := s.openOne()
		if !ok {
			break
		}
		opened = append(opened, l)
	}
	return opened
}

func (s *Socket) openOne() (Local, bool) {
	conn, err := openFamily("udp4", s.cfg.Addr, 0)
	if err != nil {
		return 0, false
	}
	spared := spared(conn)
	x := &s.further
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.ended || !spared || len(x.open) >= maxFurther {
		conn.Close()
		return 0, false
	}
	for x.last++; x.last >= FirstLine || s.at(x.last) != nil || x.open[x.last] != nil; x.last++ {
		if x.last >= FirstLine {
			x.last = 0
		}
	}
	f := &family{
		local: x.last,
		conn:  conn,
		read:  newReader(conn, x.last, Config{NoOffload: true, Crowd: s.cfg.Crowd}, &s.counts),
		await: newAwait(conn),
		one: func(data []byte, to netip.AddrPort) error {
			_, err := conn.WriteToUDPAddrPort(data, to)
			return err
		},
	}
	for _, h := range tunePlainly(conn).hints {
		s.notes.hint(h)
	}
	if x.open == nil {
		x.open = make(map[Local]*family)
	}
	x.open[f.local] = f
	s.readers.Go(func() { s.receive(f) })
	return f.local, true
}

// PortOf returns the port of a socket, 0 if it is not open.
func (s *Socket) PortOf(l Local) uint16 {
	if d := s.at(l); d != nil {
		return d.port
	}
	if f := s.furtherAt(l); f != nil {
		return port(f.conn)
	}
	return 0
}

// Promote gives a further socket what the first one has from the start: large
// buffers and offload.
func (s *Socket) Promote(l Local) {
	f := s.furtherAt(l)
	if f == nil || f.busy.Load() {
		return
	}
	s.notes.tuned(tune(f.conn, false, s.cfg))
	if !s.cfg.NoOffload && !s.cfg.Crowd {
		receiveTrains(f.conn)
		if train, err := newTrain(f.conn); err == nil {
			f.train = train
		}
	}
	f.busy.Store(true)
}

// Shut closes a further socket.
func (s *Socket) Shut(l Local) {
	x := &s.further
	x.mu.Lock()
	f := x.open[l]
	delete(x.open, l)
	x.mu.Unlock()
	if f != nil {
		f.close()
	}
}

func (f *family) close() {
	f.shut.Store(true)
	_ = f.conn.Close() // nothing is written that could be lost
}

// endFurther closes all of them, for good.
func (s *Socket) endFurther() {
	x := &s.further
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ended = true
	for l, f := range x.open {
		f.close()
		delete(x.open, l)
	}
}

func (s *Socket) furtherAt(l Local) *family {
	s.further.mu.Lock()
	defer s.further.mu.Unlock()
	return s.further.open[l]
}
