package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"

	"qft"
)

// report prints an error for a person: what happened, why as far as it is
// known, and what to do. Programs' errors are one line whose parts are joined
// by colons, the cause last; people get them as sentences.
func report(t *terminal, err error) {
	lines := func(text string) string {
		if text = cleanLines(text); t.redraws {
			text = wrap(text, width(t.err)-1, "  ")
		}
		return text
	}
	what, why := explain(err)
	text := lines("qft: " + what)
	fmt.Fprintf(t.err, "%s%s\n", t.style("1;31", "qft:"), strings.TrimPrefix(text, "qft:"))
	if why != "" {
		fmt.Fprintln(t.err, lines(why))
	}
	var e *qft.Error
	if errors.As(err, &e) && e.Hint != "" {
		fmt.Fprintln(t.err, lines(e.Hint))
	}
	var usage usageError
	if errors.As(err, &usage) {
		fmt.Fprintln(t.err, "Try `qft --help`.")
	}
}

// explain takes an error apart into what happened and, where the system gave
// the cause, why.
func explain(err error) (what, why string) {
	text := err.Error()
	cause := systemCause(err)
	if cause == "" {
		return text, ""
	}
	what = strings.TrimSuffix(text, cause)
	if what == text { // it was wrapped in words of its own
		return text, ""
	}
	what = strings.TrimRight(what, ": ")
	return what, "Why: " + cause
}

// systemCause is what the operating system has said, if it is at the end of an
// error.
func systemCause(err error) string {
	var p *fs.PathError
	var l *os.LinkError
	var o *net.OpError
	var s *os.SyscallError
	switch {
	case errors.As(err, &p):
		return p.Err.Error()
	case errors.As(err, &l):
		return l.Err.Error()
	case errors.As(err, &s):
		return s.Err.Error()
	case errors.As(err, &o):
		return o.Err.Error()
	}
	return ""
}

// style sets a piece of text off on terminals that can.
func (t *terminal) style(codes, text string) string {
	if !t.styled {
		return text
	}
	return "\x1b[" + codes + "m" + text + "\x1b[0m"
}
