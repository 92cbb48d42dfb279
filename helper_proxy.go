package qft

import (
	"net/netip"
	"time"

	"qft/internal/proxy"
	"qft/internal/udp"
)

// Receive takes the header off what a trusted load balancer passes on. The
// answer goes back to it; whose the packet is counts for all else.
func (h *helper) Receive(now time.Time, p udp.Packet) {
	now = h.steady(now)
	if !h.proxied(p.Path) {
		h.Server.Receive(now, p)
		return
	}
	client, payload, err := proxy.Cut(p.Data)
	if err != nil {
		h.headers++
		return
	}
	if !client.IsValid() { // it speaks for itself
		client = p.Remote
	}
	p.Data = payload
	h.Server.ReceiveFor(now, p, client)
}

// proxied reports whether what comes along a path begins with a header. Lines
// (TCP) have none: what they carry comes from whoever opened them.
func (h *helper) proxied(p udp.Path) bool {
	return len(h.cfg.ProxyFrom) > 0 && !p.IsLine() && within(h.cfg.ProxyFrom, p.Remote.Addr())
}

func within(all []netip.Prefix, a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, p := range all {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
