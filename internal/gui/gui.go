package gui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"qft"
	"qft/internal/settings"
)

const (
	// idleTime is how long the program stays when no page is open and nothing
	// runs: a page that is loaded again is away for a moment.
	idleTime = 15 * time.Second

	// endTime is how long transfers may take to end in good order.
	endTime = 10 * time.Second
)

// Config is how the window is opened. The zero value serves a page at any port,
// and opens nothing.
type Config struct {
	// Settings are those in force; if nil, they are loaded. They are loaded anew
	// when a page changes them.
	Settings *settings.Settings

	// Open opens a file of this machine in the default browser, and Show a folder
	// in the system's file manager. If nil, that is left to the person.
	Open, Show func(path string) error

	// Port is the TCP port on 127.0.0.1. If zero, any free one.
	Port uint16

	// Stay keeps running when no page is open and nothing runs.
	Stay bool

	// Places are folders that may be read and written, beside the home and the
	// working directory.
	Places []string

	// Out is told, for a person, where the page is. If nil, nobody is.
	Out io.Writer

	// Log is told what only matters to who looks for an error. If nil, nobody is.
	Log *slog.Logger
}

// server is one run.
type server struct {
	cfg    Config
	hub    *hub
	door   *door
	single *single
	port   uint16
	ending chan struct{} // closed when pages are to go
	folder string        // for what leads browsers and other starts of the program here
}

// Run serves the page until ctx ends, or the last page has gone and nothing
// runs. Transfers that run when ctx ends are stopped in good order. If this
// user runs it already, that one opens a page, and Run returns at once.
func Run(ctx context.Context, cfg Config) error {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Out == nil {
		cfg.Out = io.Discard
	}
	if cfg.Settings == nil {
		s, err := settings.Load(nil)
		if err != nil {
			return err
		}
		cfg.Settings = s
	}
	return run(ctx, cfg, settings.StatePath())
}

// run is Run with another state directory.
func run(ctx context.Context, cfg Config, state string) error {
	folder := filepath.Join(state, "gui")
	one, err := beSingle(folder)
	if err != nil {
		return err
	}
	if one == nil {
		url, err := askIn(ctx, folder)
		if err != nil {
			return err
		}
		return cfg.open(folder, url)
	}
	defer one.close()
	l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", cfg.Port))
	if err != nil {
		return &qft.Error{Op: "gui", Kind: qft.KindPort, Err: fmt.Errorf("listening on port %d of 127.0.0.1: %w", cfg.Port, plainNet(err)),
			Hint: "Leave --gui-port out, and any free port is taken."}
	}
	s := &server{cfg: cfg, single: one, port: l.Addr().(*net.TCPAddr).AddrPort().Port(), ending: make(chan struct{}), folder: folder}
	s.door = newDoor(s.port)
	return s.serve(ctx, &crowd{Listener: l}, state)
}

func plainNet(err error) error {
	var e *os.SyscallError
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// serve runs the server until it is time to end.
func (s *server) serve(ctx context.Context, l *crowd, state string) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx)) // transfers; they end before the server does
	defer stop()
	s.hub = s.newHub(work, state)
	web := s.web(s.handler(), l)
	served := make(chan error, 1)
	go func() { served <- web.Serve(l) }()
	defer web.Close()
	if err := s.single.publish(s.port); err != nil {
		return err
	}
	if err := s.greet(); err != nil {
		return err
	}
	err := s.wait(ctx, served)
	s.end(stop)
	close(s.ending)
	end, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	if web.Shutdown(end) != nil {
		s.cfg.Log.Warn("pages did not take leave in time")
	}
	sweep(s.folder, time.Now().Add(2*keyTime))
	return err
}

// web is a server that waits for nobody for ever.
func (s *server) web(h http.Handler, l *crowd) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ConnContext:       l.with,
		ErrorLog:          slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug),
	}
}

// end ends the transfers in good order.
func (s *server) end(stop func()) {
	if n := s.hub.close(); n > 0 {
		fmt.Fprintf(s.cfg.Out, "stopping %d transfers; what has arrived is kept: qft resume, or the window's history, continues\n", n)
	}
	stop()
	done := make(chan struct{})
	go func() {
		s.hub.working.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(endTime):
		s.cfg.Log.Warn("transfers did not end in time")
	}
}

// wait waits until it is time to end.
func (s *server) wait(ctx context.Context, served <-chan error) error {
	check := time.NewTicker(time.Second)
	defer check.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-served:
			return fmt.Errorf("the page cannot be served any more: %w", plainNet(err))
		case now := <-check.C:
			sweep(s.folder, now)
			if since := s.hub.idleSince(); !s.cfg.Stay && !since.IsZero() && now.Sub(since) >= idleTime {
				return nil
			}
		}
	}
}

func (s *server) newHub(ctx context.Context, state string) *hub {
	h := &hub{ctx: ctx, state: state, more: s.cfg.Places, log: s.cfg.Log, settings: s.cfg.Settings,
		show: s.cfg.Show, pages: make(map[*page]struct{}), reads: make(map[int64]*pendingRead)}
	h.machine, _ = os.Hostname() // without a name the page shows none
	h.disks = newDisks(h.lookAgain)
	h.recall()
	h.look()
	return h
}

// close ends what waits for its turn, has nothing begin any more, and returns how
// many transfers run.
func (h *hub) close() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, t := range h.transfers {
		t.stopped = t.stopped || !t.ended()
		if t.shown.Phase == PhaseQueued {
			t.stopLocked()
		}
	}
	return h.unended()
}

// hosts are the names by which a page may know us; the first is the one we tell.
func (s *server) hosts() []string {
	return []string{fmt.Sprintf("127.0.0.1:%d", s.port), fmt.Sprintf("localhost:%d", s.port)}
}

func (s *server) handler() http.Handler {
	return &guard{
		door:  s.door,
		hosts: s.hosts(),
		open:  s.openRoutes(),
		page:  http.FileServerFS(onlyFiles{pageFiles()}),
		api:   s.routes(),
	}
}

// onlyFiles lists no folders.
type onlyFiles struct{ fs.FS }

func (f onlyFiles) Open(name string) (fs.File, error) {
	file, err := f.FS.Open(name)
	if err != nil {
		return nil, err
	}
	st, err := file.Stat()
	if err == nil && st.IsDir() && name != "." {
		err = fs.ErrNotExist
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}
