package browser

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdpage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// page is a page of the browser, with cookies and storage of its own.
type page struct {
	t    *testing.T
	ctx  context.Context
	host string // http://127.0.0.1:PORT

	mu       sync.Mutex
	troubles []string
	refusals bool // what the program refuses, or does not answer, is part of the test
}

// open opens the page to which the program has given a key.
func (p *person) open(g *gui) *page {
	p.t.Helper()
	host, _, _ := strings.Cut(g.url, "/#")
	w := p.visit(host)
	w.do(chromedp.Navigate(g.url))
	w.see("send-start")
	return w
}

// openWith opens it with a script that runs before its own.
func (p *person) openWith(g *gui, script string) *page {
	p.t.Helper()
	host, _, _ := strings.Cut(g.url, "/#")
	w := p.visit(host)
	order(w, cdpage.AddScriptToEvaluateOnNewDocument, cdpage.AddScriptToEvaluateOnNewDocumentParams{Source: script})
	w.do(chromedp.Navigate(g.url))
	w.see("send-start")
	return w
}

// visit makes a page that shows nothing yet.
func (p *person) visit(host string) *page {
	p.t.Helper()
	browser, err := kit.browser()
	if err != nil {
		p.t.Fatal(err)
	}
	w := &page{t: p.t, host: host}
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext(), chromedp.WithListener(w.hear))
	w.ctx = ctx
	p.t.Cleanup(func() {
		cancel()
		w.wantQuiet()
	})
	if err := chromedp.Do(ctx); err != nil {
		p.t.Fatal(err)
	}
	order(w, log.Enable, cdp.Empty{})
	order(w, network.Enable, network.EnableParams{})
	return w
}

// hear collects what no page of ours may do.
func (w *page) hear(event any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	trouble := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		trouble = fmt.Sprintf("exception: %s %+v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			trouble = fmt.Sprintf("console: %s %v", e.Type, e.Args)
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError && (e.Entry.Source != log.EntrySourceNetwork || !w.refusals) {
			trouble = fmt.Sprintf("log: %s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		if url := e.Request.URL; !strings.HasPrefix(url, w.host+"/") && !strings.HasPrefix(url, "data:") && !strings.HasPrefix(url, "blob:"+w.host) {
			trouble = "asked another host: " + url
		}
	}
	if trouble != "" {
		w.troubles = append(w.troubles, trouble)
	}
}

// mayRefuse says that what the program refuses, or does not answer, is part of
// the test from now on.
func (w *page) mayRefuse() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refusals = true
}

func (w *page) wantQuiet() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range slices.Compact(w.troubles) {
		w.t.Error(s)
	}
}

// step is something that is done on a page.
type step = chromedp.Action[chromedp.Void]

// do does something, and fails the test if it cannot be done.
func (w *page) do(steps ...step) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		w.t.Fatalf("%v; the page says: %s", err, w.all())
	}
}

// all is the text of the page, for who looks for an error.
func (w *page) all() string {
	ctx, cancel := context.WithTimeout(w.ctx, 5*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
	if err != nil {
		return err.Error()
	}
	return strings.Join(strings.Fields(text), " ")
}

// by is the selector of what tests touch: a name, and maybe more of a selector.
func by(name string) string {
	end := strings.IndexAny(name+" ", "[ ")
	return fmt.Sprintf("[data-test=%q]%s", name[:end], name[end:])
}

// ask evaluates an expression.
func ask[T any](w *page, expression string) T {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	got, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		w.t.Fatalf("%s: %v; the page says: %s", expression, err, w.all())
	}
	return got
}

// order has the browser do something.
func order[P, R any](w *page, command cdp.Command[P, R], params P) R {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	got, err := chromedp.Call(ctx, command, params)
	if err != nil {
		w.t.Fatalf("%s: %v", command.Method, err)
	}
	return got
}

// until waits until an expression is true.
func (w *page) until(what, expression string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	_, err := chromedp.Run(ctx, chromedp.Poll[bool]("!!("+expression+")", chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(patience)))
	if err != nil {
		w.t.Fatalf("waiting for %s: %v; the page says: %s", what, err, w.all())
	}
}

// find is an expression for an element.
func find(name string) string { return fmt.Sprintf("document.querySelector(%q)", by(name)) }

// see waits until something is there and visible.
func (w *page) see(name string) {
	w.t.Helper()
	w.until(name, find(name)+"?.checkVisibility()")
}

// inView checks that a person sees something without scrolling.
func (w *page) inView(name string) {
	w.t.Helper()
	if !ask[bool](w, fmt.Sprintf("(() => { const r = %s.getBoundingClientRect(); return r.top >= 0 && r.bottom <= innerHeight; })()", find(name))) {
		w.t.Errorf("%s is out of sight", name)
	}
}

// gone waits until it is not there any more.
func (w *page) gone(name string) {
	w.t.Helper()
	w.until(name+" to go", "!"+find(name))
}

// says waits until the text of something has a part.
func (w *page) says(name, part string) {
	w.t.Helper()
	w.until(fmt.Sprintf("%s to say %q", name, part), fmt.Sprintf("[...document.querySelectorAll(%q)].some((e) => e.innerText.includes(%q))", by(name), part))
}

func (w *page) text(name string) string {
	w.t.Helper()
	w.see(name)
	return strings.TrimSpace(ask[string](w, find(name)+".innerText"))
}

func (w *page) phase(is string) {
	w.t.Helper()
	w.see(fmt.Sprintf("transfer[data-phase=%q]", is))
}

// click clicks on something, once it is ready and at its place. A click that hits
// something else, since the page has moved meanwhile, is withheld from it, and
// done again.
func (w *page) click(name string) {
	w.t.Helper()
	for range 20 {
		w.until(name+" to be ready", find(name)+"?.checkVisibility() && !"+find(name)+".disabled")
		ask[bool](w, fmt.Sprintf(onlyHits, by(name)))
		w.do(chromedp.Click(chromedp.CSS(by(name))))
		if ask[bool](w, "window.hit.end()") {
			return
		}
	}
	w.t.Fatalf("%s cannot be hit; the page says: %s", name, w.all())
}

// onlyHits lets a click through to something, and to nothing else, until
// hit.end, which says whether there was one.
const onlyHits = `(() => {
	let hit = false;
	const kinds = ["pointerdown", "mousedown", "pointerup", "mouseup", "click"];
	const judge = (e) => {
		if (e.target.closest?.(%q)) {
			hit ||= e.type === "click";
		} else {
			e.preventDefault();
			e.stopImmediatePropagation();
		}
	};
	for (const k of kinds) addEventListener(k, judge, true);
	window.hit = {end: () => {
		for (const k of kinds) removeEventListener(k, judge, true);
		return hit;
	}};
	return true;
})()`

// write replaces what is in a field.
func (w *page) write(name, text string) {
	w.t.Helper()
	w.see(name)
	w.do(chromedp.Focus(chromedp.CSS(by(name))), chromedp.Evaluate[chromedp.Void](find(name)+".select()"))
	w.until(name+" to have the focus", "document.activeElement === "+find(name))
	if text == "" {
		w.do(chromedp.KeyEvent("\b"))
		return
	}
	w.insert(text)
}

// insert writes where the focus is.
func (w *page) insert(text string) {
	w.t.Helper()
	order(w, input.InsertText, input.InsertTextParams{Text: text})
}

// press presses a key as a keyboard does. (chromedp.KeyEvent sends the character
// even where the page has prevented it.)
func (w *page) press(key string) {
	w.t.Helper()
	code := map[string]int64{"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "ArrowUp": 38, "ArrowDown": 40}[key]
	down := input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: key, Code: key, WindowsVirtualKeyCode: code}
	up := down
	up.Type = input.DispatchKeyEventTypeKeyUp
	if key == "Enter" {
		down.Text = "\r"
	}
	if key == " " {
		down.Text = " "
		down.Code, up.Code = "Space", "Space"
	}
	order(w, input.DispatchKeyEvent, down)
	order(w, input.DispatchKeyEvent, up)
}

// paste pastes where the focus is.
func (w *page) paste() {
	w.t.Helper()
	key := input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeRawKeyDown, Key: "v", Code: "KeyV", Modifiers: 2, Commands: []string{"paste"}}
	order(w, input.DispatchKeyEvent, key)
	key.Type, key.Commands = input.DispatchKeyEventTypeKeyUp, nil
	order(w, input.DispatchKeyEvent, key)
}

// hears keeps in heard what something says from now on, however briefly.
func (w *page) hears(name string) {
	w.t.Helper()
	w.see(name)
	w.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`(() => { const e = %s; window.heard = [];
		new MutationObserver(() => window.heard.push(e.innerText)).observe(e, {subtree: true, childList: true, characterData: true}); })()`, find(name))))
}

// slide sets a slider as a person leaves it.
func (w *page) slide(name string, to int) {
	w.t.Helper()
	w.see(name)
	w.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`(() => { const e = %s; e.value = %d;
		e.dispatchEvent(new Event("input", {bubbles: true})); e.dispatchEvent(new Event("change", {bubbles: true})); })()`, find(name), to)))
}

// show shows another view.
func (w *page) show(nav string) {
	w.t.Helper()
	w.click("nav-" + nav)
	w.until("the view", find("nav-"+nav)+`.getAttribute("aria-current") === "page"`)
}

// choose chooses things of the person's home in the program's dialog.
func (w *page) choose(names ...string) {
	w.t.Helper()
	w.click("send-choose")
	for _, n := range names {
		w.click(fmt.Sprintf("dialog-entry[data-name=%q]", n))
	}
	w.click("dialog-ok")
	w.gone("dialog")
	w.see("send-selection")
}

// drops lets go of files and folders of this machine over something, as from a
// file manager.
func (w *page) drops(on string, paths ...string) {
	w.t.Helper()
	w.see(on)
	at := ask[[]float64](w, fmt.Sprintf(`(() => { const r = %s.getBoundingClientRect(); return [r.x + r.width / 2, r.y + 10]; })()`, find(on)))
	data := &input.DragData{Items: []*input.DragDataItem{}, Files: paths, DragOperationsMask: 1}
	for _, kind := range []input.DispatchDragEventType{input.DispatchDragEventTypeDragEnter, input.DispatchDragEventTypeDragOver, input.DispatchDragEventTypeDrop} {
		order(w, input.DispatchDragEvent, input.DispatchDragEventParams{Type: kind, X: at[0], Y: at[1], Data: data})
	}
}

// sends starts a transfer of what was chosen, and returns its code.
func (w *page) sends() string {
	w.t.Helper()
	w.click("send-start")
	return w.text("code")
}

// receives starts to receive.
func (w *page) receives(code string) {
	w.t.Helper()
	w.write("receive-code", code)
	w.click("receive-start")
}

// wide and narrow are a desk's and a phone's width.
const wide, narrow = 1280, 360

// look sets how the page is looked at, and waits until it is shown so.
func (w *page) look(width int, dark bool) {
	w.t.Helper()
	height, scheme := int64(900), "light"
	if width == narrow {
		height = 780
	}
	if dark {
		scheme = "dark"
	}
	order(w, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: int64(width), Height: height, DeviceScaleFactor: 1, Mobile: width == narrow})
	order(w, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
	ask[bool](w, shown)
}

// shown is true once a frame has been made of what is there now: what measures
// itself, as the plot does, has done so before the next one.
const shown = `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`

// picture writes what is seen to a file.
func (w *page) picture(path string) {
	w.t.Helper()
	shot := order(w, cdpage.CaptureScreenshot, cdpage.CaptureScreenshotParams{Format: "png"})
	if err := os.WriteFile(path, shot.Data, 0o644); err != nil {
		w.t.Fatal(err)
	}
}
