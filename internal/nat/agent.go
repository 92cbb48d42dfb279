package nat

import (
	"crypto/rand"
	"encoding/binary"
	"io"
	"net/netip"
	"slices"
	"time"

	"qft/internal/udp"
)

// Config is what an Agent needs to know. Box, Tag and Controlling are
// required.
type Config struct {
	Box         Box     // seals probes; its key belongs to these two peers and this Agent alone
	Tag         [4]byte // marks the session's probes, in the clear, to drop strangers' cheaply
	Controlling bool    // true on exactly one side: it chooses the path
	Local       List    // own network: hosts to recognise this machine by, the profile to plan with, the rest for the report

	// Sockets gives further sockets, for NATs that need them. If nil, there is
	// only the first.
	Sockets Sockets

	// Rand gives transaction ids, which must not be guessable. If nil,
	// crypto/rand.Reader. It must not fail.
	Rand io.Reader

	// Timeout is how long Failed waits, counted from the first address of
	// the peer. If zero, 30 s.
	Timeout time.Duration

	// V4 and V6 say which families this side has a socket for. If neither,
	// both are tried.
	V4, V6 bool
}

// Agent looks for a path to one peer. It is a machine: Receive, Send and
// Deadline as in package transport; it may be used by one goroutine only.
type Agent struct {
	cfg    Config
	now    time.Time // the latest that a method was told
	pairs  []*pair   // in the order learned; at most 2 * maxCandidates
	round  round
	window window
	seal   sealer
	out    outbound
	remote []Candidate // that the peer has told
	peer   Profile     // of the peer's NAT, as it told last
	flags  Flags       // of the peer's, likewise
	own    []udp.Local // sockets beside the first, to be shut when no path leads through them
	guess  guessing
	last   *pair            // the latest that was chosen, in whatever generation; stays in pairs
	seen   []netip.AddrPort // own addresses, as the peer saw them from outside
}

// round is the state of one generation.
type round struct {
	generation uint32
	began      time.Time // first address of the peer known; zero: idle
	heard      time.Time // latest probe of the peer in this generation; zero: none
	chosen     *pair     // nil: not settled
	since      time.Time // chosen since
	confirmed  bool      // controlling: the peer has answered the nomination, and proven the pair
	tidied     bool      // the sockets that are not needed are shut
}

// NewAgent returns an agent that waits for the peer's candidates, and already
// answers the peer's probes.
func NewAgent(now time.Time, cfg Config) *Agent {
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 30 * time.Second
	}
	if !cfg.V4 && !cfg.V6 {
		cfg.V4, cfg.V6 = true, true
	}
	cfg.Local.Candidates = probed(cfg.Local.Candidates)
	return &Agent{
		own:  slices.Clone(cfg.Local.Fresh),
		cfg:  cfg,
		now:  now,
		seal: sealer{box: cfg.Box, controlling: cfg.Controlling, tag: cfg.Tag},
		out:  newOutbound(),
	}
}

// AddRemote adds candidates of the peer to those being probed: the first 48,
// further ones are ignored, and so are those of TCP. An address known already
// keeps its state. The nearer in time both sides are told, the better: some
// routers resent a ping that comes before their own host's (see Limitations).
func (a *Agent) AddRemote(now time.Time, remote List) {
	a.advance(now)
	a.add(remote)
}

func (a *Agent) add(remote List) {
	if remote.Profile != (Profile{}) {
		a.peer = remote.Profile
	}
	if len(remote.Candidates) > 0 {
		a.flags = remote.Flags
	}
	// The newest are those that are good, if the partner moves about for long.
	a.remote = clean(append(a.remote, remote.Candidates...))
	a.remote = a.remote[max(len(a.remote)-maxRemote, 0):]
	for _, pl := range a.plan(remote.Candidates) {
		p := find(a.pairs, udp.To(pl.Addr))
		switch {
		case p == nil && a.named() >= maxCandidates:
			continue
		case p == nil:
			p = &pair{Candidate: pl.Candidate, class: pl.class, skip: pl.skip}
			p.start(a.now, a.now.Add(pl.after))
			a.pairs = append(a.pairs, p)
		case p.learned && a.named() >= maxCandidates:
			continue
		case p.learned || pl.Kind.trust() > p.Kind.trust():
			p.learned, p.Kind, p.class = false, pl.Kind, pl.class
		}
		a.startClock()
	}
	a.replan()
}

// plan says what to do with candidates, given both NATs.
func (a *Agent) plan(remote []Candidate) []planned {
	own, peer := a.ownProfile().Mapping, a.peerProfile().Mapping
	list := plan(a.cfg.Local.Candidates, remote, a.cfg.V4, a.cfg.V6)
	if own == Sequential && peer == Preserving {
		inOrder(list, a.guess.since())
	}
	for i := range list {
		switch pl := &list[i]; {
		case !pl.Addr.Addr().Is4():
		case own == Preserving && pl.Kind == Predicted && pl.skip == "":
			pl.skip = "a prepared socket of this side goes there"
		case own == Sequential && peer == Sequential:
			pl.after += walkHold
		}
	}
	return list
}

// named counts the pairs that the peer's lists name.
func (a *Agent) named() (n int) {
	for _, p := range a.pairs {
		if !p.learned && !p.isLine() {
			n++
		}
	}
	return n
}

func (a *Agent) startClock() {
	if a.round.began.IsZero() {
		a.round.began = a.now
	}
}

// SetLocal replaces what is known of this side's own network, for instance when
// the helper has told a reflexive address.
func (a *Agent) SetLocal(now time.Time, local List) {
	a.advance(now)
	local.Candidates = probed(local.Candidates)
	old := a.cfg.Local
	a.cfg.Local = local
	if old.Profile.Last.Addr() != local.Profile.Last.Addr() {
		a.guess.before = len(a.guess.made)
	}
	a.renew(old.Fresh)
	if !slices.Equal(local.Candidates, old.Candidates) {
		// What the peer saw may be of a mapping that is gone: beside the new
		// reflexive address it would look like a second mapping.
		a.seen = nil
		for _, p := range a.pairs {
			if !p.isLine() {
				p.class = classify(local.Candidates, p.Candidate)
				a.retry(p)
			}
		}
	}
	a.replan()
}

// retry looks again, and soon, whether a pair is better than the chosen one.
func (a *Agent) retry(p *pair) {
	if a.round.chosen == nil || p == a.round.chosen || p.stage == full {
		return
	}
	p.timing.since, p.timing.try, p.timing.next = a.now, 0, a.now
}

// Restart searches anew, for when contact was lost or an address changed. The
// peer's agent restarts by itself when it hears of it. A list without
// candidates means that it is as before; otherwise remote replaces the peer's
// candidates (the path used so far stays among them) and local this side's own.
//
// Best reports nothing until a path has been proven again: a transport that
// has one keeps using it until then.
func (a *Agent) Restart(now time.Time, remote, local List) {
	a.advance(now)
	if len(local.Candidates) > 0 {
		a.SetLocal(now, local)
		a.guess.made, a.guess.before = nil, 0 // of another NAT, perhaps
		a.peer = Profile{}                    // of ports that have been given out since
	}
	a.seen = nil
	if named := probed(remote.Candidates); len(named) > 0 {
		a.remote = nil
		a.pairs = slices.DeleteFunc(a.pairs, func(p *pair) bool {
			return p != a.last && !p.learned && !p.isLine() &&
				!slices.ContainsFunc(named, func(c Candidate) bool { return c.Addr == p.Addr })
		})
	}
	a.begin(a.round.generation + 1)
	a.add(remote)
}

// begin starts the generation with the pairs at hand, the path used so far
// first. Learned addresses that gave no answer in the last one are forgotten:
// over days of roaming they would fill the table.
func (a *Agent) begin(generation uint32) {
	a.pairs = slices.DeleteFunc(a.pairs, func(p *pair) bool {
		return p.learned && p.count.answered == 0 && p != a.last
	})
	a.round = round{generation: generation}
	a.tidy(a.cfg.Local.Fresh)
	a.guess = guessing{made: a.guess.made, before: a.guess.before}
	list := make([]Candidate, 0, len(a.pairs))
	for _, p := range a.pairs {
		list = append(list, p.Candidate)
	}
	a.startLines()
	for _, pl := range a.plan(list) {
		for _, p := range a.pairs {
			if p.Addr == pl.Addr && !p.isLine() {
				p.start(a.now, a.now.Add(pl.after))
			}
		}
		a.startClock()
	}
	if a.last != nil {
		a.last.urge(a.now)
	}
	a.replan()
}

// Deadline returns when Send should be called again: the zero time if only
// when something happens. It also marks the moment from which Failed reports.
func (a *Agent) Deadline() time.Time {
	if len(a.out.replies) > 0 {
		return a.now
	}
	var d time.Time
	earliest := func(t time.Time) {
		if d.IsZero() || t.Before(d) {
			d = t
		}
	}
	for _, p := range a.pairs {
		if t, ok := a.due(p); ok {
			earliest(t)
		}
	}
	if t, ok := a.guessDue(); ok {
		earliest(t)
	}
	if t, ok := a.turning(); ok {
		earliest(t)
	}
	return d
}

// turning returns the next moment at which time alone changes the state.
func (a *Agent) turning() (t time.Time, ok bool) {
	r := &a.round
	end := a.end()
	switch {
	case r.chosen != nil && a.cfg.Controlling && !r.confirmed:
		return r.since.Add(confirmTime), true
	case r.chosen != nil && !r.tidied:
		return r.since.Add(settleTime), true
	case r.chosen != nil || r.began.IsZero():
		return t, false
	}
	return end, a.now.Before(end)
}

// late reports whether the search has lasted longer than the timeout.
func (a *Agent) late() bool {
	r := &a.round
	return r.chosen == nil && !r.began.IsZero() && !a.now.Before(a.end())
}

// apartTime is how long a search lasts in which there is nothing to search: long
// enough for a router to be asked for an address of another kind.
const apartTime = 5 * time.Second

// end is when the search has lasted too long.
func (a *Agent) end() time.Time {
	limit := a.cfg.Timeout
	if a.apart() {
		limit = min(limit, apartTime)
	}
	return a.round.began.Add(limit)
}

// apart reports whether nothing of the peer can be reached from here, unless by
// chance both are on one link: one side has IPv4 only, the other IPv6 only.
func (a *Agent) apart() bool {
	skipped := false
	for _, p := range a.pairs {
		switch {
		case p.skip != "":
			skipped = true
		case p.learned, !p.Addr.Addr().IsLinkLocalUnicast():
			return false
		}
	}
	return skipped
}

// advance takes note of the time, which never goes back.
func (a *Agent) advance(now time.Time) {
	if now.After(a.now) {
		a.now = now
	}
	a.choose()
	if r := &a.round; r.chosen != nil && !r.tidied && !a.now.Before(r.since.Add(settleTime)) {
		r.tidied = true
		a.tidy(nil)
	}
}

// random returns a transaction id.
func (a *Agent) random() uint64 {
	var b [8]byte
	a.entropy(b[:])
	return binary.BigEndian.Uint64(b[:])
}

func (a *Agent) entropy(b []byte) {
	if _, err := io.ReadFull(a.cfg.Rand, b); err != nil {
		// A predictable id would let a stranger prove a path: better none.
		panic("nat: no randomness: " + err.Error())
	}
}
