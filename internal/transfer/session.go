package transfer

import (
	"errors"
	"time"
)

// Config is what both sides need. Its zero value works.
type Config struct {
	// Go runs work away from the loop, and then done in the loop. Works may run
	// at the same time and in any order; with fewer than two at a time a sync
	// of the disk holds up all else. If nil, both run at once, in place.
	Go func(work, done func())
	// Memory bounds the buffers for blocks, in bytes. If zero, 32 MiB; less
	// than 8 MiB counts as 8 MiB.
	Memory int64
}

const (
	defaultMemory = 32 << 20
	leastMemory   = 8 << 20
)

func (c Config) memory() int64 {
	if c.Memory == 0 {
		return defaultMemory
	}
	return max(c.Memory, leastMemory)
}

// Phase is where a transfer stands.
type Phase byte

const (
	// Idle: not started. Next: Offering, or Ended by Stop.
	Idle Phase = iota
	// Offering: the sender has made its offer, the receiver waits for one.
	// Next: Deciding (receiver), Moving (sender), Stopping.
	Offering
	// Deciding: a person is asked whether the receiver takes what is offered.
	// Next: Preparing, Stopping.
	Deciding
	// Preparing: the receiver looks for what it has, before it answers the
	// offer. Next: Moving, Stopping.
	Preparing
	// Moving: blocks are on their way. Next: Finishing, Stopping.
	Moving
	// Finishing: the sender has sent the root and waits for DONE; the receiver
	// has everything and makes it durable under its final name. Next: Ended
	// (sender), Telling (receiver), Stopping.
	Finishing
	// Telling: the file is in place; the receiver waits until the sender knows.
	// Nothing can make the transfer fail any more. Next: Ended.
	Telling
	// Stopping: failed or stopped; the peer is told and the journal written.
	// Next: Ended.
	Stopping
	// Ended: nothing more will happen.
	Ended
)

const (
	// stopPatience is how long a failure waits for the peer to know of it.
	stopPatience = 2 * time.Second
	// tellPatience is how long the receiver waits for the sender to know that
	// the file is in place.
	tellPatience = 60 * time.Second
)

// role is what sender and receiver do differently.
type role interface {
	begin()                              // sends what opens the conversation
	ready() bool                         // may take another message now
	handle(typ byte, body []byte) *Error // takes a message
	advance()                            // does what can be done now
	due() time.Time                      // when advance is wanted next; zero: not by time
	wind() bool                          // after the end: starts work that is still owed, if any
	release()                            // closes the files
}

// session is what both sides of a transfer share: how it is driven, the
// control stream, the work that is under way, and how it all ends.
type session struct {
	role
	ctl      control
	phase    Phase
	err      *Error
	refusal  byte      // type of the message that tells the peer of a failure
	now      time.Time // of the latest Step
	giveUp   time.Time // in Telling and Stopping: wait for the peer until then
	spawn    func(work, done func())
	pending  int    // works whose done has not run
	dones    uint64 // works whose done has run
	silent   bool   // the peer cannot or need not be told anything
	certain  bool   // the file is being put in place: too late to fail otherwise
	ask      bool   // the receiver asks before it takes an offer
	closed   bool
	released bool
}

func newSession(c Config, r role, refusal byte) session {
	s := session{role: r, spawn: c.Go, refusal: refusal}
	if s.spawn == nil {
		s.spawn = func(work, done func()) { work(); done() }
	}
	return s
}

// Start begins the transfer over conn. Call Step next.
func (s *session) Start(conn Conn) {
	if s.phase != Idle {
		return
	}
	s.ctl.conn = conn
	s.phase = Offering
	s.begin()
}

// Step reads the control stream, queues bulk ranges and writes control
// messages. Call it after packets were received, after a done function of
// Config.Go has run, and at Deadline.
func (s *session) Step(now time.Time) {
	s.now = now
	if s.phase == Idle || s.phase == Ended {
		return
	}
	for {
		before := s.dones
		s.listen()
		if s.phase < Telling {
			s.advance()
		}
		s.conclude()
		if !s.silent {
			s.ctl.flush()
		}
		if s.dones == before {
			return // else work that ran in place may have made more possible
		}
	}
}

// Deadline is when to call Step next if nothing happens before; zero: never.
func (s *session) Deadline() time.Time {
	switch {
	case s.phase == Idle || s.phase == Ended:
		return time.Time{}
	case s.phase < Telling:
		return s.due()
	case s.giveUp.IsZero():
		return s.now
	case s.silent || s.pending > 0:
		return time.Time{} // waits for work
	}
	return s.giveUp
}

// Done reports whether the transfer has ended and no work of it is under way,
// and how it ended: nil, or an *Error. Call Close then.
func (s *session) Done() (bool, error) {
	if s.phase != Ended || s.pending > 0 {
		return false, nil
	}
	if s.err != nil {
		return true, s.err
	}
	return true, nil
}

// Stop ends the transfer from this side, because of err: nil stands for a
// person who wants to stop. The peer is told, and what arrived is kept to be
// continued. Call Step next, and go on until Done.
func (s *session) Stop(err error) {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Kind: Canceled, Err: err}
	}
	if s.phase == Telling {
		s.silent = true // the file is in place; only the wait is cut short
	}
	s.fail(e)
}

// PeerClosed tells that the connection has ended; err says why, if known.
// What it delivered before is still taken. Go on calling Step until Done.
func (s *session) PeerClosed(err error) {
	s.listen()
	s.silent = true
	s.fail(&Error{Kind: Lost, Err: err})
	s.Step(s.now) // nobody is waited for any more, so the time does not matter
}

// Close releases the files: at once after Done, and otherwise, without telling
// the peer, when the work that is under way and the writing of the journal
// have ended.
func (s *session) Close() {
	if s.closed {
		return
	}
	s.closed = true
	s.silent = true
	s.fail(&Error{Kind: Canceled})
	s.settle()
}

// run has work done elsewhere, and done called in the loop afterwards.
func (s *session) run(work, done func()) {
	s.pending++
	s.spawn(work, func() {
		s.pending--
		s.dones++
		done()
		s.settle()
	})
}

// fail ends the transfer with err, unless it has ended already.
func (s *session) fail(err *Error) {
	switch {
	case s.phase >= Telling || s.certain:
		return
	case s.phase == Idle:
		s.phase = Ended
	default:
		s.phase = Stopping
	}
	s.err = err
	if err.Peer || s.silent || s.ctl.conn == nil {
		s.silent = true
		return
	}
	s.ctl.send(s.refusal, func(b []byte) []byte {
		return appendVerdict(b, reason{err.Kind, err.wireText()})
	})
}

// listen takes the messages that have arrived.
func (s *session) listen() {
	if s.silent || s.ctl.conn == nil {
		return
	}
	ready := func() bool { return s.phase < Telling && !s.certain && s.ready() }
	if err := s.ctl.poll(ready, s.message); err != nil {
		s.fail(err)
	}
}

func (s *session) message(typ byte, body []byte) *Error {
	if typ == StreamMessage {
		return &Error{Kind: Foreign}
	}
	if typ != msgAbort && typ != msgReject {
		return s.handle(typ, body)
	}
	v, err := parseVerdict(body)
	if err != nil {
		return violation(err.Error())
	}
	told := &Error{Kind: v.kind, Peer: true}
	if v.text != "" {
		told.Err = errors.New(v.text)
	}
	return told
}

// conclude moves on from Telling and Stopping.
func (s *session) conclude() {
	if s.phase != Telling && s.phase != Stopping {
		return
	}
	if s.giveUp.IsZero() {
		s.giveUp = s.now.Add(stopPatience)
		if s.phase == Telling {
			s.giveUp = s.now.Add(tellPatience)
		}
	}
	if s.pending > 0 || s.wind() {
		return
	}
	if s.silent || s.ctl.flushed() || !s.now.Before(s.giveUp) {
		s.phase = Ended
	}
}

// settle releases the files after Close, once nothing uses them.
func (s *session) settle() {
	if !s.closed || s.released || s.pending > 0 || s.wind() {
		return
	}
	s.released = true
	s.phase = Ended
	s.release()
}
