package gui

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"strings"
	"unicode"

	"qft"
)

// problemOf is an error as a person should see it.
func problemOf(err error) *Problem {
	if err == nil {
		return nil
	}
	what, why := qft.Explain(err)
	p := &Problem{Kind: qft.KindOf(err).String(), What: cmp.Or(why, what)}
	var e *qft.Error
	if errors.As(err, &e) {
		p.Advice = inWindow(e.Hint)
	}
	var u *unread
	if errors.As(err, &u) {
		p.What, p.Advice = strings.Replace(p.What, u.Error(), u.what, 1), u.advice
	}
	var no *refusal
	if errors.As(err, &no) {
		*p = no.problem
	}
	p.What, p.Advice = plainText(p.What), plainText(p.Advice)
	return p
}

// again is what the commands say of a transfer that can go on.
const again = "run the same command again on both sides to continue"

// inWindow is advice in terms of the window, in which there is no command to be
// run again, and no flag.
func inWindow(advice string) string {
	return strings.NewReplacer(
		again, "continue it on both sides: under History, or with the same code",
		"--wait none waits for ever", "wait: none, under Settings, waits for ever",
	).Replace(advice)
}

// plainText makes foreign text harmless: control characters, and the Unicode
// ones that reorder text, become question marks. Lines stay lines.
func plainText(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && (!unicode.IsPrint(r) || unicode.Is(unicode.Bidi_Control, r)) {
			return '?'
		}
		return r
	}, s)
}

// plainError is the cause of an error of a file, without the call and the path.
func plainError(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	var l *os.LinkError
	if errors.As(err, &l) {
		return l.Err
	}
	return err
}
