package qft

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"qft/internal/lab"
)

// skipUnderRace leaves simulations, which one goroutine runs, to the run without
// the race detector.
func skipUnderRace(t *testing.T) {
	if underRace {
		t.Skip("a simulation: runs without -race")
	}
}

// pausing is a transfer whose sides pause.
type pausing struct {
	*meeting
	homes []*lab.Host
	lines []*lab.Router
	path  string
	to    Target
	code  string
	s, r  *keeper
}

// newPausing lets a file move for a while, over a path of that length, with
// that loss.
func newPausing(t *testing.T, seed uint64, rtt time.Duration, loss float64, size int) *pausing {
	t.Helper()
	p := &pausing{meeting: newStanding(t, seed)}
	p.houses(rtt, loss)
	p.path, p.to = p.file("a.bin", size), Target{Dir: p.folder("to")}
	p.s = p.keepSending(p.homes[0], "", p.path, 1)
	p.code = p.s.code()
	p.r = p.keepReceiving(p.homes[1], p.code, p.to)
	p.until(2*time.Minute, "some of it", p.r.moved(int64(size)/8))
	return p
}

// houses are two hosts behind routers, with a path of that length and loss
// between them.
func (p *pausing) houses(rtt time.Duration, loss float64) {
	line := lab.Link{Rate: 20e6, Delay: rtt / 4, Loss: loss / 2, Queue: max(rtt, 100*time.Millisecond)}
	for _, name := range []string{"sender", "receiver"} {
		r := p.Router(nil, lab.RouterConfig{Name: name, Up: line, Down: line, NAT: &lab.NAT{Filtering: lab.AddressPortDependent}})
		p.lines = append(p.lines, r)
		p.homes = append(p.homes, p.Host(r, lab.HostConfig{Name: name + " host"}))
	}
}

// cut has a home's line carry nothing, or again what it did.
func (p *pausing) cut(i int, off bool) {
	for _, l := range []*lab.Pipe{p.lines[i].Up(), p.lines[i].Down()} {
		x := l.Link()
		x.Loss = map[bool]float64{true: 1, false: 0.01}[off]
		l.Set(x)
	}
}

func (p *pausing) side(name string) *keeper {
	if name == "sender" {
		return p.s
	}
	return p.r
}

// wantState wants both sides to have been told who has paused, within a time.
func (p *pausing) wantState(limit time.Duration, sender, receiver bool) {
	p.t.Helper()
	p.until(limit, fmt.Sprintf("both to know that the sender's pause is %v and the receiver's %v", sender, receiver), func() bool {
		return last[Paused](p.s) == Paused{sender, receiver} && last[Paused](p.r) == Paused{receiver, sender}
	})
}

// wantStandstill runs for a while, in which no bytes arrive, and says so.
func (p *pausing) wantStandstill(length time.Duration) {
	p.t.Helper()
	before := last[Progress](p.r).Done
	p.Run(length, nil)
	for _, k := range []*keeper{p.s, p.r} {
		e := last[Progress](k)
		if e.Done != before && k == p.r || e.Rate > 0 || e.Left != 0 || e.Bottleneck != BottleneckUnknown {
			p.t.Errorf("%s: paused for %v, and it tells %+v, not %d bytes", k.host.Name(), length, e, before)
		}
	}
}

// settle is how long what is on its way may take to arrive, be verified and
// have become old news.
func settle(rtt time.Duration) time.Duration { return 6*rtt + meterWindow + time.Second }

// wantWhole lets it end.
func (p *pausing) wantWhole() {
	p.t.Helper()
	p.wantDone(3*time.Minute, p.s, p.r)
	p.wantSame(p.path, p.to.Dir)
}

// TestPauseOverALongLossyPath: by either side and by both, with a round trip of
// a second and a tenth of the packets lost.
func TestPauseOverALongLossyPath(t *testing.T) {
	skipUnderRace(t)
	const rtt = time.Second
	for seed := range uint64(2) {
		for _, by := range [][]string{{"sender"}, {"receiver"}, {"sender", "receiver"}} {
			t.Run(fmt.Sprint(seed, by), func(t *testing.T) {
				t.Parallel()
				p := newPausing(t, seed, rtt, 0.1, 12<<20)
				had := map[string]bool{}
				for _, who := range by {
					p.side(who).pause(true)
					had[who] = true
				}
				p.wantState(4*rtt, had["sender"], had["receiver"])
				p.Run(settle(rtt), nil)
				p.wantStandstill(time.Minute)
				for _, who := range by {
					p.wantState(4*rtt, had["sender"], had["receiver"])
					p.side(who).pause(false)
					had[who] = false
				}
				p.wantState(4*rtt, false, false)
				p.wantWhole()
				if n := seen[ContactLost](p.s) + seen[ContactLost](p.r) + seen[Interrupted](p.s); n > 0 {
					t.Errorf("the pause cost the contact")
				}
			})
		}
	}
}

// TestPauseDuringAnOutage: it is set while nothing passes, holds when contact is
// back, and an outage during it is noticed and mended as ever.
func TestPauseDuringAnOutage(t *testing.T) {
	skipUnderRace(t)
	const rtt = 100 * time.Millisecond
	for _, who := range []string{"sender", "receiver"} {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			p := newPausing(t, 3, rtt, 0.02, 16<<20)
			p.cut(0, true)
			p.until(time.Minute, "the loss of contact", func() bool { return seen[ContactLost](p.r) == 1 })
			p.side(who).pause(true)
			p.Run(20*time.Second, nil)
			p.cut(0, false)
			p.until(time.Minute, "contact", func() bool { return seen[ContactBack](p.r)+seen[Connected](p.r) > 1 })
			p.wantState(5*time.Second, who == "sender", who == "receiver")
			p.Run(settle(rtt), nil)
			p.wantStandstill(20 * time.Second)
			p.cut(1, true)
			lost := seen[ContactLost](p.s)
			p.until(time.Minute, "the loss of contact while paused", func() bool { return seen[ContactLost](p.s) > lost })
			p.side(who).pause(false)
			p.Run(10*time.Second, nil)
			p.cut(1, false)
			p.wantWhole()
		})
	}
}

// TestPauseSurvivesAMigration: both get new public addresses while nothing
// moves, find each other again, and nothing moves still.
func TestPauseSurvivesAMigration(t *testing.T) {
	skipUnderRace(t)
	const rtt = 100 * time.Millisecond
	p := newPausing(t, 4, rtt, 0, 16<<20)
	p.r.pause(true)
	p.wantState(time.Second, false, true)
	p.Run(settle(rtt), nil)
	paths := seen[Connected](p.s)
	for _, line := range p.lines {
		line.Renumber()
	}
	p.until(time.Minute, "another path", func() bool { return seen[Connected](p.s) > paths && seen[Connected](p.r) > paths })
	p.wantStandstill(30 * time.Second)
	p.r.pause(false)
	p.wantWhole()
}

// TestPauseOutlivesASession: whoever has paused has paused the next session as
// well, and the other side, started anew, is told.
func TestPauseOutlivesASession(t *testing.T) {
	skipUnderRace(t)
	const rtt = 100 * time.Millisecond
	p := newPausing(t, 5, rtt, 0, 16<<20)
	p.s.pause(true)
	p.wantState(time.Second, true, false)
	for range maxBarren + 2 { // that nothing becomes safe meanwhile is no reason to give up
		p.r.kill()
		p.r = p.keepReceiving(p.homes[1], p.code, p.to)
		p.until(time.Minute, "a new session that is paused", func() bool { return last[Paused](p.r) == Paused{There: true} })
		p.Run(3*time.Second, nil)
	}
	p.Run(settle(rtt), nil)
	p.wantStandstill(10 * time.Second)
	p.s.pause(false)
	p.wantWhole()
}

// TestPausesComeAndGo: from a seed, either side pauses and goes on, lines are
// dead for a while, addresses change, and the receiver is started anew. In the
// end all must be there, and each side must know who has paused.
//
//	QFT_FIRST=n QFT_SEEDS=1 go test -run TestPausesComeAndGo -v .
func TestPausesComeAndGo(t *testing.T) {
	skipUnderRace(t)
	first, n := uint64(0), uint64(6)
	if s := os.Getenv("QFT_FIRST"); s != "" {
		first, _ = strconv.ParseUint(s, 10, 64)
	}
	if s := os.Getenv("QFT_SEEDS"); s != "" {
		n, _ = strconv.ParseUint(s, 10, 64)
	}
	for seed := first; seed < first+n; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			pausesComeAndGo(t, seed)
		})
	}
}

func pausesComeAndGo(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 6))
	rtt := time.Duration(10+rng.IntN(500)) * time.Millisecond
	p := newPausing(t, seed, rtt, 0.1*rng.Float64(), 6<<20)
	off := [2]bool{}
	for range 12 {
		p.Run(time.Duration(rng.IntN(4000))*time.Millisecond, nil)
		switch i := rng.IntN(2); rng.IntN(5) {
		case 0, 1:
			k := []*keeper{p.s, p.r}[i]
			k.pause(!k.paused)
		case 2:
			off[i] = !off[i]
			p.cut(i, off[i])
		case 3:
			p.lines[i].Renumber()
		case 4:
			if same(p.path, p.to.Dir) != nil { // else it has done its work
				p.r.kill()
				p.restart()
			}
		}
	}
	for i := range off {
		p.cut(i, false)
	}
	// A receiver that came while its line was dead, or before the one that was
	// killed was missed, has said so and ended: its person tries again.
	again := func(what string, so func() bool) {
		t.Helper()
		for range 20 {
			if p.Run(20*time.Second, func() bool { return p.r.Done() || so() }) && so() {
				return
			}
			if p.r.Done() && p.r.verdict(t.Context()) != nil {
				p.Run(5*time.Second, nil)
				p.restart()
			}
		}
		t.Fatalf("never: %s\n%+v\n%+v", what, p.s.events, p.r.events)
	}
	if same(p.path, p.to.Dir) == nil {
		return // a receiver that was killed when everything was in place has done its work
	}
	done := func() bool { return p.r.Done() && p.r.verdict(t.Context()) == nil }
	again("both know who has paused", func() bool {
		here, other := p.s.paused, p.r.paused
		return last[Paused](p.s) == Paused{here, other} && last[Paused](p.r) == Paused{other, here} || done()
	})
	p.s.pause(false)
	p.r.pause(false)
	again("all is there", done)
	p.wantSame(p.path, p.to.Dir)
	p.until(2*time.Minute, "the sender knows", p.s.Done)
}

// restart starts the receiver anew; its person still pauses.
func (p *pausing) restart() {
	paused := p.r.paused
	p.r = p.keepReceiving(p.homes[1], p.code, p.to)
	p.r.paused = paused
}
