package lab

import (
	"net/netip"
	"testing"
	"time"

	"qft/internal/udp"
)

// crier says something to everybody once, and counts what it hears.
type crier struct {
	to    netip.AddrPort
	said  bool
	heard []netip.AddrPort
}

func (c *crier) Receive(_ time.Time, p udp.Packet) { c.heard = append(c.heard, p.Remote) }
func (c *crier) Deadline() time.Time               { return time.Time{} }

func (c *crier) Send(_ time.Time, b *udp.Batch) {
	if !c.said && c.to.IsValid() {
		c.said = true
		b.Add(udp.To(c.to), []byte("hear, hear"))
	}
}

func TestEverybodyBelowOneRouterHears(t *testing.T) {
	group := netip.MustParseAddrPort("239.1.2.3:4278")
	w := New(1)
	home, other := w.Router(nil, RouterConfig{NAT: &NAT{}}), w.Router(nil, RouterConfig{NAT: &NAT{}})
	said := &crier{to: group}
	a := w.Host(home, HostConfig{Name: "a"})
	port := a.Bind(0, said)
	a.Hear(port, group)
	hears := func(parent *Router, listens bool) *crier {
		h, c := w.Host(parent, HostConfig{}), &crier{}
		if p := h.Bind(0, c); listens {
			h.Hear(p, group)
		}
		return c
	}
	beside := &crier{}
	a.Hear(a.Bind(0, beside), group)
	for _, c := range []struct {
		name  string
		m     *crier
		hears bool
	}{
		{"on the same network", hears(home, true), true},
		{"on the same machine", beside, true},
		{"itself", said, false},
		{"not listening", hears(home, false), false},
		{"on another network", hears(other, true), false},
		{"on the internet", hears(nil, true), false},
	} {
		w.Run(time.Second, nil)
		if got := len(c.m.heard) == 1; got != c.hears || len(c.m.heard) > 1 {
			t.Errorf("%s: heard %v", c.name, c.m.heard)
		}
		if c.hears && c.m.heard[0] != a.AddrPort(false, port) {
			t.Errorf("%s: it came from %v", c.name, c.m.heard[0])
		}
	}
}
