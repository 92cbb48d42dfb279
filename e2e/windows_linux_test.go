package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"qft/internal/gui"
)

// TestWindowsForPeople: the Windows program's window, its console, and its
// start by a double click.
func TestWindowsForPeople(t *testing.T) {
	t.Parallel()
	needTools(t, "tmux")
	m := newMixed(t, "windows-amd64", windows)
	m.startHelper()
	d := m.desk()
	d.units()
	p, b := d.window()
	d.places(b)
	d.attack(b)
	d.settings(b)
	d.exchange(b)
	d.drop(b)
	d.secondStart(p, b)
	p, b = d.comesBack(p, b)
	d.remembers(b)
	b.holds("page-of-the-person-2", nil)() // it comes and goes

	d.receivesInConsole()
	d.sendsInConsole()
	p.wantEnd(bigTime, 0) // no page is left
	d.endsInConsole()
	d.doubleClick()
}

// desk is a person's home on a machine with Windows.
type desk struct {
	*mixed
	home string // as this system calls it
	path string // and as Windows does
}

func (m *mixed) desk() *desk {
	m.t.Helper()
	users := filepath.Join(m.w.dir, "bottle", "drive_c", "users")
	all, err := os.ReadDir(users)
	if err != nil {
		m.t.Fatal(err)
	}
	all = slices.DeleteFunc(all, func(e os.DirEntry) bool { return e.Name() == "Public" })
	if len(all) != 1 {
		m.t.Fatalf("there are the users %v", all)
	}
	d := &desk{m, filepath.Join(users, all[0].Name()), `C:\users\` + all[0].Name()}
	// Wine has links here to folders of this system's home.
	for _, name := range []string{"Downloads", "Documents"} {
		os.Remove(filepath.Join(d.home, name))
		if err := os.Mkdir(filepath.Join(d.home, name), 0o755); err != nil {
			m.t.Fatal(err)
		}
	}
	return d
}

// at is how Windows calls something below the home.
func (d *desk) at(names ...string) string {
	return strings.Join(append([]string{d.path}, names...), `\`)
}

// tool runs a program of Wine's.
func (d *desk) tool(args ...string) *proc {
	d.t.Helper()
	p := d.host.start(args[0], append([]string{"wine"}, args...), d.env)
	p.large = true
	p.wantEnd(bigTime, 0)
	return p
}

// gui starts the window's program, with nothing set but what keeps it on this
// machine.
func (d *desk) gui(args ...string) *proc {
	d.t.Helper()
	args = append(append(slices.Clone(d.start), "gui"), args...)
	p := d.host.start("the window", args, append(slices.Clone(d.env), "QFT_LAN=no", "QFT_PORTMAP=no"))
	p.large = true
	return p
}

// units runs the tests of some packages on Windows: of the window those of who
// attacks it, which paths and names of Windows take part in.
func (d *desk) units() {
	d.t.Helper()
	root := strings.TrimSpace(d.host.must("go", "list", "-m", "-f", "{{.Dir}}"))
	for pkg, flags := range map[string][]string{
		"internal/gui": {"-test.run", "Attack"}, "internal/settings": nil, "internal/statefile": nil,
	} {
		bin := filepath.Join(d.w.dir, filepath.Base(pkg)+".test.exe")
		build := exec.Command("go", "test", "-c", "-overlay", overlay(d.t), "-o", bin, "qft/"+pkg)
		build.Env = append(os.Environ(), append(slices.Clone(windows.build), "CGO_ENABLED=0")...)
		if out, err := build.CombinedOutput(); err != nil {
			d.t.Fatalf("building the tests of %s: %v\n%s", pkg, err, out)
		}
		args := append([]string{"wine", bin, "-test.short"}, flags...)
		p := d.host.start("the tests of "+pkg, append([]string{"env", "-C", filepath.Join(root, pkg)}, args...), d.env)
		p.large = true
		p.wantEnd(bigTime, 0)
	}
}

// window starts the window's program, and opens its page.
func (d *desk) window() (*proc, *tab) {
	d.t.Helper()
	p := d.gui("--no-browser")
	p.wantSay(slowStart, "Ctrl-C")
	return p, d.tab(p.err.text())
}

// places: the home and the drives are there, with their names, and the drive of
// Windows itself is not. Folders say what Windows says of them.
func (d *desk) places(b *tab) {
	d.t.Helper()
	var s gui.State
	for _, p := range []gui.Place{{Name: filepath.Base(d.home), Path: d.path}, {Name: "Z:", Path: `Z:\`}} {
		s = b.shows(fmt.Sprintf("%+v among the places", p), func(s gui.State) bool { return slices.Contains(s.Places, p) })
	}
	if slices.ContainsFunc(s.Places, func(p gui.Place) bool { return strings.EqualFold(p.Path, `C:\`) }) {
		d.t.Errorf("all of Windows is among the places %+v", s.Places)
	}
	b.shows("what is received goes to the downloads", func(s gui.State) bool { return s.Folder == d.at("Downloads") })
	// Windows marks folders with an icon of their own as read-only.
	for _, name := range []string{"Downloads", "Documents"} {
		if err := os.Chmod(filepath.Join(d.home, name), 0o555); err != nil {
			d.t.Fatal(err)
		}
	}
	d.tool("attrib", "+h", d.at("Searches"))
	for _, way := range []string{d.path, strings.ToUpper(d.path), strings.ReplaceAll(d.path, `\`, "/"), d.path + `\.\Documents\..\`} {
		l := b.list(way)
		if l.Path != d.path || l.Parent != "" || !l.Write {
			d.t.Errorf("%s is listed as %+v", way, l)
		}
		names := make(map[string]bool)
		for _, e := range l.Entries {
			names[e.Name] = e.Folder
		}
		if !names["Documents"] || !names["Downloads"] || names["Searches"] {
			d.t.Errorf("in %s there is %+v", way, l.Entries)
		}
	}
	if l := b.list(d.at("Documents")); !l.Write || l.Parent != d.path {
		d.t.Errorf("nothing can be put into %+v", l)
	}
	var made struct{ Path string }
	b.must("POST", "/api/folder", map[string]string{"path": d.at("Documents", "new one")}, &made)
	if st, err := os.Stat(filepath.Join(d.home, "Documents", "new one")); err != nil || !st.IsDir() || made.Path != d.at("Documents", "new one") {
		d.t.Errorf("%q was made: %v", made.Path, err)
	}
}

// attack: paths that only Windows has lead nowhere, and names that it takes for
// something else make nothing.
func (d *desk) attack(b *tab) {
	d.t.Helper()
	docs := d.at("Documents")
	if err := os.WriteFile(filepath.Join(d.home, "Documents", "file.txt"), []byte("text"), 0o644); err != nil {
		d.t.Fatal(err)
	}
	// To the program this is what a junction is: a folder that is elsewhere.
	if err := os.Symlink("../../windows", filepath.Join(d.home, "junction")); err != nil {
		d.t.Fatal(err)
	}
	const never, elsewhere, nothing = http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound
	for way, why := range map[string]int{
		`C:\`: elsewhere, `C:\windows`: elsewhere, `c:/windows/system32`: elsewhere, docs + `\..\..\..\windows`: elsewhere, d.path + `\..`: elsewhere,
		d.path + `-not`: nothing, d.at("junction"): elsewhere, d.at("junction", "system32"): elsewhere,
		`C:`: never, `C:windows`: never, `C:..`: never, `\windows`: never, `/windows`: never, `..\..\windows`: never, `windows`: never, `Y:\`: nothing,
		`\\server\share`: never, `//server/share`: never, `\\127.0.0.1\c$\windows`: never, `\\localhost/c$/windows`: never,
		`\\?\C:\windows`: never, `\\?\UNC\127.0.0.1\c$`: never, `\\.\C:\windows`: never, `//?/C:/windows`: never, `\\.\pipe\x`: never, `\\.\COM1`: never,
		`\??\C:\windows`: never, `\??\UNC\127.0.0.1\c$`: never, `/??/C:/windows`: never, `\??\` + docs: never, `\\?\` + docs: never,
		`NUL`: never, docs + `\NUL`: never, docs + `\nul.txt`: never, docs + `\COM1`: never, `C:\COM1`: never, docs + `\aux\x`: never, docs + `\CONIN$`: never,
		docs + `\file.txt:stream`: never, docs + `\file.txt::$DATA`: never, docs + `:stream`: never, docs + `::$INDEX_ALLOCATION`: never,
		docs + `\nothing\..\..\..\..\windows`: elsewhere, docs + "\x00": never, docs + `\.. \..\..\windows`: nothing, docs + `\... \x`: nothing,
	} {
		b.refused("GET", "/api/folder?path="+url.QueryEscape(way), nil, why)
		b.refused("POST", "/api/transfers", gui.NewTransfer{Kind: "send", Paths: []string{docs, way}}, why)
		b.refused("POST", "/api/transfers", gui.NewTransfer{Kind: "receive", Code: "7-zebra-zebra-zebra", Folder: way}, why)
	}
	before := b.list(docs)
	for _, name := range []string{"a:b", "file.txt:stream", "NUL", "nul.txt", "COM1", "com¹", "LPT9.log", "CON", "dot.", "space ", "...", "a\nb", `..`, `<`, "a?", "*", "|"} {
		b.refused("POST", "/api/folder", map[string]string{"path": docs + `\` + name}, never, elsewhere, http.StatusConflict)
		if strings.ContainsAny(name, `:.`) && !strings.Contains(name, `..`) {
			b.refused("POST", "/api/transfers", gui.NewTransfer{Kind: "receive", Code: "7-zebra-zebra-zebra", Folder: docs, Name: name}, never)
		}
	}
	for _, name := range []string{`..\x`, `C:\x`, `\x`, `a\b`, `\\server\share`} {
		b.refused("POST", "/api/transfers", gui.NewTransfer{Kind: "receive", Code: "7-zebra-zebra-zebra", Folder: docs, Name: name}, never)
	}
	after := b.list(docs)
	if s := b.state(); len(s.Transfers) != 0 || len(after.Entries) != len(before.Entries) {
		d.t.Errorf("it made %+v, and transfers %+v", after.Entries, s.Transfers)
	}
}

// settings are written, and read again by another program.
func (d *desk) settings(b *tab) {
	d.t.Helper()
	for key, value := range map[string]string{"helper": "127.0.0.1:" + helperPort, "folder": d.at("Documents", "new one"), "max-size": "2GB"} {
		b.must("POST", "/api/settings", map[string]string{"key": key, "value": value}, nil)
	}
	d.set(b)
	for key, value := range map[string]string{"helper": "a b", "limit": "fast", "folder": "a\nhelper = x:1", "speed": "1"} {
		b.refused("POST", "/api/settings", map[string]string{"key": key, "value": value}, http.StatusBadRequest)
	}
	p := d.there("config", "folder")
	p.wantEnd(slowStart, 0)
	if got := strings.TrimSpace(p.out.text()); !strings.Contains(got, d.at("Documents", "new one")) {
		d.t.Errorf("the folder that is set is %q to another program", got)
	}
}

// set wants that which settings has set.
func (d *desk) set(b *tab) {
	d.t.Helper()
	s := b.shows("the helper and the folder that were set", func(s gui.State) bool {
		return s.Helper == "127.0.0.1:"+helperPort && s.Folder == d.at("Documents", "new one")
	})
	if i := slices.IndexFunc(s.Settings, func(x gui.Setting) bool { return x.Key == "max-size" }); s.Settings[i].Value != "2GB" {
		d.t.Errorf("%+v", s.Settings[i])
	}
}

// exchange has the window receive a tree, and send it back.
func (d *desk) exchange(b *tab) {
	d.t.Helper()
	dir, want, other := d.tree()
	s := d.qft(ours("send", dir)...)
	id := b.begin(gui.NewTransfer{Kind: "receive", Code: s.code()})
	b.accept(id)
	x := b.done(id)
	s.wantEnd(slowStart, 0)
	for from, to := range other {
		want[to] = want[from]
		delete(want, from)
		if !slices.ContainsFunc(x.Notes, func(n string) bool { return strings.Contains(n, to) }) {
			d.t.Errorf("nobody was told of %q but %q", to, x.Notes)
		}
	}
	there := filepath.Join(d.home, "Documents", "new one")
	d.w.wantForest(there, want)
	if at := []string{d.at("Documents", "new one", "forest")}; !slices.Equal(x.Outcome.Paths, at) {
		d.t.Errorf("it is in %q, want %q", x.Outcome.Paths, at)
	}

	if err := os.Chmod(filepath.Join(there, "forest", "notes", "3"), 0o555); err != nil { // to Windows that is no bar
		d.t.Fatal(err)
	}
	id = b.begin(gui.NewTransfer{Kind: "send", Paths: []string{d.at("Documents", "new one", "forest")}})
	back := d.w.folder()
	r := d.qft(ours("receive", b.code(id), "-y", "-o", back)...)
	r.wantEnd(bigTime, 0)
	b.done(id)
	d.w.wantForest(back, want)
}

// drop has the page send what was dropped on it, whatever it is called: it is
// of this machine by nothing but the page's word.
func (d *desk) drop(b *tab) {
	d.t.Helper()
	names := []string{"a:b", `..\up`, "NUL", "com1.txt", "dot.", "space ", `\\server\share`, `C:\x`, "folder/a.txt"}
	var files [][]byte
	var list []gui.DroppedFile
	for i, name := range names {
		files = append(files, []byte(fmt.Sprint(i, name)))
		list = append(list, gui.DroppedFile{Path: name, Size: int64(len(files[i])), Modified: time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC).UnixMilli()})
	}
	const page = "page-of-the-person-1"
	defer b.holds(page, files)()
	for _, path := range []string{"../up", "/x", "a/../../b", "", "C:/../../x", "./x", "a//b"} {
		b.refused("POST", "/api/transfers", gui.NewTransfer{Kind: "send", Drop: &gui.Drop{ID: "drop-number-000000", Page: page,
			Files: []gui.DroppedFile{{Path: path}}}}, http.StatusBadRequest)
	}
	id := b.begin(gui.NewTransfer{Kind: "send", Drop: &gui.Drop{ID: "drop-number-000001", Page: page, Files: list}})
	into := d.w.folder()
	r := d.qft(ours("receive", b.code(id), "-y", "-o", into)...)
	r.wantEnd(bigTime, 0)
	b.done(id)
	for i, name := range names {
		if got, err := os.ReadFile(filepath.Join(into, name)); err != nil || string(got) != string(files[i]) {
			d.t.Errorf("%q arrived as %q, %v", name, got, err)
		}
	}
}

// secondStart opens another page of the first.
func (d *desk) secondStart(p *proc, b *tab) {
	d.t.Helper()
	second := d.gui("--no-browser")
	second.wantEnd(slowStart, 0)
	c := d.tab(second.err.text())
	if c.host != b.host || !p.running() {
		d.t.Errorf("the second page is of %s, the first of %s", c.host, b.host)
	}
	if len(c.state().Transfers) != len(b.state().Transfers) {
		d.t.Error("the second page shows something else")
	}
}

// comesBack kills the window's program in the middle of what it receives, and
// another one continues from the history.
func (d *desk) comesBack(p *proc, b *tab) (*proc, *tab) {
	d.t.Helper()
	f := d.w.file("film.bin", 8<<20)
	s := d.qft(ours("send", f.path, "--limit", "500kB/s", "--no-compress")...)
	code := s.code()
	id := b.begin(gui.NewTransfer{Kind: "receive", Code: code, Folder: d.at("Downloads")})
	b.accept(id)
	untilVouched(d.t, filepath.Join(d.home, "Downloads"), 2)
	p.signal(syscall.SIGKILL)
	<-p.done

	p, b = d.window()
	d.set(b)
	all := b.shows("something was interrupted", func(s gui.State) bool { return len(s.Unfinished) > 0 }).Unfinished
	if len(all) != 1 || all[0].Name != "film.bin" || all[0].Where != d.at("Downloads") || all[0].Kind != "receive" {
		d.t.Fatalf("what was interrupted is %+v", all)
	}
	var x gui.Transfer
	b.must("POST", "/api/unfinished/"+all[0].ID+"/continue", map[string]string{"code": code}, &x)
	x = b.until(x.ID, "it has ended", func(x gui.Transfer) bool {
		if x.Ask != nil {
			b.must("POST", fmt.Sprintf("/api/transfers/%d/answer", x.ID), gui.Answer{Number: x.Ask.Number, Accept: true}, nil)
		}
		return x.Ended != 0
	})
	s.wantEnd(slowStart, 0)
	if x.Phase != gui.PhaseDone || x.Sessions[0].Resumed == 0 {
		d.t.Errorf("it began anew: %+v", x)
	}
	if sum, err := checksum(filepath.Join(d.home, "Downloads", "film.bin")); err != nil || sum != f.sum {
		d.t.Errorf("sha256 of what arrived is %x, %v, want %x", sum, err, f.sum)
	}
	b.shows("nothing is left to be continued", func(s gui.State) bool { return len(s.Unfinished) == 0 })
	return p, b
}

// remembers wants the history of both runs of the window's program, the latest
// first.
func (d *desk) remembers(b *tab) {
	d.t.Helper()
	var got []string
	for _, p := range b.state().History {
		got = append(got, fmt.Sprintf("%s %s %s %v", p.Kind, p.Name, p.Where, p.OK))
	}
	folder := d.at("Documents", "new one")
	want := []string{
		"receive film.bin " + d.at("Downloads") + " true", "send .. and 8 more  true",
		"send forest " + folder + " true", "receive forest " + folder + " true",
	}
	if len(got) != len(want) || got[0] != want[0] || !slices.Equal(got[2:], want[2:]) || !strings.HasPrefix(got[1], "send ") {
		d.t.Errorf("the history is %q, want %q", got, want)
	}
}
