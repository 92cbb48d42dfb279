package rendezvous

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"qft/internal/udp"
)

const (
	maxOutlooks = 16 // other ports of the helper that are asked
	outTries    = 8  // hellos to each of them without an answer
)

// Observation is this machine's address as one address of the helper saw it. A
// NAT that gives each destination another outside port shows in several.
type Observation struct {
	Server netip.AddrPort
	Seen   netip.AddrPort
	Order  int // in which they were asked for the first time; no two are equal
}

// Observed returns what is known of this machine's addresses, in the order of
// asking, over all addresses of the helper and the other ports that it named.
func (c *Client) Observed() []Observation {
	var seen []Observation
	for _, ct := range c.contacts {
		if ct.observed.IsValid() && !ct.path.IsLine() {
			seen = append(seen, Observation{ct.path.Remote, ct.observed, ct.order})
		}
	}
	for _, o := range c.scout.outlooks {
		if o.seen.IsValid() {
			seen = append(seen, Observation{o.path.Remote, o.seen, o.order})
		}
	}
	slices.SortFunc(seen, func(a, b Observation) int { return cmp.Compare(a.Order, b.Order) })
	return seen
}

// scout asks the helper's other ports what they see. They are asked once, and
// again when our address turns out to have changed.
type scout struct {
	outlooks []*outlook
	orders   int
}

// outlook is one of them. Its token is made from that of the contact that named
// it: which port an answer comes from tells them apart.
type outlook struct {
	path  udp.Path
	token token
	seen  netip.AddrPort
	order int
	due   time.Time // next hello; zero: none
	tries int
}

// count gives something that is asked for the first time its order.
func (s *scout) count(order *int) {
	if *order == 0 {
		s.orders++
		*order = s.orders
	}
}

// learn takes the ports that the helper named. Lines of other kinds than UDP
// show nothing of a NAT's ports for it.
func (c *Client) learn(ct *contact, ports []uint16) {
	s := &c.scout
	for _, port := range ports {
		to := ct.path
		to.Remote = netip.AddrPortFrom(to.Remote.Addr(), port)
		if to.IsLine() || c.contactAt(to) != nil || s.at(to) != nil || len(s.outlooks) == maxOutlooks {
			continue
		}
		s.outlooks = append(s.outlooks, &outlook{path: to, token: ct.token, due: soon()})
	}
}

func (s *scout) at(p udp.Path) *outlook {
	for _, o := range s.outlooks {
		if o.path == p {
			return o
		}
	}
	return nil
}

// again asks them all once more.
func (s *scout) again() {
	for _, o := range s.outlooks {
		*o = outlook{path: o.path, token: o.token, due: soon()}
	}
}

// receive takes a packet from an address that is none of the helper's as it was
// given: another port of it, perhaps.
func (s *scout) receive(p udp.Packet) {
	o := s.at(p.Path.Unmap())
	if o == nil {
		return
	}
	if m, err := parseAnswer(p.Data); err == nil && m.typ == typeCookie && m.token == o.token {
		o.seen, o.due = m.observed, time.Time{}
	}
}

// due is when the next hello is due.
func (s *scout) due() (t time.Time) {
	for _, o := range s.outlooks {
		t = earlier(t, o.due)
	}
	return t
}

// sendScouts asks the ports whose turn it is. It reports false when b is full.
func (c *Client) sendScouts(now time.Time, b *udp.Batch) bool {
	for _, o := range c.scout.outlooks {
		if !due(o.due, now) {
			continue
		}
		if !emit(b, o.path, &request{typ: typeHello, token: o.token}) {
			return false
		}
		c.scout.count(&o.order)
		o.due = now.Add(c.backoff(o.tries, maxWait))
		if o.tries++; o.tries == outTries {
			o.due = time.Time{}
		}
	}
	return true
}
