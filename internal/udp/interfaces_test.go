package udp

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestUsableAddresses(t *testing.T) {
	for _, c := range []struct{ name, found, want string }{
		{"nothing", "", ""},
		{"private, public and unique local", "2001:db8::1 192.168.1.2 fd00::1 203.0.113.9 10.0.0.1",
			"10.0.0.1 192.168.1.2 203.0.113.9 2001:db8::1 fd00::1"},
		{"IPv6 link-local is left out", "fe80::1 192.168.1.2", "192.168.1.2"},
		{"IPv4 link-local beside others is left out", "169.254.3.4 fd00::1", "fd00::1"},
		{"IPv4 link-local alone is kept", "169.254.3.4 fe80::1", "169.254.3.4"},
		{"loopback, multicast, unspecified and broadcast", "127.0.0.1 ::1 224.0.0.1 ff02::1 0.0.0.0 :: 255.255.255.255", ""},
		{"mapped is IPv4", "::ffff:192.0.2.1", "192.0.2.1"},
		{"each once", "10.0.0.1 fd00::1 10.0.0.1", "10.0.0.1 fd00::1"},
	} {
		parse := func(list string) (all []netip.Addr) {
			for f := range strings.FieldsSeq(list) {
				all = append(all, netip.MustParseAddr(f))
			}
			return all
		}
		if got := usable(parse(c.found)); !slices.Equal(got, parse(c.want)) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestOnlyRunningInterfacesCount(t *testing.T) {
	const up, running = net.FlagUp, net.FlagRunning
	for flags, want := range map[net.Flags]bool{
		up | running:                        true,
		up | running | net.FlagPointToPoint: true, // a VPN
		up:                                  false,
		running:                             false,
		up | running | net.FlagLoopback:     false,
	} {
		if carries(flags) != want {
			t.Errorf("carries(%v) = %v", flags, !want)
		}
	}
}

func TestInterfacesOfThisMachine(t *testing.T) {
	got, err := Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Interfaces()
	if err != nil || !slices.Equal(got, again) {
		t.Errorf("two calls differ: %v, %v, %v", got, again, err)
	}
	for _, ip := range got {
		s, err := Listen(Config{Addr: ip}) // only own addresses can be bound
		if err != nil {
			t.Errorf("%v is not usable: %v", ip, err)
			continue
		}
		s.Close()
	}
}
