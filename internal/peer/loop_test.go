package peer

import (
	"context"
	"crypto/rand"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"qft/internal/rendezvous"
	"qft/internal/secret"
	"qft/internal/udp"
)

// greeter is an app that sends a greeting and waits for the other's.
type greeter struct {
	link *Link
	say  string
	got  []byte
	end  bool
}

func (g *greeter) Start(_ time.Time, l Link) {
	g.link = &l
	l.Write([]byte(g.say))
}

func (g *greeter) Step(now time.Time) {
	var b [64]byte
	g.got = append(g.got, b[:g.link.Read(b[:])]...)
	if !g.end && (len(g.got) > 0 && g.link.Flushed() || g.link.Err() != nil) {
		g.end = true
		g.link.Close(now, 0, "")
	}
}

func (g *greeter) Deadline() time.Time { return time.Time{} }
func (g *greeter) Stop(time.Time)      { g.end = true }
func (g *greeter) Done() bool          { return g.link == nil || g.end }

// server drives a helper until it is stopped.
type server struct {
	*rendezvous.Server
	stopped bool
}

func (s *server) Stop(time.Time) { s.stopped = true }
func (s *server) Done() bool     { return s.stopped }

func TestPeersMeetOverRealSockets(t *testing.T) {
	apps := []*greeter{{say: "from the sender"}, {say: "from the receiver"}}
	run(t, 0, apps[0], apps[1])
	if string(apps[0].got) != apps[1].say || string(apps[1].got) != apps[0].say {
		t.Errorf("the sender got %q, the receiver %q", apps[0].got, apps[1].got)
	}
}

// run has a sender and a receiver meet over real sockets, and returns when both
// are done.
func run(t *testing.T, packetBytes int, from, to App) {
	t.Helper()
	defer goleak.VerifyNone(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	helper := open(t)
	defer helper.Close()
	helperLoop := NewLoop(helper)
	helperLoop.SetMachine(&server{Server: rendezvous.NewServer(rendezvous.ServerConfig{Rand: rand.Reader})})
	helperCtx, stopHelper := context.WithCancel(ctx)
	var all sync.WaitGroup
	all.Go(func() {
		if err := helperLoop.Run(helperCtx); err != nil {
			t.Error(err)
		}
	})
	phrase, err := secret.Parse("a phrase of our own")
	if err != nil {
		t.Fatal(err)
	}
	apps := []App{from, to}
	var both sync.WaitGroup
	for i, role := range []rendezvous.Role{rendezvous.Sender, rendezvous.Receiver} {
		s := open(t)
		defer s.Close()
		p := New(time.Now(), Config{
			Role: role, Phrase: phrase, Rand: rand.Reader, App: apps[i], PacketBytes: packetBytes,
			Helpers: []netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), helper.Port())},
			Local:   func() []netip.AddrPort { return nil },
		})
		loop := NewLoop(s)
		loop.SetMachine(p)
		both.Go(func() {
			if err := loop.Run(ctx); err != nil || p.Err() != nil {
				t.Errorf("role %d: %v, %v", role, err, p.Err())
			}
		})
	}
	both.Wait()
	stopHelper()
	all.Wait()
}

func open(t *testing.T) *udp.Socket {
	t.Helper()
	s, err := udp.Listen(udp.Config{Addr: netip.MustParseAddr("127.0.0.1")})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// worker is a machine that wants a turn every so often, and takes its time.
type worker struct {
	every, each time.Duration
	turns       int
	next        time.Time
}

func (w *worker) Receive(time.Time, udp.Packet) {}
func (w *worker) Stop(time.Time)                {}
func (w *worker) Done() bool                    { return w.turns <= 0 }
func (w *worker) Deadline() time.Time           { return w.next }

func (w *worker) Send(now time.Time, _ *udp.Batch) {
	if now.Before(w.next) {
		return
	}
	w.turns--
	time.Sleep(w.each) // for the loop this is work
	w.next = time.Now().Add(w.every)
}

// bareLoop is a loop in a bubble, whose time is exact: its socket never tells of
// anything.
func bareLoop(m Machine) *Loop {
	l := NewLoop(new(udp.Socket))
	l.SetMachine(m)
	return l
}

func TestIdleIsTheTimeAsleep(t *testing.T) {
	for _, c := range []struct {
		worker
		idle time.Duration
	}{
		{worker{every: 20 * time.Millisecond, turns: 10}, 9 * 20 * time.Millisecond},
		{worker{each: 20 * time.Millisecond, turns: 10}, 0},
		{worker{every: 30 * time.Millisecond, each: 20 * time.Millisecond, turns: 10}, 9 * 30 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := bareLoop(&c.worker)
			if err := l.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if l.Idle() != c.idle {
				t.Errorf("turns of %v, %v apart: idle for %v, want %v", c.each, c.every, l.Idle(), c.idle)
			}
		})
	}
}

// TestIdleIsUpToDateWhereItIsAsked: a loop that has slept until it was asked
// says so, and what a post takes counts as work.
func TestIdleIsUpToDateWhereItIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &worker{turns: 1, next: time.Now().Add(time.Hour)}
		l := bareLoop(w)
		ended := make(chan error)
		go func() { ended <- l.Run(t.Context()) }()
		const nap, work = 200 * time.Millisecond, 100 * time.Millisecond
		time.Sleep(nap)
		l.Post(func() {
			if l.Idle() != nap {
				t.Errorf("after %v asleep, the loop was idle for %v", nap, l.Idle())
			}
			time.Sleep(work)
		})
		l.Post(func() {
			if l.Idle() != nap {
				t.Errorf("of %v asleep and %v of work, %v count as idle", nap, work, l.Idle())
			}
			w.turns = 0
		})
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	})
}
