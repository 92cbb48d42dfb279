package transport

import (
	"fmt"
	"os"
	"testing"
	"time"

	"qft/internal/lab"
	"qft/internal/lab/tcp"
	"qft/internal/udp"
)

// A bar that is not kept yet says MISS and does not fail. That is so beside
// BBRv1, and where two of ours miss 0.95 by a hair.
const (
	cubicHolds      = true
	bbrHolds        = false
	equalHolds      = false
	backgroundHolds = true
)

// leastEqual is what two of ours never fall below.
const leastEqual = 0.9

// office is hosts behind one line, the bottleneck of every flow between them
// and the world.
type office struct {
	*lab.World
	t    testing.TB
	line *lab.Router
}

func newOffice(t testing.TB, seed uint64, up lab.Link) *office {
	w := lab.New(seed)
	return &office{w, t, w.Router(nil, lab.RouterConfig{Name: "office", Up: up, Down: up})}
}

// flow is a sender that always has something to send.
type flow struct {
	got  func() int64 // bytes of payload that have arrived
	conn *Conn        // nil for TCP
}

// qft adds a flow of ours that starts at the given time.
func (o *office) qft(at time.Duration, tune func(*Config)) flow {
	a, b := o.Host(o.line, lab.HostConfig{}), o.Host(nil, lab.HostConfig{})
	sa, sb := sessions(o.t, o.World)
	sink := &checker{t: o.t}
	f := flow{got: func() int64 { return sink.backlog }}
	start := o.Now().Add(at - o.Elapsed())
	cb := NewConn(start, Config{Rand: o.Entropy(), Sealer: sb.Sealer(), Opener: sb.Opener(), SendID: 2, ReceiveID: 1, Path: udp.To(a.AddrPort(false, port))})
	cb.SetSink(sink)
	ca := Config{Rand: o.Entropy(), Sealer: sa.Sealer(), Opener: sa.Opener(), SendID: 1, ReceiveID: 2, Path: udp.To(b.AddrPort(false, port))}
	if tune != nil {
		tune(&ca)
	}
	f.conn = NewConn(start, ca)
	f.conn.SetSource(pattern{})
	f.conn.SendBulk(0, 1<<40)
	o.At(at, func() {
		b.Bind(port, cb)
		a.Bind(port, f.conn)
	})
	return f
}

// tcp adds a TCP flow; sender is tcp.NewCubic or another.
func (o *office) tcp(at time.Duration, sender func(*lab.Host) lab.Machine) flow {
	a, b := o.Host(o.line, lab.HostConfig{}), o.Host(nil, lab.HostConfig{})
	r := &tcp.Receiver{}
	b.Bind(port, r)
	s := sender(b)
	o.At(at, func() { a.Bind(port, s) })
	return flow{got: r.Bytes}
}

func cubicTo(b *lab.Host) lab.Machine { return tcp.NewCubic(b.AddrPort(false, port)) }
func bbrTo(b *lab.Host) lab.Machine   { return tcp.NewBBR(b.AddrPort(false, port), 1) }

// measure lets time pass and returns what each flow got meanwhile, in Mbit/s.
func (o *office) measure(d time.Duration, flows ...flow) []float64 {
	mbit := make([]float64, len(flows))
	for i, f := range flows {
		mbit[i] = -float64(f.got())
	}
	o.Run(d, nil)
	for i, f := range flows {
		mbit[i] = (mbit[i] + float64(f.got())) * 8e-6 / d.Seconds()
	}
	return mbit
}

// jain is the fairness index of Jain, Chiu and Hawe (1984): 1 is equal shares,
// 1/n is one flow that has it all.
func jain(x []float64) float64 {
	sum, squares := 0.0, 0.0
	for _, v := range x {
		sum += v
		squares += v * v
	}
	return sum * sum / (float64(len(x)) * squares)
}

// verdict says whether a figure keeps its bar, and fails the test once all are
// meant to.
func verdict(t testing.TB, keeps, strict bool) string {
	switch {
	case keeps:
		return "PASS"
	case strict:
		t.Fail()
	}
	return "MISS"
}

// beside is a flow of ours beside TCP for a minute, from 5 s after both run.
type beside struct {
	mbit       float64
	rtt, queue time.Duration
	ours       time.Duration // start
	theirs     time.Duration
	tune       func(*Config)
	tcp        func(*lab.Host) lab.Machine
}

// outcome is what came of it.
type outcome struct {
	share    float64 // of what both got
	used     float64 // of the link, by both
	queueP95 time.Duration
}

func (c beside) run(t testing.TB, length time.Duration) outcome {
	o := newOffice(t, 1, lab.Link{Rate: c.mbit * 1e6, Delay: c.rtt / 2, Queue: c.queue})
	q, x := o.qft(c.ours, c.tune), o.tcp(c.theirs, c.tcp)
	o.Run(max(c.ours, c.theirs)+5*time.Second, nil)
	o.line.Up().ResetStats()
	g := o.measure(length, q, x)
	wait := o.line.Up().Stats().Wait
	return outcome{g[0] / (g[0] + g[1]), (g[0] + g[1]) / c.mbit / payloadShare, wait.Quantile(0.95)}
}

// shareBars are the bounds of our share beside one cubic flow, by queue.
var shareBars = []struct {
	queue     time.Duration
	low, high float64
}{
	{30 * time.Millisecond, 0.35, 0.65},
	{100 * time.Millisecond, 0.35, 0.65},
	{400 * time.Millisecond, 0.35, 0.65},
}

// TestShareBesideCubic has each flow start first. QFT_SHARE_STARTS=8 repeats
// it with as many starts of the second flow, each 37 ms after the one before:
// what two senders make of each other depends on who is where in his cycle.
func TestShareBesideCubic(t *testing.T) { shareBeside(t, "cubic", cubicTo, cubicHolds) }

// TestShareBesideBBR does so beside BBRv1, which in a short queue is rough with
// all others.
func TestShareBesideBBR(t *testing.T) { shareBeside(t, "bbr", bbrTo, bbrHolds) }

func shareBeside(t *testing.T, name string, to func(*lab.Host) lab.Machine, strict bool) {
	skipUnderRace(t)
	t.Parallel()
	starts := 1
	fmt.Sscan(os.Getenv("QFT_SHARE_STARTS"), &starts)
	for _, b := range shareBars {
		for _, last := range []bool{false, true} {
			c := beside{mbit: 20, rtt: 30 * ms, queue: b.queue, tcp: to}
			second, order := &c.theirs, "first"
			if last {
				second, order = &c.ours, "last"
			}
			low, high, used, wait := 1.0, 0.0, 1.0, time.Duration(0)
			for i := range starts {
				*second = 5*time.Second + time.Duration(i)*37*ms
				r := c.run(t, time.Minute)
				low, high, used, wait = min(low, r.share), max(high, r.share), min(used, r.used), max(wait, r.queueP95)
			}
			t.Logf("%s 20 Mbit/s, 30 ms, queue %3d ms, we come %-5s: our share beside %s %.2f to %.2f (%.2f to %.2f), link %.2f used, queue p95 %d ms",
				verdict(t, low >= b.low && high <= b.high, strict), b.queue.Milliseconds(), order, name,
				low, high, b.low, b.high, used, wait.Milliseconds())
		}
	}
}

// TestShareOfTwo prints how soon a second flow has its half.
func TestShareOfTwo(t *testing.T) {
	skipUnderRace(t)
	t.Parallel()
	for _, mbit := range []float64{20, 100} {
		for _, rtt := range []time.Duration{10 * time.Millisecond, 40 * time.Millisecond, 100 * time.Millisecond} {
			o := newOffice(t, 1, lab.Link{Rate: mbit * 1e6, Delay: rtt / 2, Queue: max(rtt, 100*time.Millisecond)})
			second := max(5*time.Second, 50*rtt)
			flows := []flow{o.qft(0, nil), o.qft(second, nil)}
			o.Run(second+10*rtt, nil)
			early := jain(o.measure(10*rtt, flows...))
			g := o.measure(40*rtt, flows...)
			then := jain(g)
			end := jain(o.measure(100*rtt, flows...))
			t.Logf("%s %3.0f Mbit/s, %3d ms: Jain %.3f between 10 and 20 RTT, %.3f between 20 and 60 (0.95; %.1f and %.1f Mbit/s), %.3f between 60 and 160",
				verdict(t, then >= 0.95, equalHolds), mbit, rtt.Milliseconds(), early, then, g[0], g[1], end)
			if then < leastEqual {
				t.Errorf("Jain %.3f: one of two starves", then)
			}
		}
	}
}

// TestShareOfTheBackground holds a background transfer to its promise: next to
// nothing beside others, all of an idle link.
func TestShareOfTheBackground(t *testing.T) {
	skipUnderRace(t)
	t.Parallel()
	background := func(c *Config) { c.Background = true }
	for _, b := range shareBars {
		c := beside{mbit: 20, rtt: 30 * time.Millisecond, queue: b.queue, theirs: 5 * time.Second, tune: background, tcp: cubicTo}
		r := c.run(t, time.Minute)
		o := newOffice(t, 1, lab.Link{Rate: 20e6, Delay: 15 * time.Millisecond, Queue: b.queue})
		f := o.qft(0, background)
		alone := o.measure(time.Minute, f)[0] / 20 / payloadShare
		t.Logf("%s queue %3d ms: share %.2f beside cubic (0.10), %.2f alone (0.90)",
			verdict(t, r.share <= 0.1 && alone >= 0.9, backgroundHolds), b.queue.Milliseconds(), r.share, alone)
	}
}
