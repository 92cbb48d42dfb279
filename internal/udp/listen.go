package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// ErrPortInUse is in the chain of Listen's error when another program has the
// wanted port.
var ErrPortInUse = errors.New("port in use")

// portTries bounds the search for a port that is free in both families. The
// system picks at random among thousands, so one retry is already rare.
const portTries = 16

// open opens one UDP socket per family that the machine has, on one port, or
// only the one that addr belongs to.
func open(addr, addr6 netip.Addr, number uint16) (v4, v6 *net.UDPConn, err error) {
	addr = addr.Unmap()
	if addr.Is4() {
		v4, err = openFamily("udp4", addr, number)
		if err == nil && addr6.IsValid() {
			if v6, err = openFamily("udp6", addr6, port(v4)); err != nil {
				v4.Close()
				return nil, nil, err
			}
		}
		return v4, v6, err
	}
	if addr.Is6() {
		v6, err = openFamily("udp6", addr, number)
		return nil, v6, err
	}
	for range portTries {
		v4, v6, err = openBoth(number)
		if number != 0 || !errors.Is(err, ErrPortInUse) {
			break
		}
	}
	return v4, v6, err
}

// openBoth opens both families on one port. A family that the machine lacks
// is left nil, but a port that is taken in either family is an error: a NAT
// mapping or an address told to the peer would lead to another program.
func openBoth(p uint16) (v4, v6 *net.UDPConn, err error) {
	v4, err4 := openFamily("udp4", netip.Addr{}, p)
	if errors.Is(err4, ErrPortInUse) {
		return nil, nil, err4
	}
	if v4 != nil {
		p = port(v4)
	}
	v6, err6 := openFamily("udp6", netip.Addr{}, p)
	switch {
	case errors.Is(err6, ErrPortInUse) && v4 != nil:
		v4.Close()
		return nil, nil, err6
	case v4 == nil && v6 == nil:
		return nil, nil, errors.Join(err4, err6)
	}
	return v4, v6, nil
}

// openFamily opens one socket. Package net makes udp6 sockets IPv6-only.
func openFamily(network string, addr netip.Addr, port uint16) (*net.UDPConn, error) {
	at := &net.UDPAddr{IP: addr.AsSlice(), Port: int(port), Zone: addr.Zone()}
	conn, err := net.ListenUDP(network, at)
	if err != nil {
		if portTaken(err) {
			return nil, fmt.Errorf("opening UDP port %d: %w: %w", port, ErrPortInUse, err)
		}
		return nil, fmt.Errorf("opening UDP port %d: %w", port, err)
	}
	return conn, nil
}
