package main

import (
	"strings"

	"rsc.io/qr"
)

// qrText draws a QR code, two modules to a character.
func qrText(text string) string {
	c, err := qr.Encode(text, qr.L)
	if err != nil {
		return ""
	}
	var b strings.Builder
	const quiet = 2 // modules of white around it
	for y := -quiet; y < c.Size+quiet; y += 2 {
		// White on black whatever the terminal's own colours are: scanners
		// want it that way round.
		b.WriteString("  \x1b[97;40m")
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
		b.WriteString("\x1b[0m\n")
	}
	return b.String()
}
