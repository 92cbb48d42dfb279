package transport

import (
	"math"
	"slices"
	"sort"
)

// interval is the half-open range [low, high).
type interval[T int64 | uint64] struct{ low, high T }

// rangeSet is a set of numbers as sorted, disjoint, non-touching intervals.
// It is meant for sets that are nearly one interval.
type rangeSet[T int64 | uint64] []interval[T]

// from returns the index of the first interval that ends at or behind v.
func (s rangeSet[T]) from(v T) int {
	// New numbers are nearly always at or behind the end.
	if n := len(s); n == 0 || s[n-1].high < v {
		return n
	} else if n == 1 || s[n-2].high < v {
		return n - 1
	}
	return sort.Search(len(s), func(i int) bool { return s[i].high >= v })
}

// add puts [low, high) into the set.
func (s *rangeSet[T]) add(low, high T) {
	if low >= high {
		return
	}
	i := s.from(low)
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
	for i := s.from(low); i < len(*s) && low < high; i++ {
		r := (*s)[i]
		if r.low >= high {
			return
		}
		switch {
		case r.high <= low:
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

// run is how many numbers from v on are in the set without a gap.
func (s rangeSet[T]) run(v T) T {
	if i := s.from(v + 1); i < len(s) && s[i].low <= v {
		return s[i].high - v
	}
	return 0
}

// next is how far behind v the next member of the set is, and how many follow
// it without a gap. Without one it is as far as can be.
func (s rangeSet[T]) next(v T) (skip, run T) {
	i := s.from(v + 1)
	if i == len(s) {
		return math.MaxInt64 - v, 0
	}
	low := max(v, s[i].low)
	return low - v, s[i].high - low
}

// keepNewest forgets all but the n highest intervals.
func (s *rangeSet[T]) keepNewest(n int) {
	if len(*s) > n {
		*s = slices.Delete(*s, 0, len(*s)-n)
	}
}

// covers reports whether all of [low, high) is in the set.
func (s rangeSet[T]) covers(low, high T) bool {
	return low >= high || s.run(low) >= high-low
}
