//go:build !linux

package udp

import (
	"net"
	"net/netip"
)

// Sizes of the receive side: a buffer takes one datagram, and poolSize buffers
// are 6 MiB.
const (
	slots    = 1
	slotSize = 64 << 10
	poolSize = 96

	crowdSlots    = slots
	crowdSlotSize = slotSize
)

// receiveTrains has nothing to do: these systems receive packet by packet.
func receiveTrains(*net.UDPConn) bool { return false }

// newReader returns a function that waits for a packet and appends it to a
// Received.
func newReader(conn *net.UDPConn, l Local, _ Config, _ *counters) func(*Received) error {
	return func(r *Received) error {
		n, from, err := conn.ReadFromUDPAddrPort(r.buf)
		if err != nil {
			return err
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		r.trains = append(r.trains, train{from: Path{l, from}, data: r.buf[:n]})
		return nil
	}
}
