package gui

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"qft"
)

// stopTime is how long a transfer that is stopped may take to end in good order.
const stopTime = 8 * time.Second

// transfer is one send or receive. Its fields belong to the hub's lock, but
// for what never changes once it has been added.
type transfer struct {
	hub  *hub
	plan plan

	control *qft.Control
	cancel  context.CancelFunc // nil: not started
	stopped bool               // by a person here

	shown   Transfer
	answers chan Answer // of the person, to the one question there may be
	asked   int         // questions so far
	told    time.Time   // when pages were told last
	due     bool        // it is looked soon whether they have to be told
	news    bool        // they have not been told all
	sampled map[int]time.Time
}

// plan is what a transfer does.
type plan struct {
	source *qft.Source // nil: it receives
	target qft.Target
	cfg    qft.Config
	ask    bool   // about conflicts
	record string // of what it continues; may be empty
	close  func() // what ends with it; may be nil
}

func newTransfer(p plan) *transfer {
	t := &transfer{plan: p, control: new(qft.Control), answers: make(chan Answer, 1), sampled: make(map[int]time.Time)}
	t.shown = Transfer{Kind: "receive", Folder: p.target.Dir, Receivers: 1, Notes: []string{}, Sessions: []Session{}}
	t.shown.Steering = Steering{Background: p.cfg.Background, Limit: p.cfg.Limit}
	t.shown.Outcome = Outcome{Paths: []string{}, Failed: []Failure{}}
	if p.source != nil {
		t.shown.Kind, t.shown.Folder = "send", ""
		t.shown.Dropped = p.source.FS != nil
		t.shown.Receivers = max(p.source.Receivers, 1)
		if p.source.Receivers < 0 {
			t.shown.Receivers = -1
		}
		t.shown.Name = nameOf(*p.source)
	}
	return t
}

// picture is the transfer as pages see it. Samples are told with a whole State
// only.
func (t *transfer) picture(samples bool) Transfer {
	p := t.shown
	p.Notes = slices.Clone(p.Notes)
	p.Sessions = slices.Clone(p.Sessions)
	for i := range p.Sessions {
		if p.Sessions[i].Samples = slices.Clone(p.Sessions[i].Samples); !samples || p.Sessions[i].Samples == nil {
			p.Sessions[i].Samples = []float64{}
		}
	}
	return p
}

func (t *transfer) ended() bool {
	switch t.shown.Phase {
	case PhaseDone, PhaseFailed, PhaseStopped:
		return true
	}
	return false
}

// continues reports whether it goes on with a record.
func (t *transfer) continues(record string) bool { return !t.ended() && t.plan.record == record }

// againLocked is how one that came to nothing is tried once more: as it was asked
// for. What has arrived of it is not sent again.
func (t *transfer) againLocked() (plan, error) {
	switch {
	case t.shown.Phase != PhaseFailed && t.shown.Phase != PhaseStopped:
		return plan{}, refuse(http.StatusConflict, "", "this transfer has not failed")
	case t.plan.close != nil:
		return plan{}, refuse(http.StatusConflict, "Drop the files again.", "the page does not hold them any more")
	}
	return t.plan, nil
}

// drop lets go of what it would have used.
func (t *transfer) drop() {
	if t.plan.close != nil {
		t.plan.close()
	}
}

// startLocked begins it.
func (t *transfer) startLocked() {
	ctx, cancel := context.WithCancel(t.hub.ctx)
	t.cancel = cancel
	t.shown.Phase = PhaseStarting
	t.shown.Began = time.Now().UnixMilli()
	t.plan.cfg.Control = t.control
	t.plan.cfg.Events = t.event
	t.plan.cfg.State = t.hub.state
	if len(t.plan.cfg.Stun) > 0 {
		t.plan.cfg.Paste = t.askToken
	}
	t.hub.working.Go(func() {
		defer cancel()
		o := t.outcome(ctx)
		t.drop()
		t.finish(o.result, o.err)
	})
}

// ending is how a transfer has ended.
type ending struct {
	result qft.Result
	err    error
}

// outcome waits until the transfer has ended. One that is stopped while a disk
// does not answer never does: then what is left of it goes on for nobody.
func (t *transfer) outcome(ctx context.Context) ending {
	done := make(chan ending, 1)
	go func() {
		r, err := t.run(ctx)
		done <- ending{r, err}
	}()
	select {
	case o := <-done:
		return o
	case <-ctx.Done():
	}
	select {
	case o := <-done:
		return o
	case <-time.After(stopTime):
		return ending{err: &qft.Error{Op: t.shown.Kind, Kind: qft.KindCanceled, Err: errors.New("stopped, though a disk still does not answer")}}
	}
}

func (t *transfer) run(ctx context.Context) (qft.Result, error) {
	if t.plan.source != nil {
		return qft.Send(ctx, *t.plan.source, t.plan.cfg)
	}
	to := t.plan.target
	to.Accept = func(p qft.Proposal) bool { return t.askProposal(ctx, p) }
	if t.plan.ask {
		to.Existing = qft.ExistingAsk
		to.Resolve = func(path string) (qft.Existing, bool) { return t.askConflict(ctx, path) }
	}
	return qft.Receive(ctx, to, t.plan.cfg)
}

// finish shows how it went.
func (t *transfer) finish(r qft.Result, err error) {
	h := t.hub
	h.look()
	h.mu.Lock()
	t.settle(r, err)
	h.rememberLocked(t.past(r))
	h.advanceLocked()
	h.tellState()
	h.mu.Unlock()
	h.keepPast()
}

// settle has it show what it came to.
func (t *transfer) settle(r qft.Result, err error) {
	s := &t.shown
	s.Ended = time.Now().UnixMilli()
	s.Ask = nil
	s.Invite.Token = ""
	switch {
	case err == nil:
		s.Phase = PhaseDone
	case t.stopped && qft.KindOf(err) == qft.KindCanceled:
		s.Phase = PhaseStopped
	case qft.KindOf(err) == qft.KindRefused:
		s.Phase = PhaseStopped
		s.Outcome.Problem = problemOf(err)
	default:
		s.Phase = PhaseFailed
		s.Outcome.Problem = problemOf(err)
	}
	if t.plan.source == nil && r.Paths != nil {
		s.Outcome.Paths = r.Paths
	}
	s.Outcome.Text = r.Text
	for _, f := range r.Failed {
		s.Outcome.Failed = append(s.Outcome.Failed, Failure{plainText(f.Path), plainText(f.Why)})
	}
	s.Outcome.FailedMore = r.FailedCount - int64(len(r.Failed))
	for i := range s.Sessions {
		v := &s.Sessions[i]
		v.Ended, v.Rate, v.Left, v.Link.LostSince = true, 0, 0, 0
	}
	if s.Receivers == 1 && err == nil {
		s.Complete = 1
		t.complete(r)
	}
}

// complete has the only session show all of what went over.
func (t *transfer) complete(r qft.Result) {
	v := t.session(0)
	v.Size, v.Done, v.Files, v.FilesDone, v.Counted, v.Ended = r.Size, r.Size, r.Files, r.Files, true, true
	v.Resumed, v.Rate, v.Left, v.File = r.Resumed, 0, 0, ""
	v.Link.LostSince = 0
}

// session returns what is shown of one. When there are too many, the oldest goes
// that has ended.
func (t *transfer) session(number int) *Session {
	all := &t.shown.Sessions
	for i := range *all {
		if (*all)[i].Number == number {
			return &(*all)[i]
		}
	}
	if len(*all) >= mostSessions {
		i := max(slices.IndexFunc(*all, func(v Session) bool { return v.Ended }), 0)
		delete(t.sampled, (*all)[i].Number)
		*all = slices.Delete(slices.Clone(*all), i, i+1)
	}
	*all = append(*all, Session{Number: number})
	return &(*all)[len(*all)-1]
}

// changed tells the pages, now or soon.
func (t *transfer) changed(now bool) {
	if now || time.Since(t.told) >= often {
		t.told, t.news = time.Now(), false
		p := t.picture(false)
		t.hub.tell(Message{Transfer: &p})
		return
	}
	t.news = true
	if t.due {
		return
	}
	t.due = true
	time.AfterFunc(often-time.Since(t.told), func() {
		t.hub.mu.Lock()
		defer t.hub.mu.Unlock()
		t.due = false
		if t.news && !t.ended() {
			t.changed(false)
		}
	})
}

// stop ends it, or takes it out of the queue.
func (t *transfer) stopLocked() {
	if t.ended() {
		return
	}
	t.stopped = true
	if t.cancel != nil {
		t.cancel()
		return
	}
	t.shown.Phase, t.shown.Ended = PhaseStopped, time.Now().UnixMilli()
	t.drop()
	t.hub.tellState()
}

// steer changes what can be changed while it runs.
func (t *transfer) steer(c Change) {
	s := &t.shown.Steering
	if c.Limit != nil {
		s.Limit = max(*c.Limit, 0)
		t.control.SetLimit(s.Limit)
	}
	if c.Paused != nil {
		s.Paused = *c.Paused
		t.control.Pause(s.Paused)
	}
	if c.Background != nil {
		s.Background = *c.Background
		t.control.SetBackground(s.Background)
	}
	t.changed(true)
}

// question puts one to the person, and waits for the answer until ctx ends.
func (t *transfer) question(ctx context.Context, ask Ask) (Answer, error) {
	t.hub.mu.Lock()
	was := t.shown.Phase
	t.asked++
	ask.Number = t.asked
	t.shown.Ask, t.shown.Phase = &ask, PhaseAsking
	select {
	case <-t.answers: // to a question that is over
	default:
	}
	t.changed(true)
	t.hub.mu.Unlock()
	var a Answer
	err := error(nil)
	select {
	case a = <-t.answers:
	case <-ctx.Done():
		err = ctx.Err()
	}
	t.hub.mu.Lock()
	defer t.hub.mu.Unlock()
	if t.shown.Ask == &ask {
		t.shown.Ask = nil
	}
	if t.shown.Phase == PhaseAsking {
		t.shown.Phase = was
	}
	if !t.ended() {
		t.changed(true)
	}
	return a, err
}

func (t *transfer) askProposal(ctx context.Context, p qft.Proposal) bool {
	if p.Text {
		return true // it is shown, and that is all
	}
	t.hub.mu.Lock()
	t.shown.Name = offeredName(p)
	t.hub.mu.Unlock()
	dir := t.plan.target.Dir
	room, _ := visitDisk(t.hub.disks, dir, lookTime, func() (n int64, err error) { // of a disk that does not answer it is not known
		n, _ = qft.FreeSpace(dir)
		return n, nil
	})
	a, err := t.question(ctx, Ask{Kind: "accept", Proposal: &Proposal{Room: room, Files: p.Files, Bytes: p.Bytes, Counted: p.Counted, Items: p.Items,
		Names: slices.Concat([]string{}, p.Names), Text: p.Text, Stream: p.Stream}})
	return err == nil && a.Accept
}

func (t *transfer) askConflict(ctx context.Context, path string) (qft.Existing, bool) {
	a, err := t.question(ctx, Ask{Kind: "conflict", Path: path})
	if err != nil {
		return qft.ExistingFail, true
	}
	what, err := existingOf(a.Existing)
	if err != nil || what == qft.ExistingAsk {
		return qft.ExistingFail, true
	}
	return what, a.All
}

func (t *transfer) askToken(ctx context.Context) (string, error) {
	a, err := t.question(ctx, Ask{Kind: "token"})
	if err != nil {
		return "", &qft.Error{Op: t.shown.Kind, Kind: qft.KindCanceled, Err: errors.New("stopped")}
	}
	return a.Token, nil
}

// answerLocked takes the person's answer.
func (t *transfer) answerLocked(a Answer) error {
	switch ask := t.shown.Ask; {
	case ask == nil:
		return refuse(http.StatusConflict, "", "nothing is asked now")
	case ask.Number != a.Number: // a second click, or what another page still shows
		return refuse(http.StatusConflict, "", "this question is over")
	case ask.Kind == "conflict":
		if what, err := existingOf(a.Existing); err != nil || what == qft.ExistingAsk {
			return refuse(http.StatusBadRequest, "", "%q is no answer to what is to be done with something that exists", a.Existing)
		}
	}
	select {
	case t.answers <- a:
		t.shown.Ask = nil
		return nil
	default:
		return refuse(http.StatusConflict, "", "it has been answered already")
	}
}
