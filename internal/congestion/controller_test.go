package congestion

import (
	"math"
	"testing"
	"time"
)

// pipe is the simplest path there is: each packet is acknowledged one RTT
// after it has left the bottleneck, in steps of one millisecond. Whole paths
// are in internal/lab and the tests of internal/transport.
type pipe struct {
	t    *testing.T
	c    *Controller
	now  time.Time
	rate float64 // bytes per second
	rtt  time.Duration
	loss int // every so many packets one is lost; 0: none
	free time.Time
	sent []flying
	n    int
	out  int

	received int64
}

type flying struct {
	p    Packet
	at   time.Time
	back time.Time
	lost bool
}

const size = 1200

func newPipe(t *testing.T, rate float64, rtt time.Duration) *pipe {
	return &pipe{t: t, c: New(Config{MaxDatagram: size}), now: time.Unix(1000, 0), rate: rate, rtt: rtt}
}

// run sends all that the controller allows, up to limit bytes per second.
func (p *pipe) run(d time.Duration, limit float64) (delivered float64) {
	tokens := 0.0
	for end := p.now.Add(d); p.now.Before(end); p.now = p.now.Add(time.Millisecond) {
		delivered += p.acknowledge()
		tokens = min(tokens+min(p.c.Rate(), limit)/1000, 64*size)
		for tokens >= size && p.out < p.c.Window() {
			tokens -= size
			p.send()
		}
		if p.c.Rate() > limit && p.out < p.c.Window() {
			p.c.AppLimited(p.now, p.out)
		}
	}
	return delivered
}

func (p *pipe) send() {
	f := flying{at: p.now}
	p.c.Sent(p.now, &f.p, size, p.out)
	p.out += size
	p.n++
	f.lost = p.loss > 0 && p.n%p.loss == 0
	if p.free.Before(p.now) {
		p.free = p.now
	}
	p.free = p.free.Add(time.Duration(size / p.rate * 1e9))
	f.back = p.free.Add(p.rtt)
	p.sent = append(p.sent, f)
}

func (p *pipe) acknowledge() (delivered float64) {
	var f Feedback
	n := 0
	for ; n < len(p.sent) && !p.sent[n].back.After(p.now); n++ {
		k := &p.sent[n]
		p.out -= size
		if k.lost {
			p.c.Lost(p.now, &k.p, size)
			continue
		}
		p.c.Acked(p.now, &k.p, size)
		p.received += size
		f = Feedback{RTT: p.now.Sub(k.at), Packet: &k.p, Arrived: k.back.Sub(time.Unix(0, 0)), Received: p.received}
		delivered += size
	}
	if n > 0 {
		p.sent = p.sent[n:]
		p.c.Update(p.now, f, p.out)
	}
	return delivered
}

func (p *pipe) wantBandwidth(low, high float64) {
	p.t.Helper()
	if got := p.c.Stats().Bandwidth; got < low || got > high {
		p.t.Errorf("bandwidth %.0f, want %.0f to %.0f: %+v", got, low, high, p.c.Stats())
	}
}

func TestBandwidthIsFoundInAFewRoundTrips(t *testing.T) {
	for _, rate := range []float64{2e5, 2e6, 2e7} {
		p := newPipe(t, rate, 100*time.Millisecond)
		p.run(time.Second, math.Inf(1))
		p.wantBandwidth(0.8*rate, 1.1*rate)
	}
}

func TestRandomLossIsMadeUpFor(t *testing.T) {
	p := newPipe(t, 5e6, 50*time.Millisecond)
	p.loss = 5
	p.run(3*time.Second, math.Inf(1))
	p.wantBandwidth(0.9*5e6, 1.15*5e6)
	if got := p.run(5*time.Second, math.Inf(1)); got < 0.9*0.8*5e6*5 {
		t.Errorf("%.0f bytes in 5 s through 20 %% loss, %.0f are possible", got, 0.8*5e6*5)
	}
	if l := p.c.Stats().Loss; l < 0.15 || l > 0.25 {
		t.Errorf("random loss is thought to be %.3f", l)
	}
}

func TestLazyApplicationDoesNotMakeThePathSlow(t *testing.T) {
	p := newPipe(t, 5e6, 50*time.Millisecond)
	p.run(3*time.Second, math.Inf(1))
	p.run(20*time.Second, 1e5)
	p.wantBandwidth(0.8*5e6, 1.1*5e6)
}

func TestSlowerPathIsFollowed(t *testing.T) {
	p := newPipe(t, 5e6, 50*time.Millisecond)
	p.run(3*time.Second, math.Inf(1))
	p.rate = 1e6
	p.run(3*time.Second, math.Inf(1))
	p.wantBandwidth(0.7e6, 1.3e6)
	p.rate = 5e6
	p.run(5*time.Second, math.Inf(1))
	p.wantBandwidth(3e6, 5.5e6)
}

func TestBlackoutKeepsTheModelAndStartsGently(t *testing.T) {
	p := newPipe(t, 5e6, 50*time.Millisecond)
	p.run(3*time.Second, math.Inf(1))
	before := p.c.Rate()
	for i := range p.sent {
		p.sent[i].lost = true
	}
	p.c.Blackout(p.now)
	p.now = p.now.Add(time.Minute)
	p.acknowledge()
	p.send()
	p.now = p.now.Add(p.rtt + time.Millisecond)
	p.acknowledge()
	if got := p.c.Rate(); got > 0.7*before {
		t.Errorf("a dead path is met with %.0f of %.0f bytes per second", got, before)
	}
	p.run(time.Second, math.Inf(1))
	p.wantBandwidth(0.8*5e6, 1.1*5e6)
}

func TestRateIsNeverZeroAndNeverAboveTheLimit(t *testing.T) {
	c := New(Config{MaxRate: 1e5})
	if r := c.Rate(); r <= 0 || r > 1e5 {
		t.Errorf("rate %.0f", r)
	}
	if New(Config{}).Window() < 10*size {
		t.Error("the first window is too small")
	}
}
