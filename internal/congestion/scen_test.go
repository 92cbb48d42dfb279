package congestion

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

func ctl(seed uint64) *Controller { return New(Config{Seed: seed}) }

func TestScen(t *testing.T) {
	want := os.Getenv("SCEN")
	if want == "" {
		t.Skip()
	}
	trace := os.Getenv("TRACE") != ""
	filter := os.Getenv("FILTER")
	dbg = os.Getenv("DBG") != ""
	run := func(name string, l link, secs float64, fn func(s *sim) string) {
		if !strings.Contains(name, filter) {
			return
		}
		s := newSim(1, l)
		fmt.Printf("%-40s %s\n", name, fn(s))
	}
	single := func(name string, l link, rtt int64, secs float64, ackLoss, offered float64, mod func(*flowConfig)) {
		run(name, l, secs, func(s *sim) string {
			cfg := flowConfig{driver: ctl(1), back: rtt * ms / 2, ackLoss: ackLoss}
			if mod != nil {
				mod(&cfg)
			}
			f := s.add(cfg)
			d := time.Duration(secs * 1e9)
			m := s.meter(f, 50*time.Millisecond, d, trace)
			s.run(d)
			full := offered * mbit * share
			lk := &s.link
			return fmt.Sprintf("all %.3f steady %.3f p95 %6.1f ms dropped %.4f spurious %d lost %d of %d", m.between(0, d)/full, m.between(d/3, d)/full,
				p95(lk.waits, int64(d/3), int64(d)), float64(lk.dropped[0])/float64(lk.offered[0]), f.tx.spurious, f.tx.lostPk, f.tx.sentPk)
		})
	}
	mk := func(rate float64, rtt, queue int64) link { return cell{rate: rate, rtt: rtt, queue: queue}.link() }
	for _, w := range strings.Split(want, ",") {
		switch w {
		case "deep", "shallow", "police":
			for _, rate := range []float64{5, 20, 100, 500} {
				for _, rtt := range []int64{10, 50, 100, 1000} {
					name := fmt.Sprintf("%s %g Mbit/s %d ms", w, rate, rtt)
					secs := 15.0
					if rtt == 1000 {
						secs = 60
					}
					switch w {
					case "deep":
						single(name, mk(rate, rtt, 1000), rtt, secs, 0, rate, nil)
					case "shallow":
						single(name, mk(rate, rtt, 5), rtt, secs, 0, rate, nil)
					case "police":
						l := mk(1000, rtt, 100)
						l.bucket = bucket{rate: rate * mbit, depth: max(rate*mbit*0.02, 3000)}
						single(name, l, rtt, secs, 0, rate, nil)
					}
				}
			}
		case "pair":
			for _, rate := range []float64{20, 100, 500} {
				for _, rtt := range []int64{10, 50, 100, 500} {
					for _, queue := range []int64{1, 4} {
						R := time.Duration(rtt * ms)
						name := fmt.Sprintf("pair %g Mbit/s %d ms queue %d bdp", rate, rtt, queue)
						run(name, mk(rate, rtt, max(queue*rtt, 30)), 0, func(s *sim) string {
							start := max(3*time.Second, 20*R)
							f := s.add(flowConfig{driver: ctl(1), back: rtt * ms / 2})
							g := s.add(flowConfig{driver: ctl(2), back: rtt * ms / 2, start: start + 123*time.Microsecond})
							end := start + 100*R + 10*time.Second
							m := s.meter(f, max(R/2, 5*time.Millisecond), end, trace)
							k := s.meter(g, max(R/2, 5*time.Millisecond), end, trace)
							s.run(end)
							jain := func(a, b time.Duration) float64 {
								x, y := m.between(start+a, start+b), k.between(start+a, start+b)
								return (x + y) * (x + y) / 2 / (x*x + y*y)
							}
							sum := m.between(start+20*R, end) + k.between(start+20*R, end)
							return fmt.Sprintf("jain at 10-20 %.3f 20-30 %.3f 30-60 %.3f 60+ %.3f util %.3f p95 %.1f", jain(10*R, 20*R), jain(20*R, 30*R), jain(30*R, 60*R), jain(60*R, end-start),
								sum/(rate*mbit*share), p95(s.link.waits, int64(start+20*R), int64(end)))
						})
					}
				}
			}
		case "cubic":
			for _, rate := range []float64{20, 100} {
				for _, rtt := range []int64{30, 60} {
					for _, queue := range []int64{30, 100, 400} {
						for order := range 3 {
							run(fmt.Sprintf("cubic %g rtt %d queue %d order %d", rate, rtt, queue, order), mk(rate, rtt, queue), 0, func(s *sim) string {
								var a, b time.Duration
								switch order {
								case 1:
									b = 10 * time.Second
								case 2:
									a = 10 * time.Second
								}
								var d driver = ctl(1)
								if os.Getenv("CC") == "cubic" {
									d = newCubic()
								}
								f := s.add(flowConfig{driver: d, back: rtt * ms / 2, start: a})
								if os.Getenv("CC") == "cubic" {
									f.cfg.ackEvery = 2
								}
								g := s.add(flowConfig{driver: newCubic(), back: rtt * ms / 2, start: b, ackEvery: 2})
								end := 130 * time.Second
								m := s.meter(f, 100*time.Millisecond, end, trace)
								k := s.meter(g, 100*time.Millisecond, end, false)
								s.run(end)
								sh := func(x, y time.Duration) float64 {
									p, q := m.between(x, y), k.between(x, y)
									return p / (p + q)
								}
								S := time.Second
								return fmt.Sprintf("share 10-40 %.2f 40-70 %.2f 70-100 %.2f 100-130 %.2f all %.3f util %.3f  drops %d %d", sh(10*S, 40*S), sh(40*S, 70*S), sh(70*S, 100*S), sh(100*S, 130*S),
									sh(10*S, 130*S), (m.between(10*S, end)+k.between(10*S, end))/(rate*mbit*share), s.link.dropped[0], s.link.dropped[1])
							})
						}
					}
				}
			}
		case "alone":
			for _, queue := range []int64{30, 100, 400} {
				run(fmt.Sprintf("cubic leaves, queue %d", queue), mk(20, 30, queue), 0, func(s *sim) string {
					f := s.add(flowConfig{driver: ctl(1), back: 15 * ms})
					g := s.add(flowConfig{driver: newCubic(), back: 15 * ms, start: 5 * time.Second, ackEvery: 2, total: 50000})
					end := 130 * time.Second
					m := s.meter(f, 100*time.Millisecond, end, trace)
					s.run(end)
					d := g.doneAt
					return fmt.Sprintf("rival done at %.1f s; 20 s later p95 %.1f ms util %.3f", float64(d)/1e9, p95(s.link.waits, d+20e9, int64(end)), m.between(time.Duration(d)+20*time.Second, end)/(20*mbit*share))
				})
			}
		case "step":
			for _, rtt := range []int64{20, 50, 100} {
				for _, q := range []int64{50, 100, 500} {
					l := mk(50, rtt, q)
					l.rate = func(t int64) (float64, int64) {
						k := t / 2e9
						r := 50.0
						if k%2 == 0 {
							r = 5
						}
						return r * mbit, (k + 1) * 2e9
					}
					single(fmt.Sprintf("step 5-50 rtt %d queue %d ms of 50", rtt, q), l, rtt, 40, 0, 27.5, nil)
				}
			}
		case "lte":
			for _, rtt := range []int64{30, 60, 100} {
				for seed := uint64(1); seed < 4; seed++ {
					l := mk(60, rtt, 300)
					f, avg := lteTrace(seed, 60)
					l.rate = f
					single(fmt.Sprintf("lte rtt %d seed %d avg %.1f", rtt, seed, avg), l, rtt, 60, 0, avg, nil)
				}
			}
		case "wifi":
			for _, rate := range []float64{20, 100} {
				for _, rtt := range []int64{10, 50} {
					l := mk(rate, rtt, 100)
					l.wander = 5 * ms
					l.stray, l.strayD = 0.05, 30*ms
					single(fmt.Sprintf("wifi wander 5 ms %g rtt %d", rate, rtt), l, rtt, 20, 0, rate, nil)
					l.wander, l.jitter = 0, 10*ms
					single(fmt.Sprintf("wifi jitter 10 ms %g rtt %d", rate, rtt), l, rtt, 20, 0, rate, nil)
					l.jitter = 0
					single(fmt.Sprintf("wifi stray only %g rtt %d", rate, rtt), l, rtt, 20, 0, rate, nil)
				}
			}
		case "burst":
			for _, rate := range []float64{20, 100} {
				for _, rtt := range []int64{10, 50, 100} {
					l := mk(rate, rtt, 100)
					l.loss, l.burst = 0.05, 10
					single(fmt.Sprintf("burst %g rtt %d", rate, rtt), l, rtt, 20, 0, rate*0.95, nil)
				}
			}
		case "adsl":
			for _, rate := range []float64{20, 100} {
				for _, rtt := range []int64{10, 50, 100} {
					single(fmt.Sprintf("adsl %g rtt %d", rate, rtt), mk(rate, rtt, 100), rtt, 20, 0, rate, func(f *flowConfig) { f.ackRate = rate * mbit / 100 })
				}
			}
		case "heavy":
			for _, rate := range []float64{20, 100} {
				for _, rtt := range []int64{10, 100, 1000} {
					for _, loss := range []float64{0.3, 0.5} {
						l := mk(rate, rtt, max(rtt, 100))
						l.loss = loss
						single(fmt.Sprintf("heavy %g rtt %d loss %g", rate, rtt, loss), l, rtt, 30, loss, rate*(1-loss), nil)
						l.before = true
						single(fmt.Sprintf("heavy before %g rtt %d loss %g", rate, rtt, loss), l, rtt, 30, loss, rate, nil)
					}
				}
			}
		case "mb50":
			for _, loss := range []float64{0, 0.1} {
				for _, n := range []int{50e6, 1000e6} {
					var t10 float64
					for _, rtt := range []int64{10, 1000} {
						l := mk(100, rtt, max(rtt, 100))
						l.loss = loss
						run(fmt.Sprintf("%d MB rtt %d loss %g", n/1e6, rtt, loss), l, 0, func(s *sim) string {
							f := s.add(flowConfig{driver: ctl(1), back: rtt * ms / 2, ackLoss: loss, total: n / 1452})
							s.meter(f, 50*time.Millisecond, 20*time.Second, trace)
							s.run(1000 * time.Second)
							if rtt == 10 {
								t10 = float64(f.doneAt)
							}
							return fmt.Sprintf("%.2f s ratio %.2f dropped %d", float64(f.doneAt)/1e9, float64(f.doneAt)/t10, s.link.dropped[0])
						})
					}
				}
			}
		case "blackout":
			for _, rtt := range []int64{20, 100, 500} {
				for _, sec := range []int64{1, 10, 60, 600} {
					run(fmt.Sprintf("blackout rtt %d %d s", rtt, sec), mk(50, rtt, max(rtt, 100)), 0, func(s *sim) string {
						f := s.add(flowConfig{driver: ctl(1), back: rtt * ms / 2})
						dark := time.Duration(sec) * time.Second
						var sentBefore int
						s.call(10*time.Second, func() { s.link.down = true; sentBefore = f.tx.sentPk })
						var burst int
						s.call(10*time.Second+dark, func() { s.link.down = false; burst = f.tx.sentPk - sentBefore })
						end := 20*time.Second + dark
						m := s.meter(f, 50*time.Millisecond, end, trace)
						s.run(end)
						full := 50 * mbit * share
						var back time.Duration
						for i := 1; i < len(m.at); i++ {
							if m.at[i] > int64(10*time.Second+dark) && float64(m.got[i]-m.got[i-1])*20 > 0.9*full {
								back = time.Duration(m.at[i]) - 10*time.Second - dark
								break
							}
						}
						return fmt.Sprintf("sent in the dark %d, full rate after %v (limit %v), then %.3f", burst, back, time.Duration(2*rtt*ms)+time.Second, m.between(end-5*time.Second, end)/full)
					})
				}
			}
		case "route":
			for _, rtts := range [][2]int64{{50, 150}, {150, 50}, {20, 40}, {100, 400}} {
				run(fmt.Sprintf("route %v", rtts), mk(50, rtts[0], 200), 0, func(s *sim) string {
					f := s.add(flowConfig{driver: ctl(1), back: rtts[0] * ms / 2})
					s.call(10*time.Second, func() { s.link.delay = rtts[1] * ms / 2; f.cfg.back = rtts[1] * ms / 2 })
					m := s.meter(f, 50*time.Millisecond, 60*time.Second, trace)
					s.run(60 * time.Second)
					full := 50 * mbit * share
					return fmt.Sprintf("before %.3f  10-20 s %.3f 20-40 %.3f 40-60 %.3f p95 %.1f", m.between(3*time.Second, 10*time.Second)/full,
						m.between(10*time.Second, 20*time.Second)/full, m.between(20*time.Second, 40*time.Second)/full, m.between(40*time.Second, 60*time.Second)/full,
						p95(s.link.waits, 40e9, 60e9))
				})
			}
		}
	}
}

// lteTrace is a rate that walks at random, in steps of 100 ms.
func lteTrace(seed uint64, most float64) (func(int64) (float64, int64), float64) {
	d := dice(seed)
	var v []float64
	x, sum := most/3, 0.0
	for range 600 {
		x = x * (0.7 + 0.62*d.unit())
		x = min(max(x, most/30), most)
		if d.unit() < 0.01 {
			x = most * d.unit()
		}
		v = append(v, x)
		sum += x
	}
	return func(t int64) (float64, int64) {
		k := t / 100e6
		return v[int(k)%len(v)] * mbit, (k + 1) * 100e6
	}, sum / float64(len(v))
}
