package secret

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// maxPhrase bounds a phrase, in bytes after trimming.
const maxPhrase = 1024

// roomBits is how much of an own phrase's hash the helper gets to see: enough
// to keep strangers apart, too little to confirm a guess by.
const roomBits = 20

// Argon2id for own phrases: RFC 9106 section 4, second recommended option
// (64 MiB, 4 lanes), with one pass more. It takes about 80 ms on the machine
// it was measured on, and 64 MiB for that time.
const (
	argonPasses = 4
	argonKiB    = 64 * 1024
	argonLanes  = 4
	argonSalt   = "qft 1 own phrase"
)

// Phrase is what two people share: a room to meet in and a password. The zero
// value is no phrase.
type Phrase struct {
	text     string // normalised spelling
	room     uint32
	code     bool   // generated: room is the number in it
	password []byte // what CPace runs over; never changed once made
}

// Parse reads a phrase as it was typed, of 1 to 1,024 bytes after white space
// around it is removed. Whatever is not a generated code, after repair of
// typing errors, is a phrase of the user's own and counts byte for byte; that
// case takes about 100 ms and 64 MiB.
func Parse(text string) (Phrase, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return Phrase{}, errors.New("reading the phrase: it is empty")
	}
	if len(text) > maxPhrase {
		return Phrase{}, fmt.Errorf("reading the phrase: it has %d bytes, more than %d", len(text), maxPhrase)
	}
	if p, err := ParseCode(text); err == nil {
		return p, nil
	}
	return ownPhrase(text), nil
}

// ParseCode reads a generated code: a number from 1 to 4,294,967,295 and three
// words, separated by hyphens, spaces, full stops or underscores, upper or
// lower case, with at most one typing error per word. The error says which
// part is wrong, but quotes nothing of it.
func ParseCode(text string) (Phrase, error) {
	parts := strings.FieldsFunc(strings.ToLower(strings.TrimSpace(text)), isSeparator)
	if len(parts) != 1+codeWords {
		has := fmt.Sprintf("%d parts", len(parts))
		if len(parts) == 1 {
			has = "only one part"
		}
		return Phrase{}, fmt.Errorf("reading the code: it has %s, not a number and %d words", has, codeWords)
	}
	number, err := strconv.ParseUint(parts[0], 10, 32)
	if err != nil || number == 0 {
		return Phrase{}, errors.New("reading the code: it does not begin with a number from 1 up")
	}
	for i, typed := range parts[1:] {
		w, ok := repair(typed)
		if !ok {
			return Phrase{}, fmt.Errorf("reading the code: word %d is not in the list of code words", i+1)
		}
		parts[1+i] = w
	}
	words := strings.Join(parts[1:], "-")
	return Phrase{
		text:     fmt.Sprintf("%d-%s", number, words),
		room:     uint32(number),
		code:     true,
		password: lvCat([]byte("code"), []byte(words)),
	}, nil
}

// ownPhrase derives room and password from one memory-hard hash, under labels
// that keep the room from telling more about the password than its 20 bits.
func ownPhrase(text string) Phrase {
	seed := argon2.IDKey([]byte(text), []byte(argonSalt), argonPasses, argonKiB, argonLanes, 64)
	defer clear(seed)
	r := expandLabel(seed, "room", nil, 4)
	room := uint32(r[0])<<24 | uint32(r[1])<<16 | uint32(r[2])<<8 | uint32(r[3])
	return Phrase{
		text:     text,
		room:     room >> (32 - roomBits),
		password: lvCat([]byte("own"), expandLabel(seed, "password", nil, 32)),
	}
}

// NoPhrase stands for a phrase where two people have agreed on none, because
// what they pass each other goes over a channel that both trust: it is no
// secret, and belongs to no room.
func NoPhrase() Phrase {
	return Phrase{password: lvCat([]byte("none"))}
}

// Number returns the room number of a generated code; generated is false for a
// phrase of the user's own.
func (p Phrase) Number() (n uint32, generated bool) {
	if !p.code {
		return 0, false
	}
	return p.room, true
}

// Room returns the room to meet in: the number of a generated code, or the 20
// bits of an own phrase. The two kinds are different spaces.
func (p Phrase) Room() uint32 { return p.room }

// String returns the phrase in its normal spelling, which is the secret
// itself: it is for the user's eyes and for no log.
func (p Phrase) String() string { return p.text }
