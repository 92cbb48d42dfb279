package transport

import (
	"encoding/binary"
	"testing"
	"time"

	"qft/internal/lab"
	"qft/internal/secret"
	"qft/internal/udp"
)

// sessions returns the two ends of a finished handshake.
func sessions(t testing.TB, w *lab.World) (sender, receiver *secret.Session) {
	t.Helper()
	p, err := secret.Parse("7-acid-robot-zebra")
	if err != nil {
		t.Fatal(err)
	}
	sid := []byte("test session")
	i, m1, err := secret.NewInitiator(w.Entropy(), p, sid, true)
	if err != nil {
		t.Fatal(err)
	}
	r, m2, err := secret.NewResponder(w.Entropy(), p, sid, m1, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	m3, sender, _, err := i.Finish(m2, nil)
	if err != nil {
		t.Fatal(err)
	}
	receiver, _, err = r.Finish(m3)
	if err != nil {
		t.Fatal(err)
	}
	return sender, receiver
}

// pattern is the bulk space of all tests: byte i is a function of i.
type pattern struct{}

func (pattern) ReadBulk(p []byte, off int64) (int, bool) {
	fillPattern(p, off)
	return len(p), true
}

func fillPattern(p []byte, off int64) {
	var word [8]byte
	for i := 0; i < len(p); {
		at := off + int64(i)
		binary.LittleEndian.PutUint64(word[:], uint64(at/8)*0x9e3779b97f4a7c15)
		i += copy(p[i:], word[at%8:])
	}
}

// checker is a sink that compares what arrives with the pattern.
type checker struct {
	t       testing.TB
	got     rangeSet[int64]
	fresh   int64 // bytes taken for the first time
	backlog int64 // bytes taken and not yet drained
	budget  int64 // refuses beyond; zero: takes everything
	peak    int64
	blind   bool // takes what comes for the right bytes
	buf     []byte
}

func (k *checker) WriteBulk(p []byte, off int64) bool {
	if k.budget > 0 && k.backlog+int64(len(p)) > k.budget {
		return false
	}
	if !k.blind {
		k.compare(p, off)
	}
	if !k.got.covers(off, off+int64(len(p))) {
		k.fresh += int64(len(p))
	}
	k.got.add(off, off+int64(len(p)))
	k.backlog += int64(len(p))
	k.peak = max(k.peak, k.backlog)
	return true
}

func (k *checker) compare(p []byte, off int64) {
	k.buf = append(k.buf[:0], p...)
	fillPattern(k.buf, off)
	if string(k.buf) != string(p) {
		k.t.Errorf("wrong bytes at %d", off)
	}
}

func (k *checker) BulkWindow() int64 {
	if k.budget == 0 {
		return 1 << 30
	}
	free := k.budget - k.backlog
	if free > k.budget/2 {
		return 1 << 30
	}
	return free
}

func (k *checker) has(n int64) bool { return k.got.covers(0, n) }

// world is two hosts on one link with a connection between them; a is the
// sender of bulk.
type world struct {
	*lab.World
	t            testing.TB
	a, b         *Conn
	hostA, hostB *lab.Host
	sink         *checker
}

const port = 4000

func newWorld(t testing.TB, seed uint64, up, down lab.Link) *world {
	return newWorldConfig(t, seed, up, down, func(a, b *Config) {})
}

// newWorldConfig makes a world; up is the link from a to b, down the other.
func newWorldConfig(t testing.TB, seed uint64, up, down lab.Link, tune func(a, b *Config)) *world {
	t.Helper()
	w := &world{World: lab.New(seed), t: t}
	w.hostA = w.Host(nil, lab.HostConfig{Name: "a", Up: up, Down: down})
	w.hostB = w.Host(nil, lab.HostConfig{Name: "b", Up: lab.Link{MTU: 65535}, Down: lab.Link{MTU: 65535}})
	sa, sb := sessions(t, w.World)
	ca := Config{Rand: w.Entropy(), Sealer: sa.Sealer(), Opener: sa.Opener(), SendID: 1, ReceiveID: 2,
		Path: udp.To(w.hostB.AddrPort(false, port)), RTT: up.Delay + down.Delay}
	cb := Config{Rand: w.Entropy(), Sealer: sb.Sealer(), Opener: sb.Opener(), SendID: 2, ReceiveID: 1,
		Path: udp.To(w.hostA.AddrPort(false, port)), RTT: up.Delay + down.Delay}
	tune(&ca, &cb)
	w.a, w.b = NewConn(w.Now(), ca), NewConn(w.Now(), cb)
	w.sink = &checker{t: t}
	w.a.SetSource(pattern{})
	w.b.SetSink(w.sink)
	w.hostA.Bind(port, w.a)
	w.hostB.Bind(port, w.b)
	return w
}

func (w *world) sendBulk(n int64) {
	w.a.SendBulk(0, n)
	w.hostA.Wake(port)
}

// wantBulk runs until the first n bytes have arrived.
func (w *world) wantBulk(n int64, limit time.Duration) time.Duration {
	w.t.Helper()
	start := w.Elapsed()
	if !w.Run(limit, func() bool { return w.sink.has(n) }) {
		w.t.Fatalf("after %v only %v of %d bytes arrived; sender %+v", limit, w.sink.got, n, w.a.Stats())
	}
	return w.Elapsed() - start
}

func link(mbit float64, delay time.Duration) lab.Link {
	return lab.Link{Rate: mbit * 1e6, Delay: delay, Queue: max(100*time.Millisecond, 2*delay)}
}

// skipUnderRace leaves long simulations to the run without the race detector,
// which make test does as well: one goroutine simulates, so there is nothing
// for it to find.
func skipUnderRace(t *testing.T) {
	if underRace {
		t.Skip("long simulation: runs without -race")
	}
}
