package plant_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"qft/internal/manifest"
	"qft/internal/plant"
)

// photos is a tree with one of everything.
func photos() []entry {
	return []entry{
		dirEntry("photos"),
		dirEntry("photos/2024"),
		fileEntry("photos/2024/a.jpg", "aaa").with(func(e *manifest.Entry) { e.Mode = 0o400 }),
		fileEntry("photos/2024/big", strings.Repeat("b", 3*large)),
		dirEntry("photos/empty").with(func(e *manifest.Entry) { e.Mode = 0o555 }),
		fileEntry("photos/none", ""),
		linkEntry("photos/same", "photos/2024/a.jpg"),
		symlinkEntry("photos/way", "2024/a.jpg"),
		fileEntry("photos/z", "zz"),
	}
}

var photosTree = []string{
	"drwxr-xr-x photos",
	"drwxr-xr-x photos/2024",
	`-r-------- photos/2024/a.jpg "aaa"`,
	`-rw-r--r-- photos/2024/big 12288*'b'`,
	"dr-xr-xr-x photos/empty",
	`-rw-r--r-- photos/none ""`,
	`-r-------- photos/same "aaa"`,
	"Lrwxrwxrwx photos/way -> 2024/a.jpg",
	`-rw-r--r-- photos/z "zz"`,
}

func TestTreeArrives(t *testing.T) {
	dir := t.TempDir()
	places := mustTransfer(t, plant.Config{Dir: dir}, photos())
	wantWhat(t, places, plant.Made, plant.Made, plant.Fresh, plant.Fresh, plant.Made, plant.Made, plant.Made, plant.Made, plant.Fresh)
	wantTree(t, dir, slices.Clone(photosTree)...)
	for _, e := range photos() {
		if e.Kind != manifest.Link {
			wantTime(t, filepath.Join(dir, e.path), e)
		}
	}
	a, _ := os.Lstat(filepath.Join(dir, "photos/2024/a.jpg"))
	same, _ := os.Lstat(filepath.Join(dir, "photos/same"))
	if !os.SameFile(a, same) {
		t.Error("a hard link was not made")
	}
}

func TestWhatIsThereIsNotWanted(t *testing.T) {
	dir := t.TempDir()
	mustTransfer(t, plant.Config{Dir: dir}, photos())
	places := mustTransfer(t, plant.Config{Dir: dir}, photos())
	wantWhat(t, places, plant.Made, plant.Made, plant.Same, plant.Same, plant.Made, plant.Same, plant.Same, plant.Same, plant.Same)
	wantTree(t, dir, slices.Clone(photosTree)...)
	for _, e := range photos() {
		if e.Kind != manifest.Link {
			wantTime(t, filepath.Join(dir, e.path), e)
		}
	}
}

func TestItemsOfAllSortsArriveTogether(t *testing.T) {
	dir := t.TempDir()
	entries := append([]entry{fileEntry("a.iso", strings.Repeat("i", 2*large))}, photos()...)
	entries = append(entries, fileEntry("notes.txt", "n"), symlinkEntry("s", "/etc/passwd"))
	r := begin(t, plant.Config{Dir: dir}, entries)
	defer r.close()
	if err := r.receive(entries); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(dir, ".a.iso+3~01020304.qft-part")); err != nil {
		t.Error(err)
	}
	if err := r.bed.Commit(); err != nil {
		t.Fatal(err)
	}
	want := append([]string{`-rw-r--r-- a.iso 8192*'i'`, `-rw-r--r-- notes.txt "n"`}, photosTree...)
	wantTree(t, dir, append(want, "Lrwxrwxrwx s -> /etc/passwd")...)
}

func TestNothingShowsBeforeAllIsThere(t *testing.T) {
	dir := t.TempDir()
	r := begin(t, plant.Config{Dir: dir}, photos())
	if err := r.receive(photos()); err != nil {
		t.Fatal(err)
	}
	r.close()
	names, _ := os.ReadDir(dir)
	if len(names) != 1 || names[0].Name() != ".photos.qft-part" {
		t.Fatalf("there is %v", names)
	}
	info, _ := names[0].Info()
	if info.Mode().Perm() != 0o700 {
		t.Errorf("the bed has mode %v", info.Mode())
	}
	r = begin(t, plant.Config{Dir: dir}, photos())
	if !r.bed.Resumed() {
		t.Error("nothing was resumed")
	}
	if err := r.receive(photos()); err != nil {
		t.Fatal(err)
	}
	wantWhat(t, r.places, plant.Made, plant.Made, plant.Kept, plant.Kept, plant.Made, plant.Made, plant.Made, plant.Made, plant.Kept)
	if err := r.bed.Commit(); err != nil {
		t.Fatal(err)
	}
	r.close()
	wantTree(t, dir, slices.Clone(photosTree)...)
}

func TestDiscardLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	r := begin(t, plant.Config{Dir: dir}, photos())
	if err := r.receive(photos()); err != nil {
		t.Fatal(err)
	}
	if err := r.bed.Discard(); err != nil {
		t.Fatal(err)
	}
	r.close()
	wantTree(t, dir)
}
