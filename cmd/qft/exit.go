package main

import (
	"errors"
	"fmt"
	"strings"

	"qft"
)

// exit is what the program ends with for a kind of error.
type exit struct {
	kind  qft.Kind
	code  int
	about string
}

// verdict stands for what is no error.
const verdict qft.Kind = -1

// exits is the one place where errors become numbers. Help, the man page and
// docs/events.md have the same, and a test holds them together.
func exits() []exit {
	return []exit{
		{qft.KindInternal, 1, "something that should not happen"},
		{qft.KindUsage, 2, "the command line makes no sense"},
		{qft.KindFile, 3, "what is to be sent cannot be sent, or its name cannot be used here"},
		{qft.KindExists, 4, "the target exists (nothing is ever overwritten unasked)"},
		{qft.KindDisk, 5, "the target cannot be written: disk full, read-only, forbidden"},
		{qft.KindPhrase, 6, "the phrase is not the other side's"},
		{qft.KindTaken, 7, "the phrase is in use by somebody else, or was tried too often"},
		{qft.KindHelper, 8, "the helper cannot be reached or used"},
		{qft.KindNoPath, 9, "no direct path between the two machines"},
		{qft.KindPeer, 10, "the other side stopped, refused or failed"},
		{qft.KindIncomplete, 11, "not everything has arrived: unreadable, changed or damaged files"},
		{qft.KindProtocol, 12, "the other side or the helper speaks another protocol"},
		{qft.KindPort, 13, "the UDP port of this machine cannot be used"},
		{qft.KindTooMuch, 14, "it is more than --max-size or --max-files allow"},
		{qft.KindRefused, 15, "you did not want it"},
		{verdict, int(errHard), "qft doctor: it will be hard: with few others, or over TCP only"},
		{verdict, int(errNoAnswer), "qft doctor: no server has answered, or none was named"},
		{qft.KindNobody, 18, "nobody has come, or come back, within --wait"},
		{qft.KindCanceled, 130, "interrupted"},
	}
}

// verdictError ends the program with a code for what qft doctor has found, and
// says nothing: the verdict is printed.
type verdictError int

func (e verdictError) Error() string { return fmt.Sprintf("the verdict is exit code %d", int(e)) }

const (
	errHard     verdictError = 16
	errNoAnswer verdictError = 17
)

// judged is how the program ends after a diagnosis. Where a server has answered
// and nothing speaks against transfers, all is well.
func judged(d qft.Diagnosis) error {
	switch {
	case d.Verdict.Rating == qft.RatingLimited, d.Verdict.Rating == qft.RatingBlocked:
		return errHard
	case d.IPv4.Outside == "" && d.IPv6.Outside == "":
		return errNoAnswer
	}
	return nil
}

func exitCode(err error) int {
	var found verdictError
	if errors.As(err, &found) {
		return int(found)
	}
	var usage usageError
	if errors.As(err, &usage) {
		return 2
	}
	for _, e := range exits() {
		if e.kind == qft.KindOf(err) {
			return e.code
		}
	}
	return 1
}

// exitCodes is the table for people.
func exitCodes() string {
	var b strings.Builder
	b.WriteString("    0  done\n")
	for _, e := range exits() {
		fmt.Fprintf(&b, "%5d  %s\n", e.code, e.about)
	}
	return strings.TrimRight(b.String(), "\n")
}
