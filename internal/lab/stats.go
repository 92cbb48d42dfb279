package lab

import (
	"math/bits"
	"time"
)

// Stats is what happened in one pipe since the beginning or ResetStats. A
// packet that is still in the pipe has been offered and nothing else.
type Stats struct {
	Offered, OfferedBytes     uint64 // bytes of IP packets: headers included, Overhead not
	Delivered, DeliveredBytes uint64 // copies included

	Lost       [fates]uint64 // by reason: Lost[LostQueue], Lost[LostWire], ...
	Duplicated uint64
	Damaged    uint64 // delivered damaged; Lost[LostChecksum] has the others
	HeldBack   uint64 // by Link.Reorder

	// Wait is how long packets waited for the transmitter: the delay that a
	// sender adds for itself and for others. Dropped packets do not count.
	Wait Histogram
}

// Histogram counts durations with a resolution of 3 %.
type Histogram struct {
	n    uint64
	zero uint64 // many pipes never queue anything: those need no buckets
	sum  float64
	max  int64
	// 32 steps for each power of two, 32 single ns below.
	count *[32 * 59]uint64
}

func (h *Histogram) add(v int64) {
	h.n++
	if v <= 0 {
		h.zero++
		return
	}
	if h.count == nil {
		h.count = new([32 * 59]uint64)
	}
	h.sum += float64(v)
	h.max = max(h.max, v)
	e := max(bits.Len64(uint64(v))-6, 0)
	h.count[e*32+int(v>>e)]++
}

// Count reports how many values there are.
func (h *Histogram) Count() uint64 { return h.n }

// Max is the largest value, exactly.
func (h *Histogram) Max() time.Duration { return time.Duration(h.max) }

// Mean is the mean value.
func (h *Histogram) Mean() time.Duration {
	if h.n == 0 {
		return 0
	}
	return time.Duration(h.sum / float64(h.n))
}

// Quantile returns a value that the share q of all values does not exceed,
// q from 0 to 1: Quantile(0.95) is the 95th percentile.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := uint64(q * float64(h.n))
	seen := h.zero
	if seen > rank || h.count == nil {
		return 0
	}
	for i, c := range h.count {
		if seen += c; seen > rank {
			return time.Duration(min(bucketTop(i), h.max))
		}
	}
	return h.Max()
}

// bucketTop is the largest value that bucket i counts.
func bucketTop(i int) int64 {
	e := max(i/32-1, 0)
	return int64(i-e*32+1)<<e - 1
}

// Stats returns what happened since the beginning or ResetStats.
func (p *Pipe) Stats() Stats {
	s := p.stats
	if s.Wait.count != nil {
		buckets := *s.Wait.count
		s.Wait.count = &buckets
	}
	return s
}

// ResetStats starts counting anew, to judge a stretch of a run.
func (p *Pipe) ResetStats() {
	p.stats = Stats{}
	p.line.account(p.w.now)
}

// Backlog is how long a packet offered now would wait for the transmitter.
func (p *Pipe) Backlog() time.Duration {
	return time.Duration(max(0, p.line.free-float64(p.w.now)))
}

// Utilisation is the share of the pipe's rate that was used since the
// beginning, Set or ResetStats: 1 is a transmitter that never rested. It is 0 for
// a pipe without a rate.
func (p *Pipe) Utilisation() float64 {
	l := &p.line
	could := l.bits(float64(l.since), float64(p.w.now))
	if could <= 0 {
		return 0
	}
	return (l.committed - l.backlog(p.w.now)) / could
}
