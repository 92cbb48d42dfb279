package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"qft"
)

// TestErrorsHaveThreeParts: what happened, why, what to do, in words.
func TestErrorsHaveThreeParts(t *testing.T) {
	lookup := &net.DNSError{Err: "no such host", Name: "nowhere.invalid", Server: "192.0.2.53:53", IsNotFound: true}
	for want, err := range map[string]error{
		"qft: that cannot be sent\n  Why: film: no such file or directory\n  To do: check the name\n": &qft.Error{Op: "send", Kind: qft.KindFile,
			Err: &fs.PathError{Op: "open", Path: "film", Err: syscall.ENOENT}, Hint: "check the name"},
		"qft: the other side has ended it\n  Why: the other side reports: refused\n": &qft.Error{Op: "send", Kind: qft.KindPeer,
			Err: errors.New("the other side reports: refused")},
		"qft: stopped\n": &qft.Error{Op: "send", Kind: qft.KindCanceled, Err: context.Canceled},
		"qft: the two machines cannot be brought together\n  Why: looking up nowhere.invalid: there is no machine of that name\n": &qft.Error{
			Op: "send", Kind: qft.KindHelper, Err: fmt.Errorf("looking up nowhere.invalid: %w", lookup)},
		"qft: the port cannot be used\n  Why: listening: another program uses it\n": &qft.Error{Kind: qft.KindPort,
			Err: fmt.Errorf("listening: %w", &net.OpError{Op: "listen", Net: "udp", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)})},
		"qft: --to 0: at least one\n  To do: qft --help shows the commands, qft help COMMAND what one takes.\n": usageError{errors.New("--to 0: at least one")},
		"qft: that is too much\n  Why: ?[2J\n    x\n":                                                           &qft.Error{Kind: qft.KindTooMuch, Err: errors.New("\x1b[2J\n    x")},
	} {
		var out bytes.Buffer
		report(newTerminal(nil, &out, &out), err)
		if out.String() != want {
			t.Errorf("%v is\n%s\nwant\n%s", err, &out, want)
		}
	}
	for k := qft.KindInternal; k <= qft.KindCanceled; k++ {
		if what, _, _ := explain(&qft.Error{Kind: k, Err: errors.New("x")}); what == "" || strings.Contains(what, "nothing") && k != qft.KindUsage {
			t.Errorf("kind %v has no words: %q", k, what)
		}
	}
}

// TestWideTextIsMeasured: characters of two columns, and those of none, break no
// line.
func TestWideTextIsMeasured(t *testing.T) {
	for s, want := range map[string]int{"abc": 3, "写真": 4, "e\u0301": 1, "한글.txt": 8, "🎬": 2} {
		if got := columns(s); got != want {
			t.Errorf("%q takes %d columns, want %d", s, got, want)
		}
		for n := range 9 {
			if columns(fit(s, n)) > n || columns(tail(s, max(n, 1))) > max(n, 1) {
				t.Errorf("%q in %d columns is %q or %q", s, n, fit(s, n), tail(s, n))
			}
		}
	}
	if got := tail("写真/film.mkv", 9); got != "…film.mkv" {
		t.Errorf("%q", got)
	}
}
