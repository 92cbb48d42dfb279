package nat

import "qft/internal/udp"

// Sockets gives an Agent further sockets. It is asked in turn with the Agent's
// methods, by the same goroutine.
type Sockets interface {
	// Open opens n more sockets, each on a port of its own that has sent
	// nothing yet, or as many as can be.
	Open(n int) []udp.Local
	// PortOf returns the port of a socket, 0 if it is not open.
	PortOf(udp.Local) uint16
	// Promote makes a socket fit for the transfer.
	Promote(udp.Local)
	// Shut closes a socket that was opened.
	Shut(udp.Local)
}
