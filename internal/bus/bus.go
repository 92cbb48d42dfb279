// Package bus carries what instances of a helper tell each other, through NATS.
//
// A rendezvous.Server says what it wants to publish and to hear (its messages
// and subscriptions); a Bus does that beside the loop that drives the server,
// and hands what comes back into it:
//
//	loop ── Exchange ──► queue ──► publisher ──► NATS
//	  ▲                                           │
//	  └── Deliver, in batches ◄── reader ◄────────┘ one channel for all subjects
//
// Neither side ever waits for NATS. What does not fit the queues is lost, as is
// all that is published while there is no connection: servers say everything
// again within seconds, and what is older than that is worth nothing. The
// connection is looked for forever, and subscriptions are renewed with it.
//
// # Limitations
//
// Whoever can publish on the subjects qft.> can make and remove members of all
// instances, and read their notes: the NATS server is to be reached by the
// instances only, or to have accounts of its own (credentials in the URL, or a
// file), and TLS where the way to it is not private.
package bus

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"qft/internal/rendezvous"
)

const (
	reconnectWait = 250 * time.Millisecond // between two tries at one server
	dialTimeout   = 2 * time.Second
	pingEvery     = 2 * time.Second // two without an answer: the connection is gone
	flushTimeout  = time.Second     // for a write that the network does not take

	maxQueued = 1 << 15 // messages that wait to be published
	maxUnread = 1 << 14 // messages that came and wait for the loop
	maxBatch  = 256     // messages for the loop at a time
)

// Config says where NATS is. URL and Deliver are required.
type Config struct {
	// URL is one or several, separated by commas: nats://host:4222, or
	// tls://user:password@host:4222.
	URL string
	// Credentials is a file with a user's credentials. If empty, those of the
	// URL, if any.
	Credentials string
	// Deliver hands the server what came, in the goroutine that drives it. It
	// may block, and reports false when there is nobody to deliver to any more.
	Deliver func([]rendezvous.BusMessage) bool
	// Log is told of connections that come and go. If nil, nobody is.
	Log *slog.Logger
}

// Bus is a connection to NATS, or on the way to be one.
type Bus struct {
	nc       *nats.Conn
	incoming chan *nats.Msg
	ended    chan struct{}
	running  sync.WaitGroup
	lost     atomic.Uint64

	mu     sync.Mutex
	queued int
	turns  []turn
	wake   chan struct{}
}

// turn is what a server wanted at a time, in the order in which it matters.
type turn struct {
	adds     []string
	messages []rendezvous.BusMessage
	drops    []string
}

// Dial begins to connect. The error is one of the configuration: a server that
// cannot be reached is looked for until Close.
func Dial(cfg Config) (*Bus, error) {
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	b := &Bus{
		incoming: make(chan *nats.Msg, maxUnread), ended: make(chan struct{}),
		wake: make(chan struct{}, 1),
	}
	var forbidden sync.Once
	options := []nats.Option{
		nats.Name("qft helper"), nats.NoEcho(), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1),
		nats.ReconnectWait(reconnectWait), nats.ReconnectJitter(reconnectWait, reconnectWait), nats.Timeout(dialTimeout),
		nats.PingInterval(pingEvery), nats.MaxPingsOutstanding(2), nats.FlusherTimeout(flushTimeout),
		nats.ReconnectBufSize(-1), // what waited for a connection is stale
		nats.ConnectHandler(func(c *nats.Conn) { log.Info("NATS is connected", "server", c.ConnectedUrlRedacted()) }),
		nats.ReconnectHandler(func(c *nats.Conn) { log.Info("NATS is connected again", "server", c.ConnectedUrlRedacted()) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			log.Warn("NATS is away: other instances are not heard", "reason", fmt.Sprint(err))
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			switch {
			case errors.Is(err, nats.ErrSlowConsumer): // messages are lost, and said again
			case errors.Is(err, nats.ErrPermissionViolation):
				// It names the subject, and so a room, of which some are secret;
				// and there is one for each room.
				forbidden.Do(func() { log.Warn("NATS forbids subjects of qft.>: other instances are not heard, or do not hear") })
			default:
				log.Warn("NATS objects", "reason", err.Error())
			}
		}),
	}
	if cfg.Credentials != "" {
		options = append(options, nats.UserCredentials(cfg.Credentials))
	}
	nc, err := nats.Connect(cfg.URL, options...)
	if err != nil {
		return nil, fmt.Errorf("using NATS: %w", withoutURL(err))
	}
	if !nc.IsConnected() {
		log.Warn("NATS does not answer yet: other instances are not heard")
	}
	b.nc = nc
	b.running.Add(2)
	go b.publish()
	go b.read(cfg.Deliver)
	return b, nil
}

// withoutURL keeps what may be a password out of an error, and so out of logs: one
// of a URL cites it, or the part that makes no sense, which may be of a password.
func withoutURL(err error) error {
	var bad *url.Error
	if errors.As(err, &bad) {
		return errors.New("a URL makes no sense; one is nats://HOST:4222 or tls://USER:PASSWORD@HOST:4222, with % and a number for characters such as / in a password")
	}
	return err
}

// Close ends the connection, and both goroutines. No Deliver runs after it.
func (b *Bus) Close() {
	close(b.ended)
	b.nc.Close()
	b.running.Wait()
}

// Connected reports whether other instances can be heard now.
func (b *Bus) Connected() bool { return b.nc.IsConnected() }

// Lost counts messages that were not published.
func (b *Bus) Lost() uint64 { return b.lost.Load() }

// Exchange takes what the server wants to say and to hear. It is to be called
// in the server's goroutine, after whatever happened to it.
func (b *Bus) Exchange(s *rendezvous.Server) {
	t := turn{}
	t.adds, t.drops = s.Subscriptions()
	t.messages = s.ToBus()
	if len(t.adds)+len(t.messages)+len(t.drops) == 0 {
		return
	}
	b.mu.Lock()
	if n := len(t.messages); b.queued+n > maxQueued {
		b.lost.Add(uint64(n))
		t.messages = nil
	}
	b.queued += len(t.messages)
	b.turns = append(b.turns, t)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// publish does what was queued. Who begins to listen does so before it asks, and
// who leaves says so before it ceases to.
func (b *Bus) publish() {
	defer b.running.Done()
	subscriptions := make(map[string]*nats.Subscription)
	for {
		select {
		case <-b.wake:
		case <-b.ended:
			return
		}
		b.mu.Lock()
		turns := b.turns
		b.turns, b.queued = nil, 0
		b.mu.Unlock()
		for _, t := range turns {
			b.do(t, subscriptions)
		}
	}
}

func (b *Bus) do(t turn, subscriptions map[string]*nats.Subscription) {
	for _, subject := range t.adds {
		if s, err := b.nc.ChanSubscribe(subject, b.incoming); err == nil {
			subscriptions[subject] = s
		}
	}
	for _, m := range t.messages {
		if b.nc.Publish(m.Subject, m.Data) != nil {
			b.lost.Add(1)
		}
	}
	for _, subject := range t.drops {
		if s := subscriptions[subject]; s != nil {
			_ = s.Unsubscribe() // fails only when the connection is closed
			delete(subscriptions, subject)
		}
	}
}

// read hands over what comes.
func (b *Bus) read(deliver func([]rendezvous.BusMessage) bool) {
	defer b.running.Done()
	for {
		var batch []rendezvous.BusMessage
		select {
		case m := <-b.incoming:
			batch = append(batch, rendezvous.BusMessage{Subject: m.Subject, Data: m.Data})
		case <-b.ended:
			return
		}
		for more := true; more && len(batch) < maxBatch; {
			select {
			case m := <-b.incoming:
				batch = append(batch, rendezvous.BusMessage{Subject: m.Subject, Data: m.Data})
			default:
				more = false
			}
		}
		if !deliver(batch) {
			return
		}
	}
}
