package tcp

import (
	"math"
	"time"
)

const (
	cubicC    = 0.4
	cubicBeta = 717.0 / 1024

	// HyStart, tcp_cubic.c.
	hystartLow      = 16 // segments
	hystartAckGap   = int64(2 * time.Millisecond)
	hystartSamples  = 8
	hystartMinDelay = int64(4 * time.Millisecond)
	hystartMaxDelay = int64(16 * time.Millisecond)
)

// cubic is RFC 9438 as tcp_cubic.c has it, in floating point.
type cubic struct {
	lastMax float64 // window before the latest reduction, after fast convergence
	epoch   int64   // when the latest growth began; 0: with the next acknowledgement
	k       float64 // s until the window is back at origin
	origin  float64
	reno    float64 // window that Reno would have (section 4.3)
	credit  float64 // acknowledged segments not yet turned into window

	minRTT  int64
	hystart hystart
}

// hystart ends slow start before it overflows the queue.
type hystart struct {
	end     int64 // segment that ends the round
	began   int64
	lastAck int64
	low     int64 // smallest RTT of the round
	samples int
}

func (*cubic) rate() float64 { return 0 }

func (c *cubic) threshold(s *Sender) int {
	w := float64(s.cwnd)
	c.epoch, c.credit = 0, 0
	if w < c.lastMax {
		c.lastMax = w * (1 + cubicBeta) / 2 // fast convergence: make room for newcomers
	} else {
		c.lastMax = w
	}
	return max(int(w*cubicBeta), 2)
}

func (c *cubic) timedOut(s *Sender) {
	*c = cubic{minRTT: c.minRTT}
	c.hystart.begin(s)
}

func (c *cubic) acked(s *Sender, a ack) {
	if a.rtt > 0 {
		if c.minRTT == 0 || a.rtt < c.minRTT {
			c.minRTT = a.rtt
		}
		if s.state == open && s.cwnd < s.ssthresh && s.cwnd >= hystartLow && c.hystart.found(s, a, c.minRTT) {
			s.ssthresh = s.cwnd
		}
	}
	if s.state == reducing {
		s.reduce(a)
		return
	}
	n := a.delivered
	if n == 0 || !a.advanced {
		return
	}
	if s.cwnd < s.ssthresh {
		if s.una > c.hystart.end {
			c.hystart.begin(s)
		}
		n -= slowStart(s, n)
	}
	if n > 0 {
		c.grow(s, a.now, float64(n))
	}
}

// slowStart uses up to n acknowledged segments and returns how many.
func slowStart(s *Sender, n int) int {
	used := min(n, s.ssthresh-s.cwnd)
	s.cwnd += used
	return used
}

// grow is bictcp_update and tcp_cong_avoid_ai.
func (c *cubic) grow(s *Sender, now int64, n float64) {
	w := float64(s.cwnd)
	if c.epoch == 0 {
		c.epoch, c.reno, c.credit = now, w, 0
		c.k, c.origin = 0, w
		if c.lastMax > w {
			c.k, c.origin = math.Cbrt((c.lastMax-w)/cubicC), c.lastMax
		}
	}
	t := float64(now-c.epoch+c.minRTT) / 1e9
	target := c.origin + cubicC*math.Pow(t-c.k, 3)
	per := 100 * w // acknowledged segments for one more
	if target > w {
		per = w / (target - w)
	}
	if c.lastMax == 0 {
		per = min(per, 20) // the first growth knows no plateau
	}
	// Section 4.3: never slower than Reno with the same reduction.
	c.reno += n * 3 * (1 - cubicBeta) / (1 + cubicBeta) / w
	if c.reno > w {
		per = min(per, w/(c.reno-w))
	}
	c.credit += n / max(per, 2)
	if c.credit >= 1 {
		whole := int(c.credit)
		s.cwnd += whole
		c.credit -= float64(whole)
	}
}

func (h *hystart) begin(s *Sender) {
	*h = hystart{end: s.next, began: s.now, lastAck: s.now}
}

// found is hystart_update: acknowledgements have come without a gap for half
// of the round trip (the train fills the pipe), or all of them are late (it
// fills the queue).
func (h *hystart) found(s *Sender, a ack, minRTT int64) bool {
	if a.now-h.lastAck <= hystartAckGap {
		h.lastAck = a.now
		if a.now-h.began > minRTT/2 {
			return true
		}
	}
	if h.low == 0 || a.rtt < h.low {
		h.low = a.rtt
	}
	if h.samples < hystartSamples {
		h.samples++
		return false
	}
	return h.low > minRTT+min(max(minRTT/8, hystartMinDelay), hystartMaxDelay)
}
