package main

import (
	"os"

	"golang.org/x/sys/windows"
)

// keysMode has a console hand over each key at once, unseen. Interrupt stays
// with the system. It returns what undoes it.
func keysMode(f *os.File) (restore func(), err error) {
	h := windows.Handle(f.Fd())
	var was uint32
	if err := windows.GetConsoleMode(h, &was); err != nil {
		return nil, err
	}
	now := was&^(windows.ENABLE_LINE_INPUT|windows.ENABLE_ECHO_INPUT) | windows.ENABLE_PROCESSED_INPUT
	if err := windows.SetConsoleMode(h, now); err != nil {
		return nil, err
	}
	return func() { windows.SetConsoleMode(h, was) }, nil
}

func foreground(*os.File) bool { return true }

func watchSuspend(_, _ func()) (stop func()) { return func() {} }

// canStyle has a console take escape sequences, which those before Windows 10
// cannot.
func canStyle(f *os.File) bool {
	h := windows.Handle(f.Fd())
	var mode uint32
	if err := windows.GetConsoleMode(h, &mode); err != nil {
		return false
	}
	return windows.SetConsoleMode(h, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING|windows.ENABLE_PROCESSED_OUTPUT) == nil
}
