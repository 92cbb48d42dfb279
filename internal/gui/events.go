package gui

import (
	"fmt"
	"strings"
	"time"

	"qft"
	"qft/internal/settings"
)

const (
	mostNotes    = 20
	mostSamples  = 600
	mostSessions = 64
	// sampleTime is how far apart samples of the rate are.
	sampleTime = time.Second
)

// event shows what happens.
func (t *transfer) event(e qft.Event) {
	t.hub.mu.Lock()
	defer t.hub.mu.Unlock()
	if t.ended() {
		return
	}
	number := 0
	if s, ok := e.(qft.Session); ok {
		number, e = s.Number, s.Event
	}
	before := t.shown.Phase
	t.show(number, e)
	t.changed(t.shown.Phase != before)
}

func (t *transfer) show(number int, e qft.Event) {
	switch e := e.(type) {
	case qft.Progress:
		t.progress(number, e)
	case qft.Code:
		t.shown.Invite.Code = e.Code
		t.shown.Invite.Command = settings.Invite(e.Code, t.plan.cfg.Helper)
		t.shown.Invite.Helper = t.plan.cfg.Helper
	case qft.Token:
		t.shown.Invite.Token = e.Text
	case qft.Waiting:
		t.waits(e)
	case qft.Met:
		t.phase(PhaseMeeting)
	case qft.Queued:
		t.note("The sender is there, and takes others first.")
	default:
		t.sessionEvent(number, e)
		t.noteEvent(e)
	}
}

// phase moves on, but not while a person is being asked.
func (t *transfer) phase(p Phase) {
	if t.shown.Phase != PhaseAsking {
		t.shown.Phase = p
	}
}

func (t *transfer) waits(e qft.Waiting) {
	if t.shown.Phase == PhaseStarting || t.shown.Phase == PhaseMeeting {
		t.phase(PhaseWaiting)
	}
	if e.Port != 0 {
		at := "HOST"
		if e.Port != qft.DirectPort {
			at = fmt.Sprintf("HOST:%d", e.Port)
		}
		at = "CODE@" + at
		if t.plan.cfg.Phrase != "" {
			at = "--ask " + strings.TrimPrefix(at, "CODE")
		}
		t.note(fmt.Sprintf("No helper is set: found on this network only, or by qft receive %s where UDP port %d of this machine can be reached.", at, e.Port))
	}
}

// sessionEvent shows what concerns one session.
func (t *transfer) sessionEvent(number int, e qft.Event) {
	switch e := e.(type) {
	case qft.Connected:
		v := t.session(number)
		v.Link.Path, v.Link.Remote, v.Link.RTT = e.Path, e.Remote.String(), milliseconds(e.RTT)
		v.Link.LostSince = 0
	case qft.Offer:
		v := t.session(number)
		v.Size, v.Files, v.Resumed, v.Counted = e.Size, e.Files, e.Resumed, e.Counted
		if t.shown.Kind == "receive" || t.shown.Name == "" {
			t.shown.Name = e.Name
		}
		t.phase(PhaseMoving)
	case qft.Paused:
		t.session(number).Link.Paused = e.There
	case qft.ContactLost:
		t.session(number).Link.LostSince = e.Since.UnixMilli()
	case qft.ContactBack:
		t.session(number).Link.LostSince = 0
	case qft.Interrupted:
		t.session(number).Rate = 0
		t.phase(PhaseWaiting)
	case qft.Replaced:
		v := t.session(number)
		v.Ended = number > 0
		v.Problem = "another session took its place"
	case qft.Finished:
		v := t.session(number)
		v.Ended, v.Rate, v.Left = true, 0, 0
		if e.Err != nil {
			v.Problem = problemOf(e.Err).What
			return
		}
		v.Done, v.Size = e.Result.Size, e.Result.Size
		t.shown.Complete++
	}
}

// noteEvent keeps what a person should know.
func (t *transfer) noteEvent(e qft.Event) {
	switch e := e.(type) {
	case qft.WeakPhrase:
		t.note("This phrase is easily guessed: " + e.Reason + ". Who guesses it can take your place. Safer: a code, which is made when the phrase is left empty, or five words drawn at random.")
	case qft.Alone:
		text := terms.Alone(e)
		t.note(strings.ToUpper(text[:1]) + text[1:])
	case qft.HelperSilent:
		t.note("The helper does not answer; it is asked on and on.")
	case qft.HelperBack:
		t.note("The helper answers again.")
	case qft.HelperPorts:
		t.note(portsNote(e))
	case qft.HelperRefuses:
		t.note("The helper does not let us wait there again: " + e.Reason)
	case qft.WrongPhrase:
		if t.shown.Kind == "receive" {
			t.note(fmt.Sprintf("A sender is there with another phrase: is it the one that was agreed on? (%d more before it is given up)", e.Left))
			return
		}
		t.note(fmt.Sprintf("Somebody came with a wrong code and was refused (%d more before this one is given up).", e.Left))
	case qft.TokenRefused:
		t.note("This token does not help: " + e.Reason)
	case qft.ContactBack:
		t.note(fmt.Sprintf("Contact is back after %s.", e.After.Round(time.Second)))
	case qft.Interrupted:
		t.note("Interrupted: " + problemOf(e.Err).What + ". This side stays and waits.")
	case qft.FileFailed:
		t.note("Not transferred: " + e.Path + ": " + e.Why)
	case qft.FileSkipped:
		t.note("Left out: " + e.Path + ": " + e.Why)
	case qft.FileRenamed:
		t.note(e.Path + " is called " + e.Name + " here.")
	case qft.Hint:
		t.note("Hint: " + e.Text)
	}
}

func portsNote(e qft.HelperPorts) string {
	var parts []string
	add := func(what string, ports []uint16) {
		if len(ports) > 0 {
			parts = append(parts, what+" "+strings.Trim(fmt.Sprint(ports), "[]"))
		}
	}
	add("no answer from UDP ports", e.Blocked)
	add("UDP ports that answer:", e.Open)
	add("TCP ports that answer:", e.TCP)
	return "The helper, at " + strings.Join(parts, "; ") + "."
}

func (t *transfer) note(text string) {
	text = plainText(text)
	n := &t.shown.Notes
	if len(*n) > 0 && (*n)[len(*n)-1] == text {
		return
	}
	*n = append(*n, text)
	if len(*n) > mostNotes {
		*n = (*n)[1:]
	}
}

// progress shows how far a session is.
func (t *transfer) progress(number int, p qft.Progress) {
	t.phase(PhaseMoving)
	v := t.session(number)
	v.Size, v.Done, v.Files, v.FilesDone, v.Counted = p.Size, p.Done, p.Files, p.FilesDone, p.Counted
	v.File, v.Rate, v.Left = p.File, p.Rate, p.Left.Milliseconds()
	l := &v.Link
	l.RTT, l.Loss, l.PathRate, l.Bottleneck = milliseconds(p.RTT), p.Loss, p.PathRate, p.Bottleneck.String()
	if now := time.Now(); now.Sub(t.sampled[number]) >= sampleTime {
		t.sampled[number] = now
		v.Samples = append(v.Samples, p.Rate)
		if len(v.Samples) > mostSamples {
			v.Samples = v.Samples[1:]
		}
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// offeredName is what comes, for people, before it has begun.
func offeredName(p qft.Proposal) string {
	switch {
	case len(p.Names) == 0:
		return ""
	case p.Items > 1:
		return fmt.Sprintf("%s and %d more", p.Names[0], p.Items-1)
	}
	return p.Names[0]
}

// nameOf is what is sent, for people.
func nameOf(s qft.Source) string {
	switch {
	case s.Text != "":
		return "a text"
	case s.Name != "":
		return s.Name
	case len(s.Paths) == 1:
		return baseName(s.Paths[0])
	case len(s.Paths) > 1:
		return fmt.Sprintf("%s and %d more", baseName(s.Paths[0]), len(s.Paths)-1)
	}
	return ""
}
