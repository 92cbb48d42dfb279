package tcp

// rttState is RFC 6298 with Linux's least RTO.
type rttState struct{ smoothed, variance, min int64 }

func (r *rttState) sample(d int64) {
	if r.smoothed == 0 {
		r.smoothed, r.variance, r.min = d, d/2, d
		return
	}
	r.min = min(r.min, d)
	diff := r.smoothed - d
	r.variance += (max(diff, -diff) - r.variance) / 4
	r.smoothed += (d - r.smoothed) / 8
}

func (r *rttState) timeout() int64 {
	if r.smoothed == 0 {
		return int64(firstRTO)
	}
	return r.smoothed + max(4*r.variance, int64(minRTO))
}

// rackState is the loss detection of RFC 8985 as tcp_recovery.c has it.
type rackState struct {
	sentAt    int64 // of the latest-sent segment that has arrived
	seq       int64
	rtt       int64
	reordered bool  // a segment that had not been sent again arrived late
	top       int64 // highest segment that has arrived
	timer     int64 // when the next segment is overdue; 0: none
}

func (r *rackState) arrived(s *Sender, n int64, g *segment) {
	if n < r.top && !g.touched {
		r.reordered = true
	}
	r.top = max(r.top, n)
	rtt := s.now - g.sentAt
	if g.touched && rtt < s.rtt.min {
		return // the original has arrived, not the retransmission
	}
	if g.sentAt > r.sentAt || g.sentAt == r.sentAt && n > r.seq {
		r.sentAt, r.seq, r.rtt = g.sentAt, n, rtt
	}
}

// window is tcp_rack_reo_wnd: while nothing was ever reordered, three
// duplicates are proof enough.
func (r *rackState) window(s *Sender) int64 {
	if !r.reordered && (s.state != open || s.sacked >= dupThresh) {
		return 0
	}
	return min(s.rtt.min/4, s.rtt.smoothed/8)
}

// detect declares segments lost and returns how many.
func (s *Sender) detect() int {
	r := &s.rack
	r.timer = 0
	if s.sacked == 0 && s.state == open {
		return 0
	}
	window, found := r.window(s), 0
	for n := s.una; n < s.next; n++ {
		g := s.seg(n)
		if g.sacked || g.lost && !g.resent {
			continue
		}
		if g.sentAt > r.sentAt || g.sentAt == r.sentAt && n > r.seq {
			continue
		}
		if over := g.sentAt + r.rtt + window; over > s.now {
			if r.timer == 0 || over < r.timer {
				r.timer = over
			}
			continue
		}
		if g.lost { // the retransmission was lost too
			g.resent = false
			s.resent--
		} else {
			g.lost = true
			s.lost++
		}
		found++
	}
	return found
}
