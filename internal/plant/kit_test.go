package plant_test

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"qft/internal/manifest"
	"qft/internal/plant"
)

// large is the size from which the kit's sender treats files as large ones.
const large = 4096

// entry is one line of a test's manifest, with the content of a file. path has
// the directories that the entry is in.
type entry struct {
	manifest.Entry
	path    string
	content string
}

func stamp(e *manifest.Entry, p string) {
	e.Name, e.Depth = path.Base(p), strings.Count(p, "/")
	e.Sec, e.Nsec = 1_600_000_000+int64(len(p)), 123_456_700
}

func dirEntry(p string) entry {
	e := entry{path: p, Entry: manifest.Entry{Kind: manifest.Dir, Mode: 0o755}}
	stamp(&e.Entry, p)
	return e
}

func fileEntry(p, content string) entry {
	e := entry{path: p, content: content, Entry: manifest.Entry{Kind: manifest.File, Mode: 0o644, Size: int64(len(content))}}
	stamp(&e.Entry, p)
	return e
}

func symlinkEntry(p, text string) entry {
	e := entry{path: p, Entry: manifest.Entry{Kind: manifest.Symlink, Mode: 0o777, Target: text}}
	stamp(&e.Entry, p)
	return e
}

func linkEntry(p, target string) entry {
	e := entry{path: p, Entry: manifest.Entry{Kind: manifest.Link, Mode: 0o644, Target: target}}
	stamp(&e.Entry, p)
	return e
}

func (e entry) with(change func(e *manifest.Entry)) entry {
	change(&e.Entry)
	return e
}

func (e entry) dir() string {
	if i := strings.LastIndexByte(e.path, '/'); i >= 0 {
		return e.path[:i]
	}
	return ""
}

// run is one transfer over a bed, as an engine does it.
type run struct {
	ground  *plant.Ground
	bed     *plant.Bed
	places  []plant.Place
	journal journal
}

// journal is a small one: lines that say which versions of files are safe.
type journal struct {
	f    plant.File
	end  int64
	safe map[string]bool
	due  []string // written, but not synced yet
}

const journalHead = "qftjrnl2\n"

func (j *journal) open(f plant.File) error {
	j.f, j.safe = f, make(map[string]bool)
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
	if err != nil {
		return err
	}
	rest, ours := strings.CutPrefix(string(b), journalHead)
	if !ours {
		rest = ""
		if err := f.Truncate(0); err != nil {
			return err
		}
		if _, err := f.WriteAt([]byte(journalHead), 0); err != nil {
			return err
		}
	}
	j.end = int64(len(journalHead))
	for line := range strings.Lines(rest) {
		var sum uint32
		var id string
		if n, _ := fmt.Sscanf(line, "%08x %q\n", &sum, &id); n != 2 || sum != crc32.ChecksumIEEE([]byte(id)) {
			break
		}
		j.end += int64(len(line))
		if gone, is := strings.CutPrefix(id, "not "); is {
			delete(j.safe, gone)
		} else {
			j.safe[id] = true
		}
	}
	if err := f.Truncate(j.end); err != nil {
		return err
	}
	return f.Sync()
}

// forget takes back what an earlier run has said of a file that is not here any
// more: what is written now under its name nobody has vouched for.
func (j *journal) forget(id string) error {
	if !j.safe[id] {
		return nil
	}
	delete(j.safe, id)
	return j.append([]string{"not " + id})
}

func (j *journal) vouch() error {
	err := j.append(j.due)
	if err == nil {
		j.due = nil
	}
	return err
}

func (j *journal) append(lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	var b []byte
	for _, id := range lines {
		b = fmt.Appendf(b, "%08x %q\n", crc32.ChecksumIEEE([]byte(id)), id)
	}
	if _, err := j.f.WriteAt(b, j.end); err != nil {
		return err
	}
	if err := j.f.Sync(); err != nil {
		return err
	}
	j.end += int64(len(b))
	return nil
}

// begin opens ground and bed for the items of a manifest.
func begin(t *testing.T, cfg plant.Config, entries []entry) *run {
	t.Helper()
	r, err := tryBegin(cfg, entries)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func tryBegin(cfg plant.Config, entries []entry) (*run, error) {
	g, err := plant.Open(cfg)
	if err != nil {
		return nil, err
	}
	var items []string
	for _, e := range entries {
		if e.Depth == 0 {
			items = append(items, e.Name)
		}
	}
	b, err := g.Prepare([16]byte{1, 2, 3, 4}, items[:min(len(items), 10)], len(items))
	if err != nil {
		g.Close()
		return nil, err
	}
	r := &run{ground: g, bed: b}
	if err := r.journal.open(b.JournalFile()); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// receive places all entries and writes what is wanted of them.
func (r *run) receive(entries []entry) error {
	r.places = nil
	for i, e := range entries {
		at, err := r.bed.Place(e.dir(), e.Entry)
		if err != nil {
			return err
		}
		r.places = append(r.places, at)
		if err := r.write(at, e); err != nil {
			return err
		}
		if i%4 == 3 {
			if err := r.save(); err != nil {
				return err
			}
		}
	}
	return nil // what is not saved yet Commit makes durable
}

// save makes what was written durable and has the journal vouch for it.
func (r *run) save() error {
	if err := r.bed.Sync(); err != nil {
		return err
	}
	return r.journal.vouch()
}

// write writes the content of an entry, if that is wanted.
func (r *run) write(at plant.Place, e entry) error {
	id := fmt.Sprint(e.path, e.Size, e.MTime())
	switch at.What {
	case plant.Fresh, plant.Part:
	case plant.Kept:
		if r.journal.safe[id] {
			return nil
		}
	default:
		return nil
	}
	if err := r.journal.forget(id); err != nil {
		return err
	}
	r.journal.due = append(r.journal.due, id)
	if e.Kind == manifest.File && e.Size < large {
		return r.bed.WriteFile(at.Path, &e.Entry, []byte(e.content))
	}
	f, err := r.bed.OpenFile(at.Path, &e.Entry)
	if err != nil {
		return err
	}
	defer f.Close()
	half := len(e.content) / 2
	if _, err := f.WriteAt([]byte(e.content[half:]), int64(half)); err != nil {
		return err
	}
	if err := f.Datasync(); err != nil {
		return err
	}
	if _, err := f.WriteAt([]byte(e.content[:half]), 0); err != nil {
		return err
	}
	done := e.Entry
	done.Size = int64(len(e.content))
	if err := f.Finish(&done); err != nil {
		return err
	}
	return f.Datasync()
}

func (r *run) close() {
	r.bed.Close()
	r.ground.Close()
}

// transfer is a whole one.
func transfer(cfg plant.Config, entries []entry) ([]plant.Place, error) {
	r, err := tryBegin(cfg, entries)
	if err != nil {
		return nil, err
	}
	defer r.close()
	if err := r.receive(entries); err != nil {
		return r.places, err
	}
	return r.places, r.bed.Commit()
}

func mustTransfer(t *testing.T, cfg plant.Config, entries []entry) []plant.Place {
	t.Helper()
	places, err := transfer(cfg, entries)
	if err != nil {
		t.Fatal(err)
	}
	return places
}

// wantWhat compares what became of each entry.
func wantWhat(t *testing.T, places []plant.Place, want ...plant.What) {
	t.Helper()
	var got []plant.What
	for _, p := range places {
		got = append(got, p.What)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the entries are %v, want %v (%+v)", got, want, places)
	}
}

// look describes everything below a directory, one line each: mode, time in
// seconds, path, and content or text of a link.
func look(t *testing.T, dir string) []string {
	t.Helper()
	var lines []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		line := fmt.Sprintf("%v %s", info.Mode(), filepath.ToSlash(rel))
		switch {
		case info.Mode().IsRegular():
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			line += " " + short(b)
		case info.Mode()&fs.ModeSymlink != 0:
			text, _ := os.Readlink(p)
			line += " -> " + text
		}
		lines = append(lines, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func short(b []byte) string {
	if len(b) <= 20 {
		return fmt.Sprintf("%q", b)
	}
	if c := b[0]; len(bytes.Trim(b, string(c))) == 0 {
		return fmt.Sprintf("%d*%q", len(b), c)
	}
	return fmt.Sprintf("%q...%d", b[:20], len(b))
}

// wantTree compares what there is with lines of look, in any order.
func wantTree(t *testing.T, dir string, want ...string) {
	t.Helper()
	got := look(t, dir)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("there is\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func wantTime(t *testing.T, p string, e entry) {
	t.Helper()
	info, err := os.Lstat(p)
	if err != nil {
		t.Fatal(err)
	}
	if !info.ModTime().Equal(e.MTime()) {
		t.Errorf("%s has the time %v, want %v", p, info.ModTime(), e.MTime())
	}
}

func writeFile(t *testing.T, p, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	old := time.Unix(1_000_000_000, 0)
	if err := os.Chtimes(p, old, old); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, p string) {
	t.Helper()
	if err := os.MkdirAll(p, 0o755); err != nil {
		t.Fatal(err)
	}
}
