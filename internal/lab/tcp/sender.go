package tcp

import (
	"net/netip"
	"time"

	"qft/internal/udp"
)

const (
	initialWindow = 10                     // segments, RFC 6928
	minRTO        = 200 * time.Millisecond // TCP_RTO_MIN of Linux
	firstRTO      = time.Second
	maxRTO        = 120 * time.Second
	dupThresh     = 3
)

// segment is one that has left and is not cumulatively acknowledged.
type segment struct {
	sentAt  int64 // latest transmission
	sacked  bool
	lost    bool
	resent  bool // a retransmission is on its way
	touched bool // has been retransmitted at some time: gives no RTT

	// What the delivery rate is computed from, as of the latest transmission
	// (draft-cheng-iccrg-delivery-rate-estimation).
	delivered   int64
	deliveredAt int64
	firstAt     int64
}

// recovery is what the sender makes of losses, as Linux's tcp_ca_state.
type recovery uint8

const (
	open     recovery = iota // also "disorder". Next: reducing, timedOut
	reducing                 // fast recovery: PRR until highest is acknowledged. Next: open, timedOut
	timedOut                 // after an RTO: slow start until highest is acknowledged. Next: open
)

// control decides the window from what is acknowledged and lost.
type control interface {
	// acked is told of each acknowledgement once its losses are known.
	acked(s *Sender, a ack)
	// threshold is called when a loss makes the window shrink, and returns to
	// what, in segments.
	threshold(s *Sender) int
	// timedOut is told of an RTO, after threshold.
	timedOut(s *Sender)
	// rate is the pacing rate in segments per ns; 0: not paced.
	rate() float64
}

// ack is one acknowledgement.
type ack struct {
	now       int64
	delivered int     // segments that it newly covers
	lost      int     // newly declared lost
	advanced  bool    // cumulatively
	rtt       int64   // ns; 0: no sample
	prior     int64   // Sender.delivered when the newest segment covered left; -1: none
	rate      float64 // delivery rate in segments per ns; 0: no sample
}

// Sender is the sending end of a transfer without end.
type Sender struct {
	to    netip.AddrPort
	cc    control
	start time.Time
	now   int64 // ns since start

	una, next int64 // oldest unacknowledged segment, next new one
	ring      []segment
	sacked    int // segments in [una, next) by kind
	lost      int
	resent    int

	cwnd, ssthresh int
	state          recovery
	highest        int64 // ends reducing and timedOut
	prr            prrState

	rtt   rttState
	rack  rackState
	rto   int64 // when, 0: nothing in flight
	tries int   // RTOs in a row

	delivered   int64
	deliveredAt int64
	firstAt     int64 // departure of the newest segment known to have arrived
	pacedTo     int64 // when the pacer lets the next segment out
	blocks      []block

	Resent, Timeouts int64 // segments sent again; RTOs
}

// NewCubic returns a sender to the Receiver at to that starts when its machine
// is bound.
func NewCubic(to netip.AddrPort) *Sender { return newSender(to, &cubic{}) }

func newSender(to netip.AddrPort, cc control) *Sender {
	return &Sender{to: to, cc: cc, cwnd: initialWindow, ssthresh: 1 << 30, ring: make([]segment, 256)}
}

// Window is the congestion window in segments.
func (s *Sender) Window() int { return s.cwnd }

// SRTT is the smoothed round-trip time.
func (s *Sender) SRTT() time.Duration { return time.Duration(s.rtt.smoothed) }

func (s *Sender) clock(now time.Time) {
	if s.start.IsZero() {
		s.start = now.Add(-1)
	}
	s.now = int64(now.Sub(s.start))
}

func (s *Sender) seg(n int64) *segment { return &s.ring[n&int64(len(s.ring)-1)] }

// inFlight is in segments, as tcp_packets_in_flight.
func (s *Sender) inFlight() int { return int(s.next-s.una) - s.sacked - s.lost + s.resent }

// Receive takes an acknowledgement.
func (s *Sender) Receive(now time.Time, p udp.Packet) {
	s.clock(now)
	cum, blocks, ok := parseAck(p.Data, s.blocks[:0])
	s.blocks = blocks
	if !ok || cum > s.next {
		return
	}
	a := ack{now: s.now, advanced: cum > s.una, prior: -1}
	newest := segment{sentAt: -1}
	for ; s.una < cum; s.una++ {
		s.arrived(&a, s.una, &newest)
		if g := s.seg(s.una); g.sacked {
			s.sacked--
		}
	}
	for _, b := range blocks {
		for n := max(b.low, s.una); n < b.high; n++ {
			if g := s.seg(n); !g.sacked {
				s.arrived(&a, n, &newest)
				g.sacked = true
				s.sacked++
			}
		}
	}
	if a.delivered > 0 {
		s.sample(&a, &newest)
	}
	a.lost = s.detect()
	s.react(a)
	if a.advanced {
		s.tries = 0
		s.armRTO()
	}
}

// arrived notes that segment n has arrived, unless that is known.
func (s *Sender) arrived(a *ack, n int64, newest *segment) {
	g := s.seg(n)
	if g.sacked {
		return
	}
	a.delivered++
	s.delivered++
	s.deliveredAt = s.now
	s.rack.arrived(s, n, g)
	if g.lost {
		s.lost--
		g.lost = false
	}
	if g.resent {
		s.resent--
		g.resent = false
	}
	if g.sentAt > newest.sentAt {
		*newest = *g
	}
}

// sample measures the round trip and the delivery rate.
func (s *Sender) sample(a *ack, g *segment) {
	if !g.touched {
		a.rtt = s.now - g.sentAt
		s.rtt.sample(a.rtt)
	}
	a.prior = g.delivered
	s.firstAt = g.sentAt
	took := max(g.sentAt-g.firstAt, s.now-g.deliveredAt)
	if took > 0 && took >= s.rtt.min {
		a.rate = float64(s.delivered-g.delivered) / float64(took)
	}
}

// react moves the recovery state and the window on.
func (s *Sender) react(a ack) {
	if s.state != open && s.una >= s.highest {
		if s.state == reducing && s.paced() == 0 {
			s.cwnd = s.ssthresh
		}
		s.state = open
	}
	if s.state == open && s.lost > 0 {
		s.state = reducing
		s.highest = s.next
		s.prr = prrState{prior: s.cwnd}
		s.ssthresh = s.cc.threshold(s)
	}
	s.cc.acked(s, a)
}

func (s *Sender) paced() float64 { return s.cc.rate() }

// prrState is Proportional Rate Reduction (RFC 6937): the window shrinks in
// the course of one round trip, in step with what arrives.
type prrState struct{ prior, delivered, out int }

// reduce is tcp_cwnd_reduction of Linux.
func (s *Sender) reduce(a ack) {
	if a.delivered == 0 || s.prr.prior == 0 {
		return
	}
	p := &s.prr
	p.delivered += a.delivered
	n := 0
	if room := s.ssthresh - s.inFlight(); room < 0 {
		n = (s.ssthresh*p.delivered+p.prior-1)/p.prior - p.out
	} else {
		n = max(p.delivered-p.out, a.delivered)
		if a.advanced && a.lost == 0 {
			n++
		}
		n = min(room, n)
	}
	if p.out == 0 {
		n = max(n, 1) // the first retransmission leaves at once
	}
	s.cwnd = s.inFlight() + max(n, 0)
}

// Send appends what the window, the pacer and the timers let out.
func (s *Sender) Send(now time.Time, b *udp.Batch) {
	s.clock(now)
	if s.rto != 0 && s.rto <= s.now {
		s.timeout()
	}
	if s.rack.timer != 0 && s.rack.timer <= s.now {
		if n := s.detect(); n > 0 {
			s.react(ack{now: s.now, lost: n, prior: -1})
		}
	}
	for s.mayLeave() && s.pacedTo <= s.now {
		if !s.transmit(b) {
			return
		}
	}
}

func (s *Sender) mayLeave() bool { return s.inFlight() < s.cwnd }

// transmit sends the oldest lost segment or a new one.
func (s *Sender) transmit(b *udp.Batch) bool {
	n := s.next
	if s.lost > s.resent {
		for n = s.una; !s.seg(n).lost || s.seg(n).resent; n++ {
		}
	} else if s.next-s.una == int64(len(s.ring)) {
		s.grow()
	}
	p := appendData(b, n)
	if p == nil {
		return false
	}
	b.Commit(udp.To(s.to), len(p))
	g := s.seg(n)
	if n == s.next {
		s.next++
		*g = segment{}
	} else {
		s.Resent++
		s.resent++
		g.resent, g.touched = true, true
	}
	if s.inFlight() == 1 || s.deliveredAt == 0 {
		s.firstAt, s.deliveredAt = s.now, s.now
	}
	g.sentAt, g.delivered, g.deliveredAt, g.firstAt = s.now, s.delivered, s.deliveredAt, s.firstAt
	s.prr.out++
	if r := s.paced(); r > 0 {
		s.pacedTo = max(s.pacedTo, s.now) + int64(1/r)
	}
	if s.rto == 0 {
		s.armRTO()
	}
	return true
}

func (s *Sender) grow() {
	bigger := make([]segment, 2*len(s.ring))
	for n := s.una; n < s.next; n++ {
		bigger[n&int64(len(bigger)-1)] = *s.seg(n)
	}
	s.ring = bigger
}

// Deadline is when Send has something to do.
func (s *Sender) Deadline() time.Time {
	at := s.rto
	if s.rack.timer != 0 && (at == 0 || s.rack.timer < at) {
		at = s.rack.timer
	}
	if s.mayLeave() && (at == 0 || s.pacedTo < at) {
		at = max(s.pacedTo, 1)
	}
	if at == 0 {
		return time.Time{}
	}
	return s.start.Add(time.Duration(at))
}

// armRTO sets the retransmission timer anew.
func (s *Sender) armRTO() {
	s.rto = 0
	if s.next > s.una {
		s.rto = s.now + min(s.rtt.timeout()<<min(s.tries, 10), int64(maxRTO))
	}
}

// timeout is tcp_enter_loss of Linux: everything that is not known to have
// arrived is sent again, in slow start.
func (s *Sender) timeout() {
	s.Timeouts++
	if s.state != timedOut || s.una >= s.highest {
		s.ssthresh = s.cc.threshold(s)
	}
	for n := s.una; n < s.next; n++ {
		g := s.seg(n)
		if !g.sacked && !g.lost {
			g.lost = true
			s.lost++
		}
		g.resent = false
	}
	s.resent = 0
	s.state, s.highest = timedOut, s.next
	s.cwnd = 1
	s.pacedTo = s.now
	s.tries++
	s.rack.timer = 0
	s.cc.timedOut(s)
	s.armRTO()
}
