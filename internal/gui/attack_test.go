package gui

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// What other programs of this machine, and web sites that its browser shows,
// can try; places_test.go has what a page can try that was let in.

// doors are all that answers requests, but for the page's files.
var doors = []struct{ method, path string }{
	{"GET", "/api/state"}, {"GET", "/api/events?page=page-of-an-attacker"}, {"GET", "/api/folder?path=/"},
	{"POST", "/api/folder"}, {"POST", "/api/code"}, {"POST", "/api/qr"}, {"POST", "/api/settings"}, {"POST", "/api/doctor"},
	{"POST", "/api/history/clear"}, {"POST", "/api/transfers"}, {"POST", "/api/transfers/1/stop"}, {"POST", "/api/transfers/1/start"},
	{"POST", "/api/transfers/1/show"}, {"POST", "/api/transfers/1/change"}, {"POST", "/api/transfers/1/answer"},
	{"POST", "/api/transfers/1/move"}, {"POST", "/api/transfers/1/remove"}, {"POST", "/api/transfers/1/again"}, {"POST", "/api/unfinished/x/continue"},
	{"POST", "/api/unfinished/x/discard"}, {"POST", "/api/reads/1"}, {"POST", "/api/nothing"},
}

// send makes a request, and returns the answer with its body.
func (b *tab) send(r *http.Request) (reply *http.Response, body string) {
	b.t.Helper()
	reply, err := b.client.Do(r)
	if err != nil {
		b.t.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(io.LimitReader(reply.Body, 1<<20))
	if err != nil {
		b.t.Fatal(err)
	}
	return reply, string(text)
}

func TestAttackFromOutside(t *testing.T) {
	b := start(t, "", t.TempDir()).open("page-of-the-person-1")
	host, port, _ := net.SplitHostPort(b.host)
	for name, change := range map[string]func(r *http.Request){
		"another origin":            func(r *http.Request) { r.Header.Set("Origin", "http://evil.invalid") },
		"another port":              func(r *http.Request) { r.Header.Set("Origin", "http://127.0.0.1:1") },
		"a longer origin":           func(r *http.Request) { r.Header.Set("Origin", "http://"+b.host+".evil.invalid") },
		"another scheme":            func(r *http.Request) { r.Header.Set("Origin", "https://"+b.host) },
		"an origin of none":         func(r *http.Request) { r.Header.Set("Origin", "null") },
		"a second origin":           func(r *http.Request) { r.Header["Origin"] = []string{"http://" + b.host, "http://evil.invalid"} },
		"another site":              func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"another port's site":       func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") },
		"two sites":                 func(r *http.Request) { r.Header["Sec-Fetch-Site"] = []string{"same-origin", "cross-site"} },
		"the address bar":           func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "none") },
		"a name that leads here":    func(r *http.Request) { r.Host = "evil.invalid:" + port },
		"it, with its origin":       func(r *http.Request) { r.Host = "evil.invalid:" + port; r.Header.Set("Origin", "http://"+r.Host) },
		"no port":                   func(r *http.Request) { r.Host = host },
		"another port in the name":  func(r *http.Request) { r.Host = host + ":1" },
		"a dot behind the name":     func(r *http.Request) { r.Host = "localhost.:" + port },
		"a name in another writing": func(r *http.Request) { r.Host = "LOCALHOST:" + port },
		"another address of ours":   func(r *http.Request) { r.Host = "127.0.0.2:" + port },
		"its number":                func(r *http.Request) { r.Host = "2130706433:" + port },
		"in IPv6":                   func(r *http.Request) { r.Host = "[::1]:" + port },
		"no token":                  func(r *http.Request) { r.Header.Del(tokenHeader) },
		"a wrong token":             func(r *http.Request) { r.Header.Set(tokenHeader, strings.Repeat("A", len(b.token))) },
		"half a token":              func(r *http.Request) { r.Header.Set(tokenHeader, b.token[:len(b.token)/2]) },
		"the token in the address":  func(r *http.Request) { r.Header.Del(tokenHeader); r.URL.RawQuery += "&" + tokenHeader + "=" + b.token },
		"no cookie":                 func(r *http.Request) { r.Header.Del("Cookie") },
		"a wrong cookie":            func(r *http.Request) { r.Header.Set("Cookie", b.cookie.Name+"=x") },
		"the token as cookie":       func(r *http.Request) { r.Header.Set("Cookie", b.cookie.Name+"="+b.token) },
		"the cookie of another":     func(r *http.Request) { r.Header.Set("Cookie", "qft-1="+b.cookie.Value) },
	} {
		for _, d := range doors {
			r := b.request(d.method, d.path, strings.NewReader("{}"))
			if change(r); name == "the address bar" && d.method == "GET" {
				r.Header.Del("Origin")
			}
			reply, body := b.send(r)
			if reply.StatusCode != http.StatusForbidden || body != "" || !reply.Close {
				t.Errorf("%s: %s %s: %s, %q", name, d.method, d.path, reply.Status, body)
			}
		}
	}
	if b.do("GET", "/api/state", nil, &b.state).StatusCode != http.StatusOK || len(b.state.Transfers) != 0 {
		t.Errorf("the page itself: %+v", b.state)
	}
}

// TestAttackByAForm: what a page of another site can have the browser send
// without asking us first.
func TestAttackByAForm(t *testing.T) {
	b := start(t, "", t.TempDir()).open("page-of-the-person-1")
	var form bytes.Buffer
	m := multipart.NewWriter(&form)
	m.WriteField("kind", "send")
	m.WriteField("text", "gotcha")
	m.Close()
	for kind, body := range map[string]string{
		"text/plain": `{"kind":"send","text":"gotcha"}`, "application/x-www-form-urlencoded": "kind=send&text=gotcha",
		m.FormDataContentType(): form.String(), "": `{"kind":"send","text":"gotcha"}`, "application/json, text/plain": "{}",
		"text/plain; application/json": `{"kind":"send","text":"gotcha"}`,
	} {
		for _, whole := range []bool{false, true} {
			r := b.request("POST", "/api/transfers", strings.NewReader(body))
			want := http.StatusForbidden
			if r.Header.Set("Content-Type", kind); kind == "" {
				r.Header.Del("Content-Type")
			}
			if whole { // even with all that shows that it is ours
				want = http.StatusUnsupportedMediaType
			} else {
				r.Header.Del(tokenHeader)
				r.Header.Set("Origin", "http://evil.invalid")
				r.Header.Set("Sec-Fetch-Site", "cross-site")
			}
			if reply, _ := b.send(r); reply.StatusCode != want {
				t.Errorf("%q: %s", kind, reply.Status)
			}
		}
	}
	if b.do("GET", "/api/state", nil, &b.state); len(b.state.Transfers) != 0 {
		t.Errorf("%+v", b.state.Transfers)
	}
}

// TestAttackByGet: nothing is done by an address alone, nor by other methods.
func TestAttackByGet(t *testing.T) {
	b := start(t, "", t.TempDir()).open("page-of-the-person-1")
	var x Transfer
	b.must("/api/transfers", NewTransfer{Kind: "send", Text: "text"}, &x)
	for _, d := range doors {
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"} {
			if method == d.method || method == "HEAD" && d.method == "GET" {
				continue
			}
			reply, _ := b.send(b.request(method, d.path, nil))
			if reply.StatusCode < 400 || reply.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s %s: %s", method, d.path, reply.Status)
			}
		}
	}
	for _, method := range []string{"POST", "PUT", "TRACE", "OPTIONS", "DELETE"} {
		if reply, _ := b.send(b.request(method, "/", nil)); reply.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s /: %s", method, reply.Status)
		}
	}
	if b.do("GET", "/api/state", nil, &b.state); len(b.state.Transfers) != 1 || b.state.Transfers[0].Phase == PhaseStopped {
		t.Errorf("%+v", b.state.Transfers)
	}
}

// TestAttackByWriting: requests that no client would write.
func TestAttackByWriting(t *testing.T) {
	b := start(t, "", t.TempDir()).open("page-of-the-person-1")
	_, port, _ := net.SplitHostPort(b.host)
	shown := fmt.Sprintf("Cookie: %s=%s\r\n%s: %s\r\n", b.cookie.Name, b.cookie.Value, tokenHeader, b.token)
	for name, text := range map[string]string{
		"no host":           "GET /api/state HTTP/1.0\r\n" + shown + "\r\n",
		"two hosts":         "GET /api/state HTTP/1.1\r\nHost: " + b.host + "\r\nHost: evil.invalid\r\n" + shown + "\r\n",
		"a list of hosts":   "GET /api/state HTTP/1.1\r\nHost: " + b.host + ", evil.invalid\r\n" + shown + "\r\n",
		"a host in the URL": "GET http://evil.invalid:" + port + "/api/state HTTP/1.1\r\nHost: " + b.host + "\r\n" + shown + "\r\n",
		"a user in it":      "GET http://" + b.host + "@evil.invalid/api/state HTTP/1.1\r\nHost: " + b.host + "\r\n" + shown + "\r\n",
		"a folded header":   "GET /api/state HTTP/1.1\r\nHost: evil.invalid\r\n\t" + b.host + "\r\n" + shown + "\r\n",
		"a space before :":  "GET /api/state HTTP/1.1\r\nHost : " + b.host + "\r\n" + shown + "\r\n",
		"a tunnel":          "CONNECT " + b.host + " HTTP/1.1\r\nHost: " + b.host + "\r\n" + shown + "\r\n",
		"two lengths":       "POST /api/code HTTP/1.1\r\nHost: " + b.host + "\r\nContent-Length: 2\r\nContent-Length: 9\r\n" + shown + "\r\n{}",
		"a wrong length":    "POST /api/code HTTP/1.1\r\nHost: " + b.host + "\r\nContent-Length: -1\r\n" + shown + "\r\n{}",
		"a large header":    "GET /api/state HTTP/1.1\r\nHost: " + b.host + "\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n" + shown + "\r\n",
		"no HTTP":           "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", b.host)
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(patience))
		if _, err := io.WriteString(conn, text); err != nil && name != "a large header" {
			t.Fatal(err)
		}
		reply, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err == nil && reply.StatusCode < 400 {
			t.Errorf("%s: %s", name, reply.Status)
		}
		conn.Close()
	}
}

// TestAttackByGuessing: wrong keys are of no use, and do not keep the right one
// of a new page out.
func TestAttackByGuessing(t *testing.T) {
	state := t.TempDir()
	p := start(t, "", state)
	b := p.enter(p.next())
	for i := range mostTries + 20 {
		key := fmt.Sprintf("%026d", i)
		if i%3 == 0 {
			key = ""
		}
		if reply := b.do("POST", loginPath, map[string]string{"key": key}, nil); reply.StatusCode != http.StatusForbidden || len(reply.Cookies()) != 0 {
			t.Fatalf("the key %q: %s", key, reply.Status)
		}
	}
	for _, secret := range []string{"", "x", b.token, b.cookie.Value} {
		r := b.request("POST", invitePath, strings.NewReader("{}"))
		r.Header.Set(secretHeader, secret)
		if reply, body := b.send(r); reply.StatusCode != http.StatusForbidden || strings.Contains(body, "key\"") {
			t.Errorf("the secret %q: %s, %s", secret, reply.Status, body)
		}
	}
	second := start(t, "", state)
	second.enter(second.next())
}

func TestAttackByTime(t *testing.T) {
	d := newDoor(1)
	now := time.Now()
	k := d.key(now, keyTime)
	if d.enter(now.Add(keyTime+time.Second), k) {
		t.Error("an old key works")
	}
	first := d.key(now, keyTime)
	for i := range mostKeys {
		k = d.key(now.Add(time.Duration(i+1)), keyTime)
	}
	if d.enter(now, first) || !d.enter(now, k) || d.enter(now, k) || len(d.keys) >= mostKeys {
		t.Error("of too many keys the oldest goes, and each works once")
	}
}

// TestAttackFiles: the page's files are all there is, and they cannot be
// written, listed or left.
func TestAttackFiles(t *testing.T) {
	b := start(t, "", t.TempDir()).open("page-of-the-person-1")
	reply, body := b.send(b.request("GET", "/", nil))
	if reply.StatusCode != http.StatusOK || !strings.Contains(body, "<html") {
		t.Fatalf("the page: %s", reply.Status)
	}
	for header, want := range map[string]string{
		"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store",
	} {
		if got := reply.Header.Get(header); got != want {
			t.Errorf("%s is %q", header, got)
		}
	}
	for _, path := range []string{"/../../../etc/passwd", "/..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/etc/passwd",
		"/web/", "/dist/", "/.", "/index.html/..", "/app.js/", "/api", "/API/state", "/%61pi/../etc", "/\x00", "/..\\..\\etc"} {
		conn, err := net.Dial("tcp", b.host)
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(patience))
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, b.host)
		text, err := io.ReadAll(conn)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "root:") || strings.Contains(string(text), "<pre>") {
			t.Errorf("%s: %s", path, text)
		}
		conn.Close()
	}
	// From another site it may be opened, and nothing else.
	for dest, want := range map[string]int{"document": http.StatusOK, "iframe": http.StatusForbidden, "script": http.StatusForbidden, "image": http.StatusForbidden} {
		r := b.request("GET", "/", nil)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Sec-Fetch-Mode", map[bool]string{true: "navigate", false: "no-cors"}[dest == "document" || dest == "iframe"])
		r.Header.Set("Sec-Fetch-Dest", dest)
		if reply, _ := b.send(r); reply.StatusCode != want {
			t.Errorf("as %s: %s", dest, reply.Status)
		}
	}
}

// endless is a body without an end.
type endless struct{ sent atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.sent.Add(int64(len(p)))
	return len(p), nil
}

func TestAttackByBodies(t *testing.T) {
	b := start(t, "", t.TempDir()).open("page-of-the-person-1")
	for _, c := range []struct {
		path string
		most int64
	}{{"/api/code", bodyLimit}, {"/api/settings", bodyLimit}, {loginPath, bodyLimit}, {"/api/reads/1", bodyLimit}} {
		body := new(endless)
		reply, err := b.client.Do(b.request("POST", c.path, body))
		if err == nil {
			reply.Body.Close()
		}
		if err == nil && reply.StatusCode < 400 || body.sent.Load() > c.most+8<<20 {
			t.Errorf("%s took %d bytes: %v, %v", c.path, body.sent.Load(), reply, err)
		}
	}
	long := b.request("POST", "/api/transfers", io.LimitReader(new(endless), dropLimit+1))
	long.ContentLength = dropLimit + 1
	if reply, err := b.client.Do(long); err == nil {
		if reply.Body.Close(); reply.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%d bytes: %s", long.ContentLength, reply.Status)
		}
	}
	for _, body := range []string{"", "null x", "[]", `"x"`, `{"kind":1}`, `{"text":"a"}{"text":"b"}`, `{"unknown":1}`, strings.Repeat("[", 100_000),
		`{"text":"` + strings.Repeat("x", 900_000) + `"`, "{\"text\":\"\xff\"", `{"text":`} {
		for _, path := range []string{"/api/code", "/api/transfers"} {
			if reply, got := b.send(b.request("POST", path, strings.NewReader(body))); reply.StatusCode != http.StatusBadRequest {
				t.Errorf("%s %.40q: %s %s", path, body, reply.Status, got)
			}
		}
	}
}

// TestAttackBySlowness: who does not finish its request is not waited for, and
// who does not take an answer neither.
func TestAttackBySlowness(t *testing.T) {
	web := (&server{cfg: Config{Log: slog.New(slog.DiscardHandler)}}).web(http.NotFoundHandler(), new(crowd))
	if web.ReadHeaderTimeout == 0 || web.ReadHeaderTimeout > 30*time.Second || web.IdleTimeout == 0 || web.MaxHeaderBytes > 64<<10 {
		t.Errorf("%+v", web)
	}
	// A body that is refused, and not read, is not waited for longer than one
	// that is.
	g := &guard{door: newDoor(1), hosts: []string{"127.0.0.1:1"}}
	w := &deadlines{header: make(http.Header)}
	r, _ := http.NewRequest("POST", "http://127.0.0.1:1/api/state", io.NopCloser(strings.NewReader("x")))
	r.ContentLength = 100_000
	g.ServeHTTP(w, r)
	if left := time.Until(w.read); left <= 0 || left > bodyTime || w.status != http.StatusForbidden {
		t.Errorf("it has %s to send a body that nobody wants, and hears %d", left, w.status)
	}
}

// deadlines notes what is set.
type deadlines struct {
	header http.Header
	status int
	read   time.Time
}

func (d *deadlines) Header() http.Header                { return d.header }
func (d *deadlines) Write(p []byte) (int, error)        { return len(p), nil }
func (d *deadlines) WriteHeader(status int)             { d.status = status }
func (d *deadlines) SetReadDeadline(at time.Time) error { d.read = at; return nil }

// TestAttackByNumber: thousands of idle connections neither stay nor keep the
// page out, nor do they cost it its own.
func TestAttackByNumber(t *testing.T) {
	b := start(t, "", t.TempDir()).open("page-of-the-person-1")
	var idle []net.Conn
	defer func() {
		for _, c := range idle {
			c.Close()
		}
	}()
	for range 3 * mostConnections {
		c, err := net.Dial("tcp", b.host)
		if err != nil {
			t.Fatal(err)
		}
		idle = append(idle, c)
	}
	if b.do("GET", "/api/state", nil, &b.state).StatusCode != http.StatusOK {
		t.Error("the page is kept out")
	}
	b.must("/api/transfers", NewTransfer{Kind: "send", Text: "text"}, nil)
	b.until("its stream goes on", func(s *State) bool { return len(s.Transfers) == 1 })
}

// TestTheCrowdIsBounded: the oldest stranger goes, and nobody who is known.
func TestTheCrowdIsBounded(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := &crowd{Listener: l}
	var all []*visitor
	for i := range 2 * mostConnections {
		out, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		in, err := c.Accept()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, in.(*visitor))
		if i == 0 {
			welcome(c.with(context.Background(), in))
		}
		if len(c.open) > mostConnections {
			t.Fatalf("%d are open", len(c.open))
		}
	}
	if !slices.Contains(c.open, all[0]) || slices.Contains(c.open, all[1]) || !slices.Contains(c.open, all[len(all)-1]) {
		t.Error("the wrong ones went")
	}
	if _, err := all[1].Write([]byte("x")); err == nil {
		t.Error("who went is still there")
	}
}

// TestAttackAnswers: what the page is told is no file that a browser could
// take for something else.
func TestAttackAnswers(t *testing.T) {
	b := start(t, "", t.TempDir()).open("page-of-the-person-1")
	r := b.request("POST", "/api/code", strings.NewReader(`{"text":"</script><script>alert(1)</script>"}`))
	if reply, body := b.send(r); reply.Header.Get("Content-Type") != "application/json" || strings.Contains(body, "<script>") {
		t.Errorf("%v: %s", reply.Header, body)
	}
	var svg struct{ SVG string }
	b.must("/api/qr", map[string]string{"text": `"/><script>`}, &svg)
	if !strings.HasPrefix(svg.SVG, "<svg ") || strings.Contains(svg.SVG, "script") {
		t.Error(svg.SVG)
	}
	b.refused("/api/qr", map[string]string{"text": strings.Repeat("x", 100_000)})
}

// TestAttackOfManyPages: streams of one that was let in end with it.
func TestAttackOfManyPages(t *testing.T) {
	p := start(t, "", t.TempDir())
	b := p.open("page-of-the-person-1")
	for _, id := range []string{"", "short", strings.Repeat("x", 65), "page-of-a-person%00-1"} {
		if reply, _ := b.send(b.request("GET", "/api/events?page="+url.QueryEscape(id), nil)); reply.StatusCode != http.StatusBadRequest {
			t.Errorf("the page %q: %s", id, reply.Status)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for i := range mostPages + 5 {
		r := b.request("GET", fmt.Sprintf("/api/events?page=page-number-%06d", i), nil).WithContext(ctx)
		reply, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { reply.Body.Close() })
	}
	b.do("GET", "/api/state", nil, &b.state)
	if b.state.Pages > mostPages {
		t.Errorf("%d pages are open", b.state.Pages)
	}
}
