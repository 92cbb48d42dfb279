package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// standing is a code that stands on the screen, and what has been said below it.
// It is guarded by the terminal's lock.
type standing struct {
	code   string
	wanted bool // somebody is waited for who may type it
	drawn  bool // not only as text
	wide   int  // columns for which it is drawn
	high   int  // rows that have to be there for it
	below  int  // rows from the command on
	said   []string
	stop   chan struct{} // ends the watch; nil: there is none
}

const (
	// resizeEvery is how often a terminal with a picture is asked for its size. A
	// signal for that is not to be had everywhere.
	resizeEvery = 200 * time.Millisecond

	mostSaid = 20 // lines that are said again below a code that is drawn anew
)

// put takes note of what stands there now.
func (s *standing) put(lines []string, columns int) {
	s.drawn = slices.ContainsFunc(lines, isPicture)
	s.wide, s.high = columns, rowsOf(lines, columns)+storyRows
	command := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, "qft receive ") })
	s.below = rowsOf(lines[command:], columns)
}

// add takes note of what is said on a terminal of so many columns.
func (s *standing) add(text string, columns int) {
	s.below += saidRows(text, columns)
	if s.stop != nil {
		s.said = append(s.said, text)
		s.said = s.said[max(len(s.said)-mostSaid, 0):]
	}
}

// remind says again what further receivers have to type, once that has scrolled
// away.
func (t *terminal) remind() {
	s := &t.standing
	if _, rows := screen(t.err); !t.redraws || !s.wanted || s.code == "" || s.below+t.drawn < rows {
		return
	}
	s.below = 0
	t.say(nil, "for others: %s", t.steering.invite)
}

// watch has the code drawn anew when the terminal gets smaller, until nobody needs
// it any more: terminals break the rows of a picture, cut them, or push them out
// where they break the text below.
func (t *terminal) watch() {
	if t.pacer == nil || t.out != io.Writer(t.pacer) || !t.standing.drawn {
		return
	}
	stop := make(chan struct{})
	t.standing.stop = stop
	go func() {
		tick := time.NewTicker(resizeEvery)
		defer tick.Stop()
		var was [2]int
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			columns, rows := screen(t.err)
			if now := [2]int{columns, rows}; now != was {
				was = now // somebody still drags it, perhaps
				continue
			}
			t.refit(columns, rows)
		}
	}()
}

// unwatch ends the watch.
func (t *terminal) unwatch() {
	if t.standing.stop != nil {
		close(t.standing.stop)
		t.standing.stop = nil
	}
}

// refit draws the code anew if the terminal is too small for what is there: on an
// empty screen, below what there was, which can be scrolled back to. Then comes
// what was said last.
func (t *terminal) refit(columns, rows int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &t.standing
	if s.stop == nil || columns >= s.wide && rows >= s.high || !foreground(t.pacer.f) {
		return
	}
	t.wipe()
	fmt.Fprintf(t.out, "\x1b[%d;1H%s\x1b[H", rows, strings.Repeat("\n", rows))
	t.drawCode(columns, rows)
	said, room := s.said, rows-(s.high-storyRows)-1
	first := len(said)
	for ; first > 0; first-- {
		if room -= saidRows(said[first-1], columns); room < 0 {
			break
		}
	}
	s.said = nil
	for _, text := range said[first:] {
		t.say(nil, "%s", text)
	}
	if !s.drawn { // text is broken well by any terminal
		t.unwatch()
	}
}

// saidRows is how many rows something takes that is said.
func saidRows(text string, columns int) int {
	return strings.Count(wrap(text, columns-1, "  "), "\n") + 1
}
