//go:build !unix && !windows

package qft

import (
	"os"
	"time"
)

// alive reports whether the process that had a number at some time still runs.
func alive(pid int, at time.Time) bool {
	if pid <= 0 || pid == os.Getpid() && at.Before(started) {
		return false
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	p.Release()
	return true
}

var started = time.Now()
