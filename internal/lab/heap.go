package lab

// actor is whatever something can happen to at a later time.
type actor interface {
	// due is called with the world's clock at the time that was set. The
	// actor's timer is still in the heap: due sets it anew or removes it.
	due()
}

// timer is an actor's place in the heap. An actor has one timer, so setting
// it again moves it: there are no stale events to skip, and the heap stays as
// small as the topology, however many packets are on their way.
type timer struct {
	who actor
	pos int // index in the heap plus one; 0 is "not in it"
}

// slot carries the key next to the pointer, so that a comparison touches no
// other memory.
type slot struct {
	at  int64  // ns since the world began
	seq uint64 // among equal times, the earlier set goes first
	t   *timer
}

func (s *slot) before(o *slot) bool {
	return s.at < o.at || s.at == o.at && s.seq < o.seq
}

// heap is a 4-ary min-heap: half the levels of a binary one, and the four
// children lie in two cache lines.
type heap []slot

// set puts t into the heap, or moves it if it is there.
func (h *heap) set(t *timer, at int64, seq uint64) {
	s := slot{at, seq, t}
	if t.pos == 0 {
		*h = append(*h, s)
		h.up(len(*h)-1, s)
		return
	}
	i := t.pos - 1
	if s.before(&(*h)[i]) {
		h.up(i, s)
	} else {
		h.down(i, s)
	}
}

// remove takes t out; it need not be in.
func (h *heap) remove(t *timer) {
	if t.pos == 0 {
		return
	}
	i, last := t.pos-1, len(*h)-1
	t.pos = 0
	s := (*h)[last]
	(*h)[last].t = nil
	*h = (*h)[:last]
	if i == last {
		return
	}
	if i > 0 && s.before(&(*h)[(i-1)/4]) {
		h.up(i, s)
	} else {
		h.down(i, s)
	}
}

// up places s at i or above it.
func (h *heap) up(i int, s slot) {
	a := *h
	for i > 0 {
		parent := (i - 1) / 4
		if !s.before(&a[parent]) {
			break
		}
		a[i] = a[parent]
		a[i].t.pos = i + 1
		i = parent
	}
	a[i] = s
	s.t.pos = i + 1
}

// down places s at i or below it.
func (h *heap) down(i int, s slot) {
	a := *h
	for {
		first := 4*i + 1
		if first >= len(a) {
			break
		}
		best := first
		for c := first + 1; c < min(first+4, len(a)); c++ {
			if a[c].before(&a[best]) {
				best = c
			}
		}
		if !a[best].before(&s) {
			break
		}
		a[i] = a[best]
		a[i].t.pos = i + 1
		i = best
	}
	a[i] = s
	s.t.pos = i + 1
}
