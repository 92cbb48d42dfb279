package qft

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

// hang is how long a test waits for what has to come, however slow the machine is:
// what takes longer does not come.
const hang = time.Minute

// next takes what comes next from a channel.
func next[T any](t testing.TB, what string, from <-chan T) (got T) {
	t.Helper()
	late := time.NewTimer(hang)
	defer late.Stop()
	select {
	case got = <-from:
	case <-late.C:
		t.Fatalf("%s does not come", what)
	}
	return got
}

// wantNoLeak wants all goroutines to have ended. Who ends tells so before it is
// gone, and on a busy machine that takes longer than goleak waits.
func wantNoLeak(t testing.TB) {
	t.Helper()
	err := goleak.Find()
	for began := time.Now(); err != nil && time.Since(began) < hang; {
		err = goleak.Find()
	}
	if err != nil {
		t.Error(err)
	}
}
