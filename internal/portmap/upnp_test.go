package portmap

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func upnp(port uint16, tcp bool) Mapping {
	return Mapping{Outside: netip.AddrPortFrom(netip.MustParseAddr("203.0.113.9"), port), TCP: tcp, By: ByUPnP}
}

func TestUPnPOpensAndCloses(t *testing.T) {
	for _, kind := range []string{serviceWAN1, serviceWAN2, servicePPP} {
		t.Run(kind, func(t *testing.T) {
			r := newFakeRouter(t)
			r.kinds = []string{serviceWall, kind}
			m, found := r.mapper(Config{TCP: true})
			if got := <-found; !slices.Equal(got, []Mapping{upnp(4000, false), upnp(4000, true)}) {
				t.Fatalf("found %v", got)
			}
			r.wantOpen(map[string]string{"UDP 4000": "127.0.0.1:4000 for 1200", "TCP 4000": "127.0.0.1:4000 for 1200"})
			m.Close()
			r.wantOpen(map[string]string{})
		})
	}
}

func TestUPnPTakesAnotherPortWhereTheFirstIsTaken(t *testing.T) {
	r := newFakeRouter(t)
	r.kinds, r.taken = []string{serviceWAN1}, map[string]bool{"4000": true}
	m, found := r.mapper(Config{})
	got := <-found
	if len(got) != 1 || got[0].Outside.Port() == 4000 {
		t.Fatalf("found %v", got)
	}
	m.Close()
	r.wantOpen(map[string]string{})
}

func TestUPnPWithoutLeases(t *testing.T) {
	r := newFakeRouter(t)
	r.kinds, r.noLeases = []string{serviceWAN1}, true
	m, found := r.mapper(Config{})
	<-found
	r.wantOpen(map[string]string{"UDP 4000": "127.0.0.1:4000 for 0"})
	m.Close()
	r.wantOpen(map[string]string{})
}

func TestUPnPBehindAnotherNATOpensNothing(t *testing.T) {
	r := newFakeRouter(t)
	r.kinds, r.address = []string{serviceWAN1}, "100.64.0.9"
	a := r.wantNothing(t)
	if !a.Speaks || !strings.Contains(a.Said, "100.64.0.9 is not public") {
		t.Errorf("answer %+v", a)
	}
}

func TestUPnPErrorsAreTold(t *testing.T) {
	r := newFakeRouter(t)
	r.kinds, r.faults = []string{serviceWAN1}, map[string]int{"AddPortMapping": 606}
	if a := r.wantNothing(t); a.Said != "error 606: Because" {
		t.Errorf("answer %+v", a)
	}
}

// wantNothing asks the router by UPnP alone, and returns what it said.
func (r *fakeRouter) wantNothing(t *testing.T) Answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dev, a := find(ctx, r.gateway())
	if dev != nil {
		if err := dev.pin(ctx, 4000, new(pin)); err == nil {
			t.Fatal("it has opened a port")
		} else {
			a.Said = reason(err)
		}
	}
	r.wantOpen(map[string]string{})
	return a
}

// TestNobodyElseIsAsked: whatever a router says, requests go to its own address
// only.
func TestNobodyElseIsAsked(t *testing.T) {
	var asked atomic.Int32
	victim := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	victim.Listener.Close()
	l, err := listenOn("127.0.0.2:0")
	if err != nil {
		t.Skipf("needs a second address of loopback: %v", err)
	}
	victim.Listener = l
	victim.Start()
	defer victim.Close()

	for name, set := range map[string]func(r *fakeRouter){
		"location":            func(r *fakeRouter) { r.location = victim.URL + "/desc.xml" },
		"location by name":    func(r *fakeRouter) { r.location = strings.Replace(victim.URL, "127.0.0.2", "localhost", 1) },
		"location with user":  func(r *fakeRouter) { r.location = strings.Replace(r.http.URL, "//", "//a:b@", 1) + "/desc.xml" },
		"location of a file":  func(r *fakeRouter) { r.location = "file://127.0.0.1/etc/passwd" },
		"location over TLS":   func(r *fakeRouter) { r.location = strings.Replace(r.http.URL, "http:", "https:", 1) },
		"no location":         func(r *fakeRouter) { r.location = "x y" },
		"URLBase":             func(r *fakeRouter) { r.base = victim.URL },
		"control":             func(r *fakeRouter) { r.control = victim.URL + "/ctl" },
		"redirected document": func(r *fakeRouter) { r.description = redirect(victim.URL) },
		"redirected control": func(r *fakeRouter) {
			r.control = "/moved"
			r.http.Config.Handler.(*http.ServeMux).HandleFunc("/moved", redirect(victim.URL))
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newFakeRouter(t)
			r.kinds = []string{serviceWAN1}
			set(r)
			// All answers are there as soon as the search is: nothing waits.
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			u, ok := parseLocation([]byte(r.searched()))
			if !ok {
				return
			}
			dev, err := openDevice(ctx, r.gateway(), u)
			if err == nil {
				err = dev.pin(ctx, 4000, new(pin))
			}
			if err == nil {
				t.Error("believed")
			}
			if n := asked.Load(); n != 0 {
				t.Errorf("somebody else was asked %d times", n)
			}
		})
	}
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		http.Redirect(w, q, to, http.StatusTemporaryRedirect)
	}
}

// TestEndlessAnswers: a router that never ends its document is left after
// maxDocument.
func TestEndlessAnswers(t *testing.T) {
	for name, chunk := range map[string]string{
		"spaces": strings.Repeat(" ", 4096),
		"depth":  strings.Repeat("<device>", 512),
		"text":   strings.Repeat("x", 4096),
	} {
		t.Run(name, func(t *testing.T) {
			r := newFakeRouter(t)
			r.description = func(w http.ResponseWriter, q *http.Request) {
				w.Write([]byte("<root>"))
				for q.Context().Err() == nil {
					if _, err := w.Write([]byte(chunk)); err != nil {
						return
					}
				}
			}
			u, _ := parseLocation([]byte(r.searched()))
			if _, err := openDevice(t.Context(), r.gateway(), u); err == nil {
				t.Error("believed")
			}
		})
	}
}

// TestSlowAnswers: a router that answers never keeps nobody: the search ends
// with its context.
func TestSlowAnswers(t *testing.T) {
	r := newFakeRouter(t)
	ctx, cancel := context.WithCancel(t.Context())
	r.description = func(_ http.ResponseWriter, q *http.Request) {
		cancel() // as when the 3 s are over
		<-q.Context().Done()
	}
	if dev, _ := find(ctx, r.gateway()); dev != nil {
		t.Error("found a device")
	}
}

func TestOthersAnswersToTheSearchAreIgnored(t *testing.T) {
	r := newFakeRouter(t)
	g := r.gateway()
	g.Router = netip.MustParseAddr("127.0.0.3") // is not who answers
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := r.listen()
	done := make(chan struct{})
	go func() {
		defer close(done)
		hear(ctx, c, g, make(chan *url.URL))
	}()
	for range 100 {
		r.search.WriteToUDPAddrPort([]byte(r.searched()), netip.AddrPortFrom(loopback, portOf(c)))
	}
	cancel()
	c.Close()
	<-done // would hang on the channel that nobody reads, had it believed
}

func FuzzSearchAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nST: InternetGatewayDevice\r\nLOCATION: http://192.168.1.1:5000/d\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nST: InternetGatewayDevice\r\nLOCATION: http://[fe80::1%25eth0]:5000/d\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		u, ok := parseLocation(b)
		if !ok {
			return
		}
		wantOwn(t, u)
	})
}

// wantOwn wants an address to be refused or to be the router's.
func wantOwn(t *testing.T, u *url.URL) {
	t.Helper()
	for _, g := range []Gateway{
		{Router: netip.MustParseAddr("192.168.1.1"), Local: home},
		{Router: netip.MustParseAddr("fe80::1%eth0"), Local: home6},
	} {
		own, err := ownURL(g, u)
		if err != nil {
			continue
		}
		at, err := netip.ParseAddrPort(own.Host)
		if err != nil || at.Addr() != g.Router.WithZone("") || own.Scheme != "http" || own.User != nil {
			t.Errorf("%v becomes %v", u, own)
		}
	}
}

func FuzzDescription(f *testing.F) {
	r := &fakeRouter{kinds: []string{serviceWAN1, serviceWall}, control: "/ctl"}
	f.Add(r.describe())
	r.base = "http://192.168.1.1:99/"
	f.Add(r.describe())
	f.Fuzz(func(t *testing.T, text string) {
		location, _ := url.Parse("http://192.168.1.1:5000/d")
		root, err := parseDescription(strings.NewReader(text), location)
		if err != nil {
			return
		}
		for _, g := range []Gateway{
			{Router: netip.MustParseAddr("192.168.1.1"), Local: home},
			{Router: netip.MustParseAddr("fe80::1%eth0"), Local: home6},
		} {
			d, err := pick(g, root, newClient(g))
			if err != nil {
				continue
			}
			if d.firewall != nil {
				wantOwn(t, &d.firewall.SOAPClient.EndpointURL)
			}
		}
	})
}

// answers stands in for a router's HTTP.
type answers func(action string) (status int, body string)

func (f answers) RoundTrip(q *http.Request) (*http.Response, error) {
	// The name is in capitals, as some routers want it, so Get would not find it.
	action := ""
	for name, values := range q.Header {
		if strings.EqualFold(name, "SOAPAction") {
			_, action, _ = strings.Cut(strings.Trim(values[0], `"`), "#")
		}
	}
	status, body := f(action)
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1, Request: q}, nil
}

// control is a device of which every action is answered by f.
func control(t testing.TB, g Gateway, f answers) *device {
	location, _ := url.Parse("http://" + netip.AddrPortFrom(g.Router.WithZone(""), 5000).String() + "/d")
	r := &fakeRouter{kinds: []string{serviceWAN1, serviceWall}, control: "/ctl"}
	root, err := parseDescription(strings.NewReader(r.describe()), location)
	if err != nil {
		t.Fatal(err)
	}
	d, err := pick(g, root, &http.Client{Transport: bounded{f}})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func soapAnswer(action, body string) string {
	return `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><u:` + action + `Response xmlns:u="x">` + body + `</u:` + action + `Response></s:Body></s:Envelope>`
}

func TestOutsideAddressesThatAreNotBelieved(t *testing.T) {
	g := Gateway{Router: netip.MustParseAddr("192.168.1.1"), Local: home}
	for _, address := range []string{"", "0.0.0.0", "127.0.0.1", "192.168.1.9", "10.0.0.1", "224.0.0.1", "255.255.255.255", "::1", "2001:db8::1", "fe80::1", "router.example", "1.2.3.4.5", strings.Repeat("9", 1000)} {
		asked := ""
		d := control(t, g, func(action string) (int, string) {
			asked += action + " "
			return 200, soapAnswer(action, "<NewExternalIPAddress>"+address+"</NewExternalIPAddress>")
		})
		if err := d.pin(t.Context(), 4000, new(pin)); err == nil || len(reason(err)) > 130 {
			t.Errorf("%q was believed: %v", address, err)
		}
		if asked != "GetExternalIPAddress " {
			t.Errorf("%q: asked for %s", address, asked)
		}
	}
}

// FuzzControl: whatever a router answers to every action, what counts as open
// is a public address, and few requests are made.
func FuzzControl(f *testing.F) {
	f.Add(200, soapAnswer("GetExternalIPAddress", "<NewExternalIPAddress>203.0.113.9</NewExternalIPAddress>"))
	f.Add(200, soapAnswer("AddPinhole", "<UniqueID>70000</UniqueID>"))
	f.Add(500, "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><s:Fault><detail><UPnPError><errorCode>718</errorCode></UPnPError></detail></s:Fault></s:Body></s:Envelope>")
	f.Fuzz(func(t *testing.T, status int, body string) {
		for _, g := range []Gateway{
			{Router: netip.MustParseAddr("192.168.1.1"), Local: home},
			{Router: netip.MustParseAddr("fe80::1%eth0"), Local: home6},
		} {
			requests := 0
			d := control(t, g, func(action string) (int, string) {
				if requests++; action == "GetExternalIPAddress" && requests%2 == 0 {
					return 200, soapAnswer(action, "<NewExternalIPAddress>203.0.113.9</NewExternalIPAddress>")
				}
				return status, body
			})
			p := new(pin)
			if err := d.pin(t.Context(), 4000, p); err == nil && (!public(p.outside.Addr()) || p.outside.Port() == 0) {
				t.Errorf("open at %v", p.outside)
			}
			_ = d.renew(t.Context(), 4000, p)
			d.close([]*pin{p})
			if requests > 20 {
				t.Errorf("%d requests", requests)
			}
		}
	})
}

// TestWhatARouterSaysNothingAboutIsClosed: the answer to AddPortMapping is lost,
// and the port is open.
func TestWhatARouterSaysNothingAboutIsClosed(t *testing.T) {
	r := newFakeRouter(t)
	r.kinds, r.dropped = []string{serviceWAN1}, "AddPortMapping"
	m, _ := r.mapper(Config{})
	<-m.Searched()
	m.Close()
	r.wantOpen(map[string]string{})
	if !slices.Contains(r.actions, "AddPortMapping") {
		t.Errorf("asked for %v", r.actions)
	}
}

// TestSomebodyElsesPortIsLeftAlone: what the router has refused to us is not
// closed, whenever we go.
func TestSomebodyElsesPortIsLeftAlone(t *testing.T) {
	r := newFakeRouter(t)
	r.kinds, r.faults = []string{serviceWAN1}, map[string]int{"AddPortMapping": codeConflict}
	dev, _ := find(t.Context(), r.gateway())
	p := new(pin)
	if err := dev.pin(t.Context(), 4000, p); code(err) != codeConflict {
		t.Fatal(err)
	}
	dev.close([]*pin{p})
	if slices.Contains(r.actions, "DeletePortMapping") {
		t.Errorf("asked for %v", r.actions)
	}
}
