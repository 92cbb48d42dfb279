package plant_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"qft/internal/manifest"
	"qft/internal/plant"
)

// arena is a directory with secrets around the one in which things are
// received. At the end of the test none of them may have changed.
func arena(t *testing.T) (top, dir string) {
	t.Helper()
	top = t.TempDir()
	dir = filepath.Join(top, "in")
	mkdir(t, dir)
	for _, p := range []string{"secret", "outside/secret", "outside/.ssh/authorized_keys", "f", "photos/f"} {
		writeFile(t, filepath.Join(top, p), "mine")
	}
	outside := func() []string {
		var lines []string
		for _, line := range look(t, top) {
			if _, p, _ := strings.Cut(line, " "); p != "in" && !strings.HasPrefix(p, "in/") {
				info, err := os.Lstat(filepath.Join(top, strings.Fields(p)[0]))
				if err != nil {
					t.Fatal(err)
				}
				lines = append(lines, line+" "+info.ModTime().String())
			}
		}
		return lines
	}
	before := outside()
	t.Cleanup(func() {
		if after := outside(); !slices.Equal(before, after) {
			t.Errorf("outside there is\n\t%s\nand there was\n\t%s", strings.Join(after, "\n\t"), strings.Join(before, "\n\t"))
		}
	})
	return top, dir
}

// raw is an entry whose name is what a liar says, in the directory dir.
func raw(kind manifest.Kind, dir, name, target string) entry {
	e := entry{path: dir + "/?", content: "evil"}
	e.Kind, e.Name, e.Target, e.Mode, e.Sec = kind, name, target, 0o777, 1
	if kind == manifest.File {
		e.Size = 4
	}
	if dir == "" {
		e.path = "?"
	} else {
		e.Depth = 1 + strings.Count(dir, "/")
	}
	return e
}

// TestHostileNames: what is no name at all is refused, as an item and in a
// directory; what is one only looks strange.
func TestHostileNames(t *testing.T) {
	names := []string{
		"", ".", "..", "../f", "../../secret", "/", "/etc/passwd", "a/b", "a/../../b", "a/", "\x00", "f\x00.txt",
		strings.Repeat("n", manifest.MaxName+1), ".x.qft-part", ".X.QFT-PART", ".photos.qft-part", ".x.qft-journal",
	}
	for _, kind := range []manifest.Kind{manifest.Dir, manifest.File, manifest.Symlink, manifest.Link} {
		_, dir := arena(t)
		entries := []entry{fileEntry("ok", "ok"), dirEntry("photos")}
		want := []plant.What{plant.Fresh, plant.Made}
		for _, where := range []string{"photos", ""} {
			for _, name := range names {
				entries = append(entries, raw(kind, where, name, "ok"))
				want = append(want, plant.Refused)
			}
		}
		places, err := transfer(plant.Config{Dir: dir, Existing: plant.Overwrite}, entries)
		if err != nil {
			t.Fatal(err)
		}
		wantWhat(t, places, want...)
		wantTree(t, dir, `-rw-r--r-- ok "ok"`, "drwxr-xr-x photos")
	}
	for _, name := range names {
		if _, err := tryBegin(plant.Config{Dir: t.TempDir()}, []entry{raw(manifest.Dir, "", name, "")}); !errors.Is(err, plant.ErrName) {
			t.Errorf("%q as the only item: %v", name, err)
		}
	}
}

func TestDeceivingNamesAreShownAsWhatTheyAre(t *testing.T) {
	_, dir := arena(t)
	entries := []entry{dirEntry("d"), fileEntry("d/a\x1b[2Jb", "1"), fileEntry("d/gpj.\u202eexe", "2"), fileEntry("d/\ttab\n", "3"),
		fileEntry("d/%1B", "4"), fileEntry("d/C:\\x", "5"), fileEntry("d/-rf *", "6"), fileEntry("d/~", "7"), fileEntry("d/\u0085", "8")}
	slices.SortFunc(entries[1:], func(a, b entry) int { return strings.Compare(a.path, b.path) })
	places := mustTransfer(t, plant.Config{Dir: dir}, entries)
	wantTree(t, dir, "drwxr-xr-x d", `-rw-r--r-- d/a%1B[2Jb "1"`, `-rw-r--r-- d/gpj.%E2%80%AEexe "2"`, `-rw-r--r-- d/%09tab%0A "3"`,
		`-rw-r--r-- d/%1B "4"`, `-rw-r--r-- d/C:\x "5"`, `-rw-r--r-- d/-rf * "6"`, `-rw-r--r-- d/~ "7"`, `-rw-r--r-- d/%C2%85 "8"`)
	for i, p := range places {
		if strings.ContainsAny(p.Path, "\x1b\n\t") || strings.Contains(p.Path, "\u202e") {
			t.Errorf("%d: %q", i, p.Path)
		}
	}
}

func TestNamesThatMeetAreTold(t *testing.T) {
	_, dir := arena(t)
	entries := []entry{dirEntry("d"), fileEntry("d/%0A", "literal"), fileEntry("d/\n", "newline"), fileEntry("d/x", "x"), fileEntry("d/x", "again"),
		linkEntry("d/y", "d/\n"), dirEntry("e"), dirEntry("e"), fileEntry("e/f", "below the second")}
	places := mustTransfer(t, plant.Config{Dir: dir}, entries)
	wantWhat(t, places, plant.Made, plant.Fresh, plant.Fresh, plant.Fresh, plant.Refused, plant.Made, plant.Made, plant.Refused, plant.Refused)
	wantTree(t, dir, "drwxr-xr-x d", `-rw-r--r-- d/%0A "literal"`, `-rw-r--r-- d/%0A~2 "newline"`, `-rw-r--r-- d/x "x"`, `-rw-r--r-- d/y "newline"`, "drwxr-xr-x e")

	entries = []entry{dirEntry("g"), fileEntry("g/\n", "newline"), fileEntry("g/%0A", "literal"), fileEntry("g/%0A~2", "a third"), linkEntry("g/y", "g/%0A")}
	mustTransfer(t, plant.Config{Dir: dir}, entries)
	wantTree(t, filepath.Join(dir, "g"), `-rw-r--r-- %0A "newline"`, `-rw-r--r-- %0A~2 "literal"`, `-rw-r--r-- %0A~2~2 "a third"`, `-rw-r--r-- y "literal"`)
}

func TestNothingIsWrittenThroughSymlinks(t *testing.T) {
	for name, entries := range map[string][]entry{
		"a link and a directory of its name": {dirEntry("t"), symlinkEntry("t/x", "../../outside"), dirEntry("t/x"), fileEntry("t/x/secret", "evil")},
		"an item and a directory":            {symlinkEntry("t", "../outside"), dirEntry("t"), fileEntry("t/secret", "evil")},
		"a link and a file of its name":      {dirEntry("t"), symlinkEntry("t/x", "../../outside/secret"), fileEntry("t/x", "evil")},
		"a link below a link":                {dirEntry("t"), symlinkEntry("t/x", "../../outside"), fileEntry("t/x/secret", "evil")},
	} {
		t.Run(name, func(t *testing.T) {
			_, dir := arena(t)
			r := begin(t, plant.Config{Dir: dir, Existing: plant.Overwrite}, entries)
			defer r.close()
			for _, e := range entries {
				at, err := r.bed.Place(e.dir(), e.Entry)
				if err == nil && at.What == plant.Fresh {
					err = r.write(at, e)
				}
				if err == nil && e.content == "evil" && at.What != plant.Refused {
					t.Errorf("%s: %+v", e.path, at)
				}
			}
			if err := r.bed.Commit(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestSymlinksOfThisMachineAreNotFollowed: somebody with access to the
// directory has put links where the transfer will write.
func TestSymlinksOfThisMachineAreNotFollowed(t *testing.T) {
	for _, how := range []plant.Existing{plant.Fail, plant.Overwrite, plant.Rename, plant.Skip} {
		for _, target := range []string{"../photos", "../outside", "elsewhere", "../missing"} {
			_, dir := arena(t)
			mkdir(t, filepath.Join(dir, "elsewhere"))
			mkdir(t, filepath.Join(dir, "photos"))
			for _, p := range []string{"photos/2024", "t", "photos/z"} {
				if err := os.Symlink(target, filepath.Join(dir, p)); err != nil {
					t.Skip(err)
				}
			}
			entries := append(photos(), dirEntry("t"), fileEntry("t/f", "evil"), fileEntry("t/secret", "evil"))
			if _, err := transfer(plant.Config{Dir: dir, Existing: how}, entries); err != nil {
				t.Errorf("policy %d: %v", how, err)
			}
			if b, _ := os.ReadDir(filepath.Join(dir, "elsewhere")); len(b) > 0 {
				t.Errorf("policy %d wrote through a link", how)
			}
			if text, err := os.Readlink(filepath.Join(dir, "t")); err != nil || text != target {
				t.Errorf("policy %d: the link is %q, %v", how, text, err)
			}
		}
	}
}

// TestLinksThatAppearMeanwhileAreNotFollowed puts a link where a directory was
// when the transfer looked.
func TestLinksThatAppearMeanwhileAreNotFollowed(t *testing.T) {
	_, dir := arena(t)
	mkdir(t, filepath.Join(dir, "photos/2024"))
	r := begin(t, plant.Config{Dir: dir, Existing: plant.Overwrite}, photos())
	defer r.close()
	if err := r.receive(photos()); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "photos/2024")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../../outside", filepath.Join(dir, "photos/2024")); err != nil {
		t.Skip(err)
	}
	if err := r.bed.Commit(); err == nil {
		t.Error("nothing was wrong")
	}
}

func TestHostileLinks(t *testing.T) {
	for _, target := range []string{"../f", "/etc/passwd", "t/../../f", "", "t", "mine", "t/missing", "t/link", "t/later", ".", "t//a", "photos/f"} {
		_, dir := arena(t)
		writeFile(t, filepath.Join(dir, "mine"), "mine")
		writeFile(t, filepath.Join(dir, "t/old"), "private")
		evil := raw(manifest.Link, "t", "evil", target)
		entries := []entry{dirEntry("t"), fileEntry("t/a", "a"), symlinkEntry("t/link", "../mine"), evil, fileEntry("t/later", "l")}
		r := begin(t, plant.Config{Dir: dir}, entries)
		if err := r.receive(entries); err != nil {
			t.Fatal(err)
		}
		if err := r.bed.Commit(); err != nil {
			t.Fatal(err)
		}
		_, lost := r.bed.Lost()
		r.close()
		p := filepath.Join(dir, "t/evil")
		if target == "t/later" { // it is a file of this manifest, only not before
			continue
		}
		if info, err := os.Lstat(p); err == nil {
			t.Errorf("a link to %q was made: %v", target, info)
		}
		if r.places[3].What != plant.Refused && lost == 0 {
			t.Errorf("a link to %q is told nowhere", target)
		}
	}
	t.Run("to a file that is here and not sent", func(t *testing.T) {
		_, dir := arena(t)
		writeFile(t, filepath.Join(dir, "t/private"), "private")
		r := begin(t, plant.Config{Dir: dir}, []entry{dirEntry("t")})
		entries := []entry{dirEntry("t"), linkEntry("t/evil", "t/private")}
		if err := r.receive(entries); err != nil {
			t.Fatal(err)
		}
		if err := r.bed.Commit(); err != nil {
			t.Fatal(err)
		}
		r.close()
		if _, err := os.Lstat(filepath.Join(dir, "t/evil")); err == nil {
			t.Error("it was made")
		}
	})
}

func TestImpossibleEntriesAreRefused(t *testing.T) {
	_, dir := arena(t)
	file := raw(manifest.File, "t", "x", "")
	for what, change := range map[string]func(e *manifest.Entry){
		"a size of 2^63-1":   func(e *manifest.Entry) { e.Size = math.MaxInt64 },
		"a size of 2^46+1":   func(e *manifest.Entry) { e.Size = manifest.MaxSize + 1 },
		"a negative size":    func(e *manifest.Entry) { e.Size = -1 },
		"nanoseconds":        func(e *manifest.Entry) { e.Nsec = 1e9 },
		"a kind of 0":        func(e *manifest.Entry) { e.Kind = 0 },
		"a kind of 200":      func(e *manifest.Entry) { e.Kind = 200 },
		"a link to nothing":  func(e *manifest.Entry) { e.Kind = manifest.Symlink },
		"a link with a NUL":  func(e *manifest.Entry) { e.Kind, e.Target = manifest.Symlink, "a\x00b" },
		"a stream that is -": func(e *manifest.Entry) { e.Kind, e.Size = manifest.Stream, -1 },
	} {
		r := begin(t, plant.Config{Dir: dir}, []entry{dirEntry("t")})
		if err := r.receive([]entry{dirEntry("t"), file.with(change)}); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if at := r.places[1]; at.What != plant.Refused || at.Why == "" {
			t.Errorf("%s: %+v", what, at)
		}
		r.bed.Discard()
		r.close()
	}
	for what, e := range map[string]entry{
		"without its directory":   fileEntry("t/u/x", ""),
		"in another directory":    fileEntry("u/x", ""),
		"at a negative depth":     fileEntry("x", "").with(func(e *manifest.Entry) { e.Depth = -1 }),
		"far too deep":            fileEntry("x", "").with(func(e *manifest.Entry) { e.Depth = 1 << 30 }),
		"deeper than its path":    fileEntry("x", "").with(func(e *manifest.Entry) { e.Depth = 1 }),
		"in what is no directory": fileEntry("f/x", ""),
	} {
		r := begin(t, plant.Config{Dir: dir}, []entry{dirEntry("t")})
		if err := r.receive([]entry{dirEntry("t"), dirEntry("u"), fileEntry("f", "f"), dirEntry("t2")}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.bed.Place(e.dir(), e.Entry); err == nil {
			t.Errorf("%s: no error", what)
		}
		r.bed.Discard()
		r.close()
	}
}

// TestBedIsNeverMergedWith: the bed itself has a name, by which a
// sender could mean it.
func TestBedIsNeverMergedWith(t *testing.T) {
	_, dir := arena(t)
	entries := []entry{dirEntry("photos"), raw(manifest.Dir, "", ".photos+1~01020304.qft-part", "")}
	r := begin(t, plant.Config{Dir: dir, Existing: plant.Overwrite}, entries)
	defer r.close()
	if err := r.receive(entries); err != nil {
		t.Fatal(err)
	}
	wantWhat(t, r.places, plant.Made, plant.Refused)
}

// TestOthersThingsUnderOurNamesAreLeftAlone: what has a bed's name and is none
// is named, and stays as it is.
func TestOthersThingsUnderOurNamesAreLeftAlone(t *testing.T) {
	for what, put := range map[string]func(p string) error{
		"a file":               func(p string) error { return os.WriteFile(p, []byte("mine"), 0o644) },
		"an old partial file":  func(p string) error { return os.WriteFile(p, make([]byte, 100), 0o600) },
		"a link":               func(p string) error { return os.Symlink("../outside", p) },
		"a directory of files": func(p string) error { os.Mkdir(p, 0o755); return os.WriteFile(p+"/mine", nil, 0o644) },
		"a strange journal": func(p string) error {
			os.Mkdir(p, 0o755)
			return os.WriteFile(p+"/journal", []byte("dear diary"), 0o644)
		},
		"a link as a journal":   func(p string) error { os.Mkdir(p, 0o755); return os.Symlink("../../secret", p+"/journal") },
		"a directory for a log": func(p string) error { os.Mkdir(p, 0o755); return os.Mkdir(p+"/journal", 0o755) },
		"only data":             func(p string) error { os.Mkdir(p, 0o755); return os.Mkdir(p+"/data", 0o755) },
	} {
		_, dir := arena(t)
		if err := put(filepath.Join(dir, ".photos.qft-part")); err != nil {
			t.Fatal(err)
		}
		before := look(t, dir)
		_, err := tryBegin(plant.Config{Dir: dir}, photos())
		var e *plant.Error
		if err == nil || !errors.As(err, &e) || !strings.Contains(err.Error(), ".photos.qft-part") {
			t.Errorf("%s: %v", what, err)
		}
		if after := look(t, dir); !slices.Equal(before, after) {
			t.Errorf("%s: there is %v", what, after)
		}
		list, err := plant.List(dir)
		if err != nil || len(list) != 0 {
			t.Errorf("%s is listed: %v, %v", what, list, err)
		}
		if err := plant.Discard(dir, plant.Partial{Name: ".photos.qft-part"}); err == nil {
			t.Errorf("%s was discarded", what)
		}
	}
}

func TestDiscardTakesOnlyBeds(t *testing.T) {
	top, dir := arena(t)
	for _, name := range []string{"", ".", "..", "../photos", "photos", "in"} {
		if err := plant.Discard(top, plant.Partial{Name: name}); err == nil {
			t.Errorf("%q was discarded", name)
		}
	}
	_ = dir
}

// TestLinksPlantedInTheBed: were the bed's mode loosened by hand, links in it
// are not followed either.
func TestLinksPlantedInTheBed(t *testing.T) {
	for _, p := range []string{"data", "data/photos", "data/photos/2024", "data/photos/2024/a.jpg", "later", "scratch", "record", "probes"} {
		_, dir := arena(t)
		r := begin(t, plant.Config{Dir: dir}, photos())
		if err := r.receive(photos()); err != nil {
			t.Fatal(err)
		}
		r.close()
		at := filepath.Join(dir, ".photos.qft-part", p)
		os.RemoveAll(at)
		for _, target := range []string{filepath.Join(dir, "../outside"), filepath.Join(dir, "../secret")} {
			os.Remove(at)
			if err := os.Symlink(target, at); err != nil {
				t.Skip(err)
			}
			r, err := tryBegin(plant.Config{Dir: dir}, photos())
			if err != nil {
				continue
			}
			if f, err := r.bed.Scratch(); err == nil {
				f.WriteAt([]byte("evil"), 0)
				f.Close()
			}
			if r.receive(photos()) == nil {
				r.bed.Commit()
			}
			r.close()
		}
	}
}
