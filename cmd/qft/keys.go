package main

import (
	"encoding/base64"
	"fmt"
	"math"

	"qft"
)

// steering is what a person can change by keys while something runs. It is
// guarded by the terminal's lock.
type steering struct {
	control    *qft.Control
	invite     string // what c copies; empty: there is nothing
	paused     bool
	background bool
	limit      float64 // bytes per second; 0: none
}

// attend has keys act until the function is called, if there is a person and
// the input is not what is sent.
func (t *terminal) attend(cfg *qft.Config, inputIsTaken bool) (leave func()) {
	if inputIsTaken || !t.attended() {
		return func() {}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.steering = steering{control: new(qft.Control), background: cfg.Background, limit: cfg.Limit}
	cfg.Control = t.steering.control
	t.takeKeys()
	if !t.edits() {
		return func() {}
	}
	t.read()
	t.typing.keys = t.act
	t.typing.wanted.Broadcast()
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.typing.keys = nil
	}
}

// suspend gives the terminal to others.
func (t *terminal) suspend() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wipe()
	t.giveBack()
}

// comeBack takes it again, if it is ours.
func (t *terminal) comeBack() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.takeKeys()
	if t.typing.started {
		t.typing.wanted.Broadcast()
	}
	t.prompt()
}

// keysText says what the keys do.
func (s *steering) keysText() string {
	text := "keys: p pause or go on, + - limit, 0 no limit, b background"
	if s.invite != "" {
		text += ", c copy the command"
	}
	return text + ", Ctrl-C end"
}

// act does what a key says.
func (t *terminal) act(key rune) {
	s := &t.steering
	switch key {
	case 'p', ' ':
		s.paused = !s.paused
		s.control.Pause(s.paused)
		t.sayPause()
	case '+', '=', '-', '_':
		s.limit = t.nextLimit(key == '+' || key == '=')
		s.control.SetLimit(s.limit)
		t.say(nil, "limit: %s/s", size(int64(s.limit)))
	case '0':
		s.limit = 0
		s.control.SetLimit(0)
		t.say(nil, "no limit")
	case 'b':
		s.background = !s.background
		s.control.SetBackground(s.background)
		if s.background {
			t.say(nil, "other traffic goes first")
			return
		}
		t.say(nil, "other traffic does not go first")
	case 'c':
		t.copyInvite()
	case '?', 'h':
		t.say(nil, "%s", s.keysText())
	}
}

// sayPause says what the key did before there is a session that tells it.
func (t *terminal) sayPause() {
	for _, v := range t.views {
		if !v.started.IsZero() {
			return
		}
	}
	if t.steering.paused {
		t.say(nil, "paused: when the other side comes, nothing moves until p is pressed again")
		return
	}
	t.say(nil, "not paused any more")
}

// nextLimit is half as much again, or a third less, in round figures: of the
// limit, or without one of the rate.
func (t *terminal) nextLimit(up bool) float64 {
	from := t.steering.limit
	if from == 0 {
		for _, v := range t.views {
			from += v.progress.Rate
		}
	}
	to := max(from, 10e3) / 1.5
	if up {
		to = max(from, 10e3) * 1.5
	}
	unit := math.Pow(10, math.Floor(math.Log10(to))-1)
	return max(math.Round(to/unit)*unit, 10e3)
}

// copyInvite copies what the other side has to type, by way of the terminal
// (OSC 52): it goes to the clipboard of the machine that the person sits at.
func (t *terminal) copyInvite() {
	if t.steering.invite == "" {
		return
	}
	fmt.Fprintf(t.err, "\x1b]52;c;%s\a", base64.StdEncoding.EncodeToString([]byte(t.steering.invite)))
	t.say(nil, "copied, if this terminal permits it: %s", t.steering.invite)
}

// notify tells a person who looks elsewhere that it is over.
func (t *terminal) notify(text string) {
	if !t.redraws || t.json {
		return
	}
	if t.wants.notify {
		fmt.Fprintf(t.err, "\x1b]9;qft: %s\a\x1b]777;notify;qft;%s\a", text, text)
	}
	if t.wants.bell || t.wants.notify {
		fmt.Fprint(t.err, "\a")
	}
}

// wants is what a person has asked for.
type wants struct{ copy, qr, bell, notify bool }
