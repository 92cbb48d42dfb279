package congestion

import "math"

// rival is how we behave beside somebody who fills every queue: like it.
type rival struct {
	window float64 // bytes; 0: nobody like that is here
	most   float64 // bytes; window before the latest cut
	since  int64   // ns; when the epoch began
	cut    int64   // ns; what left before it has been answered for
	lost   float64 // bytes, of what left since
	peak   int64   // ns; the largest RTT lately
	looked int64   // ns; when it was last seen if the queue is still kept full
	rate   float64 // bytes/s; what we had when it was last gone
	left   int64   // ns; and when that was
	looks  int     // in a row that showed it is still there
	got    int64   // bytes acknowledged until now
}

// gone notes that the queue empties again.
func (r *rival) gone(t, rtt int64) {
	if r.window > 0 {
		*r = rival{rate: perSecond(r.window, rtt), left: t}
	}
}

const (
	cubicC      = 0.4 // packets/s^3
	cubicBeta   = 0.8
	lookEvery   = 30e9 // ns
	lookAlone   = 2e9  // ns; if we have nearly all there is
	rivalMemory = 60e9 // ns
)

// contend begins to hold our own against a queue that others keep full.
func (c *Controller) contend(t int64) {
	r := &c.rival
	rtt := c.hist.nth(0).rtt
	if r.window == 0 {
		// Half of everything, as if the other were one; or what we had when
		// it was last here.
		b := c.path.capacity / 2
		if r.rate > 0 && t-r.left < rivalMemory {
			b = r.rate
		}
		r.window = max(c.path.bandwidth, b) * float64(rtt) / 1e9
		r.most = r.window * 1.3 // room to grow into at once
		r.peak = rtt
		r.since = t
	}
	r.cut, r.lost, r.looked = t, 0, t
	r.got = c.in.bytes
	r.looks++
	c.enter(t, Competing, c.path.bandwidth)
}

// compete moves the window as CUBIC does (RFC 9438).
func (c *Controller) compete(t int64) {
	r := &c.rival
	now := c.hist.nth(0)
	size := c.out.size
	c.path.base.turn = t // the path was never clear enough to learn otherwise
	base := c.path.base.value()
	full := now.rtt-base > (r.peak-base)/2
	got := c.measure(c.phase.begin, false)
	every := int64(lookEvery) >> max(0, 5-r.looks)
	if got > 0.9*c.path.capacity {
		every = lookAlone
	}
	if t-r.looked > max(every, 20*now.rtt) {
		c.believe(got)
		c.crowd.here = true
		c.yield(t)
		return
	}
	if now.sent > r.cut && r.lost > 0 && (full || r.lost > r.window/20) {
		if r.window < r.most {
			r.most = r.window * (1 + cubicBeta) / 2
		} else {
			r.most = r.window
		}
		r.window = max(r.window*cubicBeta, 4*size)
		r.since, r.cut, r.lost, r.got = t, t, 0, c.in.bytes
		r.peak = now.rtt
		return
	}
	if !full && r.lost < r.window/20 {
		r.lost = 0 // at random
	}
	r.peak = max(r.peak, now.rtt)
	e := float64(t-r.since+now.rtt) / 1e9
	k := math.Cbrt(r.most / size * (1 - cubicBeta) / cubicC)
	d := e - k
	target := r.most + cubicC*d*d*d*size
	// Like Reno with the same cut (RFC 9438 section 4.3).
	reno := r.most*cubicBeta + 3*(1-cubicBeta)/(1+cubicBeta)*e*1e9/float64(now.rtt)*size
	grow := float64(c.in.bytes-r.got) / 2 // at most by half per round trip
	r.got = c.in.bytes
	r.window = max(r.window, min(max(target, reno), r.window+grow), 4*size)
}
