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
)

func main() {
	t := newTerminal(os.Stdin, os.Stdout, os.Stderr)
	ctx, cancel := context.WithCancel(context.Background())
	interrupts := make(chan os.Signal, 2)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-interrupts            // asks for an orderly end
		signal.Stop(interrupts) // the second one ends
		cancel()
		t.close()
	}()
	// Whoever reads our stdout may stop; both sides are to be told, which takes
	// an error instead of a signal.
	signal.Ignore(syscall.SIGPIPE)
	code := run(ctx, t, calledAs(os.Args[0]), os.Args[1:])
	cancel()
	os.Exit(code)
}

// run is the whole program but for the process.
func run(ctx context.Context, t *terminal, name string, args []string) (code int) {
	defer t.close()
	defer func() {
		if p := recover(); p != nil {
			t.clear()
			t.close()
			fmt.Fprintf(t.err, "qft: this is an error in qft itself, not yours: %v\nWhat has arrived is kept. Please report it with what you typed (qft version: %s).\n", p, version())
			code = 1
		}
	}()
	cmd := rootCommand(t)
	if name == senderName || name == receiverName {
		cmd = shortCommand(t, name)
	} else {
		name = mainName // whatever the file is called
	}
	cmd.SetArgs(args)
	cmd.SetIn(t.in)
	cmd.SetOut(t.out)
	cmd.SetErr(t.err)
	typed, err := cmd.ExecuteContextC(ctx)
	t.clear()
	if err == nil {
		return 0
	}
	if !errors.As(err, new(verdictError)) {
		report(t, name, typed.CommandPath(), err)
	}
	return exitCode(err)
}

// usageError is a command line that makes no sense.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }

func (e usageError) Unwrap() error { return e.err }

// advised is an error of which it is known what to do about it.
type advised struct {
	err error
	do  string
}

func (e advised) Error() string { return e.err.Error() }

func (e advised) Unwrap() error { return e.err }
