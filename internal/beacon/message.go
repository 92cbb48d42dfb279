package beacon

import (
	"encoding/binary"
	"net/netip"
)

// Mark is the first byte of every beacon.
const Mark = 0x53

// Port is where beacons to everybody go.
const Port = 4278

const (
	version = 1
	size    = 9
)

// Group4 and Group6 are everybody on the network who listens.
func Group4() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{239, 255, 71, 70}), Port)
}

// Group6 is Group4 for IPv6.
func Group6() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte{0xff, 0x02, 14: 0x71, 15: 0x66}), Port)
}

type kind byte

const (
	query    kind = 1
	announce kind = 2
)

type message struct {
	kind   kind
	number uint32
	port   uint16
}

func (m message) append(b []byte) []byte {
	b = append(b, Mark, byte(m.kind), version)
	b = binary.BigEndian.AppendUint32(b, m.number)
	return binary.BigEndian.AppendUint16(b, m.port)
}

// parse reads a message; false: it is none.
func parse(b []byte) (m message, ok bool) {
	if len(b) != size || b[0] != Mark || b[2] != version {
		return message{}, false
	}
	m = message{kind(b[1]), binary.BigEndian.Uint32(b[3:]), binary.BigEndian.Uint16(b[7:])}
	switch m.kind {
	case query:
		ok = m.port == 0
	case announce:
		ok = m.port != 0
	}
	return m, ok
}
