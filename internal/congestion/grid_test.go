package congestion

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"
)

const (
	mbit = 1e6 / 8
	ms   = int64(time.Millisecond)
)

// cell is one network to cross.
type cell struct {
	rate  float64 // Mbit/s
	rtt   int64   // ms
	loss  float64 // both ways
	queue int64   // ms of the rate
	secs  float64 // of transfer at the full rate
}

func (c cell) link() link {
	return link{
		rate:  fixed(c.rate * mbit),
		queue: int(c.rate * mbit * float64(c.queue) / 1000),
		delay: c.rtt * ms / 2,
		loss:  c.loss,
	}
}

// meter reads a flow at several times.
type meter struct {
	f   *flow
	at  []int64
	got []int64
	c   *Controller
}

func (s *sim) meter(f *flow, every time.Duration, until time.Duration, trace bool) *meter {
	m := &meter{f: f}
	m.c, _ = f.cfg.driver.(*Controller)
	for at := every; at <= until; at += every {
		s.call(at, func() {
			m.at = append(m.at, s.now)
			m.got = append(m.got, f.rx.bytes)
			if trace && m.c != nil {
				k := len(m.got)
				prev := int64(0)
				if k > 1 {
					prev = m.got[k-2]
				}
				st := m.c.Stats()
				fmt.Printf("%8.3f f%d %-9s bw %8.2f rate %8.2f got %8.2f Mbit/s base %6.1f q %6.1f link %6.1f noise %5.2f loss %.3f hint %.1f inflight %d/%d drop %d\n",
					float64(s.now)/1e9, f.id, st.State, st.Bandwidth/mbit, m.c.Rate()/mbit,
					float64(m.got[k-1]-prev)/every.Seconds()/mbit,
					float64(st.BaseRTT)/1e6, float64(st.Queue)/1e6,
					float64(s.link.backlog(s.now))/(1+first(s.link.rate(s.now)))*1e3,
					m.c.path.calm.noise/1e6, st.Loss, m.c.train.hint/mbit, f.tx.inFlight, m.c.Window(), s.link.dropped[f.id])
			}
		})
	}
	return m
}

func first(a float64, _ int64) float64 { return a }

func (m *meter) between(from, to time.Duration) float64 {
	var a, b int64
	var ta, tb int64
	for i, t := range m.at {
		if t <= int64(from) {
			a, ta = m.got[i], t
		}
		if t <= int64(to) {
			b, tb = m.got[i], t
		}
	}
	return float64(b-a) * 1e9 / float64(tb-ta)
}

func p95(w []waitSample, from, to int64) float64 {
	var v []int64
	for _, x := range w {
		if x.at >= from && x.at < to {
			v = append(v, x.wait)
		}
	}
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return float64(v[len(v)*95/100]) / 1e6
}

const share = 1452.0 / 1500

type result struct {
	total, steady float64 // efficiency
	p95           float64 // ms, last two thirds
	dropped       float64 // share of packets the queue dropped
	spurious      int
}

func runCell(c cell, seed uint64, trace bool) result {
	s := newSim(seed, c.link())
	full := c.rate * mbit * (1 - c.loss) * share
	f := s.add(flowConfig{
		driver:  New(Config{Seed: seed}),
		total:   int(full*c.secs) / 1452,
		back:    c.rtt * ms / 2,
		ackLoss: c.loss,
	})
	dur := time.Duration(c.secs * 1e9)
	m := s.meter(f, 50*time.Millisecond, dur*6, trace)
	s.run(dur * 6)
	end := time.Duration(f.doneAt)
	if end == 0 {
		end = dur * 6
	}
	return result{
		total:    full * c.secs / (full * end.Seconds()),
		steady:   m.between(dur/3, dur) / full,
		p95:      p95(s.link.waits, int64(dur/3), int64(dur)),
		dropped:  float64(s.link.dropped[0]) / float64(s.link.offered[0]),
		spurious: f.tx.spurious,
	}
}

func TestOne(t *testing.T) {
	var c cell
	if os.Getenv("CELL") == "" {
		t.Skip()
	}
	fmt.Sscanf(os.Getenv("CELL"), "%g,%d,%g,%d,%g", &c.rate, &c.rtt, &c.loss, &c.queue, &c.secs)
	fmt.Printf("%+v\n", runCell(c, 1, os.Getenv("TRACE") != ""))
}

func TestGrid(t *testing.T) {
	if os.Getenv("GRID") == "" {
		t.Skip()
	}
	for _, rate := range []float64{20, 100, 1000} {
		if os.Getenv("GRID") == "small" && rate == 1000 {
			continue
		}
		for _, rtt := range []int64{10, 100, 1000} {
			for _, loss := range []float64{0, 0.01, 0.05, 0.1, 0.2} {
				c := cell{rate, rtt, loss, max(rtt, 100), 30}
				r := runCell(c, 1, false)
				fmt.Printf("%5.0f Mbit/s %5d ms %3.0f%%  total %.3f steady %.3f  queue p95 %6.1f ms dropped %.4f spurious %d\n",
					rate, rtt, loss*100, r.total, r.steady, r.p95, r.dropped, r.spurious)
			}
		}
	}
}
