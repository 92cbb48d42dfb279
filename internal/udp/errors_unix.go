//go:build unix

package udp

import (
	"errors"
	"net"

	"golang.org/x/sys/unix"
)

// portTaken reports whether binding failed because someone has the port.
func portTaken(err error) bool { return errors.Is(err, unix.EADDRINUSE) }

// exceedsMTU reports whether a packet was larger than its interface can send.
func exceedsMTU(err error) bool { return errors.Is(err, unix.EMSGSIZE) }

// broken reports whether no later call on the socket can succeed.
func broken(err error) bool {
	return errors.Is(err, net.ErrClosed) || errors.Is(err, unix.EBADF) || errors.Is(err, unix.ENOTSOCK)
}
