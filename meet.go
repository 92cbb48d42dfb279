package qft

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"qft/internal/peer"
	"qft/internal/rendezvous"
	"qft/internal/secret"
	"qft/internal/udp"
)

// driver is the peer as a loop drives it: it passes on what happens, to whoever
// wants to see it and to the stand.
type driver struct {
	*peer.Peer
	app   *app
	emit  func(Event) // may be nil
	words string      // of the code that is being made
	stand *stand      // nil: it stands alone
	at    *attempt
	count *atomic.Int32 // sessions so far
	many  bool
	paste *paster // nil: no tokens are exchanged
	pause *pauseTold

	number int // of the session; 0: nobody was met
}

func (d *driver) Send(now time.Time, b *udp.Batch) {
	d.Peer.Send(now, b)
	for {
		e, ok := d.Peer.Next()
		if !ok {
			return
		}
		d.pass(e)
	}
}

// event emits, as part of a session where there may be several.
func (d *driver) event(e Event) {
	if d.emit == nil {
		return
	}
	if d.many && d.number > 0 {
		e = Session{d.number, e}
	}
	d.emit(e)
}

// post tells the stand.
func (d *driver) post(f func(s *stand)) {
	if s := d.stand; s != nil {
		s.inbox.post(func() { f(s) })
	}
}

func (d *driver) pass(e peer.Event) {
	switch e := e.(type) {
	case peer.Joined:
		d.joined(e)
	case peer.HelperSilent:
		d.event(HelperSilent{})
	case peer.HelperBack:
		d.event(HelperBack{})
	case peer.HelperPorts:
		d.event(HelperPorts(e))
	case peer.Barred:
		d.event(HelperRefuses{e.Err.Error()})
	case peer.WrongPhrase:
		d.event(WrongPhrase(e))
		d.post(func(s *stand) { s.heard(false) })
	case peer.Queued:
		d.event(Queued{})
		d.post(func(s *stand) { s.heard(true) })
	case peer.Token:
		d.event(Token(e))
	case peer.WantToken:
		d.event(TokenWanted{})
		d.paste.want()
	case peer.Met:
		if !e.Again {
			if d.count != nil {
				d.number = int(d.count.Add(1))
			}
			d.event(Met{})
		}
		number := d.number
		d.post(func(s *stand) { s.metBy(d.at, number, e.Members) })
	case peer.RoomLeft:
		guesses := d.Guesses()
		d.post(func(s *stand) { s.leftRoom(d.at, guesses) })
	case peer.Connected:
		d.event(Connected{Path: e.Word, Remote: e.Remote, RTT: e.RTT})
	case peer.Paused:
		if d.pause.news(Paused(e)) {
			d.event(Paused(e))
		}
	case peer.ContactLost:
		d.event(ContactLost(e))
		d.post(func(s *stand) { s.contact(d.at, e.Since) })
	case peer.ContactBack:
		d.event(ContactBack(e))
		d.post(func(s *stand) { s.contact(d.at, time.Time{}) })
	}
}

// joined tells the code where one was made.
func (d *driver) joined(e peer.Joined) {
	again := d.at != nil && !d.at.plan.first
	if d.words != "" {
		code := strconv.FormatUint(uint64(e.Number), 10) + "-" + d.words
		d.event(Code{code})
		if phrase, err := secret.ParseCode(code); err == nil {
			d.post(func(s *stand) { s.joined(phrase) })
		}
	}
	w := Waiting{Again: again, Helper: e.Helper, Host: e.Host, Nearby: e.Nearby, Port: e.Port}
	d.event(w)
	d.post(func(s *stand) { s.waits(w) })
}

// quit ends a session in whose place there is another.
func (d *driver) quit(now time.Time) {
	if d.app.state == unconnected {
		d.Peer.Stop(now)
		return
	}
	d.app.quit(now)
}

// host has the attempts of a stand run on this machine.
type host struct {
	op   string
	cfg  Config
	role rendezvous.Role
	open opener
	ask  *asker
	cut  func() // ends what blocks in a stream; nil: there is none
	both bool   // bulk goes both ways

	stand   *stand
	events  sync.Mutex
	count   atomic.Int32
	pause   pauseTold
	running sync.WaitGroup

	mu      sync.Mutex
	port    uint16           // that people are told; zero: none
	told    bool             // an attempt has it
	door    netip.AddrPort   // where it is reached on this machine
	addrs   []netip.AddrPort // of the helper, or of the sender's host, as they were found last
	control *Control
	shared  map[*steered]struct{}
}

// transfer runs until all receivers have it, or it fails, or ctx ends.
func (h *host) transfer(ctx context.Context, receivers int, once bool) ([]Result, error) {
	s := &stand{op: h.op, role: h.role, want: max(receivers, 1), once: once, launch: h.launch, emit: h.emit, changed: h.share}
	s.vigil.limit = max(h.cfg.Wait, 0)
	if receivers < 0 {
		s.want = forever
	}
	s.next = plan{first: true, many: s.want > 1}
	var err error
	if h.cfg.Phrase == "" && len(h.cfg.Stun) > 0 {
		// The tokens are all that the two sides need.
	} else if h.cfg.Phrase == "" {
		s.next.words = secret.NewWords(rand.Reader)
	} else if s.next.phrase, err = parsePhrase(h.cfg.Phrase); err != nil {
		return nil, &Error{Op: h.op, Kind: KindUsage, Err: fmt.Errorf("reading the phrase: %w", err)}
	} else if why := secret.Weakness(h.cfg.Phrase); why != "" {
		h.emit(WeakPhrase{why})
	}
	wake := make(chan struct{}, 1)
	s.inbox.wake = func() {
		select {
		case wake <- struct{}{}:
		default: // it is going to look anyway
		}
	}
	h.stand = s
	h.control = h.cfg.Control
	if h.control == nil {
		h.control = new(Control)
	}
	h.drive(ctx, wake)
	h.running.Wait()
	return s.results, s.verdict(ctx)
}

func (h *host) drive(ctx context.Context, wake <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	stop := ctx.Done()
	for !h.stand.Done() {
		select {
		case <-wake:
		case <-timer.C:
		case <-stop:
			stop = nil
			h.stand.halt()
			if h.cut != nil {
				h.cut()
			}
		}
		h.stand.Step(time.Now())
		if d := h.stand.Deadline(); !d.IsZero() {
			timer.Reset(max(time.Until(d), 0))
		}
	}
}

func (h *host) emit(e Event) {
	if h.cfg.Events == nil {
		return
	}
	h.events.Lock()
	defer h.events.Unlock()
	h.cfg.Events(e)
}

// launch begins an attempt.
func (h *host) launch(a *attempt) {
	ctx, cancel := context.WithCancel(context.Background())
	a.stop = cancel
	h.running.Go(func() {
		defer cancel()
		guesses, told, err := h.meet(ctx, a)
		h.stand.inbox.post(func() {
			h.stand.ended(a, err, guesses)
			if told && h.serves() {
				h.stand.portFree()
			}
		})
	})
}

// meet runs an attempt to its end. The error is of a meeting that came to
// nothing; guesses are those left, negative if none could be made; told says
// that it had the port that people are told.
func (h *host) meet(ctx context.Context, a *attempt) (guesses int, told bool, err error) {
	socket, told, err := h.socket()
	if err != nil {
		return -1, false, err
	}
	defer func() {
		socket.Close()
		if told {
			h.free()
		}
	}()
	guesses, err = h.meetOn(ctx, a, socket, told)
	return guesses, told, err
}

func (h *host) meetOn(ctx context.Context, a *attempt, socket *udp.Socket, told bool) (guesses int, err error) {
	loop := peer.NewLoop(socket)
	d := &driver{emit: h.emit, words: a.plan.words, stand: h.stand, at: a, count: &h.count, many: a.plan.many, pause: &h.pause}
	if d.many {
		d.pause = new(pauseTold) // each session has its own
	}
	d.app = h.newApp(a, d, loop)
	if a.plan.first {
		stay := context.AfterFunc(ctx, d.app.leave)
		d.app.party, err = h.open(loop.Go, d.app.left)
		stay()
		switch {
		case err != nil && ctx.Err() != nil:
			return -1, &Error{Op: h.op, Kind: KindCanceled, Err: fmt.Errorf("stopped: %w", context.Cause(ctx))}
		case err != nil:
			return -1, err
		}
	}
	defer func() { d.app.close() }()
	pc := h.peerConfig(a, socket, d.app)
	if pc.Helpers, pc.Host, err = h.named(ctx, socket); err != nil {
		return -1, err
	}
	if pc.Nearby = h.hear(socket); told && h.serves() {
		h.openDoor(socket)
	} else {
		pc.Door = h.behind()
	}
	if pc.Stun, err = h.stunServers(ctx, socket); err != nil {
		return -1, err
	}
	d.paste = &paster{ask: h.cfg.Paste, ctx: ctx, loop: loop, d: d}
	lines := &lineOpener{loop: loop, want: socket.Port()}
	defer lines.close()
	pc.Lines = lines
	pc.Sockets = loop
	d.Peer = peer.New(time.Now(), pc)
	if !h.cfg.NoPortMapping {
		doors := &doors{loop: loop, peer: d.Peer}
		defer doors.close()
		doors.udp(socket)
		lines.opened = doors.tcp
	}
	st := &steered{cfg: h.cfg, loop: loop, peer: d.Peer}
	defer h.steer(st)()
	if a.plan.first {
		for _, t := range socket.Hints() {
			h.emit(Hint{t})
		}
	}
	a.post = func(f func(time.Time, *driver)) { loop.Post(func() { f(time.Now(), d) }) }
	loop.SetMachine(d)
	loop.SetEnd(func() { d.app.close() })
	if err := loop.Run(ctx); err != nil {
		return -1, &Error{Op: h.op, Kind: KindPort, Err: fmt.Errorf("using the socket: %w", err)}
	}
	if err := d.paste.failed(h.op); err != nil {
		return -1, err
	}
	return d.Guesses(), d.Err()
}

func (h *host) newApp(a *attempt, d *driver, loop *peer.Loop) *app {
	x := &app{sends: h.role == rendezvous.Sender, open: h.open, run: loop.Go, idle: loop.Idle, emit: d.event, ask: h.ask, cut: h.cut,
		left: make(chan struct{})}
	x.connected = func(time.Time) {
		if h.ask != nil {
			h.ask.wakeBy(func() { loop.Post(func() {}) })
		}
		d.post(func(s *stand) { s.arrivedAt(a) })
	}
	x.finished = func(o outcome) { d.post(func(s *stand) { s.sessionEnded(a, o) }) }
	return x
}

func (h *host) peerConfig(a *attempt, socket *udp.Socket, x *app) peer.Config {
	pc := peer.Config{
		Role: h.role, Port: socket.Port(), Secret: h.cfg.HelperSecret, Phrase: a.plan.phrase, Words: a.plan.words,
		Rand: rand.Reader, AES: secret.HardwareAES(), App: x,
		PacketBytes: h.cfg.PacketBytes, Duplex: h.both,
		Local:   func() []netip.AddrPort { return localAddrs(socket) },
		Guesses: a.plan.guesses, Known: a.plan.known, Many: a.plan.many, Again: !a.plan.first,
	}
	pc.V4, pc.V6 = socket.Families()
	return pc
}

// steer has the transfer's control act on an attempt until the function is
// called.
func (h *host) steer(s *steered) (detach func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.shared == nil {
		h.shared = make(map[*steered]struct{})
	}
	h.shared[s] = struct{}{}
	off := h.control.attach(s)
	return func() {
		off()
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.shared, s)
	}
}

// share divides the limit among so many sessions.
func (h *host) share(sessions int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.shared {
		h.control.divide(s, sessions)
	}
}
