package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// peer is another program that brings a file from one machine to another, with
// servers of its own on the receiver's, where they cost it no further way.
type peer struct {
	name   string
	needs  []string
	server func(w *pair) // nil: none
	// send starts the sending side, which may be all there is, and receive the other
	// one, once that says that it is ready. The file is to be at the target.
	send    func(w *pair, f file, target string) *proc
	ready   string
	receive func(w *pair, sender *proc, target string) *proc
}

// peerLimit is how long a peer may take for a file: what takes longer is told
// as less than that rate.
const peerLimit = time.Minute

// linkB is the second machine's address.
const linkB = "10.99.0.2"

// TestBenchPeers moves 50 MB over emulated links with what people use for it:
// whole commands, from starting the last of them to its end, the meeting
// included, medians of three. TCP has what this machine has (sysctl -w
// net.ipv4.tcp_congestion_control=cubic is what nearly all have), and the lines
// say which. What is not installed is left out.
func TestBenchPeers(t *testing.T) {
	if os.Getenv("QFT_BENCH") == "" {
		t.Skip("a measurement: QFT_BENCH=1 go test -run TestBenchPeers -v -timeout 2h ./e2e")
	}
	for _, c := range []lossy{{100, 50, 0, 50}, {100, 50, 1, 50}, {100, 50, 10, 50}, {100, 1000, 0, 50}, {100, 1000, 10, 50}} {
		t.Run(c.String(), func(t *testing.T) {
			for _, p := range peers {
				t.Run(p.name, func(t *testing.T) { c.race(t, p) })
			}
		})
	}
}

// race has a peer bring the file three times, or once if that takes too long.
func (c lossy) race(t *testing.T, p peer) {
	needTools(t, p.needs...)
	l := newLink(t, "--rate", fmt.Sprintf("%dmbit", c.mbit), "--rtt", fmt.Sprintf("%dms", c.rtt),
		"--loss", fmt.Sprint(c.loss), "--queue", fmt.Sprintf("%dms", max(c.rtt, 100)))
	w := &pair{world: l.world, a: l.a, b: l.b}
	tcp := strings.TrimSpace(w.a.must("ip", "netns", "exec", w.a.ns, "cat", "/proc/sys/net/ipv4/tcp_congestion_control"))
	f := w.file("film", int64(c.mb)*1_000_000)
	if p.server != nil {
		p.server(w)
	}
	var took []cost
	for range 3 {
		d, whole := p.bring(w, f)
		if !whole {
			t.Logf("PEER %-16s %s, %v: below %.1f Mbit/s", p.name, tcp, c, float64(f.size)*8/peerLimit.Seconds()/1e6)
			return
		}
		took = append(took, cost{wall: d})
	}
	t.Logf("PEER %-16s %s, %v: %.1f Mbit/s", p.name, tcp, c, summarize(took, f.size).rate)
	for _, pid := range append(pids(w.a.ns), pids(w.b.ns)...) { // servers, or the link cannot go
		syscall.Kill(pid, syscall.SIGTERM)
	}
	t.Logf("LINK %s", l.truth())
}

// bring has the file brought once, and reports how long that took, and whether
// it came to an end in time.
func (p peer) bring(w *pair, f file) (time.Duration, bool) {
	w.t.Helper()
	target := filepath.Join(w.folder(), filepath.Base(f.path))
	sender := p.send(w, f, target)
	last := sender
	if p.receive != nil {
		eventually(w.t, peerLimit, p.name+" is ready", func() bool {
			return strings.Contains(sender.out.text()+sender.err.text(), p.ready)
		})
		last = p.receive(w, sender, target)
	}
	last.large, sender.large = true, true
	select {
	case <-last.done:
	case <-time.After(peerLimit):
		last.signal(syscall.SIGKILL)
		sender.signal(syscall.SIGKILL)
		<-last.done
		<-sender.done
		return 0, false
	}
	if sum, err := checksum(target); err != nil || sum != f.sum {
		w.t.Fatalf("%s: what arrived is not what was sent: %v", p.name, err)
	}
	<-sender.done
	return last.ended.Sub(last.began), true
}

// peers are in the order of the table in docs/performance.md.
var peers = []peer{
	{
		name:   "qft",
		server: func(w *pair) { w.b.startHelper() },
		send: func(w *pair, f file, _ string) *proc {
			return w.a.qft("send", f.path, "--helper", linkHelper)
		},
		receive: func(w *pair, sender *proc, target string) *proc {
			return w.b.qft("receive", w.learn(sender), "-o", target, "--helper", linkHelper)
		},
	},
	{
		name:   "scp",
		needs:  []string{"scp", "sshd", "ssh-keygen"},
		server: func(w *pair) { w.sshdAt(linkB) },
		send: func(w *pair, f file, target string) *proc {
			return w.a.start("scp", []string{"scp", "-q", "-P", "2222", "-i", w.dir + "/key", "-o", "StrictHostKeyChecking=no",
				"-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", f.path, "root@" + linkB + ":" + target}, nil)
		},
	},
	{
		name:   "rsync over ssh",
		needs:  []string{"rsync", "ssh", "sshd", "ssh-keygen"},
		server: func(w *pair) { w.sshdAt(linkB) },
		send: func(w *pair, f file, target string) *proc {
			shell := "ssh -p 2222 -i " + w.dir + "/key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
			return w.a.start("rsync", []string{"rsync", "-e", shell, f.path, "root@" + linkB + ":" + target}, nil)
		},
	},
	{
		name:  "croc",
		needs: []string{"croc"},
		server: func(w *pair) {
			w.b.start("croc relay", []string{"croc", "relay", "--ports", "9009,9010,9011,9012,9013"}, nil)
			w.wantListening(9009)
		},
		send: func(w *pair, f file, _ string) *proc {
			return w.a.start("croc send", []string{"croc", "--relay", linkB + ":9009", "send", "--no-local", f.path}, crocSecret)
		},
		ready: "Code is",
		receive: func(w *pair, _ *proc, target string) *proc {
			// It fails until the sender is at the relay, which that does not tell.
			return w.b.start("croc", []string{"sh", "-c", `until croc --yes --relay "$0" --out "$1"; do sleep 0.1; done`, linkB + ":9009", filepath.Dir(target)}, crocSecret)
		},
	},
	{
		name:  "magic-wormhole",
		needs: []string{"wormhole", "twist3"},
		server: func(w *pair) {
			w.b.start("mailbox", []string{"twist3", "wormhole-mailbox", "--port", "tcp:4000", "--channel-db", w.dir + "/channels", "--usage-db", w.dir + "/usage"}, nil)
			w.b.start("transit", []string{"twist3", "transitrelay", "--port", "tcp:4001"}, nil)
			w.wantListening(4000)
			w.wantListening(4001)
		},
		send: func(w *pair, f file, _ string) *proc {
			return w.a.start("wormhole send", wormhole("send", "--hide-progress", "--code", wormholeCode, f.path), nil)
		},
		ready: "wormhole receive",
		receive: func(w *pair, _ *proc, target string) *proc {
			return w.b.start("wormhole receive", wormhole("receive", "--hide-progress", "--accept-file", "-o", target, wormholeCode), nil)
		},
	},
}

// What people would say to each other.
var crocSecret = []string{"CROC_SECRET=1234-acid-robot-zebra"}

const wormholeCode = "7-acid-robot"

func wormhole(args ...string) []string {
	return append([]string{"wormhole", "--relay-url", "ws://" + linkB + ":4000/v1", "--transit-helper", "tcp:" + linkB + ":4001"}, args...)
}
