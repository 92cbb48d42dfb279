package qft

import (
	"syscall"
	"time"
)

// alive reports whether the process that had a number at some time still runs.
// The system gives numbers out again at once, and keeps those of processes that
// have ended as long as somebody looks at them.
func alive(pid int, at time.Time) bool {
	if pid <= 0 {
		return false
	}
	const queryLimited = 0x1000 // PROCESS_QUERY_LIMITED_INFORMATION
	h, err := syscall.OpenProcess(queryLimited|syscall.SYNCHRONIZE, false, uint32(pid))
	if err != nil {
		return false
	}
	defer syscall.CloseHandle(h)
	if ended, err := syscall.WaitForSingleObject(h, 0); err != nil || ended != syscall.WAIT_TIMEOUT {
		return false
	}
	var began, end, kernel, user syscall.Filetime
	err = syscall.GetProcessTimes(h, &began, &end, &kernel, &user)
	return err == nil && began.Nanoseconds() <= at.UnixNano()
}
