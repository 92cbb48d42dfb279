package portmap

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

const (
	pmpOpAddress = 0
	pmpOpUDP     = 1
	pmpOpTCP     = 2
)

// pmpResult is a result code of NAT-PMP (RFC 6886, section 3.5).
type pmpResult uint16

const (
	pmpSuccess            pmpResult = 0
	pmpUnsupportedVersion pmpResult = 1
)

func (r pmpResult) String() string {
	words := [...]string{"success", "it speaks another version", "it does not allow it",
		"its own network has failed", "it has no room for more", "it does not know the request"}
	if int(r) < len(words) {
		return words[r]
	}
	return fmt.Sprintf("error %d", uint16(r))
}

// appendPMPAddress appends the question for the outside address (RFC 6886,
// section 3.2).
func appendPMPAddress(b []byte) []byte { return append(b, versionNATPMP, pmpOpAddress) }

// appendPMPMap asks for, renews or, with a lifetime and an outside port of 0,
// closes a mapping (RFC 6886, sections 3.3 and 3.4).
func appendPMPMap(b []byte, tcp bool, port, outside uint16, lifetime uint32) []byte {
	be := binary.BigEndian
	op := byte(pmpOpUDP)
	if tcp {
		op = pmpOpTCP
	}
	b = append(b, versionNATPMP, op, 0, 0)
	b = be.AppendUint16(b, port)
	b = be.AppendUint16(b, outside)
	return be.AppendUint32(b, lifetime)
}

// pmpAnswer is a router's answer; which fields count depends on op.
type pmpAnswer struct {
	op       byte
	result   pmpResult
	address  netip.Addr // outside
	tcp      bool
	port     uint16
	outside  uint16
	lifetime uint32 // seconds
}

// parsePMP reads an answer. One that reports an error may be cut short behind
// the result.
func parsePMP(b []byte) (a pmpAnswer, err error) {
	be := binary.BigEndian
	if len(b) < 4 || len(b) > maxAnswer || b[0] != versionNATPMP || b[1] < opAnswer {
		return a, errMalformed
	}
	a.op, a.result = b[1]&^opAnswer, pmpResult(be.Uint16(b[2:]))
	a.tcp = a.op == pmpOpTCP
	switch {
	case a.op > pmpOpTCP:
		return a, errMalformed
	case a.op == pmpOpAddress && len(b) >= 12:
		a.address = netip.AddrFrom4([4]byte(b[8:]))
	case a.op != pmpOpAddress && len(b) >= 16:
		a.port, a.outside, a.lifetime = be.Uint16(b[8:]), be.Uint16(b[10:]), be.Uint32(b[12:])
	case a.result == pmpSuccess:
		return a, errMalformed
	}
	return a, nil
}
