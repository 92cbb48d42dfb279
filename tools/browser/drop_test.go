package browser

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestDropped: files that only the browser can read, chosen in its own dialog or
// dropped, arrive whole.
func TestDropped(t *testing.T) {
	t.Parallel()
	a, b := newPerson(t), newPerson(t)
	a.grow("holiday", 9<<20)
	s, r := a.open(a.start()), b.open(b.start())
	names := []string{"000.bin", "007.bin"} // a large one and a small one
	var paths []string
	for _, n := range names {
		paths = append(paths, filepath.Join(a.home, "holiday", "part 0", n))
	}
	s.do(chromedp.SetUploadFiles(chromedp.CSS(by("send-input")), paths, chromedp.NodeReady))
	s.says("send-selection", "2 files")
	r.receives(s.sends())
	r.click("accept")
	r.phase("done")
	s.phase("done")
	for i, n := range names {
		want, _ := os.ReadFile(paths[i])
		if got, err := os.ReadFile(filepath.Join(b.downloads(), n)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v, %d bytes of %d, or not the same", n, err, len(got), len(want))
		}
	}

	s.show("home")
	r.show("home")
	for _, kind := range []string{"dragover", "drop"} {
		if ask[bool](s, fmt.Sprintf(`document.querySelector("h1").dispatchEvent(new DragEvent(%q, {bubbles: true, cancelable: true}))`, kind)) {
			t.Errorf("%s beside the field: the browser opens the file instead of the page", kind)
		}
	}
	ask[bool](s, fmt.Sprintf(`(() => {
		const data = new DataTransfer();
		data.items.add(new File(["dropped ".repeat(400_000)], "dropped.txt"));
		%s.dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true}));
		return true;
	})()`, find("send-drop")))
	s.says("send-selection", "dropped.txt")
	r.receives(s.sends())
	r.click("accept")
	r.phase("done")
	got, err := os.ReadFile(filepath.Join(b.downloads(), "dropped.txt"))
	if err != nil || string(got) != strings.Repeat("dropped ", 400_000) {
		t.Errorf("%v, %d bytes of what was dropped, or not the same", err, len(got))
	}
}

// folders are those below one, by their names.
func folders(t *testing.T, top string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			name, _ := filepath.Rel(top, path)
			all = append(all, name)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return all
}

// receive is qft receive in the person's downloads.
func (p *person) receive(code string) {
	p.t.Helper()
	helper, _ := kit.helper()
	bin, _ := kit.qft()
	cmd := exec.Command(bin, "receive", "--yes", "--helper", helper, code)
	cmd.Dir, cmd.Env = p.downloads(), p.environ()
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Fatalf("qft receive: %v\n%s", err, out)
	}
}

// TestDroppedTree: a folder that is dropped from a file manager arrives with all
// that is in it, however it is named, and what was dropped with it.
func TestDroppedTree(t *testing.T) {
	t.Parallel()
	a, b := newPerson(t), newPerson(t)
	tree := filepath.Join(a.home, "Grüße aus Köln 🎉")
	single := filepath.Join(a.home, "single.txt")
	a.put(single, []byte("by itself"))
	a.put(filepath.Join(tree, "one", "two", "three ü 😀.txt"), []byte("deep"))
	a.put(filepath.Join(tree, "one", "u\u0308 in two runes"), []byte("not put together"))
	a.put(filepath.Join(tree, "one", "nothing"), nil)
	a.put(filepath.Join(tree, ".hidden", "it"), []byte("hidden"))
	a.put(filepath.Join(tree, "large.bin"), bytes.Repeat([]byte("0123456789abcdef\n"), 300_000))
	for i := range 340 { // more than a browser tells at a time
		a.put(filepath.Join(tree, "many", fmt.Sprintf("file %d", i)), []byte(fmt.Sprint("content ", i)))
	}
	for _, empty := range []string{"empty", "one/two/also empty"} {
		if err := os.MkdirAll(filepath.Join(tree, empty), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	w := a.open(a.start())
	w.drops("send-drop", tree, single)
	w.says("send-selection", filepath.Base(tree)+", single.txt")
	w.says("send-selection", "346 files")
	code := w.sends()
	b.receive(code)
	w.phase("done")
	wantEqual(t, tree, filepath.Join(b.downloads(), filepath.Base(tree)))
	if want, got := folders(t, tree), folders(t, filepath.Join(b.downloads(), filepath.Base(tree))); !slices.Equal(want, got) {
		t.Errorf("the folders are %q, want %q", got, want)
	}
	if got, err := os.ReadFile(filepath.Join(b.downloads(), "single.txt")); err != nil || string(got) != "by itself" {
		t.Errorf("the single file: %q, %v", got, err)
	}
}

// TestDroppedAndTouched: what is changed or removed after it was dropped does not
// arrive, the page says why and what to do, and the rest arrives.
func TestDroppedAndTouched(t *testing.T) {
	t.Parallel()
	a, b := newPerson(t), newPerson(t)
	tree := filepath.Join(a.home, "tree")
	for _, name := range []string{"changed", "grown", "removed", "stays"} {
		a.put(filepath.Join(tree, name), []byte("as it was"))
	}
	s, r := a.open(a.start()), b.open(b.start())
	s.drops("send-drop", tree)
	s.says("send-selection", "4 files")
	a.put(filepath.Join(tree, "changed"), []byte("as it is!"))
	a.put(filepath.Join(tree, "grown"), []byte("as it was, and more"))
	if err := os.Remove(filepath.Join(tree, "removed")); err != nil {
		t.Fatal(err)
	}
	r.receives(s.sends())
	r.click("accept")
	s.phase("failed")
	s.says("failed", "tree/removed: it is not there any more; it has to be dropped again")
	for _, name := range []string{"changed", "grown"} {
		s.says("failed", "tree/"+name+": it has changed since it was dropped, or cannot be read; it has to be dropped again")
	}
	r.phase("failed")
	r.says("failed", "it has to be dropped again")
	if got := read(t, filepath.Join(b.downloads(), "tree")); len(got) != 1 || string(got["stays"]) != "as it was" {
		t.Errorf("there is %q", got)
	}
	s.wantGoodLooks("touched")

	s.show("home")
	r.show("home")
	s.drops("send-drop", filepath.Join(tree, "changed"))
	s.says("send-selection", "changed")
	a.put(filepath.Join(tree, "changed"), []byte("again"))
	r.receives(s.sends())
	r.click("accept")
	s.phase("failed")
	s.says("problem", "Changed: it has changed since it was dropped, or cannot be read")
	s.until("advice", find("advice")+`.innerText === "It has to be dropped again"`)
}

// TestDroppedInPart: what cannot be read when it is dropped is named, and the
// rest is sent.
func TestDroppedInPart(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("needs names that are no text")
	}
	a, b := newPerson(t), newPerson(t)
	tree := filepath.Join(a.home, "tree")
	for _, name := range []string{"stays", "removed", "no text \xff", "removed too/file"} {
		a.put(filepath.Join(tree, name), []byte(name))
	}
	w := a.openWith(a.start(), holdDrop)
	w.drops("send-drop", tree)
	w.says("send-reading", "so far")
	w.until("the folder to be listed", "window.listed === 1")
	for _, name := range []string{"removed", "removed too"} {
		if err := os.RemoveAll(filepath.Join(tree, name)); err != nil {
			t.Fatal(err)
		}
	}
	ask[bool](w, `goOn(), true`)
	w.says("send-selection", "1 file")
	w.says("send-lost", "3 things are left out")
	w.says("send-lost", "tree/?: its name cannot be written as text")
	w.says("send-lost", "tree/removed: it is not there any more")
	w.says("send-lost", "tree/removed too/: it is not there any more")
	w.wantGoodLooks("dropped in part")
	b.receive(w.sends())
	w.phase("done")
	if got := read(t, filepath.Join(b.downloads(), "tree")); len(got) != 1 || string(got["stays"]) != "stays" {
		t.Errorf("there is %q", got)
	}
}

// holdDrop keeps from the page until goOn what it asks of dropped files and
// folders; the browser has looked at the folders meanwhile.
const holdDrop = `{
	window.asked = window.listed = 0;
	const held = new Promise((go) => window.goOn = go);
	const hold = (e) => {
		if (e.isFile) {
			const file = e.file.bind(e);
			e.file = (ok, no) => {
				window.asked++;
				held.then(() => file(ok, no));
			};
			return e;
		}
		const reader = e.createReader.bind(e);
		e.createReader = () => {
			const r = reader();
			return {readEntries: (ok, no) => r.readEntries((some) => {
				window.listed++;
				held.then(() => ok(some.map(hold)));
			}, no)};
		};
		return e;
	};
	const entry = DataTransferItem.prototype.webkitGetAsEntry;
	DataTransferItem.prototype.webkitGetAsEntry = function () { return hold(entry.call(this)); };
}`

// TestDropsAreJoined: what is dropped comes to what was dropped before, and takes
// the place of what has its name.
func TestDropsAreJoined(t *testing.T) {
	t.Parallel()
	a, b := newPerson(t), newPerson(t)
	a.put(filepath.Join(a.home, "tree", "old"), []byte("old"))
	a.put(filepath.Join(a.home, "letter"), []byte("letter"))
	w := a.open(a.start())
	w.drops("send-drop", filepath.Join(a.home, "tree"))
	w.says("send-selection", "tree")
	w.drops("send-drop", filepath.Join(a.home, "letter"))
	w.says("send-selection", "tree, letter")
	if err := os.Rename(filepath.Join(a.home, "tree", "old"), filepath.Join(a.home, "tree", "new")); err != nil {
		t.Fatal(err)
	}
	w.drops("send-drop", filepath.Join(a.home, "tree"))
	w.says("send-selection", "letter, tree")
	w.says("send-selection", "2 files")
	b.receive(w.sends())
	w.phase("done")
	got := read(t, b.downloads())
	if len(got) != 2 || string(got["letter"]) != "letter" || string(got["tree/new"]) != "old" {
		t.Errorf("there is %q", got)
	}
}

// TestDropIsNotAwaited: who does not want to wait until all is looked through
// stops that, or drops something else.
func TestDropIsNotAwaited(t *testing.T) {
	t.Parallel()
	a := newPerson(t)
	a.put(filepath.Join(a.home, "slow", "file"), []byte("slow"))
	a.put(filepath.Join(a.home, "slow too", "file"), []byte("slow"))
	a.put(filepath.Join(a.home, "letter"), []byte("letter"))
	w := a.openWith(a.start(), holdDrop)
	w.drops("send-drop", filepath.Join(a.home, "slow"))
	w.until("the folder to be listed", "window.listed === 1")
	w.until("nothing to start", find("send-start")+".disabled")
	w.wantGoodLooks("looking through")
	w.click("send-reading-stop")
	w.gone("send-reading")
	w.drops("send-drop", filepath.Join(a.home, "slow too"))
	w.until("the folder to be listed", "window.listed === 2")
	w.drops("send-drop", filepath.Join(a.home, "letter"))
	w.until("the letter to be asked for", "window.asked === 1")
	ask[bool](w, `goOn(), true`)
	w.says("send-selection", "letter")
	if said := w.text("send-selection"); strings.Contains(said, "slow") {
		t.Errorf("it says %q", said)
	}
}

// TestDroppedTooMuch: a drop beyond all bounds is not looked through to its end.
func TestDroppedTooMuch(t *testing.T) {
	t.Parallel()
	a := newPerson(t)
	a.put(filepath.Join(a.home, "endless", "file"), []byte("x"))
	w := a.openWith(a.start(), madeUp(1_000_000, 1))
	w.drops("send-drop", filepath.Join(a.home, "endless"))
	// However long that takes, it goes on.
	count := `Number((` + find("send-reading") + `?.innerText ?? "").replace(/\D/g, ""))`
	for n := 0; !ask[bool](w, "!!"+find("problem")); n = ask[int](w, count) {
		if n > 250_000 {
			t.Fatalf("%d files are looked through: %s", n, w.all())
		}
		w.until("more to be looked through", fmt.Sprintf("%s > %d || %s", count, n, find("problem")))
	}
	w.says("problem", "More than 200,000 files")
	w.see("advice")
	w.gone("send-reading")
	w.gone("send-selection")
}

// TestDroppedTooLong: a list that the program would not read is not sent to it.
func TestDroppedTooLong(t *testing.T) {
	t.Parallel()
	a := newPerson(t)
	a.put(filepath.Join(a.home, "long", "file"), []byte("x"))
	w := a.openWith(a.start(), madeUp(80, 250))
	w.drops("send-drop", filepath.Join(a.home, "long"))
	w.says("send-selection", "160,000 files")
	w.click("send-start")
	w.says("problem", "or 32 MiB of names")
	w.see("advice")
	w.see("send-selection")
}

// madeUp makes every dropped folder one of so many times 2,000 files with names of
// a length.
func madeUp(times, length int) string {
	return fmt.Sprintf(`{
		const entry = DataTransferItem.prototype.webkitGetAsEntry;
		const file = new File(["x"], "x");
		const some = Array.from({length: 2000}, () => ({isFile: true, name: "x".repeat(%d), file: (ok) => ok(file)}));
		DataTransferItem.prototype.webkitGetAsEntry = function () {
			const e = entry.call(this);
			let left = %d;
			e.createReader = () => ({readEntries: (ok) => setTimeout(() => ok(left-- > 0 ? some : []))});
			return e;
		};
	}`, length, times)
}

// TestDropIsHeld: other news do not have the page forget what the program has not
// begun to read.
func TestDropIsHeld(t *testing.T) {
	t.Parallel()
	a, b := newPerson(t), newPerson(t)
	a.put(filepath.Join(a.home, "letter"), []byte("letter"))
	w := a.openWith(a.start(), holdStart)
	w.drops("send-drop", filepath.Join(a.home, "letter"))
	w.see("send-selection")
	w.click("send-start")
	w.until("the start", "window.starts === 1")
	ask[bool](w, `fetched("/api/transfers", {method: "POST", credentials: "same-origin", body: JSON.stringify({kind: "send", text: "other news"}),
		headers: {"Content-Type": "application/json", "Qft-Token": localStorage.getItem("qft-token")}}).then((r) => r.ok)`)
	w.see("row")
	ask[bool](w, `new Promise((ok) => requestAnimationFrame(() => requestAnimationFrame(() => ok(true))))`)
	ask[bool](w, `goOn(), true`)
	b.receive(w.text("code"))
	w.phase("done")
}

// holdStart keeps transfers from being started until goOn; fetched does not.
const holdStart = `{
	window.starts = 0;
	window.fetched = window.fetch.bind(window);
	const held = new Promise((go) => window.goOn = go);
	window.fetch = async (path, init) => {
		if (path === "/api/transfers") {
			window.starts++;
			await held;
		}
		return fetched(path, init);
	};
}`
