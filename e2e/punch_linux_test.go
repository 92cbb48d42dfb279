package e2e

import (
	"fmt"
	"testing"
	"time"
)

// someTime is for a file of this size between homes that are not limited, on a
// machine that does much else at the same time.
const (
	someSize = 20_000_000
	someTime = time.Minute
)

// wantMet wants a file to travel over a path of that kind, past the helper, which
// may have more ports.
func (w *homes) wantMet(from, to *host, helper, path string, more ...string) *transfer {
	w.t.Helper()
	w.racing = true
	w.helper.startHelper(more...)
	if path == "punched" {
		w.onlyUDP()
	}
	x := w.bySend(from, to, helper, w.file("film", someSize))
	x.wantDelivered(someTime)
	x.sender.wantSaid("connected: " + path)
	x.receiver.wantSaid("connected: " + path)
	w.wantNoData()
	return x
}

// TestRoutersChoosePorts shows that the kernel's NATs are what these tests take
// them for.
func TestRoutersChoosePorts(t *testing.T) {
	t.Parallel()
	const inside = 5000
	same := func(p [3]uint16) bool { return p[0] == p[1] && p[1] == p[2] }
	for _, c := range []struct {
		name, nat string
		is        func(p [3]uint16) bool
	}{
		{"kept", keepsPort, func(p [3]uint16) bool { return same(p) && p[0] == inside }},
		{"changed", highPorts, func(p [3]uint16) bool { return same(p) && p[0] != inside }},
		{"random", random, func(p [3]uint16) bool { return p[0] != p[1] || p[1] != p[2] }},
		{"fully random", allRandom, func(p [3]uint16) bool { return p[0] != p[1] || p[1] != p[2] }},
		{"in order", inOrder(), func(p [3]uint16) bool { return p[1] == p[0]+1 && p[2] == p[0]+2 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newHomes(t, c.nat)
			a := w.a.udp(fmt.Sprintf("192.168.1.2:%d", inside))
			var seen [3]uint16
			for i := range seen {
				at := fmt.Sprintf("203.0.113.10:%d", 6000+i)
				to := w.helper.udp(at)
				post(t, a, at, "question")
				seen[i] = wantPost(t, to, "question").Port()
			}
			if !c.is(seen) {
				t.Errorf("three destinations see the ports %v", seen)
			}
		})
	}
}

// TestThroughEveryNAT has what the kernel makes of ports on both sides. Both
// ways: who sends chooses the path and begins a moment later.
func TestThroughEveryNAT(t *testing.T) {
	t.Parallel()
	var (
		plain     = home{}
		mobile    = home{carrier: true}
		one, two  = []string(nil), []string{"4001"}
		careless  = home{open: true}
		ordered   = home{nat: inOrder()}
		symmetric = home{nat: allRandom}
	)
	for _, c := range []struct {
		name   string
		a, b   home
		helper []string // its further ports: with one both sides know what their NATs do
	}{
		{"port changed, port changed", home{nat: highPorts}, home{nat: highPorts}, one},
		{"carrier, plain", mobile, plain, one},
		{"plain, carrier", plain, mobile, one},
		{"carrier, carrier", mobile, mobile, one},
		{"no filter, plain", careless, plain, one},
		{"plain, no filter", plain, careless, one},
		{"random, plain", home{nat: random}, plain, one},
		{"plain, random", plain, home{nat: random}, one},
		{"random, port changed", home{nat: random}, home{nat: highPorts}, one},
		{"fully random, plain", symmetric, plain, two},
		{"plain, fully random", plain, symmetric, two},
		{"fully random, carrier", symmetric, mobile, two},
		{"carrier that is fully random, plain", home{carrier: true, shared: allRandom}, plain, two},
		{"plain, carrier that is fully random", plain, home{carrier: true, shared: allRandom}, two},
		{"in order, plain", ordered, plain, two},
		{"plain, in order", plain, ordered, two},
		{"in order, in order", ordered, ordered, two},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newHomesOf(t, c.a, c.b)
			w.wantMet(w.a, w.b, helperAddr4, "punched", c.helper...)
		})
	}
}

// TestPublicMachineThroughEveryNAT: one side has no NAT at all.
func TestPublicMachineThroughEveryNAT(t *testing.T) {
	t.Parallel()
	for _, role := range []string{"sender", "receiver"} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			w := newHomesOf(t, home{nat: allRandom}, home{nat: allRandom})
			m := w.host("m")
			m.plug(w.public, "eth0", "203.0.113.50/24")
			from, to := w.a, m
			if role == "sender" {
				from, to = m, w.a
			}
			w.racing = true
			w.helper.startHelper()
			w.bySend(from, to, helperAddr4, w.file("film", someSize)).wantDelivered(someTime)
			w.wantNoData()
		})
	}
}
