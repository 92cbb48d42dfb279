package qft

import (
	"slices"
	"sync"

	"qft/internal/plant"
	"qft/internal/transfer"
)

// asker has a person asked, through the functions of a Target, and remembers
// the answers: when a transfer goes on after an interruption the same questions
// come again, and the person may even have answered while nobody was there.
// The sessions of one Receive, which follow each other, share it.
type asker struct {
	accept  func(Proposal) bool
	resolve func(path string) (Existing, bool)
	spawn   func(work func()) // runs what takes as long as a person does
	stopped func() bool       // the caller has ended it: an answer now is none; may be nil

	mu      sync.Mutex
	wake    func()    // has the session look for an answer
	out     bool      // a question is out
	agreed  *Proposal // latest that the person wants
	refused *Proposal // latest that it does not
	all     Existing  // the answer to all conflicts; ExistingAsk: there is none
	answers map[string]Existing
}

func newAsker(t Target, spawn func(func())) *asker {
	return &asker{accept: t.Accept, resolve: t.Resolve, spawn: spawn, wake: func() {},
		all: ExistingAsk, answers: make(map[string]Existing)}
}

// wakeBy says how the session that runs now is told of an answer.
func (k *asker) wakeBy(wake func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.wake = wake
}

// sameAs reports whether an answer to p is one to o. A directory may have
// changed a little since; how large it may be is for the limits.
func (p *Proposal) sameAs(o Proposal) bool {
	return p != nil && p.Items == o.Items && p.Text == o.Text && p.Stream == o.Stream && slices.Equal(p.Names, o.Names)
}

// answer passes the engine's questions on, and the answers back; it reports
// whether it has passed one back.
func (a *app) answer() bool {
	r := a.party.receiver
	if r == nil || a.ask == nil {
		return false
	}
	if p, waits := r.Proposal(); waits {
		if !a.report.proposed {
			a.report.proposed = true
			a.event(Proposal(p))
		}
		return a.ask.propose(r, Proposal(p))
	}
	if path, waits := r.Conflict(); waits {
		return a.ask.conflict(r, path)
	}
	return false
}

func (k *asker) propose(r *transfer.Receiver, p Proposal) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.accept == nil || k.agreed.sameAs(p):
		r.Accept()
	case k.refused.sameAs(p):
		r.Refuse()
	default:
		return k.put(func() (record func()) {
			if k.accept(p) {
				return func() { k.agreed = &p }
			}
			return func() { k.refused = &p }
		})
	}
	return true
}

func (k *asker) conflict(r *transfer.Receiver, path string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	what, known := k.answers[path]
	switch {
	case k.all != ExistingAsk:
		r.Resolve(plant.Existing(k.all), true)
	case known || k.resolve == nil:
		r.Resolve(plant.Existing(what), false)
	default:
		return k.put(func() (record func()) {
			what, all := k.resolve(path)
			return func() {
				k.answers[path] = what
				if all {
					k.all = what
				}
			}
		})
	}
	return true
}

// put asks the one question that may be out at a time, with the lock held. It
// reports whether the answer is there already.
func (k *asker) put(question func() (record func())) bool {
	if k.out {
		return false
	}
	k.out = true
	k.mu.Unlock()
	k.spawn(func() {
		record := question()
		if k.stopped != nil && k.stopped() {
			return // the question was cut short, and nobody refused anything
		}
		k.mu.Lock()
		record()
		k.out = false
		wake := k.wake
		k.mu.Unlock()
		wake()
	})
	k.mu.Lock()
	return !k.out
}
