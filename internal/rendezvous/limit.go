package rendezvous

import (
	"container/list"
	"net/netip"
	"time"
)

// bucket is a token bucket; the zero value is full.
type bucket struct {
	used float64   // tokens missing at time at
	at   time.Time // of the latest take
}

// rate is what a bucket allows: burst tokens at once and perSecond in the long
// run.
type rate struct{ burst, perSecond float64 }

// take removes n tokens, or reports that fewer are left.
func (b *bucket) take(now time.Time, n float64, r rate) bool {
	used := b.used
	if d := now.Sub(b.at); d > 0 {
		used = max(0, used-d.Seconds()*r.perSecond)
	}
	if used+n > r.burst {
		return false
	}
	b.used, b.at = used+n, now
	return true
}

// source is what the helper remembers of the clients behind one IPv4 address or
// in one IPv6 /64, which is what one customer gets (RFC 6177 section 2).
type source struct {
	prefix  netip.Addr // first address of the block
	packets bucket
	joins   bucket // new members
	bytes   bucket // note data
	members int    // now; a source that has any is not forgotten
	idle    *list.Element
}

// sourceTable holds every source with members, which the limit of members
// bounds, and the max others that were seen last. A forgotten source starts
// again with full buckets: the error is on the generous side.
type sourceTable struct {
	max   int
	table map[netip.Addr]*source
	idle  list.List // sources without members, seen last first
}

// block returns the first address of the block that shares a source.
func block(a netip.Addr) netip.Addr {
	if a.Is4() {
		return a
	}
	p, err := a.Prefix(64)
	if err != nil { // no address at all; they share one source
		return netip.Addr{}
	}
	return p.Addr()
}

// at returns the source of an address.
func (t *sourceTable) at(a netip.Addr) *source {
	a = block(a)
	s := t.table[a]
	switch {
	case s == nil:
		s = t.add(a)
	case s.idle != nil:
		t.idle.MoveToFront(s.idle)
	}
	return s
}

func (t *sourceTable) add(a netip.Addr) *source {
	for t.idle.Len() >= t.max {
		old := t.idle.Remove(t.idle.Back()).(*source)
		delete(t.table, old.prefix)
	}
	s := &source{prefix: a}
	s.idle = t.idle.PushFront(s)
	t.table[a] = s
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
