package qft

import (
	"math"
	"sync"
	"time"

	"qft/internal/rendezvous"
	"qft/internal/secret"
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
	inRoom bool            // it has the place in the public room
	open   bool            // its files are open
	lost   time.Time       // contact is lost since; zero: there is contact
	turned bool            // that it was lost for graceTime has been acted upon
	met    []rendezvous.ID // who has not been reached so far

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
	retry    retry
	vigil    vigil
	now      time.Time
}

// retry is how soon somebody is waited for again.
type retry struct {
	barren   int // sessions in a row that were lost without a byte having become safe
	pause    time.Duration
	notUntil time.Time // next launch
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
	s.watch()
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
	if s.retry.notUntil.After(s.now) {
		d = earlier(d, s.retry.notUntil)
	}
	return earlier(d, s.watchAgain())
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
	if busy > 0 || s.barred || s.once && s.admitted || s.full() || s.now.Before(s.retry.notUntil) {
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
