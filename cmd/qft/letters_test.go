package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"qft"
)

// TestGlyphs: whatever a code consists of has a glyph, and no two are taken for
// each other because of one dot.
func TestGlyphs(t *testing.T) {
	const all = "abcdefghijklmnopqrstuvwxyz0123456789-"
	font := glyphDots()
	if len(font) != len(all) {
		t.Errorf("there are %d glyphs, and %d characters in codes", len(font), len(all))
	}
	for i, r := range all {
		g := font[r]
		if len(g) != 5 {
			t.Fatalf("%c has %d rows", r, len(g))
		}
		for _, row := range g {
			if len(row) != len(g[0]) || strings.Trim(row, ".#") != "" {
				t.Errorf("%c has the row %q", r, row)
			}
		}
		for _, other := range all[:i] {
			if n := dotsApart(g, font[other]); n < 2 {
				t.Errorf("%c and %c differ in %d dots", r, other, n)
			}
		}
	}
	for _, w := range codeWordList(t) {
		if largeLines(w, 40) == nil {
			t.Errorf("%q cannot be drawn", w)
		}
	}
}

// dotsApart is how many dots of two glyphs differ.
func dotsApart(a, b []string) (n int) {
	for y := range a {
		for x := range max(len(a[y]), len(b[y])) {
			if x >= len(a[y]) || x >= len(b[y]) || a[y][x] != b[y][x] {
				n++
			}
		}
	}
	return n
}

// TestCodesAreDrawnLarge: in one line, in two where that does not fit, and not at
// all where a third were needed or a word is too wide.
func TestCodesAreDrawnLarge(t *testing.T) {
	one := "" +
		"▄▄▄▄     ▄   ▄▄ ▄▄▄ ▄▄     ▄▄   ▄▄  ▄▄   ▄▄  ▄▄▄    ▄▄▄▄ ▄▄▄ ▄▄  ▄▄   ▄ \n" +
		"  ▄▀ ▄▄ █▄█ █    █  █ █ ▄▄ █▄▀ █  █ █▄▀ █  █  █  ▄▄  ▄▄▀ █▄  █▄▀ █▄▀ █▄█\n" +
		" █      █ █ ▀▄▄ ▄█▄ █▄▀    █ █ ▀▄▄▀ █▄▀ ▀▄▄▀  █     █▄▄▄ █▄▄ █▄▀ █ █ █ █"
	two := "" +
		"▄▄▄▄     ▄   ▄▄ ▄▄▄ ▄▄     ▄▄   ▄▄  ▄▄   ▄▄  ▄▄▄   \n" +
		"  ▄▀ ▄▄ █▄█ █    █  █ █ ▄▄ █▄▀ █  █ █▄▀ █  █  █  ▄▄\n" +
		" █      █ █ ▀▄▄ ▄█▄ █▄▀    █ █ ▀▄▄▀ █▄▀ ▀▄▄▀  █    \n" +
		"▄▄▄▄ ▄▄▄ ▄▄  ▄▄   ▄ \n" +
		" ▄▄▀ █▄  █▄▀ █▄▀ █▄█\n" +
		"█▄▄▄ █▄▄ █▄▀ █ █ █ █"
	for columns, want := range map[int]string{200: one, 72: one, 71: two, 51: two, 10: "", 0: ""} {
		if got := strings.Join(largeLines("7-acid-robot-zebra", columns), "\n"); got != want {
			t.Errorf("in %d columns it is\n%s\nwant\n%s", columns, got, want)
		}
	}
	if got := largeLines("7-acid-röbot-zebra", 200); got != nil {
		t.Errorf("a letter without a glyph is drawn:\n%s", strings.Join(got, "\n"))
	}
}

// codeWordList is every word that a code may have.
func codeWordList(t *testing.T) (words []string) {
	t.Helper()
	for r := 'a'; r <= 'z'; r++ {
		words = append(words, lastWords(qft.CompleteCode("1-"+string(r)))...)
	}
	if len(words) < 2000 {
		t.Fatalf("there are %d words", len(words))
	}
	return words
}

// invitations are codes of every length, with the widest words at both ends.
func invitations(t *testing.T) (codes []string) {
	t.Helper()
	words := codeWordList(t)
	slices.SortStableFunc(words, func(a, b string) int { return widest(largeLines(a, 200)) - widest(largeLines(b, 200)) })
	for _, number := range []string{"7", "201674", "4294967295"} {
		for i := 0; i < len(words); i += 400 {
			codes = append(codes, fmt.Sprintf("%s-%s-%s-%s", number, words[i], words[(i*7+13)%len(words)], words[len(words)-1-i]))
		}
		codes = append(codes, fmt.Sprintf("%s-%s-%s-%s", number, words[len(words)-1], words[len(words)-2], words[len(words)-3]))
	}
	return codes
}
