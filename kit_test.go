package qft

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"qft/internal/lab"
	"qft/internal/peer"
	"qft/internal/rendezvous"
	"qft/internal/secret"
	"qft/internal/transfer"
	"qft/internal/udp"
	"qft/internal/walk"
)

// A meeting is a helper and machines around it, in the lab: the whole program
// but for sockets, clocks and goroutines.
type meeting struct {
	*lab.World
	t          testing.TB
	dir        string
	helperHost *lab.Host
	server     *rendezvous.Server
	packet     int  // peer.Config.PacketBytes of those who join
	nearby     bool // they look on their networks as well
	alone      bool // they have no helper
}

const helperPort = 4000

func newMeeting(t testing.TB, seed uint64, line lab.Link) *meeting {
	m := &meeting{World: lab.New(seed), t: t, dir: scratch(t)}
	m.helperHost = m.Host(nil, lab.HostConfig{Name: "helper", Family: lab.DualStack, Up: line, Down: line})
	m.startHelper()
	return m
}

// startHelper starts, or after a crash restarts, the helper.
func (m *meeting) startHelper() {
	m.server = rendezvous.NewServer(rendezvous.ServerConfig{Rand: m.Entropy()})
	m.helperHost.Bind(helperPort, m.server)
}

// scratch is a directory in memory where there is one: ten thousand seeds
// sync their files.
func scratch(t testing.TB) string {
	if st, err := os.Stat("/dev/shm"); err == nil && st.IsDir() {
		if dir, err := os.MkdirTemp("/dev/shm", "qft-test-"); err == nil {
			t.Cleanup(func() { os.RemoveAll(dir) })
			return dir
		}
	}
	return t.TempDir()
}

// node is one machine that runs a Send or a Receive.
type node struct {
	*driver
	m      *meeting
	host   *lab.Host
	port   uint16           // to have, if not 0
	at     []netip.AddrPort // where the sender listens
	door   netip.AddrPort
	events []Event
	path   string // of the file
	both   bool   // it is a stream
	over   func() // called once it is done; may be nil
}

func (n *node) Send(now time.Time, b *udp.Batch) {
	n.driver.Send(now, b)
	if n.over != nil && n.Done() {
		f := n.over
		n.over = nil
		f()
	}
}

// join puts a peer on a host. An empty phrase makes a code.
func (m *meeting) join(h *lab.Host, role rendezvous.Role, phrase string, a *app) *node {
	return m.joinAs(&node{m: m, host: h}, role, phrase, a)
}

// joinAs does so as a node that knows its port, or where the sender is.
func (m *meeting) joinAs(n *node, role rendezvous.Role, phrase string, a *app) *node {
	var pl plan
	if phrase == "" {
		pl.words = secret.NewWords(m.Entropy())
	} else {
		pl.phrase = m.phrase(phrase)
	}
	n.start(role, pl, &driver{app: a, words: pl.words, pause: new(pauseTold), emit: func(e Event) { n.events = append(n.events, e) }})
	return n
}

// parseOnce is secret.Parse for phrases that come again and again in tests: those
// of one's own cost 64 MiB and a memory-hard hash each time.
func parseOnce(text string) (secret.Phrase, error) {
	if p, ok := parsed.Load(text); ok {
		return p.(secret.Phrase), nil
	}
	p, err := secret.Parse(text)
	if err == nil {
		parsed.Store(text, p)
	}
	return p, err
}

var parsed sync.Map // phrases by their text

func (m *meeting) phrase(text string) secret.Phrase {
	p, err := parseOnce(text)
	if err != nil {
		m.t.Fatal(err)
	}
	return p
}

// start gives a node's driver its peer, and puts it on the host.
func (n *node) start(role rendezvous.Role, pl plan, d *driver) {
	m, h := n.m, n.host
	cfg := peer.Config{
		Role: role, App: d.app, AES: true, Rand: m.Entropy(), PacketBytes: m.packet, Phrase: pl.phrase, Words: pl.words,
		Duplex: n.both, Guesses: pl.guesses, Known: pl.known, Many: pl.many, Again: d.at != nil && !pl.first,
		Local: func() []netip.AddrPort {
			var all []netip.AddrPort
			for _, addr := range h.Addrs() {
				all = append(all, netip.AddrPortFrom(addr, n.port))
			}
			return all
		},
	}
	families := make(map[bool]bool)
	for _, addr := range h.Addrs() {
		families[addr.Is6()] = true
	}
	for _, addr := range m.helperHost.Addrs() {
		if families[addr.Is6()] && !m.alone && n.at == nil {
			cfg.Helpers = append(cfg.Helpers, netip.AddrPortFrom(addr, helperPort))
		}
	}
	if d.app.emit == nil {
		d.app.emit = d.event
	}
	n.port = h.Bind(n.port, n)
	cfg.Port, cfg.Nearby, cfg.Host, cfg.Door = n.port, m.nearby, n.at, n.door
	if m.nearby {
		for _, g := range peer.Groups() {
			h.Hear(n.port, g)
		}
	}
	d.Peer = peer.New(m.Now(), cfg)
	n.driver = d
}

// send starts a sender of a file.
func (m *meeting) send(h *lab.Host, phrase, path string) *node {
	return m.sendFrom(nil, h, phrase, path)
}

// sendFrom starts a sender whose file lies on a disk of its own; nil: a disk
// that takes no time.
func (m *meeting) sendFrom(d *disk, h *lab.Host, phrase, path string) *node {
	s := m.sender(d.config(), path)
	n := m.join(h, rendezvous.Sender, phrase, &app{party: s, sends: true})
	n.path = path
	d.attach(n)
	return n
}

func (m *meeting) sender(cfg transfer.Config, path string) *party {
	s, err := transfer.NewSender(transfer.SenderConfig{Config: cfg, Walk: walk.Config{Paths: []string{path}}})
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(s.Close)
	return &party{engine: s, attach: func(l peer.Link) { l.SetSource(s) }}
}

// receive starts a receiver into a fresh directory.
func (m *meeting) receive(h *lab.Host, phrase, dir string) *node {
	return m.receiveOn(nil, h, phrase, dir)
}

// receiveOn starts a receiver into a directory on a disk of its own.
func (m *meeting) receiveOn(d *disk, h *lab.Host, phrase, dir string) *node {
	n := m.join(h, rendezvous.Receiver, phrase, &app{party: m.receiver(d.config(), Target{Dir: dir}), ask: newAsker(Target{}, inPlace)})
	n.path = dir
	d.attach(n)
	return n
}

func inPlace(work func()) { work() }

func (m *meeting) receiver(cfg transfer.Config, to Target) *party {
	rc := to.config(Config{}, nil)
	rc.Config = cfg
	r, err := transfer.NewReceiver(rc)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(r.Close)
	return &party{engine: r, attach: func(l peer.Link) { l.SetSink(r) }, receiver: r}
}

// disk takes the same time for each work, and does one after the other. Most
// works are blocks of 1 MiB.
type disk struct {
	each time.Duration
	free time.Duration // since the world began
	node *node
}

func (d *disk) config() transfer.Config {
	if d == nil {
		return transfer.Config{}
	}
	return transfer.Config{Go: d.run}
}

func (d *disk) attach(n *node) {
	if d != nil {
		d.node = n
	}
}

func (d *disk) run(work, done func()) {
	m := d.node.m
	d.free = max(d.free, m.Elapsed()) + d.each
	m.At(d.free, func() {
		work()
		done()
		d.node.host.Wake(d.node.port)
	})
}

func (n *node) stop() {
	n.driver.Stop(n.m.Now())
	n.host.Wake(n.port)
}

// err is how a node that is done has ended.
func (n *node) err() error { return n.app.result("test", n.Peer) }

// code waits for the code of a sender.
func (n *node) code() string {
	n.m.t.Helper()
	var code string
	if !n.m.Run(time.Minute, func() bool {
		for _, e := range n.events {
			if c, ok := e.(Code); ok {
				code = c.Code
			}
		}
		return code != ""
	}) {
		n.m.t.Fatalf("no code after a minute: %v", n.events)
	}
	return code
}

// file makes a file of n pseudo-random bytes.
func (m *meeting) file(name string, n int) string {
	b := make([]byte, n)
	if _, err := m.Entropy().Read(b); err != nil {
		m.t.Fatal(err)
	}
	path := filepath.Join(m.dir, name)
	if err := os.WriteFile(path, b, 0o640); err != nil {
		m.t.Fatal(err)
	}
	return path
}

func (m *meeting) folder(name string) string {
	path := filepath.Join(m.dir, name)
	if err := os.MkdirAll(path, 0o755); err != nil {
		m.t.Fatal(err)
	}
	return path
}

// finish runs until both are done.
func (m *meeting) finish(limit time.Duration, nodes ...*node) error {
	if !m.Run(limit, func() bool {
		for _, n := range nodes {
			if !n.Done() {
				return false
			}
		}
		return true
	}) {
		s := fmt.Sprintf("not done after %v", limit)
		for _, n := range nodes {
			s += fmt.Sprintf("\n%s: done %v, %v", n.host.Name(), n.Done(), n.events)
			if c := n.Conn(); c != nil {
				s += fmt.Sprintf("\n  %+v", c.Stats())
			}
		}
		return fmt.Errorf("%s", s)
	}
	return nil
}

// same compares a file with its copy in a directory.
func same(path, dir string) error {
	a, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(filepath.Join(dir, filepath.Base(path)))
	if err != nil {
		return err
	}
	if !bytes.Equal(a, b) {
		return fmt.Errorf("%s differs from its copy: %d and %d bytes", path, len(a), len(b))
	}
	return nil
}
