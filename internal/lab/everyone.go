package lab

import (
	"net/netip"
	"slices"
)

// hearing is a socket that takes what is sent to a group.
type hearing struct {
	group netip.AddrPort
	s     *socket
}

// Hear has the machine on a port also take what is sent to everybody: to a
// multicast group, from any host below the same router, its own among them.
// On the public internet there is no everybody.
func (h *Host) Hear(port uint16, group netip.AddrPort) {
	if s := h.ports[port]; s != nil {
		h.ears = append(h.ears, hearing{group, s})
	}
}

// hear hands out a packet to a group. Each machine gets a copy.
func (h *Host) hear(k *packet) {
	h.ears = slices.DeleteFunc(h.ears, func(e hearing) bool { return e.s.closed })
	for _, e := range h.ears {
		if e.group == k.to && !(k.from.Port() == e.s.port && slices.Contains(h.addrs, k.from.Addr())) {
			e.s.arrive(h.w.newPacket(k.from, k.to, k.data))
		}
	}
	h.w.release(k)
}

// spread gives a packet to a group to all hosts below r.
func (r *Router) spread(k *packet) {
	for _, h := range r.w.hosts {
		if h.parent == r && r.parent != nil {
			h.down.offer(r.w.newPacket(k.from, k.to, k.data))
		}
	}
	r.w.release(k)
}
