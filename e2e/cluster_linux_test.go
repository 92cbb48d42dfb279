package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"qft/internal/rendezvous"
	"qft/internal/udp"
)

// cluster is NATS and three helpers that share their rooms through it.
type cluster struct {
	*pair
	nats    *proc
	parties atomic.Int32
	helpers [3]*proc
	addrs   [3]netip.AddrPort
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	needTools(t, "nats-server")
	c := &cluster{pair: newPair(t)}
	c.startNATS()
	for i := range people {
		c.b.ip(fmt.Sprintf("addr add 192.0.2.%d/24 dev eth0", 10+i))
	}
	for i := range c.helpers {
		c.addrs[i] = netip.MustParseAddrPort(fmt.Sprintf("192.0.2.1:%d", 4000+i))
		c.startInstance(i)
	}
	return c
}

func (c *cluster) startNATS() {
	c.t.Helper()
	c.nats = c.a.start("nats-server", []string{"nats-server", "-a", "127.0.0.1", "-p", "4222"}, nil)
	c.nats.large = true
	eventually(c.t, patience, "NATS is ready", func() bool {
		return c.a.inside(func() error {
			conn, err := net.Dial("tcp", "127.0.0.1:4222")
			if err == nil {
				conn.Close()
			}
			return err
		}) == nil
	})
}

// people is how many addresses the parties have together.
const people = 200

// startInstance starts helper i.
func (c *cluster) startInstance(i int) {
	c.t.Helper()
	p := c.a.qft("helper", fmt.Sprint(c.addrs[i].Port()), "--nats", "nats://127.0.0.1:4222", "--metrics", "off", "--tcp=no")
	p.wantSay(patience, "listening")
	p.wantSay(patience, "NATS is connected")
	c.helpers[i] = p
	c.t.Cleanup(func() { stopHelper(p) })
}

// from is the three addresses, that of helper i first.
func (c *cluster) from(i int) []netip.AddrPort {
	return []netip.AddrPort{c.addrs[i%3], c.addrs[(i+1)%3], c.addrs[(i+2)%3]}
}

// party is a client with a socket, that says hello to whoever arrives.
type party struct {
	*rendezvous.Client
	conn   *net.UDPConn
	joined chan uint32 // the number, once
	met    chan int    // the helper through which the membership is held, once
}

func (c *cluster) party(role rendezvous.Role, number uint32, servers []netip.AddrPort) *party {
	return &party{
		Client: rendezvous.NewClient(rendezvous.ClientConfig{Servers: servers, Room: rendezvous.NumberedRoom(number), Role: role}),
		conn:   c.b.udp(fmt.Sprintf("192.0.2.%d:0", 10+c.parties.Add(1)%people)), joined: make(chan uint32, 1), met: make(chan int, 1),
	}
}

// run drives the client until the context ends.
func (p *party) run(ctx context.Context) error {
	batch, b := udp.NewBatch(1<<13), make([]byte, 2048)
	for ctx.Err() == nil {
		now := time.Now()
		batch.Reset()
		p.Send(now, batch)
		for x := range batch.All() {
			p.conn.WriteToUDPAddrPort(x.Data, x.Remote) // to a helper that is gone: refused
		}
		for e, ok := p.Next(); ok; e, ok = p.Next() {
			switch e.Kind {
			case rendezvous.Joined:
				p.joined <- e.Number
			case rendezvous.Arrived:
				if err := p.Post(e.Member, []byte("hello")); err != nil {
					return err
				}
			case rendezvous.Note:
				for i, s := range p.Servers() {
					if s.Mailbox {
						p.met <- int(p.Servers()[i].Addr.Port()) - 4000
					}
				}
			case rendezvous.Departed, rendezvous.Refused:
				return fmt.Errorf("event %d: %v", e.Kind, e.Err)
			}
		}
		wake := now.Add(100 * time.Millisecond)
		if d := p.Deadline(); !d.IsZero() && d.Before(wake) {
			wake = d
		}
		p.conn.SetReadDeadline(wake)
		if n, from, err := p.conn.ReadFromUDPAddrPort(b); err == nil {
			p.Receive(time.Now(), udp.Packet{Path: udp.To(from), Data: b[:n]})
		}
	}
	return nil
}

// TestClusterMeets: a thousand sessions with sender and receiver at different
// helpers. One helper is killed when half of them have met. Every second
// receiver comes only then.
func TestClusterMeets(t *testing.T) {
	c := newCluster(t)
	sessions := 1000
	if testing.Short() || raceDetector {
		sessions = 200
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	late := watchLateness(t)
	var met, apart, again, wrong atomic.Int32
	var running sync.WaitGroup
	half, killed := make(chan struct{}), make(chan struct{})
	start := func(ctx context.Context, p *party) <-chan error {
		ended := make(chan error, 1)
		running.Go(func() { ended <- p.run(ctx) })
		return ended
	}
	var slowest atomic.Int64
	// meet has a sender and a receiver meet, which stay until ctx ends. They do not
	// where two instances have given out one number.
	meet := func(ctx context.Context, i int) (at [2]int, err error) {
		ctx, leave := context.WithCancel(ctx)
		defer func() {
			if err != nil {
				leave()
			}
		}()
		s := c.party(rendezvous.Sender, 0, c.from(i))
		sending := start(ctx, s)
		var number uint32
		select {
		case number = <-s.joined:
		case err := <-sending:
			return at, err
		}
		if i%2 == 1 {
			select {
			case <-killed:
			case err := <-sending:
				return at, err
			}
		}
		began := time.Now()
		r := c.party(rendezvous.Receiver, number, c.from(i+1))
		receiving := start(ctx, r)
		for k, p := range []*party{s, r} {
			select {
			case at[k] = <-p.met:
			case err := <-sending:
				return at, err
			case err := <-receiving:
				return at, err
			}
		}
		for took := int64(time.Since(began)); ; {
			most := slowest.Load()
			if took <= most || slowest.CompareAndSwap(most, took) {
				break
			}
		}
		running.Go(func() {
			if err := errors.Join(<-sending, <-receiving); err != nil {
				wrong.Add(1)
				t.Errorf("session %d, after it had met: %v", i, err)
			}
		})
		return at, nil
	}
	session := func(i int) {
		for ctx.Err() == nil {
			at, err := meet(ctx, i)
			if err != nil { // as a person would begin again who is told so
				again.Add(1)
				t.Logf("session %d begins again: %v", i, err)
				continue
			}
			if ctx.Err() != nil {
				return
			}
			if at[0] != at[1] {
				apart.Add(1)
			}
			if int(met.Add(1)) == sessions/2 {
				close(half)
			}
			return
		}
	}
	pace := time.NewTicker(5 * time.Millisecond)
	defer pace.Stop()
	for i := range sessions {
		<-pace.C
		running.Go(func() { session(i) })
	}
	select {
	case <-half:
	case <-ctx.Done():
		t.Fatalf("%d sessions met before the kill, want %d", met.Load(), sessions/2)
	}
	c.helpers[1].signal(syscall.SIGKILL)
	<-c.helpers[1].done
	close(killed)
	eventually(t, 2*time.Minute, "all meet", func() bool { return int(met.Load()+wrong.Load()) >= sessions })
	t.Logf("%d of %d sessions met, %d of them at two helpers; the slowest took %v", met.Load(), sessions, apart.Load(), time.Duration(slowest.Load()))
	if int(apart.Load()) < sessions/2 {
		t.Errorf("%d sessions were at two helpers: this test shows nothing", apart.Load())
	}
	// Instances have 100 ms to say that a number is theirs.
	if n, most := again.Load(), late(); n > 0 && most < lateTime {
		t.Errorf("%d sessions had to begin again, on a machine that was no more than %v late", n, most)
	}
	cancel()
	running.Wait()
}

// TestClusterTransfers: the real programs, each with another helper of the
// three, while one of them, and then NATS, is lost and comes back.
func TestClusterTransfers(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	send := func(from, to int, late func()) {
		t.Helper()
		f := c.file("letter", 1<<20)
		x := &transfer{t: t, file: f, target: filepath.Join(c.folder(), "letter")}
		x.sender = c.a.qft("send", f.path, "--helper", c.addrs[from].String())
		code := c.learn(x.sender)
		late()
		x.receiver = c.b.qft("receive", code, "-o", x.target, "--helper", c.addrs[to].String())
		x.wantDelivered(bigTime)
	}
	send(0, 1, func() {})
	send(2, 0, func() {
		c.helpers[1].signal(syscall.SIGKILL)
		<-c.helpers[1].done
	})
	c.startInstance(1)
	send(1, 2, func() {
		c.nats.signal(syscall.SIGKILL)
		<-c.nats.done
		for _, h := range c.helpers {
			h.wantSay(patience, "NATS is away")
		}
		c.startNATS()
		for _, h := range c.helpers {
			h.wantSay(patience, "NATS is connected again")
		}
	})
}
