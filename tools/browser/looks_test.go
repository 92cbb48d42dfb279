package browser

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// axe is the engine that knows the rules of accessibility.
func axe(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "internal", "gui", "web", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Skip("needs axe-core: make web fetches it")
	}
	return string(text)
}

// wantGoodLooks checks what is shown, on a desk and on a phone, light and dark:
// nothing is wider than the page, and axe has no serious finding.
func (w *page) wantGoodLooks(engine, name string) {
	w.t.Helper()
	for _, width := range []int{wide, narrow} {
		for _, dark := range []bool{false, true} {
			w.look(width, dark)
			title := fmt.Sprintf("%s, %d pixels, dark %v", name, width, dark)
			if got := ask[int](w, "document.documentElement.scrollWidth"); got > width {
				w.t.Errorf("%s: it is %d pixels wide: %s", title, got, ask[string](w, fmt.Sprintf(tooWide, width)))
			}
			if !ask[bool](w, `"axe" in window`) {
				ask[bool](w, engine+";true")
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

// TestEveryScreenForEverybody shows every screen there is.
func TestEveryScreenForEverybody(t *testing.T) {
	t.Parallel()
	needs(t)
	engine := axe(t)
	tour(t, newPerson(t), newPerson(t), 12<<20, "400kB/s", func(w *page, name string) { w.wantGoodLooks(engine, name) })
}

// TestPictures makes the pictures of the documentation, each of one size.
func TestPictures(t *testing.T) {
	dir := os.Getenv("QFT_PICTURES")
	if dir == "" {
		t.Skip("pictures are made by make screenshots")
	}
	needs(t)
	top := filepath.Join(os.TempDir(), "example") // is seen in the pictures
	if err := os.Mkdir(top, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(top) })
	tour(t, personAt(t, filepath.Join(top, "laptop")), personAt(t, filepath.Join(top, "desktop")), 80<<20, "2MB/s", func(w *page, name string) {
		if !slices.Contains([]string{"home", "waiting", "question", "moving", "done", "history", "doctor", "settings"}, name) {
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
	})
}

// tour sends so many bytes, first under a limit, and leads through the screens of a transfer and all others.
func tour(t *testing.T, a, b *person, bytes int64, limit string, show func(w *page, name string)) {
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
	r.receives("7-acid-robot-zebra")
	r.click("stop")
	r.see("sure")
	show(r, "sure")
	r.click("sure-yes")
	s.see("doctor-verdict")
	s.see("doctor-details")
	show(s, "doctor")
}
