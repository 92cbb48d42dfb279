package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// meetingTraffic is the most that a helper may see of a transfer: names and
// keys. A file of the size used here would be thousands of times that.
const meetingTraffic = 200 << 10

// TestRoutersKeepStrangersOut shows that the homes of these tests are closed:
// if it failed, all other tests of this file would mean nothing.
func TestRoutersKeepStrangersOut(t *testing.T) {
	w := newHomes(t, "")
	inB := w.b.udp("192.168.2.2:5000")
	fromA := w.a.udp("0.0.0.0:5000")
	fromRouter := w.routerB.udp("0.0.0.0:5000")
	helper := w.helper.udp("203.0.113.10:5000")

	t.Log("# the router itself reaches B, so B listens")
	post(t, fromRouter, "192.168.2.2:5000", "from the router")
	wantPost(t, inB, "from the router")

	t.Log("# A reaches neither B's home address nor a port of its router")
	// B's home address has no route outside; what the kernel says to that is
	// of no interest here.
	fromA.WriteToUDPAddrPort([]byte("stranger"), netip.MustParseAddrPort("192.168.2.2:5000"))
	post(t, fromA, "203.0.113.22:5000", "stranger")
	wantNoPost(t, inB)

	t.Log("# B's question to the helper comes from its router, and the answer gets in")
	post(t, inB, "203.0.113.10:5000", "question")
	from := wantPost(t, helper, "question")
	if want := netip.MustParseAddr("203.0.113.22"); from.Addr().Unmap() != want {
		t.Errorf("the helper sees B at %v, want %v", from, want)
	}
	post(t, helper, from.String(), "answer")
	wantPost(t, inB, "answer")

	t.Log("# but what A sends to that same port does not")
	post(t, fromA, from.String(), "stranger")
	wantNoPost(t, inB)
}

func post(t *testing.T, c *net.UDPConn, to, text string) {
	t.Helper()
	if _, err := c.WriteToUDPAddrPort([]byte(text), netip.MustParseAddrPort(to)); err != nil {
		t.Fatal(err)
	}
}

func wantPost(t *testing.T, c *net.UDPConn, text string) netip.AddrPort {
	t.Helper()
	b := make([]byte, 100)
	c.SetReadDeadline(time.Now().Add(patience))
	n, from, err := c.ReadFromUDPAddrPort(b)
	if err != nil || string(b[:n]) != text {
		t.Fatalf("received %q, %v; want %q", b[:n], err, text)
	}
	return from
}

func wantNoPost(t *testing.T, c *net.UDPConn) {
	t.Helper()
	b := make([]byte, 100)
	c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	if n, from, err := c.ReadFromUDPAddrPort(b); err == nil {
		t.Fatalf("received %q from %v, want nothing", b[:n], from)
	}
}

// wantNoData wants the helper to have seen a meeting and nothing of the file.
func (w *homes) wantNoData() {
	w.t.Helper()
	in, out := w.helper.counter("in"), w.helper.counter("out")
	w.t.Logf("the helper received %d bytes and sent %d", in, out)
	if in+out > meetingTraffic {
		w.t.Errorf("the helper received %d bytes and sent %d, more than a meeting needs", in, out)
	}
	if in == 0 || out == 0 {
		w.t.Errorf("the helper's counters do not count")
	}
}

// report logs the speed for the documentation.
func (x *transfer) report(link string) {
	x.t.Helper()
	x.t.Logf("GOODPUT %s: %d MB, %.0f Mbit/s (%.1f s from the start of the receiver); RSS send %d MiB, receive %d MiB",
		link, x.file.size/1e6, x.speed(), x.receiver.ended.Sub(x.receiver.began).Seconds(),
		x.sender.peak.Load()>>20, x.receiver.peak.Load()>>20)
}

const bigTime = 2 * time.Minute

func TestBetweenTwoNATs(t *testing.T) {
	t.Run("send", func(t *testing.T) {
		w := newHomes(t, "")
		w.onlyUDP()
		w.helper.startHelper()
		x := w.bySend(w.a, w.b, helperAddr4, w.big())
		x.wantDelivered(bigTime)
		x.receiver.wantSaid("connected: punched")
		x.report("two NATs, send")
		w.wantNoData()
	})
	t.Run("sender", func(t *testing.T) {
		w := newHomes(t, "")
		w.onlyUDP()
		w.helper.startHelper()
		x := w.bySender(w.a, w.b, helperAddr4, w.big(), filepath.Join(w.folder(), "big"))
		x.wantDelivered(bigTime)
		x.receiver.wantSaid("connected: punched")
		x.report("two NATs, sender")
		w.wantNoData()
	})
}

func TestOverIPv6Only(t *testing.T) {
	w := newHomes6(t)
	w.onlyUDP()
	w.helper.startHelper()
	x := w.bySend(w.a, w.b, helperAddr6, w.big())
	x.wantDelivered(bigTime)
	x.receiver.wantSaid("connected: IPv6")
	x.report("IPv6 only")
	w.wantNoData()
}

func TestBehindOneNAT(t *testing.T) {
	w := newHomes(t, "")
	c := w.resident("c", w.routerA, "192.168.1.3/24", "192.168.1.1")
	w.helper.startHelper()
	x := w.bySend(w.a, c, helperAddr4, w.big())
	x.wantDelivered(bigTime)
	x.receiver.wantSaid("connected: LAN")
	x.report("one NAT")
	w.wantNoData()
	if seen := w.routerA.traffic("wan"); seen.in+seen.out > meetingTraffic {
		t.Errorf("%d bytes left the home of both", seen.in+seen.out)
	}
}

func TestWithOneSideOnTheHelpersMachine(t *testing.T) {
	for _, role := range []string{"sender", "receiver"} {
		t.Run(role, func(t *testing.T) {
			w := newHomes(t, "")
			w.helper.startHelper()
			from, to := w.helper, w.b
			if role == "receiver" {
				from, to = w.a, w.helper
			}
			x := w.bySend(from, to, helperAddr4, w.file("film", 200_000_000))
			x.wantDelivered(bigTime)
			x.report(role + " on the helper's machine")
		})
	}
}

func TestOnOneMachineWithLoopbackOnly(t *testing.T) {
	for _, helper := range []string{"127.0.0.1:" + helperPort, "[::1]:" + helperPort, "localhost:" + helperPort} {
		t.Run(helper, func(t *testing.T) {
			w := newWorld(t)
			m := w.host("m")
			m.startHelper()
			x := w.bySend(m, m, helper, w.file("film", 200_000_000))
			x.wantDelivered(bigTime)
			x.report("loopback, helper " + helper)
		})
	}
}

// TestHonestWhereThereIsNoPath: two NATs that show every destination another
// port cannot be punched by these means. The person is told within 30 s, on
// both sides, what was tried and what each network does.
func TestHonestWhereThereIsNoPath(t *testing.T) {
	if testing.Short() {
		t.Skip("takes the 30 s that a search may take")
	}
	t.Parallel()
	w := newHomes(t, "fully-random")
	// Among thousands of guesses on both sides one may hit.
	w.routerB.nft("insert rule inet filter forward ip saddr 203.0.113.21 drop\n")
	w.helper.startHelper()
	f := w.file("small", 100_000)
	x := w.bySend(w.a, w.b, helperAddr4, f)
	x.receiver.wantEndSoon(40*time.Second, 9)
	x.sender.wantEnd(patience, 9)
	for _, p := range []*proc{x.sender, x.receiver} {
		p.wantSaid("no path", "203.0.113.21", "203.0.113.22")
		t.Log(indent(p.err.text()))
	}
	if _, err := os.Stat(x.target); err == nil {
		t.Errorf("there is a target though nothing can have arrived")
	}
}

// TestThroughANarrowerPath has a link in the middle that carries less than the
// ends believe, as with PPPoE and tunnels.
func TestThroughANarrowerPath(t *testing.T) {
	t.Parallel()
	for _, mtu := range []int{1492, 1280} {
		t.Run(fmt.Sprint(mtu), func(t *testing.T) {
			t.Parallel()
			w := newHomes(t, "")
			w.racing = true
			w.routerB.ip(fmt.Sprintf("link set dev wan mtu %d", mtu))
			w.public.ip(fmt.Sprintf("link set dev rb.wan mtu %d", mtu))
			w.helper.startHelper()
			x := w.bySend(w.a, w.b, helperAddr4, w.file("narrow", 20<<20))
			x.wantDelivered(bigTime)
		})
	}
}
