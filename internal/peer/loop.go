package peer

import (
	"context"
	"sync"
	"time"

	"qft/internal/tcp"
	"qft/internal/udp"
)

// Machine is protocol logic as the loop drives it.
type Machine interface {
	Receive(now time.Time, p udp.Packet)
	Send(now time.Time, b *udp.Batch)
	Deadline() time.Time

	// Stop asks for an orderly end: the other side is told.
	Stop(now time.Time)
	// Done reports whether nothing is left to do or say.
	Done() bool
}

// liner is a machine that wants to know which lines there are: paths beside the
// socket's, which come and go.
type liner interface {
	LineUp(now time.Time, at udp.Path, dialled bool)
	LineDown(now time.Time, at udp.Path)
}

const (
	// batchSize is how many bytes one write takes at most: a few GSO trains,
	// and room for the largest datagram.
	batchSize = 256 << 10

	// maxRounds of receiving happen before the machine may send again, so that
	// a flood of packets cannot silence it.
	maxRounds = 16

	// workers run disk and hashing work. More than the cores, as some wait
	// for the disk; few, as each holds a block.
	workers = 4

	// idleWait is how long the loop sleeps when the machine waits for nothing.
	idleWait = time.Hour

	// lateTime is by how much every timer is late. Beyond it, the loop wanted
	// to run and could not.
	lateTime = time.Millisecond
)

// Loop joins a machine to a socket and a clock. Its goroutine is the only one
// that touches the machine; slow work runs beside it.
type Loop struct {
	socket  *udp.Socket
	lines   *tcp.Lines // nil: none
	machine Machine
	posts   chan func()
	ended   chan struct{}
	atEnd   func()        // nil: nothing
	idle    time.Duration // slept so far

	mu   sync.Mutex
	wake *sync.Cond
	jobs []job
	quit bool
}

// job is work for a worker, and what the loop does when it is finished.
type job struct{ work, done func() }

// NewLoop returns a loop that has not begun. SetMachine comes before Run: the
// machine usually wants the loop's Go.
func NewLoop(s *udp.Socket) *Loop {
	l := &Loop{socket: s, posts: make(chan func(), 64), ended: make(chan struct{})}
	l.wake = sync.NewCond(&l.mu)
	return l
}

// SetMachine says what the loop drives.
func (l *Loop) SetMachine(m Machine) { l.machine = m }

// SetEnd has f called when the machine is driven no more, and before works that
// still run are waited for: it tells them that nobody wants what they come to.
func (l *Loop) SetEnd(f func()) { l.atEnd = f }

// SetLines adds lines to what the machine sends and receives through. Call it in
// the loop, or before Run.
func (l *Loop) SetLines(x *tcp.Lines) { l.lines = x }

// Open, PortOf, Promote and Shut make the loop the Sockets of its machine: they
// are those of its socket. Call them in the loop.
func (l *Loop) Open(n int) []udp.Local { return l.socket.Open(n) }

// PortOf returns the port of a socket, 0 if it is not open.
func (l *Loop) PortOf(s udp.Local) uint16 { return l.socket.PortOf(s) }

// Promote gives a further socket large buffers and offload.
func (l *Loop) Promote(s udp.Local) { l.socket.Promote(s) }

// Shut closes a further socket.
func (l *Loop) Shut(s udp.Local) { l.socket.Shut(s) }

// Post runs f in the loop, soon; it reports false if the loop has ended.
func (l *Loop) Post(f func()) bool {
	select {
	case l.posts <- f:
		return true
	case <-l.ended:
		return false
	}
}

// Go runs work on a worker and then done in the loop. It never blocks; whoever
// calls it bounds how much is under way.
func (l *Loop) Go(work, done func()) {
	l.mu.Lock()
	l.jobs = append(l.jobs, job{work, done})
	l.mu.Unlock()
	l.wake.Signal()
}

func (l *Loop) worker(finished *sync.WaitGroup) {
	defer finished.Done()
	for {
		l.mu.Lock()
		for len(l.jobs) == 0 && !l.quit {
			l.wake.Wait()
		}
		if len(l.jobs) == 0 {
			l.mu.Unlock()
			return
		}
		j := l.jobs[0]
		l.jobs = l.jobs[1:]
		l.mu.Unlock()
		j.work()
		l.Post(j.done)
	}
}

// Run drives the machine until it is done. When ctx ends, the machine is asked
// to stop, and driven on until it has. The error is the socket's.
func (l *Loop) Run(ctx context.Context) error {
	var finished sync.WaitGroup
	for range workers {
		finished.Add(1)
		go l.worker(&finished)
	}
	defer func() {
		close(l.ended)
		if l.atEnd != nil {
			l.atEnd()
		}
		l.mu.Lock()
		l.quit = true
		l.mu.Unlock()
		l.wake.Broadcast()
		finished.Wait()
	}()
	return l.drive(ctx)
}

func (l *Loop) drive(ctx context.Context) error {
	batch := udp.NewBatch(batchSize)
	timer := time.NewTimer(0)
	defer timer.Stop()
	stop := ctx.Done()
	incoming := l.socket.Incoming()
	var wait time.Duration
	for !l.machine.Done() {
		asleep := time.Now()
		select {
		case r, ok := <-incoming:
			if !ok {
				return l.socket.Err()
			}
			l.woke(asleep, wait)
			l.receive(r)
		case b := <-l.told():
			l.woke(asleep, wait)
			l.hear(b)
		case f := <-l.posts:
			l.woke(asleep, wait)
			f()
		case <-timer.C:
			l.woke(asleep, wait)
		case <-stop:
			l.woke(asleep, wait)
			stop = nil
			l.machine.Stop(time.Now())
		}
		l.drain(incoming)
		if err := l.flush(batch); err != nil {
			return err
		}
		wait = l.wait()
		timer.Reset(wait)
	}
	return nil
}

// woke counts what was slept. It comes first: what wakes the loop is work, and
// may ask for Idle.
func (l *Loop) woke(asleep time.Time, wait time.Duration) {
	l.idle += min(time.Since(asleep), wait+lateTime)
}

// Idle is how long the loop has had nothing to do since it began. What it
// slept longer than it wanted to is not counted. Call it in the loop.
func (l *Loop) Idle() time.Duration { return l.idle }

func (l *Loop) receive(r *udp.Received) {
	now := time.Now()
	for p := range r.Packets() {
		l.machine.Receive(now, p)
	}
	r.Release()
}

// told is where lines tell what happens; nil if there are none.
func (l *Loop) told() <-chan *tcp.Burst {
	if l.lines == nil {
		return nil
	}
	return l.lines.Incoming()
}

// hear hands on what a line tells.
func (l *Loop) hear(b *tcp.Burst) {
	now := time.Now()
	m, lined := l.machine.(liner)
	switch {
	case b.Kind == tcp.Packets:
		for p := range b.Packets() {
			l.machine.Receive(now, p)
		}
	case lined && b.Kind == tcp.Up:
		m.LineUp(now, b.Path, b.Dialled)
	case lined && b.Kind == tcp.Down:
		m.LineDown(now, b.Path)
	}
	b.Release()
}

// drain takes what is there without waiting, so that one answer goes out for
// many packets.
func (l *Loop) drain(incoming <-chan *udp.Received) {
	for range maxRounds {
		select {
		case r, ok := <-incoming:
			if !ok {
				return
			}
			l.receive(r)
		case b := <-l.told():
			l.hear(b)
		case f := <-l.posts:
			f()
		default:
			return
		}
	}
}

// flush sends what should leave now, but at most maxRounds batches before
// looking at the incoming packets again.
func (l *Loop) flush(b *udp.Batch) error {
	for range maxRounds {
		b.Reset()
		l.machine.Send(time.Now(), b)
		if b.Len() == 0 {
			return nil
		}
		if l.lines != nil {
			l.lines.Write(b)
		}
		if err := l.socket.Write(b); err != nil {
			return err
		}
	}
	return nil
}

func (l *Loop) wait() time.Duration {
	d := l.machine.Deadline()
	if d.IsZero() {
		return idleWait
	}
	return max(time.Until(d), 0)
}
