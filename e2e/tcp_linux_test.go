package e2e

import (
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// block has a home's router drop what matches.
func (h *host) block(what string) {
	h.w.t.Helper()
	h.nft(fmt.Sprintf(`
table inet blocked {
	chain forward {
		type filter hook forward priority filter - 1;
		%s drop
	}
}
`, what))
}

func (h *host) blockUDP() { h.w.t.Helper(); h.block("meta l4proto udp") }

// onlyUDP has both routers drop TCP, which is tried beside UDP after a while and
// may be the first to get through on a busy machine.
func (w *homes) onlyUDP() {
	w.t.Helper()
	for _, r := range []*host{w.routerA, w.routerB} {
		r.block("meta l4proto tcp")
	}
}

// TestOverTCP: where UDP is blocked on one side or on both, the file goes
// straight from one to the other over TCP, and the person is told.
func TestOverTCP(t *testing.T) {
	for _, x := range []struct {
		name    string
		blocked string
	}{{"sender", "a"}, {"receiver", "b"}, {"both", "ab"}} {
		t.Run(x.name, func(t *testing.T) {
			w := newHomes(t, "")
			w.helper.startHelper()
			if strings.Contains(x.blocked, "a") {
				w.routerA.blockUDP()
			}
			if strings.Contains(x.blocked, "b") {
				w.routerB.blockUDP()
			}
			f := w.file("twenty", 20<<20)
			tr := w.bySend(w.a, w.b, helperAddr4, f)
			tr.wantDelivered(bigTime)
			for side, p := range map[string]*proc{"a": tr.sender, "b": tr.receiver} {
				if strings.Contains(x.blocked, side) {
					p.wantSaid("UDP seems blocked in this network", "4000", "53, 123, 443 and 4277", "TCP 4000")
				}
				p.wantSaid("connected: TCP")
			}
			tr.report("UDP blocked: " + x.name)
			w.wantNoData()
		})
	}
}

// TestOverTCPWithIPv6Only: firewalls that know who was written to, and no NAT.
func TestOverTCPWithIPv6Only(t *testing.T) {
	w := newHomes6(t)
	w.helper.startHelper()
	w.routerA.blockUDP()
	w.routerB.blockUDP()
	tr := w.bySend(w.a, w.b, helperAddr6, w.file("twenty", 20<<20))
	tr.wantDelivered(bigTime)
	tr.receiver.wantSaid("connected: TCP")
	tr.report("UDP blocked, IPv6 only")
	w.wantNoData()
}

// TestHonestWhereTCPDoesNotPassEither: no UDP, and NATs that scatter ports.
func TestHonestWhereTCPDoesNotPassEither(t *testing.T) {
	if testing.Short() {
		t.Skip("takes the 30 s that a search may take")
	}
	t.Parallel()
	w := newHomes(t, "fully-random")
	w.helper.startHelper()
	w.routerA.blockUDP()
	tr := w.bySend(w.a, w.b, helperAddr4, w.file("small", 1000))
	tr.receiver.wantEndSoon(40*time.Second, 9)
	tr.sender.wantEnd(patience, 9)
	for _, p := range []*proc{tr.sender, tr.receiver} {
		p.wantSaid("no path", "TCP")
		t.Log(indent(p.err.text()))
	}
}

// TestOverTCPThroughADoor: NATs that scatter ports, no UDP, and one router that
// opens a TCP port when it is asked to.
func TestOverTCPThroughADoor(t *testing.T) {
	t.Parallel()
	w := newHomesOf(t, home{nat: allRandom, opens: "PCP"}, home{nat: allRandom})
	w.helper.startHelper()
	w.routerA.blockUDP()
	w.routerB.blockUDP()
	tr := w.bySend(w.a, w.b, helperAddr4, w.file("twenty", 20<<20))
	tr.wantDelivered(bigTime)
	tr.receiver.wantSaid("connected: TCP, 25.0.0.21:")
	w.wantNoData()
}

// TestOverAnotherPort: UDP to the given port is blocked and TCP is; the helper
// has 443 as well, and that gets out.
func TestOverAnotherPort(t *testing.T) {
	w := newHomes(t, "")
	h := w.helper.qft("helper", helperPort, "443", "--verbose")
	h.wantSay(patience, "listening")
	t.Cleanup(func() { stopHelper(h) })
	w.onlyUDP()
	for _, r := range []*host{w.routerA, w.routerB} {
		r.nft("add rule inet blocked forward udp dport " + helperPort + " drop")
	}
	tr := w.bySend(w.a, w.b, helperAddr4, w.file("twenty", 20<<20))
	tr.wantDelivered(bigTime)
	for _, p := range []*proc{tr.sender, tr.receiver} {
		p.wantSaid("UDP seems partly blocked in this network", "at UDP 4000, 53, 123 and 4277", "UDP 443 gets out", "connected: punched")
	}
	tr.report("UDP to the helper's port blocked, 443 open")
	w.wantNoData()
}

// portsTold is how soon a person hears what is blocked.
const portsTold = 5 * time.Second

// TestWhatIsBlockedIsToldSoon: what gets out, and that nothing does.
func TestWhatIsBlockedIsToldSoon(t *testing.T) {
	w := newHomes(t, "")
	w.helper.startHelper()
	w.routerA.blockUDP()
	f := w.file("small", 1000)
	p := w.a.qft("send", f.path, "--helper", helperAddr4)
	p.wantSaySoon(portsTold, "UDP seems blocked in this network (no answer from the helper's machine at UDP 4000, 53, 123, 443 and 4277); TCP 4000 gets out")
	p.signal(syscall.SIGINT)
	p.wantEnd(patience, 130)

	p = w.a.qft("send", f.path, "--helper", "203.0.113.99:4000") // nobody is there
	p.wantSaySoon(portsTold, "no answer from the helper's machine: not at UDP 4000, 53, 123, 443 and 4277, not by TCP")
	p.signal(syscall.SIGINT)
	p.wantEnd(patience, 130)
}

// cutTCP has a router do something to all TCP for a while.
func (h *host) cutTCP(verdict string, d time.Duration) {
	h.w.t.Helper()
	h.nft(fmt.Sprintf(`
table inet cut {
	chain forward {
		type filter hook forward priority filter - 2;
		meta l4proto tcp %s
	}
}
`, verdict))
	pass(d)
	h.nft("delete table inet cut")
}

// TestGoesOnOverTCP: a line that was cut is replaced when it can be, long before
// TCP itself would try again; and so is one that was reset, though a Linux router
// lets nothing pass between the same ports for 10 s after that.
func TestGoesOnOverTCP(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		name    string
		verdict string
		cut     time.Duration
		within  time.Duration
	}{
		{"reset", "reject with tcp reset", time.Second, 5 * time.Second},
		{"cut", "drop", 20 * time.Second, 5 * time.Second},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			w := newHomes(t, "")
			for _, r := range []*host{w.routerA, w.routerB} {
				r.blockUDP()
				r.limit("wan", "40mbit")
			}
			w.helper.startHelper()
			tr := w.bySend(w.a, w.b, helperAddr4, w.file("holiday.tar", 40<<20))
			tr.receiver.wantSay(patience, "connected: TCP")
			eventually(t, bigTime, "an eighth of the file", func() bool { return w.b.traffic("eth0").in > tr.file.size/8 })
			w.routerA.cutTCP(x.verdict, x.cut)
			before := w.b.traffic("eth0").in
			took := soonEnough(t, x.within, "data flows again", func() bool { return w.b.traffic("eth0").in > before+moving })
			t.Logf("CONTINUED after %.2f s", took.Seconds())
			tr.wantDelivered(time.Minute)
			w.wantNoData()
		})
	}
}

// TestThousandsOfConnectionsAtTheHelper: a stranger opens as many as he can and
// holds them, with a greeting or without, trickling or silent. He has his share
// of them, and two who have nothing but TCP meet meanwhile.
func TestThousandsOfConnectionsAtTheHelper(t *testing.T) {
	w := newHomes(t, "")
	w.helper.startHelper()
	stranger := w.host("stranger")
	stranger.plug(w.public, "eth0", "203.0.113.66/24")
	const greeting = "\x00\x04qft\x01"
	openings := []string{"", "GET / HTTP/1.0\r\n\r\n", greeting, greeting + "\xff\xff", greeting + "\x04\x00half"}
	var mu sync.Mutex
	var held []net.Conn
	defer func() {
		for _, c := range held {
			c.Close()
		}
	}()
	connect := func(n int) {
		err := stranger.inside(func() error {
			for i := range n {
				c, err := net.Dial("tcp4", helperAddr4)
				if err != nil {
					continue // reset at once
				}
				c.Write([]byte(openings[i%len(openings)]))
				mu.Lock()
				held = append(held, c)
				mu.Unlock()
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	connect(2000)
	for _, r := range []*host{w.routerA, w.routerB} {
		r.blockUDP()
	}
	stop := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if len(held) >= 6000 { // all tests together have some 20,000 descriptors
				<-stop
				return
			}
			connect(100)
		}
	})
	tr := w.bySend(w.a, w.b, helperAddr4, w.file("twenty", 20<<20))
	tr.receiver.wantEnd(bigTime, 0)
	tr.sender.wantEnd(patience, 0)
	close(stop)
	all.Wait()
	tr.wantIntact()
	tr.receiver.wantSaid("connected: TCP")
	t.Logf("%d connections were made", len(held))
}

// TestBenchOverTCP measures what TCP carries where UDP is blocked.
func TestBenchOverTCP(t *testing.T) {
	if os.Getenv("QFT_BENCH") == "" {
		t.Skip("QFT_BENCH=1 measures")
	}
	for _, x := range []struct {
		mbit, rtt int
		loss      float64
		mb        int64
	}{{50, 50, 0, 50}, {50, 50, 0.01, 50}, {50, 50, 0.05, 50}, {1, 200, 0, 2}} {
		t.Run(fmt.Sprintf("%d Mbit, %d ms, loss %v", x.mbit, x.rtt, x.loss), func(t *testing.T) {
			w := newLink(t, "--rate", fmt.Sprintf("%dmbit", x.mbit), "--rtt", fmt.Sprintf("%dms", x.rtt), "--loss", fmt.Sprint(x.loss))
			helper := w.b.startHelper()
			w.a.nft("table inet blocked {\nchain output {\ntype filter hook output priority filter;\nmeta l4proto udp drop\n}\n}\n")
			tr := w.bySend(w.a, w.b, linkHelper, w.file("film", x.mb*1_000_000))
			tr.wantDelivered(3 * time.Minute)
			tr.receiver.wantSaid("connected: TCP")
			t.Logf("GOODPUT over TCP: %.1f Mbit/s = %.0f %% of the link", tr.speed(), 100*tr.speed()/float64(x.mbit))
			stopHelper(helper)
			t.Logf("LINK %s", w.truth())
		})
	}
}
