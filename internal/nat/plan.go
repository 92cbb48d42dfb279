package nat

import (
	"slices"
	"time"
)

const (
	// probeEvery spaces the pings of one side. RFC 8445 section 14.2 allows
	// 5 ms between checks at the least; more at once overruns the tables of
	// small routers.
	probeEvery = 5 * time.Millisecond

	// A pair's pings are firstWait apart, then twice that, and so on up to
	// searchWait, so that a peer who starts late is found within a second.
	// After the timeout it is lateWait, which still meets a peer whose link
	// came back within three seconds if one ping is lost.
	firstWait  = 50 * time.Millisecond
	searchWait = time.Second
	lateWait   = 1500 * time.Millisecond

	// settleTime is how long addresses that may be better are still probed as
	// in the search, after something has been chosen or they have become known.
	// Then they are tried every lookWait, and those that have never answered
	// in so many pings every seldomWait: networks change while a file travels.
	settleTime = 3 * time.Second
	lookWait   = 10 * time.Second
	hopeless   = 30
	seldomWait = time.Minute
)

// planned is what to do with one candidate of the peer.
type planned struct {
	Candidate
	class class
	after time.Duration // until the first ping
	skip  string        // why there will be none; empty: probe it
}

// plan says which of the peer's candidates are probed, and when first,
// probeEvery apart. Addresses at the peer's NAT go first, so that both sides
// ping them at the same moment if they begin at the same moment: a Linux
// router that accepts an unexpected packet for itself gives the connection
// that its own host then opens another port, which the peer's NAT may refuse.
// The rest follow by class; what cannot be probed comes last.
func plan(own, remote []Candidate, v4, v6 bool) []planned {
	list := make([]planned, 0, len(remote))
	for _, c := range probed(remote) {
		list = append(list, planned{Candidate: c, class: classify(own, c), skip: skipReason(own, c, v4, v6)})
	}
	slices.SortStableFunc(list, func(a, b planned) int { return a.turn() - b.turn() })
	for i := range list {
		list[i].after = time.Duration(i) * probeEvery
	}
	return list
}

// turn is the place of the candidate's class in the opening round.
func (p *planned) turn() int {
	switch {
	case p.skip != "":
		return int(carrier) + 1
	case p.class == punched:
		return -1
	}
	return int(p.class)
}

func skipReason(own []Candidate, c Candidate, v4, v6 bool) string {
	ip := c.Addr.Addr()
	switch {
	case ip.Is4() && !v4:
		return "this side has no IPv4"
	case ip.Is6() && !v6:
		return "this side has no IPv6"
	case ip.Is6() && ip.IsLinkLocalUnicast() && ip.Zone() == "":
		return "a link-local address does not say which link"
	case slices.ContainsFunc(own, func(o Candidate) bool { return o.Kind == Host && o.Addr == c.Addr }):
		return "it is this side's own address"
	}
	return ""
}

// step says how large the try-th ping to a pair is (counted from 0), and how
// long to wait for the next. The first two are full: a small one before them
// would cost a round trip. From then on every other one is small; if only
// those are answered, the report can say so.
func step(try int, late bool) (full bool, wait time.Duration) {
	longest := searchWait
	if late {
		longest = lateWait
	}
	return try == 0 || try%2 == 1, min(firstWait<<min(try, 10), longest)
}

// budget bounds bytes per second. It is a token bucket written as the time at
// which it is full again (GCRA), so that one field is all its state.
type budget struct {
	rate  int // bytes per second
	burst int // bytes at once after a pause
	full  time.Time
}

// ready returns when size bytes may be spent: not after now if they may be at
// once.
func (b *budget) ready(size int) time.Time {
	return b.full.Add(b.span(size - b.burst))
}

func (b *budget) spend(now time.Time, size int) {
	if b.full.Before(now) {
		b.full = now
	}
	b.full = b.full.Add(b.span(size))
}

func (b *budget) span(size int) time.Duration {
	return time.Duration(size) * time.Second / time.Duration(b.rate)
}
