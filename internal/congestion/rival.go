package congestion

import "math"

// rival is how we behave beside somebody who fills every queue: like it.
type rival struct {
	window float64 // bytes
	most   float64 // bytes; window before the latest cut
	since  int64   // ns; when the epoch began
	cut    int64   // ns; what left before it has been answered for
	lost   float64 // bytes, of what left since
	sent   int64   // bytes sent in all at the cut
	before bool    // window was left to see if the rival is still there
	seen   int64   // ns; when that was last done
}

const (
	cubicC    = 0.4 // packets/s^3
	cubicBeta = 0.7
)

// contend begins to hold our own against a queue that others keep full.
func (c *Controller) contend(t int64) {
	w := max(c.siege.rate, c.path.bandwidth) * float64(c.hist.nth(0).rtt) / 1e9
	c.rival = rival{window: w, most: w, since: t, cut: t, sent: c.out.bytes, seen: t}
	c.enter(t, Competing, c.path.bandwidth)
}

// compete moves the window as CUBIC does (RFC 9438).
func (c *Controller) compete(t int64) {
	r := &c.rival
	now := c.hist.nth(0)
	if floor, n := c.hist.floor(c.phase.begin, t-2*c.unit()); n > 1 && t-c.phase.begin > 2*c.unit() {
		worst := int64(0)
		for i := 0; i < c.hist.n && c.hist.nth(i).at > t-2*c.unit(); i++ {
			worst = max(worst, c.hist.nth(i).rtt)
		}
		if floor > 0 && worst-c.path.base.value() < c.threshold() {
			c.believe(c.measure(c.phase.begin, false))
			c.rest(t)
			return
		}
	}
	size := c.out.size
	if now.sent > r.cut && r.lost > 0 {
		s := span{bytes: float64(now.upTo - r.sent), lost: r.lost}
		if s.lost > c.path.loss.credit(s, size, 3) || c.path.loss.share() < 0.001 {
			if r.window < r.most {
				r.most = r.window * (1 + cubicBeta) / 2
			} else {
				r.most = r.window
			}
			r.window *= cubicBeta
			r.since, r.cut, r.lost, r.sent = t, t, 0, c.out.bytes
			return
		}
	}
	e := float64(t-r.since+now.rtt) / 1e9
	k := math.Cbrt(r.most / size * (1 - cubicBeta) / cubicC)
	d := e - k
	target := r.most + cubicC*d*d*d*size
	// Like Reno with the same cut (RFC 9438 section 4.3).
	reno := r.most*cubicBeta + 3*(1-cubicBeta)/(1+cubicBeta)*e*1e9/float64(now.rtt)*size
	r.window = max(r.window, min(max(target, reno), 1.5*r.window), 4*size)
}
