package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"qft"
)

// What people do in a console of Windows. Wine 8 shows it in a terminal of this
// system. It says that it takes escape sequences, and passes them on as if they
// were text: so what is written anew over a line, or with a BEL, comes out as
// chance has it. What is on a row of its own is looked at, and of the rest what
// follows from it.

// console starts the Windows program in a console of its own.
func (d *desk) console(columns int, env []string, args ...string) *pane {
	d.t.Helper()
	script := `trap : INT; "$@"; echo "[exit $?]"; exec cat`
	all := slices.Concat([]string{"sh", "-c", script, "sh", "env"}, d.env, env, d.start, args)
	return d.paneOf(columns, all...)
}

// styled is the screen with the styles of its text.
func (p *pane) styled() string { return p.tmux("capture-pane", "-p", "-e") }

// receivesInConsole types a code, with keys that edit, Tab and a typing error,
// answers, and pauses while bytes flow.
func (d *desk) receivesInConsole() {
	d.t.Helper()
	f := d.w.file("film.mkv", 8_000_000)
	s := d.qft(ours("send", f.path, "--limit", "1MB/s", "--no-compress")...)
	code, into := s.code(), d.w.folder()
	r := d.console(40, nil, ours("receive", "-o", d.mixed.path(into))...)
	r.shows("Code:")
	r.types("-l", "7-acid-roboqq-zebra")
	r.types("Enter")
	r.shows("no word of a code")

	words := strings.Split(code, "-")
	number, last := words[0]+"-"+words[1], words[3]
	r.types("-l", "nothing")
	r.types("C-u")
	r.types("-l", number+"-x")
	r.types("BSpace", "Left", "Up", "F5")
	r.types("-l", "wordq")
	r.types("C-w")        // takes the dash, too
	most := len(last) - 2 // more than is repaired
	typed := number + "-" + words[2] + "-" + last[:most]
	r.types("-l", "--", typed[len(number):]) // it begins with a dash
	if slices.Equal(qft.CompleteCode(typed), []string{code}) {
		r.types("Tab")
	} else { // several words begin so
		r.types("-l", last[most:])
	}
	r.types("Enter")
	r.shows("[Y/n]")
	r.types("y", "Enter")
	r.shows(" %")
	r.types("p")
	s.wantSay(bigTime, "paused by the other side")
	r.types("p")
	s.wantSay(bigTime, "it goes on")
	r.shows("[exit 0]")
	s.wantEnd(slowStart, 0)
	if sum, err := checksum(filepath.Join(into, "film.mkv")); err != nil || sum != f.sum {
		d.t.Errorf("sha256 of what arrived is %x, %v, want %x", sum, err, f.sum)
	}
}

// sendsInConsole shows a code, large and as a QR.
func (d *desk) sendsInConsole() {
	d.t.Helper()
	f := d.w.file("slides.pdf", 1_000_000)
	s := d.console(120, nil, ours("send", d.mixed.path(f.path))...)
	code := s.readCode()
	s.shows("? shows other keys")
	s.shows("▀▄")
	if screen := s.styled(); !strings.Contains(screen, "\x1b[1mqft receive "+code) {
		d.t.Errorf("the command is not bold in\n%q", screen)
	}
	s.types("?")
	s.shows("c copy the command")
	into := d.w.folder()
	r := d.qft(ours("receive", code, "-y", "-o", into)...)
	r.wantEnd(bigTime, 0)
	s.shows("[exit 0]")
	if sum, err := checksum(filepath.Join(into, "slides.pdf")); err != nil || sum != f.sum {
		d.t.Errorf("sha256 of what arrived is %x, %v, want %x", sum, err, f.sum)
	}

	plain := d.console(80, []string{"NO_COLOR=1"}, ours("send", d.mixed.path(f.path), "--no-qr")...)
	code = plain.readCode()
	if screen := plain.styled(); strings.ContainsAny(screen, "█▀▄") || strings.Count(screen, code) != 2 {
		d.t.Errorf("--no-qr does not count in\n%q", screen)
	}
	if screen := plain.styled(); strings.Contains(screen, "\x1b[1m") {
		d.t.Errorf("NO_COLOR does not count in\n%q", screen)
	}
	plain.types("C-c")
	plain.shows("[exit 130]")
}

// endsInConsole ends with Ctrl-C what waits for a person, and has the program
// in a console say what there is, rather than open a window.
func (d *desk) endsInConsole() {
	d.t.Helper()
	p := d.console(80, nil, "receive")
	p.shows("Code:")
	p.types("C-c")
	p.shows("[exit 130]")
	p = d.console(80, nil)
	p.shows("qft receive 7-acid-robot-zebra")
	p.shows("[exit 0]")
	p = d.console(80, nil, "gui", "--no-browser")
	p.shows("Ctrl-C stops")
	p.types("C-c")
	p.shows("[exit 0]")
}

// doubleClick starts the program as Explorer does: without a console of
// anybody's and without arguments. It opens the window in the browser, or says
// where it is if there is none.
func (d *desk) doubleClick() {
	d.t.Helper()
	p := d.gui()
	p.wantSay(slowStart, "No browser can be opened")
	p.wantSay(slowStart, "http://127.0.0.1:")
	d.tab(p.err.text()).state()
	p.signal(9)
	<-p.done

	opened, browser := filepath.Join(d.w.dir, "opened"), filepath.Join(d.w.dir, "browser")
	script := "#!/bin/sh\ncp \"${1#file://}\" " + opened + ".part\nmv " + opened + ".part " + opened + "\n"
	if err := os.WriteFile(browser, []byte(script), 0o755); err != nil {
		d.t.Fatal(err)
	}
	d.tool("reg", "add", `HKLM\Software\Classes\.html`, "/ve", "/d", "htmlfile", "/f")
	d.tool("reg", "add", `HKCU\Software\Wine\WineBrowser`, "/v", "Browsers", "/d", browser, "/f")
	click := d.host.start("Explorer", []string{"wine", "explorer.exe", "/desktop=desk,800x600", d.mixed.path(d.start[1])}, d.env)
	click.large = true
	var text []byte
	eventually(d.t, slowStart, "the browser is told to open a page", func() (there bool) {
		var err error
		text, err = os.ReadFile(opened)
		return err == nil
	})
	if s := d.tab(string(text)).state(); len(s.Places) == 0 {
		d.t.Errorf("%+v", s)
	}
}
