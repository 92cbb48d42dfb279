package survey

import (
	"net/netip"
	"testing"
	"time"

	"qft/internal/lab"
	"qft/internal/rendezvous"
	"qft/internal/stun"
	"qft/internal/udp"
)

// hub is one program on several ports of a host, as the lab's machines: each
// port is a Local, in the order of binding.
type hub struct {
	host    *lab.Host
	ports   []uint16
	waiting []udp.Packet // to be sent
	machine lab.Machine
	scratch *udp.Batch
}

func newHub(h *lab.Host, ports ...uint16) *hub {
	b := &hub{host: h, scratch: udp.NewBatch(64 << 10)}
	for i, p := range ports {
		b.ports = append(b.ports, h.Bind(p, &desk{b, udp.Local(i)}))
	}
	return b
}

// turn lets the machine speak, and wakes those ports that have something to
// send by it.
func (b *hub) turn(now time.Time) {
	for {
		b.scratch.Reset()
		b.machine.Send(now, b.scratch)
		if b.scratch.Len() == 0 {
			return
		}
		for p := range b.scratch.All() {
			p.Data = append([]byte(nil), p.Data...)
			b.waiting = append(b.waiting, p)
			b.host.Wake(b.ports[p.Local])
		}
	}
}

// desk is one port of a hub.
type desk struct {
	hub   *hub
	local udp.Local
}

func (d *desk) Receive(now time.Time, p udp.Packet) {
	p.Local = d.local
	d.hub.machine.Receive(now, p)
	d.hub.host.Wake(d.hub.ports[0])
}

func (d *desk) Send(now time.Time, b *udp.Batch) {
	if d.local == 0 {
		d.hub.turn(now)
	}
	var rest []udp.Packet
	for _, p := range d.hub.waiting {
		if p.Local != d.local || !b.Add(udp.To(p.Remote), p.Data) {
			rest = append(rest, p)
		}
	}
	d.hub.waiting = rest
}

func (d *desk) Deadline() time.Time {
	if d.local != 0 {
		return time.Time{}
	}
	return d.hub.machine.Deadline()
}

// helper is a helper on several ports, or a STUN server only.
type helper struct {
	*rendezvous.Server
	mute bool
}

func (h *helper) Receive(now time.Time, p udp.Packet) {
	if stun.Is(p.Data) || !h.mute {
		h.Server.Receive(now, p)
	}
}

// scene is a machine that surveys its network, and a helper outside of it.
type scene struct {
	t      *testing.T
	world  *lab.World
	helper *helper
	survey *Survey
	local  *lab.Host
}

// setting is what a scene is made of.
type setting struct {
	seed   uint64
	router *lab.RouterConfig // nil: the machine is outside as well
	line   lab.Link          // of the machine
	family lab.Family
	ports  []uint16 // of the helper; if none, 4000 and 443
	mute   bool
	nearer bool // there is a STUN server besides, which answers first
	idle   []time.Duration
}

func newScene(t *testing.T, c setting) *scene {
	w := lab.New(c.seed)
	delay := lab.Link{Delay: 20 * time.Millisecond}
	if len(c.ports) == 0 {
		c.ports = []uint16{4000, 443}
	}
	outside := w.Host(nil, lab.HostConfig{Name: "helper", Family: lab.DualStack, Up: delay, Down: delay})
	s := &scene{t: t, world: w}
	cfg := rendezvous.ServerConfig{Rand: w.Entropy()}
	for i, p := range c.ports {
		cfg.Ports = append(cfg.Ports, rendezvous.Port{Local: udp.Local(i), Port: p})
	}
	s.helper = &helper{rendezvous.NewServer(cfg), c.mute}
	newHub(outside, c.ports...).machine = s.helper
	var router *lab.Router
	if c.router != nil {
		router = w.Router(nil, *c.router)
	}
	s.local = w.Host(router, lab.HostConfig{Name: "machine", Family: c.family, Up: c.line, Down: c.line})
	b := newHub(s.local, make([]uint16, 2+len(c.idle))...)
	var servers []netip.AddrPort
	if c.nearer {
		other := w.Host(nil, lab.HostConfig{Name: "STUN server"})
		newHub(other, 3478).machine = &helper{rendezvous.NewServer(rendezvous.ServerConfig{Rand: w.Entropy()}), true}
		servers = append(servers, other.AddrPort(false, 3478))
	}
	for _, a := range outside.Addrs() {
		servers = append(servers, netip.AddrPortFrom(a, c.ports[0]))
	}
	s.survey = New(w.Now(), Config{
		Servers: servers, Local: s.local.Addrs(), Sockets: b.ports,
		V4: c.family != lab.IPv6Only, V6: c.family != lab.IPv4Only, Idle: c.idle, Rand: w.Entropy(),
	})
	b.machine = s.survey
	for _, p := range b.ports {
		s.local.Wake(p)
	}
	return s
}

// run lets the survey come to its end, which takes at most so long.
func (s *scene) run(limit time.Duration) Findings {
	s.t.Helper()
	if !s.world.Run(limit, s.survey.Done) {
		s.t.Errorf("not done after %v", limit)
	}
	return s.survey.Findings()
}
