package qft

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"qft/internal/duplex"
	"qft/internal/lab"
	"qft/internal/peer"
	"qft/internal/rendezvous"
)

// loopback is a Config for tests on this machine.
func loopback(helper string) Config {
	return Config{NoPortMapping: true, NoNearby: true, Helper: helper}
}

// told has a Config pass on the code that is made.
func told(cfg Config) (Config, <-chan string) {
	codes := make(chan string, 1)
	events := cfg.Events
	cfg.Events = func(e Event) {
		if c, ok := e.(Code); ok {
			codes <- c.Code
		}
		if events != nil {
			events(e)
		}
	}
	return cfg, codes
}

// streams is a pair of ends on this machine.
func streams(t testing.TB, helper string) (a, b *Stream) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cfg, codes := told(loopback(helper))
	var accepting sync.WaitGroup
	accepting.Go(func() {
		var err error
		if a, err = Accept(ctx, cfg); err != nil {
			t.Errorf("accept: %v", err)
		}
	})
	dial := loopback(helper)
	dial.Phrase = next(t, "a code", codes)
	b, err := Dial(ctx, dial)
	accepting.Wait()
	if err != nil || a == nil {
		t.Fatalf("dial: %v", err)
	}
	return a, b
}

func TestStreamCarriesBothDirections(t *testing.T) {
	t.Cleanup(func() { wantNoLeak(t) })
	a, b := streams(t, startHelper(t))
	if a.Path() != "this machine" && a.Path() == "" || !b.Remote().IsValid() {
		t.Errorf("path %q, remote %v", a.Path(), b.Remote())
	}
	noise := make([]byte, 40<<20) // several windows
	rand.Read(noise)
	var all sync.WaitGroup
	for _, s := range []*Stream{a, b} {
		all.Go(func() {
			if n, err := io.Copy(s, bytes.NewReader(noise)); err != nil || n != int64(len(noise)) {
				t.Errorf("wrote %d bytes, %v", n, err)
			}
			if err := s.CloseWrite(); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			got, err := io.ReadAll(s)
			if err != nil || !bytes.Equal(got, noise) {
				t.Errorf("read %d bytes, %v", len(got), err)
			}
		})
	}
	all.Wait()
	for _, s := range []*Stream{a, b} {
		if n, err := s.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("behind the end: %d, %v", n, err)
		}
		if _, err := s.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("writing behind CloseWrite: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) || KindOf(err) != KindCanceled {
			t.Errorf("reading behind Close: %v", err)
		}
	}
}

// TestStreamCloseDeliversWhatWasWritten: the other side reads it though it was
// not even reading then, and writes nothing more.
func TestStreamCloseDeliversWhatWasWritten(t *testing.T) {
	t.Cleanup(func() { wantNoLeak(t) })
	a, b := streams(t, startHelper(t))
	noise := make([]byte, 5<<20)
	rand.Read(noise)
	if _, err := a.Write(noise); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Errorf("closing with all delivered: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	got, err := io.ReadAll(b)
	if err != nil || !bytes.Equal(got, noise) {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
	if _, err := b.Write([]byte("too late")); KindOf(err) != KindPeer {
		t.Errorf("writing to who has closed: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

// TestStreamCloseTellsWhatWasNotRead: a writer learns that the other side has
// closed without having read all.
func TestStreamCloseTellsWhatWasNotRead(t *testing.T) {
	t.Cleanup(func() { wantNoLeak(t) })
	a, b := streams(t, startHelper(t))
	failed := make(chan error, 1)
	go func() {
		_, err := a.Write(make([]byte, 64<<20)) // waits for room
		failed <- err
	}()
	if _, err := io.ReadFull(b, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if err := next(t, "the end of the writer", failed); KindOf(err) != KindPeer {
		t.Errorf("the writer was told %v", err)
	}
	if err := a.Close(); KindOf(err) != KindPeer || !strings.Contains(err.Error(), "not all that was written") {
		t.Errorf("its Close returns %v", err)
	}
}

// TestStreamMeetsFiles: who comes for a stream and meets who has files, or wants
// some, and the other way round: both are told.
func TestStreamMeetsFiles(t *testing.T) {
	t.Cleanup(func() { wantNoLeak(t) })
	helper := startHelper(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	path := filepath.Join(t.TempDir(), "a.bin")
	if err := os.WriteFile(path, []byte("a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := func(who string, err error) {
		t.Helper()
		if KindOf(err) != KindProtocol || !strings.Contains(err.Error(), "the other for a stream") {
			t.Errorf("%s: %v", who, err)
		}
	}
	var first sync.WaitGroup
	cfg, codes := told(loopback(helper))
	first.Go(func() {
		_, err := Send(ctx, Source{Paths: []string{path}}, cfg)
		want("send", err)
	})
	second := loopback(helper)
	second.Phrase = next(t, "a code", codes)
	_, err := Dial(ctx, second)
	want("dial", err)
	first.Wait()

	cfg, codes = told(loopback(helper))
	first.Go(func() {
		_, err := Accept(ctx, cfg)
		want("accept", err)
	})
	second.Phrase = next(t, "a code", codes)
	_, err = Receive(ctx, Target{Dir: t.TempDir()}, second)
	want("receive", err)
	first.Wait()
}

// TestStreamMeetingIsBoundByContext, and nothing of it is left; once there is a
// Stream, the context has no say.
func TestStreamMeetingIsBoundByContext(t *testing.T) {
	t.Cleanup(func() { wantNoLeak(t) })
	helper := startHelper(t)
	ctx, cancel := context.WithTimeout(t.Context(), hang)
	defer cancel()
	cfg, codes := told(loopback(helper))
	go func() { <-codes; cancel() }()
	if _, err := Accept(ctx, cfg); KindOf(err) != KindCanceled || !errors.Is(err, context.Canceled) {
		t.Errorf("accept: %v", err)
	}
	for _, err := range []error{
		second(Dial(t.Context(), loopback(helper))),
		second(Dial(t.Context(), Config{Phrase: "x", NoNearby: true})),
		second(Accept(t.Context(), Config{Host: "127.0.0.1"})),
	} {
		if KindOf(err) != KindUsage {
			t.Errorf("a call that makes no sense: %v", err)
		}
	}
	a, b := streams(t, helper) // whose context has ended by now
	if _, err := a.Write([]byte("hello")); err != nil {
		t.Error(err)
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(b, got); err != nil || string(got) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
	if err := errors.Join(a.Close(), b.Close()); err != nil {
		t.Error(err)
	}
}

// streamKeeper is an Accept or a Dial in the lab.
func (p *pausing) streamKeeper(h *lab.Host, role rendezvous.Role, phrase string) (*keeper, *duplex.End) {
	k := p.keep(h, role, phrase, 1)
	e := duplex.New(func(work, done func()) {
		for _, n := range k.nodes {
			h.Wake(n.port)
		}
	}, func() {})
	k.once, k.both = true, true
	k.open = func(func(work, done func()), <-chan struct{}) (*party, error) {
		return &party{engine: e, attach: func(l peer.Link) { l.SetSource(e); l.SetSink(e) }}, nil
	}
	k.port = h.Bind(0, k)
	return k, e
}

// newStreaming is a stream between two homes in the lab.
func newStreaming(t *testing.T) (p *pausing, from, to *duplex.End) {
	t.Helper()
	p = &pausing{meeting: newStanding(t, 1)}
	p.houses(100*time.Millisecond, 0.02)
	p.s, from = p.streamKeeper(p.homes[0], rendezvous.Sender, "")
	p.r, to = p.streamKeeper(p.homes[1], rendezvous.Receiver, p.s.code())
	p.until(time.Minute, "a connection", func() bool { return seen[Connected](p.s) > 0 && seen[Connected](p.r) > 0 })
	p.Run(2*time.Second, nil)
	return p, from, to
}

// TestStreamCloseWithoutContact is over in a bounded time, and says what is
// missing; the other side, when its person gives up, as well.
func TestStreamCloseWithoutContact(t *testing.T) {
	skipUnderRace(t)
	p, from, to := newStreaming(t)
	p.cut(0, true)
	if _, err := from.Write(make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	p.Run(time.Minute, nil)
	from.Hang()
	p.until(20*time.Second, "the end of who has written", p.s.Done)
	if err := streamError(from.Flaw()); KindOf(err) != KindPeer || !errors.Is(err, duplex.ErrLate) {
		t.Errorf("closing without contact: %v", err)
	}
	p.Run(time.Minute, nil)
	if p.r.Done() {
		t.Errorf("the other side has ended by itself: %v", p.r.events)
	}
	to.Hang()
	p.until(20*time.Second, "the end of the other", p.r.Done)
	if err := streamError(to.Flaw()); KindOf(err) != KindPeer && err != nil {
		t.Errorf("closing with nothing written: %v", err)
	}
}

// TestStreamSurvivesAMigrationAndAnOutage: both machines get new public
// addresses, and later one of them is gone for a minute; what was written then
// arrives. It is paused as a transfer is, from both sides.
func TestStreamSurvivesAMigrationAndAnOutage(t *testing.T) {
	skipUnderRace(t)
	p, from, to := newStreaming(t)
	a, b := p.s, p.r
	say := func(e *duplex.End, n int) {
		t.Helper()
		if m, err := e.Write(bytes.Repeat([]byte("x"), n)); m != n || err != nil {
			t.Fatalf("wrote %d of %d, %v", m, n, err)
		}
	}
	// arrives lets time pass in which so much should be there to be read.
	arrives := func(e *duplex.End, n int, limit time.Duration) {
		t.Helper()
		p.Run(limit, nil)
		got, err := io.ReadFull(e, make([]byte, n))
		if got != n || err != nil {
			t.Fatalf("read %d of %d, %v", got, n, err)
		}
	}
	say(from, 1<<20)
	say(to, 10)
	arrives(to, 1<<20, 3*time.Second)
	arrives(from, 10, 0)

	paths := seen[Connected](a)
	for _, line := range p.lines {
		line.Renumber()
	}
	say(from, 1000)
	p.until(time.Minute, "another path", func() bool { return seen[Connected](a) > paths })
	arrives(to, 1000, 5*time.Second)

	p.cut(1, true)
	say(to, 3000)
	p.until(time.Minute, "the loss of contact", func() bool { return seen[ContactLost](a) > 0 })
	p.Run(time.Minute, nil)
	p.cut(1, false)
	arrives(from, 3000, 20*time.Second)

	a.pause(true)
	p.wantState(3*time.Second, true, false)
	say(to, 5000)
	say(from, 5000)
	p.Run(20*time.Second, nil)
	a.pause(false)
	p.wantState(3*time.Second, false, false)
	arrives(from, 5000, 3*time.Second)
	arrives(to, 5000, 0)

	from.Hang()
	p.until(10*time.Second, "the end of both", func() bool { return a.Done() && b.Done() })
	if n, err := to.Read(make([]byte, 1)); n != 0 || err != io.EOF || from.Flaw() != nil {
		t.Errorf("at the end: %d, %v, %v", n, err, from.Flaw())
	}
}

func second[T any](_ T, err error) error { return err }

// BenchmarkStream is one direction over loopback.
func BenchmarkStream(b *testing.B) {
	a, z := streams(b, startHelper(b))
	p := make([]byte, 1<<20)
	b.SetBytes(int64(len(p)))
	b.ResetTimer()
	go func() {
		for range b.N {
			a.Write(p)
		}
		a.CloseWrite()
	}()
	if n, err := io.Copy(io.Discard, z); err != nil || n != int64(b.N)<<20 {
		b.Errorf("%d bytes, %v", n, err)
	}
	b.StopTimer()
	a.Close()
	z.Close()
}
