package rendezvous

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/netip"
)

const (
	magic   = 0x51
	version = 1

	headerSize = 3 + 8           // magic, type, version, token
	prefixSize = headerSize + 16 // ... and a request's cookie
	sumSize    = 4               // CRC-32C behind everything
	addrSize   = 18

	helloSize   = 64                                       // padded: larger than the cookie that answers it
	cookieSize  = headerSize + 16 + addrSize + 1 + sumSize // less the ports
	joinSize    = prefixSize + 4 + 1 + 1 + 16 + 16 + 16 + sumSize
	noteSize    = prefixSize + 16 + 16 + 4 + 1 + sumSize // less the data
	ackSize     = prefixSize + 16 + 16 + 4 + sumSize
	leaveSize   = prefixSize + 16 + 4 + sumSize
	joinedSize  = headerSize + 16 + addrSize + 4*4 + 1 + sumSize // less the members
	pushSize    = headerSize + 16 + 4 + 1 + sumSize              // less the data
	ackedSize   = headerSize + 16 + 4 + sumSize
	refusedSize = headerSize + 1 + 4 + sumSize
	leftSize    = headerSize + sumSize

	maxPorts    = 6    // of a helper, beside the one that answers
	noteData    = 1000 // bytes of a message in one note
	maxParts    = 5    // notes of one message
	maxMembers  = 16   // of one role in a room
	maxDatagram = noteSize + noteData
)

// MaxMessage is the size of the largest message that Post takes.
const MaxMessage = 4096

type msgType byte

// Requests go from a client to the helper, answers the other way.
const (
	typeHello msgType = 0x01
	typeJoin  msgType = 0x02
	typeNote  msgType = 0x03
	typeAck   msgType = 0x04
	typeLeave msgType = 0x05

	typeCookie  msgType = 0x11
	typeJoined  msgType = 0x12
	typePush    msgType = 0x13
	typeAcked   msgType = 0x14
	typeRefused msgType = 0x15
	typeLeft    msgType = 0x16
)

// IsRequest reports whether a packet with the first byte of this protocol is for
// a helper, rather than from one.
func IsRequest(b []byte) bool { return len(b) > 1 && b[0] == magic && b[1] < byte(typeCookie) }

// refusal is why a helper turned a request down.
type refusal byte

const (
	refusedVersion refusal = 1 // the helper speaks the version in the header
	refusedTaken   refusal = 2 // somebody else has the only place of this role
	refusedBusy    refusal = 3 // a limit is reached; later may work
	refusedUnknown refusal = 4 // no such member at this address: join first
	refusedExpired refusal = 5 // nobody was met in the room for too long
	refusedDenied  refusal = 6 // the helper has a secret, which this join does not show
)

// token is drawn by a client for each helper address and comes back in every
// answer, so that only those who see the traffic can forge one.
type token [8]byte

// cookie is the helper's proof to itself that the sender of a request
// receives what is sent to its source address.
type cookie [16]byte

// mac shows that the sender of a join knows a secret of the helper. It holds
// for one member at one address, as long as the cookie does.
type mac [16]byte

const macLabel = "qft join"

func newMAC(secret []byte, c cookie, k key) mac {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(macLabel))
	h.Write(c[:])
	h.Write(k[:])
	return mac(h.Sum(nil))
}

// part says which note of its message a note is: the index in the high four
// bits, the number of notes (1 to 5) in the low ones.
type part byte

func newPart(index, count int) part { return part(index<<4 | count) }
func (p part) index() int           { return int(p >> 4) }
func (p part) count() int           { return int(p & 15) }
func (p part) last() bool           { return p.index() == p.count()-1 }

// fits reports whether a note of n bytes can be this part. Every note but the
// last is full, so there is one way to split a message, and none to make its
// reader hold more than MaxMessage.
func (p part) fits(n int) bool {
	switch {
	case p.count() < 1 || p.count() > maxParts || p.index() >= p.count():
		return false
	case !p.last():
		return n == noteData
	case p.count() == 1:
		return n <= noteData
	}
	return n > 0 && p.index()*noteData+n <= MaxMessage
}

// request is any message from a client; which fields count depends on typ.
type request struct {
	typ    msgType
	token  token
	cookie cookie
	req    uint32 // join, leave: grows with each one that the member sends
	room   Room
	role   Role
	key    key
	mac    mac
	from   ID     // the member that sends this
	to     ID     // note: the addressee; ack: the author, or zero for the roster
	seq    uint32 // note: its number; ack: next note wanted, or the roster version
	part   part
	data   []byte
}

// answer is any message from a helper; which fields count depends on typ.
type answer struct {
	typ      msgType
	token    token
	cookie   cookie
	observed netip.AddrPort // the client's address as the helper sees it
	ports    []uint16       // cookie: the other ports on which the helper listens
	req      uint32         // the join that this answers; 0: another request
	roster   roster
	from     ID     // push: the author; acked: the addressee
	seq      uint32 // push: its number; acked: next note wanted
	part     part
	data     []byte
	code     refusal
}

// roster is what a member is told of its room.
type roster struct {
	born    uint32 // drawn when the helper made this member: another value means that it forgot
	version uint32 // of members
	number  uint32 // of a numbered room; 0 in others
	members []ID   // of the other role, longest here first
}

var (
	errMalformed = errors.New("malformed rendezvous message")
	errVersion   = errors.New("rendezvous message of another version")
)

// header reads what every version of the protocol has in common: type, version,
// token, and the checksum at the end.
func header(b []byte) (t msgType, v byte, tok token, err error) {
	if len(b) < leftSize || len(b) > maxDatagram || b[0] != magic {
		return 0, 0, tok, errMalformed
	}
	body, sum := b[:len(b)-sumSize], b[len(b)-sumSize:]
	if binary.BigEndian.Uint32(sum) != checksum(body) {
		return 0, 0, tok, errMalformed
	}
	if b[2] != version {
		err = errVersion
	}
	return msgType(b[1]), b[2], token(b[3:headerSize]), err
}

// checksum guards against what the 16 bits of UDP let through: a flipped bit in
// an ack would stall its stream for good.
func checksum(b []byte) uint32 {
	return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
}

func begin(b []byte, t msgType, tok token) []byte {
	b = append(b, magic, byte(t), version)
	return append(b, tok[:]...)
}

// finish appends the checksum of the message that starts at b[start].
func finish(b []byte, start int) []byte {
	return binary.BigEndian.AppendUint32(b, checksum(b[start:]))
}

// append appends the encoded request to b.
func (m *request) append(b []byte) []byte {
	be, start := binary.BigEndian, len(b)
	b = begin(b, m.typ, m.token)
	if m.typ == typeHello {
		b = append(b, make([]byte, helloSize-headerSize-sumSize)...)
		return finish(b, start)
	}
	b = append(b, m.cookie[:]...)
	switch m.typ {
	case typeJoin:
		b = be.AppendUint32(b, m.req)
		b = append(b, byte(m.room.Kind), byte(m.role))
		b = append(b, m.room.Name[:]...)
		b = append(b, m.key[:]...)
		b = append(b, m.mac[:]...)
	case typeNote:
		b = append(append(b, m.from[:]...), m.to[:]...)
		b = append(be.AppendUint32(b, m.seq), byte(m.part))
		b = append(b, m.data...)
	case typeAck:
		b = append(append(b, m.from[:]...), m.to[:]...)
		b = be.AppendUint32(b, m.seq)
	case typeLeave:
		b = be.AppendUint32(append(b, m.from[:]...), m.req)
	}
	return finish(b, start)
}

// parseRequest reads a client's message; data points into b. The type, the
// token and errVersion are given for messages of other versions as well.
func parseRequest(b []byte) (m request, err error) {
	m.typ, _, m.token, err = header(b)
	if err != nil {
		return m, err
	}
	if m.typ == typeHello {
		if len(b) < helloSize {
			return m, errMalformed
		}
		return m, nil
	}
	if len(b) < leaveSize {
		return m, errMalformed
	}
	m.cookie = cookie(b[headerSize:])
	ok := false
	switch body := b[prefixSize : len(b)-sumSize]; m.typ {
	case typeJoin:
		ok = len(b) == joinSize && m.parseJoin(body)
	case typeNote:
		ok = len(b) >= noteSize && m.parseNote(body)
	case typeAck:
		if ok = len(b) == ackSize; ok {
			m.from, m.to, m.seq = ID(body), ID(body[16:]), binary.BigEndian.Uint32(body[32:])
		}
	case typeLeave:
		if ok = len(b) == leaveSize; ok {
			m.from, m.req = ID(body), binary.BigEndian.Uint32(body[16:])
		}
	}
	if !ok {
		return m, errMalformed
	}
	return m, nil
}

func (m *request) parseJoin(b []byte) bool {
	m.req = binary.BigEndian.Uint32(b)
	m.room.Kind, m.role = Kind(b[4]), Role(b[5])
	m.room.Name = [16]byte(b[6:])
	m.key, m.mac = key(b[22:]), mac(b[38:])
	// Only a sender's code is still to be made up: a receiver was told one.
	return m.room.valid() && m.role.valid() && (m.role == Sender || !m.room.unassigned())
}

func (m *request) parseNote(b []byte) bool {
	m.from, m.to = ID(b), ID(b[16:])
	m.seq, m.part, m.data = binary.BigEndian.Uint32(b[32:]), part(b[36]), b[37:]
	return validNote(m.seq, m.part, m.data)
}

func validNote(seq uint32, p part, data []byte) bool {
	return seq >= 1 && seq <= maxNotes && p.fits(len(data))
}

// append appends the encoded answer to b.
func (m *answer) append(b []byte) []byte {
	be, start := binary.BigEndian, len(b)
	b = begin(b, m.typ, m.token)
	switch m.typ {
	case typeCookie:
		b = append(b, m.cookie[:]...)
		b = appendAddr(b, m.token, m.observed)
		b = append(b, byte(len(m.ports)))
		for _, p := range m.ports {
			b = be.AppendUint16(b, p)
		}
	case typeJoined:
		b = append(b, m.cookie[:]...)
		b = appendAddr(b, m.token, m.observed)
		b = be.AppendUint32(b, m.req)
		b = be.AppendUint32(b, m.roster.born)
		b = be.AppendUint32(b, m.roster.version)
		b = be.AppendUint32(b, m.roster.number)
		b = append(b, byte(len(m.roster.members)))
		for _, id := range m.roster.members {
			b = append(b, id[:]...)
		}
	case typePush:
		b = append(b, m.from[:]...)
		b = append(be.AppendUint32(b, m.seq), byte(m.part))
		b = append(b, m.data...)
	case typeAcked:
		b = be.AppendUint32(append(b, m.from[:]...), m.seq)
	case typeRefused:
		b = be.AppendUint32(append(b, byte(m.code)), m.req)
	}
	return finish(b, start)
}

// parseAnswer reads a helper's message; data points into b. The type, the
// token and errVersion are given for messages of other versions as well.
func parseAnswer(b []byte) (m answer, err error) {
	m.typ, _, m.token, err = header(b)
	if err != nil {
		return m, err
	}
	be, ok := binary.BigEndian, false
	switch body := b[headerSize : len(b)-sumSize]; m.typ {
	case typeCookie:
		ok = len(b) >= cookieSize && m.parseCookie(body) && m.parsePorts(body[16+addrSize:])
	case typeJoined:
		ok = len(b) >= joinedSize && m.parseCookie(body) && m.parseRoster(body[16+addrSize:])
	case typePush:
		if ok = len(b) >= pushSize; ok {
			m.from, m.seq, m.part, m.data = ID(body), be.Uint32(body[16:]), part(body[20]), body[21:]
			ok = validNote(m.seq, m.part, m.data)
		}
	case typeAcked:
		if ok = len(b) == ackedSize; ok {
			m.from, m.seq = ID(body), be.Uint32(body[16:])
		}
	case typeRefused:
		if ok = len(b) == refusedSize; ok {
			m.code, m.req = refusal(body[0]), be.Uint32(body[1:])
		}
	case typeLeft:
		ok = len(b) == leftSize
	}
	if !ok {
		return m, errMalformed
	}
	return m, nil
}

func (m *answer) parseCookie(b []byte) (ok bool) {
	m.cookie = cookie(b)
	m.observed, ok = parseAddr(b[16:], m.token)
	return ok
}

func (m *answer) parsePorts(b []byte) bool {
	n := int(b[0])
	if b = b[1:]; n > maxPorts || len(b) != 2*n {
		return false
	}
	for ; len(b) > 0; b = b[2:] {
		port := binary.BigEndian.Uint16(b)
		if port == 0 {
			return false
		}
		m.ports = append(m.ports, port)
	}
	return true
}

func (m *answer) parseRoster(b []byte) bool {
	be, r := binary.BigEndian, &m.roster
	m.req, r.born, r.version, r.number = be.Uint32(b), be.Uint32(b[4:]), be.Uint32(b[8:]), be.Uint32(b[12:])
	n, ids := int(b[16]), b[17:]
	if n > maxMembers || len(ids) != 16*n {
		return false
	}
	r.members = make([]ID, 0, n)
	for ; len(ids) > 0; ids = ids[16:] {
		r.members = append(r.members, ID(ids))
	}
	return distinct(r.members)
}

// distinct reports whether every ID is there once and none is zero.
func distinct(ids []ID) bool {
	for i, id := range ids {
		if id == (ID{}) {
			return false
		}
		for _, other := range ids[:i] {
			if id == other {
				return false
			}
		}
	}
	return true
}

// appendAddr appends an address, IPv4 as mapped IPv6, XORed with the token:
// some NATs rewrite every copy of their inner address that they find in a
// payload (RFC 8489 section 14.2).
func appendAddr(b []byte, tok token, a netip.AddrPort) []byte {
	ip := a.Addr().As16()
	at := len(b)
	b = binary.BigEndian.AppendUint16(append(b, ip[:]...), a.Port())
	maskAddr(b[at:], tok)
	return b
}

func parseAddr(b []byte, tok token) (netip.AddrPort, bool) {
	var a [addrSize]byte
	copy(a[:], b)
	maskAddr(a[:], tok)
	ip := netip.AddrFrom16([16]byte(a[:16])).Unmap()
	port := binary.BigEndian.Uint16(a[16:])
	return netip.AddrPortFrom(ip, port), port != 0 && !ip.IsUnspecified() && !ip.IsMulticast()
}

func maskAddr(b []byte, tok token) {
	for i := range b {
		b[i] ^= tok[i%len(tok)]
	}
}
