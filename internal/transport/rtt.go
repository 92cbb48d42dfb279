package transport

import "time"

// rttState estimates the round-trip time (RFC 9002 section 5).
type rttState struct {
	latest   time.Duration
	min      time.Duration
	smoothed time.Duration
	variance time.Duration
	samples  int
}

// initialRTT is assumed while nothing is known (RFC 9002 section 6.2.2).
const initialRTT = 333 * time.Millisecond

// init starts from what finding the path has measured; zero if nothing.
func (r *rttState) init(hint time.Duration) {
	*r = rttState{smoothed: hint}
	if hint <= 0 {
		r.smoothed = initialRTT
	}
	r.variance = r.smoothed / 2
}

// sample takes one measurement: the time since the largest newly acknowledged
// packet left, and how long the peer says that it held the acknowledgement.
func (r *rttState) sample(d, ackDelay time.Duration) {
	r.latest = d
	if r.samples == 0 {
		r.min = d
		r.smoothed = d
		r.variance = d / 2
		r.samples = 1
		return
	}
	r.samples++
	// "The min_rtt is not adjusted for the acknowledgment delay" (5.2).
	r.min = min(r.min, d)
	if d-ackDelay >= r.min {
		d -= ackDelay
	}
	r.variance = (3*r.variance + (r.smoothed - d).Abs()) / 4
	r.smoothed = (7*r.smoothed + d) / 8
}

// known is the round-trip time if it was measured or told, else zero.
func (r *rttState) known() time.Duration {
	if r.samples == 0 && r.smoothed == initialRTT {
		return 0
	}
	return r.base()
}

// base is the round-trip time of the path itself, for what must not depend on
// one sample that a sleeping peer has made minutes long.
func (r *rttState) base() time.Duration {
	if r.samples == 0 {
		return r.smoothed
	}
	return r.min
}

// pto is the probe timeout (RFC 9002 section 6.2.1), but never far above what
// the path has been seen to do: a process that was stopped for a minute comes
// back with a sample of a minute, and must not wait for minutes because of it.
func (r *rttState) pto() time.Duration {
	d := r.smoothed + max(4*r.variance, time.Millisecond) + maxAckDelay
	if r.samples == 0 {
		return d
	}
	return min(d, max(maxProbeInterval, 3*r.min))
}
