package qft

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"qft/internal/lab"
	"qft/internal/peer"
	"qft/internal/rendezvous"
	"qft/internal/secret"
	"qft/internal/udp"
)

// network is how one side of the matrix is attached, in the terms of RFC 4787.
type network struct {
	name     string
	v4, v6   bool
	nat      *lab.NAT // of the home router; nil: a public IPv4 address
	carrier  *lab.NAT // above that
	firewall bool     // in front of IPv6, stateful
	blocked  bool     // no UDP gets out; TCP does
}

const (
	independent = lab.EndpointIndependent
	byAddress   = lab.AddressDependent
	byPort      = lab.AddressPortDependent
)

// networks are the rows and columns. A carrier's NAT is as RFC 6888 has it;
// the one of "IPv4 only" is Linux masquerade.
var networks = []network{
	{name: "none", v4: true, v6: true},
	{name: "full cone", v4: true, nat: &lab.NAT{}},
	{name: "address-restricted", v4: true, nat: &lab.NAT{Filtering: byAddress}},
	{name: "port-restricted", v4: true, nat: &lab.NAT{Filtering: byPort}},
	{name: "symmetric, sequential", v4: true, nat: &lab.NAT{Mapping: byPort, Filtering: byPort, Ports: lab.SequentialPorts}},
	{name: "symmetric, port-preserving", v4: true, nat: &lab.NAT{Mapping: byPort, Filtering: byPort, PortPreserve: true}},
	{name: "symmetric, random", v4: true, nat: &lab.NAT{Mapping: byPort, Filtering: byPort}},
	{name: "CGNAT over cone", v4: true, nat: &lab.NAT{Filtering: byPort}, carrier: carrierNAT},
	{name: "CGNAT over symmetric", v4: true, nat: &lab.NAT{Mapping: byPort, Filtering: byPort}, carrier: carrierNAT},
	{name: "UDP blocked", v4: true, v6: true, nat: &lab.NAT{Filtering: byPort}, firewall: true, blocked: true},
	{name: "IPv6 only", v6: true, firewall: true},
	{name: "IPv4 only", v4: true, nat: &lab.NAT{Mapping: byPort, Filtering: byPort, PortPreserve: true, Overload: true}},
	{name: "dual stack, v4 symmetric", v4: true, v6: true, nat: &lab.NAT{Mapping: byPort, Filtering: byPort}, firewall: true},
}

// carrierNetwork is what lies between a carrier's NAT and its customers (RFC 6598).
var carrierNetwork = netip.MustParsePrefix("100.64.0.0/10")

var carrierNAT = &lab.NAT{Filtering: byAddress, Hairpin: true}

// attach puts a host in the network. The access line has the delay and the
// loss; what is inside the home takes no time.
func (n *network) attach(w *lab.World, name string, line lab.Link, maps bool) (*lab.Host, *lab.Router) {
	host := lab.HostConfig{Name: name}
	switch {
	case n.v4 && n.v6:
		host.Family = lab.DualStack
	case n.v6:
		host.Family = lab.IPv6Only
	}
	if n.nat == nil && !n.firewall {
		host.Up, host.Down = line, line
		return w.Host(nil, host), nil
	}
	var carrier *lab.Router
	if n.carrier != nil {
		carrier = w.Router(nil, lab.RouterConfig{Name: name + " carrier", NAT: n.carrier, LAN: carrierNetwork})
	}
	home := lab.RouterConfig{Name: name + " router", NAT: n.nat, Up: line, Down: line, Maps: maps, BlockUDP: n.blocked}
	if n.firewall {
		home.Firewall = &lab.Firewall{Filtering: byPort}
	}
	r := w.Router(carrier, home)
	return w.Host(r, host), r
}

// encounter is one trial: a helper, a sender that waits and a receiver that comes.
type encounter struct {
	*lab.World
	helper *lab.Host
	tcp    bool // the peers have lines, and so has the helper if it listens
}

// end is one side: a peer without an application.
type end struct {
	*peer.Peer
	e         *encounter
	host      *lab.Host
	port      uint16
	tcp       *lab.Lines
	number    uint32
	joined    bool
	began     time.Duration // since the world began, as all that follow
	connected time.Duration // zero: not
	failed    time.Duration // zero: not
	word      string        // of the first path
	path      string        // of the latest
	told      []peer.HelperPorts
	toldAt    []time.Duration
	lost      []time.Duration // when contact was lost,
	back      []time.Duration // and when it was there again
	token     func(string)    // takes our token; may be nil
}

const helperDelay = 25 * time.Millisecond // one way, between helper and peer

// helperPorts are those of the helper of the matrix: two, so that NATs show
// how they map.
var helperPorts = []uint16{4277, 443}

func newEncounter(seed uint64) *encounter {
	e := &encounter{World: lab.New(seed)}
	e.helper = e.Host(nil, lab.HostConfig{Name: "helper", Family: lab.DualStack})
	e.startHelper()
	return e
}

// startHelper starts, or after a crash restarts, the helper.
func (e *encounter) startHelper() {
	cfg := rendezvous.ServerConfig{Rand: e.Entropy()}
	for i, p := range helperPorts {
		cfg.Ports = append(cfg.Ports, rendezvous.Port{Port: p, Local: udp.Local(i)})
	}
	e.helper.Bind(helperPorts[0], rendezvous.NewServer(cfg))
	for _, p := range helperPorts[1:] {
		e.helper.Open(p, helperPorts[0])
	}
}

// start puts a peer on a host: a sender with words, or a receiver with a phrase.
func (e *encounter) start(role rendezvous.Role, host *lab.Host, words string, phrase secret.Phrase) *end {
	n := &end{e: e, host: host, began: e.Elapsed()}
	cfg := peer.Config{
		Role: role, App: still{}, AES: true, Rand: e.Entropy(), Words: words, Phrase: phrase,
		Local: func() []netip.AddrPort {
			var all []netip.AddrPort
			for _, a := range host.Addrs() {
				all = append(all, netip.AddrPortFrom(a, n.port))
			}
			return all
		},
	}
	for _, a := range host.Addrs() {
		cfg.V4, cfg.V6 = cfg.V4 || a.Is4(), cfg.V6 || a.Is6()
	}
	for _, a := range e.helper.Addrs() {
		if a.Is4() && cfg.V4 || a.Is6() && cfg.V6 {
			cfg.Helpers = append(cfg.Helpers, netip.AddrPortFrom(a, helperPorts[0]))
		}
	}
	further := &lab.Sockets{Host: host}
	cfg.Sockets = further
	n.tcp = host.Lines(0)
	if e.tcp {
		cfg.Lines = n.tcp
	}
	n.Peer = peer.New(e.Now(), cfg)
	n.port = host.Bind(0, n)
	further.Of, n.tcp.Of = n.port, n.port
	return n
}

// openPorts has the host's router open ports for the peer, and tells it when
// that has taken the time that it takes.
func (n *end) openPorts(r *lab.Router) {
	n.e.After(300*time.Millisecond, func() {
		if n.tcp.Port() == 0 {
			n.tcp.Listen(0)
		}
		n.SetMapped(n.e.Now(), n.opened(r.Map, n.port))
		n.SetMappedLines(n.e.Now(), n.opened(r.MapTCP, n.tcp.Port()))
		n.host.Wake(n.port)
	})
}

// opened asks for a port on each address, and returns the outside ones. What a
// router gives that is itself behind a carrier's NAT is no address for others.
func (n *end) opened(open func(uint16, netip.AddrPort) (netip.AddrPort, bool), port uint16) (outside []netip.AddrPort) {
	for _, a := range n.host.Addrs() {
		if o, ok := open(port, netip.AddrPortFrom(a, port)); ok && !carrierNetwork.Contains(o.Addr()) {
			outside = append(outside, o)
		}
	}
	return outside
}

// parseCode is what a person types.
func parseCode(number uint32, words string) (secret.Phrase, error) {
	return secret.Parse(fmt.Sprintf("%d-%s", number, words))
}

// still is an application that has nothing to do.
type still struct{}

func (still) Start(time.Time, peer.Link) {}
func (still) Step(time.Time)             {}
func (still) Deadline() time.Time        { return time.Time{} }
func (still) Stop(time.Time)             {}
func (still) Done() bool                 { return true }

// Send also takes note of what the peer tells.
func (n *end) Send(now time.Time, b *udp.Batch) {
	n.Peer.Send(now, b)
	for {
		v, ok := n.Next()
		if !ok {
			break
		}
		switch v := v.(type) {
		case peer.Joined:
			n.number, n.joined = v.Number, true
		case peer.Connected:
			if n.connected == 0 {
				n.connected, n.word = n.e.Elapsed(), v.Word
			}
			n.path = v.Word
		case peer.HelperPorts:
			n.told = append(n.told, v)
			n.toldAt = append(n.toldAt, n.e.Elapsed())
		case peer.Token:
			n.token(v.Text)
		case peer.ContactLost:
			n.lost = append(n.lost, n.e.Elapsed())
		case peer.ContactBack:
			n.back = append(n.back, n.e.Elapsed())
		}
	}
	if n.failed == 0 && n.Err() != nil {
		n.failed = n.e.Elapsed()
	}
}

func (n *end) ended() bool { return n.connected != 0 || n.failed != 0 }

// failedAs reports whether the peer has failed for a reason.
func (n *end) failedAs(k peer.Kind) bool {
	var e *peer.Error
	return n.Err() != nil && errors.As(n.Err(), &e) && e.Kind == k
}

// fate is how a trial has ended.
type fate byte

const (
	gotThrough fate = iota // both are connected
	noPath                 // both say that there is no path
	noWay                  // one says that the helper cannot be reached
	astray                 // anything else
	fates
)

// trial is one encounter in short.
type trial struct {
	fate fate
	took time.Duration // since both were present
	text string        // for astray
}

// condition is what a table of the matrix is about.
type condition struct {
	maps bool    // the sender's router opens ports
	loss float64 // of each access line, in each direction
}

// run lets a sender in one network wait, and a receiver in another come.
func (c condition) run(a, b *network, seed uint64) trial {
	e := newEncounter(seed)
	e.tcp = true
	e.helper.Lines(helperPorts[0]).Listen(helperPorts[0])
	line := lab.Link{Delay: helperDelay, Loss: c.loss}
	r := e.Rand()
	from, router := a.attach(e.World, "sender", line, c.maps)
	to, _ := b.attach(e.World, "receiver", line, false)
	words := secret.NewWords(e.Entropy())
	s := e.start(rendezvous.Sender, from, words, secret.Phrase{})
	if c.maps && router != nil {
		s.openPorts(router)
	}
	e.Run(30*time.Second, func() bool { return s.joined || s.failed != 0 })
	if s.joined {
		e.World.Run(time.Second+time.Duration(r.IntN(2000))*time.Millisecond, nil)
	}
	phrase, err := parseCode(max(s.number, 1), words)
	if err != nil {
		return trial{fate: astray, text: err.Error()}
	}
	present := s.began
	n := s
	if s.joined {
		n = e.start(rendezvous.Receiver, to, "", phrase)
		present = n.began
		e.World.Run(time.Minute, func() bool { return s.ended() && n.ended() })
	}
	switch {
	case s.connected != 0 && n.connected != 0:
		return trial{fate: gotThrough, took: max(s.connected, n.connected) - present}
	case s.failedAs(peer.NoPath) && n.failedAs(peer.NoPath):
		return trial{fate: noPath, took: max(s.failed, n.failed) - present}
	}
	return trial{fate: astray, text: fmt.Sprintf("sender %v %v, receiver %v %v", s.connected, s.Err(), n.connected, n.Err())}
}
