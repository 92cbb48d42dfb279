package tcp

import (
	"errors"
	"syscall"

	"golang.org/x/sys/windows"
)

// control sets the options of a socket before it is bound. On Windows,
// SO_REUSEADDR is what has several sockets share a port.
func control(shared bool) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		if !shared {
			return nil
		}
		var err error
		if e := c.Control(func(fd uintptr) {
			err = windows.SetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, windows.SO_REUSEADDR, 1)
		}); e != nil {
			return e
		}
		return err
	}
}

// portTaken reports whether binding failed because someone has the port;
// WSAEACCES is what Windows says of one that is reserved or held exclusively.
func portTaken(err error) bool {
	return errors.Is(err, windows.WSAEADDRINUSE) || errors.Is(err, windows.WSAEACCES)
}
