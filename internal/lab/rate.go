package lab

import (
	"fmt"
	"math"
	"sort"
	"time"
)

// Step is one piece of a Schedule.
type Step struct {
	At   time.Duration // since the world began, or since the period did
	Rate float64       // bit/s from then on; 0 is a pause
}

// Schedule is a rate that changes in steps, as a trace of a radio link does.
type Schedule struct {
	Steps  []Step        // At rises from 0
	Period time.Duration // start over after that long; 0 holds the last rate
}

func (s *Schedule) check() {
	some := false
	for i, st := range s.Steps {
		if i == 0 && st.At != 0 || i > 0 && st.At <= s.Steps[i-1].At || !(st.Rate >= 0) {
			panic(fmt.Sprintf("lab: step %d of a schedule: times must rise from 0, rates must not be negative", i))
		}
		some = some || st.Rate > 0
	}
	n := len(s.Steps)
	if n == 0 || !some || s.Period == 0 && s.Steps[n-1].Rate == 0 || s.Period != 0 && s.Period <= s.Steps[n-1].At {
		panic("lab: a schedule must not end at rate 0 or before its last step")
	}
}

// piece returns the rate at time t and when it ends, in ns.
func (s *Schedule) piece(t float64) (rate, until float64) {
	start := 0.0
	if period := float64(s.Period); period > 0 {
		start = float64(math.Floor(t/period) * period)
		if t >= start+period { // t/period was rounded down
			start += period
		}
	}
	n := len(s.Steps)
	i := sort.Search(n, func(i int) bool { return start+float64(s.Steps[i].At) > t })
	switch {
	case i < n:
		until = start + float64(s.Steps[i].At)
	case s.Period > 0:
		until = start + float64(s.Period)
	default:
		until = math.Inf(1)
	}
	return s.Steps[max(i-1, 0)].Rate, until
}

// transmitter puts packets on the wire one after the other. Times are in ns
// since the world began, as float64: rounding each packet to whole
// nanoseconds would bend a rate of many Gbit/s.
//
// Products are converted explicitly before they are added: otherwise some
// architectures fuse the two operations and round differently, and a seed
// would replay differently there.
type transmitter struct {
	perBit   float64 // ns per bit; 0 is infinitely fast
	schedule *Schedule
	free     float64 // when everything accepted so far will have been sent

	since     int64   // start of counting (account)
	committed float64 // bits accepted since then, and the backlog of then
}

func (x *transmitter) limited() bool { return x.perBit > 0 || x.schedule != nil }

// backlog is how many bits are accepted but not yet sent.
func (x *transmitter) backlog(now int64) float64 {
	if x.free <= float64(now) {
		return 0
	}
	return x.bits(float64(now), x.free)
}

// account starts counting anew for Pipe.Utilisation.
func (x *transmitter) account(now int64) {
	x.since, x.committed = now, x.backlog(now)
}

// cut forgets what is not sent yet.
func (x *transmitter) cut(now int64) {
	x.committed -= x.backlog(now)
	x.free = min(x.free, float64(now))
}

// send accepts a packet that may start at the given time.
func (x *transmitter) send(start float64, bits float64) (end float64) {
	x.committed += bits
	if x.schedule == nil {
		x.free = start + float64(bits*x.perBit)
		return x.free
	}
	for {
		rate, until := x.schedule.piece(start)
		if rate > 0 {
			if end = start + float64(bits/rate*1e9); end <= until {
				x.free = end
				return end
			}
			bits -= float64(rate * (until - start) / 1e9)
		}
		start = until
	}
}

// bits is how many bits fit between two times; 0 for an infinite rate.
func (x *transmitter) bits(from, to float64) float64 {
	if x.schedule == nil {
		if x.perBit == 0 {
			return 0
		}
		return (to - from) / x.perBit
	}
	sum := 0.0
	for from < to {
		rate, until := x.schedule.piece(from)
		until = min(until, to)
		sum += float64(rate * (until - from) / 1e9)
		from = until
	}
	return sum
}

// Policer drops what exceeds a token bucket, as access providers and cloud
// hosts do: no queue, no delay, just loss beyond the rate.
type Policer struct {
	Rate  float64 // bit/s at which the bucket fills; 0 is no policer
	Burst int     // bytes that it holds; if 0, 100 ms worth of Rate
}

// bucket is a Policer at work. It starts full.
type bucket struct {
	perNs, size float64 // bytes
	tokens      float64
	at          int64
}

func newBucket(p Policer, now int64) bucket {
	size := float64(p.Burst)
	if size == 0 {
		size = p.Rate / 8 / 10
	}
	return bucket{perNs: p.Rate / 8e9, size: size, tokens: size, at: now}
}

func (b *bucket) take(now int64, bytes int) bool {
	if b.perNs == 0 {
		return true
	}
	b.tokens = min(b.size, b.tokens+float64(float64(now-b.at)*b.perNs))
	b.at = now
	if b.tokens < float64(bytes) {
		return false
	}
	b.tokens -= float64(bytes)
	return true
}
