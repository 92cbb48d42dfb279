package transfer

// pool holds buffers of one size and never makes more than limit of them: it
// is what bounds the memory of a transfer.
type pool struct {
	size  int // bytes of a buffer
	limit int // buffers
	used  int // buffers that were taken and not given back
	idle  [][]byte
}

// take returns a buffer, or nil if then fewer than reserve would be left.
func (p *pool) take(reserve int) []byte {
	if p.left() <= reserve {
		return nil
	}
	p.used++
	if n := len(p.idle); n > 0 {
		b := p.idle[n-1]
		p.idle = p.idle[:n-1]
		return b
	}
	return make([]byte, p.size)
}

func (p *pool) give(b []byte) {
	p.used--
	p.idle = append(p.idle, b[:p.size])
}

// left is how many buffers may still be taken.
func (p *pool) left() int { return p.limit - p.used }
