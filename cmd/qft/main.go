// Command qft sends files and directories straight from one machine to another,
// through both their NATs, encrypted, over UDP.
//
// This package is the command line: flags in, words out, exit code.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"qft"
)

func main() {
	t := newTerminal(os.Stdin, os.Stdout, os.Stderr)
	ctx, cancel := context.WithCancel(context.Background())
	interrupts := make(chan os.Signal, 2)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-interrupts // asks for an orderly end
		cancel()
		t.close()
		signal.Stop(interrupts) // the second one ends
	}()
	// Whoever reads our stdout may stop; both sides are to be told, which takes
	// an error instead of a signal.
	signal.Ignore(syscall.SIGPIPE)
	code := run(ctx, t, os.Args[1:])
	cancel()
	os.Exit(code)
}

// run is the whole program but for the process.
func run(ctx context.Context, t *terminal, args []string) (code int) {
	defer t.close()
	defer func() {
		if p := recover(); p != nil {
			t.close()
			fmt.Fprintf(t.err, "qft: this is an error in qft itself, not yours: %v\nWhat has arrived is kept. Please report it with what you typed (qft version: %s).\n", p, version())
			code = 1
		}
	}()
	cmd := rootCommand(t)
	cmd.SetArgs(args)
	cmd.SetIn(t.in)
	cmd.SetOut(t.out)
	cmd.SetErr(t.err)
	err := cmd.ExecuteContext(ctx)
	t.clear()
	if err == nil {
		return 0
	}
	report(t, err)
	return exitCode(err)
}

// usageError is a command line that makes no sense.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }

func (e usageError) Unwrap() error { return e.err }

// exitCode is the one place where errors become numbers; they are documented
// in exitCodes, and in docs/events.md.
func exitCode(err error) int {
	var usage usageError
	if errors.As(err, &usage) {
		return 2
	}
	switch qft.KindOf(err) {
	case qft.KindUsage:
		return 2
	case qft.KindFile:
		return 3
	case qft.KindExists:
		return 4
	case qft.KindDisk:
		return 5
	case qft.KindPhrase:
		return 6
	case qft.KindTaken:
		return 7
	case qft.KindHelper:
		return 8
	case qft.KindNoPath:
		return 9
	case qft.KindPeer:
		return 10
	case qft.KindIncomplete:
		return 11
	case qft.KindProtocol:
		return 12
	case qft.KindPort:
		return 13
	case qft.KindTooMuch:
		return 14
	case qft.KindRefused:
		return 15
	case qft.KindCanceled:
		return 130
	}
	return 1
}

const exitCodes = `Exit codes:
    0  done
    1  something that should not happen
    2  the command line makes no sense
    3  what is to be sent cannot be sent, or its name cannot be used here
    4  the target exists (nothing is ever overwritten unasked)
    5  the target cannot be written: disk full, read-only, forbidden
    6  the phrase is not the other side's
    7  the phrase is in use by somebody else, or was tried too often
    8  the helper cannot be reached or used
    9  no direct path between the two machines
   10  the other side stopped, refused or failed
   11  not everything has arrived: files changed, could not be read, or arrived damaged
   12  the other side or the helper speaks another protocol
   13  the UDP port of this machine cannot be used
   14  it is more than --max-size or --max-files allow
   15  you did not want it
  130  interrupted`
