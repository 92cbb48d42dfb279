package browser

import (
	"fmt"
	"testing"
)

// tabTo goes from one control to the next until it is at one, as who has no
// mouse does. Each on the way has to be seen.
func (w *page) tabTo(name string) {
	w.t.Helper()
	for range 80 {
		w.press("Tab")
		if w.focused(name) {
			return
		}
		if blind := ask[bool](w, focusIsUnseen); blind {
			w.t.Errorf("no focus is seen at %s", ask[string](w, "document.activeElement.outerHTML"))
		}
	}
	w.t.Fatalf("the keyboard does not lead to %s; the page says: %s", name, w.all())
}

func (w *page) focused(name string) bool {
	w.t.Helper()
	return ask[bool](w, fmt.Sprintf("document.activeElement.matches(%q)", by(name)))
}

// focusIsUnseen is true where the focus shows neither an outline nor a shadow.
const focusIsUnseen = `(() => {
	const e = document.activeElement;
	if (e === document.body) return false;
	const s = getComputedStyle(e);
	return e.matches(":focus-visible") && (s.outlineStyle === "none" || parseFloat(s.outlineWidth) === 0) && s.boxShadow === "none";
})()`

// TestKeyboardAlone: a whole transfer without a mouse, on both sides.
func TestKeyboardAlone(t *testing.T) {
	t.Parallel()
	a, b := newPerson(t), newPerson(t)
	a.put(a.home+"/letter.txt", []byte("hello"))
	s, r := a.open(a.start()), b.open(b.start())

	s.tabTo("send-choose")
	s.press("Enter")
	s.see(`dialog-entry[data-name="letter.txt"]`)
	s.tabTo(`dialog-entry[data-name="letter.txt"]`)
	s.press(" ")
	s.tabTo("dialog-ok")
	s.press("Enter")
	s.gone("dialog")
	s.until("the focus to be back", fmt.Sprintf("document.activeElement.matches(%q)", by("send-choose")))
	s.tabTo("send-start")
	s.press("Enter")
	code := s.text("code")
	s.until("the focus to be in the view of the transfer", `document.activeElement.id === "main"`)

	r.tabTo("receive-code")
	r.insert(code)
	r.until("a code", find("receive-start")+"?.disabled === false")
	r.press("Escape")
	r.press("Enter")
	r.see("accept")
	r.tabTo("accept")
	r.press("Enter")
	r.phase("done")
	s.phase("done")
	wantEqual(t, a.home+"/letter.txt", b.downloads()+"/letter.txt")
}

// TestDialogs: the focus stays in a dialog, Escape closes it, and who changes
// nothing has changed nothing.
func TestDialogs(t *testing.T) {
	t.Parallel()
	a := newPerson(t)
	a.put(a.home+"/folder/letter.txt", []byte("hello"))
	a.put(a.home+`/back\slash/in/letter.txt`, []byte("hello"))
	w := a.open(a.start())
	w.click("send-choose")
	w.see("dialog")
	for range 30 {
		w.press("Tab")
		if !ask[bool](w, `document.activeElement === document.body || !!document.activeElement.closest("dialog")`) {
			t.Fatalf("the focus leaves the dialog for %s", ask[string](w, "document.activeElement.outerHTML"))
		}
	}
	w.click(`dialog-enter[data-name="folder"]`)
	w.says("dialog-path", "/folder")
	w.see(`dialog-entry[data-name="letter.txt"]`)
	w.click("dialog-up")
	w.see(`dialog-enter[data-name="folder"]`)
	w.click(`dialog-enter[data-name="back\\slash"]`)
	w.click(`dialog-enter[data-name="in"]`)
	w.says("dialog-path", `back\slash/in`)
	w.press("Escape")
	w.gone("dialog")
	w.gone("send-selection")
}

// TestSlowFolder: who opens a folder that does not answer sees that it is waited
// for, may go elsewhere, and stays there when it answers.
func TestSlowFolder(t *testing.T) {
	t.Parallel()
	a := newPerson(t)
	a.put(a.home+"/slow/letter.txt", []byte("hello"))
	a.put(a.home+"/quick/postcard.txt", []byte("hello"))
	w := a.openWith(a.start(), `{
		window.asked = 0;
		const fetched = window.fetch.bind(window);
		const held = new Promise((go) => window.goOn = go);
		window.fetch = async (path, init) => {
			const answer = await fetched(path, init);
			if (String(path).startsWith("/api/folder") && String(path).includes("slow")) {
				window.asked++;
				await held;
				window.answered = true;
			}
			return answer;
		};
	}`)
	w.click("send-choose")
	w.click(`dialog-enter[data-name="slow"]`)
	w.until("the folder to be asked for", "window.asked === 1")
	w.see("dialog-waiting")
	w.wantGoodLooks("a folder that does not answer")
	w.click(`dialog-enter[data-name="quick"]`)
	w.see(`dialog-entry[data-name="postcard.txt"]`)
	w.gone("dialog-waiting")
	ask[bool](w, `goOn(), true`)
	w.until("the answer", "window.answered")
	ask[bool](w, `new Promise((ok) => requestAnimationFrame(() => requestAnimationFrame(() => ok(true))))`)
	w.see(`dialog-entry[data-name="postcard.txt"]`)
	w.says("dialog-path", "/quick")
}
