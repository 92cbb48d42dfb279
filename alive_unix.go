//go:build unix

package qft

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// alive reports whether the process that had a number at some time still runs.
// Of other processes it is not known since when they do; of this one it is, and
// in a container it often has the number of the one before.
func alive(pid int, at time.Time) bool {
	if pid <= 0 || pid == os.Getpid() && at.Before(started) {
		return false
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	err = p.Signal(syscall.Signal(0))
	return err == nil || errors.Is(err, syscall.EPERM)
}

// started is since when this process runs.
var started = time.Now()
