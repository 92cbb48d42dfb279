package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
	"rsc.io/qr"

	"qft"
)

// terminal prints what happens. The rules:
//
//   - stdout carries the result and nothing else: the code of a send, the path
//     of a received file;
//   - stderr carries the story. On a terminal its last line is rewritten in
//     place while bytes flow; elsewhere there are only whole lines, few;
//   - nothing that came from the other side or the helper is printed
//     unfiltered (clean).
type terminal struct {
	in       io.Reader
	out, err io.Writer

	file     qft.Offer
	path     string // kind of path, for the progress line
	started  time.Time
	line     bool      // a progress line stands there
	quiet    time.Time // piped: no progress line before
	lost     bool
	progress qft.Progress
}

// plainEvery is how often progress is told where lines cannot be rewritten.
const plainEvery = 10 * time.Second

const (
	// plainWidth is enough for all of a progress line, where it is not a
	// terminal's.
	plainWidth = 240
	// wordyWidth is how wide a line must be to say what each of its parts is.
	wordyWidth = 100
)

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func width(w any) int {
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 20 {
			return n
		}
	}
	return 80
}

// event prints one event.
func (t *terminal) event(e qft.Event) {
	switch e := e.(type) {
	case qft.Code:
		t.showCode(e.Code)
	case qft.Waiting:
		t.say("waiting for the other side")
	case qft.HelperSilent:
		t.say("the helper does not answer; still trying")
	case qft.HelperBack:
		t.say("the helper answers again")
	case qft.WrongPhrase:
		t.say("somebody came with a wrong phrase and was refused (%d more before this one is given up)", e.Left)
	case qft.Met:
		t.say("the other side is there; looking for a direct path")
	case qft.Connected:
		t.path = e.Path
		if t.started.IsZero() {
			t.started = time.Now()
		}
		t.say("connected: %s, %s, round trip %s", clean(e.Path), e.Remote, round(e.RTT))
	case qft.Offer:
		t.file = e
		if e.Resumed > 0 {
			t.say("%s, %s; %s of it were there already", clean(e.Name), size(e.Size), size(e.Resumed))
		} else {
			t.say("%s, %s", clean(e.Name), size(e.Size))
		}
	case qft.Progress:
		t.show(e)
	case qft.ContactLost:
		t.lost = true
		t.say("contact lost since %s; waiting for it to come back", e.Since.Format("15:04:05"))
	case qft.ContactBack:
		t.lost = false
		t.say("contact is back after %s", round(e.After))
	case qft.Hint:
		t.say("hint: %s", clean(e.Text))
	}
}

// showCode shows the code: alone on stdout, and for people with the command to
// type and a QR.
func (t *terminal) showCode(code string) {
	t.clearLine()
	if !isTerminal(t.out) {
		fmt.Fprintln(t.out, code)
		t.say("the code is %s; on the other machine: qft receive %s", code, code)
		return
	}
	fmt.Fprintf(t.out, "\n  Code: %s\n\n", code)
	if isTerminal(t.err) {
		fmt.Fprint(t.err, qrText(code))
	}
	t.say("on the other machine, type: qft receive %s", code)
}

// qrText draws a QR code, two modules to a character.
func qrText(text string) string {
	c, err := qr.Encode(text, qr.L)
	if err != nil {
		return ""
	}
	var b strings.Builder
	const quiet = 2 // modules of white around it
	for y := -quiet; y < c.Size+quiet; y += 2 {
		// White on black whatever the terminal's own colours are: scanners
		// want it that way round.
		b.WriteString("  \x1b[97;40m")
		for x := -quiet; x < c.Size+quiet; x++ {
			top, bottom := !c.Black(x, y), !c.Black(x, y+1)
			switch {
			case top && bottom:
				b.WriteRune('█')
			case top:
				b.WriteRune('▀')
			case bottom:
				b.WriteRune('▄')
			default:
				b.WriteByte(' ')
			}
		}
		b.WriteString("\x1b[0m\n")
	}
	return b.String()
}

// say prints a line of the story.
func (t *terminal) say(format string, args ...any) {
	t.clearLine()
	fmt.Fprintf(t.err, format+"\n", args...)
}

func (t *terminal) clearLine() {
	if t.line {
		fmt.Fprint(t.err, "\r\x1b[K")
		t.line = false
	}
}

// show prints progress: a line in place, or now and then a whole one.
func (t *terminal) show(p qft.Progress) {
	t.progress = p
	if isTerminal(t.err) {
		fmt.Fprintf(t.err, "\r\x1b[K%s", t.progressText(p, width(t.err)-1))
		t.line = true
		return
	}
	if now := time.Now(); now.After(t.quiet) {
		t.quiet = now.Add(plainEvery)
		fmt.Fprintln(t.err, t.progressText(p, plainWidth))
	}
}

// progressText is a progress line of at most so many columns: what matters
// least is left out first, and nothing is cut in the middle if it can be helped.
func (t *terminal) progressText(p qft.Progress, columns int) string {
	share := 100.0
	if p.Size > 0 {
		share = 100 * float64(p.Done) / float64(p.Size)
	}
	l := line{{fmt.Sprintf("%3.0f %%", share), 0}, {size(p.Done) + " of " + size(p.Size), 4}}
	if t.lost {
		return append(l, part{"no contact", 1}).fit(columns)
	}
	l = append(l, part{size(int64(p.Rate)) + "/s", 1})
	if p.Left > 0 {
		l = append(l, part{clock(p.Left) + " left", 2})
	}
	if b := p.Bottleneck.String(); b != "" {
		if columns >= wordyWidth {
			b = "bottleneck: " + b
		}
		l = append(l, part{b, 3})
	}
	l = append(l, part{clean(t.path), 8})
	if p.RTT > 0 {
		l = append(l, part{"RTT " + round(p.RTT), 5})
	}
	if p.Loss >= 0.001 {
		l = append(l, part{fmt.Sprintf("loss %.1f %%", 100*p.Loss), 6})
	}
	if p.PathRate > 0 {
		l = append(l, part{"path " + size(int64(p.PathRate)) + "/s", 7})
	}
	return l.fit(columns)
}

// line is a progress line in parts; part says in which order they are given up
// where they do not fit, the highest first.
type line []part

type part struct {
	text string
	rank int
}

func (l line) fit(columns int) string {
	const gap = 2
	n := -gap
	for _, p := range l {
		n += gap + utf8.RuneCountInString(p.text)
	}
	for n > columns && len(l) > 1 {
		worst := 0
		for i := range l {
			if l[i].rank > l[worst].rank {
				worst = i
			}
		}
		n -= gap + utf8.RuneCountInString(l[worst].text)
		l = slices.Delete(l, worst, worst+1)
	}
	texts := make([]string, len(l))
	for i := range l {
		texts[i] = l[i].text
	}
	return fit(strings.Join(texts, strings.Repeat(" ", gap)), columns)
}

// finish says how it went.
func (t *terminal) finish(verb string) {
	d := time.Since(t.started)
	n := t.file.Size - t.file.Resumed
	t.say("%s %s, %s in %s (%s/s), verified", verb, clean(t.file.Name), size(t.file.Size), round(d),
		size(int64(float64(n)/max(d.Seconds(), 1e-3))))
}

// askSecret reads a line without showing it.
func (t *terminal) askSecret(ctx context.Context, prompt string) (string, error) {
	f, ok := t.in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return t.ask(ctx, prompt)
	}
	was, err := term.GetState(int(f.Fd()))
	if err != nil {
		return "", usageError{fmt.Errorf("asking for the phrase: %w", err)}
	}
	fmt.Fprint(t.err, prompt)
	answer, err := t.await(ctx, func() (string, error) {
		b, err := term.ReadPassword(int(f.Fd()))
		return string(b), err
	})
	// An interrupted read has left the terminal without echo.
	if rerr := term.Restore(int(f.Fd()), was); rerr == nil && ctx.Err() == nil {
		fmt.Fprintln(t.err)
	}
	return answer, err
}

// clean makes foreign text harmless on a terminal: control characters, and
// the Unicode ones that reorder text, become question marks.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || unicode.Is(unicode.Bidi_Control, r) {
			return '?'
		}
		return r
	}, s)
}

func cleanLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = clean(lines[i])
	}
	return strings.Join(lines, "\n")
}

// fit cuts text to a number of columns.
func fit(s string, n int) string {
	r := []rune(s)
	if len(r) > n {
		return string(r[:n])
	}
	return s
}

// size writes bytes as people do: powers of 1000, three digits.
func size(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	f := float64(n)
	for _, unit := range []string{"kB", "MB", "GB", "TB", "PB"} {
		f /= 1000
		switch {
		case f < 9.995:
			return fmt.Sprintf("%.2f %s", f, unit)
		case f < 99.95:
			return fmt.Sprintf("%.1f %s", f, unit)
		case f < 999.5:
			return fmt.Sprintf("%.0f %s", f, unit)
		}
	}
	return fmt.Sprintf("%.0f EB", f/1000)
}

func round(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond).String()
	default:
		return d.Round(10 * time.Microsecond).String()
	}
}

// clock writes a remaining time.
func clock(d time.Duration) string {
	s := int(d.Seconds() + 0.5)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}
