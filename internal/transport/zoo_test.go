package transport

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"qft/internal/lab"
)

// creature is a path of the zoo and what is wanted on it: of a sender that
// always has something to send, the search for the rate included.
type creature struct {
	name     string
	up, down lab.Link
	offered  float64 // bit/s that the path can carry, random loss taken off

	efficiency float64       // at least, of what is offered
	queue      time.Duration // 95th percentile of the wait at most; 0: no matter
	dropped    float64       // by queue and policer at most; 0: no matter
	met        bool          // holds today, so that missing it fails the test
}

const ms = time.Millisecond

// zoo is every path of the requirements that is not in the grid.
func zoo(length time.Duration) []creature {
	var z []creature
	for _, mbit := range []float64{20, 100} {
		for _, rtt := range []time.Duration{10 * ms, 40 * ms, 100 * ms, 300 * ms} {
			z = append(z, symmetric(creature{name: fmt.Sprintf("queue of 1 s, %.0f Mbit/s, %v", mbit, rtt),
				up: lab.Link{Rate: mbit * 1e6, Delay: rtt / 2, Queue: time.Second}, efficiency: 0.9, queue: max(rtt/10, 10*ms), met: true}))
		}
	}
	for _, mbit := range []float64{20, 100} {
		z = append(z, symmetric(creature{name: fmt.Sprintf("queue of 5 ms, %.0f Mbit/s, 40 ms", mbit),
			up: lab.Link{Rate: mbit * 1e6, Delay: 20 * ms, Queue: 5 * ms}, efficiency: 0.93, dropped: 0.01, met: mbit > 20}))
	}
	step := &lab.Schedule{Period: 4 * time.Second, Steps: []lab.Step{{Rate: 50e6}, {At: 2 * time.Second, Rate: 5e6}}}
	for seed := range uint64(3) {
		lte := lteTrace(seed, length)
		z = append(z, symmetric(creature{name: fmt.Sprintf("like LTE (%d): 2 to 80 Mbit/s, outages, queue 300 ms, 50 ms", seed),
			up: lab.Link{RateAt: lte, Delay: 25 * ms, Queue: 300 * ms}, offered: mean(lte, length), efficiency: 0.85, met: true}))
	}
	burst := lab.Burst{P: 0.1 * 0.05 / 0.95, R: 0.1}
	bunched := &lab.Schedule{Period: 8 * ms, Steps: []lab.Step{{Rate: 200e6}, {At: 2 * ms}}}
	return append(z,
		symmetric(creature{name: "policer of 50 Mbit/s with 20 ms of burst, 40 ms",
			up:      lab.Link{Rate: 1e9, Delay: 20 * ms, Policer: lab.Policer{Rate: 50e6, Burst: 125_000}},
			offered: 50e6, efficiency: 0.9, dropped: 0.05}),
		symmetric(creature{name: "5 and 50 Mbit/s in turn, 2 s each, 40 ms",
			up: lab.Link{RateAt: step, Delay: 20 * ms}, offered: mean(step, length), efficiency: 0.85, met: true}),
		symmetric(creature{name: "like Wi-Fi: 50 Mbit/s, 40 +-10 ms, 5 % held back by 30 ms",
			up:         lab.Link{Rate: 50e6, Delay: 20 * ms, Jitter: 10 * ms, JitterReorders: true, Reorder: 0.05, ReorderDelay: 30 * ms},
			efficiency: 0.85, met: true}),
		symmetric(creature{name: "like Wi-Fi: 50 Mbit/s in bunches every 8 ms, 40 +-10 ms",
			up: lab.Link{RateAt: bunched, Delay: 20 * ms, Jitter: 10 * ms}, offered: 50e6, efficiency: 0.85}),
		creature{name: "5 % lost in bursts of 10, 50 Mbit/s, 50 ms",
			up: lab.Link{Rate: 50e6, Delay: 25 * ms, Burst: burst}, down: lab.Link{Delay: 25 * ms}, offered: 50e6 * 0.95, efficiency: 0.88, met: true},
		// A burst of the way back lasts ten acknowledgements, however seldom
		// they are: it ends sooner for who asks for more of them.
		symmetric(creature{name: "5 % lost in bursts of 10 each way, 50 Mbit/s, 50 ms",
			up: lab.Link{Rate: 50e6, Delay: 25 * ms, Burst: burst}, efficiency: 0.88, met: true}),
		creature{name: "acknowledgements at 0.5 Mbit/s, 50 Mbit/s, 40 ms",
			up: lab.Link{Rate: 50e6, Delay: 20 * ms}, down: lab.Link{Rate: 0.5e6, Delay: 20 * ms}, offered: 50e6, efficiency: 0.9, met: true},
		symmetric(creature{name: "30 % lost each way, 20 Mbit/s, 50 ms",
			up: lab.Link{Rate: 20e6, Delay: 25 * ms, Loss: 0.3}, efficiency: 0.8, met: true}),
		symmetric(creature{name: "50 % lost each way, 20 Mbit/s, 50 ms",
			up: lab.Link{Rate: 20e6, Delay: 25 * ms, Loss: 0.5}, efficiency: 0.01, met: true}),
	)
}

// symmetric has acknowledgements meet the same path, and offers what is not
// lost of a constant rate.
func symmetric(c creature) creature {
	c.down = c.up
	if c.offered == 0 {
		lost := c.up.Loss
		if b := c.up.Burst; b.P > 0 {
			lost += b.P / (b.P + b.R)
		}
		c.offered = c.up.Rate * (1 - lost)
	}
	return c
}

// mean is the mean rate of a schedule over its first part, in bit/s.
func mean(s *lab.Schedule, length time.Duration) float64 {
	bits, at := 0.0, time.Duration(0)
	for at < length {
		for i, step := range s.Steps {
			until := s.Period
			if i+1 < len(s.Steps) {
				until = s.Steps[i+1].At
			}
			d := min(until-step.At, length-at)
			bits += step.Rate * d.Seconds()
			if at += d; at >= length {
				break
			}
		}
	}
	return bits / length.Seconds()
}

// lteTrace is a rate like that of a moving phone: its logarithm follows an
// AR(1) process in steps of 100 ms, with a mean of about 25 Mbit/s, and once
// in some 15 s the radio is gone for 200 to 500 ms.
func lteTrace(seed uint64, length time.Duration) *lab.Schedule {
	const (
		step  = 100 * ms
		keep  = 0.9 // of the deviation, from one step to the next
		sigma = 0.7 // of the logarithm
		mean  = 25e6
	)
	r := rand.New(rand.NewPCG(seed, 0x17e))
	s := &lab.Schedule{}
	x, out := 0.0, 0
	for at := time.Duration(0); at < length; at += step {
		x = keep*x + math.Sqrt(1-keep*keep)*sigma*r.NormFloat64()
		rate := min(max(mean*math.Exp(x-sigma*sigma/2), 2e6), 80e6)
		if out == 0 && at > time.Second && r.Float64() < 1.0/150 {
			out = 2 + r.IntN(4)
		}
		if out > 0 {
			rate = 0
			out--
		}
		s.Steps = append(s.Steps, lab.Step{At: at, Rate: rate})
	}
	s.Period = time.Duration(len(s.Steps)) * step
	return s
}

// sight is what was seen of one creature.
type sight struct {
	efficiency float64
	queueP95   time.Duration
	dropped    float64
	vain       float64 // share of packets that were sent again though they had arrived
}

func (c creature) run(t testing.TB, seed uint64, length time.Duration, tune func(a, b *Config)) sight {
	w := newWorldConfig(t, seed, c.up, c.down, tune)
	e := goodput(w, length, c.offered)
	up, conn := w.hostA.Up().Stats(), w.a.Stats()
	return sight{e, up.Wait.Quantile(0.95), float64(up.Lost[lab.LostQueue]+up.Lost[lab.LostPolicer]) / float64(up.Offered),
		float64(conn.Spurious) / max(float64(conn.SentPackets), 1)}
}

func (c creature) keeps(s sight) bool {
	return s.efficiency >= c.efficiency && (c.queue == 0 || s.queueP95 <= c.queue) && (c.dropped == 0 || s.dropped <= c.dropped)
}

// bars says what is wanted, after what there is.
func (c creature) bars() string {
	b := fmt.Sprintf(">= %.2f", c.efficiency)
	if c.queue > 0 {
		b += fmt.Sprintf(", <= %d ms", c.queue.Milliseconds())
	}
	if c.dropped > 0 {
		b += fmt.Sprintf(", <= %.0f %%", 100*c.dropped)
	}
	return b
}

// envSeconds is a length from the environment.
func envSeconds(name string, otherwise int) time.Duration {
	fmt.Sscan(os.Getenv(name), &otherwise)
	return time.Duration(otherwise) * time.Second
}

// chancy reports whether the path throws dice: then one seed proves little.
func (c creature) chancy() bool {
	return c.up.Loss > 0 || c.up.Burst.P > 0 || c.up.Jitter > 0 || c.up.Reorder > 0
}

// worst is the worst of each figure over some seeds, where they matter.
func (c creature) worst(t testing.TB, seeds int, length time.Duration, tune func(a, b *Config)) sight {
	if !c.chancy() {
		seeds = 1
	}
	w := sight{efficiency: math.Inf(1)}
	for seed := range uint64(seeds) {
		s := c.run(t, seed+1, length, tune)
		w = sight{min(w.efficiency, s.efficiency), max(w.queueP95, s.queueP95), max(w.dropped, s.dropped), max(w.vain, s.vain)}
	}
	return w
}

// TestZoo prints a line for each path that is not of the grid; QFT_ZOO_SECONDS
// is how long each transfer lasts, QFT_ZOO_SEEDS of how many runs the worst
// figures are shown.
func TestZoo(t *testing.T) {
	skipUnderRace(t)
	t.Parallel()
	length := envSeconds("QFT_ZOO_SECONDS", 20)
	seeds := 3
	fmt.Sscan(os.Getenv("QFT_ZOO_SEEDS"), &seeds)
	for _, c := range zoo(length) {
		s := c.worst(t, seeds, length, func(a, b *Config) {})
		t.Logf("%s %-61s %.3f, queue p95 %3d ms, dropped %4.1f %%, repeated in vain %4.1f %% (%s)", verdict(t, c.keeps(s), c.met), c.name,
			s.efficiency, s.queueP95.Milliseconds(), 100*s.dropped, 100*s.vain, c.bars())
	}
}
