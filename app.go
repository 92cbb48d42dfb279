package qft

import (
	"errors"
	"sync"
	"time"

	"qft/internal/peer"
	"qft/internal/transfer"
)

// engine is what a transfer.Sender and a transfer.Receiver have in common.
type engine interface {
	Start(transfer.Conn)
	Step(now time.Time)
	Deadline() time.Time
	Done() (bool, error)
	Stop(error)
	PeerClosed(error)
	Close()
	Progress() transfer.Progress
}

// party is one side of a transfer, with its files open.
type party struct {
	engine
	attach   func(peer.Link)    // source or sink
	receiver *transfer.Receiver // nil: the sending side
}

// opener opens the files of a party, which may block. It does its work
// with the given Go of a loop, and leaves behind what blocks when left is
// closed.
type opener func(run func(work, done func()), left <-chan struct{}) (*party, error)

const (
	codeDone     = 0 // closes a connection over which all went well
	codeFailed   = 2 // closes one over which the peer was told why not
	codeReplaced = 3 // closes one in whose place there is another
)

// appState is where the transfer over one connection stands.
type appState uint8

const (
	// unconnected: there is no connection yet. Next: waiting, ended.
	unconnected appState = iota
	// waiting: connected, and not admitted: another session may have the files
	// open. Next: opening, running, ending.
	waiting
	// opening: the files are being opened. Next: running, ending.
	opening
	// running: the engine runs. Next: ending.
	running
	// ending: the connection is closed or being closed; the engine finishes
	// what is under way and closes its files. Next: ended.
	ending
	// ended: the files are closed.
	ended
)

// app is a transfer as it runs over one connection. What is a function here is
// set by who makes it; all but open may be nil.
type app struct {
	sends bool
	open  opener
	party *party                  // nil: not opened yet
	run   func(work, done func()) // Go of the loop; nil: in place
	idle  func() time.Duration    // of the loop; nil: not known
	emit  func(Event)
	ask   *asker
	cut   func()        // ends what blocks in a stream
	left  chan struct{} // closed when nothing is to be read any more; nil: never
	once  sync.Once     // closes left

	connected func(now time.Time) // admit has to be called; nil: needs no leave
	finished  func(outcome)       // the files are closed; only after Start

	state  appState
	now    time.Time // of the latest Step
	conn   *peer.Link
	told   bool // the engine knows that the connection has ended
	out    outcome
	report report
}

func (a *app) event(e Event) {
	if a.emit != nil {
		a.emit(e)
	}
}

// Start implements peer.App.
func (a *app) Start(now time.Time, l peer.Link) {
	a.conn = &l
	a.now = now
	a.state = waiting
	if a.connected == nil {
		a.admit(now)
		return
	}
	a.connected(now)
}

// admit lets a connected app open its files and begin.
func (a *app) admit(now time.Time) {
	if a.state != waiting {
		return
	}
	if a.party != nil {
		a.begin(now)
		return
	}
	a.state = opening
	var s *party
	var err error
	run := a.run
	if run == nil {
		run = func(work, done func()) { work(); done() }
	}
	run(func() { s, err = a.open(a.run, a.left) }, func() {
		a.party = s
		switch {
		case a.state == opening && err != nil:
			a.end(a.now, outcome{err: err}, codeFailed, "cannot open what is to be transferred")
		case a.state == opening:
			a.begin(a.now)
		case s != nil:
			s.Close()
		}
	})
}

func (a *app) begin(now time.Time) {
	a.state = running
	a.party.attach(*a.conn)
	a.party.Start(*a.conn)
	a.report.due = now
}

// Step implements peer.App.
func (a *app) Step(now time.Time) {
	a.now = now
	err := a.conn.Err()
	if (a.state == waiting || a.state == opening) && err != nil {
		a.end(now, outcome{err: &transfer.Error{Kind: transfer.Lost, Err: err}}, codeFailed, "")
	}
	if a.state == running {
		if err != nil && !a.told {
			a.told = true
			a.party.PeerClosed(err)
		}
		a.step(now)
	}
	if a.state == ending {
		a.finish(now)
	}
}

// step drives the engine.
func (a *app) step(now time.Time) {
	a.party.Step(now)
	for a.answer() {
		a.party.Step(now)
		if a.party.Progress().Phase >= transfer.Stopping {
			break // the answer was an end, and what it was about stays as it was
		}
	}
	if a.party.Progress().Phase == transfer.Stopping {
		a.leave()
		if a.cut != nil {
			a.cut() // or it would wait for the stream
		}
	}
	done, err := a.party.Done()
	if done || !now.Before(a.report.due) {
		a.tell(now, done, err)
	}
	if !done {
		return
	}
	code := uint64(codeDone)
	if err != nil {
		code = codeFailed
	}
	a.end(now, a.outcome(err), code, "")
}

// outcome is how it went, while the engine can still be asked.
func (a *app) outcome(err error) outcome {
	o := outcome{err: err, p: a.party.Progress(), paused: a.paused()}
	if r := a.party.receiver; r != nil && err == nil {
		o.text, o.paths = r.Text(), r.Paths()
	}
	return o
}

// leave has what blocks in an fs.FS be left behind.
func (a *app) leave() {
	if a.left != nil {
		a.once.Do(func() { close(a.left) })
	}
}

// end closes connection and files.
func (a *app) end(now time.Time, o outcome, code uint64, reason string) {
	a.state = ending
	a.leave()
	a.out = o
	a.conn.Close(now, code, reason)
	if a.party != nil {
		a.party.Close()
	}
}

// finish notices that the files are closed.
func (a *app) finish(now time.Time) {
	if a.party != nil {
		a.party.Step(now)
		if done, _ := a.party.Done(); !done {
			return
		}
	}
	a.state = ended
	if a.finished != nil {
		a.finished(a.out)
	}
}

// quit ends a session in whose place there is another. The peer is told in
// passing: as a rule it is not there.
func (a *app) quit(now time.Time) {
	switch a.state {
	case waiting, opening:
		a.end(now, outcome{err: &transfer.Error{Kind: transfer.Canceled}}, codeReplaced, "")
	case running:
		a.end(now, a.outcome(&transfer.Error{Kind: transfer.Canceled}), codeReplaced, "")
	}
}

// Deadline implements peer.App.
func (a *app) Deadline() time.Time {
	if a.state != running {
		return time.Time{}
	}
	d := a.party.Deadline()
	if d.IsZero() || a.report.due.Before(d) {
		d = a.report.due
	}
	return d
}

// Stop implements peer.App: it ends the transfer in good order; before there is
// a connection, at once.
func (a *app) Stop(now time.Time) {
	switch a.state {
	case unconnected:
		a.state = ended
		if a.party != nil {
			a.party.Close()
		}
	case waiting, opening:
		a.end(now, outcome{err: &transfer.Error{Kind: transfer.Canceled}}, codeFailed, "stopped")
	case running:
		a.party.Stop(nil)
	}
}

// Done implements peer.App: it reports whether the peer need not be kept for
// the transfer's sake.
func (a *app) Done() bool { return a.state == unconnected || a.state == ended }

// close closes the files where nobody else has: there was no connection.
func (a *app) close() {
	a.leave()
	if a.party != nil {
		a.party.Close()
	}
}

// result is how it went, once the peer is done.
func (a *app) result(op string, p *peer.Peer) error {
	a.close()
	var met *peer.Error
	switch {
	case errors.As(p.Err(), &met):
		return peerError(op, met)
	case a.conn == nil:
		return &Error{Op: op, Kind: KindCanceled, Err: errors.New("stopped")}
	case a.state != ended:
		return &Error{Op: op, Err: errors.New("the connection ended before the transfer")}
	case a.out.err != nil:
		return transferError(op, a.out.err)
	}
	return nil
}
