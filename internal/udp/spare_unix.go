//go:build unix

package udp

import (
	"net"

	"golang.org/x/sys/unix"
)

// spared reports whether a further socket leaves the program enough of the files
// that it may have open: those that it sends, and its lines. The system gives out
// the lowest number that is free, so a number tells how many are in use.
func spared(conn *net.UDPConn) (ok bool) {
	var limit unix.Rlimit
	raw, err := conn.SyscallConn()
	if err != nil || unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return true
	}
	_ = raw.Control(func(fd uintptr) { ok = uint64(fd) < uint64(limit.Cur)/2 })
	return ok
}
