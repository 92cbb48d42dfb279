package main

import "strings"

// glyphs are what a code is drawn with: capitals, since in five rows of dots they
// are told apart better than small letters. Those that would look like another
// one if they were narrow are wider.
const glyphs = `
a    b    c    d    e    f    g     h    i
.#.  ##.  .##  ##.  ###  ###  .###  #.#  ###
#.#  #.#  #..  #.#  #..  #..  #...  #.#  .#.
###  ##.  #..  #.#  ##.  ##.  #.##  ###  .#.
#.#  #.#  #..  #.#  #..  #..  #..#  #.#  .#.
#.#  ##.  .##  ##.  ###  #..  .###  #.#  ###

j    k     l    m      n     o     p    q     r
..#  #..#  #..  #...#  #..#  .##.  ##.  .##.  ##.
..#  #.#.  #..  ##.##  ##.#  #..#  #.#  #..#  #.#
..#  ##..  #..  #.#.#  #.##  #..#  ##.  #..#  ##.
#.#  #.#.  #..  #...#  #..#  #..#  #..  #.##  #.#
.#.  #..#  ###  #...#  #..#  .##.  #..  .###  #.#

s    t    u    v      w      x      y    z
.##  ###  #.#  #...#  #...#  #...#  #.#  ####
#..  .#.  #.#  #...#  #...#  .#.#.  #.#  ...#
.#.  .#.  #.#  .#.#.  #.#.#  ..#..  .#.  .##.
..#  .#.  #.#  .#.#.  ##.##  .#.#.  .#.  #...
##.  .#.  ###  ..#..  #...#  #...#  .#.  ####

0     1    2     3     4     5     6     7     8     9     -
.##.  .#.  .##.  ###.  ..#.  ####  .##.  ####  .##.  .##.  ..
#..#  ##.  #..#  ...#  .##.  #...  #...  ...#  #..#  #..#  ..
#.##  .#.  ..#.  .##.  #.#.  ###.  ###.  ..#.  .##.  .###  ##
##.#  .#.  .#..  ...#  ####  ...#  #..#  .#..  #..#  ...#  ..
.##.  ###  ####  ###.  ..#.  ###.  .##.  .#..  .##.  .##.  ..
`

// glyphDots are the rows of dots of each glyph.
func glyphDots() map[rune][]string {
	all := make(map[rune][]string)
	for part := range strings.SplitSeq(strings.TrimSpace(glyphs), "\n\n") {
		names, rows, _ := strings.Cut(part, "\n")
		for row := range strings.Lines(rows) {
			dots := strings.Fields(row)
			for i, name := range strings.Fields(names) {
				all[rune(name[0])] = append(all[rune(name[0])], dots[i])
			}
		}
	}
	return all
}

// mostLarge is how many lines of letters a code has at most: with more, the eye
// does not take it for one.
const mostLarge = 2

// largeLines draws a code in letters three rows high, broken between words where
// that is needed. One that does not fit into so many columns is not drawn.
func largeLines(code string, most int) (rows []string) {
	font := glyphDots()
	for _, r := range code {
		if font[r] == nil {
			return nil
		}
	}
	lines := []string{""}
	for word := range strings.SplitAfterSeq(code, "-") {
		last := &lines[len(lines)-1]
		if *last == "" || len(dotsOf(font, *last+word)[0]) <= most {
			*last += word
			continue
		}
		lines = append(lines, word)
	}
	for _, l := range lines {
		dots := dotsOf(font, l)
		if len(dots[0]) > most || len(lines) > mostLarge {
			return nil
		}
		rows = append(rows, halves(dots)...)
	}
	return rows
}

// dotsOf is a text in rows of dots, the first of which is the space above it.
func dotsOf(font map[rune][]string, text string) []string {
	rows := make([]string, 6)
	for i, r := range text {
		space := min(i, 1)
		rows[0] += strings.Repeat(".", space+len(font[r][0]))
		for y, dots := range font[r] {
			rows[1+y] += strings.Repeat(".", space) + dots
		}
	}
	return rows
}

// halves draws an even number of rows of dots, two to a row of the terminal:
// what is not a dot (.) is filled.
func halves(dots []string) (rows []string) {
	for y := 0; y < len(dots); y += 2 {
		var b strings.Builder
		for x := range len(dots[y]) {
			switch top, bottom := dots[y][x] != '.', dots[y+1][x] != '.'; {
			case top && bottom:
				b.WriteRune('█')
			case top:
				b.WriteRune('▀')
			case bottom:
				b.WriteRune('▄')
			default:
				b.WriteByte(' ')
			}
		}
		rows = append(rows, b.String())
	}
	return rows
}
