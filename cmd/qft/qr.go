package main

import (
	"strings"

	"rsc.io/qr"
)

// qrLines draws a QR, two modules to a character. With colours it is white on
// black whatever the terminal's own are, which all scanners want; without, it is
// so where the terminal is dark.
func qrLines(text string, colours bool) []string {
	c, err := qr.Encode(text, qr.L)
	if err != nil {
		return nil
	}
	for _, level := range []qr.Level{qr.M, qr.Q, qr.H} { // more redundancy, where that takes no more room
		if better, err := qr.Encode(text, level); err == nil && better.Size == c.Size {
			c = better
		}
	}
	const quiet = 2 // modules of white around it
	var dots []string
	for y := -quiet; y < c.Size+quiet+1; y++ { // the size is odd
		var b strings.Builder
		for x := -quiet; x < c.Size+quiet; x++ {
			if c.Black(x, y) {
				b.WriteByte('.')
			} else {
				b.WriteByte('#')
			}
		}
		dots = append(dots, b.String())
	}
	rows := halves(dots)
	if colours {
		for i := range rows {
			rows[i] = "\x1b[97;40m" + rows[i] + "\x1b[0m"
		}
	}
	return rows
}

// widest is how many columns some lines take.
func widest(lines []string) (n int) {
	for _, l := range lines {
		n = max(n, visible(l))
	}
	return n
}

// visible is how many columns a text with escape sequences takes.
func visible(s string) (n int) {
	escape := false
	for _, r := range s {
		switch {
		case r == 0x1b:
			escape = true
		case escape:
			escape = r != 'm'
		default:
			n += cells(r)
		}
	}
	return n
}
