package plant_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"qft/internal/manifest"
	"qft/internal/plant"
)

// older puts files under the final names of photos, of other content.
func older(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	writeFile(t, filepath.Join(dir, "photos/2024/a.jpg"), "old")
	writeFile(t, filepath.Join(dir, "photos/2024/mine"), "mine")
	writeFile(t, filepath.Join(dir, "photos/way"), "no link")
	return dir
}

var olderTree = []string{
	"drwxr-xr-x photos",
	"drwxr-xr-x photos/2024",
	`-rw-r--r-- photos/2024/a.jpg "old"`,
	`-rw-r--r-- photos/2024/mine "mine"`,
	`-rw-r--r-- photos/way "no link"`,
}

func TestOverwriteReplacesFilesOnly(t *testing.T) {
	dir := older(t)
	mkdir(t, filepath.Join(dir, "photos/z/below"))
	writeFile(t, filepath.Join(dir, "photos/empty"), "a file")
	places := mustTransfer(t, plant.Config{Dir: dir, Existing: plant.Overwrite}, photos())
	wantWhat(t, places, plant.Made, plant.Made, plant.Fresh, plant.Fresh, plant.Refused, plant.Made, plant.Made, plant.Made, plant.Refused)
	wantTree(t, dir,
		"drwxr-xr-x photos",
		"drwxr-xr-x photos/2024",
		`-r-------- photos/2024/a.jpg "aaa"`,
		`-rw-r--r-- photos/2024/big 12288*'b'`,
		`-rw-r--r-- photos/2024/mine "mine"`,
		`-rw-r--r-- photos/empty "a file"`,
		`-rw-r--r-- photos/none ""`,
		`-r-------- photos/same "aaa"`,
		"Lrwxrwxrwx photos/way -> 2024/a.jpg",
		"drwxr-xr-x photos/z",
		"drwxr-xr-x photos/z/below",
	)
}

func TestSkipKeepsWhatIsThere(t *testing.T) {
	dir := older(t)
	places := mustTransfer(t, plant.Config{Dir: dir, Existing: plant.Skip}, photos())
	wantWhat(t, places, plant.Made, plant.Made, plant.Skipped, plant.Fresh, plant.Made, plant.Made, plant.Made, plant.Skipped, plant.Fresh)
	wantTree(t, dir,
		"drwxr-xr-x photos",
		"drwxr-xr-x photos/2024",
		`-rw-r--r-- photos/2024/a.jpg "old"`,
		`-rw-r--r-- photos/2024/big 12288*'b'`,
		`-rw-r--r-- photos/2024/mine "mine"`,
		"dr-xr-xr-x photos/empty",
		`-rw-r--r-- photos/none ""`,
		`-rw-r--r-- photos/way "no link"`,
		`-rw-r--r-- photos/z "zz"`,
	)
}

func TestRenameLeavesTheItemThatIsThere(t *testing.T) {
	dir := older(t)
	writeFile(t, filepath.Join(dir, "notes.tar.gz"), "old")
	writeFile(t, filepath.Join(dir, "notes.tar (2).gz"), "old, too")
	entries := append([]entry{fileEntry("notes.tar.gz", "new")}, photos()...)
	places := mustTransfer(t, plant.Config{Dir: dir, Existing: plant.Rename}, entries)
	if !places[0].Renamed || places[0].Path != "notes.tar (3).gz" || !places[1].Renamed || places[2].Renamed {
		t.Errorf("places: %+v", places)
	}
	want := []string{`-rw-r--r-- notes.tar (2).gz "old, too"`, `-rw-r--r-- notes.tar (3).gz "new"`, `-rw-r--r-- notes.tar.gz "old"`}
	for _, line := range photosTree {
		want = append(want, strings.Replace(line, "photos", "photos (2)", 1))
	}
	wantTree(t, dir, append(want, olderTree...)...)

	t.Run("a file that came before does not pile up", func(t *testing.T) {
		places := mustTransfer(t, plant.Config{Dir: dir, Existing: plant.Rename}, entries[:1])
		if places[0].What != plant.Same || places[0].Path != "notes.tar (3).gz" {
			t.Errorf("places: %+v", places)
		}
	})
}

func TestFailAndAskSayWhatIsInTheWay(t *testing.T) {
	for _, how := range []plant.Existing{plant.Fail, plant.Ask} {
		dir := older(t)
		mkdir(t, filepath.Join(dir, "photos/z"))
		r := begin(t, plant.Config{Dir: dir, Existing: how}, photos())
		if err := r.receive(photos()); err != nil {
			t.Fatal(err)
		}
		wantWhat(t, r.places, plant.Made, plant.Made, plant.Exists, plant.Fresh, plant.Made, plant.Made, plant.Made, plant.Exists, plant.Exists)
		for i, why := range map[int]string{2: "another file has this name", 7: "a file has this name", 8: "a directory has this name"} {
			if r.places[i].Why != why {
				t.Errorf("%s: %q", r.places[i].Path, r.places[i].Why)
			}
		}
		r.close()
	}
}

func TestConflictsAreResolved(t *testing.T) {
	dir := older(t)
	mkdir(t, filepath.Join(dir, "photos/z"))
	writeFile(t, filepath.Join(dir, "photos/empty"), "a file")
	entries := photos()
	r := begin(t, plant.Config{Dir: dir, Existing: plant.Ask}, entries)
	defer r.close()
	answers := map[string]plant.Existing{"photos/2024/a.jpg": plant.Overwrite, "photos/empty": plant.Rename, "photos/way": plant.Skip, "photos/z": plant.Rename}
	for _, e := range entries {
		at, err := r.bed.Place(e.dir(), e.Entry)
		if err != nil {
			t.Fatal(err)
		}
		if how, conflict := answers[e.path]; conflict != (at.What == plant.Exists) {
			t.Errorf("%s: %+v", e.path, at)
		} else if conflict {
			if at, err = r.bed.Resolve(how, false); err != nil {
				t.Fatal(err)
			}
			if _, err := r.bed.Resolve(how, false); err == nil {
				t.Error("a conflict was resolved twice")
			}
		}
		if err := r.write(at, e); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.bed.Commit(); err != nil {
		t.Fatal(err)
	}
	wantTree(t, dir,
		"drwxr-xr-x photos",
		"drwxr-xr-x photos/2024",
		`-r-------- photos/2024/a.jpg "aaa"`,
		`-rw-r--r-- photos/2024/big 12288*'b'`,
		`-rw-r--r-- photos/2024/mine "mine"`,
		`-rw-r--r-- photos/empty "a file"`,
		"dr-xr-xr-x photos/empty (2)",
		`-rw-r--r-- photos/none ""`,
		`-r-------- photos/same "aaa"`,
		`-rw-r--r-- photos/way "no link"`,
		"drwxr-xr-x photos/z",
		`-rw-r--r-- photos/z (2) "zz"`,
	)
}

func TestOneAnswerForAll(t *testing.T) {
	dir := older(t)
	writeFile(t, filepath.Join(dir, "photos/z"), "old")
	r := begin(t, plant.Config{Dir: dir, Existing: plant.Ask}, photos())
	defer r.close()
	for i, e := range photos() {
		at, err := r.bed.Place(e.dir(), e.Entry)
		if err == nil && i == 2 {
			at, err = r.bed.Resolve(plant.Overwrite, true)
		}
		if err == nil {
			err = r.write(at, e)
		}
		if err != nil || at.What == plant.Exists {
			t.Fatal(at, err)
		}
	}
	if err := r.bed.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := look(t, dir); len(got) != len(photosTree)+1 {
		t.Error(got)
	}
}

// TestWhatAppearsMeanwhileIsNotReplaced: a policy speaks of what was there when
// the entry was placed.
func TestWhatAppearsMeanwhileIsNotReplaced(t *testing.T) {
	for _, how := range []plant.Existing{plant.Fail, plant.Overwrite} {
		dir := older(t)
		os.Remove(filepath.Join(dir, "photos/way"))
		r := begin(t, plant.Config{Dir: dir, Existing: how}, photos())
		if how == plant.Fail {
			os.Remove(filepath.Join(dir, "photos/2024/a.jpg"))
		}
		if err := r.receive(photos()); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, "photos/z"), "appeared")
		writeFile(t, filepath.Join(dir, "photos/2024/a.jpg"), "changed")
		writeFile(t, filepath.Join(dir, "photos/empty/file"), "appeared in a directory that appeared")
		err := r.bed.Commit()
		var e *plant.Error
		if !errors.Is(err, fs.ErrExist) || !errors.As(err, &e) || !strings.Contains(e.Path, "1 more") {
			t.Fatalf("%v", err)
		}
		r.close()
		wantTree(t, dir,
			"drwx------ .photos.qft-part",
			"drwx------ .photos.qft-part/data",
			"drwx------ .photos.qft-part/data/photos",
			"drwx------ .photos.qft-part/data/photos/2024",
			`-r-------- .photos.qft-part/data/photos/2024/a.jpg "aaa"`,
			"drwx------ .photos.qft-part/data/photos/empty",
			`-rw-r--r-- .photos.qft-part/data/photos/z "zz"`,
			look(t, dir)[7], // the journal
			look(t, dir)[8], // what was noted
			"drwxr-xr-x photos",
			"drwxr-xr-x photos/2024",
			`-rw-r--r-- photos/2024/a.jpg "changed"`,
			`-rw-r--r-- photos/2024/big 12288*'b'`,
			`-rw-r--r-- photos/2024/mine "mine"`,
			"drwxr-xr-x photos/empty",
			`-rw-r--r-- photos/empty/file "appeared in a direct"...37`,
			`-rw-r--r-- photos/none ""`,
			`-r-------- photos/same "aaa"`,
			"Lrwxrwxrwx photos/way -> 2024/a.jpg",
			`-rw-r--r-- photos/z "appeared"`,
		)

		// Once the person has decided, nothing is sent again.
		r = begin(t, plant.Config{Dir: dir, Existing: plant.Overwrite}, photos())
		if err := r.receive(photos()); err != nil {
			t.Fatal(err)
		}
		wantWhat(t, r.places, plant.Made, plant.Made, plant.Kept, plant.Same, plant.Made, plant.Same, plant.Made, plant.Same, plant.Kept)
		if err := r.bed.Commit(); err != nil {
			t.Fatal(err)
		}
		r.close()
	}
}

func TestDirectoryThatExistsKeepsItsMode(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "photos"), 0o700); err != nil {
		t.Fatal(err)
	}
	entries := photos()
	entries[0].Mode = 0o777
	mustTransfer(t, plant.Config{Dir: dir}, entries)
	info, _ := os.Lstat(filepath.Join(dir, "photos"))
	if info.Mode().Perm() != 0o700 {
		t.Errorf("a private directory was opened: %v", info.Mode())
	}
}

func TestChecksumDecides(t *testing.T) {
	e := fileEntry("f", "content")
	for _, c := range []struct {
		name, there string
		how         plant.Existing
		want        plant.What
	}{
		{"of the same size", "CONTENT", plant.Overwrite, plant.Claim},
		{"of the same size", "CONTENT", plant.Fail, plant.Claim},
		{"of the same size, but it stays anyway", "CONTENT", plant.Skip, plant.Skipped},
		{"of another size", "CONTENTS", plant.Overwrite, plant.Fresh},
		{"of another size", "CONTENTS", plant.Fail, plant.Exists},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			writeFile(t, filepath.Join(dir, "f"), c.there)
			r := begin(t, plant.Config{Dir: dir, Existing: c.how, Checksum: true}, []entry{e})
			defer r.close()
			if err := r.receive([]entry{e}); err != nil {
				t.Fatal(err)
			}
			wantWhat(t, r.places, c.want)
			if c.want != plant.Claim {
				return
			}
			f, err := r.bed.OpenFinal(r.places[0].Path)
			if err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 7)
			if _, err := f.ReadAt(b, 0); err != nil || string(b) != c.there {
				t.Errorf("%q, %v", b, err)
			}
			f.Close()
			// The claim proves wrong, and it comes.
			if err := r.bed.WriteFile("f", &e.Entry, []byte(e.content)); err != nil {
				t.Fatal(err)
			}
			err = r.bed.Commit()
			if c.how == plant.Overwrite {
				if err != nil {
					t.Fatal(err)
				}
				wantTree(t, dir, `-rw-r--r-- f "content"`)
			} else if !errors.Is(err, fs.ErrExist) {
				t.Error(err)
			}
		})
	}
}

// TestFilesInTheWayOfDirectories: what is below a directory shares its fate.
func TestFilesInTheWayOfDirectories(t *testing.T) {
	entries := []entry{dirEntry("t"), dirEntry("t/d"), dirEntry("t/d/e"), fileEntry("t/d/e/f", "f"), symlinkEntry("t/d/s", "x"), fileEntry("t/g", "g")}
	for how, want := range map[plant.Existing]plant.What{plant.Skip: plant.Skipped, plant.Overwrite: plant.Refused} {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "t/d"), "a file")
		places := mustTransfer(t, plant.Config{Dir: dir, Existing: how}, entries)
		wantWhat(t, places, plant.Made, want, want, want, want, plant.Fresh)
		wantTree(t, dir, "drwxr-xr-x t", `-rw-r--r-- t/d "a file"`, `-rw-r--r-- t/g "g"`)
	}
}

// TestChecksumIsNotAskedTwice: of what an earlier run has begun to receive it
// is known that it is another file.
func TestChecksumIsNotAskedTwice(t *testing.T) {
	dir := t.TempDir()
	e := fileEntry("f", strings.Repeat("a", large))
	writeFile(t, filepath.Join(dir, "f"), strings.Repeat("b", large))
	cfg := plant.Config{Dir: dir, Existing: plant.Overwrite, Checksum: true}
	for _, want := range []plant.What{plant.Claim, plant.Part} {
		r := begin(t, cfg, []entry{e})
		at, err := r.bed.Place("", e.Entry)
		if err != nil || at.What != want {
			t.Fatalf("%+v, %v, want %v", at, err, want)
		}
		f, err := r.bed.OpenFile(at.Path, &e.Entry)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		r.close()
	}
	if places := mustTransfer(t, cfg, []entry{e}); places[0].What != plant.Part {
		t.Errorf("%+v", places)
	}
	wantTree(t, dir, `-rw-r--r-- f 4096*'a'`)
}

// TestLinksOfClaims: while it is open whether a file stays its other names are
// no conflict, and they follow it whatever the answer is.
func TestLinksOfClaims(t *testing.T) {
	for _, right := range []bool{true, false} {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "t/a"), "old")
		if err := os.Link(filepath.Join(dir, "t/a"), filepath.Join(dir, "t/b")); err != nil {
			t.Skip(err)
		}
		entries := []entry{dirEntry("t"), fileEntry("t/a", "new"), linkEntry("t/b", "t/a"), linkEntry("t/c", "t/a")}
		r := begin(t, plant.Config{Dir: dir, Existing: plant.Overwrite, Checksum: true}, entries)
		if err := r.receive(entries); err != nil {
			t.Fatal(err)
		}
		wantWhat(t, r.places, plant.Made, plant.Claim, plant.Made, plant.Made)
		content := `"old"`
		if right {
			r.bed.Stay(r.places[1].Path)
		} else {
			content = `"new"`
			if err := r.bed.WriteFile(r.places[1].Path, &entries[1].Entry, []byte("new")); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.bed.Commit(); err != nil {
			t.Fatal(err)
		}
		r.close()
		wantTree(t, dir, "drwxr-xr-x t", "-rw-r--r-- t/a "+content, "-rw-r--r-- t/b "+content, "-rw-r--r-- t/c "+content)
	}
}

// TestWrongClaimInALaterRun: what comes for it is kept although Place did not
// know that it would.
func TestWrongClaimInALaterRun(t *testing.T) {
	dir := t.TempDir()
	entries := []entry{fileEntry("a", "new"), fileEntry("b", strings.Repeat("n", large)), fileEntry("c", "c")}
	writeFile(t, filepath.Join(dir, "a"), "old")
	writeFile(t, filepath.Join(dir, "b"), strings.Repeat("o", large))
	cfg := plant.Config{Dir: dir, Existing: plant.Overwrite, Checksum: true}
	for run := range 2 {
		r := begin(t, cfg, entries)
		if err := r.receive(entries); err != nil {
			t.Fatal(err)
		}
		if run == 1 {
			wantWhat(t, r.places, plant.Claim, plant.Claim, plant.Kept)
			for i, at := range r.places[:2] {
				if err := r.write(plant.Place{What: plant.Fresh, Path: at.Path}, entries[i]); err != nil {
					t.Fatal(err)
				}
			}
			if err := r.bed.Commit(); err != nil {
				t.Fatal(err)
			}
		}
		r.close()
	}
	wantTree(t, dir, `-rw-r--r-- a "new"`, `-rw-r--r-- b 4096*'n'`, `-rw-r--r-- c "c"`)
}

// TestWhatAppearsAndIsTheSameIsNoConflict: somebody has copied the same file
// there by another way.
func TestWhatAppearsAndIsTheSameIsNoConflict(t *testing.T) {
	dir := t.TempDir()
	e := fileEntry("f", "content")
	r := begin(t, plant.Config{Dir: dir}, []entry{e})
	defer r.close()
	if err := r.receive([]entry{e}); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "f"), "content")
	if err := os.Chtimes(filepath.Join(dir, "f"), e.MTime(), e.MTime()); err != nil {
		t.Fatal(err)
	}
	if err := r.bed.Commit(); err != nil {
		t.Error(err)
	}
	wantTree(t, dir, `-rw-r--r-- f "content"`)
}

func TestSameTimeOnCoarseFileSystems(t *testing.T) {
	dir := t.TempDir()
	e := fileEntry("f", "content")
	writeFile(t, filepath.Join(dir, "f"), "content")
	coarse := e.MTime().Truncate(2 * time.Second)
	if err := os.Chtimes(filepath.Join(dir, "f"), coarse, coarse); err != nil {
		t.Fatal(err)
	}
	places, err := transfer(plant.Config{Dir: dir}, []entry{e})
	if err != nil {
		t.Fatal(err)
	}
	wantWhat(t, places, plant.Exists) // this file system keeps times as they are
}

func TestNameOfASingleItem(t *testing.T) {
	dir := t.TempDir()
	mustTransfer(t, plant.Config{Dir: dir, Name: "pictures"}, photos())
	var want []string
	for _, line := range photosTree {
		want = append(want, strings.Replace(line, "photos", "pictures", 1))
	}
	wantTree(t, dir, want...)

	if _, err := plant.Open(plant.Config{Dir: dir, Name: "pictures"}); err != nil {
		t.Errorf("a directory to merge with: %v", err)
	}
	if _, err := tryBegin(plant.Config{Dir: dir, Name: "x"}, []entry{fileEntry("a", ""), fileEntry("b", "")}); !errors.Is(err, plant.ErrName) {
		t.Errorf("one name for two things: %v", err)
	}
}

func TestPlacesThatCannotWork(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "there"), "12345")
	for _, c := range []struct {
		cfg  plant.Config
		want error
	}{
		{plant.Config{Dir: filepath.Join(dir, "missing")}, fs.ErrNotExist},
		{plant.Config{Dir: dir, Name: "there"}, fs.ErrExist},
		{plant.Config{Dir: dir, Name: ".."}, plant.ErrName},
		{plant.Config{Dir: dir, Name: "."}, plant.ErrName},
		{plant.Config{Dir: dir, Name: "sub/x"}, plant.ErrName},
		{plant.Config{Dir: dir, Name: "/etc/x"}, plant.ErrName},
		{plant.Config{Dir: dir, Name: "a\x1bb"}, plant.ErrName},
		{plant.Config{Dir: dir, Name: ".x.qft-part"}, plant.ErrName},
		{plant.Config{Dir: dir, Name: strings.Repeat("n", 256)}, plant.ErrName},
	} {
		g, err := plant.Open(c.cfg)
		if !errors.Is(err, c.want) {
			t.Errorf("%+v: %v, want %v", c.cfg, err, c.want)
		}
		if err == nil {
			g.Close()
		}
	}
	if _, err := plant.Open(plant.Config{Dir: filepath.Join(dir, "there")}); err == nil {
		t.Error("a file is taken for a directory")
	}
	for _, how := range []plant.Existing{plant.Overwrite, plant.Rename, plant.Skip, plant.Ask} {
		g, err := plant.Open(plant.Config{Dir: dir, Name: "there", Existing: how})
		if err != nil {
			t.Errorf("policy %d: %v", how, err)
			continue
		}
		g.Close()
	}
}

// TestManifestThatChangedBetweenRuns: what an earlier run left and this one
// does not name is not put in place, and kinds may change.
func TestManifestThatChangedBetweenRuns(t *testing.T) {
	dir := t.TempDir()
	first := []entry{
		dirEntry("t"), fileEntry("t/a", "a"), dirEntry("t/b"), fileEntry("t/b/c", "c"), fileEntry("t/d", strings.Repeat("d", large)),
		fileEntry("t/e", "e"), dirEntry("t/gone"), fileEntry("t/gone/f", "f"), fileEntry("t/z", "z"),
	}
	r := begin(t, plant.Config{Dir: dir}, first)
	if err := r.receive(first); err != nil {
		t.Fatal(err)
	}
	r.close()
	second := []entry{
		dirEntry("t"), dirEntry("t/a"), fileEntry("t/a/x", "x"), fileEntry("t/b", strings.Repeat("b", large)), symlinkEntry("t/d", "e"),
		fileEntry("t/e", "E").with(func(e *manifest.Entry) { e.Sec++ }),
	}
	mustTransfer(t, plant.Config{Dir: dir}, second)
	wantTree(t, dir, "drwxr-xr-x t", "drwxr-xr-x t/a", `-rw-r--r-- t/a/x "x"`, `-rw-r--r-- t/b 4096*'b'`, "Lrwxrwxrwx t/d -> e", `-rw-r--r-- t/e "E"`)
}

// TestLinksFollowTheirFile: when a file is replaced, what was another name of
// the old one becomes one of the new one.
func TestLinksFollowTheirFile(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "t/a"), "old")
	if err := os.Link(filepath.Join(dir, "t/a"), filepath.Join(dir, "t/b")); err != nil {
		t.Skip(err)
	}
	entries := []entry{dirEntry("t"), fileEntry("t/a", "new"), linkEntry("t/b", "t/a"), linkEntry("t/c", "t/a")}
	places := mustTransfer(t, plant.Config{Dir: dir, Existing: plant.Overwrite}, entries)
	wantWhat(t, places, plant.Made, plant.Fresh, plant.Made, plant.Made)
	wantTree(t, dir, "drwxr-xr-x t", `-rw-r--r-- t/a "new"`, `-rw-r--r-- t/b "new"`, `-rw-r--r-- t/c "new"`)

	// One that is missing is made of a file that is not sent.
	os.Remove(filepath.Join(dir, "t/c"))
	places = mustTransfer(t, plant.Config{Dir: dir}, entries)
	wantWhat(t, places, plant.Made, plant.Same, plant.Same, plant.Made)
	a, _ := os.Lstat(filepath.Join(dir, "t/a"))
	c, _ := os.Lstat(filepath.Join(dir, "t/c"))
	if !os.SameFile(a, c) {
		t.Error("it is no link")
	}
}
