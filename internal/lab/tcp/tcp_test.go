package tcp

import (
	"math"
	"net/netip"
	"testing"
	"time"

	"qft/internal/lab"
)

const port = 5001

// flow is a sender and its receiver behind a shared line.
type flow struct {
	s *Sender
	r *Receiver
}

// office is machines behind one line.
type office struct {
	*lab.World
	router *lab.Router
}

func newOffice(up lab.Link) *office {
	w := lab.New(1)
	return &office{w, w.Router(nil, lab.RouterConfig{Name: "office", Up: up, Down: lab.Link{Delay: up.Delay}})}
}

func (o *office) flow(at time.Duration) flow { return o.start(at, NewCubic) }

func newBBR(to netip.AddrPort) *Sender { return NewBBR(to, 1) }

func (o *office) start(at time.Duration, sender func(netip.AddrPort) *Sender) flow {
	a := o.Host(o.router, lab.HostConfig{})
	b := o.Host(nil, lab.HostConfig{})
	f := flow{sender(b.AddrPort(false, port)), &Receiver{}}
	b.Bind(port, f.r)
	o.At(at, func() { a.Bind(port, f.s) })
	return f
}

// mbit lets time pass and returns the goodput of each flow meanwhile.
func (o *office) mbit(d time.Duration, flows ...flow) []float64 {
	var out []float64
	for _, f := range flows {
		out = append(out, -float64(f.r.Bytes()))
	}
	o.Run(d, nil)
	for i, f := range flows {
		out[i] = (out[i] + float64(f.r.Bytes())) * 8e-6 / d.Seconds()
	}
	return out
}

const ideal = 20 * float64(MSS) / 1500 // Mbit/s of payload at 20 Mbit/s

func TestCubicAloneFillsTheLink(t *testing.T) {
	for _, queue := range []time.Duration{30, 100, 400} {
		o := newOffice(lab.Link{Rate: 20e6, Delay: 15 * time.Millisecond, Queue: queue * time.Millisecond})
		f := o.flow(0)
		o.Run(5*time.Second, nil)
		low, high := math.MaxInt, 0
		for o.Elapsed() < 65*time.Second {
			low, high = min(low, f.s.Window()), max(high, f.s.Window())
			o.Run(10*time.Millisecond, nil)
		}
		share := float64(f.r.Bytes()) * 8e-6 / 65 / ideal
		full := 20e6 / 8 / 1500 * (30 + float64(queue)) / 1e3
		wait := o.router.Up().Stats().Wait
		t.Logf("queue %3v: %.3f used; window %d to %d segments (BDP and queue are %.0f), queue p95 %v, %d sent again, %d RTOs", queue*time.Millisecond,
			share, low, high, full, wait.Quantile(0.95).Round(time.Millisecond), f.s.Resent, f.s.Timeouts)
		if share < 0.95 {
			t.Errorf("queue %v: %.3f of the link used, want 0.95", queue*time.Millisecond, share)
		}
		if float64(high) < full*0.95 || float64(high) > full*1.1 || float64(low) < full*cubicBeta*0.85 || float64(low) > full*cubicBeta*1.1 {
			t.Errorf("queue %v: no sawtooth between the full path and 0.7 of it", queue*time.Millisecond)
		}
	}
}

func TestTwoCubicFlowsShareFairly(t *testing.T) {
	o := newOffice(lab.Link{Rate: 20e6, Delay: 15 * time.Millisecond, Queue: 100 * time.Millisecond})
	a, b := o.flow(0), o.flow(5*time.Second)
	o.Run(15*time.Second, nil)
	g := o.mbit(60*time.Second, a, b)
	t.Logf("%.2f and %.2f Mbit/s", g[0], g[1])
	if s := g[0] / (g[0] + g[1]); s < 0.35 || s > 0.65 {
		t.Errorf("one flow has %.2f of the link", s)
	}
}

// With loss p a TCP flow gets about MSS/RTT * 1.22/sqrt(p) (Mathis 1997);
// PEERS.md has 2.4 Mbit/s at 50 ms and 1 %, 0.5 at 10 %.
func TestCubicCollapsesUnderLoss(t *testing.T) {
	for _, c := range []struct{ loss, low, high float64 }{{0.01, 1.8, 3.4}, {0.1, 0.2, 0.9}} {
		l := lab.Link{Rate: 100e6, Delay: 25 * time.Millisecond, Loss: c.loss}
		o := newOffice(l)
		o.router.Down().Set(lab.Link{Delay: l.Delay, Loss: c.loss})
		f := o.flow(0)
		g := o.mbit(60*time.Second, f)
		t.Logf("loss %.0f %%: %.2f Mbit/s; %d sent again, %d RTOs", 100*c.loss, g[0], f.s.Resent, f.s.Timeouts)
		if g[0] < c.low || g[0] > c.high {
			t.Errorf("%.2f Mbit/s at loss %.2f, want %.1f to %.1f", g[0], c.loss, c.low, c.high)
		}
	}
}

func TestBBRAlone(t *testing.T) {
	for _, c := range []struct {
		name string
		link lab.Link
		low  float64
		wait time.Duration
	}{
		{"queue 30 ms", lab.Link{Rate: 20e6, Delay: 15 * time.Millisecond, Queue: 30 * time.Millisecond}, 0.93, 31 * time.Millisecond},
		{"queue 400 ms", lab.Link{Rate: 20e6, Delay: 15 * time.Millisecond, Queue: 400 * time.Millisecond}, 0.93, 40 * time.Millisecond},
		{"1 % loss", lab.Link{Rate: 20e6, Delay: 25 * time.Millisecond, Loss: 0.01}, 0.9, 60 * time.Millisecond},
		{"10 % loss", lab.Link{Rate: 20e6, Delay: 25 * time.Millisecond, Loss: 0.1}, 0.7, 60 * time.Millisecond},
	} {
		o := newOffice(c.link)
		f := o.start(0, newBBR)
		g := o.mbit(60*time.Second, f)[0] / ideal
		wait := o.router.Up().Stats().Wait
		p95 := wait.Quantile(0.95)
		t.Logf("%s: %.3f used; queue p95 %v; %d sent again, %d RTOs", c.name, g, p95.Round(time.Millisecond), f.s.Resent, f.s.Timeouts)
		if g < c.low || p95 > c.wait {
			t.Errorf("%s: used %.3f, want %.2f; queue p95 %v, want %v", c.name, g, c.low, p95, c.wait)
		}
	}
}

// BBRv1 takes most of a link with a shallow queue from CUBIC, and its share falls
// as the queue gets deeper, but it does not starve (Hock, Bless, Zitterbart 2017;
// Ware et al. 2019).
func TestBBRBesideCubic(t *testing.T) {
	last := 1.0
	for _, queue := range []time.Duration{30, 100, 400} {
		o := newOffice(lab.Link{Rate: 20e6, Delay: 15 * time.Millisecond, Queue: queue * time.Millisecond})
		b, c := o.start(0, newBBR), o.flow(0)
		o.Run(10*time.Second, nil)
		g := o.mbit(60*time.Second, b, c)
		share := g[0] / (g[0] + g[1])
		t.Logf("queue %3v: bbr has %.2f", queue*time.Millisecond, share)
		if share > last || share < 0.1 {
			t.Errorf("queue %v: bbr has %.2f after %.2f with less of a queue", queue*time.Millisecond, share, last)
		}
		last = share
	}
}
