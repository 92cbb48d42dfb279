package browser

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestTreeIsSteeredAndArrives: a hundred megabytes from one window to another,
// slowed, paused and let go on the way.
func TestTreeIsSteeredAndArrives(t *testing.T) {
	t.Parallel()
	a, b := newPerson(t), newPerson(t)
	a.grow("holiday", 100<<20)
	s, r := a.open(a.start()), b.open(b.start())
	s.choose("holiday")
	s.click("send-options")
	s.write("send-limit", "1MB/s") // or it is over before all is done on the way
	r.receives(s.sends())
	r.says("ask", "MB")
	r.says("ask-name", "holiday")
	r.click("accept")
	s.phase("moving")
	r.phase("moving")
	for _, figure := range []string{"rate", "eta", "path", "rtt", "loss", "bottleneck", "limit-value"} {
		s.see(figure)
	}
	s.says("limit-value", "1.00 MB/s")
	s.says("bottleneck", "limit")
	r.until("progress", find("bar")+"?.ariaValueNow > 0")

	s.click("pause")
	s.says("phase", "Paused")
	r.says("session", "Paused by the other side")
	s.click("pause")
	r.until("no pause", "!document.body.innerText.includes('Paused by the other side')")
	r.click("background")
	r.until("background", find("background")+".checked")
	r.slide("limit", 0)
	r.says("limit-value", "100 kB/s")
	r.slide("limit", 100)
	r.click("background")
	s.slide("limit", 100)
	s.says("limit-value", "No limit")
	s.phase("done")
	r.phase("done")
	r.until("the end to be spoken", `document.querySelector("[aria-live=polite].unseen").innerText.includes("Done")`)
	r.says("result-path", filepath.Join(b.downloads(), "holiday"))
	wantEqual(t, filepath.Join(a.home, "holiday"), filepath.Join(b.downloads(), "holiday"))

	r.show("history")
	r.says("history-row", "holiday")
	r.click("history-clear")
	r.gone("history-row")
}

// TestKilledAndContinued: the receiving program is killed in the middle, and its
// successor goes on from the list of what was interrupted.
func TestKilledAndContinued(t *testing.T) {
	t.Parallel()
	interrupted(t, newPerson(t), newPerson(t), (*page).wantGoodLooks)
}

// interrupted is the story of TestKilledAndContinued.
func interrupted(t *testing.T, a, b *person, show showing) {
	a.grow("holiday", 60<<20)
	s := a.open(a.start())
	g := b.start()
	r := b.open(g)
	s.choose("holiday")
	s.click("send-options")
	s.write("send-limit", "2MB/s")
	code := s.sends()
	r.receives(code)
	r.click("accept")
	b.untilKept("holiday")
	r.until("a part", find("bar")+"?.ariaValueNow > 5")
	r.mayRefuse() // nor answer
	g.kill()
	r.see("away")

	again := b.open(b.start())
	again.show("history")
	again.says("unfinished-row", "holiday")
	show(again, "interrupted")
	again.write("continue-code", code)
	again.click("continue")
	again.click("accept")
	again.see("resumed")
	s.slide("limit", 100)
	again.phase("done")
	s.phase("done")
	wantEqual(t, filepath.Join(a.home, "holiday"), filepath.Join(b.downloads(), "holiday"))
	again.show("history")
	again.gone("unfinished-row")
}

// TestDiscarded: what was stopped is forgotten when told, and nothing of it stays
// in the folder.
func TestDiscarded(t *testing.T) {
	t.Parallel()
	a, b := newPerson(t), newPerson(t)
	a.grow("holiday", 12<<20)
	s, r := a.open(a.start()), b.open(b.start())
	s.choose("holiday")
	s.click("send-options")
	s.write("send-limit", "300kB/s")
	r.receives(s.sends())
	r.click("accept")
	r.until("a part", find("bar")+"?.ariaValueNow > 0")
	r.click("stop")
	r.click("sure-yes")
	r.phase("stopped")
	bed := filepath.Join(b.downloads(), ".holiday.qft-part")
	if len(read(t, bed)) == 0 {
		t.Error("nothing is kept of what has arrived")
	}
	r.show("history")
	r.says("unfinished-row", "holiday")
	r.click("discard")
	r.click("sure-no")
	r.gone("sure")
	r.see("unfinished-row")
	r.click("discard")
	r.click("sure-yes")
	r.gone("unfinished-row")
	there, err := os.ReadDir(b.downloads())
	if err != nil || len(there) != 0 {
		t.Errorf("%v is left in the folder (%v)", there, err)
	}
}

// TestToldLate: who begins a transfer sees it also where the program's answer
// comes before its news.
func TestToldLate(t *testing.T) {
	t.Parallel()
	a := newPerson(t)
	w := a.openWith(a.start(), holdNews)
	w.click("send-text")
	w.write("send-text-area", "hello")
	ask[bool](w, `window.news = new Promise((go) => window.goOn = go), true`)
	w.click("send-start")
	w.see("transfer")
	ask[bool](w, `goOn(), true`)
	w.see("code")
	w.phase("waiting")
}

// holdNews keeps what comes in streams until window.news is settled.
const holdNews = `{
	const read = ReadableStreamDefaultReader.prototype.read;
	ReadableStreamDefaultReader.prototype.read = async function () {
		const got = await read.call(this);
		await window.news;
		return got;
	};
}`

// TestCopied: the button says what it has done, and the code can be pasted.
func TestCopied(t *testing.T) {
	t.Parallel()
	a := newPerson(t)
	a.put(filepath.Join(a.home, "letter.txt"), []byte("hello"))
	w := a.open(a.start())
	w.choose("letter.txt")
	code := w.sends()
	w.hears("copy")
	w.click("copy")
	w.until("the button to say so", `heard.includes("Copied")`)
	w.until("the button to be as it was", find("copy")+`.innerText === "Copy code"`)
	w.show("home")
	w.do(chromedp.Focus(chromedp.CSS(by("receive-code"))))
	w.paste()
	w.until("the code", find("receive-code")+fmt.Sprintf(".value === %q", code))
}

// TestRefused: who is asked may say no, and both sides say so.
func TestRefused(t *testing.T) {
	t.Parallel()
	a, b := newPerson(t), newPerson(t)
	a.put(filepath.Join(a.home, "letter.txt"), []byte("hello"))
	s, r := a.open(a.start()), b.open(b.start())
	s.choose("letter.txt")
	r.receives(s.sends())
	r.click("refuse")
	s.see("problem")
	s.says("problem", "refused")
	r.until("an end", find("transfer")+`.dataset.phase.match("stopped|failed")`)
	if all := read(t, b.downloads()); len(all) != 0 {
		t.Errorf("%d files came", len(all))
	}
}

// TestCodesAreCompletedAndRepaired: what a person types is put right where it
// can be, and not sent where it cannot.
func TestCodesAreCompletedAndRepaired(t *testing.T) {
	t.Parallel()
	a := newPerson(t)
	w := a.open(a.start())
	w.write("receive-code", "7-acid-robotic")
	w.says("receive-complete", "7-acid-robotics")
	w.press("Tab") // there is only one
	w.until("the word", find("receive-code")+`.value === "7-acid-robotics-"`)
	w.write("receive-code", "7-acid-robot-zeb")
	w.says("receive-complete", "7-acid-robot-zebra")
	w.press("ArrowDown")
	w.until("a choice", find("receive-code")+`.ariaActiveDescendantElement?.ariaSelected === "true"`)
	w.press("Enter")
	w.until("the last word", find("receive-code")+`.value === "7-acid-robot-zebra"`)
	w.write("receive-code", "7 acid robot zebar")
	w.says("receive-repaired", "zebra")
	w.write("receive-code", "7-acid-robot-qqqqqq")
	w.see("receive-problem")
	w.until("nothing to start", find("receive-start")+".disabled")
}

// TestWrongCode: words that the sender does not have are told to both, and do
// not end the sender.
func TestWrongCode(t *testing.T) {
	t.Parallel()
	a, b := newPerson(t), newPerson(t)
	a.put(filepath.Join(a.home, "letter.txt"), []byte("hello"))
	s, r := a.open(a.start()), b.open(b.start())
	s.choose("letter.txt")
	code := s.sends()
	number, _, _ := strings.Cut(code, "-")
	wrong := number + "-acid-robot-zebra"
	if wrong == code {
		wrong = number + "-acid-robot-robot"
	}
	r.receives(wrong)
	r.phase("failed")
	r.see("problem")
	r.see("advice")
	s.phase("waiting")
	r.show("home")
	r.receives(code)
	r.click("accept")
	r.phase("done")
	s.phase("done")
}

// TestConflict: what exists is not touched without a word.
func TestConflict(t *testing.T) {
	t.Parallel()
	a, b := newPerson(t), newPerson(t)
	name := "letter" + strings.Repeat("_of_many_words", 8) + ".txt" // is wider than a phone
	a.put(filepath.Join(a.home, name), []byte("new"))
	b.put(filepath.Join(b.downloads(), name), []byte("old one"))
	s, r := a.open(a.start()), b.open(b.start())
	s.choose(name)
	s.wantGoodLooks("a long name is chosen")
	r.receives("qft receive " + s.sends()) // as the sender's button copies it
	r.click("accept")
	r.see(`ask[data-kind="conflict"]`)
	if title := ask[string](r, `document.querySelector("h1").innerText`); title != name {
		t.Errorf("%q is asked about", title)
	}
	r.wantGoodLooks("conflict")
	r.click("conflict-rename")
	r.phase("done")
	all := read(t, b.downloads())
	if len(all) != 2 || string(all[name]) != "old one" {
		t.Errorf("there are %q", all)
	}
}

// TestKept: of what is kept instead nobody reads that it has come, at a rate of 0.
func TestKept(t *testing.T) {
	t.Parallel()
	a, b := newPerson(t), newPerson(t)
	a.put(filepath.Join(a.home, "letter"), []byte("new"))
	b.put(filepath.Join(b.downloads(), "letter"), []byte("old one"))
	s, r := a.open(a.start()), b.open(b.start())
	s.choose("letter")
	r.receives(s.sends())
	r.click("accept")
	r.click("conflict-skip")
	for _, w := range []*page{r, s} {
		w.phase("done")
		w.says("session", "Nothing had to travel")
	}
}

// TestText: a few words are sent without a file.
func TestText(t *testing.T) {
	t.Parallel()
	a, b := newPerson(t), newPerson(t)
	s, r := a.open(a.start()), b.open(b.start())
	s.click("send-text")
	s.write("send-text-area", "<b>naïve</b> & \"quoted\"\nsecond line")
	r.receives(s.sends())
	r.phase("done")
	if got := r.text("result-text"); got != "<b>naïve</b> & \"quoted\"\nsecond line" {
		t.Errorf("%q came", got)
	}
}

// TestSeveralReceivers: one sender, two others, a bar each.
func TestSeveralReceivers(t *testing.T) {
	t.Parallel()
	several(t, newPerson(t), newPerson(t), (*page).wantGoodLooks)
}

// several is the story of TestSeveralReceivers.
func several(t *testing.T, a, b *person, show showing) {
	a.grow("holiday", 3<<20)
	s := a.open(a.start())
	s.choose("holiday")
	s.click("send-options")
	s.write("send-receivers", "2")
	code := s.sends()
	for i, b := range []*person{b, newPerson(t)} {
		r := b.open(b.start())
		r.receives(code)
		r.click("accept")
		r.phase("done")
		wantEqual(t, filepath.Join(a.home, "holiday"), filepath.Join(b.downloads(), "holiday"))
		s.see(fmt.Sprintf(`bar[data-session="%d"]`, i+1))
		s.says("complete", fmt.Sprintf("%d of 2", i+1))
		if i == 0 {
			show(s, "several")
		}
	}
	s.phase("done")
}

// TestQueue: what waits for its turn begins when it comes, or when told.
func TestQueue(t *testing.T) {
	t.Parallel()
	a := newPerson(t)
	a.put(filepath.Join(a.home, "one.txt"), []byte("1"))
	a.put(filepath.Join(a.home, "two.txt"), []byte("2"))
	a.put(filepath.Join(a.home, "three.txt"), []byte("3"))
	s := a.open(a.start())
	s.choose("one.txt")
	s.sends()
	for _, name := range []string{"two.txt", "three.txt"} {
		s.show("home")
		s.choose(name)
		s.click("send-options")
		s.click("send-queue")
		s.click("send-start")
		s.phase("queued")
	}
	s.wantGoodLooks("queued")
	s.click("earlier")
	s.click("start-now")
	s.see("code")
	s.phase("waiting")
	s.click("stop")
	s.click("sure-yes")
	s.phase("stopped")
	s.show("home")
	s.until("two that wait", `document.querySelectorAll("[data-test=row][data-phase=waiting], [data-test=row][data-phase=queued]").length === 2`)
	s.wantGoodLooks("home with a list")
	s.click(`row[data-phase="waiting"] a`)
	s.click("stop")
	s.click("sure-yes")
	s.phase("stopped")
	s.show("home")
	s.see(`row[data-phase="waiting"]`) // its turn has come
}

// TestDiskThatIsFull says what is missing, in words, on the page.
func TestDiskThatIsFull(t *testing.T) {
	t.Parallel()
	full(t, newPerson(t), newPerson(t), (*page).wantGoodLooks)
}

// full is the story of TestDiskThatIsFull.
func full(t *testing.T, a, b *person, show showing) {
	if os.Getuid() != 0 {
		t.Skip("needs root: a small disk is mounted")
	}
	if _, err := exec.LookPath("unshare"); err != nil {
		t.Skip("needs unshare")
	}
	a.grow("holiday", 12<<20)
	s := a.open(a.start())
	g := b.start("unshare", "-m", "sh", "-c", `mount -t tmpfs -o size=4m none "$HOME/Downloads" && exec "$@"`, "sh")
	r := b.open(g)
	s.choose("holiday")
	r.receives(s.sends())
	r.says("ask", "Only")
	r.click("accept")
	r.phase("failed")
	r.says("problem", "not enough space")
	r.says("advice", "Free some space, then try again")
	show(r, "failed")
	s.says("notes", "not enough space")
	show(s, "failed-there")
	r.click("again")
	r.phase("asking") // the sender has stayed
	r.click("refuse")
	r.phase("stopped")
}

// TestSettings: what is set on the page holds for the commands, and what is wrong
// is not taken.
func TestSettings(t *testing.T) {
	t.Parallel()
	a := newPerson(t)
	w := a.open(a.start())
	w.mayRefuse()
	w.show("settings")
	limit := `setting[data-key="limit"] `
	w.write(limit+"[data-test=setting-value]", "very fast")
	w.click(limit + "[data-test=setting-save]")
	w.says("problem", "very fast")
	w.inView("problem")
	w.write(limit+"[data-test=setting-value]", "5MB/s")
	w.click(limit + "[data-test=setting-save]")
	w.says("setting", "Saved")
	w.gone("problem")
	w.until("a helper that cannot be set", find(`setting[data-key="helper"] [data-test=setting-value]`)+".disabled")
	file, err := os.ReadFile(filepath.Join(a.home, ".config", "qft", "config"))
	if err != nil || !strings.Contains(string(file), "limit = 5MB/s") {
		t.Errorf("the file of settings: %v, %q", err, file)
	}
}

// TestSecondPage: another page of the same browser needs no key, and one without
// cookie and token is not let in.
func TestSecondPage(t *testing.T) {
	t.Parallel()
	a := newPerson(t)
	g := a.start()
	w := a.open(g)
	w.do(chromedp.Navigate(w.host + "/"))
	w.see("send-start")
	if url := ask[string](w, "location.href"); strings.Contains(url, "#") {
		t.Errorf("the key stays in the address: %s", url)
	}
	stranger := a.visit(w.host)
	stranger.mayRefuse()
	stranger.do(chromedp.Navigate(g.url)) // the key has been used
	stranger.until("a closed door", `document.body.innerText.includes("not let in")`)
}
