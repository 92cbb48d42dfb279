package rendezvous

import (
	"container/list"
	"encoding/binary"
	"math/bits"
	"net/netip"
	"time"
)

// bucket is a token bucket, told by the instant at which it is full again (the
// generic cell rate algorithm): eight bytes, of which a busy helper has
// millions. The zero value is full.
type bucket instant

// rate is what a bucket allows: burst tokens at once and perSecond in the long
// run.
type rate struct{ burst, perSecond float64 }

// span is how long n tokens take to come back.
func (r rate) span(n float64) bucket { return bucket(n / r.perSecond * float64(time.Second)) }

// take removes n tokens, or reports that fewer are left.
func (b *bucket) take(now time.Time, n float64, r rate) bool {
	full := max(*b, bucket(at(now))) + r.span(n)
	if full-bucket(at(now)) > r.span(r.burst) {
		return false
	}
	*b = full
	return true
}

// give returns n tokens that were taken for nothing.
func (b *bucket) give(n float64, r rate) { *b -= r.span(n) }

// fresh reports whether no token is missing.
func (b bucket) fresh(now time.Time) bool { return b <= bucket(at(now)) }

// takeShared removes a token from a bucket that all sources share. The second
// half of it is for the newcomers among them: a flood of those who come again
// and again uses up the first half, and leaves theirs alone.
func (b *bucket) takeShared(now time.Time, r rate, newcomer bool) bool {
	if !newcomer {
		r.burst /= 2
	}
	return b.take(now, 1, r)
}

// source is what the helper remembers of the clients behind one IPv4 address or
// in one IPv6 /64, which is what one customer gets (RFC 6177 section 2).
type source struct {
	block   block
	packets bucket
	joins   bucket // new members
	lookups bucket // of rooms in which nobody was
	notes   bucket // bytes of note data
	members int32  // now; a source that has any is not forgotten
	idle    *list.Element
}

// block is the addresses that share a source.
type block uint64

// blockOf returns the block of an address. IPv4 stands where IPv6 has multicast,
// which nobody's source address is.
func blockOf(a netip.Addr) block {
	if a.Is4() {
		ip := a.As4()
		return 0xffff<<48 | block(binary.BigEndian.Uint32(ip[:]))
	}
	ip := a.As16() // of no address at all: zeros; they share one source
	return block(binary.BigEndian.Uint64(ip[:8]))
}

// loopback reports whether the addresses of a block are this machine's own.
func (b block) loopback() bool { return b>>24 == 0xffff<<24|127 || b == 0 }

// net returns what the neighbourhood of a block has in common: the /24 of an
// IPv4 address, the /48 of an IPv6 one, of which many hold a whole one.
func (b block) net() uint64 {
	if b>>48 == 0xffff {
		return uint64(b >> 8)
	}
	return uint64(b >> 16)
}

// sourceTable holds every source with members, which the limit of members
// bounds, and the max others that were seen last. Only who has shown a cookie
// gets into it. A forgotten source starts again with full buckets: the error is
// on the generous side.
type sourceTable struct {
	max   int
	table map[block]*source
	idle  list.List // sources without members, seen last first
}

// at returns the source of an address.
func (t *sourceTable) at(a netip.Addr) *source {
	b := blockOf(a)
	s := t.table[b]
	switch {
	case s == nil:
		s = t.add(b)
	case s.idle != nil:
		t.idle.MoveToFront(s.idle)
	}
	return s
}

func (t *sourceTable) add(b block) *source {
	for t.idle.Len() >= t.max {
		old := t.idle.Remove(t.idle.Back()).(*source)
		delete(t.table, old.block)
	}
	s := &source{block: b}
	s.idle = t.idle.PushFront(s)
	t.table[b] = s
	return s
}

// enter counts a member of s, and leave takes it back.
func (t *sourceTable) enter(s *source) {
	if s.members++; s.idle != nil {
		t.idle.Remove(s.idle)
		s.idle = nil
	}
}

func (t *sourceTable) leave(s *source) {
	if s.members--; s.members == 0 {
		s.idle = t.idle.PushFront(s)
	}
}

// cells limit what no state may be taken for, in a table of fixed size: the
// packets of sources that have not shown a cookie, which may be anybody's, and
// the members of neighbourhoods. Several share a cell, by a hash that nobody
// outside knows, and with it its limits, which are made for that.
type cells struct {
	key     [2]uint64
	packets []bucket // by block
	nets    []net    // by neighbourhood
}

type net struct {
	joins   bucket
	members int32
}

// maxCells is how many cells a helper of 65,536 members or more has: 1.5 MiB.
const maxCells = 1 << 16

func newCells(members int, seed []byte) cells {
	n := 1 << bits.Len(uint(min(max(members, 64), maxCells)-1))
	return cells{
		key:     [2]uint64{binary.BigEndian.Uint64(seed), binary.BigEndian.Uint64(seed[8:]) | 1},
		packets: make([]bucket, n), nets: make([]net, n),
	}
}

// index is a keyed hash of x below n, a power of two.
func (c *cells) index(x uint64, n int) int {
	hi, lo := bits.Mul64(x^c.key[0], c.key[1])
	hi, lo = bits.Mul64(hi^lo, c.key[0]|1)
	return int((hi ^ lo) & uint64(n-1))
}

// packet is the bucket for packets that came from an address, or claim to.
func (c *cells) packet(a netip.Addr) *bucket {
	return &c.packets[c.index(uint64(blockOf(a)), len(c.packets))]
}

// net is the neighbourhood of a source.
func (c *cells) net(s *source) *net { return &c.nets[c.index(s.block.net(), len(c.nets))] }
