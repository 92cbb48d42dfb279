//go:build unix

package tcp

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// unsent is how much the kernel may hold that it has not sent, where it can be
// told. With less, a fast line waits for our writer; with more, our rate control
// waits for it.
const unsent = 64 << 10

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
			tune(fd)
		}); e != nil {
			return e
		}
		return err
	}
}

// portTaken reports whether binding failed because someone has the port.
func portTaken(err error) bool { return errors.Is(err, unix.EADDRINUSE) }
