package nat

import (
	"encoding/binary"
	"net/netip"
)

// Box seals and opens probe bodies with a key that only the two peers have.
// Seal appends exactly 40 bytes more than the plaintext to dst: a random
// 24-byte nonce, and a 16-byte authenticator (XChaCha20-Poly1305, in
// package secret).
type Box interface {
	Seal(dst, plaintext, ad []byte) []byte
	Open(dst, sealed, ad []byte) ([]byte, error)
}

const (
	firstByte   = 0x52
	headerSize  = 5 // first byte and tag
	boxOverhead = 40
	bodySize    = 40 // without padding

	smallSize = headerSize + boxOverhead + bodySize
	// fullSize is the UDP payload that every path must carry: the smallest
	// that QUIC asks of a path too (RFC 9000 section 14), and what the
	// transport starts with.
	fullSize = 1200
)

type probeKind byte

const (
	ping probeKind = 1
	pong probeKind = 2
)

// Flags of a probe.
const (
	flagProven    = 0x01 // the sender has had a full-size pong on this pair
	flagNominated = 0x02 // the controlling side chose this pair
)

// probe is the content of a ping or pong; see the package comment.
type probe struct {
	kind       probeKind
	flags      byte
	generation uint32
	sequence   uint64
	txid       uint64
	observed   netip.AddrPort // invalid: not told
	full       bool           // the packet has fullSize, else smallSize
}

func (p *probe) size() int { return sizeOf(p.full) }

func sizeOf(full bool) int {
	if full {
		return fullSize
	}
	return smallSize
}

// appendBody appends the body, padded to what a packet of the probe's size
// holds.
func (p *probe) appendBody(b []byte) []byte {
	b = append(b, byte(p.kind), p.flags)
	b = binary.BigEndian.AppendUint32(b, p.generation)
	b = binary.BigEndian.AppendUint64(b, p.sequence)
	b = binary.BigEndian.AppendUint64(b, p.txid)
	var ip [16]byte
	if p.observed.IsValid() {
		ip = p.observed.Addr().As16()
	}
	b = append(b, ip[:]...)
	b = binary.BigEndian.AppendUint16(b, p.observed.Port())
	return append(b, make([]byte, p.size()-smallSize)...)
}

// parseBody reads a body whose packet had a valid size, and reports false for
// what this version does not know. Unknown flags are left to later versions.
func parseBody(b []byte) (p probe, ok bool) {
	switch len(b) {
	case bodySize:
	case bodySize + fullSize - smallSize:
		p.full = true
	default:
		return p, false
	}
	p.kind, p.flags = probeKind(b[0]), b[1]&(flagProven|flagNominated)
	if p.kind != ping && p.kind != pong {
		return p, false
	}
	p.generation = binary.BigEndian.Uint32(b[2:])
	p.sequence = binary.BigEndian.Uint64(b[6:])
	p.txid = binary.BigEndian.Uint64(b[14:])
	seen := unmap(netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[22:38])), binary.BigEndian.Uint16(b[38:])))
	if sendable(seen) {
		p.observed = seen
	}
	return p, true
}

// sealer turns probes into packets and back. Its buffers are reused: what it
// returns is valid until the next call.
type sealer struct {
	box         Box
	controlling bool
	tag         [4]byte
	body, sent  []byte
	received    []byte
}

// ad is the additional data of a probe from the given role. The role in it
// keeps our own probes, reflected by someone, from opening here.
func (s *sealer) ad(fromControlling bool) []byte {
	role := byte(2)
	if fromControlling {
		role = 1
	}
	return []byte{firstByte, s.tag[0], s.tag[1], s.tag[2], s.tag[3], role}
}

func (s *sealer) seal(p *probe) []byte {
	ad := s.ad(s.controlling)
	s.body = p.appendBody(s.body[:0])
	s.sent = s.box.Seal(append(s.sent[:0], ad[:headerSize]...), s.body, ad)
	return s.sent
}

func (s *sealer) open(data []byte) (p probe, ok bool) {
	ad := s.ad(!s.controlling)
	if len(data) != smallSize && len(data) != fullSize || [headerSize]byte(data) != [headerSize]byte(ad) {
		return p, false
	}
	body, err := s.box.Open(s.received[:0], data[headerSize:], ad)
	if err != nil {
		return p, false
	}
	s.received = body
	return parseBody(body)
}
