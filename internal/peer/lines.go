package peer

import (
	"net/netip"
	"slices"
	"time"

	"qft/internal/nat"
	"qft/internal/rendezvous"
	"qft/internal/udp"
)

// Lines makes TCP connections, from one port on which it also listens. What
// comes of it is told by LineUp and LineDown.
type Lines interface {
	// Dial tries until there is a line to remote, or the limit has passed, or
	// Undial; it does nothing if there is one.
	Dial(remote netip.AddrPort, limit time.Duration)
	Undial(remote netip.AddrPort)
	// Trust says that who is at the other end is known.
	Trust(l udp.Local)
	// Hang closes a line.
	Hang(l udp.Local)
	// Renew takes another port beside the old one.
	Renew()
	// Port is where lines are accepted; zero: nowhere before the first Dial.
	Port() uint16
}

// helperPorts are the UDP ports at which a helper is looked for besides its
// own, and 443 is where it is looked for by TCP as well: what networks that
// allow little do allow.
var helperPorts = []uint16{53, 123, 443, 4277}

const helperTCPPort = 443

const (
	// tellPorts is when it is told how a helper that does not answer can be
	// reached, at the latest: what was asked after 1.5 s has had a round trip.
	// Once there is a way, others that are as good have had theirs a moment
	// later.
	tellPorts = 4 * time.Second
	tellSoon  = 200 * time.Millisecond

	// lineWait is how long a path is looked for by UDP alone, where both sides
	// have it.
	lineWait = 5 * time.Second

	// helperDial and partnerDial are how long an address is dialled; after
	// that, again, for as long as it is of use.
	helperDial  = 20 * time.Second
	partnerDial = 30 * time.Second

	// spareLine is how long lines to the partner are kept that are not used.
	spareLine = 10 * time.Second

	// maxPartnerLines bounds the addresses of the partner that are dialled: he
	// may name whatever he likes.
	maxPartnerLines = 8
)

// lineState is the lines: to the helper, where it does not answer by UDP or is
// to tell how TCP looks from outside, and to the partner.
type lineState struct {
	up      []udp.Path       // all lines
	dialled []netip.AddrPort // of the helper
	redial  time.Time        // when the helper is dialled again
	wanted  bool             // by the partner's word or ours
	partner []netip.AddrPort // where the partner takes lines
	until   time.Time        // when the partner is dialled again; zero: at once
	used    udp.Path         // the path that made the dialling end
	spare   time.Time        // when lines that are not used are closed; zero: none are
	noUDP   bool             // the partner cannot use UDP
	found   time.Time        // when a way to the helper was found
	told    HelperPorts      // last
	tells   int              // how often
}

// clients are the memberships at the helper.
func (p *Peer) clients() []*rendezvous.Client {
	var all []*rendezvous.Client
	for _, c := range []*rendezvous.Client{p.helper(), p.search.client} {
		if c != nil && !c.Done() {
			all = append(all, c)
		}
	}
	return all
}

// LineUp tells that there is a line.
func (p *Peer) LineUp(now time.Time, at udp.Path, dialled bool) {
	s := &p.lines
	s.up = append(s.up, at)
	switch {
	case dialled && slices.Contains(s.dialled, at.Remote):
		for _, c := range p.clients() {
			c.LineUp(at)
		}
	default:
		for _, b := range p.bonds {
			b.agent.AddLine(now, at)
		}
	}
}

// LineDown tells that a line is gone.
func (p *Peer) LineDown(now time.Time, at udp.Path) {
	s := &p.lines
	s.up = slices.DeleteFunc(s.up, func(x udp.Path) bool { return x == at })
	if slices.Contains(s.dialled, at.Remote) {
		for _, c := range p.clients() {
			c.LineDown(at)
		}
		s.redial = earlier(s.redial, now.Add(time.Second))
		return
	}
	for _, b := range p.bonds {
		b.agent.DropLine(now, at)
	}
	if s.used == at && p.conn != nil && p.conn.Err() == nil {
		// The partner dials as well, if he has noticed. Routers that have seen a
		// connection reset do not let another one pass between the same ports
		// for a while, so the next ones come from elsewhere.
		p.cfg.Lines.Renew()
		p.hangHelper() // it has seen us at the old port
		s.until, s.redial = time.Time{}, time.Time{}
	}
}

// adoptLines tells a new client of the lines that there are.
func (p *Peer) adoptLines(c *rendezvous.Client) {
	for _, at := range p.lines.up {
		if slices.Contains(p.lines.dialled, at.Remote) {
			c.LineUp(at)
		}
	}
}

// linesFor tells a new agent of them.
func (p *Peer) linesFor(now time.Time, a *nat.Agent) {
	for _, at := range p.lines.up {
		if !slices.Contains(p.lines.dialled, at.Remote) {
			a.AddLine(now, at)
		}
	}
}

// stepLines has lines made where UDP does not do, and closed where it does.
func (p *Peer) stepLines(now time.Time) {
	p.tellReach(now)
	if p.cfg.Lines == nil {
		return
	}
	p.lineHelper(now)
	if len(p.bonds) == 0 {
		return
	}
	if !p.lines.wanted && p.wantLines(now) {
		p.lines.wanted, p.lines.redial = true, time.Time{}
		p.lineHelper(now)
	}
	p.linePartner(now)
}

// wantLines reports whether the partner is to be reached by TCP: a side has no
// UDP, or it has been of no use for a while.
func (p *Peer) wantLines(now time.Time) bool {
	from := p.lineFrom()
	late := !from.IsZero() && !now.Before(from)
	return p.lines.noUDP || len(p.lines.partner) > 0 || p.noUDP() || late
}

// lineFrom is when UDP has had its time to find a path; zero: there is one.
func (p *Peer) lineFrom() time.Time {
	switch {
	case p.state == punching:
		return p.meet.punchEnd.Add(lineWait - punchTime)
	case p.state == connected && !p.search.since.IsZero():
		return p.search.since.Add(lineWait)
	}
	return time.Time{}
}

// noUDP reports whether the helper can be reached by TCP only.
func (p *Peer) noUDP() bool {
	for _, c := range p.clients() {
		if r := c.Reach(); r.Late && len(r.Open) == 0 && len(r.Lines) > 0 {
			return true
		}
	}
	return false
}

// lineHelper dials the helper while it does not answer by UDP, and where the
// partner is to be told how our TCP looks from outside.
func (p *Peer) lineHelper(now time.Time) {
	s := &p.lines
	all := p.clients()
	if len(all) == 0 {
		p.hangHelper()
		return
	}
	late := slices.ContainsFunc(all, func(c *rendezvous.Client) bool {
		r := c.Reach()
		return r.Late && len(r.Open) == 0
	})
	if !late && !s.wanted || now.Before(s.redial) {
		return
	}
	s.redial = now.Add(helperDial)
	if slices.ContainsFunc(s.up, func(at udp.Path) bool { return slices.Contains(s.dialled, at.Remote) }) {
		return
	}
	s.dialled = nil
	for _, a := range p.cfg.Helpers {
		for _, port := range []uint16{a.Port(), helperTCPPort} {
			if at := netip.AddrPortFrom(a.Addr(), port); !slices.Contains(s.dialled, at) {
				s.dialled = append(s.dialled, at)
				p.cfg.Lines.Dial(at, helperDial)
			}
		}
	}
}

// hangHelper closes the lines to the helper.
func (p *Peer) hangHelper() {
	for _, at := range p.lines.up {
		if slices.Contains(p.lines.dialled, at.Remote) {
			p.cfg.Lines.Hang(at.Local)
		}
	}
}

// linePartner dials the partner until there is a path. Contact that is lost has
// the agent search again, so there is none then.
func (p *Peer) linePartner(now time.Time) {
	s := &p.lines
	path, found := p.agent().Best()
	switch {
	case found:
		p.settleLines(now, path.Way)
	case s.wanted && len(s.partner) > 0 && !now.Before(s.until):
		s.until, s.spare = now.Add(partnerDial), time.Time{}
		for _, a := range s.partner {
			p.cfg.Lines.Dial(a, partnerDial)
		}
	}
}

// settleLines ends the dialling when there is a path, and closes the lines that
// are not used a while later.
func (p *Peer) settleLines(now time.Time, used udp.Path) {
	s := &p.lines
	if s.used != used || !s.until.IsZero() {
		s.used, s.until, s.spare = used, time.Time{}, now.Add(spareLine)
		for _, a := range s.partner {
			p.cfg.Lines.Undial(a)
		}
		if used.IsLine() {
			p.cfg.Lines.Trust(used.Local)
		}
	}
	if !s.spare.IsZero() && !now.Before(s.spare) {
		s.spare = time.Time{}
		p.hangSpare(used)
	}
}

// hangSpare closes the lines to the partner but that in use.
func (p *Peer) hangSpare(used udp.Path) {
	for _, at := range p.lines.up {
		if at != used && !slices.Contains(p.lines.dialled, at.Remote) {
			p.cfg.Lines.Hang(at.Local)
		}
	}
}

// heedLines takes from the partner's list what concerns TCP.
func (p *Peer) heedLines(l nat.List) {
	s := &p.lines
	s.noUDP = l.Flags&nat.NoUDP != 0
	own := p.ownLines(p.self.local)
	for _, c := range l.Candidates {
		switch {
		case !c.Kind.TCP(), slices.Contains(s.partner, c.Addr), slices.Contains(own, c.Addr):
		case len(s.partner) >= maxPartnerLines:
			// The newest list has those that are good, if he moves about.
			if p.cfg.Lines != nil {
				p.cfg.Lines.Undial(s.partner[0])
			}
			s.partner = s.partner[1:]
			fallthrough
		default:
			s.partner = append(s.partner, c.Addr)
			s.until = time.Time{}
		}
	}
}

// ownLines are the addresses at which lines are accepted, given those of UDP.
func (p *Peer) ownLines(hosts []netip.AddrPort) []netip.AddrPort {
	if p.cfg.Lines == nil || p.cfg.Lines.Port() == 0 {
		return nil
	}
	var all []netip.AddrPort
	for _, a := range hosts {
		all = append(all, netip.AddrPortFrom(a.Addr(), p.cfg.Lines.Port()))
	}
	return all
}

// addLines adds to our list what concerns TCP.
func (p *Peer) addLines(l *nat.List) {
	if p.noUDP() {
		l.Flags |= nat.NoUDP
	}
	if !p.lines.wanted && l.Flags == 0 {
		return
	}
	for _, a := range p.ownLines(p.self.local) {
		l.Candidates = append(l.Candidates, nat.Candidate{Kind: nat.TCPHost, Addr: a})
	}
	l.Candidates = append(l.Candidates, listed(nat.TCPMapped, p.self.lines)...)
	for _, c := range p.clients() {
		l.Candidates = append(l.Candidates, listed(nat.TCPReflexive, c.LineReflexive())...)
	}
}

// tellReach tells, once it is clear, how a helper can be reached that does not
// answer where it should.
func (p *Peer) tellReach(now time.Time) {
	const most = 3 // what changes later is told as well, not for ever
	s := &p.lines
	c := p.helper()
	if c == nil || s.tells >= most {
		return
	}
	r := c.Reach()
	e := HelperPorts{Blocked: r.Silent, Open: r.Open, TCP: r.Lines}
	if s.found.IsZero() && len(e.Open)+len(e.TCP) > 0 {
		s.found = now
	}
	changed := s.tells == 0 || len(e.Open) > len(s.told.Open) || len(e.TCP) > len(s.told.TCP)
	if !r.Late || !changed || p.state == meeting && now.Before(p.tellAt()) {
		return
	}
	s.told = e
	s.tells++
	p.tell(e)
}

// tellAt is when it is told for the first time.
func (p *Peer) tellAt() time.Time {
	at := p.began.Add(tellPorts)
	if !p.lines.found.IsZero() {
		at = earlier(at, p.lines.found.Add(tellSoon))
	}
	return at
}

// linesDeadline is when stepLines has something to do.
func (p *Peer) linesDeadline() time.Time {
	s := &p.lines
	var d time.Time
	next := func(t time.Time) {
		if t.After(p.turn) {
			d = earlier(d, t)
		}
	}
	if c := p.helper(); c != nil && s.tells == 0 && c.Reach().Late {
		next(p.tellAt())
	}
	if p.cfg.Lines == nil {
		return d
	}
	next(s.redial)
	next(s.until)
	next(s.spare)
	if len(p.bonds) > 0 && !s.wanted {
		next(p.lineFrom())
	}
	return d
}
