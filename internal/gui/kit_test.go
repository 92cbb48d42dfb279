package gui

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/adrg/xdg"

	"qft"
	"qft/internal/settings"
)

// TestMain gives the tests a home and a configuration of their own.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "qft-gui-test-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		for name, at := range map[string]string{"HOME": "home", "USERPROFILE": "home", "XDG_CONFIG_HOME": "config", "XDG_STATE_HOME": "state", "XDG_DOWNLOAD_DIR": "home/in"} {
			os.Setenv(name, filepath.Join(dir, at))
		}
		for _, k := range settings.Keys() {
			os.Unsetenv(k.Variable())
		}
		if err := os.MkdirAll(filepath.Join(dir, "home", "in"), 0o700); err != nil {
			panic(err)
		}
		xdg.Reload()
		return m.Run()
	}())
}

// patience is how long a test waits for what has to happen.
const patience = 30 * time.Second

// running is a program that runs.
type running struct {
	t     *testing.T
	state string
	out   *notes
	stop  func()
	over  chan struct{}
	err   error       // once it is over
	pages chan string // addresses that a browser was told to open
	place string      // the last that it was given; it may be found late
}

// notes are what a person is told.
type notes struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (n *notes) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.Write(p)
}

func (n *notes) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.String()
}

// start starts a program whose helper is at an address; "": it has none. Its
// browser is the test.
func start(t *testing.T, helper, state string, places ...string) *running {
	t.Helper()
	set, err := settings.Load(map[string]string{settings.Helper: orNone(helper), settings.LAN: "no", settings.Portmap: "no"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &running{t: t, state: state, out: new(notes), stop: cancel, over: make(chan struct{}), pages: make(chan string, 8)}
	if len(places) > 0 {
		p.place = places[len(places)-1]
	}
	cfg := Config{Settings: set, Places: places, Out: p.out, Log: slog.New(slog.DiscardHandler)}
	cfg.Open = func(path string) error {
		p.pages <- path
		return nil
	}
	go func() {
		defer close(p.over)
		p.err = run(ctx, cfg, state)
	}()
	t.Cleanup(func() {
		cancel()
		p.wait()
	})
	return p
}

func orNone(helper string) string {
	if helper == "" {
		return settings.NoHelper
	}
	return helper
}

// wait waits until the program has ended.
func (p *running) wait() {
	p.t.Helper()
	select {
	case <-p.over:
	case <-time.After(patience):
		p.t.Fatal("the program does not end")
	}
}

// next is the next address that the browser is to open. A second start of the
// program has it opened, and ends.
func (p *running) next() string {
	p.t.Helper()
	select {
	case path := <-p.pages:
		return p.address(path)
	case <-p.over:
		select {
		case path := <-p.pages:
			return p.address(path)
		default:
			p.t.Fatalf("the program has ended: %v", p.err)
		}
	case <-time.After(patience):
		p.t.Fatal("no page is opened")
	}
	return ""
}

// address is where a file leads that the browser opens.
func (p *running) address(path string) string {
	p.t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		p.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "0;url=")
	url, _, _ := strings.Cut(rest, `"`)
	return url
}

// tab is a page in a browser.
type tab struct {
	t        *testing.T
	host     string // HOST:PORT
	id       string
	cookie   *http.Cookie
	token    string
	client   *http.Client
	messages chan Message
	state    State // as the page shows it
	leave    func()
	holds    [][]byte // what there is to read of a drop
}

// open opens a page, lets it in, and has it listen.
func (p *running) open(id string) *tab {
	p.t.Helper()
	b := p.enter(p.next())
	b.listen(id)
	if p.place != "" {
		b.until("the place is found", func(s *State) bool {
			return slices.ContainsFunc(s.Places, func(x Place) bool { return x.Path == p.place })
		})
	}
	return b
}

// has waits until the page shows a place: a disk that is slow to answer is left
// out until it has.
func (b *tab) has(place string) *tab {
	b.t.Helper()
	place, err := filepath.EvalSymlinks(place)
	if err != nil {
		b.t.Fatal(err)
	}
	b.until("there is the place "+place, func(s *State) bool {
		return slices.ContainsFunc(s.Places, func(p Place) bool { return p.Path == place })
	})
	return b
}

// enter lets a page in.
func (p *running) enter(url string) *tab {
	p.t.Helper()
	host, key, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/#")
	b := &tab{t: p.t, host: host, client: &http.Client{Timeout: patience}}
	p.t.Cleanup(b.client.CloseIdleConnections)
	var in letIn
	reply := b.do("POST", loginPath, map[string]string{"key": key}, &in)
	for _, c := range reply.Cookies() {
		b.cookie = c
	}
	if reply.StatusCode != http.StatusOK || b.cookie == nil || in.Token == "" {
		p.t.Fatalf("the page is not let in: %s", reply.Status)
	}
	b.token = in.Token
	return b
}

// request makes one as the page would.
func (b *tab) request(method, path string, body io.Reader) *http.Request {
	r, err := http.NewRequest(method, "http://"+b.host+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if method == "POST" {
		r.Header.Set("Origin", "http://"+b.host)
		r.Header.Set("Content-Type", "application/json")
	}
	if b.cookie != nil {
		r.AddCookie(b.cookie)
		r.Header.Set(tokenHeader, b.token)
	}
	return r
}

// do makes a request with a body in JSON, and reads the answer.
func (b *tab) do(method, path string, in, out any) *http.Response {
	b.t.Helper()
	text, err := json.Marshal(in)
	if err != nil {
		b.t.Fatal(err)
	}
	var body io.Reader
	if method == "POST" {
		body = bytes.NewReader(text)
	}
	reply, err := b.client.Do(b.request(method, path, body))
	if err != nil {
		b.t.Fatal(err)
	}
	defer reply.Body.Close()
	text, err = io.ReadAll(reply.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if out != nil {
		if err := json.Unmarshal(text, out); err != nil && reply.StatusCode == http.StatusOK {
			b.t.Fatalf("%s %s: %v: %s", method, path, err, text)
		}
	}
	return reply
}

// must is do of what has to succeed.
func (b *tab) must(path string, in, out any) {
	b.t.Helper()
	var raw json.RawMessage
	if reply := b.do("POST", path, in, &raw); reply.StatusCode != http.StatusOK {
		b.t.Fatalf("%s: %s: %s", path, reply.Status, raw)
	}
	if out != nil {
		if err := json.Unmarshal(raw, out); err != nil {
			b.t.Fatal(err)
		}
	}
}

// refused expects a refusal, and returns why.
func (b *tab) refused(path string, in any) Problem {
	b.t.Helper()
	var p Problem
	if reply := b.do("POST", path, in, &p); reply.StatusCode < 400 || p.What == "" {
		b.t.Errorf("%s %+v: %s, %+v", path, in, reply.Status, p)
	}
	return p
}

// listen takes messages until leave is called.
func (b *tab) listen(id string) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := b.request("GET", "/api/events?page="+id, nil).WithContext(ctx)
	reply, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil || reply.StatusCode != http.StatusOK {
		cancel()
		b.t.Fatal(reply, err)
	}
	b.id, b.messages = id, make(chan Message, 10_000)
	var reading sync.WaitGroup
	b.leave = func() {
		cancel()
		reading.Wait()
	}
	b.t.Cleanup(b.leave)
	reading.Go(func() {
		defer reply.Body.Close()
		defer close(b.messages)
		lines := bufio.NewScanner(reply.Body)
		lines.Buffer(nil, 64<<20)
		for lines.Scan() {
			text, ok := strings.CutPrefix(lines.Text(), "data: ")
			if !ok {
				continue
			}
			var m Message
			if err := json.Unmarshal([]byte(text), &m); err != nil {
				if ctx.Err() == nil { // else it was cut off in the middle
					b.t.Error(err)
				}
				return
			}
			b.messages <- m
		}
	})
}

// until takes messages until what the page shows is so.
func (b *tab) until(what string, so func(s *State) bool) {
	b.t.Helper()
	late := time.After(patience)
	for !so(&b.state) {
		select {
		case m, ok := <-b.messages:
			if !ok {
				b.t.Fatalf("the stream has ended before: %s", what)
			}
			b.take(m)
		case <-late:
			text, _ := json.MarshalIndent(b.state.Transfers, "", "\t")
			b.t.Fatalf("too late: %s\n%s", what, text)
		}
	}
}

func (b *tab) take(m Message) {
	switch {
	case m.Read != nil:
		r := b.request("POST", fmt.Sprint("/api/reads/", m.Read.ID), bytes.NewReader(m.Read.of(b.holds)))
		r.Header.Set("Content-Type", "application/octet-stream")
		if reply, text := b.send(r); reply.StatusCode != http.StatusOK {
			b.t.Errorf("a part of a file: %s: %s", reply.Status, text)
		}
	case m.State != nil:
		b.state = *m.State
	case m.Transfer != nil:
		for i, t := range b.state.Transfers {
			if t.ID == m.Transfer.ID {
				b.state.Transfers[i] = *m.Transfer
				return
			}
		}
		b.state.Transfers = append(b.state.Transfers, *m.Transfer)
	}
}

// phase waits until a transfer is in one of some phases.
func (b *tab) phase(id int, phases ...Phase) Transfer {
	b.t.Helper()
	var got Transfer
	b.until(fmt.Sprintf("transfer %d is %v", id, phases), func(s *State) bool {
		for _, t := range s.Transfers {
			for _, p := range phases {
				if got = t; t.ID == id && t.Phase == p {
					return true
				}
			}
		}
		return false
	})
	return got
}

// code waits until a transfer has a code.
func (b *tab) code(id int) (code string) {
	b.t.Helper()
	b.until("there is a code", func(s *State) bool {
		for _, t := range s.Transfers {
			if t.ID == id {
				code = t.Invite.Code
			}
		}
		return code != ""
	})
	return code
}

// helper is one on this machine.
func helper(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan uint16, 1), make(chan error, 1)
	go func() {
		done <- qft.Helper(ctx, qft.HelperConfig{Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, NoTCP: true,
			Ready: func(ports []uint16) { ready <- ports[0] }})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	select {
	case port := <-ready:
		return fmt.Sprintf("127.0.0.1:%d", port)
	case err := <-done:
		done <- err
		t.Fatal(err)
	case <-time.After(patience):
		t.Fatal("the helper does not start")
	}
	return ""
}

// write makes a file.
func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func idPath(id int, verb string) string { return fmt.Sprintf("/api/transfers/%d/%s", id, verb) }

func escape(text string) string { return url.QueryEscape(text) }
