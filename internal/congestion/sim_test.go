package congestion

import (
	"math"
	"time"
)

// The simulator: flows that share one bottleneck, in virtual time, from a
// seed. It knows packets only by number, keeps one heap of events, and models
// just enough of a transport (acknowledgement ranges, RACK, probe timeouts,
// pacing in trains) to drive a controller the way the real one does.

// dice is SplitMix64 (Steele, Lea, Flood 2014): small, seedable, good enough.
type dice uint64

func (d *dice) next() uint64 {
	*d += 0x9e3779b97f4a7c15
	z := uint64(*d)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (d *dice) unit() float64 { return float64(d.next()>>11) / (1 << 53) }

type eventKind uint8

const (
	evArrive eventKind = iota // packet arg at the receiver of flow
	evAck                     // acknowledgement arg at the sender of flow
	evSend                    // sender timer of flow
	evAckDue                  // receiver timer of flow
	evCall                    // call arg of the script
)

type event struct {
	at   int64
	seq  uint32
	kind eventKind
	flow uint8
	arg  uint32
}

func (e *event) before(o *event) bool {
	return e.at < o.at || e.at == o.at && e.seq < o.seq
}

// sim is the world: one bottleneck link, a return path per flow.
type sim struct {
	now    int64
	seq    uint32
	heap   []event
	dice   dice
	link   link
	flows  []*flow
	calls  []func()
	events int
}

func newSim(seed uint64, l link) *sim {
	l.dice = dice(seed * 77)
	return &sim{dice: dice(seed), link: l}
}

func (s *sim) push(at int64, kind eventKind, flow, arg int) {
	s.seq++
	h := append(s.heap, event{at, s.seq, kind, uint8(flow), uint32(arg)})
	i := len(h) - 1
	e := h[i]
	for i > 0 {
		p := (i - 1) / 4
		if !e.before(&h[p]) {
			break
		}
		h[i] = h[p]
		i = p
	}
	h[i] = e
	s.heap = h
}

func (s *sim) pop() event {
	h := s.heap
	top := h[0]
	n := len(h) - 1
	e := h[n]
	h = h[:n]
	i := 0
	for {
		c := 4*i + 1
		if c >= n {
			break
		}
		best := c
		for k := c + 1; k < min(c+4, n); k++ {
			if h[k].before(&h[best]) {
				best = k
			}
		}
		if !h[best].before(&e) {
			break
		}
		h[i] = h[best]
		i = best
	}
	if n > 0 {
		h[i] = e
	}
	s.heap = h
	return top
}

// call runs f at the given time.
func (s *sim) call(at time.Duration, f func()) {
	s.calls = append(s.calls, f)
	s.push(int64(at), evCall, 0, len(s.calls)-1)
}

// run lets the world turn until the given time, or until all transfers with
// an end have ended.
func (s *sim) run(until time.Duration) {
	for len(s.heap) > 0 && s.heap[0].at <= int64(until) {
		e := s.pop()
		s.now = e.at
		s.events++
		switch e.kind {
		case evArrive:
			s.flows[e.flow].arrive(e.arg)
		case evAck:
			s.flows[e.flow].onAck(e.arg)
		case evSend:
			s.flows[e.flow].timer(e.at)
		case evAckDue:
			s.flows[e.flow].ackDue(e.at)
		case evCall:
			s.calls[e.arg]()
		}
		if s.done() {
			return
		}
	}
	s.now = max(s.now, int64(until))
}

func (s *sim) done() bool {
	for _, f := range s.flows {
		if f.cfg.total == 0 || f.doneAt == 0 {
			return false
		}
	}
	return len(s.flows) > 0
}

// link is the bottleneck and what lies behind it.
type link struct {
	rate   func(t int64) (rate float64, until int64) // bytes/s, piecewise constant
	queue  int                                       // bytes; drop-tail
	bucket bucket                                    // policer before the queue
	delay  int64                                     // one way, ns
	loss   float64                                   // random, behind the queue
	before bool                                      // ... or in front of it
	burst  float64                                   // mean burst of losses in packets; 0: independent
	jitter int64                                     // uniform extra delay, order kept by waiting
	wander int64                                     // slow jitter of the given amplitude
	stray  float64                                   // share of packets that are held back
	strayD int64                                     // by up to this long
	down   bool

	dice    dice
	bad     bool
	free    int64 // when the transmitter will have sent all it has
	last    int64 // latest arrival, to keep order
	wan     wander
	offered [8]int // packets per flow
	dropped [8]int // by the queue or the policer
	waits   []waitSample
}

// waitSample is how long one packet waited in the queue.
type waitSample struct {
	at, wait int64
}

func fixed(rate float64) func(int64) (float64, int64) {
	return func(int64) (float64, int64) { return rate, math.MaxInt64 }
}

// bucket is a token bucket policer; rate 0: none.
type bucket struct {
	rate, depth float64
	tokens      float64
	last        int64
}

func (b *bucket) take(now int64, size int) bool {
	if b.rate == 0 {
		return true
	}
	if b.last == 0 {
		b.tokens = b.depth
	}
	b.tokens = min(b.depth, b.tokens+float64(now-b.last)*b.rate/1e9)
	b.last = now
	if b.tokens < float64(size) {
		return false
	}
	b.tokens -= float64(size)
	return true
}

// wander moves on straight lines between random targets.
type wander struct {
	from, to      float64
	start, length int64
}

func (w *wander) at(t, most int64, d *dice) int64 {
	if most == 0 {
		return 0
	}
	if w.length == 0 {
		w.length = max(4*most, 20e6)
		w.start = t
		w.from, w.to = 0, d.unit()*float64(2*most)
	}
	for t >= w.start+w.length {
		w.start = max(w.start+w.length, t-w.length+1)
		w.from, w.to = w.to, d.unit()*float64(2*most)
	}
	return int64(w.from + (w.to-w.from)*float64(t-w.start)/float64(w.length))
}

// after returns when size bytes that start at t have been sent.
func (l *link) after(t int64, size float64) int64 {
	for {
		r, until := l.rate(t)
		if r > 0 {
			d := int64(math.Ceil(size / r * 1e9))
			if until-t >= d {
				return t + d
			}
			size -= r * float64(until-t) / 1e9
		}
		t = until
	}
}

// backlog is how many bytes wait at t.
func (l *link) backlog(t int64) float64 {
	sum := 0.0
	for t < l.free {
		r, until := l.rate(t)
		end := min(until, l.free)
		sum += r * float64(end-t) / 1e9
		t = end
	}
	return sum
}

// offer puts a packet into the link and says when it comes out, if it does.
func (l *link) offer(now int64, flow, size int) (int64, bool) {
	l.offered[flow]++
	if l.down || l.before && l.lost() {
		return 0, false
	}
	if !l.bucket.take(now, size) {
		l.dropped[flow]++
		return 0, false
	}
	start := max(now, l.free)
	if start > now && l.backlog(now)+float64(size) > float64(l.queue) {
		l.dropped[flow]++
		return 0, false
	}
	if flow == 0 {
		l.waits = append(l.waits, waitSample{now, start - now})
	}
	l.free = l.after(start, float64(size))
	if !l.before && l.lost() {
		return 0, false
	}
	at := l.free + l.delay + l.wan.at(l.free, l.wander, &l.dice)
	if l.jitter > 0 {
		at += int64(l.dice.unit() * float64(l.jitter))
	}
	if l.stray > 0 && l.dice.unit() < l.stray {
		return at + int64(l.dice.unit()*float64(l.strayD)), true
	}
	l.last = max(l.last, at)
	return l.last, true
}

func (l *link) lost() bool {
	if l.burst > 0 {
		// Gilbert: mean burst b, mean loss p.
		if l.bad {
			l.bad = l.dice.unit() >= 1/l.burst
		} else {
			l.bad = l.dice.unit() < l.loss/(1-l.loss)/l.burst
		}
		return l.bad
	}
	return l.loss > 0 && l.dice.unit() < l.loss
}
