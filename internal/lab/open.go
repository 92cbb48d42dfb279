package lab

import (
	"fmt"

	"qft/internal/udp"
)

// Open binds a further port to the machine on port of, and returns by what name
// the machine knows it: packets that it sends with that Local leave from there,
// and those that arrive there carry it. Port 0 is any free one. The further port
// is gone with the machine, or by Shut.
func (h *Host) Open(port, of uint16) udp.Local {
	main := h.ports[of]
	if main == nil || main.main != main {
		panic(fmt.Sprintf("lab: no machine is bound to port %d of %s", of, h.name))
	}
	if port == 0 {
		port = h.freePort()
	}
	if h.ports[port] != nil {
		panic(fmt.Sprintf("lab: port %d of %s is taken", port, h.name))
	}
	s := &socket{host: h, port: port, m: main.m, main: main, local: udp.Local(len(main.further) + 1)}
	s.who = s
	main.further = append(main.further, s)
	h.sockets = append(h.sockets, s)
	h.ports[port] = s
	return s.local
}

// Sockets are the sockets of the machine on one port of a host, for it to open
// more.
type Sockets struct {
	Host *Host
	Of   uint16
}

// Open opens n further ones.
func (s Sockets) Open(n int) (opened []udp.Local) {
	for range n {
		opened = append(opened, s.Host.Open(0, s.Of))
	}
	return opened
}

// PortOf returns the port of one, 0 if it is not open.
func (s Sockets) PortOf(l udp.Local) uint16 {
	main := s.Host.ports[s.Of]
	if l == 0 && main != nil {
		return s.Of
	}
	if main != nil && main.at(l) != nil {
		return main.at(l).port
	}
	return 0
}

// Promote does nothing: all sockets are as good as the first.
func (s Sockets) Promote(udp.Local) {}

// Shut closes a further one.
func (s Sockets) Shut(l udp.Local) {
	if p := s.PortOf(l); l != 0 && p != 0 {
		s.Host.Unbind(p)
	}
}
