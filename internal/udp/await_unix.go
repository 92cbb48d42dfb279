//go:build unix

package udp

import (
	"net"

	"golang.org/x/sys/unix"
)

// newAwait returns a function that waits until a packet has arrived, and leaves
// it where it is.
func newAwait(conn *net.UDPConn) func() error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return func() error { return err }
	}
	var first [1]byte
	peek := func(fd uintptr) bool {
		for {
			_, _, err := unix.Recvfrom(int(fd), first[:], unix.MSG_PEEK)
			if err != unix.EINTR {
				return err != unix.EAGAIN // whatever else it is, reading will tell
			}
		}
	}
	return func() error { return raw.Read(peek) }
}
