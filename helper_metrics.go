package qft

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"qft/internal/bus"
	"qft/internal/rendezvous"
	"qft/internal/udp"
)

// patience is how long the loop may take to answer before a helper counts as
// ill, and a page as failed.
const patience = 2 * time.Second

// state is what a helper tells of itself.
type state struct {
	rendezvous.Stats
	socket   udp.Stats
	bus      *bus.Bus // nil: none
	headers  uint64
	busy     time.Duration // of the loop, since the start
	draining bool
}

// state asks the loop, and reports false if it does not answer.
func (h *helper) state() (state, bool) {
	got := make(chan state, 1)
	limit := time.NewTimer(patience)
	defer limit.Stop()
	go h.loop.Post(func() {
		got <- state{
			Stats: h.Stats(), socket: h.socket.Stats(), headers: h.headers, draining: !h.draining.IsZero(), bus: h.bus,
			busy: time.Since(h.started) - h.loop.Idle(),
		}
	})
	select {
	case s := <-got:
		return s, true
	case <-limit.C:
		return state{}, false
	}
}

// serveMetrics serves /metrics and /healthz until the function is called. That
// the address cannot be had is a warning: the helper helps all the same.
func (h *helper) serveMetrics(address string) (stop func()) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		h.log.Warn("no /metrics and no /healthz", "address", address, "reason", err.Error())
		return func() {}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", h.metricsPage)
	mux.HandleFunc("GET /healthz", h.healthPage)
	s := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    8 << 10,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, 0),
	}
	metrics.ExposeMetadata(true)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Serve(l) // until stop
	}()
	h.log.Info("serving /metrics and /healthz", "address", l.Addr().String())
	return func() {
		// Whoever reads a page may finish.
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if s.Shutdown(ctx) != nil {
			s.Close()
		}
		<-ended
	}
}

func (h *helper) healthPage(w http.ResponseWriter, _ *http.Request) {
	s, ok := h.state()
	switch {
	case !ok:
		http.Error(w, "the helper does not answer", http.StatusServiceUnavailable)
	case s.draining:
		http.Error(w, "draining", http.StatusServiceUnavailable)
	default:
		io.WriteString(w, "ok\n")
	}
}

func (h *helper) metricsPage(w http.ResponseWriter, _ *http.Request) {
	s, ok := h.state()
	if !ok {
		http.Error(w, "the helper does not answer", http.StatusServiceUnavailable)
		return
	}
	var page bytes.Buffer
	for _, g := range s.gauges() {
		metrics.WriteGaugeUint64(&page, "qft_helper_"+g.name, g.value)
	}
	for _, c := range s.counters() {
		metrics.WriteCounterUint64(&page, "qft_helper_"+c.name+"_total", c.value)
	}
	metrics.WriteCounterFloat64(&page, "qft_helper_busy_seconds_total", s.busy.Seconds())
	metrics.WriteGaugeUint64(&page, fmt.Sprintf("qft_helper_info{version=%q,protocol=\"%d\"}", Version, ProtocolVersion), 1)
	if processTold() {
		metrics.WriteProcessMetrics(&page)
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.Write(page.Bytes())
}

// processTold reports whether the system tells what a process uses. On Linux
// that takes /proc, and whoever reads it for us would complain on stderr where
// there is none.
func processTold() bool {
	if runtime.GOOS != "linux" {
		return true
	}
	_, err := os.Stat("/proc/self/stat")
	return err == nil
}

// figure is one number with its name, in metrics and logs.
type figure struct {
	name  string
	value uint64
}

// gauges are what holds now.
func (s *state) gauges() []figure {
	var draining uint64
	if s.draining {
		draining = 1
	}
	all := []figure{
		{"rooms", uint64(s.Rooms)}, {"members", uint64(s.Members)}, {"note_bytes", uint64(s.NoteBytes)},
		{"draining", draining},
		{"receive_buffer_bytes", uint64(s.socket.ReadBuffer)}, {"send_buffer_bytes", uint64(s.socket.WriteBuffer)},
	}
	if s.bus != nil {
		var connected uint64
		if s.bus.Connected() {
			connected = 1
		}
		all = append(all, figure{"nats_connected", connected}, figure{"members_elsewhere", uint64(s.Far)})
	}
	return all
}

// counters are what has been since the start.
func (s *state) counters() []figure {
	all := []figure{
		{"hellos", s.Hellos}, {"joins", s.Joins}, {"notes", s.Notes}, {"stun_requests", s.Stun},
		{"refused", s.Refused}, {"denied", s.Denied}, {"limited", s.Limited}, {"lookups_refused", s.Lookups},
		{"stale_cookies", s.Stale}, {"garbage", s.Garbage}, {"bad_proxy_headers", s.headers},
		{"members_expired", s.Expired}, {"members_outlived", s.Outlived}, {"dropped", s.Dropped},
		{"udp_received_packets", s.socket.Received}, {"udp_received_bytes", s.socket.ReceivedBytes},
		{"udp_sent_packets", s.socket.Sent}, {"udp_sent_bytes", s.socket.SentBytes},
		{"udp_unsent_packets", s.socket.Refused + s.socket.TooBig}, {"udp_truncated_packets", s.socket.Truncated},
	}
	if s.bus != nil {
		all = append(all, figure{"nats_lost_messages", s.bus.Lost()})
	}
	return all
}

// figures are what the log is told. Called in the loop, or after its end.
func (h *helper) figures() (attrs []any) {
	s := state{Stats: h.Stats(), socket: h.socket.Stats(), headers: h.headers, bus: h.bus}
	for _, f := range append(s.gauges()[:3], s.counters()...) {
		if f.value > 0 {
			attrs = append(attrs, f.name, f.value)
		}
	}
	return attrs
}
