package main

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"qft"
	"qft/internal/settings"
)

// sending is a terminal at which somebody sends.
func sending(code, helper string) *terminal {
	tm := newTerminal(nil, new(bytes.Buffer), new(bytes.Buffer))
	tm.look = look{redraws: true, styled: true, fine: true}
	tm.wants.qr = true
	tm.typing.restore = func() {}
	tm.sends = "film.mkv, 12.0 MB"
	tm.steering.invite = settings.Invite(code, helper)
	return tm
}

// pictures says what is drawn on a screen: the code large, and the QR.
func pictures(screen []string, code string, columns int) (large, qr bool) {
	all := strings.Join(screen, "\n")
	for most := range columns {
		if l := largeLines(code, most); l != nil {
			large = large || strings.Contains(all, l[0]) && strings.Contains(all, l[len(l)-1])
		}
	}
	return large, strings.Contains(all, "\x1b[97;40m")
}

// TestTheCodeIsNeverCut: on a terminal of any size, nothing that is drawn is wider
// or leaves no room for what follows; the code is there as text, whole, as well.
func TestTheCodeIsNeverCut(t *testing.T) {
	for _, code := range invitations(t) {
		for _, helper := range []string{"", "[2001:db8:85a3::8a2e:370:7334]:4277"} {
			tm := sending(code, helper)
			for columns := 5; columns < 180; columns += 7 {
				for _, rows := range []int{10, 24, 30, 60} {
					screen := tm.codeScreen(code, columns, rows)
					at := fmt.Sprintf("%s in %d columns and %d rows is\n%s", code, columns, rows, strings.Join(screen, "\n"))
					whole := slices.ContainsFunc(screen, func(l string) bool { return strings.Contains(l, "qft receive "+code) })
					if !whole {
						t.Fatalf("there is no command: %s", at)
					}
					high, drawn := 0, false
					for _, l := range screen {
						high += max(1, (visible(l)+columns-1)/columns)
						if strings.ContainsAny(l, "█▀▄") {
							drawn = true
							if visible(l) >= columns {
								t.Fatalf("a picture is broken: %s", at)
							}
						}
					}
					if drawn && high+storyRows > rows {
						t.Fatalf("%d rows are too many: %s", high, at)
					}
				}
			}
		}
	}
}

// TestLettersComeBeforeTheQR: what is drawn on terminals of the usual sizes.
func TestLettersComeBeforeTheQR(t *testing.T) {
	const code = "556-purchase-florist-dropkick"
	for _, c := range []struct {
		columns, rows int
		helper        string
		large, qr     bool
	}{
		{160, 40, "helper.example:4277", true, true},
		{120, 30, "", true, true},
		{120, 30, "helper.example:4277", true, true},
		{100, 30, "", true, true},
		{80, 40, "helper.example:4277", true, true},
		{80, 24, "helper.example:4277", true, false},
		{80, 24, "", true, false},
		{60, 40, "", false, true},
		{40, 60, "", false, true},
		{40, 24, "", false, false},
		{80, 16, "", false, false},
	} {
		screen := sending(code, c.helper).codeScreen(code, c.columns, c.rows)
		if large, qr := pictures(screen, code, c.columns); large != c.large || qr != c.qr {
			t.Errorf("in %d columns and %d rows, large letters: %v, QR: %v; it is\n%s", c.columns, c.rows, large, qr, strings.Join(screen, "\n"))
		}
	}
}

// TestNothingIsDrawnWhereItCannotBeRead: by a terminal without these characters,
// or a person who wants none.
func TestNothingIsDrawnWhereItCannotBeRead(t *testing.T) {
	const code = "556-purchase-florist-dropkick"
	for what, change := range map[string]func(*terminal){
		"no block characters": func(tm *terminal) { tm.fine = false },
		"--no-qr":             func(tm *terminal) { tm.wants.qr = false },
	} {
		tm := sending(code, "")
		change(tm)
		screen := strings.Join(tm.codeScreen(code, 200, 60), "\n")
		if strings.ContainsAny(screen, "█▀▄") || !strings.Contains(screen, "\x1b[1m"+code+"\x1b[0m") {
			t.Errorf("%s: it is\n%s", what, screen)
		}
	}
	tm := sending(code, "")
	tm.styled = false // NO_COLOR
	screen := strings.Join(tm.codeScreen(code, 120, 30), "\n")
	if strings.Contains(screen, "\x1b") || !strings.ContainsAny(screen, "█▀▄") {
		t.Errorf("without colours it is\n%q", screen)
	}
}

// TestWhoShowsBlockCharacters: terminals of a UTF-8 locale; the first variable that
// says something counts (POSIX, Base Definitions, 8.2).
func TestWhoShowsBlockCharacters(t *testing.T) {
	for _, c := range []struct {
		all, ctype, lang string
		want             bool
	}{
		{"", "", "", false}, {"C", "", "de_DE.UTF-8", false}, {"", "POSIX", "de_DE.UTF-8", false}, {"", "", "de_DE.ISO-8859-1", false},
		{"", "", "de_DE.UTF-8", true}, {"C.utf8", "", "C", true}, {"", "UTF-8", "", true},
	} {
		t.Setenv("LC_ALL", c.all)
		t.Setenv("LC_CTYPE", c.ctype)
		t.Setenv("LANG", c.lang)
		if got := fineBars(); got != (c.want || runtime.GOOS == "windows") {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// TestTheCodeIsSaidAgain: who sends to several sees what further ones have to type
// again when it has scrolled away, as often as it does, and as long as somebody is
// waited for.
func TestTheCodeIsSaidAgain(t *testing.T) {
	const code = "556-purchase-florist-dropkick"
	tm := sending(code, "helper.example")
	out := tm.err.(*bytes.Buffer)
	tm.many = true
	tm.standing.code = code
	tm.drawCode(80, 24)
	tm.event(qft.Waiting{Helper: true})
	story := func(number int, more bool) {
		for _, e := range []qft.Event{qft.Met{}, qft.Connected{Path: "LAN"}, qft.Offer{Name: "film.mkv", Size: 12e6, Files: 1}} {
			tm.event(qft.Session{Number: number, Event: e})
		}
		if more {
			tm.event(qft.Waiting{Helper: true, Again: true})
		}
		tm.event(qft.Session{Number: number, Event: qft.Finished{Result: qft.Result{Size: 12e6}}})
	}
	const again = "for others: qft receive " + code + " --helper helper.example\n"
	since := 0 // rows that were said after it was last
	for number := 1; number <= 20; number++ {
		out.Reset()
		story(number, number < 20)
		before, after, said := strings.Cut(out.String(), again)
		since += strings.Count(before, "\n")
		switch {
		case number == 20:
			if said {
				t.Error("it is said again although nobody is waited for")
			}
		case since >= 24 && !said:
			t.Fatalf("%d rows after it was said it is not said again but\n%s", since, before)
		case said:
			if since < 10 {
				t.Errorf("it is said again after %d rows", since)
			}
			since = strings.Count(after, "\n") + 1
		}
	}
}
