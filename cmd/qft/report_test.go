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
	"qft/internal/settings"
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
		report(newTerminal(nil, &out, &out), mainName, mainName, err)
		if out.String() != want {
			t.Errorf("%v is\n%s\nwant\n%s", err, &out, want)
		}
	}
}

// TestAdviceFits: what to do about a command line that makes no sense is said
// by who knows it, and in general otherwise; under the name that was typed.
func TestAdviceFits(t *testing.T) {
	file := settings.Path()
	odd := errors.New("odd")
	for _, c := range []struct {
		name, want string
		err        error
	}{
		{mainName, "qft --help shows the commands, qft help COMMAND what one takes.", odd},
		{mainName, "qft --help shows the commands, qft help COMMAND what one takes.", &settings.Error{From: "--max-size", Err: odd}},
		{senderName, "qfts --help shows what it takes.", odd},
		{receiverName, "qftr --help shows what it takes.", odd},
		{mainName, "qft resume lists it", advised{odd, "qft resume lists it"}},
		{mainName, "qft config limit VALUE changes that line of the file, qft config --unset limit takes it out.",
			&settings.Error{From: file + ": limit", Err: odd}},
		{mainName, "correct that line of the file, or remove it: qft config --help shows what may be there.",
			&settings.Error{From: file + ":3", Err: odd}},
		{mainName, "check that this file belongs to you and can be read.", &settings.Error{From: file, Err: odd}},
		{mainName, "qft send --help shows how a rate is written.", &settings.Error{From: "--limit", Err: odd}},
		{senderName, "qft send --help shows how a rate is written.", &settings.Error{From: "QFT_LIMIT", Err: odd}},
		{mainName, "a helper is given as HOST or HOST:PORT, or as none: qft help helpers says what it is.", &settings.Error{From: "--helper", Err: odd}},
		{mainName, "qft config lists the settings, qft config --help shows how they are changed.", &settings.Error{From: "lan", Err: odd}},
	} {
		what, why, do := explain(commandTerms, c.name, usageError{c.err})
		if what != c.err.Error() || why != "" || do != c.want {
			t.Errorf("%v of %s is %q, %q, %q, want %q", c.err, c.name, what, why, do, c.want)
		}
	}
	var out bytes.Buffer
	report(newTerminal(nil, &out, &out), senderName, senderName, usageError{odd})
	if !strings.HasPrefix(out.String(), "qfts: odd\n") {
		t.Errorf("%s", &out)
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

// TestDiagnosesHaveExitCodes: a script can tell whether all is well, whether it
// will be hard, and whether nobody has answered.
func TestDiagnosesHaveExitCodes(t *testing.T) {
	seen := qft.IPCheck{Outside: "192.0.2.1:4000"}
	for _, c := range []struct {
		rating qft.Rating
		v4, v6 qft.IPCheck
		want   int
	}{
		{rating: qft.RatingOpen, v4: seen},
		{rating: qft.RatingGood, v4: seen, v6: seen},
		{rating: qft.RatingUnknown, v4: seen},
		{rating: qft.RatingLimited, v6: seen, want: 16},
		{rating: qft.RatingBlocked, want: 16},
		{rating: qft.RatingBlocked, v4: seen, want: 16},
		{rating: qft.RatingUnknown, want: 17},
	} {
		err := judged(qft.Diagnosis{Verdict: qft.Verdict{Rating: c.rating}, IPv4: c.v4, IPv6: c.v6})
		if code := exitCode(err); err != nil && code != c.want || err == nil && c.want != 0 {
			t.Errorf("%s, %+v, %+v: %v, exit code %d, want %d", c.rating, c.v4, c.v6, err, code, c.want)
		}
	}
	doc, err := os.ReadFile("../../docs/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []verdictError{errHard, errNoAnswer} {
		if !strings.Contains(string(doc), fmt.Sprintf("\n| %d | ", v)) || !strings.Contains(exitCodes(), fmt.Sprintf("\n%5d  ", v)) {
			t.Errorf("exit code %d is not documented", v)
		}
	}
}

// TestCodeThatNobodyTypes: where the input has ended, it is said what else to do,
// on a line of its own.
func TestCodeThatNobodyTypes(t *testing.T) {
	var out bytes.Buffer
	code := run(t.Context(), newTerminal(strings.NewReader(""), &out, &out), mainName, []string{"receive"})
	if code != 2 || !strings.HasSuffix(out.String(), "Code: \nqft: nobody answers: the input has ended\n  To do: give the code as an argument: qft receive CODE\n") {
		t.Errorf("exit code %d:\n%s", code, &out)
	}
}

// TestNameAloneFitsOnAScreen: the two commands that most people need are seen
// above the prompt of the smallest usual terminal.
func TestNameAloneFitsOnAScreen(t *testing.T) {
	var out bytes.Buffer
	if code := run(t.Context(), newTerminal(nil, &out, &out), mainName, nil); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if rows := strings.Count(out.String(), "\n"); rows > 23 || !strings.Contains(out.String(), "qft receive 7-acid-robot-zebra") {
		t.Errorf("it has %d rows:\n%s", rows, &out)
	}
}

// TestWrongCommandLines: each is answered in words, with what may have been meant.
func TestWrongCommandLines(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("film.mkv", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"send --limt 3 film.mkv": "qft send has no flag --limt; perhaps --limit\n  To do: qft send --help shows what it takes.\n",
		"send --frobnicate x":    "qft send has no flag --frobnicate\n  To do: qft send --help shows what it takes.\n",
		"doctor -x":              "qft doctor has no flag -x\n  To do: qft doctor --help shows what it takes.\n",
		"send --to x film.mkv":   "--to: \"x\" is no whole number\n  To do: qft send --help shows what it takes.\n",
		"send --keep=x film.mkv": "--keep: \"x\" is neither true nor false\n  To do: qft send --help shows what it takes.\n",
		"send --text":            "--text takes a value, which is missing\n  To do: qft send --help shows what it takes.\n",
		"completion":             "qft completion takes one of bash, zsh, fish, powershell\n  To do: qft completion --help shows what it takes.\n",
		"resume --discard":       "--discard takes the number of a transfer in the list of qft resume\n  To do: qft resume --help shows what it takes.\n",
		"film.mkv":               "there is no command \"film.mkv\"\n  To do: to send that: qft send film.mkv\n",
		"7-acid-robot-zebra":     "there is no command \"7-acid-robot-zebra\"\n  To do: to receive with a code: qft receive 7-acid-robot-zebra\n",
		"help sned": "there is no command and no topic \"sned\"; perhaps qft help send\n" +
			"  To do: qft help lists the commands, qft help topics what else is explained.\n",
		"receive foo":                       "a code is a number and three words, and this has only one part\n",
		"receive 7-acid-robt":               "a code is a number and three words, and this has 3 parts\n",
		"receive 7-a-b-c-d":                 "a code is a number and three words, and this has 5 parts\n",
		"receive 7-acid-robot-zebra@host:x": `the port "x" of host is no number`,
	} {
		var out bytes.Buffer
		if code := run(t.Context(), newTerminal(nil, &out, &out), mainName, strings.Fields(line)); code != 2 {
			t.Errorf("%s: exit code %d", line, code)
		}
		if !strings.HasPrefix(out.String(), "qft: "+want) {
			t.Errorf("%s:\n%s\nwant\n%s", line, &out, want)
		}
	}
}
