package nat

import "time"

const (
	// Guessing begins this long after the search: at once, but for what needs
	// no guessing, if both profiles say that nothing else will do; later if a
	// profile is not known, and last if they say that it should not be needed,
	// for a NAT that tells addresses apart looks harmless to two ports of one.
	guessSoon  = 250 * time.Millisecond
	guessLater = time.Second
	guessLast  = 2 * time.Second

	// guessTime, maxSockets, spreadEvery and blindEvery bound it: 256 sockets
	// and 1,250 probes per second, for 20 s. A fresh socket's mapping is one
	// of 64,512 ports, so half the pairs have met after 175 probes and all but
	// one in a thousand after 1,740.
	guessTime   = 20 * time.Second
	maxSockets  = 256
	spreadEvery = 4 * time.Millisecond  // a new socket
	againEvery  = 12 * time.Millisecond // one that has pinged before: each about every 3 s
	blindEvery  = time.Millisecond

	// guessRate and guessBurst bound the guesses of any moment, guessSlow and
	// guessStore those of a long time, whatever the peer says and however often
	// the search begins anew: they may go to somebody who has never asked for
	// them. The store lasts for one search.
	guessRate  = 1500 // per second
	guessBurst = 300
	guessSlow  = 200 // per second
	guessStore = 24_000

	// replaceEvery is of how many sockets that ping again one is replaced: some
	// 400 mappings more in all, which is little to a router.
	replaceEvery = 4

	// freshCount is how many sockets are prepared for a NAT that preserves
	// ports.
	freshCount = 12

	// freshOutside of them, the last, are used where the peer's NAT is not of
	// the kinds that need them all; it may turn out to be.
	freshOutside = 4

	// windowSteps is how many of the next mappings of a sequential NAT are
	// tried: what else its network does meanwhile takes some of them.
	windowSteps = 32

	// windowBack is how many of those before are tried too: a peer that searches
	// anew may have pinged us before it asked the helper.
	windowBack = 16

	// walkSteps is how many mappings two sequential NATs make for each other in
	// one walk, and walkEvery the time between two walks.
	walkSteps = 32
	walkEvery = 600 * time.Millisecond
	walks     = 8

	// walkHold keeps the pings to candidates back until the first walk is done.
	walkHold = 100 * time.Millisecond
)

// aimed says where the first packets of prepared sockets go. That packet decides
// which outside port the socket gets: the inside one, if it is free.
type aimed byte

const (
	nowhere aimed = iota
	outside       // to the endpoint of the peer that everybody sees
	twins         // each to the peer's prepared socket of the same place in its list
	row           // to the mappings that the peer's NAT makes next
)

// tactic is what to do about the two NATs beside pinging the candidates.
type tactic struct {
	fresh  aimed
	window bool // ping the ports that the peer's NAT gives out next
	walk   bool // so do both, in step, as either needs the other's port to be right
	spread bool // open many sockets: the peer looks for the port of any
	blind  bool // look for the port of any of the peer's sockets
	after  time.Duration
}

// tactics says what this side does. The peer, with the same two profiles the
// other way round, does what fits: who spreads is looked for blindly.
//
//	own \ peer    unknown        independent  preserving     sequential     random
//	unknown       spread, blind  spread       blind          window, blind  blind
//	independent   blind          (both)       blind          window, blind  blind
//	preserving    outside,       outside,     twins          row            outside
//	              spread         spread
//	sequential    spread         spread       (in order)     walk           -
//	random        spread         spread       -              -              -
//
// Two independent ones need nothing; should the profiles have been wrong, both
// spread and look. A sequential NAT pings the prepared sockets of a preserving
// one in their order, before all else.
func tactics(own, peer Mapping) (t tactic) {
	fixed := func(m Mapping) bool { return m == Independent || m == MappingUnknown }
	moves := func(m Mapping) bool { return m != Independent }
	t.spread = moves(own) && fixed(peer)
	t.blind = fixed(own) && moves(peer)
	t.window = fixed(own) && peer == Sequential
	t.walk = own == Sequential && peer == Sequential
	if own == Preserving {
		t.fresh = map[Mapping]aimed{Preserving: twins, Sequential: row}[peer]
		if t.fresh == nowhere {
			t.fresh = outside
		}
	}
	t.after = guessLater
	switch {
	case own == Independent && peer == Independent:
		t.spread, t.blind, t.after = true, true, guessLast
	case own == Random && peer == Independent, own == Independent && peer == Random:
		t.after = guessSoon
	}
	return t
}

// inOrder brings the predicted addresses to the front, those first whose turn it
// is when so many mappings have been made.
func inOrder(list []planned, made int) {
	var predicted, others []planned
	for _, pl := range list {
		if pl.Kind == Predicted {
			predicted = append(predicted, pl)
		} else {
			others = append(others, pl)
		}
	}
	if made < len(predicted) {
		predicted = append(predicted[made:len(predicted):len(predicted)], predicted[:made]...)
	}
	for i, pl := range append(predicted, others...) {
		pl.after = time.Duration(i) * probeEvery
		list[i] = pl
	}
}

// rowShift is how far the place in the row that a prepared socket aims at is
// ahead of its own: the first expect that nobody else makes mappings, the next
// that one was made, and so on.
func rowShift(i int) int {
	return [freshCount]int{0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 5, 6}[min(i, freshCount-1)]
}

// walkShift is by how much, at the k-th step of the n-th walk, the controlling
// side expects both NATs together to have been moved on by others.
func walkShift(n, k int) int { return 4*n + (k-1)/4 }
