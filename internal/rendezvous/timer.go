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

// timer is a member's place in the order of what comes next.
type timer struct {
	due    time.Time
	serial uint64 // breaks ties, so that equal runs are equal
	index  int    // in the heap
}

// timers orders members by what is due first. No packet costs more than the
// logarithm of their number.
type timers struct {
	heap   timerHeap
	serial uint64
}

// next returns the member with the earliest timer, or nil.
func (t *timers) next() *member {
	if len(t.heap) == 0 {
		return nil
	}
	return t.heap[0]
}

func (t *timers) add(m *member) {
	t.serial++
	m.timer = timer{due: m.due(), serial: t.serial}
	heap.Push(&t.heap, m)
}

// hasten moves m forward if something is due earlier than planned. What is due
// later than planned waits for settle, so that a keep-alive, which only moves
// the expiry, does not touch the heap.
func (t *timers) hasten(m *member) {
	if d := m.due(); d.Before(m.timer.due) {
		m.timer.due = d
		heap.Fix(&t.heap, m.timer.index)
	}
}

// settle moves m, whose timer has come, to where its next one belongs.
func (t *timers) settle(m *member) {
	m.timer.due = m.due()
	heap.Fix(&t.heap, m.timer.index)
}

func (t *timers) remove(m *member) { heap.Remove(&t.heap, m.timer.index) }

// timerHeap implements heap.Interface.
type timerHeap []*member

func (h timerHeap) Len() int { return len(h) }

func (h timerHeap) Less(i, j int) bool {
	a, b := &h[i].timer, &h[j].timer
	if !a.due.Equal(b.due) {
		return a.due.Before(b.due)
	}
	return a.serial < b.serial
}

func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].timer.index, h[j].timer.index = i, j
}

func (h *timerHeap) Push(x any) {
	m := x.(*member)
	m.timer.index = len(*h)
	*h = append(*h, m)
}

func (h *timerHeap) Pop() any {
	old := *h
	m := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return m
}
