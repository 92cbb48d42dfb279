package rendezvous

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// Role is a member's part in a meeting. Members see, and write to, members of
// the other role only.
type Role byte

// The values are the same in every qft protocol.
const (
	Sender   Role = 1
	Receiver Role = 2
)

func (r Role) valid() bool { return r == Sender || r == Receiver }

// other is the role that r meets.
func (r Role) other() Role { return Sender + Receiver - r }

// Kind says who may share a room.
type Kind byte

const (
	// Numbered is the room of a generated code: one sender, and several
	// receivers, since one code may be for many, and one who guesses must not
	// keep the right one out.
	Numbered Kind = 1
	// Shared is the room of a phrase of the user's own. Its name is only 20
	// bits of a hash, so strangers share it and the PAKE tells them apart.
	Shared Kind = 2
	// Private is the room of two peers that have met before and know a name
	// that nobody else can guess.
	Private Kind = 3
)

// SharedBits is the size of a shared room's number: too little to confirm a
// guess at the phrase by.
const SharedBits = 20

// Room names a meeting place. The zero value names none.
type Room struct {
	Kind Kind
	Name [16]byte
}

// NumberedRoom returns the room of a generated code; 0 asks the helper to
// assign a free number, which only a sender may do.
func NumberedRoom(n uint32) Room { return numberRoom(Numbered, n) }

// SharedRoom returns the room of a user's own phrase; bits of n above
// SharedBits are ignored.
func SharedRoom(n uint32) Room { return numberRoom(Shared, n&(1<<SharedBits-1)) }

// PrivateRoom returns the room with a secret 128-bit name.
func PrivateRoom(name [16]byte) Room { return Room{Kind: Private, Name: name} }

func numberRoom(k Kind, n uint32) Room {
	r := Room{Kind: k}
	binary.BigEndian.PutUint32(r.Name[12:], n)
	return r
}

// Number returns the number of a numbered or shared room.
func (r Room) Number() uint32 { return binary.BigEndian.Uint32(r.Name[12:]) }

func (r Room) valid() bool {
	switch r.Kind {
	case Numbered:
		return r == NumberedRoom(r.Number())
	case Shared:
		return r == SharedRoom(r.Number())
	case Private:
		return true
	}
	return false
}

// unassigned reports whether r asks for a number.
func (r Room) unassigned() bool { return r == NumberedRoom(0) }

// seats is how many members of a role may be in the room at a time.
func (r Room) seats(role Role) int {
	switch {
	case r.Kind == Shared, r.Kind == Numbered && role == Receiver:
		return maxMembers
	}
	return 1
}

// ID names a member to the others. It is the hash of the member's key, which
// only the member and the helper learn: so whoever sees an ID can write to the
// member, but cannot take its place.
type ID [16]byte

func (id ID) String() string { return hex.EncodeToString(id[:4]) }

// key proves to the helper that a member owns its ID, from any address and to
// a helper that has forgotten everything.
type key [16]byte

const idLabel = "qft rendezvous member\x00"

func (k key) id() ID {
	var in [len(idLabel) + len(k)]byte
	copy(in[copy(in[:], idLabel):], k[:])
	h := sha256.Sum256(in[:])
	return ID(h[:16])
}
