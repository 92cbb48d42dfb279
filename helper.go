package qft

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"time"

	"qft/internal/peer"
	"qft/internal/rendezvous"
	"qft/internal/udp"
)

// HelperConfig is how to run a helper.
type HelperConfig struct {
	// Port is the UDP port, on all addresses. If zero, any free one, which
	// Ready tells.
	Port uint16

	// NoTCP keeps the helper from listening on TCP on the same port, which it
	// does for networks that let no UDP out.
	NoTCP bool

	// Log is told of the start, the end, and of figures now and then. It never
	// sees a phrase, since no phrase is ever sent. If nil, nobody is told.
	Log *slog.Logger

	// Ready is called with the port once the helper answers. It may be nil.
	Ready func(port uint16)
}

// figuresEvery is how often a helper that has something to tell logs figures.
const figuresEvery = 10 * time.Minute

// Helper introduces machines to each other until ctx is canceled, which is no
// error.
func Helper(ctx context.Context, cfg HelperConfig) error {
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	socket, err := listen("helper", udp.Config{Port: cfg.Port, Crowd: true})
	if err != nil {
		return err
	}
	defer socket.Close()
	v4, v6 := socket.Families()
	log.Info("helper is listening", "port", socket.Port(), "ipv4", v4, "ipv6", v6)
	for _, h := range socket.Hints() {
		log.Warn(h)
	}
	if cfg.Ready != nil {
		cfg.Ready(socket.Port())
	}
	h := &helper{
		Server: rendezvous.NewServer(rendezvous.ServerConfig{Rand: rand.Reader, Log: log}),
		log:    log,
	}
	loop := peer.NewLoop(socket)
	if !cfg.NoTCP {
		if lines := listenTCP(log, []uint16{socket.Port()}); lines != nil {
			defer lines.Close()
			loop.SetLines(lines)
		}
	}
	loop.SetMachine(h)
	err = loop.Run(ctx)
	log.Info("helper ends", "figures", fmt.Sprintf("%+v", h.Stats()))
	if err != nil {
		return &Error{Op: "helper", Kind: KindPort, Err: fmt.Errorf("using the socket: %w", err)}
	}
	return nil
}

// helper is the server as the loop drives it.
type helper struct {
	*rendezvous.Server
	log     *slog.Logger
	stopped bool
	figures time.Time
}

func (h *helper) Stop(time.Time) { h.stopped = true }

func (h *helper) Done() bool { return h.stopped }

// Send also logs figures now and then, when something has happened.
func (h *helper) Send(now time.Time, b *udp.Batch) {
	h.Server.Send(now, b)
	if h.figures.IsZero() {
		h.figures = now.Add(figuresEvery)
	}
	if !now.Before(h.figures) {
		h.figures = now.Add(figuresEvery)
		h.log.Info("figures", "since start", fmt.Sprintf("%+v", h.Stats()))
	}
}
