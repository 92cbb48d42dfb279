package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"

	"qft"
)

// report prints an error for a person: what happened, why as far as it is
// known, and what to do, each on lines of its own. A command line that makes no
// sense has no why: that it is wrong says it.
func report(t *terminal, err error) {
	what, why, do := explain(err)
	t.tellProblem("1;31", "qft:", what)
	if why != "" {
		t.tellProblem("2", "  Why:", why)
	}
	if do != "" {
		t.tellProblem("1", "  To do:", do)
	}
}

// tellProblem prints a part of an error, behind what it is.
func (t *terminal) tellProblem(codes, head, text string) {
	text = head + " " + cleanLines(text)
	if t.redraws {
		text = wrap(text, width(t.err)-1, "    ")
	}
	fmt.Fprintln(t.err, t.style(codes, head)+strings.TrimPrefix(text, head))
}

// explain takes an error apart.
func explain(err error) (what, why, do string) {
	var usage usageError
	var e *qft.Error
	text := plainly(err)
	ours := errors.As(err, &e)
	if ours {
		do = e.Hint
	}
	switch {
	case errors.As(err, &usage):
		if do == "" {
			do = "qft --help shows the commands, qft help COMMAND what one takes."
		}
		return text, "", do
	case !ours, e.Kind == qft.KindUsage:
		return text, "", do
	case e.Kind == qft.KindCanceled, e.Kind == qft.KindRefused: // the reason is here, and knows it
		return whatHappened(e), "", do
	}
	return whatHappened(e), text, do
}

// whatHappened is the first thing to know: what has come to nothing.
func whatHappened(e *qft.Error) string {
	switch e.Kind {
	case qft.KindInternal:
		return "something went wrong that should not"
	case qft.KindFile:
		if e.Op == "receive" {
			return "that cannot be received here"
		}
		return "that cannot be sent"
	case qft.KindExists:
		return "there is something in the way"
	case qft.KindDisk:
		return "what comes cannot be written"
	case qft.KindPhrase:
		return "the code is not the sender's"
	case qft.KindTaken:
		return "the code cannot be used any more"
	case qft.KindHelper:
		return "the two machines cannot be brought together"
	case qft.KindNoPath:
		return "the other side is there, but no way leads to it"
	case qft.KindPeer:
		return "the other side has ended it"
	case qft.KindIncomplete:
		return "not everything has arrived"
	case qft.KindProtocol:
		return "the two sides do not understand each other"
	case qft.KindPort:
		return "the port cannot be used"
	case qft.KindTooMuch:
		return "that is too much"
	case qft.KindRefused:
		return "refused, as you said"
	case qft.KindCanceled:
		return "stopped"
	}
	return "it has come to nothing"
}

// plainly is an error without the names of the system's calls.
func plainly(err error) string {
	text := err.Error()
	replace := func(inner error, by string) { text = strings.Replace(text, inner.Error(), by, 1) }
	var path *fs.PathError
	if errors.As(err, &path) {
		replace(path, path.Path+": "+path.Err.Error())
	}
	var lookup *net.DNSError
	if errors.As(err, &lookup) {
		switch {
		case lookup.IsNotFound:
			replace(lookup, "there is no machine of that name")
		default:
			replace(lookup, "nobody here knows that name: is this machine online?")
		}
	}
	var address *net.AddrError
	if errors.As(err, &address) {
		why := address.Err
		if why == "missing port in address" {
			why = "the port is missing"
		}
		replace(address, fmt.Sprintf("%q: %s", address.Addr, why))
	}
	var op *net.OpError
	if errors.As(err, &op) {
		replace(op, op.Err.Error())
	}
	var call *os.SyscallError
	if errors.As(err, &call) {
		replace(call, call.Err.Error())
	}
	var number syscall.Errno
	if errors.As(err, &number) && number == syscall.EADDRINUSE {
		replace(number, "another program uses it")
	}
	if errors.Is(err, context.Canceled) {
		replace(context.Canceled, "interrupted")
	}
	return text
}

// style sets a piece of text off on terminals that can.
func (t *terminal) style(codes, text string) string {
	if !t.styled {
		return text
	}
	return "\x1b[" + codes + "m" + text + "\x1b[0m"
}
