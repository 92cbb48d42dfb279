package e2e

import (
	"crypto/rand"
	"syscall"
	"testing"
	"time"
)

// helperPatience is how soon a person is told that the helper is of no use.
const helperPatience = 20 * time.Second

// wantNoHelper wants both commands to give up soon and to say so.
func (w *pair) wantNoHelper(addr string, says ...string) {
	w.t.Helper()
	s := w.b.qft("send", w.file("x", 10).path, "--helper", addr)
	r := w.b.qft("receive", "7-acid-robot-zebra", "--helper", addr)
	for _, p := range []*proc{s, r} {
		p.wantEndSoon(helperPatience, 8)
		p.wantSaid(says...)
	}
}

func TestHelperUnreachable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, addr, says string }{
		{"nobody on the port", "192.0.2.1:4999", "is it running"}, // refused by ICMP
		{"nobody at the address", "192.0.2.99:4000", "is it running"},
		{"no route", "198.51.100.1:4000", "is it running"},
		{"no such name", "helper.invalid:4000", "qft helper PORT"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			newPair(t).wantNoHelper(c.addr, "helper", c.says)
		})
	}
}

// TestHelperAnsweringGarbage: the port belongs to something else, friendly or
// not.
func TestHelperAnsweringGarbage(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(question []byte) [][]byte{
		"noise": func([]byte) [][]byte { return [][]byte{noise(1), noise(20), noise(1200)} },
		"echo":  func(q []byte) [][]byte { return [][]byte{q} },
		"own noise": func([]byte) [][]byte {
			return [][]byte{append([]byte{0x51, 2}, noise(60)...), {0x51}, {0x51, 0xff}, {}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newPair(t)
			c := w.a.udp("192.0.2.1:4000")
			go func() {
				b := make([]byte, 2000)
				for {
					n, from, err := c.ReadFromUDPAddrPort(b)
					if err != nil {
						return // closed at the end of the test
					}
					for _, a := range answer(b[:n]) {
						c.WriteToUDPAddrPort(a, from)
					}
				}
			}()
			w.wantNoHelper(pairHelper, "helper")
		})
	}
}

func noise(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// TestHelperRestartedWhileWaiting: the sender's number survives, since the
// sender brings it along.
func TestHelperRestartedWhileWaiting(t *testing.T) {
	t.Parallel()
	w := newPair(t)
	first := w.a.startHelper()
	f := w.file("letter", 1<<20)
	s := w.a.qft("send", f.path, "--helper", pairHelper)
	code := w.learn(s)
	first.signal(syscall.SIGKILL)
	<-first.done
	w.a.startHelper()
	x := &transfer{t: t, file: f, target: w.folder() + "/letter", sender: s}
	x.receiver = w.b.qft("receive", code, "-o", x.target, "--helper", pairHelper)
	x.wantDelivered(bigTime)
}

// TestHelperGoneWhileWaiting: the person is told, and nothing is given up.
func TestHelperGoneWhileWaiting(t *testing.T) {
	t.Parallel()
	w := newPair(t)
	first := w.a.startHelper()
	f := w.file("letter", 1000)
	s := w.a.qft("send", f.path, "--helper", pairHelper)
	code := w.learn(s)
	first.signal(syscall.SIGINT)
	first.wantEnd(patience, 0)
	s.wantSay(40*time.Second, "the helper does not answer; still trying")
	w.a.startHelper()
	s.wantSay(40*time.Second, "the helper answers again")
	x := &transfer{t: t, file: f, target: w.folder() + "/letter", sender: s}
	x.receiver = w.b.qft("receive", code, "-o", x.target, "--helper", pairHelper)
	x.wantDelivered(bigTime)
}

// TestHelperIsNotNeededOncePeersHaveMet: it introduces, that is all.
func TestHelperIsNotNeededOncePeersHaveMet(t *testing.T) {
	t.Parallel()
	w := newPair(t)
	w.a.limit("eth0", "80mbit")
	h := w.a.startHelper()
	x := w.bySend(w.a, w.b, pairHelper, w.file("film", 20<<20))
	x.receiver.wantSay(patience, "film, ")
	h.signal(syscall.SIGKILL)
	<-h.done
	x.wantDelivered(bigTime)
}

func TestHelperEndsCleanly(t *testing.T) {
	t.Parallel()
	for name, sig := range map[string]syscall.Signal{"SIGTERM": syscall.SIGTERM, "SIGINT": syscall.SIGINT} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newPair(t)
			h := w.a.startHelper("--drain", "10m")
			h.signal(sig)
			h.wantEndSoon(2*time.Second, 0)
		})
	}
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	w := newPair(t)
	w.a.startHelper()
	for _, p := range []*proc{
		w.a.qft("helper", helperPort),
		w.a.qft("send", w.file("x", 10).path, "--helper", pairHelper, "--port", helperPort),
	} {
		p.wantEnd(patience, 13)
		p.wantSaid("4000", "another port")
	}
}
