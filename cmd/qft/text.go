package main

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// clean makes foreign text harmless on a terminal: control characters, and
// the Unicode ones that reorder text, become question marks.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || unicode.Is(unicode.Bidi_Control, r) {
			return '?'
		}
		return r
	}, s)
}

func cleanLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = clean(lines[i])
	}
	return strings.Join(lines, "\n")
}

// wide are the characters that take two columns: those of East Asia, and
// emoji (Unicode's East_Asian_Width W and F, in whole blocks).
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{{0x1100, 0x115f, 1}, {0x2e80, 0x303e, 1}, {0x3041, 0xa4cf, 1}, {0xa960, 0xa97f, 1}, {0xac00, 0xd7a3, 1},
		{0xf900, 0xfaff, 1}, {0xfe30, 0xfe6f, 1}, {0xff00, 0xff60, 1}, {0xffe0, 0xffe6, 1}},
	R32: []unicode.Range32{{0x1f300, 0x1f64f, 1}, {0x1f680, 0x1f6ff, 1}, {0x1f900, 0x1faff, 1}, {0x20000, 0x3fffd, 1}},
}

// cells is how many columns a character takes.
func cells(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case unicode.Is(wide, r):
		return 2
	}
	return 1
}

// columns is how many columns a text takes.
func columns(s string) (n int) {
	for _, r := range s {
		n += cells(r)
	}
	return n
}

// fit cuts text to a number of columns.
func fit(s string, most int) string {
	n := 0
	for i, r := range s {
		if n += cells(r); n > most {
			return s[:i]
		}
	}
	return s
}

// tail is the end of a text, which of a path says more than its beginning.
func tail(s string, most int) string {
	if columns(s) <= most {
		return s
	}
	for i, r := range s {
		if columns(s[i+utf8.RuneLen(r):]) < most {
			return "…" + s[i+utf8.RuneLen(r):]
		}
	}
	return ""
}

// wrap breaks lines between words; what goes on is indented.
func wrap(s string, most int, indent string) string {
	var b strings.Builder
	for i, l := range strings.Split(s, "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		at := 0
		for j, word := range wordsOf(l) {
			n := columns(word)
			switch {
			case j == 0:
			case at+1+n > most && at > len(indent):
				b.WriteString("\n" + indent)
				at = len(indent)
			default:
				b.WriteByte(' ')
				at++
			}
			b.WriteString(word)
			at += n
		}
	}
	return b.String()
}

// wordsOf are the words of a line; a number and its unit are one.
func wordsOf(l string) (words []string) {
	for _, w := range strings.Split(l, " ") {
		switch strings.TrimSuffix(strings.TrimRight(w, "),.;:?"), "/s") {
		case "B", "kB", "MB", "GB", "TB", "PB", "EB":
			if n := len(words); n > 0 {
				words[n-1] += " " + w
				continue
			}
		}
		words = append(words, w)
	}
	return words
}

// size writes bytes as people do: powers of 1000, three digits.
func size(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	f := float64(n)
	for _, unit := range []string{"kB", "MB", "GB", "TB", "PB"} {
		f /= 1000
		switch {
		case f < 9.995:
			return fmt.Sprintf("%.2f %s", f, unit)
		case f < 99.95:
			return fmt.Sprintf("%.1f %s", f, unit)
		case f < 999.5:
			return fmt.Sprintf("%.0f %s", f, unit)
		}
	}
	return fmt.Sprintf("%.0f EB", f/1000)
}

func round(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond).String()
	default:
		return d.Round(10 * time.Microsecond).String()
	}
}

// clock writes a remaining time.
func clock(d time.Duration) string {
	s := int(d.Seconds() + 0.5)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// cleanText makes a text of several lines harmless: line ends and tabs stay.
func cleanText(s string) string {
	lines := strings.Split(strings.ReplaceAll(strings.TrimRight(s, "\r\n"), "\r\n", "\n"), "\n")
	for i, l := range lines {
		cells := strings.Split(l, "\t")
		for j := range cells {
			cells[j] = clean(cells[j])
		}
		lines[i] = strings.Join(cells, "\t")
	}
	return strings.Join(lines, "\n")
}
