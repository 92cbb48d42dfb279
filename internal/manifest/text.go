package manifest

import (
	"fmt"
	"strings"
	"unicode"
)

// Deceives reports whether a rune could change what a person sees of a text
// around it: C0 and C1 controls, line separators, bidirectional embeddings,
// overrides, isolates and marks, and the byte order mark.
func Deceives(r rune) bool {
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

// Printable returns a name or another text of the peer's such that it can be
// shown: one line, no control or formatting characters.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) || Deceives(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(text, string(unicode.ReplacementChar)))
}

// SizeText is a number of bytes for a person.
func SizeText(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d bytes", n)
	}
	v, unit := float64(n)/1000, 0
	for v >= 1000 {
		v, unit = v/1000, unit+1
	}
	return fmt.Sprintf("%.1f %cB", v, "kMGTPE"[unit])
}
