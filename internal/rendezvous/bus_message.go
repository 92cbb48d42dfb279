package rendezvous

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
)

// BusMessage is what one instance of a helper tells the others: something that
// was published under a subject. The last part of a subject is its most
// specific one; none has blanks or wildcards.
type BusMessage struct {
	Subject string
	Data    []byte
}

// Subjects. Who has a member in a room listens to that of the room; every
// instance listens to its own, and to claims.
const (
	subjectRoom  = "qft.room."
	subjectTo    = "qft.to."
	subjectClaim = "qft.claim"
)

func roomSubject(r Room) string {
	return subjectRoom + strconv.Itoa(int(r.Kind)) + "." + hex.EncodeToString(r.Name[:])
}

func (i instance) subject() string { return subjectTo + hex.EncodeToString(i[:]) }

// instance names a server among those that share their rooms. It is drawn when
// the server starts.
type instance [8]byte

// wireKind is the kind of a message between instances.
type wireKind byte

const (
	// wireHere: a member of the room is at the author.
	wireHere wireKind = 1
	// wireWho asks those who have members in the room to say so.
	wireWho wireKind = 2
	// wireGone: a member of the room has left.
	wireGone wireKind = 3
	// wireNote carries a note to a member at the addressed instance.
	wireNote wireKind = 4
	// wireAck carries a member's confirmation to the author of notes.
	wireAck wireKind = 5
	// wireClaim asks whether anybody objects to a number.
	wireClaim wireKind = 6
	// wireDeny objects.
	wireDeny wireKind = 7
	// wireSeat asks whether another than the member has the seat of its role.
	wireSeat wireKind = 8
	// wireTaken says so.
	wireTaken wireKind = 9
)

const (
	wireVersion = 1
	wireHeader  = 2 + 8 // version, kind, instance
	roomSize    = 1 + 16
	hereSize    = wireHeader + roomSize + 1 + 16 + 4 + 8 + 1
	whoSize     = wireHeader + roomSize
	goneSize    = wireHeader + roomSize + 1 + 16
	carrySize   = wireHeader + 16 + 16 + 4 + 1 // of a note, less its data
	confirmSize = wireHeader + 16 + 16 + 4
	claimSize   = wireHeader + 4 + 8
)

// wire is any message between instances; which fields count depends on kind.
// Integers are big endian, fields in this order:
//
//	all    version 1, kind 1, author 8
//	here   room kind 1, name 16, role 1, ID 16, req 4, since 8, used 1
//	who    room kind 1, name 16
//	gone   room kind 1, name 16, role 1, ID 16; seat and taken the same
//	note   from 16, to 16, seq 4, part 1, data
//	ack    from 16, to 16, next 4
//	claim  number 4, nonce 8; deny the same
type wire struct {
	kind   wireKind
	author instance
	room   Room
	role   Role
	id     ID // here, gone: the member; note, ack: who wrote it
	to     ID
	req    uint32  // here: the member's latest join
	since  instant // here: since when the author has the room
	used   bool    // here: notes were written in it
	seq    uint32
	part   part
	data   []byte
	number uint32
	nonce  uint64
}

func (w *wire) encode() []byte {
	be := binary.BigEndian
	b := make([]byte, 0, carrySize+len(w.data))
	b = append(b, wireVersion, byte(w.kind))
	b = append(b, w.author[:]...)
	switch w.kind {
	case wireHere:
		b = w.appendMember(b)
		b = be.AppendUint32(b, w.req)
		b = be.AppendUint64(b, uint64(w.since))
		used := byte(0)
		if w.used {
			used = 1
		}
		b = append(b, used)
	case wireWho:
		b = append(append(b, byte(w.room.Kind)), w.room.Name[:]...)
	case wireGone, wireSeat, wireTaken:
		b = w.appendMember(b)
	case wireNote, wireAck:
		b = append(append(b, w.id[:]...), w.to[:]...)
		b = be.AppendUint32(b, w.seq)
		if w.kind == wireNote {
			b = append(append(b, byte(w.part)), w.data...)
		}
	case wireClaim, wireDeny:
		b = be.AppendUint64(be.AppendUint32(b, w.number), w.nonce)
	}
	return b
}

func (w *wire) appendMember(b []byte) []byte {
	b = append(append(b, byte(w.room.Kind)), w.room.Name[:]...)
	return append(append(b, byte(w.role)), w.id[:]...)
}

// parseWire reads a message between instances; data points into b.
func parseWire(b []byte) (w wire, ok bool) {
	if len(b) < wireHeader || b[0] != wireVersion {
		return w, false
	}
	be := binary.BigEndian
	w.kind, w.author = wireKind(b[1]), instance(b[2:])
	switch body := b[wireHeader:]; w.kind {
	case wireHere:
		if len(b) != hereSize {
			return w, false
		}
		w.req, w.since, w.used = be.Uint32(body[34:]), instant(be.Uint64(body[38:])), body[46] == 1
		return w, w.parseMember(body)
	case wireWho:
		return w, len(b) == whoSize && w.parseRoom(body)
	case wireGone, wireSeat, wireTaken:
		return w, len(b) == goneSize && w.parseMember(body)
	case wireNote:
		if len(b) < carrySize {
			return w, false
		}
		w.id, w.to, w.seq, w.part, w.data = ID(body), ID(body[16:]), be.Uint32(body[32:]), part(body[36]), body[37:]
		return w, validNote(w.seq, w.part, w.data)
	case wireAck:
		if len(b) != confirmSize {
			return w, false
		}
		w.id, w.to, w.seq = ID(body), ID(body[16:]), be.Uint32(body[32:])
		return w, true
	case wireClaim, wireDeny:
		if len(b) != claimSize {
			return w, false
		}
		w.number, w.nonce = be.Uint32(body), be.Uint64(body[4:])
		return w, w.number != 0
	}
	return w, false
}

func (w *wire) parseRoom(b []byte) bool {
	w.room = Room{Kind: Kind(b[0]), Name: [16]byte(b[1:])}
	return w.room.valid() && !w.room.unassigned()
}

func (w *wire) parseMember(b []byte) bool {
	w.role, w.id = Role(b[17]), ID(b[18:])
	return w.parseRoom(b) && w.role.valid() && w.id != ID{}
}
