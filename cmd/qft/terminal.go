package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"qft"
)

// terminal prints what happens. The rules:
//
//   - stdout carries the result and nothing else: the code of a send; the paths
//     of what was received, or the text, or the bytes of a stream; or, with
//     --json, the events;
//   - stderr carries the story. On a terminal its last lines, one for each
//     session, are rewritten in place while bytes flow; elsewhere there are
//     only whole lines, few;
//   - nothing that came from the other side or the helper is printed
//     unfiltered (clean).
type terminal struct {
	in       io.Reader
	out, err io.Writer
	json     bool // events on stdout instead of words
	task
	look

	typing   typing
	steering steering
	standing standing
	wants    wants
	pacer    *pacer // what err is, if redraws

	mu     sync.Mutex // events and questions come from different goroutines
	views  map[int]*view
	drawn  int       // lines of progress that stand there, the cursor at the first
	across int       // columns that they were drawn for
	shown  string    // what they say
	calm   time.Time // no progress is drawn before
}

// task is what is being done.
type task struct {
	many     bool // several receivers
	checksum bool // hashes are to be shown
	text     bool // a text is sent
	receives bool
	keeps    bool   // what exists is kept, of all or of something
	tokens   bool   // people pass each other tokens
	own      bool   // there is a phrase of one's own, and no code
	sends    string // what is sent, for people

	terms  qft.Terms // of the command that was typed
	helper string    // where the two sides meet, if they meet at a helper
}

// look is what stderr can show.
type look struct {
	redraws bool // it is a terminal whose lines can be rewritten
	styled  bool // and that shows bold and faint
	fine    bool // and block characters
}

func newTerminal(in io.Reader, out, err io.Writer) *terminal {
	t := &terminal{in: in, out: out, err: err, views: make(map[int]*view)}
	t.terms = commandTerms
	if f, ok := err.(*os.File); ok && isTerminal(f) && canStyle(f) {
		t.redraws = true
		t.styled, t.fine = os.Getenv("NO_COLOR") == "", fineBars()
		t.pacer = newPacer(f)
		t.err = t.pacer
		if o, ok := out.(*os.File); ok && sameFile(o, f) {
			t.out = t.pacer
		}
	}
	return t
}

// close gives the terminal back.
func (t *terminal) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unwatch()
	t.typing.closed = true
	if t.typing.unwatch != nil {
		t.typing.unwatch()
		t.typing.unwatch = nil
	}
	t.giveBack()
	if t.pacer != nil {
		t.pacer.flush()
	}
}

// plainEvery is how often progress is told where lines cannot be rewritten.
const plainEvery = 10 * time.Second

// view is what is shown of one session; the only one has number 0.
type view struct {
	number   int
	offer    qft.Offer
	path     string // kind of path, for the progress line
	stays    bool   // it is said that the other side may come back
	helped   bool   // and that it is waited for at the helper too
	started  time.Time
	met      bool      // it is said that it is connected, and how
	quiet    time.Time // piped: no progress line before
	lost     bool
	since    time.Time // it has been lost
	pause    qft.Paused
	moving   bool // there is progress to show
	text     bool // it is a text, of which there is none
	kept     bool // what exists stays, by the receiver's wish
	progress qft.Progress
}

func isTerminal(w any) bool {
	if p, ok := w.(*pacer); ok {
		w = p.f
	}
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func width(w any) int {
	columns, _ := screen(w)
	return columns
}

// screen is how many columns and rows a terminal has; it is asked each time,
// since people change it.
func screen(w any) (columns, rows int) {
	if p, ok := w.(*pacer); ok {
		w = p.f
	}
	if f, ok := w.(*os.File); ok {
		if c, r, err := term.GetSize(int(f.Fd())); err == nil && c > 4 {
			return c, r
		}
	}
	return 80, 24
}

// event prints one event.
func (t *terminal) event(e qft.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.json {
		t.line(e)
		return
	}
	number := 0
	if s, ok := e.(qft.Session); ok {
		number, e = s.Number, s.Event
	}
	v := t.views[number]
	if v == nil {
		v = &view{number: number, text: t.text}
		t.views[number] = v
	}
	t.tell(v, e)
}

// line prints an event for a program.
func (t *terminal) line(e qft.Event) {
	t.out.Write(append(qft.EncodeEvent(time.Now(), t.terms.Event(e)), '\n'))
}

// tell prints an event of a session for a person.
func (t *terminal) tell(v *view, e qft.Event) {
	switch e := e.(type) {
	case qft.Code:
		t.showCode(e.Code)
	case qft.WeakPhrase:
		t.say(v, "note: this phrase is easily guessed: %s. Who guesses it can take your place. Safer: the code that qft send makes, "+
			"or five words drawn at random", clean(e.Reason))
	case qft.Waiting:
		t.standing.wanted = true
		t.tellWaiting(e)
	case qft.Alone:
		t.say(v, "%s Still waiting", t.terms.Alone(e))
	case qft.Token:
		t.showToken(e.Text)
	case qft.TokenWanted: // the question follows
	case qft.TokenRefused:
		t.say(v, "this does not help: %s", clean(e.Reason))
	case qft.HelperSilent:
		t.say(v, "the helper does not answer; still trying")
	case qft.HelperBack:
		t.say(v, "the helper answers again")
	case qft.HelperPorts:
		t.say(v, "%s", portsText(e))
	case qft.HelperRefuses:
		t.say(v, "the helper does not let us wait there again: %s; still trying", clean(e.Reason))
	case qft.WrongPhrase:
		if t.receives {
			t.say(v, "a sender is there with another phrase: is it the one that was agreed on? (%d more before it is given up)", e.Left)
			return
		}
		t.say(v, "somebody came with a wrong phrase and was refused (%d more before this one is given up)", e.Left)
	case qft.Queued:
		t.say(v, "the sender is there and takes others first; waiting for our turn")
	case qft.Met:
		t.standing.wanted = false
		if !t.many {
			t.unwatch()
		}
		if t.tokens && t.receives {
			t.say(v, "looking for a direct path, until the other side has pasted that")
			return
		}
		t.say(v, "the other side is there; looking for a direct path")
	case qft.Connected:
		said := v.met
		v.path, v.lost, v.met, v.stays, v.helped = e.Path, false, true, false, false
		if v.started.IsZero() {
			v.started = time.Now()
		}
		switch {
		case !t.redraws:
			t.say(v, "connected: %s, %s, round trip %s", clean(e.Path), e.Remote, round(e.RTT))
		case !said: // who watches sees another path in the line of progress
			t.say(v, "connected: %s, round trip %s", clean(e.Path), round(e.RTT))
			if !t.receives && !v.text {
				t.say(v, "waiting until the other side accepts")
			}
		}
	case qft.ContactLost:
		v.lost, v.since = true, e.Since
		t.say(v, "contact lost since %s; waiting for it to come back", e.Since.Format("15:04:05"))
	case qft.ContactBack:
		v.lost, v.stays, v.helped = false, false, false
		t.say(v, "contact is back after %s", round(e.After))
	case qft.Paused:
		t.tellPause(v, e)
	case qft.Hint:
		t.say(v, "hint: %s", clean(e.Text))
	default:
		t.tellTransfer(v, e)
	}
}

// tellPause prints who has paused, or that it goes on.
func (t *terminal) tellPause(v *view, e qft.Paused) {
	v.pause = e
	if v.paused() {
		t.say(v, "%s", v.pausedText())
		return
	}
	t.say(v, "it goes on")
}

// tellTransfer prints an event of a transfer.
func (t *terminal) tellTransfer(v *view, e qft.Event) {
	switch e := e.(type) {
	case qft.Proposal:
		v.text = e.Text
		if !t.attended() {
			t.say(v, "%s", proposalText(e))
		}
	case qft.Offer:
		if !v.moving {
			v.started = time.Now() // what a person took to answer is not the path's
		}
		v.offer = e
		if v.text {
			return
		}
		if e.Resumed > 0 {
			t.say(v, "%s, %s; %s of it were there already", nameText(e), sizeText(e), size(e.Resumed))
		} else {
			t.say(v, "%s, %s", nameText(e), sizeText(e))
		}
	case qft.Progress:
		t.show(v, e)
	case qft.FileFailed:
		t.say(v, "not transferred: %s: %s", clean(e.Path), clean(e.Why))
	case qft.FileRenamed:
		t.say(v, "renamed: %s is %s here", clean(e.Path), clean(e.Name))
	case qft.FileSkipped:
		t.say(v, "skipped: %s: %s", clean(e.Path), clean(e.Why))
	case qft.Interrupted:
		v.moving, v.lost, v.met, v.stays, v.helped = false, false, false, true, false
		t.say(v, "interrupted: %s", cleanLines(inWords(e.Err)))
		t.say(v, "this side stays and waits: the same command on the other side continues")
	case qft.Replaced:
		v.moving = false
		t.say(v, "a new session takes the place of the one without contact")
	case qft.Finished:
		v.moving = false
		if e.Err != nil {
			t.say(v, "ended: %s", cleanLines(inWords(e.Err)))
			t.remind()
			return
		}
		t.say(v, "%s", v.doneText("sent", e.Result))
		t.remind()
	}
}

func (t *terminal) tellWaiting(w qft.Waiting) {
	v := t.views[0]
	if !w.Helper && !w.Host && !w.Again {
		t.tellDirect(v, w)
	}
	switch {
	case w.Again && t.many:
		t.remind() // said once is enough, and the code is still good
	case w.Again:
		t.tellStay(v, w)
	case t.many:
		t.say(v, "waiting for receivers")
	default:
		t.say(v, "waiting for the other side")
	}
}

// tellStay says where who was met before is waited for, and what is to be done
// there: each once, however often new ways are found.
func (t *terminal) tellStay(v *view, w qft.Waiting) {
	if v.stays && (v.helped || !w.Helper) {
		return
	}
	text := "waiting here as well"
	if w.Helper {
		text, v.helped = "waiting at the helper as well", true
	}
	if !v.stays {
		text, v.stays = text+": the same command on the other side continues", true
	}
	t.say(v, "%s", text)
}

// tellDirect says how the two sides can find each other without a helper.
func (t *terminal) tellDirect(v *view, w qft.Waiting) {
	switch {
	case w.Nearby && w.Port != 0:
		t.say(v, "no helper is set: found on this network only")
	case w.Nearby:
		t.say(v, "looking on this network only: no helper is set")
	}
	if w.Port == 0 {
		return
	}
	at := "HOST"
	if w.Port != qft.DirectPort {
		at = fmt.Sprintf("HOST:%d", w.Port)
	}
	at = "CODE@" + at
	if t.own {
		at = "--ask " + strings.TrimPrefix(at, "CODE")
	}
	t.say(v, "from elsewhere, if UDP port %d of this machine can be reached there: qft receive %s", w.Port, at)
}

// showToken shows what the other side has to be given: a sender's alone on
// stdout, like a code, where a receiver has what it receives.
func (t *terminal) showToken(text string) {
	t.wipe()
	t.say(nil, "give this to the other side, all of it:")
	out := t.out
	if t.receives {
		out = t.err
	}
	fmt.Fprintf(out, "\n%s\n", text)
}

// say prints a line of the story.
func (t *terminal) say(v *view, format string, args ...any) {
	t.wipe()
	if v != nil && v.number > 0 {
		format = "receiver %d: " + format
		args = append([]any{v.number}, args...)
	}
	text := fmt.Sprintf(format, args...)
	if t.redraws {
		columns := width(t.err)
		t.standing.add(text, columns)
		text = wrap(text, columns-1, "  ")
	}
	fmt.Fprintln(t.err, text)
	t.prompt()
}

// wipe takes the progress lines away.
func (t *terminal) wipe() {
	t.shown = ""
	if t.drawn > 0 {
		fmt.Fprint(t.err, "\r\x1b[J")
		t.drawn = 0
	}
	if t.typing.asked != nil {
		t.eraseQuestion()
	}
}

// clear takes the progress lines away for good.
func (t *terminal) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wipe()
}

// show prints progress: lines in place, or now and then a whole one.
func (t *terminal) show(v *view, p qft.Progress) {
	if v.text {
		return
	}
	v.progress, v.moving = p, true
	now := time.Now()
	switch {
	case t.typing.asked != nil:
	case t.redraws:
		took, ready := t.pacer.ready()
		if !ready || now.Before(t.calm) {
			return
		}
		t.draw(width(t.err) - 1)
		t.calm = now.Add(max(drawEvery, drawShare*took))
	case now.After(v.quiet):
		v.quiet = now.Add(plainEvery)
		fmt.Fprintln(t.err, v.summary(plainWidth))
	}
}

// draw draws the lines of each session, one below the other, in one write, and
// leaves the cursor where they begin. Most terminals break lines anew when they
// get narrower, and keep the cursor at what it stood on: so whatever number of
// rows has come of what was drawn, they begin at the cursor, and nothing else is
// below it. No line is broken while it is drawn: the terminal may be narrower by
// then than it was a moment ago.
func (t *terminal) draw(columns int) {
	var all []*view
	for _, v := range t.views {
		if v.moving {
			all = append(all, v)
		}
	}
	slices.SortFunc(all, func(a, b *view) int { return a.number - b.number })
	if len(all) > maxLines {
		all = all[len(all)-maxLines:]
	}
	var lines []string
	for _, v := range all {
		if len(all) == 1 && v.number == 0 {
			lines = append(lines, v.rows(columns, t.fine)...)
			continue
		}
		lines = append(lines, v.summary(columns))
	}
	shown := strings.Join(lines, "\n")
	if shown == t.shown && columns == t.across {
		return
	}
	var b strings.Builder
	b.WriteString("\x1b[?7l")
	if t.drawn > 0 && columns != t.across {
		b.WriteString("\r\x1b[J")
		t.drawn = 0
	}
	t.shown, t.across = shown, columns
	for i, l := range lines {
		if i > 0 {
			b.WriteString("\n")
		}
		b.WriteString("\r" + l + "\x1b[K")
	}
	if t.drawn > len(lines) {
		b.WriteString("\x1b[J")
	}
	b.WriteString("\x1b[?7h")
	if len(lines) > 1 {
		fmt.Fprintf(&b, "\x1b[%dA", len(lines)-1)
	}
	b.WriteString("\r") // the last thing: a terminal that takes the rest for text is not to put it over a line
	t.drawn = len(lines)
	io.WriteString(t.err, b.String())
}

// maxLines is how many sessions are shown at most: they have to fit on a screen,
// or what is rewritten scrolls away.
const maxLines = 12

// finish says how it went, and prints the result.
func (t *terminal) finish(verb string, r qft.Result, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unwatch()
	t.wipe()
	if t.json {
		t.line(qft.Finished{Result: r, Err: err})
		return
	}
	t.notify(endText(verb, err))
	if err != nil && qft.KindOf(err) != qft.KindIncomplete {
		if qft.KindOf(err) == qft.KindCanceled && t.begun() {
			t.say(nil, "what has arrived is kept; qft resume lists it")
		}
		return
	}
	if r.Receivers > 1 || t.many {
		t.say(nil, "%s to %d receivers", verb, r.Receivers)
	} else if v := t.views[0]; v != nil && (err == nil || r.Files > 0) {
		v.kept = t.keeps
		t.say(nil, "%s", v.doneText(verb, r))
	}
	t.sayResult(r)
	if verb != "received" {
		return
	}
	if r.Text != "" {
		fmt.Fprintln(t.out, cleanText(r.Text))
	}
	for _, p := range r.Paths {
		fmt.Fprintln(t.out, p)
	}
}

// endText is how it went, for who looks elsewhere.
func endText(verb string, err error) string {
	switch {
	case err == nil:
		return verb + ", all of it"
	case qft.KindOf(err) == qft.KindCanceled:
		return "stopped"
	}
	return "failed: " + clean(inWords(err))
}

// begun reports whether something of a transfer may have arrived.
func (t *terminal) begun() bool {
	for _, v := range t.views {
		if v.offer.Size > 0 {
			return true
		}
	}
	return false
}

// sayResult tells what else there is to know.
func (t *terminal) sayResult(r qft.Result) {
	switch {
	case r.Checksum != "" && t.checksum:
		t.say(nil, "checksum, as b3sum prints it: %s", r.Checksum)
	case r.Root != "" && t.checksum:
		t.say(nil, "checksum over all: %s", r.Root)
	}
	if r.FailedCount == 0 {
		return
	}
	t.say(nil, "not transferred:")
	for _, f := range r.Failed {
		t.say(nil, "    %s: %s", clean(f.Path), clean(f.Why))
	}
	if more := r.FailedCount - int64(len(r.Failed)); more > 0 {
		t.say(nil, "    and %d more", more)
	}
}
