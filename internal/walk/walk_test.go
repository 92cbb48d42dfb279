package walk

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"qft/internal/manifest"
)

func TestWalkTakesAnyMixInOrder(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, "t/b/x", "t/b/y/", "t/a", "t/B", "t/a.b", "t/a b/deep/er/file", "t/c/", "one", "empty/")
	if err := os.WriteFile(filepath.Join(dir, "t/none"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, all(t, Config{Paths: []string{dir + "/one", dir + "/t", dir + "/empty"}}),
		"one 3",
		"t/",
		"  B 3",
		"  a 3",
		"  a b/",
		"    deep/",
		"      er/",
		"        file 18",
		"  a.b 5",
		"  b/",
		"    x 5",
		"    y/",
		"  c/",
		"  none 0",
		"empty/",
	)
}

func TestItemsAreNamed(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	plant(t, dir, "photos/in/x", "file", "way -> photos/in", "other -> file")
	t.Chdir(filepath.Join(dir, "photos"))
	for _, test := range []struct{ path, name, first string }{
		{".", "photos", "./in"},
		{"./", "photos", "./in"},
		{"./.", "photos", "./in"},
		{"..", filepath.Base(dir), "../file"},
		{"../.", filepath.Base(dir), "../file"},
		{"in/..", "photos", "in/../in"},
		{"in", "in", "in/x"},
		{"in/", "in", "in/x"},
		{"in//./", "in", "in/x"},
		{"./in", "in", "./in/x"},
		{"../photos/in", "in", "../photos/in/x"},
		{"../file", "file", ""},
		{dir + "/photos", "photos", dir + "/photos/in"},
		{dir + "/photos/", "photos", dir + "/photos/in"},
		{"../way", "way", "../way/x"},
		{"../way/", "way", "../way/x"},
		{"../way/..", "photos", "../way/../in"},
		{"../other", "other", ""},
	} {
		w, err := New(Config{Paths: []string{test.path}})
		if err != nil {
			t.Errorf("%s: %v", test.path, err)
			continue
		}
		if got := w.Items(); len(got) != 1 || got[0] != test.name {
			t.Errorf("%s: items %q, want %q", test.path, got, test.name)
		}
		found, err := w.Next(2)
		switch {
		case err != nil || found[0].Name != test.name || found[0].Problem != nil:
			t.Errorf("%s: found %v, %v", test.path, show(found), err)
		case test.first != "" && filepath.ToSlash(found[1].Path) != test.first:
			t.Errorf("%s: path %q, want %q", test.path, found[1].Path, test.first)
		}
		w.Close()
	}
}

// The shell shows the way through the symlink, but ".." is above where it leads.
func TestItemAboveSymlinkHasItsOwnName(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, "real/in/x", "way -> real/in")
	t.Chdir(filepath.Join(dir, "way"))
	want(t, all(t, Config{Paths: []string{".."}}), "real/", "  in/", "    x 9")
	want(t, all(t, Config{Paths: []string{"."}}), "way/", "  x 9")
}

func TestItemTakesAnotherName(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, "a/x")
	want(t, all(t, Config{Paths: []string{dir + "/a"}, Name: "b"}), "b/", "  x 3")
	want(t, all(t, Config{Paths: []string{dir + "/a/x"}, Name: "y"}), "y 3")
}

func TestItemsAreRefused(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, "a/x", "b/x", "file", "lost -> nowhere", "round -> round")
	for what, test := range map[string]struct {
		cfg  Config
		want string // a part of the error
		is   error
	}{
		"nothing":         {Config{}, "nothing to send", nil},
		"no name":         {Config{Paths: []string{""}}, "", os.ErrNotExist},
		"missing":         {Config{Paths: []string{dir + "/file", dir + "/c"}}, "c\": ", os.ErrNotExist},
		"dangling":        {Config{Paths: []string{dir + "/lost"}}, "a symlink that leads nowhere", os.ErrNotExist},
		"circle":          {Config{Paths: []string{dir + "/round"}}, "round", nil},
		"file with slash": {Config{Paths: []string{dir + "/file/"}}, "file/", nil},
		"one name":        {Config{Paths: []string{dir + "/a/x", dir + "/b/x"}}, `would both arrive as "x": rename one`, nil},
		"twice":           {Config{Paths: []string{dir + "/a", dir + "/a/"}}, `both arrive as "a"`, nil},
		"named together":  {Config{Paths: []string{dir + "/a", dir + "/b"}, Name: "n"}, `cannot all be called "n"`, nil},
		"root":            {Config{Paths: []string{"/"}}, "has no name to arrive under", nil},
		"root by detours": {Config{Paths: []string{"//../."}}, "has no name to arrive under", nil},
		"name upwards":    {Config{Paths: []string{dir + "/a"}, Name: ".."}, "leads elsewhere", nil},
		"name of two":     {Config{Paths: []string{dir + "/a"}, Name: "a/b"}, "slash", nil},
	} {
		_, err := New(test.cfg)
		switch {
		case err == nil:
			t.Errorf("%s: taken", what)
		case !strings.Contains(err.Error(), test.want):
			t.Errorf("%s: error %q, want one with %q", what, err, test.want)
		case test.is != nil && !errors.Is(err, test.is):
			t.Errorf("%s: error %q is not %q", what, err, test.is)
		}
	}
}

func TestSymlinksAreNotFollowed(t *testing.T) {
	dir := t.TempDir()
	odd := "\xff\xfe \n" + strings.Repeat("long/", 700)
	plant(t, dir, "out/secret", "t/a -> ../out", "t/b -> nowhere", "t/c -> c", "t/d -> "+odd, "t/e -> /", "t/f -> .")
	want(t, all(t, Config{Paths: []string{dir + "/t"}}),
		"t/", "  a -> ../out", "  b -> nowhere", "  c -> c", "  d -> "+odd, "  e -> /", "  f -> .")
}

func TestTimesAndPermissionsAreTold(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, "d/f")
	old := time.Date(1961, 4, 12, 6, 7, 0, 123456789, time.UTC)
	for _, path := range []string{dir + "/d/f", dir + "/d"} {
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir+"/d/f", 0o640); err != nil {
		t.Fatal(err)
	}
	for _, f := range all(t, Config{Paths: []string{dir + "/d"}}) {
		if !f.MTime().Equal(old) {
			t.Errorf("%s: time %v, want %v", f.Name, f.MTime(), old)
		}
		if f.Kind == manifest.File && f.Mode != 0o640 {
			t.Errorf("mode %o", f.Mode)
		}
		if f.Attrs != nil {
			t.Errorf("%s has attributes, which nobody asked for", f.Name)
		}
	}
}

func TestCountTellsWhatNextFinds(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, "t/a", "t/d/b", "t/d/c.tmp", "t/d/e = t/a", "t/s -> a", "one")
	w := begin(t, Config{Paths: []string{dir + "/t", dir + "/one"}, Exclude: []string{"*.tmp"}})
	one(t, w, "t")
	var files, bytes int64
	if err := w.Count(t.Context(), func(f, b int64) { files, bytes = f, b }); err != nil {
		t.Fatal(err)
	}
	if files != 3 || bytes != int64(len("t/a")+len("t/d/b")+len("one")) {
		t.Errorf("%d files of %d bytes", files, bytes)
	}
	one(t, w, "a") // the count has not moved the walk
}

func TestCountReportsOnTheWayAndStops(t *testing.T) {
	dir := t.TempDir()
	for i := range 2*countStep + 100 {
		plant(t, dir, strconv.Itoa(i))
	}
	w := begin(t, Config{Paths: []string{dir}})
	var reports []int64
	if err := w.Count(t.Context(), func(files, _ int64) { reports = append(reports, files) }); err != nil {
		t.Fatal(err)
	}
	if want := []int64{countStep - 1, 2*countStep - 1, 2*countStep + 100}; !slices.Equal(reports, want) {
		t.Errorf("reports %d, want %d", reports, want)
	}
	ctx, stop := context.WithCancel(t.Context())
	reports = nil
	err := w.Count(ctx, func(files, _ int64) {
		reports = append(reports, files)
		stop()
	})
	if !errors.Is(err, context.Canceled) || len(reports) != 1 {
		t.Errorf("reports %d, %v", reports, err)
	}
}

func TestCountRunsBesideNext(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, "t/a", "t/d/b", "t/d/e", "t/f")
	w := begin(t, Config{Paths: []string{dir + "/t"}, GitIgnore: true, Exclude: []string{"f"}, Archive: true})
	counted := make(chan int64, 1)
	go func() {
		w.Count(t.Context(), func(files, _ int64) { counted <- files })
		close(counted)
	}()
	if n := len(rest(t, w)); n != 5 {
		t.Errorf("%d found", n)
	}
	if files := <-counted; files != 3 {
		t.Errorf("%d files", files)
	}
}

func TestRemovedNamesAreLeftOut(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, "t/a", "t/b", "t/c/x", "t/d")
	w := begin(t, Config{Paths: []string{dir + "/t"}})
	one(t, w, "t")
	for _, name := range []string{"a", "c"} {
		if err := os.RemoveAll(filepath.Join(dir, "t", name)); err != nil {
			t.Fatal(err)
		}
	}
	want(t, rest(t, w), "  b 3", "  d 3")
}

func TestRemovedItemIsAProblem(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, "a", "b")
	w := begin(t, Config{Paths: []string{dir + "/a", dir + "/b"}})
	if err := os.Remove(dir + "/a"); err != nil {
		t.Fatal(err)
	}
	found := rest(t, w)
	if len(found) != 2 || !errors.Is(found[0].Problem, os.ErrNotExist) || found[1].Problem != nil {
		t.Errorf("found %v", show(found))
	}
}

func TestCloseEndsTheWalk(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, "t/a")
	w := begin(t, Config{Paths: []string{dir + "/t"}})
	one(t, w, "t")
	w.Close()
	want(t, rest(t, w))
}

func TestDirectoryWithinItselfIsRefused(t *testing.T) {
	w := &walker{ground: disks{}, item: item{name: "t"}, way: []level{{inode: Inode{Dev: 1, Ino: 2}}}}
	f := Found{Path: "t/t"}
	if err := w.mayEnter(&f, &meta{inode: Inode{Dev: 1, Ino: 2, Ctime: 3}}); err == nil {
		t.Error("entered")
	}
	if err := w.mayEnter(&f, &meta{inode: Inode{Dev: 2, Ino: 2}}); err != nil {
		t.Error(err)
	}
}
