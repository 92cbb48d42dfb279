package lab

import (
	"fmt"
	"time"

	"qft/internal/udp"
)

// socket is a port of a host and the machine bound to it. A machine that is
// bound to several has one that is polled, main, and others that only deliver.
type socket struct {
	timer // for the machine's Deadline
	host  *Host
	port  uint16
	m     Machine

	local   udp.Local
	main    *socket   // itself, or the one it was opened for
	further []*socket // of main: by local less 1; nil: shut

	awake  bool // stands in World.awake
	closed bool

	waiting list // packets that arrived while the host was paused
	queued  int  // their bytes
}

func (s *socket) String() string {
	return fmt.Sprintf("%T on %s port %d", s.m, s.host.name, s.port)
}

// wake has the machine polled before the clock moves on.
func (s *socket) wake() {
	if s = s.main; !s.awake && !s.closed {
		s.awake = true
		s.host.w.awake = append(s.host.w.awake, s)
	}
}

// due is called at the machine's Deadline, as it was when last asked. It may
// be later by now; a paused machine is polled when it goes on.
func (s *socket) due() {
	if !s.sleep(s.m.Deadline(), s.host.now()) {
		s.host.w.heap.remove(&s.timer)
		s.wake()
	}
}

// sleep sets the timer to deadline, unless that is reached.
func (s *socket) sleep(deadline, now time.Time) bool {
	w := s.host.w
	wait := deadline.Sub(now)
	switch {
	case deadline.IsZero() || w.now+int64(wait) < w.now && wait > 0: // never, or beyond the end of time
		w.heap.remove(&s.timer)
	case wait <= 0:
		return false
	default:
		w.heap.set(&s.timer, w.now+int64(wait), w.tick())
	}
	return true
}

func (s *socket) arrive(k *packet) {
	if !s.host.paused {
		s.receive(k)
		return
	}
	if s.queued+len(k.data) > s.host.buffer {
		s.host.w.lose(k, LostBuffer, s.host.name)
		return
	}
	s.queued += len(k.data)
	s.waiting.push(k)
}

func (s *socket) receive(k *packet) {
	w := s.host.w
	w.record(k)
	w.sight(k, Delivered, s.host.name)
	s.m.Receive(s.host.now(), udp.Packet{Path: udp.Path{Local: s.local, Remote: k.from}, Data: k.data[:len(k.data):len(k.data)]})
	w.release(k)
	s.wake()
}

// resume hands over what has arrived during a pause.
func (s *socket) resume() {
	for s.waiting.head != nil {
		s.receive(s.waiting.pop())
	}
	s.queued = 0
	s.wake()
}

// Limits of poll, beyond which a machine is broken rather than busy.
const (
	idleRounds = 1000
	busyRounds = 1 << 12 // a quarter of a gigabyte at one instant
)

// poll asks the machine what it wants to send, until it is content, and sets
// the timer to its Deadline.
func (s *socket) poll() {
	s.awake = false
	w := s.host.w
	now := s.host.now()
	for idle, busy := 0, 0; !s.closed && !s.host.paused; {
		w.batch.Reset()
		s.m.Send(now, w.batch)
		for i := range w.batch.Len() {
			s.send(w.batch.At(i))
		}
		deadline := s.m.Deadline()
		if s.sleep(deadline, now) {
			return
		}
		if w.batch.Len() > 0 {
			busy++
		} else {
			idle++
		}
		if idle > idleRounds || busy > busyRounds {
			panic(fmt.Sprintf("lab: livelock at %v: %v: Deadline stays %v before now, and of the last %d calls of Send %d sent nothing",
				w.Elapsed(), s, now.Sub(deadline), idle+busy, idle))
		}
	}
}

// send takes a packet that the machine appended. One for a socket that was shut
// is lost, as the system would refuse it.
func (s *socket) send(p udp.Packet) {
	if p.IsLine() {
		s.host.sendLine(s.port, p)
		return
	}
	if p.Local != 0 {
		if s = s.at(p.Local); s == nil {
			return
		}
	}
	s.host.send(s.port, p)
}

// at is the further socket of that name, or nil.
func (s *socket) at(l udp.Local) *socket {
	if i := int(l) - 1; i >= 0 && i < len(s.further) {
		return s.further[i]
	}
	return nil
}

// close ends the socket and those that were opened for it; what waits in them
// is lost.
func (s *socket) close() {
	for _, f := range s.further {
		if f != nil {
			s.host.Unbind(f.port)
		}
	}
	if s.main == s {
		s.host.shutLines(s.port)
	}
	s.closed = true
	w := s.host.w
	w.heap.remove(&s.timer)
	for s.waiting.head != nil {
		w.lose(s.waiting.pop(), LostSocket, s.host.name)
	}
}
