package qft

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"qft/internal/rendezvous"
	"qft/internal/udp"
)

// TestHelperHasSeveralPorts: each answers, and names the others.
func TestHelperHasSeveralPorts(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	ports := []uint16{freeUDP(t), freeUDP(t)}
	ready := make(chan []uint16, 1)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- Helper(ctx, HelperConfig{Ports: ports, NoTCP: true, Ready: func(p []uint16) { ready <- p }})
	}()
	if got := <-ready; !slices.Equal(got, ports) {
		t.Fatalf("the ports are %v, want %v", got, ports)
	}
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
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func freeUDP(t *testing.T) uint16 {
	t.Helper()
	c, err := net.ListenPacket("udp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return netip.MustParseAddrPort(c.LocalAddr().String()).Port()
}

// TestOneControlHasAllHelpersDrain: those that run, and one that begins later.
func TestOneControlHasAllHelpersDrain(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	var c HelperControl
	ready, ended := make(chan struct{}, 2), make(chan error)
	start := func() {
		go func() {
			ended <- Helper(t.Context(), HelperConfig{NoTCP: true, Control: &c, Ready: func([]uint16) { ready <- struct{}{} }})
		}()
	}
	start()
	start()
	<-ready
	<-ready
	c.Reload(HelperRules{Joins: 1})
	c.Drain()
	start()
	for range 3 {
		if err := <-ended; err != nil {
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
