package e2e

import (
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"
)

// paused is a transfer on one cable that has been stopped in the middle and is
// begun again: what the person sees, and what the cable carries. The cable is slow
// until hurry, so that nothing has arrived before a busy machine stops it.
type paused struct {
	*pair
	file   file
	target string
}

func newPaused(t *testing.T) *paused {
	t.Helper()
	t.Parallel()
	p := &paused{pair: newPair(t)}
	p.a.limit("eth0", "20mbit")
	p.a.startHelper()
	p.file = p.pair.file("film.mkv", 64<<20)
	p.target = p.folder() + "/film.mkv"
	return p
}

// until starts a transfer and returns it when so much of it outlives a crash.
func (p *paused) until(percent int64) *transfer {
	p.t.Helper()
	x := p.again()
	p.kept(filepath.Dir(p.target), percent)
	return x
}

// kept waits until so much of what arrives in a folder outlives a crash.
func (p *paused) kept(folder string, percent int64) {
	p.t.Helper()
	untilVouched(p.t, folder, int(p.file.size*percent/100>>20))
}

// hurry makes the cable a fast one.
func (p *pair) hurry() { p.t.Helper(); p.a.limit("eth0", "80mbit") }

// again types the same two commands.
func (p *paused) again() *transfer {
	return p.bySender(p.a, p.b, pairHelper, p.file, p.target)
}

// continues wants the same two commands to send only what is missing: at
// least a quarter must not travel twice.
func (p *paused) continues() {
	p.t.Helper()
	before := p.b.traffic("eth0").in
	p.hurry()
	x := p.again()
	x.wantDelivered(bigTime)
	carried := p.b.traffic("eth0").in - before
	p.t.Logf("RESUMED: %d of %d bytes travelled the second time", carried, p.file.size)
	if carried > p.file.size*3/4 {
		p.t.Errorf("%d of %d bytes travelled again", carried, p.file.size)
	}
	for _, side := range []*proc{x.sender, x.receiver} {
		if !regexp.MustCompile(`[0-9.]+ MB of it were there already`).MatchString(side.err.text()) {
			p.t.Errorf("%s does not say how much was there already", side.title)
		}
	}
}

// sides picks the one that is stopped and the other.
func (x *transfer) sides(who string) (one, other *proc) {
	if who == "sender" {
		return x.sender, x.receiver
	}
	return x.receiver, x.sender
}

// wantStays wants a sender to say that it waits for its receiver.
func (p *proc) wantStays() {
	p.t.Helper()
	p.wantSay(patience, "this side stays and waits")
	p.wantSay(patience, "waiting at the helper as well")
}

// TestInterruptedAndContinued: Ctrl-C on either side ends it at once, the
// other side is told, nothing is lost. A receiver ends with its sender, whose
// next code is another one; a sender stays.
func TestInterruptedAndContinued(t *testing.T) {
	t.Parallel()
	for _, who := range []string{"sender", "receiver"} {
		for name, sig := range map[string]syscall.Signal{"SIGINT": syscall.SIGINT, "SIGTERM": syscall.SIGTERM} {
			t.Run(who+" "+name, func(t *testing.T) {
				p := newPaused(t)
				x := p.until(40)
				one, other := x.sides(who)
				one.signal(sig)
				one.wantEndSoon(2*time.Second, 130)
				one.wantSaid("same command again")
				if who == "receiver" {
					other.wantStays()
					other.signal(sig) // its person gives up too
					other.wantEndSoon(2*time.Second, 130)
				} else {
					other.wantEndSoon(2*time.Second, 10)
				}
				other.wantSaid("the other side", "same command again")
				x.wantPartial()
				p.continues()
			})
		}
	}
}

// TestKilledAndContinued: a crash or a power cut on either side. The other
// keeps waiting for it, as it should, until its person gives up.
func TestKilledAndContinued(t *testing.T) {
	t.Parallel()
	for _, who := range []string{"sender", "receiver", "both"} {
		t.Run(who, func(t *testing.T) {
			p := newPaused(t)
			x := p.until(40)
			one, other := x.sides(who)
			one.signal(syscall.SIGKILL)
			if who == "both" {
				other.signal(syscall.SIGKILL)
				<-other.done
			} else {
				other.wantSay(patience, "contact lost")
				other.signal(syscall.SIGINT)
				other.wantEnd(patience, 130)
			}
			<-one.done
			x.wantPartial()
			p.continues()
		})
	}
}

// TestContinuedUnderAnotherCode: a code is good for one transfer, and what has
// arrived under the first is there for the second.
func TestContinuedUnderAnotherCode(t *testing.T) {
	p := newPaused(t)
	dir := p.folder()
	one := p.a.qft("send", p.file.path, "--helper", pairHelper)
	into := p.b.qft("receive", p.learn(one), "-o", dir, "--helper", pairHelper)
	p.kept(dir, 40)
	into.signal(syscall.SIGINT)
	into.wantEndSoon(2*time.Second, 130)
	one.wantStays()
	one.signal(syscall.SIGINT)
	one.wantEndSoon(2*time.Second, 130)

	before := p.b.traffic("eth0").in
	p.hurry()
	two := p.a.qft("send", p.file.path, "--helper", pairHelper)
	x := &transfer{t: t, file: p.file, target: dir + "/film.mkv", sender: two}
	x.receiver = p.b.qft("receive", p.learn(two), "-o", dir, "--helper", pairHelper)
	x.wantDelivered(bigTime)
	x.receiver.wantSaid("of it were there already")
	if carried := p.b.traffic("eth0").in - before; carried > p.file.size*3/4 {
		t.Errorf("%d of %d bytes travelled again", carried, p.file.size)
	}
}

// TestInterruptedWhileWaiting: Ctrl-C before there is another side.
func TestInterruptedWhileWaiting(t *testing.T) {
	t.Parallel()
	w := newPair(t)
	w.a.startHelper()
	s := w.a.qft("send", w.file("x", 10).path, "--helper", pairHelper)
	w.learn(s)
	r := w.b.qft("receiver", pairHelper, phrase, w.folder()+"/x")
	r.wantSay(patience, "waiting for the other side")
	for _, p := range []*proc{s, r} {
		p.signal(syscall.SIGINT)
		p.wantEndSoon(2*time.Second, 130)
	}
}
