package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const metricsAt = "127.0.0.1:9464"

// wires has HTTP begin on the host.
func (h *host) wires() *http.Transport {
	return &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, addr string) (conn net.Conn, err error) {
			err = h.inside(func() error {
				conn, err = net.DialTimeout(network, addr, patience)
				return err
			})
			return conn, err
		},
	}
}

// page reads a page of a helper on the host: its status, and its text.
func (h *host) page(path string) (int, string) {
	h.w.t.Helper()
	c := http.Client{Timeout: patience, Transport: h.wires()}
	r, err := c.Get("http://" + metricsAt + path)
	if err != nil {
		h.w.t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		h.w.t.Fatal(err)
	}
	return r.StatusCode, string(text)
}

// wantPage waits until a page says so: a helper that has had no time for 2 s says
// that it is ill.
func (h *host) wantPage(path string, status int, text string) {
	h.w.t.Helper()
	eventually(h.w.t, patience, fmt.Sprintf("%s answers %d, %q", path, status, text), func() bool {
		s, got := h.page(path)
		return s == status && got == text
	})
}

// metric is what /metrics says of one figure.
func (h *host) metric(name string) float64 {
	h.w.t.Helper()
	var status int
	var text string
	eventually(h.w.t, patience, "/metrics answers", func() bool {
		status, text = h.page("/metrics")
		return status != http.StatusServiceUnavailable
	})
	m := regexp.MustCompile(`(?m)^qft_helper_` + name + ` (\S+)$`).FindStringSubmatch(text)
	if status != http.StatusOK || m == nil {
		h.w.t.Fatalf("/metrics answers %d without %s:\n%s", status, name, text)
	}
	v, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		h.w.t.Fatal(err)
	}
	return v
}

// wantMetric waits until /metrics says so.
func (h *host) wantMetric(name string, value float64) {
	h.w.t.Helper()
	eventually(h.w.t, patience, fmt.Sprintf("%s is %v", name, value), func() bool { return h.metric(name) == value })
}

// write writes a file of the world's, and returns its path.
func (w *world) write(name, text string) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// operate starts a helper that ends with the test.
func (h *host) operate(args ...string) *proc {
	h.w.t.Helper()
	p := h.qft(append([]string{"helper"}, args...)...)
	p.wantSay(patience, "/healthz") // said last
	h.w.t.Cleanup(func() {
		if p.running() {
			p.signal(syscall.SIGINT)
			p.wantEnd(patience, 0)
		}
		h.w.wantSecret(p)
	})
	return p
}

// TestHelperIsOperated is what an operator does in a day: looks at it, changes
// its settings, gets one wrong, and has users on each port meet meanwhile.
func TestHelperIsOperated(t *testing.T) {
	t.Parallel()
	w := newPair(t)
	config := w.write("helper.conf", "# ours\nports = 4000 4001\nmembers = 10\nlog-format = json\n")
	h := w.a.operate("--config", config, "--verbose", "--drain", "10m")
	f := w.file("letter", 1<<20)
	s := w.a.qft("send", f.path, "--helper", pairHelper)
	code := w.learn(s)
	w.a.wantMetric("members", 1)
	w.a.wantPage("/healthz", http.StatusOK, "ok\n")
	if status, _ := w.a.page("/"); status != http.StatusNotFound {
		t.Errorf("/ answers %d", status)
	}
	for _, name := range []string{"joins_total", "udp_received_packets_total", "busy_seconds_total"} {
		if w.a.metric(name) <= 0 {
			t.Errorf("%s is %v", name, w.a.metric(name))
		}
	}

	w.write("helper.conf", "ports = 4000 4001\nmembers = 10\njoins = a few\n")
	h.signal(syscall.SIGHUP)
	h.wantSay(patience, "nothing is reloaded")
	h.wantSay(patience, "helper.conf:3: joins: ")

	w.write("helper.conf", "ports = 4000 4002\njoins = 5\n")
	h.signal(syscall.SIGHUP)
	h.wantSay(patience, "limits and secrets are reloaded")
	h.wantSay(patience, "takes effect at the next start only")

	x := &transfer{t: t, file: f, target: w.folder() + "/letter", sender: s}
	x.receiver = w.b.qft("receive", code, "-o", x.target, "--helper", "192.0.2.1:4001")
	x.wantDelivered(bigTime)
	w.a.wantMetric("members", 0)
	h.signal(syscall.SIGTERM)
	h.wantEnd(patience, 0)
	for line := range strings.Lines(h.err.text()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON in the log: %s", line)
		}
	}
	if strings.Contains(h.err.text(), "192.0.2.2") {
		t.Error("the log has the address of a user")
	}
	h.wantSaid("member joined", "member left", "helper ends")
}

func TestHelperLogsAddressesWhenAsked(t *testing.T) {
	t.Parallel()
	w := newPair(t)
	h := w.a.operate(helperPort, "--verbose", "--log-addresses")
	w.b.qft("send", w.file("x", 10).path, "--helper", pairHelper)
	h.wantSay(patience, "address=192.0.2.2:")
}

// TestHelperDrains: who waits may still be met, nobody new is let in.
func TestHelperDrains(t *testing.T) {
	t.Parallel()
	w := newPair(t)
	h := w.a.operate(helperPort, "--drain", "10m")
	f := w.file("letter", 1<<20)
	s := w.a.qft("send", f.path, "--helper", pairHelper)
	code := w.learn(s)
	h.signal(syscall.SIGTERM)
	h.wantSay(patience, "helper drains")
	w.a.wantPage("/healthz", http.StatusServiceUnavailable, "draining\n")
	w.a.wantMetric("draining", 1)
	late := w.b.qft("send", f.path, "--helper", pairHelper)
	late.wantEnd(patience, 8)
	x := &transfer{t: t, file: f, target: w.folder() + "/letter", sender: s}
	x.receiver = w.b.qft("receive", code, "-o", x.target, "--helper", pairHelper)
	x.wantDelivered(bigTime)
	h.wantEnd(patience, 0)
}

func TestHelperDrainsForSoLong(t *testing.T) {
	t.Parallel()
	w := newPair(t)
	h := w.a.operate(helperPort, "--drain", "2s")
	w.learn(w.a.qft("send", w.file("x", 10).path, "--helper", pairHelper))
	began := time.Now()
	h.signal(syscall.SIGTERM)
	h.wantEnd(patience, 0)
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("it ended after %v, with somebody there", took)
	}
	again := w.a.operate(helperPort, "--drain", "10m")
	w.a.wantMetric("members", 1) // by itself
	again.signal(syscall.SIGTERM)
	again.wantSay(patience, "helper drains")
	again.signal(syscall.SIGTERM)
	again.wantEnd(patience, 0)
}

// TestHelperIsPrivate: who does not know the secret is told so; secrets are
// replaced while it runs.
func TestHelperIsPrivate(t *testing.T) {
	t.Parallel()
	w := newPair(t)
	const first, second = "0123456789abcdef first", "fedcba9876543210 second"
	secret := w.write("secret", "# of today\n"+first+"\n")
	h := w.a.operate(helperPort, "--secret-file", secret)
	f := w.file("letter", 1000)
	for _, env := range [][]string{nil, {"QFT_HELPER_SECRET=" + second}} {
		p := w.b.launch(launch{args: []string{"send", f.path, "--helper", pairHelper}, env: env})
		p.wantEnd(patience, 8)
		p.wantSaid("private", "QFT_HELPER_SECRET")
	}
	w.a.wantMetric("members", 0)
	meet := func(secret string) {
		t.Helper()
		s := w.a.launch(launch{args: []string{"send", f.path, "--helper", pairHelper}, env: []string{"QFT_HELPER_SECRET=" + secret}})
		code := w.learn(s)
		x := &transfer{t: t, file: f, target: w.folder() + "/letter", sender: s}
		x.receiver = w.b.qft("receive", code, "-o", x.target, "--helper", pairHelper, "--helper-secret-file", w.write("mine", secret+"\n"))
		x.wantDelivered(bigTime)
	}
	meet(first)
	w.write("secret", second+"\n")
	h.signal(syscall.SIGHUP)
	h.wantSay(patience, "reloaded")
	meet(second)
	p := w.b.launch(launch{args: []string{"send", f.path, "--helper", pairHelper}, env: []string{"QFT_HELPER_SECRET=" + first}})
	p.wantEnd(patience, 8)
	if log := h.err.text(); strings.Contains(log, first) || strings.Contains(log, second) {
		t.Error("a secret is in the log")
	}
}

// balancer is a UDP load balancer that hides addresses and tells them by PROXY
// protocol: it has a socket of its own for each client.
func (h *host) balancer(at, helper string) {
	h.w.t.Helper()
	front := h.udp(at)
	to := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(helper))
	self := netip.MustParseAddrPort(at)
	back := make(map[netip.AddrPort]*net.UDPConn)
	var reading sync.WaitGroup
	reading.Go(func() {
		b := make([]byte, 2048)
		for {
			n, from, err := front.ReadFromUDPAddrPort(b)
			if err != nil {
				return // closed at the end of the test
			}
			c := back[from]
			if c == nil {
				err := h.inside(func() (err error) {
					c, err = net.DialUDP("udp4", nil, to)
					return err
				})
				if err != nil {
					return
				}
				back[from] = c
				go relay(c, front, from)
			}
			c.Write(append(proxyHeader(from, self), b[:n]...))
		}
	})
	h.w.t.Cleanup(func() {
		front.Close()
		reading.Wait()
		for _, c := range back {
			c.Close()
		}
	})
}

func relay(from, through *net.UDPConn, to netip.AddrPort) {
	b := make([]byte, 2048)
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		through.WriteToUDPAddrPort(b[:n], to)
	}
}

// proxyHeader is of PROXY protocol version 2, for UDP over IPv4.
func proxyHeader(from, to netip.AddrPort) []byte {
	b := append([]byte("\r\n\r\n\x00\r\nQUIT\n"), 0x21, 0x12, 0, 12)
	b = append(b, from.Addr().Unmap().AsSlice()...)
	b = append(b, to.Addr().Unmap().AsSlice()...)
	b = binary.BigEndian.AppendUint16(b, from.Port())
	return binary.BigEndian.AppendUint16(b, to.Port())
}

// TestHelperBehindBalancer: two machines meet through a load balancer, since
// the helper tells them their own addresses. Headers of others are not believed.
func TestHelperBehindBalancer(t *testing.T) {
	t.Parallel()
	w := newPair(t)
	w.a.operate(helperPort, "--proxy-from", "127.0.0.1")
	const front = "192.0.2.1:5000"
	w.a.balancer(front, "127.0.0.1:4000")
	f := w.file("letter", 1<<20)
	s := w.a.qft("send", f.path, "--helper", front)
	code := w.learn(s)
	x := &transfer{t: t, file: f, target: w.folder() + "/letter", sender: s}
	x.receiver = w.b.qft("receive", code, "-o", x.target, "--helper", front)
	x.wantDelivered(bigTime)

	// A hello with a header from somewhere else, and one without from the
	// balancer.
	var hello crowd
	garbage := w.a.metric("garbage_total")
	packet := end(append(hello.begin(nil, 1, 1), make([]byte, helloBytes-cookieAt-4)...))
	forged := append(proxyHeader(netip.MustParseAddrPort("203.0.113.1:9"), netip.MustParseAddrPort(front)), packet...)
	c := w.b.udp("192.0.2.2:0")
	c.WriteToUDPAddrPort(forged, netip.MustParseAddrPort(pairHelper))
	w.a.wantMetric("garbage_total", garbage+1)
	l := w.a.udp("127.0.0.1:0")
	l.WriteToUDPAddrPort(packet, netip.MustParseAddrPort("127.0.0.1:4000"))
	w.a.wantMetric("bad_proxy_headers_total", 1)
	// And the answer to one that may have a header goes to who sent it.
	l.WriteToUDPAddrPort(forged, netip.MustParseAddrPort("127.0.0.1:4000"))
	l.SetReadDeadline(time.Now().Add(patience))
	b := make([]byte, 2000)
	n, _, err := l.ReadFromUDPAddrPort(b)
	if err != nil || n > len(packet) {
		t.Fatalf("answer of %d bytes, %v", n, err)
	}
	if got, want := observed(b[:n]), netip.MustParseAddrPort("203.0.113.1:9"); got != want {
		t.Errorf("the client is told the address %v, want %v", got, want)
	}
}

// observed is the address that a cookie tells.
func observed(b []byte) netip.AddrPort {
	var a [18]byte
	for i := range a {
		a[i] = b[27+i] ^ b[3+i%8]
	}
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte(a[:])).Unmap(), binary.BigEndian.Uint16(a[16:]))
}

func TestHelperWithoutItsMetricsPort(t *testing.T) {
	t.Parallel()
	w := newPair(t)
	w.a.operate(helperPort)
	second := w.a.operate("4001")
	second.wantSay(patience, "no /metrics and no /healthz")
	f := w.file("letter", 1000)
	s := w.a.qft("send", f.path, "--helper", "192.0.2.1:4001")
	x := &transfer{t: t, file: f, target: w.folder() + "/letter", sender: s}
	x.receiver = w.b.qft("receive", w.learn(s), "-o", x.target, "--helper", "192.0.2.1:4001")
	x.wantDelivered(bigTime)
}

// TestHelperBesideWebServer: one of its ports is somebody else's on TCP. The
// others serve people whose network blocks UDP.
func TestHelperBesideWebServer(t *testing.T) {
	t.Parallel()
	w := newPair(t)
	err := w.a.inside(func() error {
		l, err := net.Listen("tcp", ":4001")
		if err == nil {
			t.Cleanup(func() { l.Close() })
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	h := w.a.operate(helperPort, "4001")
	h.wantSay(patience, "helper does not listen on a port of TCP")
	h.wantSay(patience, `msg="helper is listening on TCP" ports=[4000]`)
}

// TestHelperInContainer runs it as the image of deploy/Dockerfile does: a root
// with nothing but the program, as nobody, on a port below 1024 as engines
// allow.
func TestHelperInContainer(t *testing.T) {
	t.Parallel()
	w := newPair(t)
	needTools(t, "chroot")
	bin, err := kit.qft()
	if err != nil {
		t.Fatal(err)
	}
	root := w.folder()
	if out, err := exec.Command("cp", bin, root+"/qft").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	w.a.sysctl("net/ipv4/ip_unprivileged_port_start", "0")
	h := w.a.start("helper in a container", []string{"chroot", "--userspec=65532:65532", root, "/qft", "helper", "443", helperPort, "--metrics", ":9464", "--drain", "10m"}, nil)
	h.wantSay(patience, "/healthz")
	f := w.file("letter", 1<<20)
	s := w.a.qft("send", f.path, "--helper", "192.0.2.1:443")
	x := &transfer{t: t, file: f, target: w.folder() + "/letter", sender: s}
	x.receiver = w.b.qft("receive", w.learn(s), "-o", x.target, "--helper", "192.0.2.1:443")
	x.wantDelivered(bigTime)
	if w.a.metric("joins_total") < 2 {
		t.Error("/metrics does not count")
	}
	h.signal(syscall.SIGTERM)
	h.wantEnd(patience, 0)
	if strings.Contains(h.err.text(), "ERROR") {
		t.Error("it complains")
	}
}

// TestUnit has systemd read the unit file, and judge how well the helper is
// locked in.
func TestUnit(t *testing.T) {
	needTools(t, "systemd-analyze")
	bin, err := kit.qft()
	if err != nil {
		t.Fatal(err)
	}
	unit, err := os.ReadFile("../deploy/systemd/qft-helper.service")
	if err != nil {
		t.Fatal(err)
	}
	const installed = "/usr/local/bin/qft"
	if !bytes.Contains(unit, []byte("ExecStart="+installed)) {
		t.Fatal("the unit starts something else")
	}
	path := filepath.Join(t.TempDir(), "qft-helper.service")
	if err := os.WriteFile(path, bytes.ReplaceAll(unit, []byte(installed), []byte(bin)), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("systemd-analyze", "verify", "--man=no", path).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("verify: %v\n%s", err, out)
	}
	out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", path).CombinedOutput()
	if strings.Contains(string(out), "unrecognized option") {
		t.Skip("this systemd-analyze is too old to judge a file")
	}
	if err != nil {
		t.Errorf("exposed more than 2.0 of 10: %v\n%s", err, out)
	}
}

// TestExampleSettings: the example file of deploy says what holds anyway, and
// is taken.
func TestExampleSettings(t *testing.T) {
	t.Parallel()
	w := newPair(t)
	text, err := os.ReadFile("../deploy/helper.conf")
	if err != nil {
		t.Fatal(err)
	}
	h := w.a.operate("--config", w.write("helper.conf", string(text)))
	h.wantSay(patience, "4277 443")
	listed := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^#?([a-z-]+) = `).FindAllStringSubmatch(string(text), -1) {
		listed[m[1]] = true
	}
	flags := map[string]bool{"ports": true}
	for _, m := range regexp.MustCompile(`(?m)^ +(?:-[a-z], )?--([a-z-]+) `).FindAllStringSubmatch(w.a.must(h.cmd.Args[4], "helper", "--help"), -1) {
		flags[m[1]] = true
	}
	delete(flags, "config")
	delete(flags, "help")
	if !maps.Equal(listed, flags) {
		t.Errorf("the example has %v, --help has %v", listed, flags)
	}
}
