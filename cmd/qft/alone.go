package main

import (
	"time"

	"qft"
)

// patience is how long a receiver waits in silence. A sender mostly is there
// first, so after that a person should know what may be wrong. It is no error:
// the sender may still come.
const patience = 20 * time.Second

// wonder says after a while that nobody has come to a receiver, and why that
// may be. It is said once.
func (t *terminal) wonder(w qft.Waiting) {
	if !t.receives || t.hushed || t.alone != nil || w.Again {
		return
	}
	text := "nobody has come so far; does the sender still wait, and is the code right? Still waiting"
	if !w.Helper && !w.Host {
		text = "nobody on this network has answered so far; does the sender still wait, is the code right, and are " +
			"both on the same network (guests are often kept apart)? From elsewhere: --helper on both sides, or CODE@HOST. Still looking"
	}
	t.alone = time.AfterFunc(patience, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if !t.hushed {
			t.say(t.views[0], "%s", text)
		}
	})
}

// hush: somebody has come, or it is over.
func (t *terminal) hush() {
	t.hushed = true
	if t.alone != nil {
		t.alone.Stop()
	}
}
