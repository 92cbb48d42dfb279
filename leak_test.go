package qft

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// TestCanceledWhileWaitingLeavesNothing: without a helper, at a host, and while a
// person is asked for a token.
func TestCanceledWhileWaitingLeavesNothing(t *testing.T) {
	t.Cleanup(func() { wantNoLeak(t) })
	helper := startHelper(t)
	path := filepath.Join(t.TempDir(), "a.bin")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	base := Config{NoPortMapping: true, NoNearby: true}
	ask := func(ctx context.Context) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	}
	alone, host, tokens := base, base, base
	host.Host, host.Phrase = helper, "4711-acid-robot-zebra"
	tokens.Stun, tokens.Paste = []string{helper}, ask
	open := func() int {
		list, _ := os.ReadDir("/proc/self/fd") // where there is none, goroutines are all that is counted
		return len(list)
	}
	before := open()
	for name, c := range map[string]struct {
		cfg  Config
		send bool
	}{
		"alone": {alone, true}, "tokens, sender": {tokens, true}, "tokens, receiver": {tokens, false}, "host": {host, false},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		c.cfg.Events = func(e Event) {
			switch e.(type) {
			case Waiting, TokenWanted:
				cancel()
			}
		}
		var err error
		if c.send {
			_, err = Send(ctx, Source{Paths: []string{path}}, c.cfg)
		} else {
			_, err = Receive(ctx, Target{Dir: t.TempDir()}, c.cfg)
		}
		if KindOf(err) != KindCanceled {
			t.Errorf("%s: ended with %v", name, err)
		}
		cancel()
	}
	if after := open(); after > before {
		t.Errorf("%d descriptors, and %d before", after, before)
	}
}
