package main

import (
	"strings"

	"rsc.io/qr"
)

// qrLines draws a QR code, two modules to a character.
func qrLines(text string) (lines []string) {
	c, err := qr.Encode(text, qr.L)
	if err != nil {
		return nil
	}
	const quiet = 2 // modules of white around it
	for y := -quiet; y < c.Size+quiet; y += 2 {
		var b strings.Builder
		// White on black whatever the terminal's own colours are: scanners
		// want it that way round.
		b.WriteString("\x1b[97;40m")
		for x := -quiet; x < c.Size+quiet; x++ {
			top, bottom := !c.Black(x, y), !c.Black(x, y+1)
			switch {
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
		b.WriteString("\x1b[0m")
		lines = append(lines, b.String())
	}
	return lines
}

// qrWidth is how many columns a QR takes.
func qrWidth(lines []string) int {
	if len(lines) == 0 {
		return 0
	}
	return visible(lines[0])
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
