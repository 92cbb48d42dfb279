package congestion

import "math"

const (
	evidence    = 12   // packets from which a share can be told
	remembered  = 1500 // packets of a class beyond which older ones count half
	randomMost  = 0.9  // nothing sensible can be sent beyond
	certainty   = 3    // standard deviations
	usualGroups = 8    // losses come in groups of about so many, to begin with
	leastGroups = 3
	mostGroups  = 40
	groupMemory = 64  // stretches
	enough      = 300 // packets from which a share is known well
	muchShare   = 0.03
	outage      = 64   // packets in a row of which next to none arrives
	leastHits   = 3    // separate losses before they mean something
	excessShare = 0.01 // a difference below this means nothing
)

// tally counts what was sent for one end and what of it was lost, in bytes.
type tally struct {
	sent, lost float64
	worst      float64 // lost in the worst stretch
	hits       int     // stretches with losses
}

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
	groups  float64 // how many packets are lost together; 0: not known
}

// count notes what became of the packets between two points, the last of which
// was sent for the given end.
func (l *lossState) count(m Mark, s stretch) {
	c := &l.classes[m]
	c.sent += float64(s.sent)
	lost := float64(s.sent - s.received)
	c.lost += lost
	if lost > 0 {
		c.hits++
		c.worst = max(c.worst, lost)
	}
	l.learnGroups(c.share(), s)
	if c.sent > remembered*l.size {
		*c = tally{c.sent / 2, c.lost / 2, c.worst / 2, c.hits / 2}
	}
}

// learnGroups compares by how much losses differ between stretches with how
// much they would if each packet met its fate alone. Bursts of loss, and packets
// that are overtaken, make it more.
func (l *lossState) learnGroups(share float64, s stretch) {
	n := float64(s.sent) / l.size
	if share <= 0 || n < 1 {
		return
	}
	off := float64(s.sent-s.received)/l.size - share*n
	g := off * off / (share * (1 - share) * n)
	if l.groups == 0 {
		l.groups = usualGroups
	}
	l.groups += (min(max(g, leastGroups), 10*mostGroups) - l.groups) / groupMemory
	l.groups = min(l.groups, mostGroups)
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
	return math.Sqrt(max(l.groups, leastGroups) * p * (1 - p) / packets)
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
	// One burst, however long, says nothing about the rate.
	lost := c.lost
	if c.hits < 2*leastHits {
		lost -= c.worst
	}
	return l.known(m) && c.hits >= leastHits && lost-l.base()*c.sent > l.late &&
		(1-lost/c.sent)/(1-l.base()) < 1-excessShare-l.tolerance(c.sent)/(1-l.base())
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
	b := &l.classes[below]
	*b = tally{b.sent / 4, b.lost / 4, b.worst / 4, b.hits / 4}
}
