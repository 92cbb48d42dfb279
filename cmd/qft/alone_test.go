package main

import (
	"bytes"
	"strings"
	"testing"

	"qft"
)

// TestWaitingInVainIsExplained: a receiver to whom nobody comes hears what may
// be wrong, as far as that depends on how it looks.
func TestWaitingInVainIsExplained(t *testing.T) {
	for _, c := range []struct {
		alone qft.Alone
		want  string
		not   string
	}{
		{qft.Alone{Nearby: true}, "nobody on this network has answered", "qft config helper"},
		{qft.Alone{Helper: true, Nearby: true}, "Do both sides name the same helper (qft config helper)?", "this network"},
		{qft.Alone{Host: true}, "is the code the sender's", "helper"},
	} {
		var story bytes.Buffer
		tm := newTerminal(nil, &story, &story)
		tm.event(qft.Waiting{Helper: c.alone.Helper, Host: c.alone.Host, Nearby: c.alone.Nearby})
		tm.event(c.alone)
		if text := story.String(); !strings.Contains(text, c.want) || strings.Contains(text, c.not) || strings.Count(text, "nobody ") != 1 {
			t.Errorf("%+v: %s", c.alone, text)
		}
	}
}
