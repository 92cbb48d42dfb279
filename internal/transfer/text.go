package transfer

import (
	"strings"
	"unicode"
)

// maxName is how many bytes of a name are shown.
const maxName = 255

// deceives reports whether a rune could change what a person sees of a text
// around it: C0 and C1 controls, line separators, bidirectional embeddings,
// overrides, isolates and marks, and the byte order mark.
func deceives(r rune) bool {
	switch {
	case unicode.IsControl(r),
		r == 0x061c, r == 0x200e, r == 0x200f,
		r >= 0x2028 && r <= 0x202e,
		r >= 0x2066 && r <= 0x2069,
		r == 0xfeff:
		return true
	}
	return false
}

// printable returns a text of the peer's such that it can be shown: one line,
// no control or formatting characters, at most limit bytes.
func printable(text string, limit int) string {
	if len(text) > limit {
		text = text[:limit]
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) || deceives(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(text, string(unicode.ReplacementChar)))
}
