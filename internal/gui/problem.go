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
		p.Advice = terms.Hint(e)
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

// terms are how the window does what advice is about: there is no command to be
// run again, and no flag.
var terms = qft.Terms{
	Code:      "code",
	Again:     "try again, or continue it under History",
	Name:      "choose another folder, or have the sender rename it",
	Existing:  "move it away, or choose under Options what is to be done with what exists already",
	Folder:    "choose another folder, one where you may write",
	Most:      "allow more under Settings: max-size, max-files",
	Stream:    "send what comes out of it from a terminal: qft send - <IT",
	Discard:   "discard it under History",
	NoHelper:  "On one network, none as the helper does without it.",
	Helper:    " (under Settings)",
	Secret:    " (helper-secret-file, under Settings)",
	Elsewhere: "Across networks both sides need a helper, under Settings",
	Forever:   "wait: none, under Settings, waits for ever",
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
