package qft

import (
	"errors"
	"math"
	"sync"
	"time"

	"qft/internal/peer"
	"qft/internal/rendezvous"
	"qft/internal/secret"
	"qft/internal/transfer"
)

const (
	// graceTime is how long contact may be lost before somebody else is waited
	// for: most losses are over by then.
	graceTime = 5 * time.Second

	// dropTime is when a session without contact is given up where there may
	// be any number of them. Its receiver looks for us at the helper as well.
	dropTime = 10 * time.Minute

	// maxSessions bounds the sessions that run at the same time, and with them
	// memory. Further receivers wait at the helper.
	maxSessions = 32

	// What keeps a meeting from coming about may last: the next one begins
	// after leastPause, and then later and later.
	leastPause = 2 * time.Second
	mostPause  = 30 * time.Second

	// maxBarren is how many sessions in a row may be lost without a byte
	// having become safe: whatever is wrong does not go away.
	maxBarren = 10

	// forever is how many receivers there are for who waits until stopped.
	forever = math.MaxInt
)

// stage is where an attempt stands, as the stand knows it.
type stage uint8

const (
	// atHelper: waiting in the room, or on the way there. Next: found, gone.
	atHelper stage = iota
	// found: somebody knows the phrase; a path is being looked for. Next:
	// arrived, gone.
	found
	// arrived: connected, and not yet let in. Next: served, gone.
	arrived
	// served: the session runs, with or without contact. Next: gone.
	served
	// gone: it is over, or has been told to end.
	gone
)

// attempt is one meeting and the session that comes of it: its own socket, loop,
// peer and app. The fields belong to the stand.
type attempt struct {
	plan   plan
	number int // of the session; 0: nobody was met
	stage  stage
	inRoom bool      // it has the place in the public room
	open   bool      // its files are open
	lost   time.Time // contact is lost since; zero: there is contact
	turned bool      // that it was lost for graceTime has been acted upon

	// Set by who launches it. Both may be called from the stand only, and do
	// not wait.
	post func(func(now time.Time, d *driver)) // in the attempt's loop, while that runs
	stop func()                               // end in good order
}

// plan is how an attempt meets the other side.
type plan struct {
	first   bool // nobody has been waited for before
	phrase  secret.Phrase
	words   string // with a number to be assigned they are the phrase
	guesses int    // that are left; 0: all
	known   []rendezvous.ID
	many    bool
	port    uint16
}

// stand keeps a transfer standing while sessions come and go. It is a machine:
// what happens in attempts is posted to it, Step draws the conclusions, and
// Deadline says when to call Step although nothing has happened.
//
//	            launch              a peer knows        it is connected
//	(a place) ─────────► atHelper ────────────► found ────────────► arrived
//	    ▲                    │ contact of an       │                   │ files of the one
//	    │                    │ older one is back   │ no path           │ before are closed
//	    │                    ▼                     ▼                   ▼
//	    ├──────────────────gone ◄──────────────────┴──────────────── served
//	    │    ended for the other side's reasons,                       │
//	    └──  or without contact for graceTime  ◄───────────────────────┘
//
// There are as many places as receivers that have not got it all. A session
// has a place while it has contact. One that has none keeps its files, and is
// replaced by whoever comes, knows the phrase and is connected; if it has
// contact again before, the other one is sent away. So exactly one session has
// the files of a receiver open at any time.
//
// Only one attempt is in the public room at a time, since a number has one
// sender. Wrong guesses are counted over all of them.
type stand struct {
	op      string
	role    rendezvous.Role
	want    int  // receivers that are to have it all
	once    bool // it cannot be sent or taken a second time
	launch  func(*attempt)
	emit    func(Event)
	changed func(sessions int) // how many are served or about to be

	inbox    inbox
	attempts []*attempt
	next     plan // of the next attempt
	results  []Result
	barred   bool // no further meeting makes sense
	met      bool // somebody knew the phrase
	admitted bool // a session has begun
	halted   bool // by the caller
	cut      int  // sessions that ran then
	err      error
	last     error // why the latest session ended
	barren   int
	pause    time.Duration
	notUntil time.Time // next launch
	now      time.Time
}

// inbox takes from any goroutine what happens.
type inbox struct {
	mu    sync.Mutex
	queue []func()
	wake  func() // has Step called; must not block
}

func (b *inbox) post(f func()) {
	b.mu.Lock()
	b.queue = append(b.queue, f)
	b.mu.Unlock()
	b.wake()
}

func (b *inbox) take() []func() {
	b.mu.Lock()
	defer b.mu.Unlock()
	q := b.queue
	b.queue = nil
	return q
}

// Step takes what has happened and does what follows.
func (s *stand) Step(now time.Time) {
	s.now = now
	for _, f := range s.inbox.take() {
		f()
	}
	if s.ending() {
		for _, a := range s.attempts {
			s.dismiss(a)
		}
		return
	}
	s.trim()
	s.admit()
	s.refill()
}

// ending reports whether nothing new is to begin.
func (s *stand) ending() bool {
	return s.halted || s.err != nil || len(s.results) >= s.want
}

// Done reports whether it is over, and all attempts have ended.
func (s *stand) Done() bool { return s.ending() && len(s.attempts) == 0 }

// Deadline is when Step is wanted next; zero: when something has happened.
func (s *stand) Deadline() time.Time {
	var d time.Time
	if s.ending() {
		return d
	}
	for _, a := range s.attempts {
		switch {
		case a.stage != served || a.lost.IsZero():
		case !a.turned:
			d = earlier(d, a.lost.Add(graceTime))
		case s.want == forever:
			d = earlier(d, a.lost.Add(dropTime))
		}
	}
	if s.notUntil.After(s.now) {
		d = earlier(d, s.notUntil)
	}
	return d
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// halt ends everything because the caller wants to.
func (s *stand) halt() {
	s.halted = true
	s.cut = s.count(s.holds)
}

// holds reports whether an attempt has one of the places: it is, or is about
// to be, a session with contact.
func (s *stand) holds(a *attempt) bool {
	switch a.stage {
	case found, arrived:
		return true
	case served:
		return a.lost.IsZero() || s.now.Before(a.lost.Add(graceTime))
	}
	return false
}

func (s *stand) count(f func(*attempt) bool) (n int) {
	for _, a := range s.attempts {
		if f(a) {
			n++
		}
	}
	return n
}

func (s *stand) places() int { return s.want - len(s.results) }

// trim sends away who is too many: sessions that have been without contact for
// very long, and those who came while contact was lost that is back now.
func (s *stand) trim() {
	for _, a := range s.attempts {
		if a.stage != served || a.lost.IsZero() {
			continue
		}
		a.turned = !s.now.Before(a.lost.Add(graceTime))
		if s.want == forever && !s.now.Before(a.lost.Add(dropTime)) {
			s.replace(a)
		}
	}
	held := s.count(s.holds)
	for i := len(s.attempts) - 1; i >= 0; i-- {
		a := s.attempts[i]
		switch {
		case a.stage == found && held > s.places():
			held--
			s.dismiss(a)
		case a.stage == atHelper && s.full():
			s.dismiss(a)
		}
	}
}

// full reports whether there is no place for another session.
func (s *stand) full() bool {
	running := s.count(func(a *attempt) bool { return a.stage == found || a.stage == arrived || a.stage == served })
	return s.count(s.holds) >= s.places() || running >= maxSessions && s.count(s.mayGo) == 0
}

// admit lets those in who have arrived, once the files are closed of those whose
// places they take.
func (s *stand) admit() {
	for _, a := range s.attempts {
		if a.stage == gone && a.open {
			return
		}
	}
	for _, a := range s.attempts {
		if a.stage != arrived {
			continue
		}
		a.stage, a.open = served, true
		s.admitted = true
		a.post(func(now time.Time, d *driver) { d.app.admit(now) })
	}
}

// refill has somebody wait at the helper where there is a place.
func (s *stand) refill() {
	if s.barred && len(s.attempts) == 0 {
		s.err = s.last
		return
	}
	busy := s.count(func(a *attempt) bool { return a.inRoom || a.stage == atHelper })
	if busy > 0 || s.barred || s.once && s.admitted || s.full() || s.now.Before(s.notUntil) {
		return
	}
	a := &attempt{plan: s.next, inRoom: true}
	s.attempts = append(s.attempts, a)
	s.next.first = false
	s.launch(a)
}

// mayGo reports whether a session may be replaced.
func (s *stand) mayGo(a *attempt) bool { return a.stage == served && !a.lost.IsZero() }

// dismiss ends an attempt in good order.
func (s *stand) dismiss(a *attempt) {
	if a.stage == gone {
		return
	}
	a.stage = gone
	a.stop()
}

// replace ends a session without waiting for its peer to know.
func (s *stand) replace(a *attempt) {
	s.tell(a, Replaced{})
	a.stage = gone
	a.post(func(now time.Time, d *driver) { d.quit(now) })
}

// tell emits an event of a session.
func (s *stand) tell(a *attempt, e Event) {
	if s.next.many && a.number > 0 {
		e = Session{a.number, e}
	}
	s.emit(e)
}

// What follows happened in an attempt.

// joined: the helper has let it in.
func (s *stand) joined(phrase secret.Phrase) {
	s.next.phrase, s.next.words = phrase, ""
}

// metBy: somebody knows the phrase.
func (s *stand) metBy(a *attempt, number int, member rendezvous.ID) {
	s.met = true
	a.number = number
	s.next.known = append(s.next.known, member)
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
	a.stage = arrived
	s.pause = 0
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
	if a.stage == gone {
		return // we wanted it to end
	}
	a.stage = gone
	s.report()
	r := o.result()
	if o.err == nil {
		s.results = append(s.results, r)
		s.barren = 0
		s.tellFinished(a, r, r.incomplete(s.op))
		return
	}
	err := transferError(s.op, o.err)
	if o.p.Safe > o.p.Resumed {
		s.barren = 0
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
	s.notUntil = s.now.Add(s.pause)
	s.pause = min(max(2*s.pause, leastPause), mostPause)
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
		s.barren++
		return !e.Peer && s.barren < maxBarren
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
	return errors.As(err, &e) && (e.Peer || e.Kind == transfer.Protocol || e.Kind == transfer.Version ||
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
	switch {
	case met.Kind == peer.PhraseBurnt:
		s.bar(err)
	case met.Kind == peer.PhraseWrong && s.admitted:
		s.bar(err) // another sender has the number now, whose guesses we would use up
	case s.next.many && a.number > 0:
		s.tellFinished(a, Result{}, err)
		s.interrupted(err)
	case s.admitted, s.met && a.number == 0, met.Kind == peer.PartnerStopped && s.role == rendezvous.Sender:
		s.emit(Interrupted{err})
		s.interrupted(err)
	default:
		s.err = err
	}
}
