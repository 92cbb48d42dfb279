package congestion

import "math"

const (
	evidence    = 12   // packets from which a share can be told
	remembered  = 1500 // packets of a class beyond which older ones count half
	randomMost  = 0.9  // nothing sensible can be sent beyond
	certainty   = 3    // standard deviations
	clustering  = 8    // losses come in groups of about so many
	enough      = 300  // packets from which a share is known well
	muchShare   = 0.03
	outage      = 64   // packets in a row of which next to none arrives
	excessShare = 0.01 // a difference below this means nothing
)

// tally counts what was sent for one end and what of it was lost, in bytes.
type tally struct{ sent, lost float64 }

func (c *tally) share() float64 {
	if c.sent <= 0 {
		return 0
	}
	return min(max(c.lost/c.sent, 0), randomMost)
}

// lossState tells losses that are the path's answer to too much from those
// that happen whatever one does. The latter cost nothing but their repetition,
// and a sender that slowed down for them would only make it worse; to ignore
// the former would be to flood. Packets that left while less was asked of the
// path than it takes show the random ones.
type lossState struct {
	size    float64 // bytes of a packet
	late    float64 // bytes that may have been overtaken and are not lost
	classes [marks]tally
}

// count notes what became of the packets between two points, the last of which
// was sent for the given end.
func (l *lossState) count(m Mark, s stretch) {
	c := &l.classes[m]
	c.sent += float64(s.sent)
	c.lost += float64(s.sent - s.received)
	if c.sent > remembered*l.size {
		c.sent /= 2
		c.lost /= 2
	}
}

func (l *lossState) known(m Mark) bool { return l.classes[m].sent >= evidence*l.size }

// random is the share that is lost whatever one does, and the bytes that this
// rests on: the smallest share seen for any end, since all of them suffer it.
// But only what was sent with care is a proof that there is any.
func (l *lossState) random() (base, n float64) {
	least := 2.0
	l.lesser(searching, &least, &base, &n)
	l.lesser(below, &least, &base, &n)
	if n == 0 {
		return 0, evidence * l.size
	}
	l.lesser(at, &least, &base, &n)
	l.lesser(above, &least, &base, &n)
	return base, n
}

// lesser takes the share of a class if it is smaller for certain.
func (l *lossState) lesser(m Mark, least, base, n *float64) {
	c := &l.classes[m]
	if bound := c.share() + l.deviation(c.share(), c.sent); l.known(m) && bound < *least {
		*least, *base, *n = bound, c.share(), c.sent
	}
}

// deviation is the standard deviation of a share measured on n bytes.
func (l *lossState) deviation(share, n float64) float64 {
	packets := max(n/l.size, 1)
	p := max(share, 1/packets) // none lost of a hundred is not never
	return math.Sqrt(clustering * p * (1 - p) / packets)
}

func (l *lossState) base() float64 {
	base, _ := l.random()
	return base
}

// tolerance is by how much a share of n bytes may exceed the random one by
// chance.
func (l *lossState) tolerance(n float64) float64 {
	base, m := l.random()
	return certainty * math.Hypot(l.deviation(base, m), l.deviation(base, n))
}

// exceeds reports whether what was sent for one end lost more than the random
// share, beyond what chance can do.
func (l *lossState) exceeds(m Mark) bool {
	c := &l.classes[m]
	return l.known(m) && c.lost-l.base()*c.sent > l.late && l.passed(m) < 1-excessShare-l.tolerance(c.sent)/(1-l.base())
}

// passed is the share of what was sent for one end that arrived, of what
// chance would have let through.
func (l *lossState) passed(m Mark) float64 {
	return (1 - l.classes[m].share()) / (1 - l.base())
}

// policed returns by what factor the bandwidth is thought too high: when what
// is sent at it loses clearly more than what is sent below, while no queue is
// to be seen, then something on the path (a policer, a very short queue) drops
// what exceeds its rate. 1: not at all.
func (l *lossState) policed() float64 {
	if !l.known(below) || !l.exceeds(at) {
		return 1
	}
	return l.passed(at)
}

// doubtful reports whether much is lost and it is not known yet what of it is
// random: then it is worth sending clearly less for a moment, to see.
func (l *lossState) doubtful() bool {
	return l.classes[below].sent < enough*l.size && max(l.classes[at].share(), l.classes[above].share()) > muchShare
}

// renew forgets most of what was learned about a bandwidth that was too high.
func (l *lossState) renew() {
	l.classes[at] = tally{}
	l.classes[below].sent /= 4
	l.classes[below].lost /= 4
}
