package qft

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// startHelper runs a helper on loopback until the test's end.
func startHelper(t *testing.T) (address string) {
	ready := make(chan uint16, 1)
	ctx, stop := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := Helper(ctx, HelperConfig{Ready: func(p uint16) { ready <- p }}); err != nil {
			t.Errorf("helper: %v", err)
		}
	})
	t.Cleanup(func() { stop(); done.Wait() })
	return fmt.Sprintf("127.0.0.1:%d", <-ready)
}

func TestSendAndReceiveOverRealSockets(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) }) // after the helper has ended
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
		_, err := Send(ctx, path, Config{Helper: helper, Events: func(e Event) {
			if c, ok := e.(Code); ok {
				codes <- c.Code
			}
		}})
		if err != nil {
			t.Errorf("send: %v", err)
		}
	})
	r, err := Receive(ctx, Target{Dir: to}, Config{Helper: helper, Phrase: <-codes})
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

func TestCanceledSendEndsAtOnce(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	helper := startHelper(t)
	path := filepath.Join(t.TempDir(), "a.bin")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Send(ctx, path, Config{Helper: helper, Events: func(e Event) {
		if _, ok := e.(Waiting); ok {
			cancel()
		}
	}})
	if KindOf(err) != KindCanceled {
		t.Errorf("a canceled send returned %v", err)
	}
}

func TestBadCallsAreToldBeforeAnythingIsOpened(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
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
		"no helper":      {func() error { _, err := Send(ctx, path, Config{}); return err }, KindUsage},
		"helper no port": {func() error { _, err := Send(ctx, path, Config{Helper: "127.0.0.1"}); return err }, KindUsage},
		"no file":        {func() error { _, err := Send(ctx, path+"x", Config{Helper: "127.0.0.1:1"}); return err }, KindFile},
		"a folder":       {func() error { _, err := Send(ctx, dir, Config{Helper: "127.0.0.1:1"}); return err }, KindFile},
		"no phrase":      {func() error { _, err := Receive(ctx, Target{Dir: dir}, Config{Helper: "127.0.0.1:1"}); return err }, KindUsage},
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
