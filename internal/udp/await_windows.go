package udp

import "net"

// newAwait returns a function that waits until a packet has arrived, and leaves
// it where it is.
func newAwait(conn *net.UDPConn) func() error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return func() error { return err }
	}
	return func() error {
		// Asked a first time, the answer no has package net wait by a read
		// of no bytes; and then it asks again.
		asked := false
		return raw.Read(func(uintptr) bool {
			was := asked
			asked = true
			return was
		})
	}
}
