package qft

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
)

// Explain says an error in plain words, without the names of the system's calls
// and without addresses that are nobody's concern: what has come to nothing, and
// why, as far as that is known and not said already. Neither is capitalized or
// ends with a full stop, and both may hold foreign text, such as a file's name:
// who shows them has to make it safe. What can be done about it is Error.Hint.
//
// An error that is not of this package, and one of KindUsage, is all in what.
// The reason is left out where the person here knows it: KindCanceled and
// KindRefused. Of nil there is nothing to say.
func Explain(err error) (what, why string) {
	if err == nil {
		return "", ""
	}
	var e *Error
	if !errors.As(err, &e) || e.Kind == KindUsage {
		return plainly(err), ""
	}
	what = e.nothingCameOf()
	if e.Kind == KindCanceled || e.Kind == KindRefused {
		return what, ""
	}
	return what, plainly(err)
}

// shortly is what there is to know of an error in one line.
func shortly(err error) string {
	what, why := Explain(err)
	return cmp.Or(why, what)
}

// nothingCameOf is the first thing to know: what has come to nothing.
func (e *Error) nothingCameOf() string {
	switch e.Kind {
	case KindInternal:
		return "something went wrong that should not"
	case KindFile:
		if e.Op == "receive" {
			return "that cannot be received here"
		}
		return "that cannot be sent"
	case KindExists:
		return "there is something in the way"
	case KindDisk:
		return "what comes cannot be written"
	case KindPhrase:
		return "the code is not the sender's"
	case KindTaken:
		return "the code cannot be used any more"
	case KindHelper:
		return "the two machines cannot be brought together"
	case KindNoPath:
		return "the other side is there, but no way leads to it"
	case KindPeer:
		return "the other side has ended it"
	case KindIncomplete:
		return "not everything has arrived"
	case KindProtocol:
		return "the two sides do not understand each other"
	case KindPort:
		return "the port cannot be used"
	case KindTooMuch:
		return "that is too much"
	case KindNobody:
		return "nobody is there"
	case KindRefused:
		return "refused, as you said"
	case KindCanceled:
		return "stopped"
	}
	return "it has come to nothing"
}

// plainly is an error without the names of the system's calls.
func plainly(err error) string {
	text := err.Error()
	var walk func(error)
	walk = func(err error) { // from the outside in: what is inside is part of the words
		if was := err.Error(); was != "" {
			text = strings.Replace(text, was, plainWords(err), 1)
		}
		switch x := err.(type) {
		case interface{ Unwrap() error }:
			if inner := x.Unwrap(); inner != nil {
				walk(inner)
			}
		case interface{ Unwrap() []error }:
			for _, inner := range x.Unwrap() {
				walk(inner)
			}
		}
	}
	walk(err)
	return text
}

// plainWords are what an error says itself, with what it wraps as that says it.
func plainWords(err error) string {
	switch e := err.(type) {
	case *fs.PathError:
		return e.Path + ": " + e.Err.Error()
	case *os.LinkError:
		return e.New + ": " + e.Err.Error()
	case *os.SyscallError:
		return e.Err.Error()
	case *net.OpError:
		return e.Err.Error()
	case *net.DNSError:
		if e.IsNotFound {
			return "there is no machine of that name"
		}
		return "nobody here knows that name: is this machine online?"
	case *net.AddrError:
		why := e.Err
		if why == "missing port in address" {
			why = "the port is missing"
		}
		return fmt.Sprintf("%q: %s", e.Addr, why)
	}
	switch err {
	case syscall.EADDRINUSE:
		return "another program uses it"
	case context.Canceled:
		return "interrupted"
	case context.DeadlineExceeded:
		return "it took too long"
	}
	return err.Error()
}
