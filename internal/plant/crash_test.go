package plant_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"qft/internal/manifest"
	"qft/internal/plant"
	"qft/internal/plant/faulty"
)

// scenario is a transfer onto a simulated disk.
type scenario struct {
	opt     faulty.Options
	cfg     plant.Config
	before  []entry // what is there
	entries []entry
	want    map[string]string // what is there in the end: paths, modes and contents
	step    int               // between the calls that are tried, if not 1
}

func scenarios() map[string]scenario {
	tree := func(root string) map[string]string {
		return map[string]string{
			root:                 "drwxr-xr-x ",
			root + "/2024":       "drwxr-xr-x ",
			root + "/2024/a.jpg": "-r-------- aaa",
			root + "/2024/big":   "-rw-r--r-- " + strings.Repeat("b", 3*large),
			root + "/empty":      "dr-xr-xr-x ",
			root + "/none":       "-rw-r--r-- ",
			root + "/same":       "-r-------- aaa",
			root + "/way":        "Lrwxrwxrwx 2024/a.jpg",
			root + "/z":          "-rw-r--r-- zz",
		}
	}
	with := func(m map[string]string, more ...string) map[string]string {
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	locked := photos()
	locked[0].Mode = 0o555
	locked[1].Mode = 0o500
	lockedTree := with(tree("photos"), "photos", "dr-xr-xr-x ", "photos/2024", "dr-x------ ")
	many, manyTree := []entry{dirEntry("t")}, map[string]string{"t": "drwxr-xr-x "}
	for i := range 40 {
		d := fmt.Sprintf("t/%02d", i)
		many = append(many, dirEntry(d).with(func(e *manifest.Entry) { e.Mode = 0o750 }), fileEntry(d+"/f", d))
		manyTree[d], manyTree[d+"/f"] = "drwxr-x--- ", "-rw-r--r-- "+d
	}
	someOld, merged := []entry{dirEntry("t"), dirEntry("t/00"), fileEntry("t/00/f", "older")}, maps.Clone(manyTree)
	for i := range 20 {
		d := fmt.Sprintf("t/%02d", i)
		merged[d] = "drwxr-xr-x "
		if i > 0 {
			someOld = append(someOld, dirEntry(d))
		}
	}
	old := []entry{dirEntry("photos"), dirEntry("photos/2024"), fileEntry("photos/2024/a.jpg", "old"),
		fileEntry("photos/2024/mine", "mine"), symlinkEntry("photos/way", "elsewhere")}
	for i := range old {
		old[i].Sec -= 1000
	}
	return map[string]scenario{
		"a tree":           {entries: photos(), want: tree("photos")},
		"many directories": {entries: many, want: manyTree, step: 11},
		"many directories, merged": {cfg: plant.Config{Existing: plant.Overwrite}, before: someOld, entries: many,
			want: merged, step: 11},
		"without syncfs":            {opt: faulty.Options{NoSyncAll: true}, entries: photos(), want: tree("photos")},
		"without exclusive renames": {opt: faulty.Options{NoRenameNew: true}, entries: photos(), want: tree("photos")},
		"on FAT": {opt: faulty.Options{NoSyncAll: true, NoRenameNew: true, NoLinks: true, NoPunch: true, Fold: true, Strict: true, Grain: 2 * time.Second},
			entries: photos(), want: tree("photos")},
		"a tree that cannot be written to": {entries: locked, want: lockedTree},
		"over an older one": {cfg: plant.Config{Existing: plant.Overwrite}, before: old, entries: photos(),
			want: with(tree("photos"), "photos/2024/mine", "-rw-r--r-- mine")},
		"over an older one, without help": {opt: faulty.Options{NoSyncAll: true, NoRenameNew: true}, cfg: plant.Config{Existing: plant.Overwrite},
			before: old, entries: photos(), want: with(tree("photos"), "photos/2024/mine", "-rw-r--r-- mine")},
		"beside an older one": {cfg: plant.Config{Existing: plant.Skip}, before: old, entries: photos(),
			want: with(tree("photos"), "photos/2024/mine", "-rw-r--r-- mine", "photos/2024/a.jpg", "-rw-r--r-- old",
				"photos/way", "Lrwxrwxrwx elsewhere", "photos/same", "")},
		"next to an older one": {cfg: plant.Config{Existing: plant.Rename}, before: old, entries: photos(),
			want: with(tree("photos (2)"), "photos", "drwxr-xr-x ", "photos/2024", "drwxr-xr-x ", "photos/2024/a.jpg", "-rw-r--r-- old",
				"photos/2024/mine", "-rw-r--r-- mine", "photos/way", "Lrwxrwxrwx elsewhere")},
		"files": {entries: []entry{fileEntry("a", "a"), fileEntry("b", strings.Repeat("b", 2*large)), fileEntry("c", "")},
			want: map[string]string{"a": "-rw-r--r-- a", "b": "-rw-r--r-- " + strings.Repeat("b", 2*large), "c": "-rw-r--r-- "}},
		"a file with another name": {cfg: plant.Config{Name: "x", Existing: plant.Overwrite}, entries: []entry{fileEntry("a", strings.Repeat("b", 2*large))},
			want: map[string]string{"x": "-rw-r--r-- " + strings.Repeat("b", 2*large)}},
	}
}

// disk makes a scenario's disk, with what is there before.
func (s scenario) disk(t *testing.T, seed uint64) *faulty.Disk {
	t.Helper()
	d := faulty.New(seed, s.opt)
	for _, e := range s.before {
		in := d.FS()
		var err error
		if e.Depth > 0 {
			for name := range strings.SplitSeq(e.dir(), "/") {
				if in, err = in.Open(name); err != nil {
					t.Fatal(err)
				}
			}
		}
		switch e.Kind {
		case manifest.Dir:
			err = in.Mkdir(e.Name)
		case manifest.Symlink:
			err = in.Symlink(e.Target, e.Name)
		default:
			var f plant.File
			if f, err = in.OpenFile(e.Name, os.O_RDWR|os.O_CREATE|os.O_EXCL); err == nil {
				f.WriteAt([]byte(e.content), 0)
				f.Close()
			}
		}
		if err == nil && e.Kind != manifest.Symlink {
			err = in.Chmod(e.Name, fs.FileMode(e.Mode))
		}
		if err == nil {
			err = in.SetTime(e.Name, e.MTime())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	d.Settle()
	return d
}

func (s scenario) run(d *faulty.Disk) error {
	cfg := s.cfg
	cfg.FS = d.FS()
	_, err := transfer(cfg, s.entries)
	return err
}

// These say that everything is in place, but the bed was not removed, or only
// its directory is left.
var (
	errBed  = errors.New("there is a bed")
	errBare = errors.New("there is an empty bed")
)

// check compares what is on the disk with what may be there: what was there
// before, or what comes, and nothing of a bed unless half is set.
func (s scenario) check(d *faulty.Disk, half bool) error {
	before := make(map[string]string)
	for _, e := range s.before {
		before[e.path] = e.content + e.Target
	}
	got := make(map[string]string)
	var err error
	d.Each(func(p string, mode fs.FileMode, _ time.Time, content []byte) {
		if strings.HasPrefix(p, ".") {
			if !half {
				if err = errBare; strings.Contains(p, "/") {
					err = errBed
				}
			}
			return
		}
		got[p] = fmt.Sprintf("%v %s", mode, content)
		old, was := before[p]
		now, is := s.want[p]
		if _, now, _ := strings.Cut(now, " "); half && !(was && old == string(content)) && !(is && now == string(content)) {
			err = fmt.Errorf("%s has the content %.40q", p, content)
		}
	})
	if half {
		return err
	}
	want := maps.Clone(s.want)
	maps.DeleteFunc(want, func(_, v string) bool { return v == "" })
	if !maps.Equal(got, want) {
		return fmt.Errorf("there is %s\nwant     %s", brief(got), brief(want))
	}
	return err
}

func brief(m map[string]string) string {
	var lines []string
	for _, p := range slices.Sorted(maps.Keys(m)) {
		lines = append(lines, fmt.Sprintf("%s: %.30s", p, m[p]))
	}
	return strings.Join(lines, "; ")
}

// TestPowerMayFailAtAnyCall lets the power fail at each call in turn, and again
// in the run that continues, and then completes the transfer. At no time there
// may be anything but whole files under their names, and what Commit said to be
// in place must stay there.
func TestPowerMayFailAtAnyCall(t *testing.T) {
	seeds := uint64(3)
	if testing.Short() {
		seeds = 1
	}
	for name, s := range scenarios() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range seeds {
				for n, more := 1+int(seed), true; more; n += max(s.step, 1) {
					d := s.disk(t, seed<<32+uint64(n))
					var err error
					if more, err = s.survive(d, n); err != nil {
						t.Fatalf("seed %d, call %d: %v", seed, n, err)
					}
				}
			}
		})
	}
}

// survive is one story of power failures. It reports whether the first of them
// happened at all.
func (s scenario) survive(d *faulty.Disk, n int) (failed bool, err error) {
	for again, at := range []int{n, max(n/3, 1), max(n/5, 1), 1 << 30} {
		d.Fail(faulty.Fault{At: at, Short: n%2 == 0})
		err := s.run(d)
		now := d.Failed()
		failed = failed || again == 0 && now
		if err != nil && !now {
			return failed, fmt.Errorf("run %d: %w", again, err)
		}
		d.Crash()
		if err != nil {
			if err := s.check(d, true); err != nil {
				return failed, fmt.Errorf("after run %d: %w", again, err)
			}
			continue
		}
		err = s.check(d, false)
		switch {
		case errors.Is(err, errBare) && now:
			err = nil // the very last step was lost; what is there is told by nothing any more
		case errors.Is(err, errBed) && now:
			if err = s.run(d); err == nil {
				err = s.check(d, false)
			}
		}
		if err != nil {
			return failed, fmt.Errorf("after run %d: %w", again, err)
		}
		return failed, nil
	}
	return failed, errors.New("it did not end")
}

// TestEachDiskCallMayFail lets each call in turn fail, and then continues on a
// disk that works.
func TestEachDiskCallMayFail(t *testing.T) {
	for name, s := range scenarios() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, fault := range []error{syscall.EIO, syscall.ENOSPC} {
				for n, failed := 1, true; failed; n += max(s.step, 1) {
					d := s.disk(t, uint64(n))
					d.Fail(faulty.Fault{At: n, Err: fault, Short: n%2 == 0})
					err := s.run(d)
					failed = d.Failed()
					d.Fail(faulty.Fault{})
					if err != nil {
						if !errors.Is(err, fault) {
							t.Fatalf("%v at call %d: %v", fault, n, err)
						}
						if err := s.check(d, true); err != nil {
							t.Fatalf("%v at call %d: %v", fault, n, err)
						}
						if err := s.run(d); err != nil {
							t.Fatalf("%v at call %d: then: %v", fault, n, err)
						}
					}
					if err := s.check(d, false); err != nil && !errors.Is(err, errBed) && !errors.Is(err, errBare) {
						t.Fatalf("%v at call %d: %v", fault, n, err)
					}
				}
			}
		})
	}
}
