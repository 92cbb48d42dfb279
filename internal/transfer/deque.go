package transfer

// deque is a queue of numbered things: the first that it holds has number base,
// and each one more than the one before.
type deque[T any] struct {
	base int64
	list []*T
}

func (d *deque[T]) len() int { return len(d.list) }

// next is the number that push gives.
func (d *deque[T]) next() int64 { return d.base + int64(len(d.list)) }

// at returns number n, or nil if it is not held.
func (d *deque[T]) at(n int64) *T {
	if n < d.base || n >= d.next() {
		return nil
	}
	return d.list[n-d.base]
}

// push adds v at the end and returns its number.
func (d *deque[T]) push(v *T) int64 {
	d.list = append(d.list, v)
	return d.next() - 1
}

// pop takes the first off.
func (d *deque[T]) pop() *T {
	v := d.list[0]
	d.list[0] = nil
	d.list = d.list[1:]
	d.base++
	return v
}
