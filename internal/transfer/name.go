package transfer

import (
	"encoding/hex"
	"runtime"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/zeebo/blake3"
)

const maxName = 255 // bytes: the longest file name of the usual file systems

const (
	partSuffix    = ".qft-part"
	journalSuffix = ".qft-journal"
)

// badName says why a name that the peer chose must not become a file name
// here, or "" if it may. It refuses what is dangerous on any system, not only
// on this one, so that the answer does not depend on who receives.
func badName(name string) string {
	switch {
	case name == "":
		return "it is empty"
	case len(name) > maxName:
		return "it is longer than 255 bytes"
	case !utf8.ValidString(name):
		return "it is not valid UTF-8"
	case name == "." || name == "..":
		return "it names a directory"
	case strings.ContainsAny(name, `/\`):
		return "it contains a path separator"
	case strings.Contains(name, ":"):
		return "it contains a colon" // drive letters and NTFS streams
	case strings.ContainsFunc(name, deceives):
		return "it contains control characters"
	case strings.HasSuffix(name, ".") || strings.HasSuffix(name, " "):
		return "it ends in a dot or a space" // Windows drops them: another name
	case reservedOnWindows(name):
		return "it is the name of a device on Windows"
	case strings.HasSuffix(name, partSuffix) || strings.HasSuffix(name, journalSuffix):
		return "it looks like one of qft's own temporary files"
	case runtime.GOOS == "windows" && strings.ContainsAny(name, `<>"|?*`):
		return "it contains a character that Windows does not allow"
	}
	return ""
}

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

// reservedOnWindows reports whether Windows takes the name for a device,
// which it does whatever the extension and case ("Naming Files, Paths, and
// Namespaces", Microsoft).
func reservedOnWindows(name string) bool {
	base, _, _ := strings.Cut(name, ".")
	base = strings.ToUpper(strings.TrimRight(base, " "))
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$":
		return true
	}
	digit, isCOM := strings.CutPrefix(base, "COM")
	if !isCOM {
		var isLPT bool
		if digit, isLPT = strings.CutPrefix(base, "LPT"); !isLPT {
			return false
		}
	}
	return utf8.RuneCountInString(digit) == 1 && strings.Contains("0123456789¹²³", digit)
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

// hiddenName is the name of a file beside the target: ".NAME.qft-part". A
// long name is cut and told apart by a hash, since the whole must fit in 255
// bytes again.
func hiddenName(name, suffix string) string {
	if n := "." + name + suffix; len(n) <= maxName {
		return n
	}
	sum := blake3.Sum256([]byte(name))
	head := strings.ToValidUTF8(name[:200], "")
	return "." + head + "~" + hex.EncodeToString(sum[:8]) + suffix
}
