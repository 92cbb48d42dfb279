package qft

import "syscall"

// clockSynchronised is what the kernel knows of its clock (adjtimex(2)): it is
// told by whoever sets it, an NTP client as a rule.
func clockSynchronised() Tri {
	const timeError = 5 // TIME_ERROR: not synchronised
	var t syscall.Timex
	state, err := syscall.Adjtimex(&t)
	switch {
	case err != nil:
		return Unknown
	case state == timeError:
		return No
	}
	return Yes
}
