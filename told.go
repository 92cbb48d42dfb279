package qft

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"qft/internal/peer"
	"qft/internal/rendezvous"
	"qft/internal/secret"
	"qft/internal/transfer"
)

// This file is what a stand makes of what happens in its attempts.

// joined: the helper has let it in.
func (s *stand) joined(phrase secret.Phrase) {
	s.next.phrase, s.next.words = phrase, ""
}

// metBy: somebody knows the phrase.
func (s *stand) metBy(a *attempt, number int, members []rendezvous.ID) {
	s.met = true
	a.number = number
	s.next.known = append(s.next.known, members...)
	a.met = append(a.met, members...)
	if a.stage == atHelper {
		a.stage = found
		s.report()
	}
}

// leftRoom: the next one may wait there.
func (s *stand) leftRoom(a *attempt, guesses int) {
	a.inRoom = false
	s.guessed(guesses)
}

// portFree: the port that people were told is free again. Who waits elsewhere
// gives way to one that takes it.
func (s *stand) portFree() {
	for _, a := range s.attempts {
		if a.stage == atHelper {
			s.dismiss(a)
		}
	}
}

// guessed notes how many wrong guesses are left.
func (s *stand) guessed(left int) {
	s.next.guesses = left
	if left <= 0 && !s.barred {
		s.bar(peerError(s.op, &peer.Error{Kind: peer.PhraseBurnt, Err: errors.New("too many others tried a wrong phrase")}))
	}
}

// bar lets nobody wait any more. What runs may end well.
func (s *stand) bar(err error) { s.barred, s.last = true, err }

// arrivedAt: it is connected. One without contact makes room for it.
func (s *stand) arrivedAt(a *attempt) {
	if a.stage == gone {
		return
	}
	a.stage, a.met = arrived, nil
	s.retry.pause = 0
	taken := s.count(func(o *attempt) bool { return o.stage == served || o.stage == arrived })
	if taken <= min(s.places(), maxSessions) {
		return
	}
	var oldest *attempt
	for _, o := range s.attempts {
		if s.mayGo(o) && (oldest == nil || o.lost.Before(oldest.lost)) {
			oldest = o
		}
	}
	if oldest == nil {
		s.dismiss(a) // contact came back at the last moment
		return
	}
	s.replace(oldest)
}

// contact: it is lost since then; zero: it is back.
func (s *stand) contact(a *attempt, lost time.Time) {
	a.lost, a.turned = lost, false
	s.report()
}

// report says how many share what there is to share.
func (s *stand) report() {
	if s.changed != nil {
		s.changed(max(s.count(s.holds), 1))
	}
}

// sessionEnded: the files of an attempt are closed.
func (s *stand) sessionEnded(a *attempt, o outcome) {
	a.open = false
	if a.stage == gone && o.err != nil {
		return // we wanted it to end; but what is done is done
	}
	var e *transfer.Error
	if errors.As(o.err, &e) && e.Kind == transfer.Canceled && !e.Peer {
		return // its peer.Peer has stopped it, and says why when it ends
	}
	a.stage = gone
	s.report()
	r := o.result()
	if o.err == nil {
		s.results = append(s.results, r)
		s.retry.barren = 0
		s.tellFinished(a, r, r.incomplete(s.op))
		return
	}
	err := transferError(s.op, o.err)
	if o.p.Safe > o.p.Resumed || o.paused {
		s.retry.barren = 0 // nothing could become safe while it was paused
	}
	switch {
	case s.stays(o.err):
		s.tell(a, Interrupted{err})
		s.interrupted(err)
	case s.next.many && theirs(o.err):
		s.tellFinished(a, r, err)
		s.interrupted(err)
	default:
		s.err = err
	}
}

// interrupted waits before the next meeting, if it is not the first such thing.
func (s *stand) interrupted(err error) {
	s.last = err
	s.retry.notUntil = s.now.Add(s.retry.pause)
	s.retry.pause = min(max(2*s.retry.pause, leastPause), mostPause)
	if s.once && s.admitted {
		s.err = err
	}
}

// tellFinished is for one of several receivers; for the only one it is the end.
func (s *stand) tellFinished(a *attempt, r Result, err error) {
	if s.next.many {
		s.tell(a, Finished{r, err})
	}
}

// stays reports whether a session has ended in such a way that its peer, or the
// same person in another attempt, may come back to continue.
func (s *stand) stays(err error) bool {
	var e *transfer.Error
	if s.once || !errors.As(err, &e) {
		return false
	}
	switch e.Kind {
	case transfer.Lost:
		s.retry.barren++
		return !e.Peer && s.retry.barren < maxBarren
	case transfer.Canceled, transfer.NoSpace, transfer.Disk, transfer.Permission, transfer.Busy, transfer.Broken:
		// What a receiver can mend, it may come back from. A sender that was
		// stopped has a new code the next time.
		return e.Peer && s.role == rendezvous.Sender
	}
	return false
}

// theirs reports whether an error says nothing of other sessions.
func theirs(err error) bool {
	var e *transfer.Error
	return errors.As(err, &e) && (e.Peer || e.Kind == transfer.Protocol || e.Kind == transfer.Version || e.Kind == transfer.Foreign ||
		e.Kind == transfer.Corrupt || e.Kind == transfer.Lost)
}

// ended: nothing of an attempt runs any more. err is why it came to nothing,
// if it did not come to a session.
func (s *stand) ended(a *attempt, err error, guesses int) {
	for i, o := range s.attempts {
		if o == a {
			s.attempts = append(s.attempts[:i], s.attempts[i+1:]...)
			break
		}
	}
	if guesses >= 0 && a.inRoom {
		s.guessed(guesses)
	}
	// Whom it has met, but not reached, may not know that, and wait for us.
	s.next.known = slices.DeleteFunc(slices.Clone(s.next.known), func(id rendezvous.ID) bool { return slices.Contains(a.met, id) })
	was := a.stage
	a.stage = gone
	s.report()
	if was == gone || err == nil {
		return
	}
	var met *peer.Error
	if !errors.As(err, &met) { // the socket, the helper's name, or what is to be sent
		if s.err = err; !a.plan.first && !a.open {
			s.err = nil
			s.interrupted(err)
		}
		return
	}
	s.meetingFailed(a, met)
}

// meetingFailed: an attempt has met nobody, or found no path. The first time
// that is the end: a person who stands by wants to know.
func (s *stand) meetingFailed(a *attempt, met *peer.Error) {
	err := peerError(s.op, met)
	stopped := met.Kind == peer.PartnerStopped
	switch {
	case a.plan.first && (met.Kind == peer.TwoSenders || stopped && s.role == rendezvous.Receiver):
		s.err = err // though there may be a connection already
	case met.Kind == peer.PhraseBurnt:
		s.bar(err)
	case met.Kind == peer.PhraseWrong && s.admitted:
		s.bar(err) // another sender has the number now, whose guesses we would use up
	case s.next.many && a.number > 0:
		s.tellFinished(a, Result{}, err)
		s.interrupted(err)
	case s.admitted, s.met && a.number == 0, stopped && s.role == rendezvous.Sender:
		s.emit(Interrupted{err})
		s.interrupted(err)
	default:
		s.err = err
	}
}

// verdict is how it all ended.
func (s *stand) verdict(ctx context.Context) error {
	switch {
	case s.err != nil:
		return s.err
	case len(s.results) >= s.want:
		for _, r := range s.results {
			if err := r.incomplete(s.op); err != nil {
				return err
			}
		}
		return nil
	case s.want == forever && s.cut == 0:
		return nil
	case s.admitted:
		return transferError(s.op, &transfer.Error{Kind: transfer.Canceled})
	}
	return &Error{Op: s.op, Kind: KindCanceled, Err: fmt.Errorf("stopped: %w", context.Cause(ctx))}
}
