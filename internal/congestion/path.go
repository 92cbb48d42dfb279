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

// calm is what the RTT does during a cruise.
type calm struct {
	avg   float64 // ns; of the smallest RTTs of short intervals
	worst int64   // ns; the largest of them
	begin int64   // of the interval; 0: none yet
	floor int64
	n     int // intervals since the restart

	// noise is how far the RTT strays from its base though no queue can be the
	// cause: in the cruise behind a drain, when everybody has just yielded.
	noise float64 // ns
	clean bool    // this is such a cruise
}

const maxNoise = 12e6 // ns; larger ones are queues

func (m *calm) restart(clean bool) {
	m.begin, m.n, m.worst, m.clean = 0, 0, 0, clean
}

func (m *calm) add(at, rtt, interval int64) {
	if m.begin == 0 {
		m.begin, m.floor = at, rtt
		return
	}
	if at-m.begin < interval {
		m.floor = min(m.floor, rtt)
		return
	}
	if m.n == 0 {
		m.avg = float64(m.floor)
	} else {
		m.avg += (float64(m.floor) - m.avg) / 4
	}
	m.worst = max(m.worst, m.floor)
	m.n++
	m.begin, m.floor = at, rtt
}

// learn ends a clean cruise.
func (m *calm) learn(base int64) {
	if m.clean && m.n > 0 {
		m.clean = false
		d := min(float64(m.worst-base), maxNoise) - m.noise
		if d > 0 {
			m.noise += d / 2
		} else {
			m.noise += d / 16
		}
	}
}

func abs(x float64) float64 {
	if x < 0 {
		return -x
	}
	return x
}
