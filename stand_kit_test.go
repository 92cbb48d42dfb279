package qft

import (
	"sync/atomic"
	"time"

	"qft/internal/lab"
	"qft/internal/peer"
	"qft/internal/rendezvous"
	"qft/internal/secret"
	"qft/internal/transfer"
	"qft/internal/udp"
)

// keeper is a Send or a Receive as a whole: a stand whose attempts are nodes of
// one host. The stand is a machine on a port of its own, which only wakes it.
type keeper struct {
	*stand
	m      *meeting
	host   *lab.Host
	port   uint16
	open   opener
	ask    *asker
	serial atomic.Int32
	told   pauseTold
	nodes  map[*attempt]*node
	ever   int // attempts so far
	events []Event
	dead   bool
	paused bool
	both   bool // it is a stream
	path   string
}

func (k *keeper) Receive(time.Time, udp.Packet) {}

func (k *keeper) Send(now time.Time, _ *udp.Batch) { k.Step(now) }

// keep puts a stand on a host. An empty phrase makes a code.
func (m *meeting) keep(h *lab.Host, role rendezvous.Role, phrase string, receivers int) *keeper {
	k := &keeper{m: m, host: h, nodes: make(map[*attempt]*node)}
	s := &stand{op: "test", role: role, want: max(receivers, 1), launch: k.launch}
	if receivers < 0 {
		s.want = forever
	}
	s.emit = func(e Event) { k.events = append(k.events, e) }
	s.next = plan{first: true, many: s.want > 1}
	if phrase == "" {
		s.next.words = secret.NewWords(m.Entropy())
	} else {
		s.next.phrase = m.phrase(phrase)
	}
	s.inbox.wake = func() { h.Wake(k.port) }
	k.stand = s
	return k
}

// keepSending starts a Send of a file.
func (m *meeting) keepSending(h *lab.Host, phrase, path string, receivers int) *keeper {
	k := m.keep(h, rendezvous.Sender, phrase, receivers)
	k.path = path
	k.open = func(func(work, done func()), <-chan struct{}) (*party, error) {
		return m.sender(transfer.Config{}, path), nil
	}
	k.port = h.Bind(0, k)
	return k
}

// keepReceiving starts a Receive.
func (m *meeting) keepReceiving(h *lab.Host, phrase string, to Target) *keeper {
	k := m.keep(h, rendezvous.Receiver, phrase, 1)
	k.path = to.Dir
	k.ask = newAsker(to, inPlace)
	k.open = func(func(work, done func()), <-chan struct{}) (*party, error) {
		return m.receiver(transfer.Config{}, to), nil
	}
	k.port = h.Bind(0, k)
	return k
}

// launch is what host.launch does with sockets.
func (k *keeper) launch(a *attempt) {
	n := &node{m: k.m, host: k.host, path: k.path, both: k.both}
	d := &driver{emit: k.emit, words: a.plan.words, stand: k.stand, at: a, count: &k.serial, many: a.plan.many, pause: &k.told}
	if d.many {
		d.pause = new(pauseTold)
	}
	d.app = &app{sends: k.role == rendezvous.Sender, open: k.open, emit: d.event, ask: k.ask}
	d.app.connected = func(time.Time) { d.post(func(s *stand) { s.arrivedAt(a) }) }
	d.app.finished = func(o outcome) { d.post(func(s *stand) { s.sessionEnded(a, o) }) }
	if a.plan.first {
		d.app.party, _ = k.open(nil, nil)
	}
	n.start(k.role, a.plan, d)
	n.Throttle(peer.Throttle{Paused: k.paused})
	k.nodes[a] = n
	k.ever++
	a.stop = n.stop
	a.post = func(f func(time.Time, *driver)) {
		f(k.m.Now(), d)
		k.host.Wake(n.port)
	}
	n.over = func() {
		err, guesses := d.Err(), d.Guesses()
		d.app.close()
		k.inbox.post(func() {
			k.host.Unbind(n.port)
			delete(k.nodes, a)
			k.ended(a, err, guesses)
		})
	}
}

// kill ends it as kill -9 does. What the kernel would do to its files has to be
// done by hand.
func (k *keeper) kill() {
	k.dead = true
	for _, n := range k.nodes {
		k.host.Unbind(n.port)
		n.app.close()
	}
	k.host.Unbind(k.port)
}

// pause is Control.Pause.
func (k *keeper) pause(on bool) {
	k.paused = on
	for _, n := range k.nodes {
		n.Throttle(peer.Throttle{Paused: on})
		k.host.Wake(n.port)
	}
}

// interrupt is Ctrl-C.
func (k *keeper) interrupt() {
	k.inbox.post(k.halt)
}

// seen counts the events of a type, also of sessions.
func seen[E Event](k *keeper) (n int) {
	for _, e := range k.events {
		if s, ok := e.(Session); ok {
			e = s.Event
		}
		if _, ok := e.(E); ok {
			n++
		}
	}
	return n
}

// last returns the latest event of a type.
func last[E Event](k *keeper) (found E) {
	for _, e := range k.events {
		if s, ok := e.(Session); ok {
			e = s.Event
		}
		if e, ok := e.(E); ok {
			found = e
		}
	}
	return found
}

// code waits for the code of a sender.
func (k *keeper) code() string {
	k.m.t.Helper()
	k.m.until(time.Minute, "a code", func() bool { return seen[Code](k) > 0 })
	return last[Code](k).Code
}

// until runs until it is so, and fails the test if that takes too long.
func (m *meeting) until(limit time.Duration, what string, so func() bool) {
	m.t.Helper()
	if !m.Run(limit, so) {
		m.t.Fatalf("not within %v: %s", limit, what)
	}
}

// moved reports whether so much of the file is safe.
func (k *keeper) moved(n int64) func() bool {
	return func() bool { return last[Progress](k).Done >= n }
}

// wantDone runs until all are done, and wants them to have succeeded.
func (m *meeting) wantDone(limit time.Duration, all ...*keeper) {
	m.t.Helper()
	done := func() bool {
		for _, k := range all {
			if !k.Done() {
				return false
			}
		}
		return true
	}
	ok := m.Run(limit, done)
	for _, k := range all {
		switch err := k.verdict(m.t.Context()); {
		case !ok:
			m.t.Errorf("%s: done %v after %v, err %v, attempts %d\n%+v", k.host.Name(), k.Done(), limit, k.err, len(k.attempts), k.events)
		case err != nil:
			m.t.Errorf("%s: %v", k.host.Name(), err)
		}
	}
	if m.t.Failed() {
		m.t.FailNow()
	}
}
