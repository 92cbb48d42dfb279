package portmap

import (
	"io"
	"net/netip"
	"time"
)

const (
	// searchTime is how long a router may take to answer.
	searchTime = 3 * time.Second

	// searchAgain is when a router that has opened nothing is asked again: it
	// may have been restarted or configured since.
	searchAgain = 5 * time.Minute

	// preferPCP is how long an answer of NAT-PMP waits for one of PCP, which
	// is on its way if the router speaks both.
	preferPCP = 250 * time.Millisecond

	// leaseWanted is what is asked for. Long enough to outlast a short sleep of
	// the machine, and short, as it is what stays if the program is killed.
	leaseWanted = 20 * time.Minute

	// closeTime bounds the good-bye.
	closeTime = time.Second

	// partingTime is how long one waits who goes while the router has not
	// answered: its answer, and with it an open port, may be on its way.
	partingTime = 50 * time.Millisecond
)

// pause is between the copies of an unanswered request of a search, a renewal
// or a good-bye (RFC 6886, section 3.1: from 250 ms, doubled).
func pause(tries int) time.Duration {
	return min(250*time.Millisecond<<min(tries, 10), time.Minute)
}

// stage is where a grant stands.
type stage uint8

const (
	// asking: requests are sent until the search is over. Next: open, resting,
	// closing.
	asking stage = iota
	// open: the router has opened the port. Requests are sent from half of the
	// lease on. Next: open again, asking when the lease is over, closing.
	open
	// resting: the router does not want to, or does not answer. Next: asking,
	// closed.
	resting
	// closing: the router is asked to close the port. Next: closed.
	closing
	// closed: nothing more is sent.
	closed
)

// grant is one port, of UDP or TCP, as far as the router has opened it.
type grant struct {
	tcp     bool
	stage   stage
	nonce   nonce
	outside netip.AddrPort
	expires time.Time // open: of the lease. asking: of the search
	tries   int       // requests since the last answer
	next    time.Time // send then
}

// dialect is which of the two protocols a router is spoken to in.
type dialect uint8

const (
	undecided dialect = iota // both are asked
	speaksPCP
	speaksPMP
)

// door asks one router by PCP and NAT-PMP to open one port. It is a machine:
// handed the time and the packets, it has no clock and no socket.
type door struct {
	local   netip.Addr // own address, as the router sees it
	port    uint16
	rand    io.Reader
	dialect dialect
	grants  []*grant
	pmp     struct {
		address netip.Addr // outside
		since   time.Time  // it has answered; zero: it has not
		refused bool       // it has, with an error
	}
	noPCP bool   // it has said so
	said  string // why it has opened nothing
}

func newDoor(now time.Time, local netip.Addr, cfg Config, rand io.Reader) *door {
	d := &door{local: local, port: cfg.Port, rand: rand}
	for _, tcp := range cfg.protocols() {
		g := &grant{tcp: tcp}
		if _, err := io.ReadFull(rand, g.nonce[:]); err != nil {
			panic("portmap: no randomness: " + err.Error())
		}
		g.ask(now)
		d.grants = append(d.grants, g)
	}
	return d
}

// ask begins a search.
func (g *grant) ask(now time.Time) {
	g.stage, g.tries, g.next, g.expires = asking, 0, now, now.Add(searchTime)
}

func (g *grant) rest(now time.Time) {
	g.stage, g.tries, g.next = resting, 0, now.Add(searchAgain)
}

// opened takes note of a lease.
func (g *grant) opened(now time.Time, outside netip.AddrPort, seconds uint32) {
	if g.stage == closing || g.stage == closed {
		return
	}
	l := lease(seconds)
	g.stage, g.tries, g.outside = open, 0, outside
	g.expires, g.next = now.Add(l), now.Add(l/2)
}

// Open are the ports that are open now.
func (d *door) Open() []Mapping {
	by := ByPCP
	if d.dialect == speaksPMP {
		by = ByPMP
	}
	var all []Mapping
	for _, g := range d.grants {
		if g.stage == open {
			all = append(all, Mapping{Outside: g.outside, TCP: g.tcp, By: by})
		}
	}
	return all
}

// Answers is what the router has said in either protocol.
func (d *door) Answers() (all []Answer) {
	pcp := Answer{By: ByPCP, Speaks: d.dialect == speaksPCP}
	pmp := Answer{By: ByPMP, Speaks: !d.pmp.since.IsZero()}
	if d.dialect == speaksPMP {
		pmp.Open, pmp.Said = d.Open(), d.said
	} else {
		pcp.Open, pcp.Said = d.Open(), d.said
	}
	if !d.local.Is4() {
		return []Answer{pcp}
	}
	return []Answer{pcp, pmp}
}

// Searching reports whether an answer may still come within the search.
func (d *door) Searching() bool {
	for _, g := range d.grants {
		if g.stage == asking {
			return true
		}
	}
	return false
}

// Done reports whether nothing is left to say, after Close.
func (d *door) Done() bool {
	for _, g := range d.grants {
		if g.stage != closed {
			return false
		}
	}
	return true
}

// Close has what was opened be closed.
func (d *door) Close(now time.Time) {
	for _, g := range d.grants {
		switch g.stage {
		case open:
			g.stage, g.tries, g.next, g.expires = closing, 0, now, now.Add(closeTime)
		case asking:
			g.stage = closed
			if g.tries > 0 {
				g.stage, g.tries, g.next, g.expires = closing, 0, now, now.Add(partingTime)
			}
		case resting:
			g.stage = closed
		}
	}
}

// Deadline is when Send wants to be called.
func (d *door) Deadline() time.Time {
	var at time.Time
	for _, g := range d.grants {
		if g.stage == closed {
			continue
		}
		at = earlier(at, g.next)
		if g.stage != resting {
			at = earlier(at, g.expires)
		}
	}
	if d.awaitsPCP() {
		at = earlier(at, d.pmp.since.Add(preferPCP))
	}
	return at
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// awaitsPCP reports whether NAT-PMP has answered and PCP may yet.
func (d *door) awaitsPCP() bool {
	return d.dialect == undecided && !d.pmp.since.IsZero() && !d.pmp.refused
}

// Send hands the requests that are due to send, which must not keep them.
func (d *door) Send(now time.Time, send func([]byte)) {
	if d.awaitsPCP() && (d.noPCP || !now.Before(d.pmp.since.Add(preferPCP))) {
		d.speak(now, speaksPMP)
	}
	askAddress := false
	for _, g := range d.grants {
		d.lapse(now, g)
		if g.stage == closed || now.Before(g.next) {
			continue
		}
		if g.stage == resting {
			d.begin(now, g)
		}
		g.next = now.Add(pause(g.tries))
		g.tries++
		if d.dialect != speaksPMP && !d.noPCP {
			send(d.pcp(g))
		}
		if d.dialect == speaksPMP {
			send(d.pmpMap(g))
		}
		askAddress = askAddress || d.dialect != speaksPCP
	}
	if askAddress && d.local.Is4() {
		send(appendPMPAddress(nil))
	}
}

// begin asks a router anew that had not answered, in whatever it speaks by now.
func (d *door) begin(now time.Time, g *grant) {
	if len(d.Open()) == 0 {
		d.dialect, d.noPCP = undecided, false
		d.pmp.since, d.pmp.refused = time.Time{}, false
	}
	g.ask(now)
}

// speak settles the protocol.
func (d *door) speak(now time.Time, in dialect) {
	d.dialect = in
	for _, g := range d.grants {
		if g.stage == asking {
			g.tries, g.next = 0, now
		}
	}
}

// lapse ends what has taken too long.
func (d *door) lapse(now time.Time, g *grant) {
	if g.stage == resting || g.stage == closed || now.Before(g.expires) {
		return
	}
	switch g.stage {
	case asking:
		g.rest(now)
	case open:
		g.ask(now)
	case closing:
		g.stage = closed
	}
}

func (d *door) pcp(g *grant) []byte {
	q := pcpRequest{nonce: g.nonce, client: d.local, tcp: g.tcp, port: d.port, lifetime: seconds(leaseWanted), suggest: g.outside}
	if !q.suggest.IsValid() {
		q.suggest = netip.AddrPortFrom(netip.IPv6Unspecified(), d.port)
		if d.local.Is4() {
			q.suggest = netip.AddrPortFrom(netip.IPv4Unspecified(), d.port)
		}
	}
	if g.stage == closing {
		q.lifetime = 0
	}
	return appendPCP(nil, q)
}

func (d *door) pmpMap(g *grant) []byte {
	switch {
	case g.stage == closing:
		return appendPMPMap(nil, g.tcp, d.port, 0, 0)
	case g.outside.IsValid():
		return appendPMPMap(nil, g.tcp, d.port, g.outside.Port(), seconds(leaseWanted))
	}
	return appendPMPMap(nil, g.tcp, d.port, d.port, seconds(leaseWanted))
}

func seconds(d time.Duration) uint32 { return uint32(d / time.Second) }

// Receive takes an answer of the router.
func (d *door) Receive(now time.Time, b []byte) {
	if a, err := parsePCP(b); err == nil && a.result != pcpUnsupportedVersion {
		d.onPCP(now, a)
		return
	}
	if unsupported(b) {
		d.noPCP = true
		return
	}
	if a, err := parsePMP(b); err == nil && d.local.Is4() {
		d.onPMP(now, a)
	}
}

func (d *door) onPCP(now time.Time, a pcpAnswer) {
	g := d.find(a.tcp)
	if g == nil || a.nonce != g.nonce || a.port != d.port || d.dialect == speaksPMP {
		return
	}
	d.dialect = speaksPCP
	switch {
	case g.stage == closing:
		g.stage = closed
	case a.result != pcpSuccess:
		d.refused(now, g, a.result.String())
	case !usable(a.outside) || a.outside.Addr().Is4() != d.local.Is4() || a.lifetime == 0:
		d.refused(now, g, "its answer makes no sense")
	default:
		g.opened(now, a.outside, a.lifetime)
	}
}

func (d *door) onPMP(now time.Time, a pmpAnswer) {
	if a.op == pmpOpAddress {
		d.onAddress(now, a)
		return
	}
	g := d.find(a.tcp)
	if g == nil || d.dialect != speaksPMP || a.result == pmpSuccess && a.port != d.port {
		return
	}
	outside := netip.AddrPortFrom(d.pmp.address, a.outside)
	switch {
	case g.stage == closing:
		g.stage = closed
	case a.result != pmpSuccess:
		d.refused(now, g, a.result.String())
	case !usable(outside) || a.lifetime == 0:
		d.refused(now, g, "its answer makes no sense")
	default:
		g.opened(now, outside, a.lifetime)
	}
}

// onAddress takes the router's outside address, which may change while ports
// are open.
func (d *door) onAddress(now time.Time, a pmpAnswer) {
	if d.pmp.since.IsZero() {
		d.pmp.since = now
	}
	if a.result != pmpSuccess {
		d.pmp.refused = true
		d.said = a.result.String()
		return
	}
	d.pmp.refused = false
	d.pmp.address = a.address
	for _, g := range d.grants {
		if d.dialect == speaksPMP && g.stage == open {
			g.outside = netip.AddrPortFrom(a.address, g.outside.Port())
		}
	}
}

// refused takes a refusal. One that comes to a renewal leaves the lease, which
// the router has given, to its end.
func (d *door) refused(now time.Time, g *grant, why string) {
	d.said = why
	if g.stage == asking {
		g.rest(now)
	}
}

func (d *door) find(tcp bool) *grant {
	for _, g := range d.grants {
		if g.tcp == tcp {
			return g
		}
	}
	return nil
}

// usable reports whether an address may be somebody's at all.
func usable(a netip.AddrPort) bool {
	ip := a.Addr()
	return ip.IsValid() && a.Port() != 0 && !ip.IsUnspecified() && !ip.IsMulticast() && !ip.IsLoopback() && !ip.IsLinkLocalUnicast()
}
