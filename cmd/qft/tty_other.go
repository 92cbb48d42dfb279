//go:build !windows && (!unix || aix || solaris || illumos)

package main

import (
	"errors"
	"os"
)

func keysMode(*os.File) (restore func(), err error) { return nil, errors.ErrUnsupported }

func foreground(*os.File) bool { return true }

func watchSuspend(_, _ func()) (stop func()) { return func() {} }

func canStyle(*os.File) bool { return os.Getenv("TERM") != "dumb" }
