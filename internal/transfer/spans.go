package transfer

import "sort"

// span is a range of positions inside one block, lo <= position < hi.
type span struct {
	lo, hi uint32
}

// spans is a set of positions inside one block: sorted, disjoint ranges
// with a gap between neighbours. The zero value is empty.
type spans struct {
	list []span
	hint int // range touched last; bytes mostly arrive in order
}

// add puts [lo, hi) into the set. fresh tells whether any of it was new. ok
// is false, and the set unchanged, if that would take more than limit ranges:
// a piece beside a range that is there already is always taken, so a set at
// its limit still fills up.
func (e *spans) add(lo, hi uint32, limit int) (fresh, ok bool) {
	if h := e.hint; h < len(e.list) && e.list[h].hi == lo && (h+1 == len(e.list) || e.list[h+1].lo > hi) {
		e.list[h].hi = hi
		return true, true
	}
	// from is the first range that touches [lo, hi) or lies behind it, to the
	// first one wholly behind.
	from := sort.Search(len(e.list), func(i int) bool { return e.list[i].hi >= lo })
	to := from
	for to < len(e.list) && e.list[to].lo <= hi {
		to++
	}
	if from == to {
		if len(e.list) >= limit {
			return false, false
		}
		e.list = append(e.list, span{})
		copy(e.list[from+1:], e.list[from:])
		e.list[from] = span{lo, hi}
		e.hint = from
		return true, true
	}
	merged := span{min(lo, e.list[from].lo), max(hi, e.list[to-1].hi)}
	fresh = to-from > 1 || merged != e.list[from]
	e.list[from] = merged
	e.list = append(e.list[:from+1], e.list[to:]...)
	e.hint = from
	return fresh, true
}

// full reports whether the set is exactly [0, n).
func (e *spans) full(n uint32) bool {
	return len(e.list) == 1 && e.list[0] == span{0, n}
}

// clear empties the set and lets its memory go.
func (e *spans) clear() { *e = spans{} }
