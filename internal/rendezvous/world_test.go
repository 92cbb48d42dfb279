package rendezvous

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"qft/internal/udp"
)

// world moves packets between machines in virtual time, from a seed.
type world struct {
	t     *testing.T
	now   time.Time
	rng   *rand.Rand
	nodes []*node
	wire  []flight // in the order of sending
	link  link
	batch *udp.Batch
	trace uint64                         // hash of every packet delivered, and when
	tap   func(from, to *node, d []byte) // sees every packet that is sent
}

// link is what happens to packets between any two machines.
type link struct {
	loss, dup, corrupt float64
	delay, jitter      time.Duration
}

type machine interface {
	Receive(time.Time, udp.Packet)
	Send(time.Time, *udp.Batch)
	Deadline() time.Time
}

// node is a machine with an address in each family; cut off, nothing passes.
type node struct {
	machine
	name   string
	v4, v6 netip.AddrPort
	cut    bool
	ports  []netip.AddrPort             // further sockets, from 1 on
	lines  map[udp.Path]netip.AddrPort  // own address of each
	blocks func(to netip.AddrPort) bool // what its network lets no UDP out to
}

// from is the address from which a packet leaves.
func (n *node) from(p udp.Path) netip.AddrPort {
	switch {
	case p.IsLine():
		return n.lines[p]
	case n.blocks != nil && n.blocks(p.Remote):
		return netip.AddrPort{}
	case p.Local > 0:
		return n.ports[p.Local-1]
	case p.Remote.Addr().Is6():
		return n.v6
	}
	return n.v4
}

// path is that by which a flight arrives.
func (n *node) path(f flight) udp.Path {
	for p, own := range n.lines {
		if f.line && p.Remote == f.from && own == f.to {
			return p
		}
	}
	return udp.Path{Local: udp.Local(1 + slices.Index(n.ports, f.to)), Remote: f.from}
}

type flight struct {
	at       time.Time
	from, to netip.AddrPort
	line     bool
	data     []byte
}

// connect makes a line, and returns it as either end sees it. hang ends it.
func (w *world) connect(a, b *node, to netip.AddrPort) (fromA, fromB udp.Path, hang func()) {
	own := netip.AddrPortFrom(a.v4.Addr(), uint16(50000+len(a.lines)))
	for _, n := range []*node{a, b} {
		if n.lines == nil {
			n.lines = make(map[udp.Path]netip.AddrPort)
		}
	}
	fromA = udp.Path{Local: udp.FirstLine + udp.Local(len(a.lines)), Remote: to}
	fromB = udp.Path{Local: udp.FirstLine + udp.Local(len(b.lines)), Remote: own}
	a.lines[fromA], b.lines[fromB] = own, to
	return fromA, fromB, func() {
		a.lines[fromA], b.lines[fromB] = netip.AddrPort{}, netip.AddrPort{}
	}
}

func newWorld(t *testing.T, seed uint64) *world {
	return &world{
		t: t, now: time.Unix(1_700_000_000, 0), rng: rand.New(rand.NewPCG(seed, 1)),
		link:  link{delay: 20 * time.Millisecond},
		batch: udp.NewBatch(4 * maxDatagram), // small, so that batches do overflow
	}
}

// bytes is a source of randomness for machines.
func (w *world) bytes() *rand.ChaCha8 {
	var s [32]byte
	for i := range s {
		s[i] = byte(w.rng.Uint32())
	}
	return rand.NewChaCha8(s)
}

func (w *world) add(name string, m machine) *node {
	i := len(w.nodes) + 1
	n := &node{
		machine: m, name: name,
		v4: netip.MustParseAddrPort(fmt.Sprintf("198.51.%d.%d:4000", i/250, 1+i%250)),
		v6: netip.MustParseAddrPort(fmt.Sprintf("[2001:db8:%x::1]:4000", i)),
	}
	w.nodes = append(w.nodes, n)
	return n
}

func (w *world) server(cfg ServerConfig) *node {
	cfg.Rand = w.bytes()
	return w.add("helper", NewServer(cfg))
}

func (w *world) client(name string, role Role, room Room, servers ...netip.AddrPort) (*node, *guest) {
	c := NewClient(ClientConfig{Servers: servers, Room: room, Role: role, Rand: w.bytes()})
	return w.add(name, c), &guest{Client: c, w: w, name: name}
}

func (w *world) at(a netip.AddrPort) *node {
	for _, n := range w.nodes {
		if n.v4 == a || n.v6 == a || slices.Contains(n.ports, a) {
			return n
		}
	}
	return nil
}

// ending is the node at which a line that carries f ends.
func (w *world) ending(f flight) *node {
	for _, n := range w.nodes {
		for p, own := range n.lines {
			if p.Remote == f.from && own == f.to {
				return n
			}
		}
	}
	return nil
}

// transmit puts what n has to send now on the wire.
func (w *world) transmit(n *node) {
	for b := w.batch; ; {
		b.Reset()
		n.Send(w.now, b)
		for p := range b.All() {
			from := n.from(p.Path)
			if w.tap != nil {
				w.tap(n, w.at(p.Remote), p.Data)
			}
			if n.cut || !from.IsValid() {
				continue
			}
			w.carry(flight{from: from, to: p.Remote, line: p.IsLine(), data: append([]byte(nil), p.Data...)})
		}
		if !due(n.Deadline(), w.now) {
			return
		}
		if b.Len() == 0 {
			w.t.Fatalf("%s has something to send and does not send it", n.name)
		}
	}
}

func (w *world) carry(f flight) {
	copies := 1
	if w.rng.Float64() < w.link.dup {
		copies = 2
	}
	for range copies {
		f := f
		f.at = w.now.Add(w.link.delay + time.Duration(w.rng.Float64()*float64(w.link.jitter)))
		if w.rng.Float64() < w.link.corrupt {
			f.data = append([]byte(nil), f.data...)
			f.data[w.rng.IntN(len(f.data))] ^= 1 << w.rng.IntN(8)
		}
		if w.rng.Float64() >= w.link.loss {
			w.wire = append(w.wire, f)
		}
	}
}

// step goes to the next thing that happens, not beyond end.
func (w *world) step(end time.Time) bool {
	next := end
	for _, f := range w.wire {
		if f.at.Before(next) {
			next = f.at
		}
	}
	for _, n := range w.nodes {
		if d := n.Deadline(); !d.IsZero() && d.Before(next) {
			next = d
		}
	}
	if next.After(w.now) {
		w.now = next
	}
	var rest []flight
	h := fnv.New64a()
	fmt.Fprint(h, w.trace)
	for _, f := range w.wire {
		if f.at.After(w.now) {
			rest = append(rest, f)
			continue
		}
		n := w.at(f.to)
		if f.line {
			n = w.ending(f)
		}
		if n != nil && !n.cut {
			fmt.Fprint(h, w.now.UnixNano(), f.from, f.to)
			h.Write(f.data)
			n.Receive(w.now, udp.Packet{Path: n.path(f), Data: f.data})
		}
	}
	w.trace = h.Sum64()
	w.wire = rest
	for _, n := range w.nodes {
		if due(n.Deadline(), w.now) {
			w.transmit(n)
		}
	}
	return w.now.Before(end)
}

// run lets d pass.
func (w *world) run(d time.Duration) {
	for end := w.now.Add(d); w.step(end); {
	}
}

// until lets time pass until f holds, at most d, and returns how long it took.
func (w *world) until(d time.Duration, what string, f func() bool) time.Duration {
	w.t.Helper()
	start := w.now
	for end := w.now.Add(d); !f(); {
		if !w.step(end) && !f() {
			w.t.Fatalf("not within %v: %s", d, what)
		}
	}
	return w.now.Sub(start)
}

// guest is a client whose events are kept: the user's side of it.
type guest struct {
	*Client
	w    *world
	name string
	log  []Event
}

// events takes what is new and returns all.
func (m *guest) all() []Event {
	for e, ok := m.Next(); ok; e, ok = m.Next() {
		m.log = append(m.log, e)
	}
	return m.log
}

func (m *guest) count(k EventKind) (n int) {
	for _, e := range m.all() {
		if e.Kind == k {
			n++
		}
	}
	return n
}

func (m *guest) has(k EventKind) func() bool {
	return func() bool { return m.count(k) > 0 }
}

// story is the events in short, for messages of tests.
func (m *guest) story() (kinds []string) {
	names := [...]string{Joined: "joined", Arrived: "arrived", Note: "note", Departed: "departed", Refused: "refused", Silent: "silent", Back: "back"}
	for _, e := range m.all() {
		kinds = append(kinds, names[e.Kind])
	}
	return kinds
}

// last returns the latest event of a kind.
func (m *guest) last(k EventKind) Event {
	m.w.t.Helper()
	log := m.all()
	for i := range log {
		if e := log[len(log)-1-i]; e.Kind == k {
			return e
		}
	}
	m.w.t.Fatalf("%s: no event %d in %v", m.name, k, m.story())
	return Event{}
}

// notes returns the messages from a member.
func (m *guest) notes(from ID) (msgs []string) {
	for _, e := range m.all() {
		if e.Kind == Note && e.Member == from {
			msgs = append(msgs, string(e.Note))
		}
	}
	return msgs
}

func (m *guest) post(to ID, msg string) {
	m.w.t.Helper()
	if err := m.Post(to, []byte(msg)); err != nil {
		m.w.t.Fatalf("%s: %v", m.name, err)
	}
}

// pair lets a sender and a receiver meet in a numbered room.
func (w *world) pair(h *node) (s, r *guest) {
	w.t.Helper()
	_, s = w.client("sender", Sender, NumberedRoom(0), h.v4)
	w.until(time.Minute, "sender joins", s.has(Joined))
	_, r = w.client("receiver", Receiver, NumberedRoom(s.last(Joined).Number), h.v4)
	w.until(time.Minute, "both meet", func() bool { return s.has(Arrived)() && r.has(Arrived)() })
	return s, r
}
