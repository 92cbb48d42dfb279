package portmap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Both protocols share the router's port (RFC 6887, appendix A); the first byte
// of a message is the version and tells them apart.
const (
	serverPort    = 5351
	versionNATPMP = 0
	versionPCP    = 2

	opMap     = 1
	opAnswer  = 0x80
	pcpHeader = 24
	pcpMap    = pcpHeader + 36
	maxAnswer = 1100 // RFC 6887, section 7

	protocolTCP = 6
	protocolUDP = 17
)

// nonce ties the requests for one mapping together: who does not know it cannot
// close or renew the mapping (RFC 6887, section 11.1).
type nonce [12]byte

// pcpRequest asks for, renews or, with a lifetime of 0, closes a mapping.
type pcpRequest struct {
	nonce    nonce
	client   netip.Addr // own address: the router refuses if it sees another one
	tcp      bool
	port     uint16
	suggest  netip.AddrPort // outside; the address may be unspecified
	lifetime uint32         // seconds
}

// appendPCP appends a MAP request (RFC 6887, sections 7.1 and 11.1).
func appendPCP(b []byte, q pcpRequest) []byte {
	be := binary.BigEndian
	b = append(b, versionPCP, opMap, 0, 0)
	b = be.AppendUint32(b, q.lifetime)
	client := q.client.As16()
	b = append(b, client[:]...)
	b = append(b, q.nonce[:]...)
	b = append(b, protocolNumber(q.tcp), 0, 0, 0)
	b = be.AppendUint16(b, q.port)
	b = be.AppendUint16(b, q.suggest.Port())
	suggest := q.suggest.Addr().As16()
	return append(b, suggest[:]...)
}

func protocolNumber(tcp bool) byte {
	if tcp {
		return protocolTCP
	}
	return protocolUDP
}

// pcpAnswer is a router's answer to a MAP request.
type pcpAnswer struct {
	result   pcpResult
	lifetime uint32 // of the mapping, or, with an error, of the error
	nonce    nonce
	tcp      bool
	port     uint16
	outside  netip.AddrPort
}

// pcpResult is a result code of PCP (RFC 6887, section 7.4).
type pcpResult byte

const (
	pcpSuccess            pcpResult = 0
	pcpUnsupportedVersion pcpResult = 1
)

func (r pcpResult) String() string {
	words := [...]string{"success", "it speaks another version", "it does not allow it", "it found the request malformed",
		"it does not know the request", "it does not know the option", "it found the option malformed",
		"its own network has failed", "it has no room for more", "it does not know the protocol",
		"this machine has enough of them", "it cannot provide the port", "there is another NAT before it", "too many peers"}
	if int(r) < len(words) {
		return words[r]
	}
	return fmt.Sprintf("error %d", byte(r))
}

var errMalformed = errors.New("malformed answer of a router")

// parsePCP reads an answer to a MAP request (RFC 6887, sections 7.2 and 11.1).
// Options behind it are passed over.
func parsePCP(b []byte) (a pcpAnswer, err error) {
	be := binary.BigEndian
	if len(b) < pcpMap || len(b) > maxAnswer || len(b)%4 != 0 || b[0] != versionPCP || b[1] != opAnswer|opMap {
		return a, errMalformed
	}
	a.result, a.lifetime = pcpResult(b[3]), be.Uint32(b[4:])
	m := b[pcpHeader:]
	a.nonce = nonce(m)
	switch m[12] {
	case protocolTCP:
		a.tcp = true
	case protocolUDP:
	default:
		return a, errMalformed
	}
	a.port = be.Uint16(m[16:])
	a.outside = netip.AddrPortFrom(netip.AddrFrom16([16]byte(m[20:])).Unmap(), be.Uint16(m[18:]))
	return a, nil
}

// unsupported reports whether an answer says that the router does not speak
// PCP: it is of NAT-PMP with the result "unsupported version" (RFC 6886,
// section 3.5), or of PCP with the same.
func unsupported(b []byte) bool {
	switch {
	case len(b) < 4 || len(b) > maxAnswer || b[1] < opAnswer:
		return false
	case b[0] == versionNATPMP:
		return binary.BigEndian.Uint16(b[2:]) == uint16(pmpUnsupportedVersion)
	}
	return pcpResult(b[3]) == pcpUnsupportedVersion
}

// A lease that the router gives is taken to be within these: a short one
// would have us ask without end, a long one would not be looked after.
const (
	minLease = 2 * time.Minute
	maxLease = 24 * time.Hour
)

func lease(seconds uint32) time.Duration {
	return min(max(time.Duration(seconds)*time.Second, minLease), maxLease)
}
