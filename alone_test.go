package qft

import (
	"strings"
	"testing"
	"time"
)

// TestWaitingInVainIsExplained: a receiver to whom nobody comes is told so once,
// after half a minute, and waits on; one that is met, and a sender, are not.
func TestWaitingInVainIsExplained(t *testing.T) {
	m := newStanding(t, 1)
	h := m.public("sender", "receiver", "elsewhere")
	code := "7777-acid-robot-zebra"
	r := m.keepReceiving(h[1], code, Target{Dir: m.folder("to")})
	m.Run(aloneTime-time.Second, nil)
	if seen[Waiting](r) != 1 || seen[Alone](r) != 0 {
		t.Fatalf("told too early: %v", r.events)
	}
	m.Run(10*time.Minute, nil)
	if a := last[Alone](r); seen[Alone](r) != 1 || !a.Helper || a.After < aloneTime || a.After > aloneTime+time.Second || r.Done() {
		t.Errorf("told %d times, %+v, ended %v", seen[Alone](r), a, r.Done())
	}
	t.Log("# it is found all the same")
	path := m.file("a.bin", 1<<20)
	s := m.keepSending(h[0], code, path, 1)
	m.wantDone(time.Minute, s, r)

	s = m.keepSending(h[0], "", path, 1)
	code = s.code()
	m.Run(10*time.Minute, nil)
	r = m.keepReceiving(h[1], code, Target{Dir: m.folder("again")})
	m.wantDone(time.Minute, s, r)
	m.Run(time.Minute, nil)
	if seen[Alone](s)+seen[Alone](r) != 0 {
		t.Errorf("a sender was told %d times, and a receiver that was met %d times", seen[Alone](s), seen[Alone](r))
	}
}

// TestAWaitWithALimit: it ends where nobody comes, with an error of its own, on
// both sides and not before.
func TestAWaitWithALimit(t *testing.T) {
	m := newStanding(t, 1)
	h := m.public("sender", "receiver", "elsewhere")
	r := m.keepReceiving(h[1], "7777-acid-robot-zebra", Target{Dir: m.folder("to")})
	s := m.keepSending(h[0], "", m.file("a.bin", 1<<20), 1)
	r.vigil.limit, s.vigil.limit = time.Minute, 2*time.Minute
	m.Run(59*time.Second, nil)
	if r.Done() || s.Done() {
		t.Fatal("given up too early")
	}
	m.until(10*time.Second, "the receiver's end", r.Done)
	if err := r.verdict(t.Context()); KindOf(err) != KindNobody || !strings.Contains(err.Error(), "nobody has come within 1m0s") {
		t.Errorf("the receiver ended with %v", err)
	}
	m.Run(49*time.Second, nil)
	if s.Done() {
		t.Fatal("the sender gave up too early")
	}
	m.until(20*time.Second, "the sender's end", s.Done)
	if err := s.verdict(t.Context()); KindOf(err) != KindNobody {
		t.Errorf("the sender ended with %v", err)
	}
}

// TestALimitHoldsWhileNobodyIsThere: a transfer may take longer than that, and
// who comes back has as long as who comes.
func TestALimitHoldsWhileNobodyIsThere(t *testing.T) {
	m := newStanding(t, 1)
	h := m.public("sender", "receiver")
	path, to := m.file("a.bin", someMegabytes), Target{Dir: m.folder("to")}
	s := m.keepSending(h[0], "", path, 1)
	s.vigil.limit = time.Minute
	code := s.code()
	m.Run(50*time.Second, nil)
	r := m.keepReceiving(h[1], code, to)
	m.until(time.Minute, "some of it", r.moved(1<<20))
	r.pause(true)
	m.Run(10*time.Minute, nil)
	if s.Done() || r.Done() {
		t.Fatal("given up while somebody was there")
	}
	r.kill()
	m.Run(50*time.Second, nil)
	if s.Done() {
		t.Fatal("given up too early")
	}
	r = m.keepReceiving(h[1], code, to)
	m.until(time.Minute, "more of it", func() bool { return last[Offer](r).Resumed > 0 })
	r.kill()
	m.until(2*time.Minute, "the sender's end", s.Done)
	if err := s.verdict(t.Context()); KindOf(err) != KindNobody || !strings.Contains(err.Error(), "nobody has come back for 1m0s") {
		t.Errorf("the sender ended with %v", err)
	}
}
