package congestion

// path is the model of the path.
type path struct {
	bandwidth float64 // bytes/s that the bottleneck takes from us; 0: unknown
	base      minFilter
	noise     noise
	loss      lossModel
	ceiling   float64 // bytes/s; bandwidth found by a probe that ended in loss; 0: none
}

// minFilter is the smallest RTT of the last one to two windows.
type minFilter struct {
	now, past int64 // ns; the smallest of this window and of the one before; 0: none
	turn      int64 // ns; when this window began
	touched   int64 // ns; when a sample was last close to the minimum
}

const baseWindow = 15e9 // ns

func (m *minFilter) value() int64 {
	if m.past > 0 && m.past < m.now {
		return m.past
	}
	return m.now
}

func (m *minFilter) add(at, rtt int64) {
	if m.now == 0 {
		*m = minFilter{now: rtt, turn: at, touched: at}
		return
	}
	if at-m.turn >= baseWindow {
		m.past, m.now, m.turn = m.now, rtt, at
	}
	m.now = min(m.now, rtt)
	if rtt <= m.value()+m.value()/64+500e3 {
		m.touched = at
	}
}

// set makes rtt the base, whatever was measured before.
func (m *minFilter) set(at, rtt int64) {
	*m = minFilter{now: rtt, turn: at, touched: at}
}

// noise is how much the smallest RTT of short intervals differs from one
// interval to the next while nothing is probed.
type noise struct {
	mean  float64 // ns
	begin int64   // of the interval
	floor int64
	prior int64
}

func (n *noise) restart() { n.begin, n.prior = 0, 0 }

func (n *noise) add(at, rtt, interval int64) {
	if n.begin == 0 {
		n.begin, n.floor = at, rtt
		return
	}
	if at-n.begin < interval {
		n.floor = min(n.floor, rtt)
		return
	}
	if n.prior > 0 {
		d := float64(n.floor - n.prior)
		if d < 0 {
			d = -d
		}
		n.mean += (d - n.mean) / 8
	}
	n.prior = n.floor
	n.begin, n.floor = at, rtt
}
