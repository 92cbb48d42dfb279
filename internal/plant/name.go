package plant

import (
	"encoding/hex"
	"fmt"
	"path"
	"runtime"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/zeebo/blake3"

	"qft/internal/manifest"
)

// What the names of our own files end in; they begin with a dot. The second
// is what versions before trees left.
const (
	bedSuffix = ".qft-part"
	oldSuffix = ".qft-journal"
)

// maxName is the longest file name of the usual file systems: bytes, but
// UTF-16 units on Windows.
const maxName = 255

// system is how one kind of system restricts names.
type system struct {
	windows bool // no <>"|?*:\, nothing at the end that it drops, no devices
	unicode bool // only valid UTF-8
}

func thisSystem() system {
	w := runtime.GOOS == "windows"
	return system{windows: w, unicode: w || runtime.GOOS == "darwin"}
}

// mapped is the file name that stands for a name of the sender's. Every byte
// that cannot be in a name here, and every character that could deceive who
// reads it, becomes %XX, so that what was done to the name is visible.
func (s system) mapped(name string) string {
	if s.plain(name) {
		return name
	}
	var b strings.Builder
	for i, n := 0, 0; i < len(name); i += n {
		var r rune
		r, n = utf8.DecodeRuneInString(name[i:])
		last := i+n == len(name)
		if s.mayStand(r, n, last) {
			b.WriteString(name[i : i+n])
			continue
		}
		for _, c := range []byte(name[i : i+n]) {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	out := b.String()
	if s.windows && isDevice(out) {
		base, ext, dotted := strings.Cut(out, ".")
		out = base + "_"
		if dotted {
			out += "." + ext
		}
	}
	return s.cut(out, name, "")
}

// plain reports whether a name is of the sort that nothing is done to: most
// are, and they need no second look.
func (s system) plain(name string) bool {
	for i := range len(name) {
		if c := name[i]; c < ' ' || c > '~' || s.windows && strings.IndexByte(`<>"|?*:\`, c) >= 0 {
			return false
		}
	}
	if s.windows && (isDevice(name) || strings.HasSuffix(name, ".") || strings.HasSuffix(name, " ")) {
		return false
	}
	return len(name) <= maxName
}

// mayStand reports whether a character of n bytes may stand in a name.
func (s system) mayStand(r rune, n int, last bool) bool {
	switch {
	case r == utf8.RuneError && n == 1:
		return !s.unicode
	case manifest.Deceives(r):
		return false
	case s.windows && strings.ContainsRune(`<>"|?*:\`, r):
		return false
	case s.windows && last && (r == '.' || r == ' '):
		return false
	}
	return true
}

// isDevice reports whether Windows takes the name for a device, which it does
// whatever the extension and case ("Naming Files, Paths, and Namespaces",
// Microsoft).
func isDevice(name string) bool {
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

func (s system) length(name string) int {
	if s.windows {
		return len(utf16.Encode([]rune(name)))
	}
	return len(name)
}

// cut puts a mark before the extension of a name ("a.txt", " (2)": "a (2).txt")
// and shortens what got too long. A shortened name has a hash of what it was
// made from, so that two that differ only behind the cut stay apart.
func (s system) cut(name, from, mark string) string {
	ext := path.Ext(name)
	if ext == name || len(ext) > 16 { // ".bashrc" has none, and neither has "v1.a long sentence"
		ext = ""
	}
	stem := strings.TrimSuffix(name, ext)
	if out := stem + mark + ext; s.length(out) <= maxName {
		return out
	}
	sum := blake3.Sum256([]byte(from))
	tail := "~" + hex.EncodeToString(sum[:4]) + mark + ext
	return s.shorten(stem, maxName-s.length(tail)) + tail
}

// shorten cuts whole characters off a name until it has a length.
func (s system) shorten(name string, to int) string {
	for over := s.length(name) - to; over > 0 && name != ""; {
		_, n := utf8.DecodeLastRuneInString(name)
		over -= s.length(name[len(name)-n:])
		name = name[:len(name)-n]
	}
	return name
}

// isOurs reports whether a name looks like one of qft's own hidden files, also
// to a file system that does not tell A from a.
func isOurs(name string) bool {
	n := strings.ToLower(name)
	return strings.HasPrefix(n, ".") && (strings.HasSuffix(n, bedSuffix) || strings.HasSuffix(n, oldSuffix))
}

// hiddenName is the name of the bed beside a target: ".NAME.qft-part". A long
// name is cut and told apart by a hash, since the whole must fit again.
func (s system) hiddenName(name string) string {
	if n := "." + name + bedSuffix; s.length(n) <= maxName {
		return n
	}
	sum := blake3.Sum256([]byte(name))
	tail := "~" + hex.EncodeToString(sum[:8]) + bedSuffix
	return "." + s.shorten(name, maxName-1-len(tail)) + tail
}

// printable returns a path such that it can be shown.
func printable(p string) string { return manifest.Printable(p) }
