package qft

import (
	"fmt"
	"time"

	"qft/internal/rendezvous"
)

// aloneTime is how long a receiver waits before it is told that nobody comes. A
// sender mostly is there first, so after that a person should know what may be
// wrong. It is no error: the sender may still come.
const aloneTime = 30 * time.Second

// vigil is what a stand knows of being alone.
type vigil struct {
	limit  time.Duration // nobody may be there for so long; 0: for ever
	since  time.Time     // nobody has been there; zero: somebody is
	found  Waiting       // how the other side can find us
	opened time.Time     // since when it can; zero: it cannot yet
	told   bool          // of the first wait, or there is nothing to tell
	queued bool          // a sender is there, and takes others first
}

// waits: the other side can find us.
func (s *stand) waits(w Waiting) {
	if s.vigil.opened.IsZero() {
		s.vigil.found, s.vigil.opened = w, s.now
	}
}

// heard: there is somebody, though not for us, or not yet.
func (s *stand) heard(queued bool) {
	s.vigil.told = true
	s.vigil.queued = s.vigil.queued || queued
}

// watch looks how long nobody has been there, and says so once, or ends it.
func (s *stand) watch() {
	v := &s.vigil
	switch {
	case s.ending():
		return
	case s.count(s.holds) > 0:
		v.since, v.told, v.queued = time.Time{}, true, false
		return
	case v.since.IsZero():
		v.since = s.now
	}
	if at := s.tellsAlone(); !at.IsZero() && !s.now.Before(at) {
		v.told = true
		s.emit(Alone{Helper: v.found.Helper, Host: v.found.Host, Nearby: v.found.Nearby, After: s.now.Sub(v.opened)})
	}
	if v.limit > 0 && !s.now.Before(v.since.Add(v.limit)) {
		s.err = s.nobody()
	}
}

// tellsAlone is when a person is told that nobody comes; zero: never.
func (s *stand) tellsAlone() time.Time {
	if s.vigil.told || s.vigil.opened.IsZero() || s.role != rendezvous.Receiver {
		return time.Time{}
	}
	return s.vigil.opened.Add(aloneTime)
}

// watchAgain is when watch has something to do although nothing has happened.
func (s *stand) watchAgain() time.Time {
	v := &s.vigil
	if v.since.IsZero() {
		return time.Time{}
	}
	d := s.tellsAlone()
	if v.limit > 0 {
		d = earlier(d, v.since.Add(v.limit))
	}
	return d
}

// nobody is how a wait ends that has a limit.
func (s *stand) nobody() error {
	e := &Error{Op: s.op, Kind: KindNobody}
	e.advise("Start both sides again, or wait longer: {forever}.")
	limit := s.vigil.limit
	switch {
	case s.vigil.opened.IsZero() && !s.met:
		e.Err = fmt.Errorf("for %v nobody could find this side: nothing that was named has answered", limit)
		e.advise("Is the helper, or the sender's machine, the right one, and is it reached? qft doctor looks. To wait longer: {forever}.")
	case s.vigil.queued:
		e.Err = fmt.Errorf("the sender has taken others first for %v", limit)
	case s.admitted:
		e.Err = fmt.Errorf("nobody has come back for %v", limit)
		e.advise("{again}")
	case s.role == rendezvous.Receiver:
		e.Err = fmt.Errorf("nobody has come within %v", limit)
		e.advise("Does the sender still wait, is the {code} right, and do both sides name the same helper? To wait longer: {forever}.")
	default:
		e.Err = fmt.Errorf("nobody has come within %v", limit)
	}
	return e
}
