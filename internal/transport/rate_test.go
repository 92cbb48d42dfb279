package transport

import (
	"testing"
	"time"

	"qft/internal/lab"
	"qft/internal/udp"
)

// goodput runs a saturated sender for a while and returns the share that the
// sink got of what the link offered.
func goodput(w *world, length time.Duration, offered float64) float64 {
	before := w.sink.backlog
	w.sendBulk(1 << 40)
	w.Run(length, nil)
	return float64(w.sink.backlog-before) / (offered / 8 * length.Seconds() * payloadShare)
}

func TestRateFollowsThePath(t *testing.T) {
	skipUnderRace(t)
	t.Parallel()
	step := &lab.Schedule{Period: 4 * time.Second, Steps: []lab.Step{{At: 0, Rate: 50e6}, {At: 2 * time.Second, Rate: 5e6}}}
	for _, c := range []struct {
		name    string
		link    lab.Link
		offered float64
		floor   float64
	}{
		{"steps between 5 and 50 Mbit/s", lab.Link{RateAt: step, Delay: 20 * time.Millisecond, Queue: 100 * time.Millisecond}, 27.5e6, 0.75},
		{"jitter and reordering", lab.Link{Rate: 50e6, Delay: 20 * time.Millisecond, Jitter: 10 * time.Millisecond, JitterReorders: true, Reorder: 0.05, ReorderDelay: 30 * time.Millisecond}, 50e6, 0.75},
		{"bursty loss", lab.Link{Rate: 50e6, Delay: 25 * time.Millisecond, Burst: lab.Burst{P: 0.0053, R: 0.1}}, 50e6 * 0.95, 0.8},
		{"loss of 30 %", lab.Link{Rate: 20e6, Delay: 25 * time.Millisecond, Loss: 0.3}, 20e6 * 0.7, 0.7},
		{"a queue of 5 ms", lab.Link{Rate: 50e6, Delay: 20 * time.Millisecond, Queue: 5 * time.Millisecond}, 50e6, 0.85},
		{"a policer", lab.Link{Rate: 1e9, Delay: 20 * time.Millisecond, Policer: lab.Policer{Rate: 50e6, Burst: 125_000}}, 50e6, 0.8},
		{"a queue of 1 s", lab.Link{Rate: 20e6, Delay: 20 * time.Millisecond, Queue: time.Second}, 20e6, 0.9},
		{"no delay at all", lab.Link{Rate: 200e6, Queue: 20 * time.Millisecond}, 200e6, 0.85},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, 1, c.link, lab.Link{Delay: c.link.Delay, Loss: c.link.Loss})
			share := goodput(w, 20*time.Second, c.offered)
			s := w.hostA.Up().Stats()
			t.Logf("%.3f of what was offered; queue p95 %v; dropped %.2f %% by the queue, %.2f %% by the policer; %d spurious of %d lost",
				share, s.Wait.Quantile(0.95).Round(time.Millisecond), 100*float64(s.Lost[lab.LostQueue])/float64(s.Offered),
				100*float64(s.Lost[lab.LostPolicer])/float64(s.Offered), w.a.Stats().Spurious, w.a.Stats().Lost)
			if share < c.floor {
				t.Errorf("only %.3f of what was offered, want %.2f", share, c.floor)
			}
		})
	}
}

func TestRateSurvivesALazyApplication(t *testing.T) {
	skipUnderRace(t)
	t.Parallel()
	// One packet every 50 ms for a minute must not make the path look slow.
	l := link(50, 20*time.Millisecond)
	w := newWorld(t, 1, l, l)
	w.sendBulk(8 * mib)
	w.wantBulk(8*mib, 20*time.Second)
	for i := range 1200 {
		w.a.SendBulk(int64(8*mib+i*1000), 1000)
		w.hostA.Wake(port)
		w.Run(50*time.Millisecond, nil)
	}
	at := int64(8*mib + 1200*1000)
	w.a.SendBulk(at, 8*mib)
	w.hostA.Wake(port)
	start := w.Elapsed()
	if !w.Run(20*time.Second, func() bool { return w.sink.has(at + 8*mib) }) {
		t.Fatal("did not arrive")
	}
	if d := w.Elapsed() - start; d > 2500*time.Millisecond {
		t.Errorf("8 MiB after a lazy minute took %v at 50 Mbit/s (1.4 s at line rate)", d)
	}
}

func TestSlowAckPathIsEnough(t *testing.T) {
	skipUnderRace(t)
	t.Parallel()
	w := newWorld(t, 1, link(50, 20*time.Millisecond), link(0.5, 20*time.Millisecond))
	if share := goodput(w, 20*time.Second, 50e6); share < 0.8 {
		t.Errorf("with acknowledgements on a hundredth of the rate only %.3f", share)
	}
}

func TestTwoFlowsShare(t *testing.T) {
	skipUnderRace(t)
	t.Parallel()
	l := link(50, 20*time.Millisecond)
	w := lab.New(1)
	r := w.Router(nil, lab.RouterConfig{Name: "home", Up: l, Down: l})
	var got [2]*checker
	for i := range got {
		a := w.Host(r, lab.HostConfig{})
		b := w.Host(nil, lab.HostConfig{})
		sa, sb := sessions(t, w)
		ca := NewConn(w.Now(), Config{Rand: w.Entropy(), Sealer: sa.Sealer(), Opener: sa.Opener(), SendID: 1, ReceiveID: 2, Path: udp.To(b.AddrPort(false, port))})
		cb := NewConn(w.Now(), Config{Rand: w.Entropy(), Sealer: sb.Sealer(), Opener: sb.Opener(), SendID: 2, ReceiveID: 1, Path: udp.To(a.AddrPort(false, port))})
		got[i] = &checker{t: t}
		ca.SetSource(pattern{})
		cb.SetSink(got[i])
		ca.SendBulk(0, 1<<40)
		b.Bind(port, cb)
		w.After(time.Duration(i)*5*time.Second, func() { a.Bind(port, ca) })
	}
	w.Run(10*time.Second, nil)
	before := [2]int64{got[0].backlog, got[1].backlog}
	w.Run(20*time.Second, nil)
	x, y := float64(got[0].backlog-before[0]), float64(got[1].backlog-before[1])
	jain := (x + y) * (x + y) / (2 * (x*x + y*y))
	t.Logf("Jain %.3f: %.1f and %.1f Mbit/s", jain, x*8/20e6, y*8/20e6)
	if jain < 0.8 {
		t.Errorf("Jain %.3f: one of two flows starves", jain)
	}
	if used := (x + y) * 8 / 20 / 50e6 / payloadShare; used < 0.85 {
		t.Errorf("together they use %.3f of the link", used)
	}
}

func TestLongerRouteIsNoQueue(t *testing.T) {
	skipUnderRace(t)
	t.Parallel()
	l := link(50, 50*time.Millisecond)
	l.Queue = 400 * time.Millisecond
	w := newWorld(t, 1, l, l)
	w.sendBulk(1 << 40)
	w.Run(5*time.Second, nil)
	l.Delay = 200 * time.Millisecond
	w.hostA.Up().Set(l)
	w.hostA.Down().Set(l)
	before := w.sink.backlog
	w.Run(10*time.Second, nil)
	share := float64(w.sink.backlog-before) * 8 / 10 / 50e6 / payloadShare
	t.Logf("%.3f in the 10 s after the route became 300 ms longer", share)
	if share < 0.35 {
		t.Errorf("only %.3f of the rate after the route became longer", share)
	}
}

func TestRateSurvivesASleepOfThisEnd(t *testing.T) {
	t.Parallel()
	for _, side := range []string{"sender", "receiver", "both"} {
		t.Run(side, func(t *testing.T) {
			l := link(40, 10*time.Millisecond)
			w := newWorld(t, 1, l, l)
			w.sendBulk(1 << 40)
			w.Run(3*time.Second, nil)
			w.hostA.Pause(side != "receiver")
			w.hostB.Pause(side != "sender")
			w.Run(time.Minute, nil)
			w.hostA.Pause(false)
			w.hostB.Pause(false)
			w.Run(2*time.Second, nil)
			before := w.sink.backlog
			w.Run(5*time.Second, nil)
			if share := float64(w.sink.backlog-before) * 8 / 5 / 40e6 / payloadShare; share < 0.85 {
				t.Errorf("%.3f of the rate after a minute of sleep; %+v", share, w.a.Stats())
			}
		})
	}
}
