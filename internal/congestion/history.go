package congestion

// point is what one acknowledgement says about its newest packet.
type point struct {
	at   int64 // ns; when it was acknowledged
	sent int64 // ns; when it left
	upTo int64 // bytes sent up to and with it
	got  int64 // bytes acknowledged in all
	rtt  int64 // ns; the smallest of the acknowledgements merged here
}

// history is the recent past as a ring of points. Acknowledgements that come
// in quick succession are merged, so that the ring always reaches back over
// several round trips, however many packets fly.
type history struct {
	ring  [historyLen]point
	first int // index of the oldest
	n     int
}

const historyLen = 128

func (h *history) clear() { h.first, h.n = 0, 0 }

// nth returns the i-th newest point, 0 being the newest.
func (h *history) nth(i int) *point {
	return &h.ring[(h.first+h.n-1-i)%historyLen]
}

// add takes a point; points closer than spacing become one.
func (h *history) add(p point, spacing int64) {
	if h.n >= 2 && p.at-h.nth(1).at < spacing {
		last := h.nth(0)
		p.rtt = min(p.rtt, last.rtt)
		*last = p
		return
	}
	if h.n == historyLen {
		h.first = (h.first + 1) % historyLen
		h.n--
	}
	h.n++
	*h.nth(0) = p
}

// after returns the oldest point whose packet left after t, or the newest if
// there is none.
func (h *history) after(t int64) point {
	i := 0
	for i+1 < h.n && h.nth(i+1).sent > t {
		i++
	}
	return *h.nth(i)
}

// back returns the newest point at t or before that had not more than got
// bytes acknowledged, or the oldest one there is.
func (h *history) back(t, got int64) point {
	for i := 0; i < h.n-1; i++ {
		if p := h.nth(i); p.at <= t && p.got <= got {
			return *p
		}
	}
	return *h.nth(h.n - 1)
}

// floor returns the smallest RTT among the packets that left after sent and
// were acknowledged after at.
func (h *history) floor(sent, at int64) (rtt int64, samples int) {
	for i := 0; i < h.n; i++ {
		p := h.nth(i)
		if p.sent <= sent || p.at <= at {
			break
		}
		if samples == 0 || p.rtt < rtt {
			rtt = p.rtt
		}
		samples++
	}
	return rtt, samples
}

// span is what happened between two points.
type span struct {
	left, came  int64 // ns; between the two departures, between the two acknowledgements
	bytes, lost float64
}

func between(a, b point) span {
	s := span{left: b.sent - a.sent, came: b.at - a.at, bytes: float64(b.upTo - a.upTo)}
	s.lost = max(0, s.bytes-float64(b.got-a.got))
	return s
}

// offered is the rate at which the packets of the span left, bytes/s.
func (s span) offered() float64 { return perSecond(s.bytes, s.left) }

// passed is the rate at which the path took them, bytes/s, if credit of the
// lost bytes were lost behind the bottleneck. As in draft-cheng-iccrg-
// delivery-rate-estimation section 2.2.4 a rate is never higher than that at
// which the packets left: acknowledgements may come compressed.
func (s span) passed(credit float64) float64 {
	return perSecond(s.bytes-s.lost+min(s.lost, credit), max(s.left, s.came))
}

func perSecond(bytes float64, ns int64) float64 {
	return bytes * 1e9 / float64(max(ns, 1))
}
