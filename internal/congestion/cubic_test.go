package congestion

import (
	"math"
	"time"
)

// cubicFlow is what a kernel of today runs: CUBIC (RFC 9438) with slow start
// ended by HyStart's delay test, clocked by acknowledgements, unpaced.
type cubicFlow struct {
	mss      float64
	window   float64 // packets
	ssthresh float64
	most     float64
	epoch    int64 // ns; 0: none
	k        float64
	est      float64 // what Reno would have
	base     int64
	srtt     int64
	recover  int64 // packets sent before answer for no more cuts
	acked    float64
	lost     bool
	limited  bool
	round    int64 // end of the HyStart round
	least    int64 // RTT of the round
	prior    int64
	n        int
}

func newCubic() *cubicFlow {
	return &cubicFlow{mss: 1452, window: 10, ssthresh: math.Inf(1)}
}

func (c *cubicFlow) Sent(now time.Time, p *Packet, size, inFlight int) {
	p.sent = now.UnixNano()
	c.limited = float64(inFlight+2*size) >= c.window*c.mss
}

func (c *cubicFlow) Acked(now time.Time, p *Packet, size int) { c.acked++ }

func (c *cubicFlow) Lost(now time.Time, p *Packet, size int) {
	if p.sent > c.recover {
		c.lost = true
	}
}

func (c *cubicFlow) AppLimited(time.Time, int) {}

func (c *cubicFlow) Blackout(now time.Time) {
	c.ssthresh = max(c.window/2, 2)
	c.window = 2
	c.epoch = 0
	c.recover = now.UnixNano()
}

func (c *cubicFlow) Rate() float64 { return 1e9 }

func (c *cubicFlow) Window() int { return int(c.window * c.mss) }

func (c *cubicFlow) Update(at time.Time, rtt time.Duration, inFlight int) {
	now := at.UnixNano()
	d := int64(rtt)
	if d > 0 {
		if c.base == 0 {
			c.base, c.srtt = d, d
		}
		c.base = min(c.base, d)
		c.srtt += (d - c.srtt) / 8
	}
	n := c.acked
	c.acked = 0
	if c.lost {
		c.lost = false
		c.recover = now
		if c.window < c.most {
			c.most = c.window * 0.85
		} else {
			c.most = c.window
		}
		c.window = max(c.window*0.7, 2)
		c.ssthresh = c.window
		c.epoch = 0
		return
	}
	if !c.limited || n == 0 {
		return
	}
	if c.window < c.ssthresh {
		c.window += n
		c.hystart(now, d)
		return
	}
	if c.epoch == 0 {
		c.epoch = now
		c.est = c.window
		c.k = 0
		if c.most > c.window {
			c.k = math.Cbrt((c.most - c.window) / 0.4)
		} else {
			c.most = c.window
		}
	}
	t := float64(now-c.epoch)/1e9 + float64(c.srtt)/1e9 - c.k
	target := min(max(c.most+0.4*t*t*t, c.window), 1.5*c.window)
	c.est += 3 * 0.3 / 1.7 * n / c.window
	c.window += max((target-c.window)/c.window*n, 0)
	c.window = max(c.window, c.est)
}

// hystart leaves slow start when the RTT of a round has risen (Ha and Rhee
// 2011, as in the Linux kernel).
func (c *cubicFlow) hystart(now, d int64) {
	if now > c.round {
		c.round = now + c.srtt
		c.prior, c.least, c.n = c.least, 0, 0
	}
	if d > 0 && c.n < 8 {
		c.n++
		if c.least == 0 || d < c.least {
			c.least = d
		}
		limit := min(max(c.base/8, 4*ms), 16*ms)
		if c.n == 8 && c.window >= 16 && c.least > c.base+limit {
			c.ssthresh = c.window
		}
	}
}
