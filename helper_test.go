package qft

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"qft/internal/rendezvous"
	"qft/internal/stun"
	"qft/internal/udp"
)

// TestHelperHasSeveralPorts: each answers, and names the others.
func TestHelperHasSeveralPorts(t *testing.T) {
	t.Cleanup(func() { wantNoLeak(t) })
	ctx, stop := context.WithCancel(t.Context())
	ports, ended := helperAt(ctx, t, 2, HelperConfig{NoTCP: true})
	s, err := udp.Listen(udp.Config{Addr: netip.MustParseAddr("127.0.0.1")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	servers := []netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), ports[1])}
	c := rendezvous.NewClient(rendezvous.ClientConfig{Servers: servers, Room: rendezvous.NumberedRoom(0), Role: rendezvous.Sender})
	b := udp.NewBatch(1 << 16)
	for until := time.Now().Add(20 * time.Second); len(c.Observed()) < 2; {
		if time.Now().After(until) {
			t.Fatalf("observed by %v", c.Observed())
		}
		b.Reset()
		c.Send(time.Now(), b)
		if err := s.Write(b); err != nil {
			t.Fatal(err)
		}
		select {
		case r := <-s.Incoming():
			for p := range r.Packets() {
				c.Receive(time.Now(), p)
			}
			r.Release()
		case <-time.After(time.Until(c.Deadline())):
		}
	}
	stop()
	if err := next(t, "the end of a helper", ended); err != nil {
		t.Error(err)
	}
}

// TestAHelperThatIsListeningIsReachedByTCP: scripts wait for the line, and then
// for nothing else.
func TestAHelperThatIsListeningIsReachedByTCP(t *testing.T) {
	t.Cleanup(func() { wantNoLeak(t) })
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	heard := make(chan error, 1)
	log := slog.New(slog.NewTextHandler(onLine(func(line string) {
		_, rest, found := strings.Cut(line, `msg="helper is listening" ports=[`)
		if !found {
			return
		}
		port, _, _ := strings.Cut(rest, "]")
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
		}
		heard <- err
	}), nil))
	_, ended := helperAt(ctx, t, 1, HelperConfig{Log: log})
	select {
	case err := <-heard:
		if err != nil {
			t.Errorf("the helper says that it is listening, and then: %v", err)
		}
	default:
		t.Error("a helper that answers has not said that it is listening")
	}
	stop()
	if err := next(t, "the end of a helper", ended); err != nil {
		t.Error(err)
	}
}

// TestReloadIsToldOnceItHolds: operators wait for the line, and then for nothing
// else.
func TestReloadIsToldOnceItHolds(t *testing.T) {
	t.Cleanup(func() { wantNoLeak(t) })
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var control HelperControl
	reloaded := make(chan struct{}, 1)
	log := slog.New(slog.NewTextHandler(onLine(func(line string) {
		if strings.Contains(line, "secrets are reloaded") {
			reloaded <- struct{}{}
		}
	}), nil))
	ports, ended := helperAt(ctx, t, 1, HelperConfig{NoTCP: true, Log: log, Control: &control})
	control.Reload(HelperRules{Secrets: [][]byte{[]byte("a secret of some length")}})
	next(t, "the line that says so", reloaded)
	cfg := loopback(fmt.Sprintf("127.0.0.1:%d", ports[0]))
	cfg.Phrase = "7-acid-robot-zebra"
	if _, err := Receive(ctx, Target{Dir: t.TempDir()}, cfg); KindOf(err) != KindHelper || !strings.Contains(err.Error(), "private") {
		t.Errorf("without the secret: %v", err)
	}
	control.Drain() // says nothing of what was reloaded before
	if err := next(t, "the end of the helper", ended); err != nil {
		t.Error(err)
	}
	if len(reloaded) > 0 {
		t.Error("draining counts as reloading")
	}
}

// onLine is called with each line of a log, before whoever wrote it goes on.
type onLine func(line string)

func (f onLine) Write(line []byte) (int, error) {
	f(string(line))
	return len(line), nil
}

// helperAt runs a helper at n ports that were free a moment ago, and at others if
// somebody else has got them by then. It returns when the helper answers.
func helperAt(ctx context.Context, t *testing.T, n int, cfg HelperConfig) (ports []uint16, ended <-chan error) {
	t.Helper()
	for range 100 {
		ready, end := make(chan []uint16, 1), make(chan error, 1)
		cfg.Ports, cfg.Ready = freePorts(t, n), func(p []uint16) { ready <- p }
		go func() { end <- Helper(ctx, cfg) }()
		select {
		case got := <-ready:
			if !slices.Equal(got, cfg.Ports) {
				t.Fatalf("the ports are %v, want %v", got, cfg.Ports)
			}
			return cfg.Ports, end
		case err := <-end:
			if KindOf(err) != KindPort {
				t.Fatal(err)
			}
		}
	}
	t.Fatal("no port stays free")
	return nil, nil
}

// freePorts are free for UDP and for TCP.
func freePorts(t *testing.T, n int) (ports []uint16) {
	t.Helper()
	for len(ports) < n {
		c, err := net.ListenPacket("udp", ":0")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close() // at the end, so that they differ
		port := netip.MustParseAddrPort(c.LocalAddr().String()).Port()
		if l, err := net.Listen("tcp", fmt.Sprintf(":%d", port)); err == nil {
			l.Close()
			ports = append(ports, port)
		}
	}
	return ports
}

// TestOneControlHasAllHelpersDrain: those that run, and one that begins later.
func TestOneControlHasAllHelpersDrain(t *testing.T) {
	t.Cleanup(func() { wantNoLeak(t) })
	var c HelperControl
	ready, ended := make(chan struct{}, 2), make(chan error)
	start := func() {
		go func() {
			ended <- Helper(t.Context(), HelperConfig{NoTCP: true, Control: &c, Ready: func([]uint16) { ready <- struct{}{} }})
		}()
	}
	start()
	start()
	next(t, "a helper", ready)
	next(t, "another", ready)
	c.Reload(HelperRules{Joins: 1})
	c.Drain()
	start()
	for range 3 {
		if err := next(t, "the end of a helper", ended); err != nil {
			t.Error(err)
		}
	}
}

func TestWithinPrefixes(t *testing.T) {
	all := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("2001:db8::7/128")}
	for a, want := range map[string]bool{
		"10.1.2.3": true, "::ffff:10.1.2.3": true, "10.2.0.1": false,
		"fe80::1%eth0": true, "2001:db8::7": true, "2001:db8::8": false,
	} {
		if got := within(all, netip.MustParseAddr(a)); got != want {
			t.Errorf("within(%s) = %v", a, got)
		}
	}
}

// TestHelperAnswersFromItsAddress: from the one that was asked, where the system
// would take another, and over TCP nowhere else.
func TestHelperAnswersFromItsAddress(t *testing.T) {
	second := netip.MustParseAddr("127.0.0.2")
	if l, err := net.Listen("tcp", netip.AddrPortFrom(second, 0).String()); err != nil {
		t.Skipf("needs a second address of loopback: %v", err)
	} else {
		l.Close()
	}
	all := []netip.Addr{second}
	if l, err := net.Listen("tcp", "[::1]:0"); err == nil {
		l.Close()
		all = append(all, netip.MustParseAddr("::1"))
	}
	ctx, stop := context.WithCancel(t.Context())
	ports, ended := helperAt(ctx, t, 1, HelperConfig{Addresses: all})
	port := ports[0]
	for _, a := range all {
		to := netip.AddrPortFrom(a, port)
		c, err := net.ListenUDP("udp", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.WriteToUDPAddrPort(stun.AppendRequest(nil, stun.Tx{1}), to); err != nil {
			t.Fatal(err)
		}
		c.SetReadDeadline(time.Now().Add(20 * time.Second))
		n, from, err := c.ReadFromUDPAddrPort(make([]byte, 100))
		if err != nil || n == 0 || netip.AddrPortFrom(from.Addr().Unmap(), from.Port()) != to {
			t.Errorf("%v was asked, and %v answers: %v", to, from, err)
		}
		c.Close()
		l, err := net.Dial("tcp", to.String())
		if err != nil {
			t.Error(err)
			continue
		}
		l.Close()
	}
	if c, err := net.Dial("tcp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port).String()); err == nil {
		c.Close()
		t.Error("it is reached at another address")
	}
	stop()
	if err := next(t, "the end of a helper", ended); err != nil {
		t.Error(err)
	}
}

func TestAddressesOfAHelper(t *testing.T) {
	for text, want := range map[string]string{
		"": "invalid IP invalid IP", "1.2.3.4": "1.2.3.4 invalid IP", "2001:db8::1": "2001:db8::1 invalid IP",
		"1.2.3.4 2001:db8::1": "1.2.3.4 2001:db8::1", "2001:db8::1 ::ffff:1.2.3.4": "1.2.3.4 2001:db8::1",
		"1.2.3.4 1.2.3.5": "", "::1 ::2": "", "::1 1.2.3.4 ::2": "",
	} {
		var all []netip.Addr
		for _, s := range strings.Fields(text) {
			all = append(all, netip.MustParseAddr(s))
		}
		if got, err := helperAddresses(all); (err != nil) != (want == "") || err == nil && fmt.Sprint(got.first, got.six) != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

// TestTheClockMayBeSet: the server's time is the steady one, in both directions.
func TestTheClockMayBeSet(t *testing.T) {
	s, err := udp.Listen(udp.Config{Addr: netip.MustParseAddr("127.0.0.1"), Crowd: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	h := newHelper(HelperConfig{}, slog.New(slog.DiscardHandler), s)
	at, own := netip.MustParseAddrPort("192.0.2.1:4277"), udp.To(netip.MustParseAddrPort("198.51.100.1:5"))
	c := rendezvous.NewClient(rendezvous.ClientConfig{Servers: []netip.AddrPort{at}, Room: rendezvous.NumberedRoom(7), Role: rendezvous.Sender})
	b := udp.NewBatch(1 << 14)
	for range 3 { // hello, join, what is due to the member
		b.Reset()
		c.Send(time.Now(), b)
		for p := range b.All() {
			h.Receive(time.Now(), udp.Packet{Path: own, Data: slices.Clone(p.Data)})
		}
		b.Reset()
		h.Send(time.Now(), b)
		for p := range b.All() {
			c.Receive(time.Now(), udp.Packet{Path: udp.To(at), Data: slices.Clone(p.Data)})
		}
	}
	d := h.Deadline()
	if left := time.Until(d); h.Stats().Members != 1 || left <= 0 || left > time.Hour || !strings.Contains(d.String(), " m=") {
		t.Errorf("%d members, the next thing to do is at %v", h.Stats().Members, d)
	}
}
