package qft

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"qft/internal/peer"
)

// startHelper runs a helper on loopback until the test's end.
func startHelper(t testing.TB) (address string) {
	ready := make(chan uint16, 1)
	ctx, stop := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := Helper(ctx, HelperConfig{Ready: func(p []uint16) { ready <- p[0] }}); err != nil {
			t.Errorf("helper: %v", err)
		}
	})
	t.Cleanup(func() { stop(); done.Wait() })
	return fmt.Sprintf("127.0.0.1:%d", next(t, "a helper", ready))
}

func TestSendAndReceiveOverRealSockets(t *testing.T) {
	t.Cleanup(func() { wantNoLeak(t) }) // after the helper has ended
	helper := startHelper(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	from, to := t.TempDir(), t.TempDir()
	path := filepath.Join(from, "a.bin")
	if err := os.WriteFile(path, make([]byte, 5<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	codes := make(chan string, 1)
	var sender sync.WaitGroup
	sender.Go(func() {
		_, err := Send(ctx, Source{Paths: []string{path}}, Config{NoPortMapping: true, NoNearby: true, Helper: helper, Events: func(e Event) {
			if c, ok := e.(Code); ok {
				codes <- c.Code
			}
		}})
		if err != nil {
			t.Errorf("send: %v", err)
		}
	})
	r, err := Receive(ctx, Target{Dir: to}, Config{NoPortMapping: true, NoNearby: true, Helper: helper, Phrase: next(t, "a code", codes)})
	if err != nil {
		t.Fatal(err)
	}
	sender.Wait()
	if r.Size != 5<<20 || r.Path != filepath.Join(to, "a.bin") {
		t.Errorf("result %+v", r)
	}
	if err := same(path, to); err != nil {
		t.Error(err)
	}
}

// TestSeveralReceiversOverRealSockets: each with its own socket and loop, one of
// them stopped and started again, and nothing is left running.
func TestSeveralReceiversOverRealSockets(t *testing.T) {
	t.Cleanup(func() { wantNoLeak(t) })
	helper := startHelper(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	path := filepath.Join(t.TempDir(), "a.bin")
	noise := make([]byte, 8<<20)
	rand.Read(noise)
	if err := os.WriteFile(path, noise, 0o600); err != nil {
		t.Fatal(err)
	}
	const n = 3
	codes := make(chan string, 1)
	var finished atomic.Int32
	var all sync.WaitGroup
	all.Go(func() {
		r, err := Send(ctx, Source{Paths: []string{path}, Receivers: n}, Config{NoPortMapping: true, NoNearby: true, Helper: helper, Limit: 6e6, Events: func(e Event) {
			switch e := e.(type) {
			case Code:
				codes <- e.Code
			case Session:
				if f, ok := e.Event.(Finished); ok && f.Err == nil {
					finished.Add(1)
				}
			}
		}})
		if err != nil || r.Receivers != n || r.Path != path {
			t.Errorf("send: %+v, %v", r, err)
		}
	})
	code := next(t, "a code", codes)
	start := time.Now()
	for i := range n {
		all.Go(func() {
			to := t.TempDir()
			cfg := Config{NoPortMapping: true, NoNearby: true, Helper: helper, Phrase: code}
			if i == 0 {
				first, stop := context.WithCancel(ctx)
				cfg.Events = func(e Event) {
					if p, ok := e.(Progress); ok && p.Done > 0 {
						stop()
					}
				}
				if _, err := Receive(first, Target{Dir: to}, cfg); KindOf(err) != KindCanceled {
					t.Errorf("the stopped receiver: %v", err)
				}
				cfg.Events = nil
			}
			if _, err := Receive(ctx, Target{Dir: to}, cfg); err != nil {
				t.Errorf("receiver %d: %v", i, err)
			}
			if err := same(path, to); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	// The limit is one for all of them together; alone each would need a third.
	if took, least := time.Since(start), time.Duration(float64(n*len(noise))/6e6*float64(time.Second)); took < least*2/3 {
		t.Errorf("it took %v under a limit that allows %v", took, least)
	}
	if finished.Load() != n {
		t.Errorf("%d sessions were told to have finished", finished.Load())
	}
}

// TestPersonTakesTime: a question is answered when it is answered, and one that
// never is keeps nobody from stopping.
func TestPersonTakesTime(t *testing.T) {
	helper := startHelper(t)
	path := filepath.Join(t.TempDir(), "a.bin")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var sender sync.WaitGroup
	sender.Go(func() {
		_, err := Send(ctx, Source{Paths: []string{path}}, Config{NoPortMapping: true, NoNearby: true, Helper: helper, Phrase: "7-acid-robot-zebra"})
		if KindOf(err) != KindCanceled {
			t.Errorf("send: %v", err)
		}
	})
	asked, never := make(chan Proposal), make(chan struct{})
	first, stopFirst := context.WithCancel(ctx)
	var receiver sync.WaitGroup
	receiver.Go(func() {
		to := Target{Dir: t.TempDir(), Accept: func(p Proposal) bool { asked <- p; <-never; return true }}
		if _, err := Receive(first, to, Config{NoPortMapping: true, NoNearby: true, Helper: helper, Phrase: "7-acid-robot-zebra"}); KindOf(err) != KindCanceled {
			t.Errorf("receive: %v", err)
		}
	})
	if p := next(t, "the question", asked); p.Files != 1 || p.Names[0] != "a.bin" {
		t.Errorf("proposed was %+v", p)
	}
	stopFirst()
	receiver.Wait()
	stop()
	sender.Wait()
	close(never)
}

func TestCanceledSendEndsAtOnce(t *testing.T) {
	t.Cleanup(func() { wantNoLeak(t) })
	helper := startHelper(t)
	path := filepath.Join(t.TempDir(), "a.bin")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Send(ctx, Source{Paths: []string{path}}, Config{NoPortMapping: true, NoNearby: true, Helper: helper, Events: func(e Event) {
		if _, ok := e.(Waiting); ok {
			cancel()
		}
	}})
	if KindOf(err) != KindCanceled {
		t.Errorf("a canceled send returned %v", err)
	}
}

// TestAnotherCodeAtTheSendersHost: who names the sender's machine with a code that
// is not the sender's is told that, and nothing of helpers.
func TestAnotherCodeAtTheSendersHost(t *testing.T) {
	t.Cleanup(func() { wantNoLeak(t) })
	ctx, cancel := context.WithCancel(t.Context())
	port, ended := freePorts(t, 1)[0], make(chan struct{})
	waits := make(chan struct{})
	var once sync.Once
	go func() {
		defer close(ended)
		Send(ctx, Source{Text: "x"}, Config{Port: port, Events: func(e Event) {
			if _, ok := e.(Waiting); ok {
				once.Do(func() { close(waits) })
			}
		}})
	}()
	next(t, "a sender that waits", waits)
	_, err := Receive(t.Context(), Target{Dir: t.TempDir()}, Config{NoNearby: true, Phrase: "7-acid-robot-zebra", Host: fmt.Sprintf("127.0.0.1:%d", port)})
	if e, ok := err.(*Error); !ok || e.Kind != KindPhrase || !strings.Contains(e.Error(), "waits under another") || !strings.Contains(e.Hint, "Compare") {
		t.Errorf("it is %v", err)
	}
	cancel()
	next(t, "the end of the sender", ended)
}

func TestBadCallsAreToldBeforeAnythingIsOpened(t *testing.T) {
	t.Cleanup(func() { wantNoLeak(t) })
	dir := t.TempDir()
	path := filepath.Join(dir, "a.bin")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for name, c := range map[string]struct {
		call func() error
		kind Kind
	}{
		"nowhere to meet": {func() error {
			_, err := Receive(ctx, Target{Dir: dir}, Config{NoNearby: true, Phrase: "x"})
			return err
		}, KindUsage},
		"a sender's host for a sender": {func() error {
			_, err := Send(ctx, Source{Paths: []string{path}}, Config{Host: "127.0.0.1"})
			return err
		}, KindUsage},
		"no host": {func() error { _, err := Receive(ctx, Target{Dir: dir}, Config{Host: ":1", Phrase: "x"}); return err }, KindUsage},
		"helper port 0": {func() error {
			_, err := Send(ctx, Source{Paths: []string{path}}, Config{Helper: "127.0.0.1:0"})
			return err
		}, KindUsage},
		"no file": {func() error {
			_, err := Send(ctx, Source{Paths: []string{path + "x"}}, Config{Helper: "127.0.0.1:1"})
			return err
		}, KindFile},
		"nothing": {func() error { _, err := Send(ctx, Source{}, Config{Helper: "127.0.0.1:1"}); return err }, KindUsage},
		"two things": {func() error {
			_, err := Send(ctx, Source{Paths: []string{path}, Text: "x"}, Config{Helper: "127.0.0.1:1"})
			return err
		}, KindUsage},
		"a stream for two": {func() error {
			_, err := Send(ctx, Source{Stream: strings.NewReader("x"), Receivers: 2}, Config{Helper: "127.0.0.1:1"})
			return err
		}, KindUsage},
		"a long text": {func() error {
			_, err := Send(ctx, Source{Text: strings.Repeat("x", MaxText+1)}, Config{Helper: "127.0.0.1:1"})
			return err
		}, KindUsage},
		"no phrase": {func() error { _, err := Receive(ctx, Target{Dir: dir}, Config{Helper: "127.0.0.1:1"}); return err }, KindUsage},
		"target exists": {func() error {
			_, err := Receive(ctx, Target{Dir: dir, Name: "a.bin"}, Config{Helper: "127.0.0.1:1", Phrase: "x"})
			return err
		}, KindExists},
		"no target folder": {func() error {
			_, err := Receive(ctx, Target{Dir: dir + "x"}, Config{Helper: "127.0.0.1:1", Phrase: "x"})
			return err
		}, KindDisk},
	} {
		err := c.call()
		var e *Error
		if !errors.As(err, &e) || e.Kind != c.kind {
			t.Errorf("%s: %v is not of kind %d", name, err, c.kind)
		}
	}
}

func TestLimitChangesWhileTheTransferRuns(t *testing.T) {
	t.Cleanup(func() { wantNoLeak(t) })
	helper := startHelper(t)
	// Under any of the limits it takes longer than the context lasts.
	const size, first, second, other = 40 << 20, 400e3, 600e3, 650e3
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	from, to := t.TempDir(), t.TempDir()
	path := filepath.Join(from, "a.bin")
	noise := make([]byte, size) // what could be compressed would get past the limit
	rand.Read(noise)
	if err := os.WriteFile(path, noise, 0o600); err != nil {
		t.Fatal(err)
	}
	var ours, theirs Control // unused until the transfer runs: Config's limit holds
	codes, limited := make(chan string, 1), make(chan struct{}, 1)
	var both sync.WaitGroup
	both.Go(func() {
		_, err := Send(ctx, Source{Paths: []string{path}, NoCompress: true}, Config{NoPortMapping: true, NoNearby: true, Helper: helper, Limit: first, Control: &ours, Events: func(e Event) {
			switch e := e.(type) {
			case Code:
				codes <- e.Code
			case Progress:
				if e.Bottleneck == BottleneckLimit && e.Rate > 0 {
					select {
					case limited <- struct{}{}:
						ours.SetLimit(second) // from an event, in the loop
					default:
					}
				}
			}
		}})
		if err != nil {
			t.Errorf("send: %v", err)
		}
	})
	code := next(t, "a code", codes)
	var arrived atomic.Int64
	start := time.Now()
	both.Go(func() {
		r, err := Receive(ctx, Target{Dir: to}, Config{NoPortMapping: true, NoNearby: true, Helper: helper, Phrase: code, Limit: other, Control: &theirs, Events: func(e Event) {
			if p, ok := e.(Progress); ok {
				arrived.Store(p.Done)
			}
		}})
		if err != nil {
			t.Errorf("receive: %v", err)
		}
		t.Logf("%d bytes in %v", r.Size, time.Since(start))
	})
	next(t, "progress under a limit", limited)
	<-time.After(2 * time.Second) // under the second
	const ahead = 4 << 20         // what may have been sent at once
	if got, most := arrived.Load(), ahead+int64(second*time.Since(start).Seconds()); got > most {
		t.Errorf("%d bytes have arrived under limits that allow %d", got, most)
	}
	for rate := range 100 { // many at once, from another goroutine: the last one counts
		theirs.SetLimit(float64(rate + 1))
		theirs.SetBackground(rate%2 == 0)
	}
	theirs.SetLimit(0)
	ours.SetLimit(0)
	both.Wait()
	if err := same(path, to); err != nil {
		t.Error(err)
	}
	ours.SetLimit(1) // after the end: nobody is there
}

func TestControlHasTheLastWord(t *testing.T) {
	var c Control
	cfg := Config{Limit: 5, Background: true}
	if s := c.settings(cfg); s != (peer.Throttle{Limit: 5, Background: true}) {
		t.Errorf("an unused control makes %+v of %+v", s, cfg)
	}
	c.SetLimit(0)
	c.SetBackground(false)
	c.Pause(true)
	if s := c.settings(cfg); s != (peer.Throttle{Paused: true}) {
		t.Errorf("a control that takes both away and pauses makes %+v", s)
	}
	c.SetLimit(math.NaN())
	if s := c.settings(cfg); s.Limit != 0 {
		t.Errorf("nonsense is a limit of %v", s.Limit)
	}
}
