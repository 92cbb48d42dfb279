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
		{qft.KindCanceled, 130, "interrupted"},
	}
}

func exitCode(err error) int {
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
