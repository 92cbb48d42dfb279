package nat

import (
	"container/heap"
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"qft/internal/udp"
)

// world is a small internet in virtual time: realms (the internet, LANs)
// joined by NATs, hosts with an agent each, and one heap of packets under
// way. Everything random comes from the seed.
type world struct {
	t        *testing.T
	now      time.Time
	rng      *rand.Rand
	rand     io.Reader
	events   events
	order    int
	internet *realm
	hosts    []*host
	trace    interface { // hash over all that was sent
		io.Writer
		Sum64() uint64
	}

	// Of the internet's links.
	loss, dup float64
	delay     time.Duration
	jitter    time.Duration
	mtu       int // largest UDP payload; 0: any
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

var helpers = []netip.AddrPort{
	netip.MustParseAddrPort("192.0.2.1:3478"), netip.MustParseAddrPort("192.0.2.2:3478"),
	netip.MustParseAddrPort("[2001:db8:ffff::1]:3478"),
}

func newWorld(t *testing.T, seed uint64) *world {
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	source := rand.NewChaCha8(key)
	w := &world{
		t: t, now: epoch, rand: source, rng: rand.New(source), trace: fnv.New64a(), delay: 20 * time.Millisecond,
	}
	w.internet = &realm{world: w, public: true, nodes: make(map[netip.Addr]node)}
	return w
}

// node is whatever has an address in a realm.
type node interface {
	receive(src, dst netip.AddrPort, data []byte)
}

// realm is a network within which every address reaches every other.
type realm struct {
	world    *world
	public   bool
	isolated bool // its hosts reach the gateway only (guest Wi-Fi)
	nodes    map[netip.Addr]node
	gateway  *router
}

func (w *world) lan() *realm {
	return &realm{world: w, nodes: make(map[netip.Addr]node)}
}

// route carries a packet through the realm, to a node or to the gateway.
func (r *realm) route(src, dst netip.AddrPort, data []byte) {
	w := r.world
	delay := 200 * time.Microsecond
	copies := 1
	if r.public {
		delay = w.delay
		if w.jitter > 0 {
			delay += time.Duration(w.rng.Int64N(int64(w.jitter)))
		}
		if w.mtu > 0 && len(data) > w.mtu || w.rng.Float64() < w.loss {
			return
		}
		if w.rng.Float64() < w.dup {
			copies = 2
		}
	}
	for range copies {
		w.at(w.now.Add(delay), func() {
			n, ok := r.nodes[dst.Addr()]
			_, fromHost := r.nodes[src.Addr()].(*host)
			switch {
			case ok && !(r.isolated && fromHost):
				n.receive(src, dst, data)
			case !ok && r.gateway != nil:
				r.gateway.forward(src, dst, data)
			}
		})
	}
}

// behavior is one of the three of RFC 4787 sections 4.1 and 5.
type behavior int

const (
	independent behavior = iota // endpoint-independent
	perAddress                  // address-dependent
	perPort                     // address- and port-dependent
)

// key is the part of a remote address that the behavior looks at.
func (b behavior) key(a netip.AddrPort) netip.AddrPort {
	switch b {
	case independent:
		return netip.AddrPort{}
	case perAddress:
		return netip.AddrPortFrom(a.Addr(), 0)
	}
	return a
}

type natType struct {
	mapping, filtering behavior
	keepPort, hairpin  bool
	// clash is netfilter without a rule that drops what comes in for the
	// router itself: it tracks that as a connection for 30 s, and the same
	// addresses and ports are not given to another one meanwhile.
	clash bool
	// inARow gives each new mapping the port after the one before, instead of
	// one at random; single gives no port to two mappings at a time.
	inARow, single bool
}

var (
	fullCone       = natType{mapping: independent, filtering: independent, hairpin: true}
	restricted     = natType{mapping: independent, filtering: perAddress}
	portRestricted = natType{mapping: independent, filtering: perPort, keepPort: true}
	symmetric      = natType{mapping: perPort, filtering: perPort}
	masquerade     = natType{mapping: perPort, filtering: perPort, keepPort: true}
	openMasquerade = natType{mapping: perPort, filtering: perPort, keepPort: true, clash: true}
	preserving     = natType{mapping: perPort, filtering: perPort, keepPort: true, single: true}
	sequential     = natType{mapping: perPort, filtering: perPort, inARow: true, single: true}
	loose          = natType{mapping: perPort, filtering: perAddress}               // symmetric, with a weak filter
	byAddress      = natType{mapping: perAddress, filtering: perPort, single: true} // looks like a cone to two ports of one address
)

// router is a NAT between two realms, with one outside address. Its mappings
// and filter entries live two minutes from the last outgoing packet.
type router struct {
	natType
	world        *world
	outer, inner *realm
	ip           netip.Addr
	byInside     map[[2]netip.AddrPort]*mapping
	byPort       map[uint16][]*mapping
	unexpected   map[[2]netip.AddrPort]time.Time // clash: from, to
	next         int                             // inARow
}

type mapping struct {
	inside  netip.AddrPort
	outside netip.AddrPort
	remote  netip.AddrPort // as far as the behavior looks at it
	used    time.Time
	allowed map[netip.AddrPort]time.Time
	open    bool // a forwarded port: everyone may use it
}

const mappingLife = 2 * time.Minute

func (w *world) router(kind natType, outer, inner *realm, ip string) *router {
	n := &router{natType: kind, world: w, outer: outer, inner: inner, ip: netip.MustParseAddr(ip)}
	n.rebind()
	if kind.inARow {
		n.next = w.rng.IntN(1<<16 - 1024)
	}
	outer.nodes[n.ip], inner.gateway = n, n
	return n
}

// rebind forgets all mappings, as a reboot does.
func (n *router) rebind() {
	n.byInside, n.byPort = make(map[[2]netip.AddrPort]*mapping), make(map[uint16][]*mapping)
	n.unexpected = make(map[[2]netip.AddrPort]time.Time)
}

// forwardPort opens a port to the address for good, as UPnP does.
func (n *router) forwardPort(port uint16, inside netip.AddrPort) netip.AddrPort {
	m := &mapping{inside: inside, outside: netip.AddrPortFrom(n.ip, port), open: true}
	n.byPort[port] = append(n.byPort[port], m)
	return m.outside
}

// free reports whether a new mapping may use the outside port.
func (n *router) free(port uint16, src, dst netip.AddrPort) bool {
	at, clash := n.unexpected[[2]netip.AddrPort{dst, netip.AddrPortFrom(n.ip, port)}]
	if clash && n.world.now.Sub(at) < 30*time.Second {
		return false
	}
	n.byPort[port] = slices.DeleteFunc(n.byPort[port], func(m *mapping) bool {
		return !m.open && n.world.now.Sub(m.used) > mappingLife
	})
	return !slices.ContainsFunc(n.byPort[port], func(m *mapping) bool {
		return n.single || m.inside != src || m.open || m.remote == n.mapping.key(dst)
	})
}

func (n *router) translate(src, dst netip.AddrPort) netip.AddrPort {
	k := [2]netip.AddrPort{src, n.mapping.key(dst)}
	m := n.byInside[k]
	if m == nil || n.world.now.Sub(m.used) > mappingLife {
		port := src.Port()
		for fixed := n.keepPort; !fixed || !n.free(port, src, dst); fixed = true {
			port = uint16(1024 + n.world.rng.IntN(1<<16-1024))
			if n.inARow {
				n.next = (n.next + 1) % (1<<16 - 1024)
				port = uint16(1024 + n.next)
			}
		}
		m = &mapping{inside: src, outside: netip.AddrPortFrom(n.ip, port), remote: n.mapping.key(dst), allowed: make(map[netip.AddrPort]time.Time)}
		n.byInside[k] = m
		n.byPort[port] = append(n.byPort[port], m)
	}
	m.used = n.world.now
	m.allowed[n.filtering.key(dst)] = m.used
	return m.outside
}

func (n *router) forward(src, dst netip.AddrPort, data []byte) {
	outside := n.translate(src, dst)
	if dst.Addr() != n.ip {
		n.outer.route(outside, dst, data)
	} else if n.hairpin {
		n.receive(outside, dst, data)
	}
}

func (n *router) receive(src, dst netip.AddrPort, data []byte) {
	for _, m := range n.byPort[dst.Port()] {
		at, ok := m.allowed[n.filtering.key(src)]
		if m.open { // what comes in makes the way back
			n.byInside[[2]netip.AddrPort{m.inside, n.mapping.key(src)}] = m
			m.allowed, m.used, at, ok = make(map[netip.AddrPort]time.Time), n.world.now, n.world.now, true
		}
		if ok && n.world.now.Sub(at) <= mappingLife && n.world.now.Sub(m.used) <= mappingLife {
			n.inner.route(src, m.inside, data)
			return
		}
	}
	if n.clash {
		n.unexpected[[2]netip.AddrPort{src, dst}] = n.world.now
	}
}

// host has one port, further ones if its agent wants them, and an agent once
// started.
type host struct {
	name     string
	world    *world
	port     uint16
	opened   []uint16 // by Local less 1; 0: shut
	most     int      // sockets that were open at a time
	alone    bool     // has no sockets but the first
	profile  Profile
	prepared List // what was prepared
	homes    []home
	agent    *Agent
	batch    *udp.Batch
	got      []byte // latest packet that is no probe
	from     netip.AddrPort
	sent     []shot // every probe
	heard    [][]byte
	tapped   func(shot)

	promoted []udp.Local
}

type home struct {
	realm *realm
	addr  netip.Addr
}

// shot is a packet that a host sent.
type shot struct {
	at   time.Time
	to   netip.AddrPort
	data []byte
}

func (w *world) host(name string, port uint16) *host {
	h := &host{name: name, world: w, port: port, batch: udp.NewBatch(1 << 16)}
	w.hosts = append(w.hosts, h)
	return h
}

// join gives the host an address. It sends from the latest of each family.
func (h *host) join(r *realm, addr string) *host {
	ip := netip.MustParseAddr(addr)
	r.nodes[ip] = h
	h.homes = append(h.homes, home{r, ip})
	return h
}

func (h *host) leave() {
	for _, at := range h.homes {
		delete(at.realm.nodes, at.addr)
	}
	h.homes = nil
}

// Open, PortOf, Promote and Shut make the host the Sockets of its agent.
func (h *host) Open(n int) (opened []udp.Local) {
	for range n {
		h.opened = append(h.opened, uint16(50000+len(h.opened)))
		opened = append(opened, udp.Local(len(h.opened)))
	}
	open := 0
	for _, p := range h.opened {
		if p != 0 {
			open++
		}
	}
	h.most = max(h.most, open)
	return opened
}

func (h *host) PortOf(l udp.Local) uint16 {
	if l == 0 {
		return h.port
	}
	return h.opened[l-1]
}

func (h *host) Promote(l udp.Local) { h.promoted = append(h.promoted, l) }

func (h *host) Shut(l udp.Local) {
	if h.opened[l-1] == 0 {
		h.world.t.Errorf("%s: socket %d is shut twice", h.name, l)
	}
	h.opened[l-1] = 0
}

func (h *host) transmit(way udp.Path, data []byte) {
	to, port := way.Remote, h.PortOf(way.Local)
	if port == 0 {
		h.world.t.Errorf("%s: sends through socket %d, which is shut", h.name, way.Local)
	}
	for _, at := range slices.Backward(h.homes) {
		if at.addr.Is4() == to.Addr().Is4() {
			if to.Addr() == at.addr { // the machine itself, whoever has the port
				for _, o := range h.world.hosts {
					if o.port == to.Port() && slices.Contains(o.homes, at) {
						h.world.at(h.world.now, func() { o.receive(netip.AddrPortFrom(at.addr, port), to, data) })
					}
				}
				return
			}
			at.realm.route(netip.AddrPortFrom(at.addr, port), to, data)
			return
		}
	}
}

func (h *host) receive(src, dst netip.AddrPort, data []byte) {
	at := udp.Path{Remote: src}
	if dst.Port() != h.port {
		at.Local = udp.Local(slices.Index(h.opened, dst.Port()) + 1)
	}
	if dst.Port() != h.port && at.Local == 0 || h.agent == nil {
		return
	}
	if data[0] != firstByte {
		h.got, h.from = data, src
		return
	}
	h.heard = append(h.heard, data)
	h.agent.Receive(h.world.now, udp.Packet{Path: at, Data: data})
	h.flush()
}

// flush sends what the agent has, as the loop of package peer does.
func (h *host) flush() {
	w := h.world
	for range 100 {
		h.batch.Reset()
		h.agent.Send(w.now, h.batch)
		for p := range h.batch.All() {
			s := shot{w.now, p.Remote, slices.Clone(p.Data)}
			h.sent = append(h.sent, s)
			fmt.Fprint(w.trace, h.name, w.now, p.Remote)
			w.trace.Write(p.Data)
			if h.tapped != nil {
				h.tapped(s)
			}
			h.transmit(p.Path, s.data)
		}
		if d := h.agent.Deadline(); d.IsZero() || d.After(w.now) {
			return
		}
	}
	w.t.Fatalf("%s: the deadline stays in the past: the loop would spin", h.name)
}

// candidates returns what the host knows of itself: its addresses, and those
// that the helpers see. asking them keeps the mapping in the NATs.
func (h *host) candidates() (list []Candidate) {
	for _, at := range h.homes {
		list = append(list, Candidate{Host, netip.AddrPortFrom(at.addr, h.port)})
	}
	for _, to := range helpers {
		for _, at := range slices.Backward(h.homes) {
			if at.addr.Is4() != to.Addr().Is4() {
				continue
			}
			if c := (Candidate{Reflexive, at.outside(h.port, to)}); !slices.Contains(list, c) {
				list = append(list, c)
			}
			break
		}
	}
	return list
}

// list is what the host tells of itself: its candidates, and what it has seen
// of its NAT.
func (h *host) list() List {
	l := List{Candidates: h.candidates()}
	var seen []netip.AddrPort
	for _, to := range helpers {
		for _, at := range slices.Backward(h.homes) {
			if at.addr.Is4() && to.Addr().Is4() {
				seen = append(seen, at.outside(h.port, to))
				break
			}
		}
	}
	h.profile = NewProfile(h.port, seen).After(h.profile)
	l.Profile = h.profile
	if h.alone {
		return l
	}
	if h.prepared.Fresh == nil {
		h.prepared = Prepare(h, List{Profile: l.Profile})
	}
	l.Candidates, l.Fresh = append(l.Candidates, h.prepared.Candidates...), h.prepared.Fresh
	return l
}

// outside is the address that a destination sees, whose mapping is kept.
func (at home) outside(port uint16, to netip.AddrPort) netip.AddrPort {
	src := netip.AddrPortFrom(at.addr, port)
	for n := at.realm.gateway; n != nil; n = n.outer.gateway {
		src = n.translate(src, to)
	}
	return src
}

// start gives the host an agent, and keeps its mapping at the helpers alive.
func (h *host) start(controlling bool, change ...func(*Config)) {
	cfg := Config{
		Box: newBox(h.world.rand), Tag: [4]byte{1, 2, 3, 4}, Controlling: controlling,
		Local: h.list(), Rand: h.world.rand, V4: true, V6: true,
	}
	if !h.alone {
		cfg.Sockets = h
	}
	for _, f := range change {
		f(&cfg)
	}
	h.agent = NewAgent(h.world.now, cfg)
	h.refresh()
}

func (h *host) refresh() {
	h.world.at(h.world.now.Add(10*time.Second), func() {
		h.candidates()
		h.refresh()
	})
}

// event is something that happens at a time; order keeps equal times in the
// order of their making.
type event struct {
	at    time.Time
	order int
	do    func()
}

type events []event

func (e events) Len() int      { return len(e) }
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e events) Less(i, j int) bool {
	return e[i].at.Before(e[j].at) || e[i].at.Equal(e[j].at) && e[i].order < e[j].order
}
func (e *events) Push(x any) { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	x := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return x
}

func (w *world) at(t time.Time, do func()) {
	w.order++
	heap.Push(&w.events, event{t, w.order, do})
}

// run lets time pass until the end or until done says so, and reports how
// much has passed since the epoch.
func (w *world) run(end time.Duration, done func() bool) time.Duration {
	limit := epoch.Add(end)
	for done == nil || !done() {
		next := limit
		var who *host
		for _, h := range w.hosts {
			if h.agent == nil {
				continue
			}
			if d := h.agent.Deadline(); !d.IsZero() && d.Before(next) {
				next, who = d, h
			}
		}
		var do func()
		if len(w.events) > 0 && w.events[0].at.Before(next) {
			e := heap.Pop(&w.events).(event)
			next, do, who = e.at, e.do, nil
		}
		if next.After(w.now) {
			w.now = next
		}
		switch {
		case do != nil:
			do()
		case who != nil:
			who.flush()
		default:
			return end
		}
	}
	return w.now.Sub(epoch)
}

// peers are the two hosts of most tests: a controls.
type peers struct {
	*world
	a, b *host
}

// behind puts a and b behind a NAT each.
func (w *world) behind(na, nb natType) peers {
	la, lb := w.lan(), w.lan()
	w.router(na, w.internet, la, "203.0.113.1")
	w.router(nb, w.internet, lb, "198.51.100.1")
	return peers{w, w.host("a", 4001).join(la, "192.168.1.2"), w.host("b", 4002).join(lb, "10.0.0.2")}
}

func (p peers) start(change ...func(*Config)) {
	p.a.start(true, change...)
	p.b.start(false, change...)
}

// exchange tells each side the other's candidates now.
func (p peers) exchange() {
	ca, cb := p.a.list(), p.b.list()
	p.a.agent.AddRemote(p.now, cb)
	p.b.agent.AddRemote(p.now, ca)
}

func (p peers) connected() bool {
	_, a := p.a.agent.Best()
	_, b := p.b.agent.Best()
	return a && b
}

// wantConnected runs until both sides are connected, checks that full-size
// packets really pass on the paths they name, and returns the time it took.
func (p peers) wantConnected(within time.Duration) time.Duration {
	p.t.Helper()
	begin := p.now.Sub(epoch)
	took := p.run(begin+within, p.connected) - begin
	if !p.connected() {
		p.t.Fatalf("not connected after %v\na: %v\nb: %v", within, p.a.agent.Report(p.now), p.b.agent.Report(p.now))
	}
	p.wantPassage()
	return took
}

// wantPassage sends a full-size packet along each side's path.
func (p peers) wantPassage() {
	p.t.Helper()
	loss, dup := p.loss, p.dup
	p.loss, p.dup = 0, 0
	for _, d := range [][2]*host{{p.a, p.b}, {p.b, p.a}} {
		path, ok := d[0].agent.Best()
		if !ok {
			p.t.Fatalf("%s has no path", d[0].name)
		}
		d[1].got = nil
		d[0].transmit(path.Way, append([]byte{0x80}, make([]byte, fullSize-1)...))
		p.run(p.now.Sub(epoch)+2*p.delay+p.jitter+10*time.Millisecond, nil)
		if len(d[1].got) != fullSize {
			p.t.Fatalf("%s calls %v its path, but a full-size packet does not arrive", d[0].name, path.Way.Remote)
		}
	}
	p.loss, p.dup = loss, dup
}

// wantVia checks the word for the path on the side.
func (h *host) wantVia(via string) {
	h.world.t.Helper()
	if p, _ := h.agent.Best(); p.Via != via {
		h.world.t.Errorf("%s is connected to %v by %q, want %q", h.name, p.Way, p.Via, via)
	}
}

// gcmBox is a Box with the sizes of the real one.
type gcmBox struct {
	aead cipher.AEAD
	rand io.Reader
}

func newBox(r io.Reader) Box {
	block, err := aes.NewCipher([]byte("a key for tests!"))
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCMWithNonceSize(block, 24)
	if err != nil {
		panic(err)
	}
	return gcmBox{aead, r}
}

func (b gcmBox) Seal(dst, plaintext, ad []byte) []byte {
	var nonce [24]byte
	if _, err := io.ReadFull(b.rand, nonce[:]); err != nil {
		panic(err)
	}
	return b.aead.Seal(append(dst, nonce[:]...), nonce[:], plaintext, ad)
}

func (b gcmBox) Open(dst, sealed, ad []byte) ([]byte, error) {
	if len(sealed) < boxOverhead {
		return nil, io.ErrUnexpectedEOF
	}
	return b.aead.Open(dst, sealed[:24], sealed[24:], ad)
}
