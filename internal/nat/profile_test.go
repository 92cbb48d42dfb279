package nat

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func TestProfile(t *testing.T) {
	for _, c := range []struct {
		name, seen string
		local      uint16
		want       string
	}{
		{"nobody has told", "", 4001, "0 0 invalid AddrPort"},
		{"IPv6 says nothing of it", "[2001:db8::1]:4001 [2001:db8::1]:4001", 4001, "0 0 invalid AddrPort"},
		{"one destination is not enough", "203.0.113.1:4001", 4001, "0 0 203.0.113.1:4001"},
		{"the same twice", "203.0.113.1:5000 203.0.113.1:5000", 4001, "1 0 203.0.113.1:5000"},
		{"no NAT", "203.0.113.1:4001 203.0.113.1:4001", 4001, "1 0 203.0.113.1:4001"},
		{"the inside port, then another", "203.0.113.1:4001 203.0.113.1:30111", 4001, "2 0 203.0.113.1:30111"},
		{"the inside port, then in a row", "203.0.113.1:4001 203.0.113.1:4002 203.0.113.1:4003", 4001, "2 0 203.0.113.1:4003"},
		{"in a row", "203.0.113.1:5000 203.0.113.1:5001", 4001, "3 1 203.0.113.1:5001"},
		{"one between, or two apart", "203.0.113.1:5000 203.0.113.1:5002", 4001, "3 1 203.0.113.1:5002"},
		{"in a row, two apart", "203.0.113.1:5000 203.0.113.1:5002 203.0.113.1:5004", 4001, "3 2 203.0.113.1:5004"},
		{"in a row, downwards", "203.0.113.1:5000 203.0.113.1:4999 203.0.113.1:4996", 4001, "3 -1 203.0.113.1:4996"},
		{"in a row, round the end", "203.0.113.1:65535 203.0.113.1:1024", 4001, "3 1 203.0.113.1:1024"},
		{"in a row, round the beginning", "203.0.113.1:1024 203.0.113.1:65534 203.0.113.1:65532", 4001, "3 -2 203.0.113.1:65532"},
		{"others were given one between", "203.0.113.1:5000 203.0.113.1:5003 203.0.113.1:5004", 4001, "3 1 203.0.113.1:5004"},
		{"others were given many between", "203.0.113.1:5000 203.0.113.1:5013", 4001, "3 1 203.0.113.1:5013"},
		{"two ports of one host share a mapping", "203.0.113.1:5000 203.0.113.1:5000 203.0.113.1:5001", 4001, "3 1 203.0.113.1:5001"},
		{"up and down", "203.0.113.1:5000 203.0.113.1:5003 203.0.113.1:5001", 4001, "4 0 203.0.113.1:5001"},
		{"far apart", "203.0.113.1:5000 203.0.113.1:5033", 4001, "4 0 203.0.113.1:5033"},
		{"no order", "203.0.113.1:5000 203.0.113.1:61000 203.0.113.1:2000", 4001, "4 0 203.0.113.1:2000"},
		{"a pool of addresses", "203.0.113.1:4001 203.0.113.2:4001", 4001, "4 0 203.0.113.2:4001"},
	} {
		var seen []netip.AddrPort
		for _, s := range strings.Fields(c.seen) {
			seen = append(seen, netip.MustParseAddrPort(s))
		}
		p := NewProfile(c.local, seen)
		if got := fmt.Sprint(byte(p.Mapping), p.Step, p.Last); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestProfileAfterAnother(t *testing.T) {
	at := func(m Mapping, addr string) Profile { return Profile{Mapping: m, Last: netip.MustParseAddrPort(addr)} }
	for _, c := range []struct{ earlier, now, want Profile }{
		{at(Preserving, "203.0.113.1:1"), at(Random, "203.0.113.1:2"), at(Preserving, "203.0.113.1:2")},
		{at(Preserving, "203.0.113.1:1"), at(Random, "203.0.113.9:2"), at(Random, "203.0.113.9:2")},
		{at(Preserving, "203.0.113.1:1"), at(Independent, "203.0.113.1:2"), at(Independent, "203.0.113.1:2")},
		{at(Sequential, "203.0.113.1:1"), at(Random, "203.0.113.1:2"), at(Random, "203.0.113.1:2")},
		{Profile{}, at(Random, "203.0.113.1:2"), at(Random, "203.0.113.1:2")},
	} {
		if got := c.now.After(c.earlier); got != c.want {
			t.Errorf("%v after %v is %v, want %v", c.now, c.earlier, got, c.want)
		}
	}
}

func TestSequenceGoesRound(t *testing.T) {
	p := Profile{Mapping: Sequential, Step: 2, Last: netip.MustParseAddrPort("203.0.113.1:65532")}
	for n, want := range map[int]uint16{0: 65532, 1: 65534, 2: 1024, 3: 1026, -1: 65530} {
		if got := p.nth(n).Port(); got != want {
			t.Errorf("%d after 65532 is %d, want %d", n, got, want)
		}
	}
	p = Profile{Mapping: Sequential, Step: -1, Last: netip.MustParseAddrPort("203.0.113.1:1025")}
	if got := p.nth(3).Port(); got != 65534 {
		t.Errorf("3 before 1025 is %d", got)
	}
}
