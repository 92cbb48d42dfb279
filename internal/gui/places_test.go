package gui

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"qft/internal/settings"
)

// grounds are a place, and what is beside it, with ways that lead out.
type grounds struct {
	place, outside string
	links          bool // there are some: Windows lets few make them, and Wine 8 only says that it has
}

func newGrounds(t testing.TB) grounds {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	g := grounds{filepath.Join(dir, "place"), filepath.Join(dir, "place-not"), true}
	for _, d := range []string{filepath.Join(g.place, "in", "deep"), filepath.Join(g.place, ".hidden"), g.outside} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(g.outside, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{"out": g.outside, "out-file": filepath.Join(g.outside, "secret"), "up": "..", "far": "in/../../place-not",
		"nowhere": "nothing", "loop": "loop", "ok": "in"} {
		at := filepath.Join(g.place, from)
		if err := os.Symlink(to, at); err != nil && runtime.GOOS != "windows" {
			t.Fatal(err)
		}
		if _, err := os.Lstat(at); err != nil {
			g.links = false
		}
	}
	return g
}

// ways lead out of the place, or are no paths at all.
func (g grounds) ways() []string {
	ways := []string{
		"", ".", "..", "/", "in", "./in", "~", "~/in", "secret", g.outside, g.outside + "/secret", g.place + "-not", g.place + "-not/secret",
		g.place + "/..", g.place + "/../", g.place + "/in/../..", g.place + "/in/../../place-not/secret", g.place + "/./../place-not",
		g.place + "/out", g.place + "/out/secret", g.place + "/out-file", g.place + "/up", g.place + "/up/place-not/secret", g.place + "/far/secret",
		g.place + "/loop", g.place + "/nowhere", g.place + "/nothing/../../place-not", g.place + "\x00", g.place + "/in\x00/../..", "\x00",
		"//" + strings.TrimPrefix(g.outside, "/"), `\\evil.invalid\share`, "//evil.invalid/share", `\\?\C:\`, `\\.\PhysicalDrive0`, "C:in", "C:", "C:..",
		`\??\C:\`, `\??\UNC\evil.invalid\share`, "/??/UNC/evil.invalid/share", g.place + "\\..", g.place + "\\..\\place-not", g.place + "\\in:stream",
		g.place + "\\in::$INDEX_ALLOCATION", g.place + `\NUL`, g.place + `\in\com1.txt`, g.place + `\CONIN$`, g.place + `\in\... \..\..\..`,
		"file://" + g.place, g.place + "/%2e%2e/place-not", "/proc/self/root" + g.outside, "/proc/self/cwd/..", "/etc/passwd", "/dev/tty", strings.Repeat("/a", 5000),
	}
	return ways
}

func TestAttackPaths(t *testing.T) {
	g := newGrounds(t)
	program := start(t, "", t.TempDir(), g.place)
	b := program.open("page-of-the-person-1").has(g.place)
	if i := slices.IndexFunc(b.places(), func(p Place) bool { return p.Path == g.place }); i < 0 {
		t.Fatalf("the places are %v", b.places())
	}
	for _, way := range g.ways() {
		if reply := b.do("GET", "/api/folder?path="+escape(way), nil, nil); reply.StatusCode < 400 {
			t.Errorf("%.100q is listed", way)
		}
		b.refused("/api/transfers", NewTransfer{Kind: "send", Paths: []string{filepath.Join(g.place, "in"), way}})
		if way != "" { // that is the standard one
			b.refused("/api/transfers", NewTransfer{Kind: "receive", Code: "7-zebra-zebra-zebra", Folder: way})
		}
		if made := way + "/made"; way != g.place+"/nothing/../../place-not" {
			b.refused("/api/folder", map[string]string{"path": made})
		}
	}
	for _, name := range []string{"a/b", "../a", "..", ".", "", "a\x00b", "a\nb", "/", "in/../../x", `a\b`} {
		if runtime.GOOS != "windows" && name == `a\b` {
			continue
		}
		b.refused("/api/folder", map[string]string{"path": g.place + "/" + name + "/" + name})
	}
	all, err := os.ReadDir(g.outside)
	if err != nil || len(all) != 1 {
		t.Errorf("outside there are %v, %v", all, err)
	}
	if b.do("GET", "/api/state", nil, &b.state); len(b.state.Transfers) != 0 {
		t.Errorf("%+v", b.state.Transfers)
	}
}

// places are those that a page is told of.
func (b *tab) places() []Place {
	b.do("GET", "/api/state", nil, &b.state)
	return b.state.Places
}

// TestAttackNames: a name to receive under is none of a path.
func TestAttackNames(t *testing.T) {
	g := newGrounds(t)
	b := start(t, helper(t), t.TempDir(), g.place).open("page-of-the-person-1").has(g.place)
	for _, name := range []string{"../place-not/x", "a/b", "..", ".", "/etc/x", "a\x00", "a\nb"} {
		b.refused("/api/transfers", NewTransfer{Kind: "receive", Code: "7-zebra-zebra-zebra", Folder: g.place, Name: name})
		b.refused("/api/transfers", NewTransfer{Kind: "send", Paths: []string{filepath.Join(g.place, "in")}, Name: name})
	}
}

// TestAttackSettings: a folder that is set leads nowhere that no place is.
func TestAttackSettings(t *testing.T) {
	g := newGrounds(t)
	b := start(t, "", t.TempDir(), g.place).open("page-of-the-person-1").has(g.place)
	defer settings.Set(settings.Folder, "")
	b.must("/api/settings", map[string]string{"key": settings.Folder, "value": g.outside}, nil)
	b.until("the setting is taken up", func(s *State) bool {
		return slices.ContainsFunc(s.Settings, func(x Setting) bool { return x.Key == settings.Folder && x.Value == g.outside })
	})
	if b.state.Folder == g.outside || b.state.Folder == "" {
		t.Errorf("what is received goes to %q", b.state.Folder)
	}
	b.must("/api/settings", map[string]string{"key": settings.Folder, "value": g.place}, nil)
	b.until("it is a place", func(s *State) bool { return s.Folder == g.place })
	for key, value := range map[string]string{"helper": "a b", "limit": "fast", "speed": "1", "folder": "a\nhelper = evil.invalid:1", "port": "99999"} {
		b.refused("/api/settings", map[string]string{"key": key, "value": value})
	}
}

func TestListing(t *testing.T) {
	g := newGrounds(t)
	if !g.links {
		t.Skip("needs symlinks")
	}
	b := start(t, "", t.TempDir(), g.place).open("page-of-the-person-1").has(g.place)
	for i, name := range []string{"b", "A", "c\nd"} {
		write(t, filepath.Join(g.place, name), make([]byte, i))
	}
	var l Listing
	b.do("GET", "/api/folder?hidden=0&path="+escape(g.place), nil, &l)
	var names []string
	for _, e := range l.Entries {
		names = append(names, e.Name)
	}
	want := []string{"in", "ok", "out", "up", "A", "b", "c\nd", "out-file"}
	if runtime.GOOS != "windows" && !slices.Equal(slices.DeleteFunc(names, func(s string) bool { return s == "far" }), want) {
		t.Errorf("there are %q", names)
	}
	if l.Path != g.place || l.Parent != "" || !l.Write {
		t.Errorf("%+v", l)
	}
	b.do("GET", "/api/folder?hidden=1&path="+escape(g.place+"/ok/deep"), nil, &l)
	if l.Path != filepath.Join(g.place, "in", "deep") || l.Parent != filepath.Join(g.place, "in") || len(l.Entries) != 0 {
		t.Errorf("%+v", l)
	}
	var made struct{ Path string }
	b.must("/api/folder", map[string]string{"path": filepath.Join(g.place, "ok", "new one")}, &made)
	if made.Path != filepath.Join(g.place, "in", "new one") {
		t.Errorf("%q was made", made.Path)
	}
	b.refused("/api/folder", map[string]string{"path": made.Path})
}

// FuzzWithin: whatever path a page names, it is refused or leads into a place.
func FuzzWithin(f *testing.F) {
	g := newGrounds(f)
	p := places{[]Place{{Path: g.place}}, newDisks(func() {})}
	for _, way := range g.ways() {
		f.Add(way)
	}
	f.Add(g.place + "/in/deep")
	f.Fuzz(func(t *testing.T, path string) {
		for _, path := range []string{path, g.place + "/" + path} {
			real, err := p.within(path)
			if err != nil {
				continue
			}
			if real != g.place && !strings.HasPrefix(real, g.place+string(filepath.Separator)) || strings.Contains(real, "..") && !strings.Contains(path, "...") {
				t.Fatalf("%q leads to %q", path, real)
			}
			if at, err := filepath.EvalSymlinks(real); err != nil || at != real {
				t.Fatalf("%q leads to %q, and that to %q", path, real, at)
			}
		}
	})
}
