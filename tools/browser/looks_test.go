package browser

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// showing is what a test does with a page in a state that has a name.
type showing = func(w *page, name string)

// wantGoodLooks checks what is shown, on a desk and on a phone, light and dark:
// nothing is wider than the page, and axe, if it is there, has no serious finding.
func (w *page) wantGoodLooks(name string) {
	w.t.Helper()
	for _, width := range []int{wide, narrow} {
		for _, dark := range []bool{false, true} {
			w.look(width, dark)
			title := fmt.Sprintf("%s, %d pixels, dark %v", name, width, dark)
			if got := ask[int](w, "document.documentElement.scrollWidth"); got > width {
				w.t.Errorf("%s: it is %d pixels wide: %s", title, got, ask[string](w, fmt.Sprintf(tooWide, width)))
			}
			if kit.axe() == "" {
				continue
			}
			if !ask[bool](w, `"axe" in window`) {
				ask[bool](w, kit.axe()+";true")
			}
			for _, v := range ask[[]string](w, violations) {
				w.t.Errorf("%s: %s", title, v)
			}
		}
	}
	w.look(wide, false)
}

// tooWide names what reaches beyond a width.
const tooWide = `[...document.querySelectorAll("main *")].filter((e) => e.getBoundingClientRect().right > %d).slice(0, 3).map((e) => e.outerHTML.slice(0, 120)).join(" and ")`

// violations are axe's serious and critical findings.
const violations = `axe.run(document, {resultTypes: ["violations"]}).then((r) => r.violations
	.filter((v) => v.impact === "serious" || v.impact === "critical")
	.map((v) => v.id + ": " + v.help + ": " + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160) + " " + n.failureSummary.slice(0, 200)).join(" | ")))`

// TestEveryScreenForEverybody shows every screen there is. States that need a
// story of their own are looked at where it is told.
func TestEveryScreenForEverybody(t *testing.T) {
	t.Parallel()
	needs(t)
	if kit.axe() == "" {
		t.Skip("needs axe-core: make web fetches it")
	}
	tour(t, newPerson(t), newPerson(t), 12<<20, "150kB/s", (*page).wantGoodLooks)
}

// TestPictures makes the pictures of the documentation, each of one size.
func TestPictures(t *testing.T) {
	dir := os.Getenv("QFT_PICTURES")
	if dir == "" {
		t.Skip("pictures are made by make screenshots")
	}
	needs(t)
	take := func(w *page, name string) {
		if !slices.Contains(pictured(), name) {
			return
		}
		if name == "moving" {
			w.until("a plot", find("plot")+` && `+find("bar")+`.ariaValueNow >= 40`)
		}
		for _, dark := range []bool{false, true} {
			w.look(wide, dark)
			scheme := map[bool]string{true: "dark", false: "light"}[dark]
			w.picture(filepath.Join(dir, name+"-"+scheme+".png"))
		}
		w.look(narrow, false)
		w.picture(filepath.Join(dir, name+"-phone.png"))
		w.look(wide, false)
	}
	for name, story := range map[string]func(t *testing.T, laptop, desktop *person, show showing){
		"tour":        func(t *testing.T, a, b *person, show showing) { tour(t, a, b, 80<<20, "2MB/s", show) },
		"interrupted": interrupted,
		"full":        full,
		"several":     several,
	} {
		t.Run(name, func(t *testing.T) {
			top := example(t)
			story(t, personAt(t, filepath.Join(top, "laptop")), personAt(t, filepath.Join(top, "desktop")), take)
		})
	}
}

// pictured are the states of which there are pictures.
func pictured() []string {
	return []string{
		"home", "options", "waiting", "question", "moving", "moving-in", "paused", "done", "history", "doctor", "settings",
		"interrupted", "failed", "several",
	}
}

// example is a folder whose name is seen in the pictures. It gets a number where
// there is one already.
func example(t *testing.T) string {
	t.Helper()
	top := filepath.Join(os.TempDir(), "example")
	err := os.Mkdir(top, 0o700)
	for i := 2; errors.Is(err, fs.ErrExist); i++ {
		top = filepath.Join(os.TempDir(), fmt.Sprintf("example-%d", i))
		err = os.Mkdir(top, 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(top) })
	return top
}

// tour sends so many bytes, first under a limit, and leads through the screens of a transfer and all others.
func tour(t *testing.T, a, b *person, bytes int64, limit string, show showing) {
	a.grow("holiday", bytes)
	s, r := a.open(a.start()), b.open(b.start())
	show(s, "home")
	s.click("send-choose")
	s.see("dialog")
	show(s, "choosing")
	s.click("dialog-cancel")
	s.choose("holiday")
	s.click("send-options")
	show(s, "options")
	s.write("send-limit", limit)
	code := s.sends()
	s.see("qr")
	show(s, "waiting")
	r.write("receive-code", strings.ReplaceAll(code, "-", " "))
	r.until("a code", find("receive-start")+"?.disabled === false")
	show(r, "receiving")
	r.click("receive-start")
	r.see("accept")
	show(r, "question")
	r.click("accept")
	r.until("progress", find("bar")+"?.ariaValueNow > 0")
	s.until("progress", find("bar")+"?.ariaValueNow > 0")
	show(s, "moving")
	show(r, "moving-in")
	s.click("pause")
	s.says("phase", "Paused")
	r.says("session", "Paused by the other side")
	show(s, "paused")
	show(r, "paused-there")
	s.click("pause")
	s.slide("limit", 100)
	r.phase("done")
	show(r, "done")
	s.phase("done")
	s.show("history")
	s.see("history-row")
	show(s, "history")
	s.show("doctor")
	s.click("doctor-run")
	r.show("settings")
	r.see("setting")
	show(r, "settings")
	r.show("help")
	show(r, "help")
	r.show("home")
	r.receives("9999999-acid-robot-zebra") // a number that the helper gives to nobody
	r.click("stop")
	r.see("sure")
	show(r, "sure")
	r.click("sure-yes")
	s.see("doctor-verdict")
	s.see("doctor-details")
	show(s, "doctor")
}
