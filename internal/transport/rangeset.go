package transport

import "slices"

// interval is the half-open range [low, high).
type interval[T int64 | uint64] struct{ low, high T }

// rangeSet is a set of numbers as sorted, disjoint, non-touching intervals.
// It is meant for sets that are nearly one interval.
type rangeSet[T int64 | uint64] []interval[T]

// add puts [low, high) into the set.
func (s *rangeSet[T]) add(low, high T) {
	if low >= high {
		return
	}
	// New numbers are nearly always at or behind the end.
	i := len(*s)
	for i > 0 && (*s)[i-1].high >= low {
		i--
	}
	j := i
	for j < len(*s) && (*s)[j].low <= high {
		low = min(low, (*s)[j].low)
		high = max(high, (*s)[j].high)
		j++
	}
	*s = slices.Replace(*s, i, j, interval[T]{low, high})
}

// sub takes [low, high) out of the set.
func (s *rangeSet[T]) sub(low, high T) {
	for i := 0; i < len(*s); i++ {
		r := (*s)[i]
		if r.high <= low || r.low >= high {
			continue
		}
		switch {
		case r.low < low && r.high > high:
			*s = slices.Insert(*s, i+1, interval[T]{high, r.high})
			(*s)[i].high = low
			return
		case r.low < low:
			(*s)[i].high = low
		case r.high > high:
			(*s)[i].low = high
		default:
			*s = slices.Delete(*s, i, i+1)
			i--
		}
	}
}

// keepNewest forgets all but the n highest intervals.
func (s *rangeSet[T]) keepNewest(n int) {
	if len(*s) > n {
		*s = slices.Delete(*s, 0, len(*s)-n)
	}
}

// covers reports whether all of [low, high) is in the set.
func (s rangeSet[T]) covers(low, high T) bool {
	for _, r := range s {
		if r.low <= low && high <= r.high {
			return true
		}
	}
	return low >= high
}
