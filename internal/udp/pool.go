package udp

import "sync"

// Received is a burst of packets in the order of their arrival. The packets
// are valid until Release.
type Received struct {
	Packets []Packet

	buf  []byte // backs Packets; slots of equal size
	pool *pool
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
}

func newPool(size int) *pool {
	p := &pool{unmade: size, free: make([]*Received, 0, size)}
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
		r.Packets = r.Packets[:0]
		return r
	}
	p.unmade--
	return &Received{
		Packets: make([]Packet, 0, packetsExpected),
		buf:     make([]byte, slots*slotSize),
		pool:    p,
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
