package transport

import (
	"net/netip"
	"slices"
	"time"
)

const (
	// BaseMTU is the UDP payload that every path must carry: IPv6's minimum
	// MTU of 1,280 less headers, and the size that "connected" was tested with
	// (RFC 8899 section 5.1.2, BASE_PLPMTU).
	BaseMTU = 1200

	// leastMTU is what is used when even BaseMTU vanishes, as it may once a
	// path has changed: what every IPv4 host must be able to receive (RFC 791),
	// 576 bytes, less headers with options.
	leastMTU = 508

	mtuTries      = 3                // RFC 8899 section 5.1.2, MAX_PROBES
	mtuPrecision  = 16               // bytes that are not worth a probe
	mtuRaiseAfter = 10 * time.Minute // RFC 8899 section 5.1.1, PMTU_RAISE_TIMER
	blackHoleRun  = 8                // full packets lost in a row, while small ones pass
	localRTT      = 2 * time.Millisecond
)

// commonMTUs are the path MTUs worth asking for first: IPv6's minimum,
// WireGuard, common tunnels, PPPoE, Ethernet, jumbo frames, Linux loopback.
var commonMTUs = [...]int{1280, 1380, 1420, 1452, 1480, 1492, 1500, 9000, 65535}

type mtuProbe struct {
	size  int // UDP payload
	tries int
	sent  bool // one is under way
}

// mtuState finds the largest UDP payload that the path carries (RFC 8899).
// Probes of several sizes leave together, since a round trip costs more than
// the bytes; then the gap between what passed and what failed is bisected.
//
//	searching --all sizes passed or failed--> complete --raise timer--> searching
//	any       --big packets vanish, small ones pass--> searching, from BaseMTU,
//	            or if that is what vanishes, from leastMTU
type mtuState struct {
	size    int // of full packets now
	base    int
	ceiling int // never try more
	header  int // IP and UDP headers
	probes  []mtuProbe
	failed  int       // smallest size that did not pass; zero: none
	raiseAt time.Time // search again then; zero while searching

	bigAcked   uint64 // newest acknowledged packet above the floor
	firstLost  uint64 // first of the big packets lost since
	bigLost    int    // how many
	smallAcked uint64 // newest acknowledged packet at or below the floor
}

// start begins a search on a new path.
func (m *mtuState) start(remote netip.Addr, ceiling int, local bool) {
	*m = mtuState{ceiling: ceiling, base: min(BaseMTU, ceiling), header: 28,
		bigAcked: m.bigAcked, smallAcked: m.smallAcked}
	if remote.Is6() && !remote.Is4In6() {
		m.header = 48
	}
	m.size = m.base
	m.search(local)
}

func (m *mtuState) search(local bool) {
	m.failed = 0
	m.raiseAt = time.Time{}
	m.probes = m.probes[:0]
	for _, mtu := range commonMTUs {
		if mtu > 9000 && !local {
			continue // 64 KiB on a slow path would cost more than it can win
		}
		if size := min(mtu-m.header, m.ceiling); size > m.size {
			m.want(size)
		}
	}
}

func (m *mtuState) want(size int) {
	if !slices.ContainsFunc(m.probes, func(p mtuProbe) bool { return p.size == size }) {
		m.probes = append(m.probes, mtuProbe{size: size})
	}
}

// next returns the size of a probe that should leave now; zero: none.
func (m *mtuState) next() int {
	for i := range m.probes {
		if !m.probes[i].sent {
			return m.probes[i].size
		}
	}
	return 0
}

func (m *mtuState) sent(size int) {
	for i := range m.probes {
		if m.probes[i].size == size {
			m.probes[i].sent = true
			m.probes[i].tries++
		}
	}
}

func (m *mtuState) onAck(now time.Time, size int) {
	if size <= m.ceiling && size > m.size {
		m.size = size
		m.base = max(m.base, min(BaseMTU, size))
	}
	m.settle(now)
}

func (m *mtuState) onLost(now time.Time, size int) {
	for i := range m.probes {
		if p := &m.probes[i]; p.size == size {
			p.sent = false
			if p.tries >= mtuTries && (m.failed == 0 || size < m.failed) {
				m.failed = size
			}
		}
	}
	m.settle(now)
}

// settle drops what is answered and, when all is, bisects or ends the search.
func (m *mtuState) settle(now time.Time) {
	m.probes = slices.DeleteFunc(m.probes, func(p mtuProbe) bool {
		return p.size <= m.size || m.failed > 0 && p.size >= m.failed
	})
	if len(m.probes) > 0 {
		return
	}
	if m.failed > 0 && m.failed-m.size > mtuPrecision {
		m.want((m.size + m.failed) / 2)
		return
	}
	if m.raiseAt.IsZero() {
		m.raiseAt = now.Add(mtuRaiseAfter)
	}
}

func (m *mtuState) raise(now time.Time, local bool) {
	if !m.raiseAt.IsZero() && !m.raiseAt.After(now) {
		m.search(local)
		m.settle(now)
	}
}

// floor is the size that goes on passing when full packets vanish.
func (m *mtuState) floor() int {
	if m.size > m.base {
		return m.base
	}
	return min(m.base, leastMTU)
}

// packetAcked and packetLost watch ordinary packets for a black hole.
func (m *mtuState) packetAcked(pn uint64, size int) {
	switch {
	case size <= m.floor():
		m.smallAcked = max(m.smallAcked, pn)
	case pn > m.bigAcked:
		m.bigAcked = pn
		m.bigLost = 0
	}
}

func (m *mtuState) packetLost(pn uint64, size int) {
	if size <= m.floor() || pn < m.bigAcked {
		return
	}
	if m.bigLost == 0 {
		m.firstLost = pn
	}
	m.bigLost++
}

// blackHole reports whether the path has stopped carrying full packets, as
// when a route changes and the ICMP message that says so is filtered; it then
// falls back and searches again (RFC 8899 section 4.3).
func (m *mtuState) blackHole(local bool) bool {
	if m.size <= m.floor() || m.bigLost < blackHoleRun || m.smallAcked < m.firstLost {
		return false
	}
	m.size = m.floor()
	m.base = m.size
	m.bigLost = 0
	m.search(local)
	return true
}
