package plant_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"qft/internal/manifest"
	"qft/internal/plant"
	"qft/internal/plant/faulty"
)

// lines describes a simulated disk as look does a directory.
func lines(d *faulty.Disk) (all []string) {
	d.Each(func(p string, mode fs.FileMode, _ time.Time, content []byte) {
		switch {
		case mode.IsDir():
			all = append(all, fmt.Sprintf("%v %s", mode, p))
		default:
			all = append(all, fmt.Sprintf("%v %s %s", mode, p, short(content)))
		}
	})
	return all
}

func TestNamesThatAreOneToTheFileSystem(t *testing.T) {
	d := faulty.New(1, faulty.Options{Fold: true})
	entries := []entry{
		dirEntry("T"), fileEntry("T/A", "1"), fileEntry("T/a", "2"), fileEntry("T/\u00e9", "3"), fileEntry("T/e\u0301", "4"),
		dirEntry("T/DIR"), fileEntry("T/DIR/x", "5"), dirEntry("T/dir"), fileEntry("T/dir/x", "6"), linkEntry("T/ln", "T/dir/x"),
		dirEntry("t"), fileEntry("t/A", "7"), linkEntry("t/ln", "t/A"),
	}
	for range 3 {
		places := mustTransfer(t, plant.Config{FS: d.FS()}, entries)
		for i, p := range places {
			if p.What == plant.Refused || p.What == plant.Exists {
				t.Errorf("%s: %+v", entries[i].path, p)
			}
		}
		want := []string{"drwxr-xr-x T", `-rw-r--r-- T/A "1"`, "drwxr-xr-x T/DIR", `-rw-r--r-- T/DIR/x "5"`, `-rw-r--r-- T/a~2 "2"`, "drwxr-xr-x T/dir~2",
			`-rw-r--r-- T/dir~2/x "6"`, `-rw-r--r-- T/e` + "\u0301" + `~2 "4"`, `-rw-r--r-- T/ln "6"`, `-rw-r--r-- T/` + "\u00e9" + ` "3"`,
			"drwxr-xr-x t~2", `-rw-r--r-- t~2/A "7"`, `-rw-r--r-- t~2/ln "7"`}
		got := lines(d)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("there is %q", got)
		}
	}
}

func TestFileSystemOfAnotherSystem(t *testing.T) {
	d := faulty.New(1, faulty.Options{Fold: true, Strict: true, Grain: 2 * time.Second})
	entries := []entry{dirEntry("a:b"), fileEntry("a:b/What?.txt", "x"), fileEntry("a:b/con", "c"), fileEntry("a:b/end.", "e")}
	r := begin(t, plant.Config{FS: d.FS()}, entries)
	if err := r.receive(entries); err != nil {
		t.Fatal(err)
	}
	r.close()
	for _, want := range []plant.What{plant.Kept, plant.Same} { // resumed under the same names, and then the same within 2 s
		places := mustTransfer(t, plant.Config{FS: d.FS()}, entries)
		wantWhat(t, places, plant.Made, want, want, want)
	}
	if got, want := lines(d), []string{"drwxr-xr-x a%3Ab", `-rw-r--r-- a%3Ab/con_ "c"`, `-rw-r--r-- a%3Ab/end%2E "e"`, `-rw-r--r-- a%3Ab/What%3F.txt "x"`}; !slices.Equal(got, want) {
		t.Errorf("there is %q", got)
	}
}

// TestVersionsOfALargeFileStayApart: what was received of one version is never
// taken for part of another, also when the sender returns to it.
func TestVersionsOfALargeFileStayApart(t *testing.T) {
	dir := t.TempDir()
	a := fileEntry("f", strings.Repeat("a", 4*large))
	b := fileEntry("f", strings.Repeat("b", 4*large)).with(func(e *manifest.Entry) { e.Sec++ })
	half := func(e entry, want plant.What) {
		t.Helper()
		r := begin(t, plant.Config{Dir: dir}, []entry{e})
		defer r.close()
		at, err := r.bed.Place("", e.Entry)
		if err != nil || at.What != want {
			t.Fatalf("%+v, %v, want %v", at, err, want)
		}
		f, err := r.bed.OpenFile(at.Path, &e.Entry)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		got := make([]byte, 2*large)
		if _, err := f.ReadAt(got, 0); err != nil {
			t.Fatal(err)
		}
		if there := strings.Trim(string(got), "\x00"); there != "" && there != e.content[:len(got)] {
			t.Errorf("there is %q...", there[:10])
		}
		if _, err := f.WriteAt([]byte(e.content[:2*large]), 0); err != nil {
			t.Fatal(err)
		}
	}
	half(a, plant.Fresh)
	half(a, plant.Part)
	half(b, plant.Fresh)
	half(a, plant.Fresh) // and not Part: the other version has taken its place
	half(a, plant.Part)
	mustTransfer(t, plant.Config{Dir: dir}, []entry{a})
	wantTree(t, dir, `-rw-r--r-- f 16384*'a'`)
}

// TestCompleteFileThatNobodyVouchesFor goes on with a file that was finished,
// of which the journal knows only a part.
func TestCompleteFileThatNobodyVouchesFor(t *testing.T) {
	dir := t.TempDir()
	e := fileEntry("f", strings.Repeat("a", 4*large)).with(func(e *manifest.Entry) { e.Mode = 0o400 })
	r := begin(t, plant.Config{Dir: dir}, []entry{e})
	if err := r.receive([]entry{e}); err != nil {
		t.Fatal(err)
	}
	r.close()
	r = begin(t, plant.Config{Dir: dir}, []entry{e})
	defer r.close()
	at, err := r.bed.Place("", e.Entry)
	if err != nil || at.What != plant.Kept {
		t.Fatal(at, err)
	}
	f, err := r.bed.OpenFile(at.Path, &e.Entry)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, len(e.content))
	if _, err := f.ReadAt(b, 0); err != nil || string(b) != e.content {
		t.Errorf("its content went: %v", err)
	}
	f.Close()
	if err := r.bed.Commit(); err != nil {
		t.Fatal(err)
	}
	wantTree(t, dir) // it was not finished again
}

func TestStreamsGetTheirLengthAtTheEnd(t *testing.T) {
	for _, content := range []string{"", strings.Repeat("s", 3*large)} {
		dir := t.TempDir()
		e := fileEntry("dump", content)
		e.Kind, e.Size = manifest.Stream, 0
		places := mustTransfer(t, plant.Config{Dir: dir}, []entry{e})
		wantWhat(t, places, plant.Fresh)
		wantTree(t, dir, "-rw-r--r-- dump "+short([]byte(content)))
	}
}

func TestDroppedFilesAreNotPutInPlace(t *testing.T) {
	dir := t.TempDir()
	entries := photos()
	r := begin(t, plant.Config{Dir: dir}, entries)
	defer r.close()
	for _, e := range entries {
		at, err := r.bed.Place(e.dir(), e.Entry)
		if err != nil {
			t.Fatal(err)
		}
		switch e.path {
		case "photos/2024/big":
			f, err := r.bed.OpenFile(at.Path, &e.Entry)
			if err != nil {
				t.Fatal(err)
			}
			f.Close()
			err = r.bed.Drop(at.Path)
			if err != nil {
				t.Error(err)
			}
		case "photos/z":
			if err := r.bed.Drop(at.Path); err != nil { // of which nothing has come
				t.Error(err)
			}
		default:
			if err := r.write(at, e); err != nil {
				t.Fatal(err)
			}
			if e.path == "photos/2024/a.jpg" {
				if err := r.bed.Drop(at.Path); err != nil {
					t.Error(err)
				}
			}
		}
	}
	if err := r.bed.Commit(); err != nil {
		t.Fatal(err)
	}
	if lost, n := r.bed.Lost(); n != 1 || lost[0] != "photos/same" {
		t.Errorf("%q", lost)
	}
	wantTree(t, dir, "drwxr-xr-x photos", "drwxr-xr-x photos/2024", "dr-xr-xr-x photos/empty", `-rw-r--r-- photos/none ""`, "Lrwxrwxrwx photos/way -> 2024/a.jpg")
}

// TestUnfinishedFilesAreNotPutInPlace: an engine that forgets a file must not
// leave half of it.
func TestUnfinishedFilesAreNotPutInPlace(t *testing.T) {
	dir := t.TempDir()
	entries := []entry{dirEntry("t"), fileEntry("t/a", strings.Repeat("a", large)), fileEntry("t/b", "b")}
	r := begin(t, plant.Config{Dir: dir}, entries)
	defer r.close()
	for _, e := range entries {
		at, err := r.bed.Place(e.dir(), e.Entry)
		if err == nil && e.path == "t/a" {
			var f *plant.Sprout
			if f, err = r.bed.OpenFile(at.Path, &e.Entry); err == nil {
				f.Close()
			}
		} else if err == nil {
			err = r.write(at, e)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := r.bed.Commit(); err != nil {
		t.Fatal(err)
	}
	wantTree(t, dir, "drwxr-xr-x t", `-rw-r--r-- t/b "b"`)
}

func TestOneBedHasOneUser(t *testing.T) {
	dir := t.TempDir()
	r := begin(t, plant.Config{Dir: dir}, photos())
	if _, err := tryBegin(plant.Config{Dir: dir}, photos()); !errors.Is(err, plant.ErrBusy) {
		t.Error(err)
	}
	if err := plant.Discard(dir, plant.Partial{Name: ".photos.qft-part"}); !errors.Is(err, plant.ErrBusy) {
		t.Error(err)
	}
	other := begin(t, plant.Config{Dir: dir, Name: "other"}, photos())
	other.close()
	r.close()
	r = begin(t, plant.Config{Dir: dir}, photos())
	r.close()
}

// TestManyWantOneBed lets many receivers come and go: at each moment at most
// one has the bed, whether the others wait for it to be removed or kept.
func TestManyWantOneBed(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	var mu sync.Mutex
	users := 0
	for i := range 8 {
		wg.Go(func() {
			for mine := 0; mine < 5; {
				r, err := tryBegin(plant.Config{Dir: dir}, photos())
				if errors.Is(err, plant.ErrBusy) {
					runtime.Gosched()
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if users++; users > 1 {
					t.Error("two have the bed")
				}
				mine++
				mu.Unlock()
				runtime.Gosched()
				mu.Lock()
				users--
				mu.Unlock()
				if i%2 == 0 {
					if err := r.bed.Discard(); err != nil {
						t.Error(err)
					}
				}
				r.close()
			}
		})
	}
	wg.Wait()
}

func TestPartialsAreListed(t *testing.T) {
	dir := t.TempDir()
	r := begin(t, plant.Config{Dir: dir}, photos())
	if err := r.receive(photos()); err != nil {
		t.Fatal(err)
	}
	r.close()
	busy := begin(t, plant.Config{Dir: dir, Name: "x"}, photos())
	list, err := plant.List(dir)
	if err != nil || len(list) != 2 {
		t.Fatal(list, err)
	}
	p := list[0]
	if p.Name != ".photos.qft-part" || !slices.Equal(p.Items, []string{"photos"}) || p.Busy || p.Size < 3*large || p.Size > 1<<20 ||
		!strings.HasPrefix(string(p.Head), "qftjrnl2\n") || time.Since(p.Time) > time.Hour {
		t.Errorf("%+v", p)
	}
	if p = list[1]; p.Name != ".x.qft-part" || !p.Busy {
		t.Errorf("%+v", p)
	}
	busy.close()
	for _, p := range list {
		if err := plant.Discard(dir, p); err != nil {
			t.Error(err)
		}
	}
	wantTree(t, dir)
	if list, err := plant.List(dir); err != nil || len(list) != 0 {
		t.Error(list, err)
	}
}

func TestScratchAndFinalNames(t *testing.T) {
	dir := t.TempDir()
	r := begin(t, plant.Config{Dir: dir}, []entry{dirEntry("a\x1bb")})
	defer r.close()
	f, err := r.bed.Scratch()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("spilled"), 1<<20); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if f, err = r.bed.Scratch(); err != nil {
		t.Fatal(err)
	}
	if info, err := f.Stat(); err != nil || info.Size() != 0 {
		t.Error("it is not empty again")
	}
	f.Close()
	at, err := r.bed.Place("", dirEntry("a\x1bb").Entry)
	if err != nil || r.bed.Final(at.Path) != filepath.Join(dir, "a%1Bb") {
		t.Errorf("%q, %v", r.bed.Final(at.Path), err)
	}
}

// TestManyGoroutinesWriteAtOnce has the manifest placed by one goroutine while
// others write, sync and drop.
func TestManyGoroutinesWriteAtOnce(t *testing.T) {
	dir := t.TempDir()
	var entries []entry
	entries = append(entries, dirEntry("t"))
	for d := range 60 { // more directories than are kept open
		entries = append(entries, dirEntry(fmt.Sprintf("t/%02d", d)))
		for f := range 5 {
			entries = append(entries, fileEntry(fmt.Sprintf("t/%02d/%d", d, f), strings.Repeat("x", 1+d*(f%2)*200)))
		}
	}
	r := begin(t, plant.Config{Dir: dir}, entries)
	defer r.close()
	type job struct {
		at plant.Place
		e  entry
	}
	jobs := make(chan job, 100)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			mine := &run{ground: r.ground, bed: r.bed}
			for j := range jobs {
				if err := mine.write(j.at, j.e); err != nil {
					t.Error(err)
				}
				if strings.HasSuffix(j.e.path, "0/4") {
					if err := r.bed.Drop(j.at.Path); err != nil {
						t.Error(err)
					}
				}
				if strings.HasSuffix(j.e.path, "/3") {
					if err := r.bed.Sync(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	for _, e := range entries {
		at, err := r.bed.Place(e.dir(), e.Entry)
		if err != nil {
			t.Fatal(err)
		}
		jobs <- job{at, e}
	}
	close(jobs)
	wg.Wait()
	if err := r.bed.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := look(t, dir); len(got) != len(entries)-6 {
		t.Errorf("%d of %d", len(got), len(entries))
	}
}

// TestMillionEntriesTakeLittle places what a sender could name, over nothing
// and over itself, and looks at what that costs.
func TestMillionEntriesTakeLittle(t *testing.T) {
	if testing.Short() {
		t.Skip("it is long")
	}
	const dirs, files = 300, 300
	dir := t.TempDir()
	place := func(r *run) (per float64) {
		t.Helper()
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		top := dirEntry("t")
		if _, err := r.bed.Place("", top.Entry); err != nil {
			t.Fatal(err)
		}
		for d := range dirs {
			e := dirEntry(fmt.Sprintf("t/%04d", d))
			if _, err := r.bed.Place("t", e.Entry); err != nil {
				t.Fatal(err)
			}
			for f := range files {
				e := fileEntry(fmt.Sprintf("t/%04d/%04d.jpg", d, f), "x")
				if _, err := r.bed.Place(e.dir(), e.Entry); err != nil {
					t.Fatal(err)
				}
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		return (float64(after.HeapAlloc) - float64(before.HeapAlloc)) / (dirs * files)
	}
	r := begin(t, plant.Config{Dir: dir}, []entry{dirEntry("t")})
	if per := place(r); per > 2 {
		t.Errorf("%.1f bytes for each entry of a fresh bed", per)
	}
	r.close()
	r = begin(t, plant.Config{Dir: dir}, []entry{dirEntry("t")})
	if per := place(r); per > 40 {
		t.Errorf("%.1f bytes for each entry of a resumed bed", per)
	}
	r.bed.Discard()
	r.close()
	if _, err := os.Lstat(filepath.Join(dir, ".t.qft-part")); err == nil {
		t.Error("the bed is still there")
	}
}
