package rendezvous

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net/netip"
)

// STUN binding (RFC 8489), without credentials: what a client needs to ask any
// public STUN server for its address, and a helper to be one.

const (
	stunHeader  = 20
	stunMagic   = 0x2112a442
	stunRequest = 0x0001
	stunSuccess = 0x0101
	stunError   = 0x0111

	attrErrorCode   = 0x0009
	attrUnknown     = 0x000a
	attrXorMapped   = 0x0020
	attrFingerprint = 0x8028

	fingerprintXor = 0x5354554e // "STUN", section 14.7

	// maxUnknown is how many attributes an error response lists; it keeps the
	// response near the size of a request that holds as many.
	maxUnknown    = 8
	maxStunAnswer = stunHeader + 4 + 20 + 4 + 2*maxUnknown + 8
)

var errStun = errors.New("malformed STUN message")

// StunTx is a STUN transaction ID.
type StunTx [12]byte

// StunRequest is a binding request as a server sees it.
type StunRequest struct {
	Tx          StunTx
	fingerprint bool
	unknown     []uint16 // attributes that it requires us to understand
}

// isStun reports whether a packet is STUN by its first byte (RFC 7983).
func isStun(b []byte) bool { return len(b) > 0 && b[0] < 0x40 }

// AppendStunRequest appends a binding request with a fingerprint.
func AppendStunRequest(b []byte, tx StunTx) []byte {
	start := len(b)
	return appendFingerprint(beginStun(b, stunRequest, tx), start)
}

// ParseStunRequest reads a binding request.
func ParseStunRequest(b []byte) (StunRequest, error) {
	typ, tx, err := parseStunHeader(b)
	if err != nil {
		return StunRequest{}, err
	}
	if typ != stunRequest {
		return StunRequest{}, fmt.Errorf("STUN message of type %#04x is no binding request", typ)
	}
	q := StunRequest{Tx: tx}
	q.fingerprint, err = stunAttributes(b, func(typ uint16, _ []byte) error {
		if !understood(typ) && len(q.unknown) < maxUnknown {
			q.unknown = append(q.unknown, typ)
		}
		return nil
	})
	return q, err
}

// AppendStunResponse appends the response to q from a client at addr: its
// address, or the error that section 6.3.1 asks for if q requires what we do
// not understand.
func AppendStunResponse(b []byte, q StunRequest, addr netip.AddrPort) []byte {
	be, start := binary.BigEndian, len(b)
	if len(q.unknown) > 0 {
		b = beginStun(b, stunError, q.Tx)
		b = append(b, 0, attrErrorCode, 0, 4, 0, 0, 4, 20) // 420, no phrase
		b = be.AppendUint16(b, attrUnknown)
		b = be.AppendUint16(b, uint16(2*len(q.unknown)))
		for _, t := range q.unknown {
			b = be.AppendUint16(b, t)
		}
		b = append(b, make([]byte, 2*(len(q.unknown)%2))...) // to four bytes
	} else {
		b = beginStun(b, stunSuccess, q.Tx)
		b = appendXorMapped(b, q.Tx, addr)
	}
	if q.fingerprint {
		return appendFingerprint(b, start)
	}
	return endStun(b, start)
}

// ParseStunResponse reads a successful binding response and returns the
// client's address. The caller compares the transaction ID with its own.
func ParseStunResponse(b []byte) (StunTx, netip.AddrPort, error) {
	var addr netip.AddrPort
	typ, tx, err := parseStunHeader(b)
	if err != nil {
		return tx, addr, err
	}
	if typ != stunSuccess {
		return tx, addr, fmt.Errorf("STUN message of type %#04x is no binding response", typ)
	}
	_, err = stunAttributes(b, func(typ uint16, v []byte) (err error) {
		switch {
		case typ == attrXorMapped && !addr.IsValid(): // only the first counts, section 14
			addr, err = parseXorMapped(v, tx)
		case !understood(typ):
			err = fmt.Errorf("STUN response requires unknown attribute %#04x", typ)
		}
		return err
	})
	if err == nil && !addr.IsValid() {
		err = errors.New("STUN response without an address")
	}
	if err != nil {
		return tx, netip.AddrPort{}, err
	}
	return tx, addr, nil
}

// understood reports whether an attribute may be passed over. Credentials are
// among those: they are for servers that ask for them.
func understood(typ uint16) bool {
	switch typ {
	case 0x0001, 0x0006, 0x0008, 0x0014, 0x0015, 0x001c, 0x001d, 0x001e, attrXorMapped:
		return true
	}
	return typ >= 0x8000 // comprehension-optional, section 14
}

func parseStunHeader(b []byte) (typ uint16, tx StunTx, err error) {
	be := binary.BigEndian
	if len(b) < stunHeader || !isStun(b) || be.Uint32(b[4:]) != stunMagic {
		return 0, tx, errStun
	}
	if n := int(be.Uint16(b[2:])); n != len(b)-stunHeader || n%4 != 0 {
		return 0, tx, errStun
	}
	return be.Uint16(b), StunTx(b[8:]), nil
}

// stunAttributes calls f for each attribute of a message with a good header. It
// checks the fingerprint, which must be the last, and reports if there is one.
func stunAttributes(b []byte, f func(typ uint16, v []byte) error) (fingerprint bool, err error) {
	be := binary.BigEndian
	for at := stunHeader; at < len(b); {
		typ, n := be.Uint16(b[at:]), int(be.Uint16(b[at+2:]))
		end := at + 4 + (n+3)&^3
		if end > len(b) {
			return false, errStun
		}
		v := b[at+4 : at+4+n]
		if typ == attrFingerprint {
			if n != 4 || end != len(b) || be.Uint32(v) != crc32.ChecksumIEEE(b[:at])^fingerprintXor {
				return false, errStun
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

func beginStun(b []byte, typ uint16, tx StunTx) []byte {
	b = binary.BigEndian.AppendUint16(b, typ)
	b = binary.BigEndian.AppendUint32(append(b, 0, 0), stunMagic)
	return append(b, tx[:]...)
}

// endStun writes the length of the message that starts at b[start].
func endStun(b []byte, start int) []byte {
	binary.BigEndian.PutUint16(b[start+2:], uint16(len(b)-start-stunHeader))
	return b
}

// appendFingerprint ends the message; the length that it sums covers itself.
func appendFingerprint(b []byte, start int) []byte {
	n := len(b)
	b = binary.BigEndian.AppendUint16(b, attrFingerprint)
	b = endStun(append(b, 0, 4, 0, 0, 0, 0), start)
	binary.BigEndian.PutUint32(b[n+4:], crc32.ChecksumIEEE(b[start:n])^fingerprintXor)
	return b
}

// xorPad is what section 14.2 XORs an address with.
func xorPad(tx StunTx) (pad [16]byte) {
	binary.BigEndian.PutUint32(pad[:], stunMagic)
	copy(pad[4:], tx[:])
	return pad
}

func appendXorMapped(b []byte, tx StunTx, addr netip.AddrPort) []byte {
	ip, family := addr.Addr().Unmap().AsSlice(), byte(1)
	if len(ip) == 16 {
		family = 2
	}
	b = append(b, 0, attrXorMapped, 0, byte(4+len(ip)), 0, family)
	b = binary.BigEndian.AppendUint16(b, addr.Port()^stunMagic>>16)
	for i, p := range xorPad(tx) {
		if i < len(ip) {
			b = append(b, ip[i]^p)
		}
	}
	return b
}

func parseXorMapped(v []byte, tx StunTx) (netip.AddrPort, error) {
	if len(v) != 8 && len(v) != 20 || v[1] != 1 && len(v) == 8 || v[1] != 2 && len(v) == 20 {
		return netip.AddrPort{}, errStun
	}
	var ip [16]byte
	for i, p := range xorPad(tx) {
		if 4+i < len(v) {
			ip[i] = v[4+i] ^ p
		}
	}
	addr := netip.AddrFrom16(ip).Unmap()
	if len(v) == 8 {
		addr = netip.AddrFrom4([4]byte(ip[:4]))
	}
	return netip.AddrPortFrom(addr, binary.BigEndian.Uint16(v[2:])^stunMagic>>16), nil
}
