package main

import (
	"os"
	"strings"
	"testing"
)

// TestSlowTerminalHoldsNobodyUp: writes return although nobody reads, what is
// written keeps its order, and only what is much too much waits.
func TestSlowTerminalHoldsNobodyUp(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p := newPacer(w)
	var want strings.Builder
	for i := range 300 {
		line := strings.Repeat(string(rune('a'+i%26)), 1000) + "\n"
		want.WriteString(line)
		p.Write([]byte(line)) // far more than a pipe takes
	}
	if _, ok := p.ready(); ok {
		t.Error("all is said to be written, and nobody has read")
	}
	got := make([]byte, want.Len())
	for n := 0; n < len(got); {
		m, err := r.Read(got[n:])
		if err != nil {
			t.Fatal(err)
		}
		n += m
	}
	p.flush()
	if string(got) != want.String() {
		t.Error("the order is lost")
	}
	if _, ok := p.ready(); !ok {
		t.Error("what was read is said not to be written")
	}
}
