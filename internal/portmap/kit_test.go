package portmap

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

var loopback = netip.MustParseAddr("127.0.0.1")

// fakeRouter is a router on loopback. What is nil or empty is missing in it.
type fakeRouter struct {
	t        *testing.T
	udp      *net.UDPConn // PCP and NAT-PMP
	search   *net.UDPConn
	http     *httptest.Server
	location string // told to who searches; if empty, of http

	kinds       []string // services
	base        string   // URLBase of the description
	control     string   // where the services are controlled
	description func(http.ResponseWriter, *http.Request)
	address     string                // outside
	taken       map[string]bool       // outside ports that are somebody else's
	faults      map[string]int        // action: number of the error
	noLeases    bool                  // knows mappings without an end only
	dropped     string                // the action that is done, and not answered
	speaks      func([]byte) [][]byte // answers of PCP and NAT-PMP

	begin   sync.Once
	mu      sync.Mutex
	open    map[string]string // "UDP 4000": to where, for how long
	actions []string
}

const (
	serviceWAN1 = "urn:schemas-upnp-org:service:WANIPConnection:1"
	serviceWAN2 = "urn:schemas-upnp-org:service:WANIPConnection:2"
	servicePPP  = "urn:schemas-upnp-org:service:WANPPPConnection:1"
	serviceWall = "urn:schemas-upnp-org:service:WANIPv6FirewallControl:1"
)

func newFakeRouter(t *testing.T) *fakeRouter {
	r := &fakeRouter{t: t, open: make(map[string]string), address: "203.0.113.9", control: "/ctl"}
	r.udp, r.search = r.listen(), r.listen()
	mux := http.NewServeMux()
	mux.HandleFunc("/desc.xml", func(w http.ResponseWriter, q *http.Request) {
		if r.description != nil {
			r.description(w, q)
			return
		}
		io.WriteString(w, r.describe())
	})
	mux.HandleFunc("/ctl", r.act)
	r.http = httptest.NewServer(mux)
	t.Cleanup(r.http.Close)
	return r
}

func (r *fakeRouter) start() {
	go serve(r.search, func([]byte) [][]byte { return [][]byte{[]byte(r.searched())} })
	go serve(r.udp, func(b []byte) [][]byte {
		if r.speaks == nil {
			return nil
		}
		return r.speaks(b)
	})
}

func (r *fakeRouter) listen() *net.UDPConn {
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	return c
}

func serve(c *net.UDPConn, answer func([]byte) [][]byte) {
	b := make([]byte, 2000)
	for {
		n, from, err := c.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		for _, a := range answer(b[:n]) {
			c.WriteToUDPAddrPort(a, from)
		}
	}
}

func portOf(c *net.UDPConn) uint16 { return c.LocalAddr().(*net.UDPAddr).AddrPort().Port() }

// gateway is the router as the client knows it, which begins to answer with that.
func (r *fakeRouter) gateway() Gateway {
	r.begin.Do(r.start)
	return Gateway{Router: loopback, Local: loopback, Port: portOf(r.udp), Search: portOf(r.search)}
}

func (r *fakeRouter) searched() string {
	at := r.location
	if at == "" {
		at = r.http.URL + "/desc.xml"
	}
	return "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: " + targets[0] + "\r\nUSN: x\r\nEXT:\r\nSERVER: fake\r\nLOCATION: " + at + "\r\n\r\n"
}

func (r *fakeRouter) describe() string {
	var services strings.Builder
	for _, k := range r.kinds {
		fmt.Fprintf(&services, "<service><serviceType>%s</serviceType><controlURL>%s</controlURL></service>", k, r.control)
	}
	base := ""
	if r.base != "" {
		base = "<URLBase>" + r.base + "</URLBase>"
	}
	return `<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0">` + base +
		`<device><deviceList><device><deviceList><device><serviceList>` + services.String() +
		`</serviceList></device></deviceList></device></deviceList></device></root>`
}

var tag = regexp.MustCompile(`<([A-Za-z]+)>([^<]*)</`)

// act does what a service is asked for.
func (r *fakeRouter) act(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	_, action, _ := strings.Cut(strings.Trim(q.Header.Get("SOAPACTION"), `"`), "#")
	arg := make(map[string]string)
	for _, m := range tag.FindAllStringSubmatch(string(body), -1) {
		arg[m[1]] = m[2]
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.actions = append(r.actions, action)
	key := arg["NewProtocol"] + " " + arg["NewExternalPort"]
	answer := ""
	switch fault := r.faults[action]; {
	case fault != 0:
		r.fault(w, fault)
		return
	case action == "GetExternalIPAddress":
		answer = "<NewExternalIPAddress>" + r.address + "</NewExternalIPAddress>"
	case action == "AddPortMapping" && r.taken[arg["NewExternalPort"]]:
		r.fault(w, codeConflict)
		return
	case action == "AddPortMapping" && r.noLeases && arg["NewLeaseDuration"] != "0":
		r.fault(w, codePermanentOnly)
		return
	case action == "AddPortMapping":
		r.open[key] = arg["NewInternalClient"] + ":" + arg["NewInternalPort"] + " for " + arg["NewLeaseDuration"]
	case action == "DeletePortMapping":
		delete(r.open, key)
	}
	if action == r.dropped {
		panic(http.ErrAbortHandler)
	}
	fmt.Fprintf(w, `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><u:%sResponse xmlns:u="x">%s</u:%sResponse></s:Body></s:Envelope>`, action, answer, action)
}

func (r *fakeRouter) fault(w http.ResponseWriter, n int) {
	w.WriteHeader(500)
	fmt.Fprintf(w, `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail><UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>%d</errorCode><errorDescription>Because</errorDescription></UPnPError></detail></s:Fault></s:Body></s:Envelope>`, n)
}

func (r *fakeRouter) wantOpen(want map[string]string) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if fmt.Sprint(r.open) != fmt.Sprint(want) {
		r.t.Errorf("open at the router: %v, want %v", r.open, want)
	}
}

// mapper starts one at the router, and returns it with what it finds.
func (r *fakeRouter) mapper(cfg Config) (*Mapper, <-chan []Mapping) {
	found := make(chan []Mapping, 100)
	cfg.V4, cfg.UDP = true, true
	cfg.Port = 4000
	cfg.Gateways = func() []Gateway { return []Gateway{r.gateway()} }
	cfg.Found = func(m []Mapping) { found <- slices.Clone(m) }
	m := Start(context.Background(), cfg)
	r.t.Cleanup(m.Close)
	return m, found
}
