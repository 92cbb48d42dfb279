package survey

import (
	"net/netip"
	"time"

	"qft/internal/stun"
	"qft/internal/udp"
)

// hairpin is whether the NAT passes packets between two machines behind it that
// know each other's outside address only. Both sockets send, so that no filter
// keeps out what the other one sends.
type hairpin struct {
	ways  [2]udp.Path // from socket 0 to what is seen of socket 1, and back
	tx    stun.Tx
	tries int
	due   time.Time
	over  bool
	works bool
}

func newHairpin(tx stun.Tx, now time.Time, seen0, seen1 netip.AddrPort) *hairpin {
	return &hairpin{ways: [2]udp.Path{{Local: 0, Remote: seen1}, {Local: 1, Remote: seen0}}, tx: tx, due: now}
}

// hairpinTries is one more than the copies that are sent.
const hairpinTries = 4

func (h *hairpin) send(now time.Time, b *udp.Batch) {
	if h == nil || h.over || now.Before(h.due) {
		return
	}
	if h.tries++; h.tries == hairpinTries {
		h.over = true
		return
	}
	h.due = now.Add(firstPause)
	for _, way := range h.ways {
		b.Add(way, stun.AppendRequest(nil, h.tx))
	}
}

func (h *hairpin) receive(p udp.Packet) {
	if h == nil || h.over || p.Local > 1 {
		return
	}
	if q, err := stun.ParseRequest(p.Data); err == nil && q.Tx == h.tx {
		h.works, h.over = true, true
	}
}
