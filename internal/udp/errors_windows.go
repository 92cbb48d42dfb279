package udp

import (
	"errors"
	"net"

	"golang.org/x/sys/windows"
)

// portTaken reports whether binding failed because someone has the port;
// WSAEACCES is what Windows says of one that is reserved or held exclusively.
func portTaken(err error) bool {
	return errors.Is(err, windows.WSAEADDRINUSE) || errors.Is(err, windows.WSAEACCES)
}

// exceedsMTU reports whether a packet was larger than its interface can send.
func exceedsMTU(err error) bool { return errors.Is(err, windows.WSAEMSGSIZE) }

// broken reports whether no later call on the socket can succeed.
func broken(err error) bool {
	return errors.Is(err, net.ErrClosed) || errors.Is(err, windows.WSAENOTSOCK) || errors.Is(err, windows.ERROR_INVALID_HANDLE)
}
