//go:build linux || darwin || freebsd

package walk

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"qft/internal/manifest"
)

func TestHardLinksAreFoundOnce(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, "t/b/x", "t/a = t/b/x", "t/c = t/b/x", "u/y = t/b/x", "u/z", "out/z = u/z", "one = t/b/x")
	want(t, all(t, Config{Paths: []string{dir + "/t", dir + "/u", dir + "/one"}}),
		"t/", "  a 5", "  b/", "    x = t/a", "  c = t/a",
		"u/", "  y = t/a", "  z 3",
		"one = t/a")
	want(t, all(t, Config{Paths: []string{dir + "/one", dir + "/u"}, Exclude: []string{"z"}}),
		"one 5", "u/", "  y = one")
}

// When all names of a file were found, it needs no more memory.
func TestLinksForgetWhatIsComplete(t *testing.T) {
	var l links
	m := &meta{inode: Inode{Dev: 1, Ino: 2}, nlink: 3}
	path := func() string { return "a" }
	for i, want := range []bool{false, true, true, false} {
		if _, ok := l.find(m, path); ok != want {
			t.Errorf("name %d: known before: %v, want %v", i+1, ok, want)
		}
	}
	if len(l.first) != 1 {
		t.Errorf("%d files are remembered", len(l.first))
	}
}

func TestLinksAreBounded(t *testing.T) {
	var l links
	path := func() string { return "" }
	for i := range uint64(maxLinks + 5) {
		l.find(&meta{inode: Inode{Ino: i}, nlink: 2}, path)
	}
	if len(l.first) != maxLinks {
		t.Errorf("%d files are remembered, not %d", len(l.first), maxLinks)
	}
	if _, ok := l.find(&meta{inode: Inode{Ino: maxLinks + 1}, nlink: 2}, path); ok {
		t.Error("a file is known that there was no room for")
	}
	if _, ok := l.find(&meta{inode: Inode{Ino: 1}, nlink: 2}, path); !ok {
		t.Error("a file is forgotten")
	}
}

func TestNamesStayAsTheyAre(t *testing.T) {
	if runtime.GOOS == "darwin" {
		t.Skip("names are UTF-8 here")
	}
	dir := t.TempDir()
	plant(t, dir, "t/\xff\xfe", "t/line\nfeed", "t/ spaces ", "t/\x01\x7f", "t/e\u0301", "t/\u00e9", "t/back\\slash", "t/-rf", "t/.hidden")
	want(t, all(t, Config{Paths: []string{dir + "/t"}}), "t/",
		"  \x01\x7f 4", "   spaces  10", "  -rf 5", "  .hidden 9", "  back\\slash 12", "  e\u0301 5", "  line\nfeed 11", "  \u00e9 4", "  \xff\xfe 4")
}

func TestSpecialBitsAreTold(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, "t/f")
	for path, mode := range map[string]uint32{"t": 0o3755, "t/f": 0o4711} {
		if err := unix.Chmod(filepath.Join(dir, path), mode); err != nil {
			t.Skip("cannot set such permissions here:", err)
		}
	}
	found := all(t, Config{Paths: []string{dir + "/t"}})
	if found[0].Mode != 0o3755 || found[1].Mode != 0o4711 {
		t.Errorf("modes %o and %o", found[0].Mode, found[1].Mode)
	}
}

// None of these may be opened: that could wait for ever.
func TestSpecialFilesAreProblems(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, "t/a", "t/z")
	if err := unix.Mkfifo(dir+"/t/pipe", 0o600); err != nil {
		t.Fatal(err)
	}
	lines := []string{"t/", "  a 3"}
	if err := unix.Mknod(dir+"/t/null", unix.S_IFCHR|0o600, 0x103); err == nil { // only root may
		lines = append(lines, "  null ! is a device: "+ErrSpecial.Error())
	}
	lines = append(lines, "  pipe ! is a pipe: "+ErrSpecial.Error())
	t.Chdir(dir + "/t") // a socket's path must be short
	if l, err := net.Listen("unix", "sock"); err == nil {
		defer l.Close()
		lines = append(lines, "  sock ! is a socket: "+ErrSpecial.Error())
	}
	found := all(t, Config{Paths: []string{dir + "/t"}})
	want(t, found, append(lines, "  z 3")...)
	for _, f := range found {
		if f.Problem != nil && (!errors.Is(f.Problem, ErrSpecial) || f.Path != filepath.Join(dir, "t", f.Name)) {
			t.Errorf("%s: %v", f.Path, f.Problem)
		}
	}
	if _, err := New(Config{Paths: []string{dir + "/t/pipe"}}); !errors.Is(err, ErrSpecial) {
		t.Errorf("a pipe as an item: %v", err)
	}
}

// chain makes directories, each in the one before, with a file beside each.
func chain(t *testing.T, dir, name string, depth int) {
	t.Helper()
	fd, err := unix.Open(dir, dirFlags, 0)
	for range depth {
		if err != nil {
			t.Fatal(err)
		}
		var file, next int
		if file, err = unix.Openat(fd, "z", unix.O_CREAT|unix.O_WRONLY, 0o644); err == nil {
			_, err = unix.Write(file, []byte("content"))
			unix.Close(file)
		}
		if err == nil {
			err = unix.Mkdirat(fd, name, 0o755)
		}
		if err == nil {
			next, err = unix.Openat(fd, name, dirFlags, 0)
		}
		unix.Close(fd)
		fd = next
	}
	unix.Close(fd)
}

// descriptors is how many this process has open.
func descriptors(t *testing.T) int {
	list, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Skip("no way to count descriptors here:", err)
	}
	return len(list)
}

func TestDeepTreesTakeFewDescriptors(t *testing.T) {
	const depth = 1000
	dir := t.TempDir()
	chain(t, dir, "d", depth)
	before, most := descriptors(t), 0
	w := begin(t, Config{Paths: []string{dir}})
	files := 0
	for {
		found, err := w.Next(1)
		if err != nil {
			break
		}
		f := found[0]
		switch {
		case f.Problem != nil:
			t.Fatalf("depth %d: %v", f.Depth, f.Problem)
		case f.Kind == manifest.File:
			files++
		}
		if f.Depth%50 == 0 {
			most = max(most, descriptors(t))
		}
	}
	if files != depth {
		t.Errorf("%d files, not %d", files, depth)
	}
	if most > before+maxOpen+2 {
		t.Errorf("%d descriptors at most, %d before", most, before)
	}
	w.Close()
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors are left of %d", after, before)
	}
}

// A path of 20,000 bytes cannot be given to any call.
func TestLongPathsAreWalkedAndOpened(t *testing.T) {
	dir := t.TempDir()
	chain(t, dir, strings.Repeat("n", 200), 100)
	files := 0
	for _, f := range all(t, Config{Paths: []string{dir}}) {
		if f.Problem != nil {
			t.Fatalf("depth %d: %v", f.Depth, f.Problem)
		}
		if f.Kind != manifest.File {
			continue
		}
		file, err := Open(f)
		if err != nil {
			t.Fatalf("depth %d: %v", f.Depth, err)
		}
		b := make([]byte, 7)
		if _, err := file.ReadAt(b, 0); err != nil || string(b) != "content" {
			t.Errorf("depth %d: read %q, %v", f.Depth, b, err)
		}
		file.Close()
		files++
	}
	if files != 100 {
		t.Errorf("%d files", files)
	}
}

func TestTooDeepIsAProblem(t *testing.T) {
	dir := t.TempDir()
	chain(t, dir, "d", manifest.MaxDepth+5)
	var problems []Found
	depth := 0
	for _, f := range all(t, Config{Paths: []string{dir}}) {
		if f.Problem != nil {
			problems = append(problems, f)
			continue
		}
		depth = max(depth, f.Depth)
	}
	if len(problems) != 1 || !errors.Is(problems[0].Problem, errTooDeep) || depth != manifest.MaxDepth {
		t.Errorf("depth %d, problems %v", depth, show(problems))
	}
}

func TestDirectoryRemovedWhileOpenIsLeftOut(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, "t/d/", "t/e")
	w := begin(t, Config{Paths: []string{dir + "/t"}})
	one(t, w, "t")
	d, err := openItem(dir + "/t/d")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(dir + "/t/d"); err != nil {
		t.Fatal(err)
	}
	f := Found{Entry: manifest.Entry{Name: "d", Depth: 1}, Path: dir + "/t/d"}
	if w.w.enter(&f, d, nil) && f.Problem != nil {
		t.Errorf("found %v", show([]Found{f}))
	}
	want(t, rest(t, w), "  e 3")
}

func TestSwappedDirectoryDoesNotLeadOut(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, "t/d/a", "t/d/b", "out/a", "out/b", "out/d/secret")
	w := begin(t, Config{Paths: []string{dir + "/t"}})
	one(t, w, "t")
	one(t, w, "d")
	if err := os.Rename(dir+"/t/d", dir+"/away"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../out", dir+"/t/d"); err != nil {
		t.Fatal(err)
	}
	found := rest(t, w)
	want(t, found, "    a 5", "    b 5") // what was in d, not what is in out
	for _, f := range found {
		if _, err := Open(f); !errors.Is(err, ErrChanged) {
			t.Errorf("opening %s: %v", f.Name, err)
		}
	}
	d, err := openItem(dir + "/t")
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if _, err := d.open("d"); !errors.Is(err, ErrChanged) {
		t.Errorf("opening a symlink as a directory: %v", err)
	}
}

// The directories above are closed in a deep tree; what is found in their place
// on the way back must be what was there.
func TestSwappedParentDoesNotLeadOut(t *testing.T) {
	for _, test := range []struct {
		what  string
		swap  func(dir string) error
		moved bool // what is left of the directory cannot be found
	}{
		{"untouched", func(string) error { return nil }, false},
		{"renamed", func(dir string) error { return os.Rename(dir+"/d", dir+"/e") }, false},
		{"replaced by a symlink", func(dir string) error {
			if err := os.Rename(dir+"/d", dir+"/../e"); err != nil {
				return err
			}
			return os.Symlink("../out", dir+"/d")
		}, false},
		{"child moved away", func(dir string) error { return os.Rename(dir+"/d/d", dir+"/../e") }, false},
		{"child and parent moved away", func(dir string) error {
			if err := os.Rename(dir+"/d/d", dir+"/../e"); err != nil {
				return err
			}
			if err := os.Rename(dir+"/d", dir+"/../f"); err != nil {
				return err
			}
			return os.Symlink("../out", dir+"/d")
		}, true},
	} {
		dir := t.TempDir()
		plant(t, dir, "out/z", "out/secret")
		plant(t, dir, "t/")
		chain(t, dir+"/t", "d", maxOpen+10)
		w := begin(t, Config{Paths: []string{dir + "/t"}})
		for range maxOpen + 11 {
			if _, err := w.Next(1); err != nil {
				t.Fatal(err)
			}
		}
		if err := test.swap(dir + "/t"); err != nil {
			t.Fatal(err)
		}
		files, lost := 0, 0
		for _, f := range rest(t, w) {
			switch {
			case f.Problem != nil && f.Name == "d" && f.Depth == 1 && errors.Is(f.Problem, ErrChanged):
				lost++
			case f.Name != "z" || f.Size != 7:
				t.Errorf("%s: found %v", test.what, show([]Found{f}))
			default:
				files++
			}
		}
		if files+lost != maxOpen+10 || lost > 0 != test.moved {
			t.Errorf("%s: %d files, %d lost", test.what, files, lost)
		}
	}
}

func TestUnreadableIsAProblem(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, "t/a", "t/b", "t/c/x", "t/d/x", "t/e/")
	for path, mode := range map[string]os.FileMode{"t/b": 0, "t/c": 0, "t/d": 0o444} {
		if err := os.Chmod(filepath.Join(dir, path), mode); err != nil {
			t.Fatal(err)
		}
	}
	defer os.Chmod(dir+"/t/c", 0o755)
	defer os.Chmod(dir+"/t/d", 0o755)
	asNobody(t, dir, func() {
		want(t, all(t, Config{Paths: []string{dir + "/t"}}),
			"t/", "  a 3", "  b ! permission denied", "  c ! permission denied",
			"  d/", "    x ! permission denied", "  e/")
		for _, name := range []string{"b", "c"} {
			if _, err := New(Config{Paths: []string{dir + "/t/" + name}}); !errors.Is(err, os.ErrPermission) {
				t.Errorf("%s as an item: %v", name, err)
			}
		}
	})
}

func TestIgnoreFileThatCannotBeReadStopsItsDirectory(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, "t/a/.gitignore", "t/a/secret", "t/b/.gitignore", "t/b/secret", "t/c/x")
	if err := os.Chmod(dir+"/t/a/.gitignore", 0); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/t/b/.gitignore", make([]byte, maxIgnore+1), 0o644); err != nil {
		t.Fatal(err)
	}
	asNobody(t, dir, func() {
		want(t, all(t, Config{Paths: []string{dir + "/t"}, GitIgnore: true}), "t/",
			"  a ! its .gitignore cannot be read: permission denied",
			"  b ! its .gitignore cannot be read: it has more than "+strconv.Itoa(maxIgnore)+" bytes",
			"  c/", "    x 5")
	})
}
