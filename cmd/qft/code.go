package main

import (
	"fmt"
	"slices"
	"strings"

	"qft/internal/settings"
)

// showCode shows the code: alone on stdout for programs; for people drawn, with
// the command to type.
func (t *terminal) showCode(code string) {
	t.wipe()
	t.steering.invite = settings.Invite(code, clean(t.helper))
	if !isTerminal(t.out) {
		fmt.Fprintln(t.out, code)
		t.say(t.views[0], "the code is %s; on the other machine: %s", code, t.steering.invite)
	} else {
		t.standing.code = code
		t.drawCode(screen(t.err))
		t.watch()
	}
	if t.wants.copy {
		t.copyInvite()
	}
}

// drawCode draws the code for a terminal of this size.
func (t *terminal) drawCode(columns, rows int) {
	lines := t.codeScreen(t.standing.code, columns, rows)
	t.standing.put(lines, columns)
	for _, l := range lines {
		fmt.Fprintln(t.out, l)
	}
}

const (
	// storyRows are left free below a code that is drawn: for the cursor, that
	// somebody is waited for, and two things that may be noted before.
	storyRows = 4

	pictureGap = 2 // columns between a text and a picture beside it
)

// codeScreen is what a person sees who sends, on a terminal of this size. Large
// letters come first, then the QR: beside everything, or beside what is below the
// letters. Where neither fits the code is a line of text. It is in the command
// anyway, where it can be copied, and read by a program that reads aloud.
func (t *terminal) codeScreen(code string, columns, rows int) []string {
	command := settings.Invite(code, "") // does where the same helper is set
	deep := "      "
	if len(deep)+len(command) >= columns {
		deep = "  "
	}
	head := []string{"", "  Sending " + fit(t.sends, max(columns-12, 10)), "", "  Code:"}
	foot := t.commandText(deep, command, columns)
	plain := slices.Concat(head, []string{"", deep + t.style("1", code), ""}, foot)
	if !t.wants.qr || !t.fine {
		return plain
	}
	qr := qrLines(settings.QRText(code), t.styled)
	var screens [][]string
	if large := t.large(code, columns-widest(qr)-pictureGap); large != nil {
		screens = append(screens, beside(slices.Concat(head, large, foot), qr))
	}
	if large := t.large(code, columns); large != nil {
		screens = append(screens, slices.Concat(head, large, beside(foot, qr)), slices.Concat(head, large, foot))
	}
	screens = append(screens, beside(plain, qr), slices.Concat(plain, qr))
	for _, s := range screens {
		if fits(s, columns, rows-storyRows) {
			return s
		}
	}
	return plain
}

// fits reports whether a screen with pictures takes no more than so many rows,
// and no picture is broken. Text may be: a long command is, on a narrow terminal.
func fits(screen []string, columns, rows int) bool {
	for _, l := range screen {
		if isPicture(l) && visible(l) >= columns {
			return false
		}
	}
	return rowsOf(screen, columns) <= rows
}

// isPicture reports whether a line has a part of a picture.
func isPicture(line string) bool { return strings.ContainsAny(line, "█▀▄") }

// rowsOf is how many rows of a terminal some lines take.
func rowsOf(lines []string, columns int) (n int) {
	for _, l := range lines {
		n += max((visible(l)+columns-1)/columns, 1)
	}
	return n
}

// large is the code in large letters on a terminal of so many columns, if it
// fits.
func (t *terminal) large(code string, columns int) (lines []string) {
	const indent = "  "
	for _, l := range largeLines(code, columns-len(indent)-1) {
		lines = append(lines, indent+l)
	}
	if lines != nil {
		lines = append(lines, "")
	}
	return lines
}

// commandText is what has to be typed on the other machine.
func (t *terminal) commandText(deep, command string, columns int) []string {
	text := []string{"  On the other machine, type:", "", deep + t.style("1", command), ""}
	if flag, ok := strings.CutPrefix(t.steering.invite, command+" "); ok {
		most := max(len(deep)+len(command), 32) - 2 // leave room for the picture
		for l := range strings.SplitSeq(wrap("with "+flag+" if no helper is set there", min(most, columns-3), ""), "\n") {
			text = append(text, "  "+l)
		}
		text = append(text, "")
	}
	if t.edits() {
		text = append(text, t.style("2", "  c copies that, ? shows other keys"), "")
	}
	return text
}

// beside puts a picture to the right of a text.
func beside(text, picture []string) (lines []string) {
	at := widest(text) + pictureGap
	for i := range max(len(text), len(picture)) {
		line := ""
		if i < len(text) {
			line = text[i]
		}
		if i < len(picture) {
			line += strings.Repeat(" ", at-visible(line)) + picture[i]
		}
		lines = append(lines, line)
	}
	return lines
}
