package nat

import (
	"time"

	"qft/internal/udp"
)

// stage is what one side has seen of a pair in this generation. It only
// rises; a restart takes it back to silent.
type stage int

const (
	silent stage = iota // nothing came from there
	heard               // a probe came, but no answer to ours
	thin                // a small pong came: the path works, but not for full packets so far
	full                // a full pong came on a full ping: proven
)

// pair is one address of the peer, and the own socket from which it is tried.
type pair struct {
	Candidate
	local      udp.Local
	class      class
	skip       string // why it is not probed; empty: it is
	learned    bool   // from a packet; the peer's list does not name it
	reached    bool   // a pong came from there once, so packets are welcome there
	credit     int    // bytes that a learned address may still get before that
	stage      stage
	peerFull   bool          // the peer says that it has proven the pair
	nomination uint64        // sequence of the latest ping that nominated it
	rtt        time.Duration // lowest of this generation; 0: none yet
	timing     timing
	flight     flight
	count      counts
}

// counts are the probes of one generation, for the report.
type counts struct {
	sent, sentFull         int // pings to the pair
	answered, answeredFull int // pongs to them
	heard                  int // pings from it
}

// timing is when a pair's next ping is due.
type timing struct {
	since  time.Time // when the probing began
	next   time.Time
	try    int
	last   time.Time // latest ping
	urgent bool      // out of turn: something came in that asks for a ping
}

// urgeGap is between a ping and one out of turn after it. Each probe that comes
// in asks for one, and two sides that answer each other without a pause fill a
// thin line, until the round trip is longer than the memory of flight.
const urgeGap = 10 * time.Millisecond

func (p *pair) mutual() bool { return p.stage == full && p.peerFull }

// cost ranks the pair among those that work.
func (p *pair) cost() cost { return p.class.cost(p.rtt) }

// start begins a generation with the first ping at the given time.
func (p *pair) start(now, first time.Time) {
	p.stage, p.peerFull, p.nomination, p.rtt = silent, false, 0, 0
	p.timing = timing{since: now, next: first}
	p.flight, p.count = flight{}, counts{}
}

// urge makes a ping due at once, or soon after the latest.
func (p *pair) urge(now time.Time) {
	p.timing.next, p.timing.urgent = now, true
	if soon := p.timing.last.Add(urgeGap); soon.After(now) {
		p.timing.next = soon
	}
}

// rise notes what came in. Hearing from a pair for the first time brings it
// back to quick probing, however long the search has lasted.
func (p *pair) rise(s stage) {
	if p.stage == silent && s > silent {
		p.timing.try = 0
	}
	p.stage = max(p.stage, s)
}

// turn returns the size of the pair's next ping and how long the one after
// it waits. ok is false if the pair may not be sent any.
func (p *pair) turn(late bool) (large bool, wait time.Duration, ok bool) {
	large, wait = step(p.timing.try, late)
	large = large || p.timing.urgent
	if p.skip != "" {
		return false, 0, false
	}
	if !p.affords(sizeOf(large)) {
		large = false
	}
	return large, wait, p.affords(sizeOf(large))
}

const maxCredit = 1 << 20

func (p *pair) affords(size int) bool { return !p.learned || p.reached || p.credit >= size }

// earn credits a learned address with three times what came from it (RFC 9000
// section 8.1), so that a false source address gains an attacker little.
func (p *pair) earn(size int) { p.credit = min(p.credit+3*size, maxCredit) }

// sentPing is a ping that may still be answered.
type sentPing struct {
	txid      uint64
	at        time.Time
	full      bool
	nominated bool
}

// flight remembers a pair's latest pings: by turns those of minutes, and of a
// second and more if every one was out of turn.
type flight struct {
	pings [192]sentPing
	n     int
}

func (f *flight) add(s sentPing) {
	f.pings[f.n%len(f.pings)] = s
	f.n++
}

// take returns and forgets the ping with the transaction: each is answered
// once.
func (f *flight) take(txid uint64) (s sentPing, ok bool) {
	for i := range min(f.n, len(f.pings)) {
		if s = f.pings[i]; !s.at.IsZero() && s.txid == txid {
			f.pings[i] = sentPing{}
			return s, true
		}
	}
	return sentPing{}, false
}

// way is the path that the pair stands for.
func (p *pair) way() udp.Path { return udp.Path{Local: p.local, Remote: p.Addr} }

// find returns the pair of the path, or nil.
func find(pairs []*pair, way udp.Path) *pair {
	for _, p := range pairs {
		if p.way() == way {
			return p
		}
	}
	return nil
}
