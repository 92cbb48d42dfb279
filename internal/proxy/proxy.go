// Package proxy reads the PROXY protocol, version 2, as load balancers put it
// before each UDP datagram that they pass on, to say whose it is.
//
// Source: https://www.haproxy.org/download/3.3/doc/proxy-protocol.txt, section
// 2.2. Integers are big endian.
//
//	0    signature  12   0d 0a 0d 0a 00 0d 0a 51 55 49 54 0a
//	12   version     1   high four bits 2; low ones 0 LOCAL, 1 PROXY
//	13   family      1   high four bits 0 unspecified, 1 IPv4, 2 IPv6, 3 Unix;
//	                     low ones 0 unspecified, 1 stream, 2 datagram
//	14   length      2   of what follows
//	16   IPv4: source 4, destination 4, source port 2, destination port 2
//	     IPv6: source 16, destination 16, source port 2, destination port 2
//	...  extensions: type 1, length 2, value
//
// Of the extensions only the checksum (type 3, CRC-32C) is looked at.
//
// A header says whatever its sender likes: whoever reads it has to know by
// other means (the address that the datagram comes from) that the sender may be
// believed. And from such a sender each datagram must have one, since a client
// could otherwise write one itself.
//
// # Limitations
//
// Version 1, which is text and for TCP, is not read, and neither are headers
// that say stream or Unix.
package proxy

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/netip"
)

const (
	signature = "\r\n\r\n\x00\r\nQUIT\n"
	fixed     = 16 // bytes before the addresses

	typeChecksum = 0x03 // PP2_TYPE_CRC32C
)

// ErrHeader is of a datagram that does not begin with a header that makes sense.
var ErrHeader = errors.New("no PROXY protocol header of version 2 for a datagram")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Cut takes the header off a datagram. client is whose it is, or not valid
// where the sender speaks for itself, as in a health check. payload is part of
// b.
func Cut(b []byte) (client netip.AddrPort, payload []byte, err error) {
	be := binary.BigEndian
	if len(b) < fixed || string(b[:len(signature)]) != signature || b[12]>>4 != 2 {
		return client, nil, ErrHeader
	}
	end := fixed + int(be.Uint16(b[14:]))
	if end > len(b) {
		return client, nil, ErrHeader
	}
	head, payload := b[:end], b[end:]
	command, family := head[12]&0xf, head[13]
	var extensions int
	switch {
	case command > 1:
		return client, nil, ErrHeader
	case command == 0 || family == 0:
		// "The receiver must accept this connection as valid and must use the
		// real connection endpoints and discard the protocol block."
		return client, payload, nil
	case family == 0x12 && len(head) >= fixed+12:
		client = netip.AddrPortFrom(netip.AddrFrom4([4]byte(head[16:])), be.Uint16(head[24:]))
		extensions = fixed + 12
	case family == 0x22 && len(head) >= fixed+36:
		client = netip.AddrPortFrom(netip.AddrFrom16([16]byte(head[16:])).Unmap(), be.Uint16(head[48:]))
		extensions = fixed + 36
	default:
		return client, nil, ErrHeader
	}
	if !sound(head, extensions) || client.Port() == 0 || client.Addr().IsUnspecified() || client.Addr().IsMulticast() {
		return netip.AddrPort{}, nil, ErrHeader
	}
	return client, payload, nil
}

// sound walks through the extensions, which begin at offset at, and reports
// whether they fill the header and its checksum, if there is one, is right.
func sound(head []byte, at int) bool {
	be := binary.BigEndian
	for at < len(head) {
		if len(head)-at < 3 {
			return false
		}
		typ, n := head[at], int(be.Uint16(head[at+1:]))
		value := at + 3
		if n > len(head)-value {
			return false
		}
		if typ == typeChecksum {
			if n != 4 {
				return false
			}
			// Over the header, with zeros for the checksum.
			sum := crc32.Checksum(head[:value], castagnoli)
			sum = crc32.Update(sum, castagnoli, make([]byte, 4))
			sum = crc32.Update(sum, castagnoli, head[value+4:])
			if sum != be.Uint32(head[value:]) {
				return false
			}
		}
		at = value + n
	}
	return true
}
