package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// newLAN is machines on one Ethernet segment, with these addresses: no router,
// no default route, no names, no helper. An empty address leaves a machine with
// what IPv6 gives itself.
func newLAN(t *testing.T, addrs ...string) (w *world, all []*host) {
	t.Helper()
	w = newWorld(t)
	lan := w.segment("lan")
	for i, a := range addrs {
		h := w.host(fmt.Sprintf("m%d", i))
		if a != "" {
			h.plug(lan, "eth0", a)
		} else {
			port := h.role + ".eth0"
			h.wire("eth0", lan, port)
			lan.ip("link set dev " + port + " master lan")
		}
		all = append(all, h)
	}
	return w, all
}

// direct sends a file without a helper; at is where the receiver is told that
// the sender listens; empty: nothing is said.
func (w *world) direct(from, to *host, f file, at string, flags ...string) *transfer {
	w.t.Helper()
	x := &transfer{t: w.t, file: f, target: filepath.Join(w.folder(), filepath.Base(f.path))}
	x.sender = from.qft(append([]string{"send", f.path}, flags...)...)
	code := w.learn(x.sender)
	if at != "" {
		code += "@" + at
	}
	x.receiver = to.qft("receive", code, "-o", x.target)
	return x
}

// TestNeighboursNeedNoHelper, whatever addresses they have.
func TestNeighboursNeedNoHelper(t *testing.T) {
	for _, c := range []struct{ name, a, b string }{
		{"IPv4", "192.168.1.2/24", "192.168.1.3/24"},
		{"unconfigured IPv4", "169.254.1.2/16", "169.254.1.3/16"},
		{"IPv6", "fd00::2/64", "fd00::3/64"},
		{"link-local only", "", ""},
		{"one has IPv6 only", "192.168.1.2/24", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, m := newLAN(t, c.a, c.b)
			x := w.direct(m[0], m[1], w.file("near", 20<<20), "")
			x.wantDelivered(time.Minute)
			x.sender.wantSaid("no helper is set", "qft receive CODE@HOST")
			x.receiver.wantSaid("looking on this network only: no helper is set", "connected: LAN")
		})
	}
}

func TestOneMachineWithoutANetworkNeedsNoHelper(t *testing.T) {
	w := newWorld(t)
	m := w.host("m")
	x := w.direct(m, m, w.file("here", 5<<20), "")
	x.wantDelivered(time.Minute)
	x.receiver.wantSaid("connected: this machine")
}

// TestSendersOnOneLAN are told apart by their codes, and by a phrase of their
// own.
func TestSendersOnOneLAN(t *testing.T) {
	w, m := newLAN(t, "192.168.1.2/24", "192.168.1.3/24", "192.168.1.4/24")
	one := w.direct(m[0], m[2], w.file("one", 5<<20), "")
	two := w.direct(m[1], m[2], w.file("two", 5<<20), "")
	own := func(phrase string) []string { return []string{"QFT_PHRASE=" + phrase} }
	three := w.file("three", 1<<20)
	to := filepath.Join(w.folder(), "three")
	s := m[0].launch(launch{args: []string{"send", three.path}, env: own("quite another phrase")})
	r := m[2].launch(launch{args: []string{"receive", "-o", to}, env: own("quite another phrase")})
	one.wantDelivered(time.Minute)
	two.wantDelivered(time.Minute)
	r.wantEnd(time.Minute, 0)
	s.wantEnd(time.Minute, 0)
}

// TestNeighboursDoNotWaitForAHelper: it is far away, and the file goes the short
// way at once.
func TestNeighboursDoNotWaitForAHelper(t *testing.T) {
	w := newHomes(t, "")
	c := w.resident("c", w.routerA, "192.168.1.3/24", "192.168.1.1")
	w.helper.startHelper()
	x := w.bySend(w.a, c, helperAddr4, w.file("near", 5<<20))
	x.wantDelivered(time.Minute)
	x.receiver.wantSaid("connected: LAN")
	if n := strings.Count(x.receiver.err.text(), "the other side is there"); n != 1 {
		t.Errorf("the receiver says %d times that the other side is there", n)
	}
}

// forward opens a port of a router to a machine behind it.
func (h *host) forward(port int, to string) {
	h.w.t.Helper()
	h.nft(fmt.Sprintf(`
table ip nat {
	chain prerouting {
		type nat hook prerouting priority dstnat;
		iifname "wan" udp dport %d dnat to %s
	}
}
table inet filter {
	chain forward {
		iifname "wan" udp dport %d accept
	}
}
`, port, to, port))
}

// TestReceiverAsksTheSendersHost through a port that is forwarded. Both routers
// keep out what nobody asked for, and one of them is as hard as they come.
func TestReceiverAsksTheSendersHost(t *testing.T) {
	for _, c := range []struct {
		name, nat, at string
		port          int
		flags         []string
	}{
		{"usual port", "", "203.0.113.21", 4277, nil},
		{"another port", "", "203.0.113.21:5000", 5000, []string{"--port", "5000"}},
		{"random NATs", "fully-random", "203.0.113.21", 4277, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newHomes(t, c.nat)
			w.routerA.forward(c.port, "192.168.1.2")
			x := w.direct(w.a, w.b, w.file("far", 20<<20), c.at, c.flags...)
			x.wantDelivered(time.Minute)
		})
	}
}

// comesBack kills the receiver in the middle, and starts it again.
func (x *transfer) comesBack(to *host, code string) {
	x.t.Helper()
	untilVouched(x.t, filepath.Dir(x.target), 4)
	x.receiver.signal(syscall.SIGKILL)
	<-x.receiver.done
	x.receiver = to.qft("receive", code, "-o", x.target)
	x.wantDelivered(time.Minute)
	x.receiver.wantSaid("of it were there already")
	x.sender.wantSaid("contact lost since")
}

// TestReceiverComesBackToTheSendersHost: the port that it knows is the one of
// the session in which it was killed.
func TestReceiverComesBackToTheSendersHost(t *testing.T) {
	t.Parallel()
	w := newHomes(t, "")
	w.routerA.forward(4277, "192.168.1.2")
	x := w.direct(w.a, w.b, w.file("far", 20<<20), "203.0.113.21", "--limit", "10mbit")
	x.comesBack(w.b, w.learn(x.sender)+"@203.0.113.21")
}

func TestReceiverOfALANComesBack(t *testing.T) {
	t.Parallel()
	w, m := newLAN(t, "192.168.1.2/24", "192.168.1.3/24")
	x := w.direct(m[0], m[1], w.file("near", 20<<20), "", "--limit", "10mbit")
	x.comesBack(m[1], w.learn(x.sender))
}
