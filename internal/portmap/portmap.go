package portmap

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Names of the protocols.
const (
	ByPCP  = "PCP"
	ByPMP  = "NAT-PMP"
	ByUPnP = "UPnP"
)

// Mapping is a port that a router has opened.
type Mapping struct {
	Outside netip.AddrPort // where others reach it
	TCP     bool           // a port of TCP, else of UDP
	By      string         // the protocol that opened it
}

// Public reports whether others can reach it. If not, the router is behind
// another NAT, and the mapping is of no use outside of that.
func (m Mapping) Public() bool { return public(m.Outside.Addr()) }

// notPublic are networks that no address on the internet is in (RFC 6890). The
// documentation's networks are left out: nobody has them, but tests.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("10.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("224.0.0.0/3"),
}

func public(ip netip.Addr) bool {
	if ip = ip.Unmap(); ip.Is6() {
		return global6.Contains(ip)
	}
	return ip.IsValid() && !slices.ContainsFunc(notPublic, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// Config is what is to be opened.
type Config struct {
	Port   uint16 // of this machine
	UDP    bool   // in UDP,
	TCP    bool   // in TCP, or both
	V4, V6 bool   // the families in which the port is in use

	// All asks by every protocol, to learn which ones the router speaks, even
	// if a port is open by then.
	All bool

	// Found is told of all mappings there are, whenever they change, by one
	// goroutine. It must not wait for Close.
	Found func([]Mapping)

	// Gateways says which routers to ask; it is asked again every few seconds.
	// If nil, those of the system's routing table.
	Gateways func() []Gateway
}

// protocols are those to open the port in: false is UDP, true is TCP.
func (c Config) protocols() (tcp []bool) {
	if c.UDP {
		tcp = append(tcp, false)
	}
	if c.TCP {
		tcp = append(tcp, true)
	}
	return tcp
}

// lookAgain is how often it is looked whether the way out has changed.
const lookAgain = 5 * time.Second

// Answer is what a router has said in one protocol.
type Answer struct {
	Router netip.Addr
	By     string
	Speaks bool      // it has answered in this protocol
	Open   []Mapping // what it has opened
	Said   string    // why it would not
}

// Mapper keeps a port open at the routers.
type Mapper struct {
	cfg      Config
	cancel   context.CancelFunc
	searched chan struct{}
	changed  chan struct{} // has room for one
	running  sync.WaitGroup
	asked    map[Gateway]context.CancelFunc // of watch

	mu      sync.Mutex
	answers map[source]Answer
	pending int // searches that have not ended
	began   bool
	visits  int
}

// visit is one time that a router is asked: it may go and come again before the
// ports of the last time are closed.
type visit struct {
	Gateway
	number int
}

// source is who gives mappings.
type source struct {
	visit
	by string
}

// Start begins to ask and does not wait. What it opens is closed by Close, and
// when ctx ends.
func Start(ctx context.Context, cfg Config) *Mapper {
	if cfg.Gateways == nil {
		cfg.Gateways = Gateways
	}
	m := newMapper(cfg)
	ctx, m.cancel = context.WithCancel(ctx)
	m.running.Go(func() { m.watch(ctx) })
	m.running.Go(func() { m.tell(ctx) })
	return m
}

func newMapper(cfg Config) *Mapper {
	return &Mapper{
		cfg: cfg, searched: make(chan struct{}), changed: make(chan struct{}, 1),
		answers: make(map[source]Answer), asked: make(map[Gateway]context.CancelFunc),
	}
}

// Close closes what was opened, which takes at most a second or so, and returns
// when nothing runs any more.
func (m *Mapper) Close() {
	m.cancel()
	m.running.Wait()
}

// Searched is closed when every router has answered or had its time.
func (m *Mapper) Searched() <-chan struct{} { return m.searched }

// Answers is what the routers have said so far.
func (m *Mapper) Answers() []Answer {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]Answer, 0, len(m.answers))
	for _, a := range m.answers {
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b Answer) int {
		return cmp.Or(a.Router.Compare(b.Router), cmp.Compare(a.By, b.By))
	})
	return all
}

// watch has the routers asked that there are, as they come and go.
func (m *Mapper) watch(ctx context.Context) {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		m.follow(ctx, m.gateways())
		select {
		case <-ctx.Done():
			m.follow(ctx, nil)
			return
		case <-tick.C:
		}
	}
}

// follow asks those routers that are new, and leaves those that are gone.
func (m *Mapper) follow(ctx context.Context, now []Gateway) {
	for g, leave := range m.asked {
		if !slices.Contains(now, g) {
			leave()
			delete(m.asked, g)
		}
	}
	for _, g := range now {
		if m.asked[g] == nil {
			at, leave := context.WithCancel(ctx)
			m.asked[g] = leave
			m.ask(at, g)
		}
	}
	m.started()
}

// gateways are the routers of the families in use.
func (m *Mapper) gateways() []Gateway {
	var all []Gateway
	for _, g := range m.cfg.Gateways() {
		if g.Local.Is4() && m.cfg.V4 || g.Local.Is6() && m.cfg.V6 {
			all = append(all, g)
		}
	}
	return all[:min(len(all), maxGateways*(2+maxAddresses))]
}

// ask asks a router by all protocols.
func (m *Mapper) ask(ctx context.Context, g Gateway) {
	m.mu.Lock()
	m.pending += 2
	m.visits++
	v := visit{g, m.visits}
	m.mu.Unlock()
	m.running.Go(func() { m.knock(ctx, v) })
	m.running.Go(func() { m.keepUPnP(ctx, v) })
}

// started: all routers that there were at first are being asked.
func (m *Mapper) started() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.began = true
	m.checkSearched()
}

// settled: a search has ended.
func (m *Mapper) settled() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pending--
	m.checkSearched()
}

func (m *Mapper) checkSearched() {
	if m.began && m.pending == 0 {
		select {
		case <-m.searched:
		default:
			close(m.searched)
		}
	}
}

// set takes what a router has said.
func (m *Mapper) set(v visit, answers ...Answer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range answers {
		a.Router = v.Router
		m.answers[source{v, a.By}] = a
	}
	m.wake()
}

// forget drops what a router has said that is not asked any more.
func (m *Mapper) forget(v visit, by string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.answers, source{v, by})
	m.wake()
}

func (m *Mapper) wake() {
	select {
	case m.changed <- struct{}{}:
	default: // it is going to look anyway
	}
}

// opened reports whether another protocol has opened the ports at a router.
func (m *Mapper) opened(v visit) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for s, a := range m.answers {
		if s.visit == v && s.by != ByUPnP && slices.ContainsFunc(a.Open, Mapping.Public) {
			return true
		}
	}
	return false
}

// mappings are all there are, in order.
func (m *Mapper) mappings() []Mapping {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []Mapping
	for _, a := range m.answers {
		all = append(all, a.Open...)
	}
	slices.SortFunc(all, func(a, b Mapping) int {
		return cmp.Or(a.Outside.Compare(b.Outside), cmp.Compare(protocolNumber(b.TCP), protocolNumber(a.TCP)), cmp.Compare(a.By, b.By))
	})
	return slices.CompactFunc(all, func(a, b Mapping) bool { return a.Outside == b.Outside && a.TCP == b.TCP })
}

// tell passes mappings on when they have changed.
func (m *Mapper) tell(ctx context.Context) {
	var told []Mapping
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.changed:
		}
		if all := m.mappings(); !slices.Equal(all, told) && m.cfg.Found != nil {
			told = all
			m.cfg.Found(all)
		}
	}
}
