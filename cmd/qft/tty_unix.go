//go:build unix && !aix && !solaris && !illumos

package main

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// keysMode has a terminal hand over each key at once, unseen. Interrupt, suspend
// and what is written stay with the system. It returns what undoes it.
func keysMode(f *os.File) (restore func(), err error) {
	fd := int(f.Fd())
	was, err := unix.IoctlGetTermios(fd, readTermios)
	if err != nil {
		return nil, err
	}
	now := *was
	now.Lflag &^= unix.ICANON | unix.ECHO
	now.Cc[unix.VMIN], now.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, writeTermios, &now); err != nil {
		return nil, err
	}
	return func() { unix.IoctlSetTermios(fd, writeTermios, was) }, nil
}

// foreground reports whether the terminal's keys are for us: who reads them in
// the background is stopped by the system. One that does not control us has no
// such notion.
func foreground(f *os.File) bool {
	group, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCGPGRP)
	return err != nil || group == unix.Getpgrp()
}

// watchSuspend calls leave before the program is suspended or quits with a trace
// (Ctrl-\), and back when it goes on, perhaps in the background, until stop is
// called.
func watchSuspend(leave, back func()) (stop func()) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTSTP, syscall.SIGCONT, syscall.SIGQUIT)
	// In the background, reading keys fails instead of stopping us.
	signal.Ignore(syscall.SIGTTIN)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case s := <-signals:
				switch s {
				case syscall.SIGTSTP:
					leave()
					syscall.Kill(syscall.Getpid(), syscall.SIGSTOP)
				case syscall.SIGQUIT:
					leave()
					signal.Reset(syscall.SIGQUIT)
					syscall.Kill(syscall.Getpid(), syscall.SIGQUIT)
				default:
					back()
				}
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(done)
	}
}

// canStyle reports whether a terminal takes escape sequences.
func canStyle(*os.File) bool { return os.Getenv("TERM") != "dumb" }
