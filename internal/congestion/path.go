package congestion

// path is the model of the path.
type path struct {
	bandwidth float64 // bytes/s that the bottleneck takes from us; 0: unknown
	base      minFilter
	calm      calm
	capacity  float64 // bytes/s; the most that was seen lately, others' share included
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

// calm is what the RTT does while nothing is probed: the smallest of short
// intervals, their average and mean deviation.
type calm struct {
	avg, dev float64 // ns
	fresh    float64 // dev with what this cruise has added; it counts when the cruise was calm
	begin    int64   // of the interval; 0: none yet
	floor    int64
	n        int // intervals since the restart

	rough float64 // how steeply the RTT wanders, in s/s
	last  point   // where that was last looked at; at 0: nowhere
}

// roughen takes a point of a cruise. A queue rises and falls as slowly as the
// sum of the rates differs from the capacity; jitter knows no such bound.
func (m *calm) roughen(p *point, gap, grain int64) {
	if m.last.at == 0 || p.at-m.last.at > 4*gap {
		m.last = *p
		return
	}
	dt := p.at - m.last.at
	if dt < gap {
		return
	}
	d := max(0, abs(float64(p.rtt-m.last.rtt))-float64(grain))
	m.rough += (min(d/float64(dt), 1) - m.rough) / 32
	m.last = *p
}

func (m *calm) restart() { m.begin, m.n, m.fresh = 0, 0, m.dev }

// keep accepts what the cruise has shown.
func (m *calm) keep() { m.dev = m.fresh }

func (m *calm) add(at, rtt, interval int64) {
	if m.begin == 0 {
		m.begin, m.floor = at, rtt
		return
	}
	if at-m.begin < interval {
		m.floor = min(m.floor, rtt)
		return
	}
	x := float64(m.floor)
	if m.n == 0 {
		m.avg = x
	} else {
		m.fresh += (abs(x-m.avg) - m.fresh) / 16
		m.avg += (x - m.avg) / 4
	}
	m.n++
	m.begin, m.floor = at, rtt
}

func abs(x float64) float64 {
	if x < 0 {
		return -x
	}
	return x
}
