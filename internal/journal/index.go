package journal

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"qft/internal/digest"
)

// entry says where in the file a run begins.
type entry struct {
	id ID
	at int64
}

func compare(a, b entry) int {
	if c := bytes.Compare(a.id[:], b.id[:]); c != 0 {
		return c
	}
	return cmp.Compare(a.at, b.at)
}

// tailSize is how many entries are searched one by one.
const tailSize = 256

// index finds the runs of an ID. Entries come in the order of the file and are
// gathered in the tail; a tail that is full is sorted and becomes a level, and
// levels of like size are merged. So there are few levels, each behind the one
// before in the file, and each entry is moved a few times only.
type index struct {
	levels [][]entry
	tail   []entry
}

// newIndex takes all, which it sorts.
func newIndex(all []entry) index {
	if len(all) == 0 {
		return index{}
	}
	slices.SortFunc(all, compare)
	return index{levels: [][]entry{all}}
}

func (x *index) add(e entry) {
	x.tail = append(x.tail, e)
	if len(x.tail) < tailSize {
		return
	}
	slices.SortFunc(x.tail, compare)
	x.levels = append(x.levels, x.tail)
	x.tail = nil
	for n := len(x.levels); n > 1 && len(x.levels[n-2]) < 2*len(x.levels[n-1]); n-- {
		x.levels[n-2] = merge(x.levels[n-2], x.levels[n-1])
		x.levels = x.levels[:n-1]
	}
}

func merge(a, b []entry) []entry {
	all := make([]entry, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if compare(a[0], b[0]) < 0 {
			all, a = append(all, a[0]), a[1:]
		} else {
			all, b = append(all, b[0]), b[1:]
		}
	}
	return append(append(all, a...), b...)
}

// cut forgets what begins at or behind an offset.
func (x *index) cut(at int64) {
	gone := func(e entry) bool { return e.at >= at }
	for i := range x.levels {
		x.levels[i] = slices.DeleteFunc(x.levels[i], gone)
	}
	x.tail = slices.DeleteFunc(x.tail, gone)
}

// find is where the runs of id begin, in the order of the file.
func (x *index) find(id ID) (at []int64) {
	for _, level := range x.levels {
		i, _ := slices.BinarySearchFunc(level, entry{id: id}, compare)
		for ; i < len(level) && level[i].id == id; i++ {
			at = append(at, level[i].at)
		}
	}
	for _, e := range x.tail {
		if e.id == id {
			at = append(at, e.at)
		}
	}
	return at
}

// Find is all runs of id, in the order they were written: where two tell of the
// same block, the later one is right. It fails if they cannot be read.
func (j *Journal) Find(id ID) ([]Run, error) {
	j.mu.RLock()
	places := j.index.find(id)
	j.mu.RUnlock()
	var runs []Run
	for _, at := range places {
		r, err := j.readRun(id, at)
		if err != nil {
			return nil, fmt.Errorf("reading the journal: %w", err)
		}
		runs = append(runs, r)
	}
	return runs, nil
}

// readRun reads the run of id at an offset.
func (j *Journal) readRun(id ID, at int64) (Run, error) {
	b := make([]byte, runFixed+sumSize) // all of it, as a rule
	if _, err := j.f.ReadAt(b, at); err != nil {
		return Run{}, err
	}
	r, count, ok := parseRun(b)
	if !ok || r.ID != id {
		return Run{}, fmt.Errorf("the run at %d has changed", at)
	}
	r.Sums = make([]digest.Sum, count)
	copy(r.Sums[0][:], b[runFixed:])
	if count == 1 {
		return r, nil
	}
	rest := make([]byte, (count-1)*sumSize)
	if _, err := j.f.ReadAt(rest, at+int64(len(b))); err != nil {
		return Run{}, err
	}
	for i := range r.Sums[1:] {
		copy(r.Sums[i+1][:], rest[i*sumSize:])
	}
	return r, nil
}
