package rendezvous

import (
	"container/heap"
	"time"
)

// due reports whether a planned time has come; zero is never.
func due(t, now time.Time) bool { return !t.IsZero() && !t.After(now) }

// earlier returns the earlier of two times of which zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// soon is a deadline that has passed, whatever the time is.
func soon() time.Time { return time.Time{}.Add(1) }

// instant is a time as the server keeps it for each member, in nanoseconds
// since 1970: a third of a time.Time. Zero is never.
type instant int64

func at(t time.Time) instant { return instant(t.UnixNano()) }

func (i instant) time() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(i))
}

func (i instant) add(d time.Duration) instant { return i + instant(d) }

// due reports whether a planned instant has come.
func (i instant) due(now time.Time) bool { return i != 0 && i <= at(now) }

// or returns the earlier of two instants.
func (i instant) or(j instant) instant {
	if i == 0 || j != 0 && j < i {
		return j
	}
	return i
}

// timers orders members by what is due first. No packet costs more than the
// logarithm of their number.
type timers struct{ heap timerHeap }

// next returns the member with the earliest timer, or nil.
func (t *timers) next() *member {
	if len(t.heap) == 0 {
		return nil
	}
	return t.heap[0]
}

func (t *timers) add(m *member) {
	m.timer = m.due()
	heap.Push(&t.heap, m)
}

// hasten moves m forward if something is due earlier than planned. What is due
// later than planned waits for settle, so that a keep-alive, which only moves
// the expiry, does not touch the heap.
func (t *timers) hasten(m *member) {
	if d := m.due(); d < m.timer {
		m.timer = d
		heap.Fix(&t.heap, int(m.index))
	}
}

// settle moves m, whose timer has come, to where its next one belongs.
func (t *timers) settle(m *member) {
	m.timer = m.due()
	heap.Fix(&t.heap, int(m.index))
}

func (t *timers) remove(m *member) { heap.Remove(&t.heap, int(m.index)) }

// timerHeap implements heap.Interface. Equal runs are equal, since it is fed the
// same in each.
type timerHeap []*member

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].timer < h[j].timer }

func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = int32(i), int32(j)
}

func (h *timerHeap) Push(x any) {
	m := x.(*member)
	m.index = int32(len(*h))
	*h = append(*h, m)
}

func (h *timerHeap) Pop() any {
	old := *h
	m := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return m
}
