package udp

import (
	"iter"
	"sync"
)

// Received is a burst of packets in the order of their arrival. The packets
// are valid until Release.
type Received struct {
	trains []train
	buf    []byte // backs the trains; slots of equal size
	pool   *pool
}

// train is packets of one source end to end. They are cut apart when they are
// looked at: to list them first costs as much as all else per packet.
type train struct {
	from Path
	data []byte
	size int // of each packet but the last, which may be shorter; 0: data is one packet
}

// Packets yields the packets in the order of their arrival.
func (r *Received) Packets() iter.Seq[Packet] {
	return func(yield func(Packet) bool) {
		for i := range r.trains {
			if !r.trains[i].cut(yield) {
				return
			}
		}
	}
}

// Len reports the number of packets.
func (r *Received) Len() (n int) {
	for i := range r.trains {
		n += r.trains[i].len()
	}
	return n
}

// cut yields the train's packets, and reports whether all were wanted.
func (t *train) cut(yield func(Packet) bool) bool {
	data := t.data
	for t.size > 0 && len(data) > t.size {
		if !yield(Packet{Path: t.from, Data: data[:t.size:t.size]}) {
			return false
		}
		data = data[t.size:]
	}
	return yield(Packet{Path: t.from, Data: data[:len(data):len(data)]})
}

func (t *train) len() int {
	if t.size == 0 || len(t.data) == 0 {
		return 1
	}
	return (len(t.data) + t.size - 1) / t.size
}

// Release gives the packets' memory back to the socket. It must be called
// exactly once, by whoever took r from Incoming.
func (r *Received) Release() { r.pool.put(r) }

// pool bounds the memory of received packets. It hands out the buffer that
// came back last, because that is the one still in the CPU's cache; a ring
// would walk through all of them.
type pool struct {
	mu     sync.Mutex
	back   sync.Cond // a buffer came back, or the pool was closed
	free   []*Received
	unmade int // buffers that nobody needed so far
	closed bool

	slots, slotSize int // of each buffer
}

func newPool(size int) *pool {
	p := &pool{unmade: size, free: make([]*Received, 0, size), slots: slots, slotSize: slotSize}
	p.back.L = &p.mu
	return p
}

// take waits for an empty buffer. It returns nil when the pool is closed.
func (p *pool) take() *Received {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.free) == 0 && p.unmade == 0 && !p.closed {
		p.back.Wait()
	}
	if p.closed {
		return nil
	}
	if n := len(p.free); n > 0 {
		r := p.free[n-1]
		p.free = p.free[:n-1]
		r.trains = r.trains[:0]
		return r
	}
	p.unmade--
	return &Received{
		trains: make([]train, 0, p.slots),
		buf:    make([]byte, p.slots*p.slotSize),
		pool:   p,
	}
}

func (p *pool) put(r *Received) {
	p.mu.Lock()
	p.free = append(p.free, r)
	p.mu.Unlock()
	p.back.Signal()
}

// close makes every take, waiting or future, return nil.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.back.Broadcast()
}
