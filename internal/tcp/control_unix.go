//go:build unix

package tcp

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// control sets the options of a socket before it is bound. A shared port is one
// that several connections and a listener have, of one user: SO_REUSEPORT.
func control(shared bool) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) {
			if shared {
				err = errors.Join(
					unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
					unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1),
				)
			}
			holdLittle(fd)
		}); e != nil {
			return e
		}
		return err
	}
}

// portTaken reports whether binding failed because someone has the port.
func portTaken(err error) bool { return errors.Is(err, unix.EADDRINUSE) }
