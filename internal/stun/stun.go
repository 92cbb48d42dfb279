// Package stun reads and writes STUN binding messages (RFC 8489), without
// credentials: what it takes to ask any public STUN server for one's address,
// and to be one.
//
// Of NAT behaviour discovery (RFC 5780) it has what needs one address only: a
// request may ask for an answer from another port of the server. Asking for
// another address is refused, as that RFC wants it from servers with a single
// one (section 6.1), and no RESPONSE-ORIGIN or OTHER-ADDRESS is written: a
// server behind a NAT of its own does not know what its clients call it.
package stun

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net/netip"
)

const (
	headerSize     = 20
	magicCookie    = 0x2112a442
	bindingRequest = 0x0001
	bindingSuccess = 0x0101
	bindingError   = 0x0111

	attrMapped        = 0x0001
	attrChangeRequest = 0x0003 // RFC 5780 section 7.2
	attrErrorCode     = 0x0009
	attrUnknown       = 0x000a
	attrXorMapped     = 0x0020
	attrFingerprint   = 0x8028
	attrFiller        = 0xc051 // ours: to be passed over, as all from 0x8000 on

	changeAddress = 4
	changePort    = 2

	fingerprintXor = 0x5354554e // "STUN", section 14.7

	// maxUnknown is how many attributes an error response lists; it keeps the
	// response near the size of a request that holds as many.
	maxUnknown = 8

	// MinProbe is the size of the smallest request that AppendProbe makes. No
	// response of ours is larger.
	MinProbe = headerSize + 8 + 4 + 12 + 8

	// MaxResponse is the size of the largest response that AppendResponse makes.
	MaxResponse = headerSize + 4 + 20 + 4 + 2*maxUnknown + 8
)

var errMalformed = errors.New("malformed STUN message")

// Tx is a STUN transaction ID.
type Tx [12]byte

// Request is a binding request as a server sees it.
type Request struct {
	Tx Tx
	// ChangePort: the response is to come from another port than the request
	// went to. Who has none responds to Refuse of the request.
	ChangePort  bool
	cookie      uint32 // magicCookie, or four more bytes of transaction ID: RFC 3489
	fingerprint bool
	unknown     []uint16 // attributes that it requires us to understand
}

// Is reports whether a packet is STUN by its first byte (RFC 7983).
func Is(b []byte) bool { return len(b) > 0 && b[0] < 0x40 }

// AppendRequest appends a binding request with a fingerprint.
func AppendRequest(b []byte, tx Tx) []byte {
	start := len(b)
	return appendFingerprint(begin(b, bindingRequest, magicCookie, tx), start)
}

// AppendProbe appends a binding request of size bytes, rounded up to a multiple
// of 4 and to MinProbe, which asks for a response from another port if
// otherPort is set. It is filled by an attribute that every server passes over,
// and not by PADDING (RFC 5780 section 7.6), to which the response has to be as
// large.
func AppendProbe(b []byte, tx Tx, size int, otherPort bool) []byte {
	start, flags := len(b), byte(0)
	if otherPort {
		flags = changePort
	}
	size = (max(size, MinProbe) + 3) &^ 3
	b = begin(b, bindingRequest, magicCookie, tx)
	b = append(b, 0, attrChangeRequest, 0, 4, 0, 0, 0, flags)
	fill := size - (len(b) - start) - 4 - 8
	b = binary.BigEndian.AppendUint16(b, attrFiller)
	b = binary.BigEndian.AppendUint16(b, uint16(fill))
	return appendFingerprint(append(b, make([]byte, fill)...), start)
}

// ParseRequest reads a binding request. That of an RFC 3489 client is one too.
func ParseRequest(b []byte) (Request, error) {
	typ, cookie, tx, err := parseHeader(b)
	if err != nil {
		return Request{}, err
	}
	if typ != bindingRequest {
		return Request{}, fmt.Errorf("STUN message of type %#04x is no binding request", typ)
	}
	q := Request{Tx: tx, cookie: cookie}
	q.fingerprint, err = attributes(b, func(typ uint16, v []byte) error {
		switch {
		case typ == attrChangeRequest && len(v) == 4 && v[3]&changeAddress == 0:
			q.ChangePort = v[3]&changePort != 0
		case !understood(typ) && len(q.unknown) < maxUnknown:
			q.unknown = append(q.unknown, typ)
		}
		return nil
	})
	return q, err
}

// Refuse returns q as a server with one port sees it: what it asks for is not
// understood (RFC 5780 section 6.1).
func (q Request) Refuse() Request {
	q.unknown = []uint16{attrChangeRequest}
	return q
}

// AppendResponse appends the response to q from a client at addr: its
// address, or the error that section 6.3.1 asks for if q requires what we do
// not understand.
func AppendResponse(b []byte, q Request, addr netip.AddrPort) []byte {
	be, start := binary.BigEndian, len(b)
	if len(q.unknown) > 0 {
		b = begin(b, bindingError, q.cookie, q.Tx)
		b = append(b, 0, attrErrorCode, 0, 4, 0, 0, 4, 20) // 420, no phrase
		b = be.AppendUint16(b, attrUnknown)
		b = be.AppendUint16(b, uint16(2*len(q.unknown)))
		for _, t := range q.unknown {
			b = be.AppendUint16(b, t)
		}
		b = append(b, make([]byte, 2*(len(q.unknown)%2))...) // to four bytes
	} else {
		b = begin(b, bindingSuccess, q.cookie, q.Tx)
		if q.cookie == magicCookie {
			b = appendAddr(b, attrXorMapped, xorPad(q.Tx), addr)
		} else {
			b = appendAddr(b, attrMapped, [16]byte{}, addr)
		}
	}
	if q.fingerprint {
		return appendFingerprint(b, start)
	}
	return finish(b, start)
}

// ParseResponse reads a binding response: the client's address, unless the
// server refuses, in which case mapped is not valid. The caller compares the
// transaction ID with its own. Whatever is no response to a request of ours is
// not ok.
func ParseResponse(b []byte) (tx Tx, mapped netip.AddrPort, ok bool) {
	typ, cookie, tx, err := parseHeader(b)
	if err != nil || cookie != magicCookie || typ != bindingSuccess && typ != bindingError {
		return tx, mapped, false
	}
	var plain netip.AddrPort
	_, err = attributes(b, func(typ uint16, v []byte) (err error) {
		switch {
		case typ == attrXorMapped && !mapped.IsValid(): // only the first counts, section 14
			mapped, err = parseAddr(v, xorPad(tx))
		case typ == attrMapped && !plain.IsValid(): // all that a server of RFC 3489 says
			plain, err = parseAddr(v, [16]byte{})
		case !understood(typ):
			err = fmt.Errorf("STUN response requires unknown attribute %#04x", typ)
		}
		return err
	})
	if !mapped.IsValid() {
		mapped = plain
	}
	switch {
	case err != nil || typ == bindingSuccess && !mapped.IsValid():
		return tx, netip.AddrPort{}, false
	case typ == bindingError:
		return tx, netip.AddrPort{}, true
	}
	return tx, mapped, true
}

// understood reports whether an attribute may be passed over. Credentials are
// among those: they are for servers that ask for them. So is what RFC 3489 and
// RFC 5780 servers say of their own addresses, and what errors say of
// themselves.
func understood(typ uint16) bool {
	switch typ {
	case attrMapped, 0x0004, 0x0005, 0x0006, 0x0008, attrErrorCode, attrUnknown, 0x0014, 0x0015,
		0x001c, 0x001d, 0x001e, attrXorMapped, 0x0026:
		return true
	}
	return typ >= 0x8000 // comprehension-optional, section 14
}

func parseHeader(b []byte) (typ uint16, cookie uint32, tx Tx, err error) {
	be := binary.BigEndian
	if len(b) < headerSize || !Is(b) {
		return 0, 0, tx, errMalformed
	}
	if n := int(be.Uint16(b[2:])); n != len(b)-headerSize || n%4 != 0 {
		return 0, 0, tx, errMalformed
	}
	return be.Uint16(b), be.Uint32(b[4:]), Tx(b[8:]), nil
}

// attributes calls f for each attribute of a message with a good header. It
// checks the fingerprint, which must be the last, and reports if there is one.
func attributes(b []byte, f func(typ uint16, v []byte) error) (fingerprint bool, err error) {
	be := binary.BigEndian
	for at := headerSize; at < len(b); {
		typ, n := be.Uint16(b[at:]), int(be.Uint16(b[at+2:]))
		end := at + 4 + (n+3)&^3
		if end > len(b) {
			return false, errMalformed
		}
		v := b[at+4 : at+4+n]
		if typ == attrFingerprint {
			if n != 4 || end != len(b) || be.Uint32(v) != crc32.ChecksumIEEE(b[:at])^fingerprintXor {
				return false, errMalformed
			}
			return true, nil
		}
		if err := f(typ, v); err != nil {
			return false, err
		}
		at = end
	}
	return false, nil
}

func begin(b []byte, typ uint16, cookie uint32, tx Tx) []byte {
	b = binary.BigEndian.AppendUint16(b, typ)
	b = binary.BigEndian.AppendUint32(append(b, 0, 0), cookie)
	return append(b, tx[:]...)
}

// finish writes the length of the message that starts at b[start].
func finish(b []byte, start int) []byte {
	binary.BigEndian.PutUint16(b[start+2:], uint16(len(b)-start-headerSize))
	return b
}

// appendFingerprint ends the message; the length that it sums covers itself.
func appendFingerprint(b []byte, start int) []byte {
	n := len(b)
	b = binary.BigEndian.AppendUint16(b, attrFingerprint)
	b = finish(append(b, 0, 4, 0, 0, 0, 0), start)
	binary.BigEndian.PutUint32(b[n+4:], crc32.ChecksumIEEE(b[start:n])^fingerprintXor)
	return b
}

// xorPad is what section 14.2 XORs an address with.
func xorPad(tx Tx) (pad [16]byte) {
	binary.BigEndian.PutUint32(pad[:], magicCookie)
	copy(pad[4:], tx[:])
	return pad
}

// appendAddr appends an address attribute, XORed with pad.
func appendAddr(b []byte, typ uint16, pad [16]byte, addr netip.AddrPort) []byte {
	ip, family := addr.Addr().Unmap().AsSlice(), byte(1)
	if len(ip) == 16 {
		family = 2
	}
	b = binary.BigEndian.AppendUint16(b, typ)
	b = append(b, 0, byte(4+len(ip)), 0, family)
	b = binary.BigEndian.AppendUint16(b, addr.Port()^binary.BigEndian.Uint16(pad[:]))
	for i, p := range pad {
		if i < len(ip) {
			b = append(b, ip[i]^p)
		}
	}
	return b
}

func parseAddr(v []byte, pad [16]byte) (netip.AddrPort, error) {
	if len(v) != 8 && len(v) != 20 || v[1] != 1 && len(v) == 8 || v[1] != 2 && len(v) == 20 {
		return netip.AddrPort{}, errMalformed
	}
	var ip [16]byte
	for i, p := range pad {
		if 4+i < len(v) {
			ip[i] = v[4+i] ^ p
		}
	}
	addr := netip.AddrFrom16(ip).Unmap()
	if len(v) == 8 {
		addr = netip.AddrFrom4([4]byte(ip[:4]))
	}
	port := binary.BigEndian.Uint16(v[2:]) ^ binary.BigEndian.Uint16(pad[:])
	return netip.AddrPortFrom(addr, port), nil
}
