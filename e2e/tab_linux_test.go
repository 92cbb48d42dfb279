package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"qft/internal/gui"
)

// tab is a page of the window, in a browser on a host.
type tab struct {
	t      *testing.T
	client *http.Client
	host   string // HOST:PORT
	cookie *http.Cookie
	token  string
}

var pageAddress = regexp.MustCompile(`http://(127\.0\.0\.1:\d+)/#(\w+)`)

// tab opens the page whose address is in a text.
func (h *host) tab(text string) *tab {
	h.w.t.Helper()
	at := pageAddress.FindStringSubmatch(text)
	if at == nil {
		h.w.t.Fatalf("there is no address of a page in %q", text)
	}
	b := &tab{t: h.w.t, host: at[1], client: &http.Client{Timeout: bigTime, Transport: h.wires()}}
	var in struct{ Token string }
	reply, text := b.ask(b.request("POST", "/api/login", map[string]string{"key": at[2]}))
	if err := json.Unmarshal([]byte(text), &in); err != nil || len(reply.Cookies()) != 1 || in.Token == "" {
		b.t.Fatalf("the page is not let in: %s: %s", reply.Status, text)
	}
	b.cookie, b.token = reply.Cookies()[0], in.Token
	return b
}

// request makes one as the page would.
func (b *tab) request(method, path string, body any) *http.Request {
	b.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		b.t.Fatal(err)
	}
	var content io.Reader
	if method == "POST" {
		content = bytes.NewReader(text)
	}
	r, err := http.NewRequest(method, "http://"+b.host+path, content)
	if err != nil {
		b.t.Fatal(err)
	}
	if method == "POST" {
		r.Header.Set("Origin", "http://"+b.host)
		r.Header.Set("Content-Type", "application/json")
	}
	if b.cookie != nil {
		r.AddCookie(b.cookie)
		r.Header.Set("Qft-Token", b.token)
	}
	return r
}

func (b *tab) ask(r *http.Request) (reply *http.Response, text string) {
	b.t.Helper()
	reply, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer reply.Body.Close()
	all, err := io.ReadAll(reply.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return reply, string(all)
}

// must asks for what has to succeed.
func (b *tab) must(method, path string, in, out any) {
	b.t.Helper()
	reply, text := b.ask(b.request(method, path, in))
	if reply.StatusCode != http.StatusOK {
		b.t.Fatalf("%s %s %+v: %s: %s", method, path, in, reply.Status, text)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal([]byte(text), out); err != nil {
		b.t.Fatalf("%s: %v: %s", path, err, text)
	}
}

// refused wants a request to be refused, and not to be taken for nonsense.
func (b *tab) refused(method, path string, in any, why ...int) {
	b.t.Helper()
	reply, text := b.ask(b.request(method, path, in))
	if !slices.Contains(why, reply.StatusCode) {
		b.t.Errorf("%s %s %+v: %s: %s", method, path, in, reply.Status, text)
	}
}

func (b *tab) state() (s gui.State) {
	b.t.Helper()
	b.must("GET", "/api/state", nil, &s)
	return s
}

// shows waits until the window is so: what a disk is slow to say comes later.
func (b *tab) shows(what string, so func(s gui.State) bool) (s gui.State) {
	b.t.Helper()
	eventually(b.t, bigTime, what, func() bool {
		s = b.state()
		return so(s)
	})
	return s
}

// list lists a folder.
func (b *tab) list(path string) (l gui.Listing) {
	b.t.Helper()
	b.must("GET", "/api/folder?path="+url.QueryEscape(path), nil, &l)
	return l
}

// begin begins a transfer.
func (b *tab) begin(n gui.NewTransfer) (id int) {
	b.t.Helper()
	var x gui.Transfer
	b.must("POST", "/api/transfers", n, &x)
	return x.ID
}

// until waits until a transfer is so.
func (b *tab) until(id int, what string, so func(x gui.Transfer) bool) (x gui.Transfer) {
	b.t.Helper()
	began := time.Now()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		for _, x = range b.state().Transfers {
			if x.ID == id && so(x) {
				return x
			}
		}
		if time.Since(began) > bigTime {
			b.t.Fatalf("transfer %d: too late: %s: %+v, problem %+v", id, what, x, x.Outcome.Problem)
		}
	}
	return x
}

// code is what a sender shows.
func (b *tab) code(id int) string {
	b.t.Helper()
	return b.until(id, "there is a code", func(x gui.Transfer) bool { return x.Invite.Code != "" }).Invite.Code
}

// accept says yes to what a receiver is offered.
func (b *tab) accept(id int) {
	b.t.Helper()
	x := b.until(id, "it is asked", func(x gui.Transfer) bool { return x.Ask != nil })
	b.must("POST", fmt.Sprintf("/api/transfers/%d/answer", id), gui.Answer{Number: x.Ask.Number, Accept: true}, nil)
}

// done waits for a good end.
func (b *tab) done(id int) gui.Transfer {
	b.t.Helper()
	x := b.until(id, "it has ended", func(x gui.Transfer) bool { return x.Ended != 0 })
	if x.Phase != gui.PhaseDone {
		b.t.Fatalf("transfer %d is %s: %+v", id, x.Phase, x.Outcome.Problem)
	}
	return x
}

// holds has the page stay open under a name, and answer what it is asked of
// dropped files, until leave is called.
func (b *tab) holds(page string, files [][]byte) (leave func()) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	reply, err := b.client.Transport.RoundTrip(b.request("GET", "/api/events?page="+page, nil).WithContext(ctx))
	if err != nil || reply.StatusCode != http.StatusOK {
		cancel()
		b.t.Fatal(reply, err)
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		defer reply.Body.Close()
		lines := bufio.NewScanner(reply.Body)
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			text, ok := strings.CutPrefix(lines.Text(), "data: ")
			var m gui.Message
			if !ok || json.Unmarshal([]byte(text), &m) != nil || m.Read == nil { // half a message at the end
				continue
			}
			r := b.request("POST", fmt.Sprint("/api/reads/", m.Read.ID), nil)
			var parts []byte
			for _, p := range m.Read.Parts {
				parts = append(parts, files[p.File][p.Offset:p.Offset+p.Length]...)
			}
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(parts)), int64(len(parts))
			r.Header.Set("Content-Type", "application/octet-stream")
			if reply, err := b.client.Do(r); err != nil || reply.Body.Close() != nil || reply.StatusCode != http.StatusOK {
				b.t.Errorf("parts of dropped files are not taken: %v, %v", reply, err)
			}
		}
	})
	return func() {
		cancel()
		reading.Wait()
	}
}
