package qft

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"qft/internal/bus"
	"qft/internal/peer"
	"qft/internal/rendezvous"
	"qft/internal/udp"
)

// HelperConfig is how to run a helper. The zero value works.
type HelperConfig struct {
	// Ports are the UDP ports, on all addresses. If empty, any free one, which
	// Ready tells. Several are for networks that let few ports out, and let
	// clients learn what their NAT does.
	Ports []uint16

	// Addresses are the own addresses at which the helper is reached, one of each
	// family at most. If empty, all: then the system picks the one from which
	// answers leave, and a client that asked at another does not take them. So a
	// machine with several addresses, or an anycast one, has to be told.
	Addresses []netip.Addr

	// NoTCP keeps the helper from listening on TCP on the same ports, which it
	// does for networks that let no UDP out.
	NoTCP bool

	// Rules are who may do how much.
	Rules HelperRules

	// Drain is how long Control.Drain waits for those who are there. If zero,
	// 30 s.
	Drain time.Duration

	// ProxyFrom are the load balancers whose UDP datagrams begin with a header
	// of the PROXY protocol, version 2, each of them, which says whose it is.
	// Nobody else's headers are believed.
	ProxyFrom []netip.Prefix

	// NATS is the URL of a NATS server, or several separated by commas, through
	// which instances of one helper share their rooms: those behind one name,
	// so that people at different ones meet. If empty, there is one instance.
	NATS string

	// NATSCredentials is a file with what the NATS server lets in by. If empty,
	// what the URL has counts.
	NATSCredentials string

	// Metrics is the HOST:PORT at which /metrics and /healthz are served over
	// HTTP. If empty, nowhere.
	Metrics string

	// Control reloads the rules and drains while the helper runs. It may be
	// nil.
	Control *HelperControl

	// Log is told of the start, the end, and of figures now and then; at level
	// debug of members that come and go. It never sees a phrase, since no
	// phrase is ever sent, and no client's address. If nil, nobody is told.
	Log *slog.Logger

	// LogAddresses has the log see the addresses of clients.
	LogAddresses bool

	// Ready is called with the ports once the helper answers. It may be nil.
	Ready func(ports []uint16)
}

// HelperRules bound what a helper does for whom. For what is zero there is a
// default, which suits a public helper for some ten thousand people waiting at
// a time. A source is an IPv4 address or an IPv6 /64.
type HelperRules struct {
	Members       int // In all rooms together; 400 bytes each. If zero, 65,536. Read once.
	SourceMembers int // Members of one source. If zero, 256.

	Joins       int // New members of all sources, per second. If zero, 1,000.
	SourceJoins int // New members of one source, per minute. If zero, 60.
	Lookups     int // Receivers that come to a number which nobody holds, per second. If zero, 100.

	SourcePackets int // Packets of one source, per second. If zero, 512.
	SourceNotes   int // Bytes of notes of one source, per minute. If zero, 480 KiB.
	NoteMemory    int // Bytes of notes that wait for their readers. If zero, 64 MiB.

	// Lifetime is how long somebody may wait in a room in which nobody was
	// met. If zero, an hour.
	Lifetime time.Duration

	// Secrets are what clients must know one of (Config.HelperSecret). If
	// empty, the helper serves everybody.
	Secrets [][]byte
}

const (
	// figuresEvery is how often a helper that has something to tell logs
	// figures.
	figuresEvery = 10 * time.Minute

	// helperBuffer is what each port asks the kernel to hold of what arrives:
	// 100 ms of 200,000 small packets a second, which count 800 bytes each.
	helperBuffer = 16 << 20

	// drainTime is HelperConfig.Drain where that is not set.
	drainTime = 30 * time.Second
)

// Helper introduces machines to each other until ctx is canceled or the helper
// has drained, which are no errors.
func Helper(ctx context.Context, cfg HelperConfig) error {
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	at, err := helperAddresses(cfg.Addresses)
	if err != nil {
		return err
	}
	socket, err := listen("helper", helperSocket(cfg.Ports, at))
	if err != nil {
		return err
	}
	defer socket.Close()
	for _, h := range socket.Hints() {
		log.Warn(h)
	}
	h := newHelper(cfg, log, socket)
	loop := peer.NewLoop(socket)
	loop.SetMachine(h)
	h.loop = loop
	if !cfg.NoTCP {
		if lines := listenTCP(log, socket.Ports(), at); lines != nil {
			defer lines.Close()
			loop.SetLines(lines)
		}
	}
	if cfg.NATS != "" {
		stop, err := h.dialBus()
		if err != nil {
			return err
		}
		defer stop()
	}
	if cfg.Metrics != "" {
		stop := h.serveMetrics(cfg.Metrics)
		defer stop()
	}
	defer cfg.Control.attach(h)()
	// The last thing before it answers: whoever waits for this line may use all
	// that the lines before it name.
	v4, v6 := socket.Families()
	log.Info("helper is listening", "ports", socket.Ports(), "ipv4", v4, "ipv6", v6)
	if cfg.Ready != nil {
		cfg.Ready(socket.Ports())
	}
	err = loop.Run(ctx)
	log.Info("helper ends", h.figures()...)
	if err != nil {
		return &Error{Op: "helper", Kind: KindPort, Err: fmt.Errorf("using the socket: %w", err)}
	}
	return nil
}

// ownAddresses are those of a helper: of IPv4 and IPv6, of IPv6 alone, or zero.
type ownAddresses struct{ first, six netip.Addr }

func helperAddresses(all []netip.Addr) (at ownAddresses, err error) {
	for _, a := range all {
		switch a = a.Unmap(); {
		case a.Is4() && !at.first.Is4():
			at.first, at.six = a, at.first
		case a.Is6() && !at.first.IsValid():
			at.first = a
		case a.Is6() && at.first.Is4() && !at.six.IsValid():
			at.six = a
		default:
			return at, &Error{Op: "helper", Kind: KindUsage, Err: fmt.Errorf("%v is more than one address of IPv4 and one of IPv6", all)}
		}
	}
	return at, nil
}

func helperSocket(ports []uint16, at ownAddresses) udp.Config {
	c := udp.Config{Crowd: true, ReadBuffer: helperBuffer, Addr: at.first, Addr6: at.six}
	if len(ports) > 0 {
		c.Port, c.Also = ports[0], ports[1:]
	}
	return c
}

// helper is the server as the loop drives it. The loop's goroutine has it.
type helper struct {
	*rendezvous.Server
	cfg     HelperConfig
	log     *slog.Logger
	socket  *udp.Socket
	loop    *peer.Loop
	bus     *bus.Bus // nil: there is no other instance
	started time.Time
	rules   *HelperRules // the last that Control has brought; nil: none

	stopped  bool
	draining time.Time // when it is over; zero: not draining
	next     time.Time // when figures are logged
	headers  uint64    // of proxies that made no sense
}

func newHelper(cfg HelperConfig, log *slog.Logger, socket *udp.Socket) *helper {
	if cfg.Drain <= 0 {
		cfg.Drain = drainTime
	}
	h := &helper{cfg: cfg, log: log, socket: socket, started: time.Now()}
	h.Server = rendezvous.NewServer(h.serverConfig(cfg.Rules))
	return h
}

// serverConfig is what the server has to know of the rules.
func (h *helper) serverConfig(r HelperRules) rendezvous.ServerConfig {
	c := rendezvous.ServerConfig{
		Rand: rand.Reader, Log: h.log, LogAddresses: h.cfg.LogAddresses,
		Members: r.Members, SourceMembers: r.SourceMembers,
		Joins: r.Joins, SourceJoins: r.SourceJoins, Lookups: r.Lookups,
		SourcePackets: r.SourcePackets, SourceNotes: r.SourceNotes, NoteMemory: r.NoteMemory,
		Lifetime: r.Lifetime, Secrets: r.Secrets, Bus: h.cfg.NATS != "",
	}
	for i, p := range h.socket.Ports() {
		c.Ports = append(c.Ports, rendezvous.Port{Local: udp.Local(i), Port: p})
	}
	return c
}

// steady is the server's time, which it keeps as a number: that of the start and
// what has passed since, whatever becomes of the clock meanwhile. One that is set
// back by an hour would have nobody let in, and nobody forgotten, for as long.
func (h *helper) steady(t time.Time) time.Time { return h.started.Add(t.Sub(h.started)) }

// Stop implements peer.Machine: at once. Clients register anew with whoever
// answers next.
func (h *helper) Stop(time.Time) { h.stopped = true }

// Done implements peer.Machine.
func (h *helper) Done() bool { return h.stopped }

// drain lets nobody into a new room, and ends when all are gone.
func (h *helper) drain(now time.Time) {
	if !h.draining.IsZero() {
		return
	}
	h.draining = now.Add(h.cfg.Drain)
	h.Server.Drain()
	h.log.Info("helper drains: new rooms are refused", "members", h.Stats().Members, "most", h.cfg.Drain.String())
}

// Send also logs figures now and then, when something has happened.
func (h *helper) Send(now time.Time, b *udp.Batch) {
	h.Server.Send(h.steady(now), b)
	if h.bus != nil {
		h.bus.Exchange(h.Server) // the loop comes here after whatever happens
	}
	if !h.draining.IsZero() && (h.Stats().Members == 0 || !now.Before(h.draining)) {
		h.stopped = true
	}
	if h.next.IsZero() {
		h.next = now.Add(figuresEvery)
	}
	if !now.Before(h.next) {
		h.next = now.Add(figuresEvery)
		h.log.Info("figures since the start", h.figures()...)
	}
}

// Deadline implements peer.Machine.
func (h *helper) Deadline() time.Time {
	d := h.Server.Deadline()
	if !d.IsZero() {
		d = h.steady(d)
	}
	if !h.draining.IsZero() && (d.IsZero() || h.draining.Before(d)) {
		return h.draining
	}
	return d
}
