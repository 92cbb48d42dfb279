//go:build !linux

package udp

import (
	"net"
	"net/netip"
)

// newTrain returns nothing: these systems send packet by packet.
func newTrain(*net.UDPConn) (func([]byte, netip.AddrPort, int) error, error) { return nil, nil }

// newMany returns nothing: nor do they send many packets in a call.
func newMany(*net.UDPConn, bool) func(*Batch, int, int) (int, error) { return nil }

// concernsRoute is not asked where there are no trains.
func concernsRoute(error) bool { return false }
