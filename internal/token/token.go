// Package token turns a message of one peer into text that a person can paste
// for the other one.
//
// # Layout
//
//	qft-sender:AQAB...   a prefix that says from whom it is,
//	...                  the message and its checksum in base64url
//	...AAAA.             (RFC 4648 section 5, no padding), and a full stop
//
// The checksum is the CRC-32C (RFC 3720 appendix B.4) of the message, big
// endian: it tells a token that was copied in part from a whole one, and
// protects against nothing else.
//
// Text is kept in lines that a terminal takes, whose longest line is 1,024
// bytes in some systems. Where it is pasted, white space and the marks that
// mail programs put before lines do not count, and neither does what stands
// before the prefix and behind the full stop.
package token

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
)

// From says whose token it is.
type From byte

const (
	Sender   From = 1
	Receiver From = 2
)

// MaxMessage bounds the message in a token, in bytes.
const MaxMessage = 8 << 10

// columns is the length of a line.
const columns = 72

var (
	// ErrIncomplete says that more text may make a token of it.
	ErrIncomplete = errors.New("the token is not complete")
	// ErrDamaged says that part of the token is missing or altered.
	ErrDamaged = errors.New("the token is damaged: copy all of it, from \"qft-\" to the full stop")
)

var table = crc32.MakeTable(crc32.Castagnoli)

func prefix(f From) string {
	if f == Sender {
		return "qft-sender:"
	}
	return "qft-receiver:"
}

// Format returns the text of a message, in lines that end with a newline. The
// message has at most MaxMessage bytes.
func Format(f From, message []byte) string {
	sum := binary.BigEndian.AppendUint32(append([]byte(nil), message...), crc32.Checksum(message, table))
	text := prefix(f) + base64.RawURLEncoding.EncodeToString(sum) + "."
	var b strings.Builder
	for len(text) > columns {
		b.WriteString(text[:columns] + "\n")
		text = text[columns:]
	}
	b.WriteString(text + "\n")
	return b.String()
}

// Parse returns the message in the text of a token. The error is ErrIncomplete
// while the full stop is missing, or wraps ErrDamaged.
func Parse(text string) (From, []byte, error) {
	text = strings.Map(func(r rune) rune {
		if r <= ' ' || r == '>' || r == '\u00a0' || r == '\ufeff' {
			return -1
		}
		return r
	}, text)
	from, rest, ok := cut(text)
	if !ok {
		if strings.Contains(text, ".") || len(text) > MaxMessage {
			return 0, nil, fmt.Errorf("%w (no \"qft-sender:\" or \"qft-receiver:\" in it)", ErrDamaged)
		}
		return 0, nil, ErrIncomplete
	}
	body, _, ok := strings.Cut(rest, ".")
	switch {
	case len(body) > 2*MaxMessage:
		return 0, nil, fmt.Errorf("%w (too long)", ErrDamaged)
	case !ok:
		return 0, nil, ErrIncomplete
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if err != nil || len(b) < 4 || len(b) > MaxMessage+4 {
		return 0, nil, ErrDamaged
	}
	message, sum := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(message, table) != sum {
		return 0, nil, ErrDamaged
	}
	return from, message, nil
}

// cut finds the first prefix.
func cut(text string) (From, string, bool) {
	for i := range len(text) {
		for _, f := range []From{Sender, Receiver} {
			if rest, ok := strings.CutPrefix(text[i:], prefix(f)); ok {
				return f, rest, true
			}
		}
	}
	return 0, "", false
}
