package congestion

const (
	initialPackets = 48 // in the first window
	leastWindow    = 6  // packets
	leastRate      = 4  // packets per second

	// A peer may hold an acknowledgement for 20 ms. A window that ends before
	// makes its own low rate true; beyond some size 32 packets come sooner.
	ackWait      = 0.025 // s
	ackWaitBytes = 128e3

	windowGain = 2.0

	minRound      = 4e6  // ns: shorter rounds would be noise
	minPhase      = 20e6 // ns
	bwRounds      = 10   // rounds that a bandwidth sample counts
	bwTime        = 1e9  // ns that it counts at least
	rttTime       = 10e9 // ns that the smallest RTT counts
	leastEvidence = 50e3 // bytes that a share of losses can be estimated from
)

// Packet is what the controller remembers of a packet in flight, for the
// delivery rate (draft-cheng-iccrg-delivery-rate-estimation section 3).
type Packet struct {
	delivered   int64 // bytes delivered when it left
	deliveredAt int64 // ns, of the latest delivery then
	firstAt     int64 // ns, when the flight that it ends began
	sentAt      int64 // ns
	upTo        int64 // bytes sent, it included
	limited     bool  // the sender had nothing more to send
	low         bool  // sent when less was asked of the path than it takes
	up          bool  // sent when more was asked
}

// rateState measures the delivery rate.
type rateState struct {
	sent         int64 // bytes
	delivered    int64 // bytes
	deliveredAt  int64 // ns
	firstAt      int64 // ns
	limitedUntil int64 // bytes delivered until which samples are limited; 0: none
	newest       Packet
	any          bool
}

// sample is one measurement.
type sample struct {
	rate     float64 // bytes per second
	limited  bool
	prior    int64 // bytes delivered when the newest packet left
	sentAt   int64
	interval int64
}

func (r *rateState) onSent(t int64, p *Packet, inFlight int) {
	if inFlight == 0 {
		r.firstAt, r.deliveredAt = t, t
	}
	p.delivered, p.deliveredAt, p.firstAt, p.sentAt = r.delivered, r.deliveredAt, r.firstAt, t
	p.limited = r.limitedUntil > 0
}

func (r *rateState) onAcked(t int64, p *Packet, size int) {
	r.delivered += int64(size)
	r.deliveredAt = t
	if !r.any || p.sentAt > r.newest.sentAt || p.sentAt == r.newest.sentAt && p.upTo > r.newest.upTo {
		r.newest = *p
		r.any = true
		r.firstAt = p.sentAt
	}
}

// take returns what the packets acknowledged since the last take show.
func (r *rateState) take() (s sample, ok bool) {
	if !r.any {
		return s, false
	}
	p := r.newest
	r.any = false
	if r.limitedUntil > 0 && r.delivered > r.limitedUntil {
		r.limitedUntil = 0
	}
	// "send_elapsed and ack_elapsed: the longer one", so that neither a burst
	// of packets nor one of acknowledgements is taken for bandwidth (3.3).
	s.interval = max(p.sentAt-p.firstAt, r.deliveredAt-p.deliveredAt)
	s.limited, s.prior, s.sentAt = p.limited, p.delivered, p.sentAt
	if s.interval > 0 {
		s.rate = float64(r.delivered-p.delivered) / float64(s.interval) * 1e9
	}
	return s, true
}

// maxFilter is the largest of the samples of the latest rounds. Like Kathleen
// Nichols' filter in the kernel (lib/win_minmax.c) it keeps three candidates.
type maxFilter struct {
	s [3]candidate
}

type candidate struct {
	at    int64
	round int64
	v     float64
}

func (f *maxFilter) best() float64 { return f.s[0].v }

func (f *maxFilter) add(t, round int64, v float64) {
	n := candidate{t, round, v}
	if v >= f.s[0].v || f.old(f.s[2], t, round, 1) {
		f.s = [3]candidate{n, n, n}
		return
	}
	if v >= f.s[1].v {
		f.s[1], f.s[2] = n, n
	} else if v >= f.s[2].v {
		f.s[2] = n
	}
	switch {
	case f.old(f.s[0], t, round, 1):
		f.s = [3]candidate{f.s[1], f.s[2], n}
		if f.old(f.s[0], t, round, 1) {
			f.s = [3]candidate{f.s[1], f.s[2], n}
		}
	case f.s[1].at == f.s[0].at && f.old(f.s[1], t, round, 4):
		f.s[1], f.s[2] = n, n
	case f.s[2].at == f.s[1].at && f.old(f.s[2], t, round, 2):
		f.s[2] = n
	}
}

// old reports whether a candidate is older than a share of the window.
func (f *maxFilter) old(s candidate, t, round, share int64) bool {
	return round-s.round > bwRounds/share && t-s.at > bwTime/share
}

func (f *maxFilter) set(t, round int64, v float64) {
	n := candidate{t, round, v}
	f.s = [3]candidate{n, n, n}
}

// rttState is the smallest recent round-trip time.
type rttState struct {
	min    int64 // ns; 0: none yet
	minAt  int64
	latest int64
	high   int64 // ns since when all samples have shown a queue; 0: they do not
	now    int64
	old    int64 // ns; what min was before the doubt
	doubt  int64 // ns; since when min is what a standing queue may have made; 0: it is not
}

func (r *rttState) sample(t, rtt int64) {
	if rtt <= 0 {
		return
	}
	r.latest, r.now = rtt, t
	switch {
	case r.min == 0 || rtt <= r.queueLimit():
		r.high = 0
	case r.high == 0:
		r.high = t
	}
	// A value close to the smallest confirms it: without this a quiet path
	// would have to be emptied every ten seconds to learn what is known.
	if r.min == 0 || rtt <= r.min+r.min/64+100e3 {
		r.minAt = t
	}
	if r.min == 0 || rtt < r.min {
		r.min = rtt
	}
}

// queueLimit is how much the RTT must exceed the smallest to mean a queue.
func (r *rttState) queueLimit() int64 { return r.min + max(r.min/8, 8e6) }

// standing reports whether the queue is no mere burst: every sample of some
// time has shown it.
func (r *rttState) standing() bool {
	return r.high > 0 && r.now-r.high >= max(r.min/8, 5e6)
}

// clear reports whether packets pass without waiting in a queue.
func (r *rttState) clear() bool { return r.latest > 0 && r.latest <= r.queueLimit() }

// lossState measures what is lost when the path is not overloaded: random
// loss, which sending less does not cure, and which is made up for.
type lossState struct {
	lowLost, lowAll float64 // bytes of the latest low phase
	from            int64   // ns; what left since met no queue. 0: there is one
	upLost, upAll   float64 // bytes of the latest Up
	midLost, midAll float64 // bytes of the latest Cruise
	weight          float64 // bytes that share rests on
	share           float64 // lost at random
}

// count notes the fate of a packet; clear: there is no queue at the moment.
// What is lost while there is one may have been lost to it, and to make up for
// that would keep it full. Losses are noticed later than arrivals, so it is
// the time of sending that decides.
func (l *lossState) count(p *Packet, size int, lost, clear bool) {
	n := float64(size)
	switch {
	case p.up:
		l.upAll += n
		if lost {
			l.upLost += n
		}
		return
	case !p.low:
		l.midAll += n
		if lost {
			l.midLost += n
		}
		return
	}
	switch {
	case !clear:
		l.from, l.lowAll, l.lowLost = 0, 0, 0
	case l.from == 0 && !lost:
		l.from = p.sentAt
	}
	if l.from == 0 || p.sentAt < l.from {
		return
	}
	l.lowAll += n
	if lost {
		l.lowLost += n
	}
}

// undo takes back a loss that was none.
func (l *lossState) undo(p *Packet, size int) {
	n := float64(size)
	switch {
	case p.up:
		l.upLost = max(0, l.upLost-n)
	case !p.low:
		l.midLost = max(0, l.midLost-n)
	case l.from > 0 && p.sentAt >= l.from:
		l.lowLost = max(0, l.lowLost-n)
	}
}

// learn takes up what the latest low phase has shown. It is called when the
// fate of all its packets is known: losses are noticed later than arrivals,
// and half of a phase shows too few or too many of them.
func (l *lossState) learn() {
	if l.lowAll < leastEvidence {
		return // goes on counting in the next one
	}
	l.weight /= 2
	l.share = (l.share*l.weight + l.lowLost) / (l.weight + l.lowAll)
	l.weight += l.lowAll
	l.lowLost, l.lowAll, l.from = 0, 0, 0
}

// policed returns by how much the bandwidth is thought too high: when Cruise
// loses clearly more than the phases below it, and there is no queue to see,
// then something on the path (a policer, a very short queue) drops what exceeds
// its rate. 1: not at all.
func (l *lossState) policed() float64 {
	if l.midAll < leastEvidence || l.weight == 0 {
		return 1
	}
	mid := l.midLost / l.midAll
	if mid < 1.5*l.base()+0.02 {
		return 1
	}
	return (1 - mid) / (1 - l.base())
}

// base is the share that is lost at random.
func (l *lossState) base() float64 { return min(l.share, 0.6) }

// excess reports whether Up lost clearly more than chance does.
func (l *lossState) excess() bool {
	if l.upAll < 20e3 {
		return false
	}
	return l.upLost/l.upAll > 1.5*l.base()+0.05
}

// quietState is a contact that was lost.
type quietState struct {
	silent bool
	until  int64 // packets that left before it do not count as lost
	gentle int64 // half the rate until then; 0: no
}
