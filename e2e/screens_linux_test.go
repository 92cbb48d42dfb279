package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// pane is a terminal of some width at which somebody uses the program, as tmux
// shows it.
type pane struct {
	h       *host
	name    string
	columns int
}

// paneRows is how high all panes are: nothing is ever scrolled away, which would
// depend on how many rows the progress had in between.
const paneRows = 60

// pane starts the program in a terminal of its own.
func (h *host) pane(columns int, args ...string) *pane {
	h.w.t.Helper()
	bin, err := kit.qft()
	if err != nil {
		h.w.t.Fatal(err)
	}
	// What has ended stays on the screen, with its exit code.
	script := `trap : INT; "$@"; echo "[exit $?]"; exec cat`
	return h.paneOf(columns, append([]string{"sh", "-c", script, "sh", bin}, args...)...)
}

// paneOf starts any program in a terminal of its own.
func (h *host) paneOf(columns int, args ...string) *pane {
	h.w.t.Helper()
	p := &pane{h: h, columns: columns, name: fmt.Sprintf("%s-%s-%d-%d", h.w.name, h.role, columns, time.Now().UnixNano())}
	p.tmux(append([]string{"new-session", "-d", "-x", fmt.Sprint(columns), "-y", fmt.Sprint(paneRows), "ip", "netns", "exec", h.ns}, args...)...)
	shell := strings.TrimSpace(p.tmux("list-panes", "-F", "#{pane_pid}"))
	h.w.t.Cleanup(func() {
		p.tmux("kill-server")
		eventually(h.w.t, patience, "the terminal is closed", func() bool {
			_, err := os.Stat("/proc/" + shell)
			return err != nil
		})
	})
	return p
}

func (p *pane) tmux(args ...string) string {
	t := p.h.w.t
	t.Helper()
	cmd := exec.Command("tmux", append([]string{"-u", "-L", p.name, "-f", "/dev/null"}, args...)...)
	cmd.Dir = p.h.w.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.h.w.dir, "TMUX_TMPDIR=" + p.h.w.dir, "LANG=C.UTF-8", "TERM=xterm-256color"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("tmux %v: %v: %s", args, err, out)
	}
	return string(out)
}

// types presses keys, as tmux names them.
func (p *pane) types(keys ...string) { p.tmux(append([]string{"send-keys"}, keys...)...) }

// shown is what is on the screen; what the terminal itself has broken into
// several rows, because it is too long, is one.
func (p *pane) shown() string {
	var rows []string
	for row := range strings.SplitSeq(p.tmux("capture-pane", "-p", "-J"), "\n") {
		rows = append(rows, strings.TrimRight(row, " "))
	}
	return strings.TrimRight(strings.Join(rows, "\n"), "\n")
}

// shows waits until a text is on the screen, in one row, and returns all of it.
func (p *pane) shows(text string) (screen string) {
	p.h.w.t.Helper()
	return p.showsTimes(1, text)
}

// showsTwice waits for a line of the story and what progress says of the same.
func (p *pane) showsTwice(text string) (screen string) {
	p.h.w.t.Helper()
	return p.showsTimes(2, text)
}

func (p *pane) showsTimes(n int, text string) (screen string) {
	p.h.w.t.Helper()
	began := time.Now()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if screen = p.shown(); strings.Count(screen, text) >= n {
			return screen
		}
		if time.Since(began) > bigTime {
			p.h.w.t.Fatalf("%q is not shown in %d columns but\n%s", text, p.columns, screen)
		}
	}
	return screen
}

// masks take away what differs from run to run, and nothing else: rows stay
// rows.
var masks = []struct {
	what *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`\S*/qft-e2e\S*/([^/]+/)`), "DIR/$1"},
	{regexp.MustCompile(`[█▀▄▌▐▏▎▍▋▊▉░][█▀▄▌▐▏▎▍▋▊▉░ ]*[█▀▄░▏▎▍▋▊▉]`), "▒▒"},
	{regexp.MustCompile(`\d+-[a-z]+-[a-z]+-[a-z]+`), "CODE"},
	{regexp.MustCompile(`"\w+" is read as "\w+"`), `"TYPO" is read as "WORD"`},
	{regexp.MustCompile(`\d\d:\d\d:\d\d`), "CLOCK"},
	{regexp.MustCompile(`where \S+ [kMGT]?B are free`), "where N GB are free"},
	{regexp.MustCompile(`connected: (IPv4|IPv6|LAN|TCP)`), "connected: PATH"},
	{regexp.MustCompile(`^( +)(IPv4|IPv6|LAN|TCP)  RTT`), "${1}PATH  RTT"},
	{regexp.MustCompile(`\d+:\d\d left`), "TIME left"},
	{regexp.MustCompile(`\d+(\.\d+)?(µs|ms|m?s)(\d+s)?\b`), "TIME"},
	{regexp.MustCompile(`\d+(\.\d+)? [kM]?B/s`), "RATE"},
	{regexp.MustCompile(`\d+(\.\d+)? [kM]?B of`), "SIZE of"},
	{regexp.MustCompile(`^(receiver \d: .*?RATE).*`), "$1"},
	{regexp.MustCompile(`loss \d+\.\d %  |path RATE  `), ""},
	{regexp.MustCompile(`waits for .*|  (network|limit|CPU|own disk|peer's (disk|CPU))$`), ""},
	{regexp.MustCompile(`^ *\d+ %`), "  N %"}, // from 10 on there is a space less
	{regexp.MustCompile(`\d+ %`), "N %"},
	{regexp.MustCompile(` {3,}`), "  "},
	{regexp.MustCompile(` +$`), ""},
}

func masked(screen string) string {
	var rows []string
	found := make(map[string]bool) // whose path
	for row := range strings.SplitSeq(screen, "\n") {
		for _, m := range masks {
			row = m.what.ReplaceAllString(row, m.as)
		}
		if who, _, ok := strings.Cut(row, "connected: PATH"); ok {
			if found[who] {
				continue // whether another path is found is chance
			}
			found[who] = true
		}
		rows = append(rows, row)
	}
	all := aboutHelper.ReplaceAllString(strings.Join(rows, "\n")+"\n", "$1 $3$2\n")
	return onlyPictures.ReplaceAllString(all, "  ▒▒\n")
}

// onlyPictures are rows with nothing else: it depends on the code how many lines of
// letters and rows of the QR there are.
var onlyPictures = regexp.MustCompile(`(?m)^( *▒▒\n)+`)

// aboutHelper are two rows beside the picture of the code. They are as wide as the
// command above them, so it depends on the code where they are broken.
var aboutHelper = regexp.MustCompile(`(?m)^(  with --helper .*?)(  ▒▒)?\n  (.*?)(  ▒▒)?\n`)

// mayBeLong are rows that are pasted elsewhere, and must not be broken.
var mayBeLong = regexp.MustCompile(`^ *qft receive |^/`)

// golden compares a screen with the one that somebody has looked at. A terminal
// shows what is written in pieces, so the rest of it may come a little later than
// what a test has waited for. QFT_GOLDEN=write takes what is there now.
func (p *pane) golden(name, screen string) {
	p.h.w.t.Helper()
	path := filepath.Join("testdata", "screens", fmt.Sprintf("%s-%d.txt", name, p.columns))
	got := masked(screen)
	if os.Getenv("QFT_GOLDEN") == "write" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			p.h.w.t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		p.h.w.t.Fatal(err)
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); got != string(want) && time.Since(began) < patience; got = masked(screen) {
		<-tick.C
		screen = p.shown()
	}
	for row := range strings.SplitSeq(screen, "\n") {
		if utf8.RuneCountInString(row) > p.columns && !mayBeLong.MatchString(row) {
			p.h.w.t.Errorf("%s in %d columns: a row has more: %s", name, p.columns, row)
		}
	}
	if got != string(want) {
		p.h.w.t.Errorf("%s in %d columns is\n%s\nwant\n%s", name, p.columns, got, want)
	}
}

// readCode takes the code that a sender's screen shows.
func (p *pane) readCode() string {
	return regexp.MustCompile(`\d+-[a-z]+-[a-z]+-[a-z]+`).FindString(p.shows("qft receive "))
}

// place makes a folder whose name is the same in each run.
func (w *pair) place(name string) string {
	w.t.Helper()
	if err := os.Mkdir(filepath.Join(w.dir, name), 0o755); err != nil {
		w.t.Fatal(err)
	}
	return name
}

// TestScreens shows what people see, in a wide and in a narrow terminal.
func TestScreens(t *testing.T) {
	for _, columns := range []int{80, 40} {
		for name, show := range map[string]func(w *pair, columns int){
			"one": (*pair).screensOfOne, "ends": (*pair).screensOfEnds, "many": (*pair).screensOfMany,
		} {
			t.Run(fmt.Sprintf("%s-%d", name, columns), func(t *testing.T) {
				t.Parallel()
				needTools(t, "tmux")
				w := newPair(t)
				w.a.startHelper()
				show(w, columns)
			})
		}
	}
}

// meeting are the flags of both sides.
var meeting = []string{"--helper", pairHelper, "--no-portmap", "--no-lan"}

// screensOfOne is one transfer from the first screen to the last.
func (w *pair) screensOfOne(columns int) {
	f := w.file("film.mkv", 12_000_000)
	s := w.usualSend(columns, append([]string{"send", f.path, "--limit", "500kB/s"}, meeting...)...)
	code := s.readCode()
	s.golden("send", s.shows("waiting for the other side"))

	r := w.b.pane(columns, append([]string{"receive", "-o", w.place("videos")}, meeting...)...)
	r.golden("receive", r.shows("Code:"))
	r.types("-l", "7-acid-roboqq-zebra")
	r.types("Enter")
	r.golden("unknown-word", r.shows("no word of a code"))
	r.types("-l", code[:len(code)-1]) // the words differ in three letters at least
	r.types("Enter")
	r.golden("accept", r.shows("[Y/n]"))
	r.types("y", "Enter")
	r.golden("moving", r.shows(" left"))
	r.types("p")
	r.golden("paused", r.showsTwice("paused here: p goes on"))
	r.types("p")
	r.shows("it goes on")
	r.shows(" left")

	w.b.ip("link set eth0 down")
	r.golden("lost", r.shows("no contact"))
	w.b.ip("link set eth0 up")
	r.shows("contact is back")
	r.golden("back", r.shows(" left"))
	r.golden("received", r.shows("[exit 0]"))
	s.golden("sent", s.shows("[exit 0]"))
}

// usualCode is how a screen begins whose code is drawn as most are, which is what
// the golden ones show. A short code leaves room for the QR beside it too, and of
// a few with many wide letters none are drawn.
var usualCode = map[int]*regexp.Regexp{
	80: regexp.MustCompile(`^\n  Sending film\.mkv, 12\.0 MB\n\n  Code:\n +▄`),
	40: regexp.MustCompile(`^\n  Sending film\.mkv, 12\.0 MB\n\n  Code:\n\n  \d`),
}

// usualSend sends with a code that is drawn as usual: one in ten at most is not.
func (w *pair) usualSend(columns int, args ...string) (p *pane) {
	w.t.Helper()
	for range 10 {
		p = w.a.pane(columns, args...)
		if usualCode[columns].MatchString(p.shows("waiting for the other side")) {
			break
		}
		p.types("C-c")
		p.shows("[exit 130]")
	}
	return p
}

// screensOfEnds are transfers that come to nothing.
func (w *pair) screensOfEnds(columns int) {
	f := w.file("film.mkv", 12_000_000)
	send := append([]string{"send", f.path, "--no-qr"}, meeting...)
	receive := func(code, dir string) *pane {
		return w.b.pane(columns, append([]string{"receive", code, "-o", dir}, meeting...)...)
	}

	s := w.a.pane(columns, send...)
	r := receive(s.readCode(), w.place("videos"))
	r.shows("[Y/n]")
	r.types("n", "Enter")
	r.golden("refused", r.shows("[exit 15]"))
	s.golden("was-refused", s.shows("[exit 10]"))

	s = w.a.pane(columns, send...)
	stick := w.place("stick")
	w.mountSmall(filepath.Join(w.dir, stick), 8)
	r = receive(s.readCode(), stick)
	r.shows("[Y/n]")
	r.types("y", "Enter")
	r.golden("disk-full", r.shows("[exit 5]"))
	s.golden("their-disk-full", s.shows("waiting at the helper"))
	s.types("C-c")
	s.shows("[exit 130]")

	s = w.a.pane(columns, "send", "no-such-file")
	s.golden("no-such-file", s.shows("[exit 3]"))
}

// screensOfMany is a transfer to two.
func (w *pair) screensOfMany(columns int) {
	f := w.file("slides.pdf", 8_000_000)
	s := w.a.pane(columns, append([]string{"send", f.path, "--to", "2", "--limit", "500kB/s", "--no-qr"}, meeting...)...)
	code := s.readCode()
	for i, dir := range []string{"hers", "his"} {
		w.b.pane(columns, append([]string{"receive", code, "-y", "-o", w.place(dir)}, meeting...)...)
		s.shows(fmt.Sprintf("receiver %d:  ", i+1))
	}
	s.golden("to-two", s.showsTimes(2, " %"))
	s.shows("[exit 0]")
}

// TestTerminalIsGivenBack: however qft ends, and while it is suspended, the
// terminal is as it was; when it goes on, so does the question.
func TestTerminalIsGivenBack(t *testing.T) {
	t.Parallel()
	needTools(t, "tmux", "bash")
	w := newPair(t)
	bin, err := kit.qft()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"C-c", `C-\`} {
		script := `trap : INT QUIT; "$@"; stty -a | grep -o -e -icanon; echo "[looked]"; exec cat`
		p := w.a.paneOf(80, "sh", "-c", script, "sh", bin, "receive")
		p.shows("Code:")
		p.types(key)
		if screen := p.shows("[looked]"); strings.Contains(screen, "-icanon") {
			t.Errorf("after %s the terminal is left as qft had it", key)
		}
	}

	p := w.a.paneOf(80, "bash", "--norc", "-i")
	p.types("-l", bin+" receive")
	p.types("Enter")
	p.shows("Code:")
	p.types("C-z")
	p.shows("Stopped")
	p.types("-l", "clear; fg")
	p.types("Enter")
	p.shows("Code:")
	p.types("-l", "7-ac")
	p.shows("Code: 7-ac")
	p.types("C-c")
	p.shows("stopped")
}

// TestResizedTerminal: a terminal that is made narrower breaks the lines of
// progress; nothing of them is left when they are drawn for its new width, nor
// when it is wide again, also while nothing moves.
func TestResizedTerminal(t *testing.T) {
	t.Parallel()
	needTools(t, "tmux")
	w := newPair(t)
	w.a.startHelper()
	f := w.file("film.mkv", 200_000_000)
	s := w.a.pane(80, append([]string{"send", f.path, "--limit", "2MB/s", "--no-qr"}, meeting...)...)
	r := w.b.pane(80, append([]string{"receive", s.readCode(), "-y", "-o", w.place("videos")}, meeting...)...)
	for _, p := range []*pane{s, r} {
		p.shows(" left")
	}
	for _, columns := range []int{50, 80, 61, 59, 30, 120, 45, 80} {
		for _, p := range []*pane{s, r} {
			p.resize(columns)
			p.wantOneBar(fmt.Sprintf("in %d columns", columns))
		}
	}
	r.types("p")
	for _, p := range []*pane{s, r} {
		p.shows("paused ")
	}
	for _, columns := range []int{50, 80} {
		for _, p := range []*pane{s, r} {
			p.resize(columns)
			p.wantOneBar(fmt.Sprintf("paused, in %d columns", columns))
		}
	}
	s.types("C-c")
	for _, p := range []*pane{s, r} {
		if screen := p.shows("[exit "); barRow.MatchString(screen) {
			t.Errorf("something of the bar is left at the end:\n%s", screen)
		}
	}
}

// TestResizedCode: a terminal that gets too small for what is drawn has the code
// drawn anew, whole, with what was said below it; nothing broken is left beside.
func TestResizedCode(t *testing.T) {
	t.Parallel()
	needTools(t, "tmux")
	w := newPair(t)
	w.a.startHelper()
	f := w.file("film.mkv", 12_000_000)
	p := w.a.pane(120, append([]string{"send", f.path, "--keep"}, meeting...)...)
	code := p.readCode()
	p.shows("waiting for receivers")
	for _, columns := range []int{80, 60, 40} {
		p.resize(columns)
		eventually(t, bigTime, fmt.Sprintf("it is drawn for %d columns", columns), func() bool {
			screen := p.shown()
			for row := range strings.SplitSeq(screen, "\n") {
				if strings.ContainsAny(row, "█▀▄") && utf8.RuneCountInString(row) >= columns {
					return false
				}
			}
			return strings.HasPrefix(screen, "\n  Sending film.mkv") && strings.Count(screen, "Sending film.mkv") == 1 &&
				strings.Contains(screen, "qft receive "+code) && strings.HasSuffix(screen, "\nwaiting for receivers")
		})
	}
	p.resize(120)
	r := w.b.pane(80, append([]string{"receive", code, "-y", "-o", w.place("videos")}, meeting...)...)
	r.shows("[exit 0]")
	p.types("C-c")
	p.shows("[exit ")
}

// barRow is what each form of progress has, and no line of the story.
var barRow = regexp.MustCompile(`\d %  `)

func (p *pane) resize(columns int) {
	p.h.w.t.Helper()
	p.columns = columns
	p.tmux("resize-window", "-x", fmt.Sprint(columns), "-y", fmt.Sprint(paneRows))
}

// wantOneBar waits until progress is drawn for the width of the terminal, once,
// with nothing of what was drawn before.
func (p *pane) wantOneBar(when string) {
	p.h.w.t.Helper()
	var screen string
	began := time.Now()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if screen = p.shown(); p.oneBar(screen) {
			return
		}
		if time.Since(began) > 30*time.Second {
			p.h.w.t.Fatalf("%s: %s shows\n%s", when, p.h.role, screen)
		}
	}
}

// oneBar reports whether the last rows of a screen are one bar, with the row
// below it where there is room, and what is above has none.
func (p *pane) oneBar(screen string) bool {
	rows := strings.Split(screen, "\n")
	bar := len(rows) - 1
	if p.columns > 60 {
		bar--
	}
	for i, row := range rows {
		has := barRow.MatchString(row)
		if has != (i == bar) || i >= bar && utf8.RuneCountInString(row) >= p.columns {
			return false
		}
		if i < bar && (strings.ContainsAny(row, "█░") || strings.Contains(row, "RTT ")) {
			return false
		}
	}
	return p.columns <= 60 || strings.ContainsAny(rows[bar], "█░")
}
