package qft

import "time"

// meterWindow is the time over which the displayed rate is a mean: long enough
// to be readable, short enough to show that something changed.
const meterWindow = 4 * time.Second

// meter turns a growing count into a rate.
type meter struct {
	samples []reading
}

type reading struct {
	at   time.Time
	done int64
}

func (m *meter) start(now time.Time, done int64) {
	m.samples = append(m.samples[:0], reading{now, done})
}

// sample notes a count and returns its mean growth per second.
func (m *meter) sample(now time.Time, done int64) float64 {
	m.samples = append(m.samples, reading{now, done})
	for len(m.samples) > 2 && now.Sub(m.samples[1].at) >= meterWindow {
		m.samples = m.samples[1:]
	}
	first := m.samples[0]
	d := now.Sub(first.at).Seconds()
	if d <= 0 {
		return 0
	}
	return float64(done-first.done) / d
}
