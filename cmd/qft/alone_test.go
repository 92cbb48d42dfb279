package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"qft"
)

// TestWaitingInVainIsExplained: a receiver to whom nobody comes hears once what
// may be wrong; one that is met, and a sender, hear nothing of it.
func TestWaitingInVainIsExplained(t *testing.T) {
	for name, c := range map[string]struct {
		receives bool
		waiting  qft.Waiting
		met      bool
		want     string
	}{
		"on this network": {receives: true, waiting: qft.Waiting{Nearby: true}, want: "nobody on this network has answered"},
		"at a helper":     {receives: true, waiting: qft.Waiting{Helper: true, Nearby: true}, want: "nobody has come so far"},
		"met":             {receives: true, waiting: qft.Waiting{Nearby: true}, met: true},
		"a sender":        {waiting: qft.Waiting{Nearby: true}},
		"after a session": {receives: true, waiting: qft.Waiting{Again: true}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var story bytes.Buffer
				tm := newTerminal(nil, &story, &story)
				tm.receives = c.receives
				tm.event(c.waiting)
				tm.event(c.waiting)
				if c.met {
					tm.event(qft.Met{})
				}
				time.Sleep(2 * patience) // of the bubble
				synctest.Wait()
				if n := strings.Count(story.String(), "nobody "); c.want == "" && n != 0 || c.want != "" && n != 1 || !strings.Contains(story.String(), c.want) {
					t.Errorf("%s", story.String())
				}
			})
		})
	}
}
