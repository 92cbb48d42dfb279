package peer

import (
	"io"
	"net/netip"
	"time"

	"qft/internal/stun"
	"qft/internal/udp"
)

const (
	// stunFirst is the first wait for an answer of a STUN server, each further
	// one is twice as long (RFC 8489 section 6.2.1), up to stunMost.
	stunFirst = 500 * time.Millisecond
	stunMost  = 4 * time.Second

	// stunKeep is how often an answered server is asked again: mappings of NATs
	// that forget after 20 s hold.
	stunKeep = 10 * time.Second

	// stunEnough is how long the slower servers are waited for once one has
	// answered.
	stunEnough = time.Second
)

// outside asks standard STUN servers under which addresses this machine is
// seen, and keeps those mappings open: a machine.
type outside struct {
	rand    io.Reader
	servers []stunServer
	first   time.Time // a server has answered
	enough  bool      // the others have had their time
	began   time.Time
}

type stunServer struct {
	addr  netip.AddrPort
	tx    stun.Tx
	tries int // since the latest answer
	next  time.Time
	seen  netip.AddrPort // invalid: not known
	heard time.Time
}

func newOutside(now time.Time, rand io.Reader, servers []netip.AddrPort) *outside {
	o := &outside{rand: rand, began: now}
	for _, a := range servers {
		o.servers = append(o.servers, stunServer{addr: a, next: now})
	}
	return o
}

// settled reports whether it is not worth waiting for more answers.
func (o *outside) settled(now time.Time) bool {
	if o.first.IsZero() {
		return false
	}
	if o.enough || !now.Before(o.first.Add(stunEnough)) {
		return true
	}
	for i := range o.servers {
		if !o.servers[i].seen.IsValid() {
			return false
		}
	}
	return true
}

// dead reports whether no server has answered in so long.
func (o *outside) dead(now time.Time, patience time.Duration) bool {
	return o.first.IsZero() && !now.Before(o.began.Add(patience))
}

// seen returns the own outside addresses, in the order of the servers.
func (o *outside) seen() []netip.AddrPort {
	var all []netip.AddrPort
	for i := range o.servers {
		if s := &o.servers[i]; s.seen.IsValid() {
			all = append(all, s.seen)
		}
	}
	return all
}

// Receive takes an answer of one of the servers. Others', and such as nobody
// asked for, change nothing.
func (o *outside) Receive(now time.Time, p udp.Packet) {
	from := netip.AddrPortFrom(p.Remote.Addr().Unmap(), p.Remote.Port())
	for i := range o.servers {
		s := &o.servers[i]
		if s.addr != from || s.tries == 0 || p.Local != 0 {
			continue
		}
		tx, mapped, ok := stun.ParseResponse(p.Data)
		if !ok || tx != s.tx {
			continue
		}
		s.seen, s.heard, s.tries, s.next = mapped, now, 0, now.Add(stunKeep)
		if o.first.IsZero() {
			o.first = now
		}
	}
}

// Send appends the requests that are due.
func (o *outside) Send(now time.Time, b *udp.Batch) {
	o.enough = o.enough || o.settled(now)
	for i := range o.servers {
		s := &o.servers[i]
		if s.next.After(now) {
			continue
		}
		if s.tries == 0 {
			// One transaction, one ID, however often it is sent.
			if _, err := io.ReadFull(o.rand, s.tx[:]); err != nil {
				panic("peer: no randomness: " + err.Error())
			}
		}
		if !b.Add(udp.To(s.addr), stun.AppendRequest(nil, s.tx)) {
			return
		}
		s.next = now.Add(min(stunFirst<<min(s.tries, 6), stunMost))
		s.tries++
	}
}

// Deadline is when Send has something to do.
func (o *outside) Deadline() time.Time {
	var d time.Time
	for i := range o.servers {
		d = earlier(d, o.servers[i].next)
	}
	if !o.first.IsZero() && !o.enough {
		d = earlier(d, o.first.Add(stunEnough))
	}
	return d
}
