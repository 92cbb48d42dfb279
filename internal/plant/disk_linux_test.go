package plant_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"qft/internal/manifest"
	"qft/internal/plant"
)

// mount mounts a small file system for a test, or skips it.
func mount(t *testing.T, dir, options string) {
	t.Helper()
	if err := syscall.Mount("none", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("mounting a small tmpfs needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error("files were left open: ", err)
		}
	})
}

// TestAsAnOrdinaryUser runs the tests again as one, for whom modes count.
func TestAsAnOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("this is one")
	}
	dir, err := os.MkdirTemp("", "plant")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	const nobody = 65534
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	self := filepath.Join(dir, "test")
	if err := errors.Join(os.WriteFile(self, program, 0o755), os.Chmod(dir, 0o755), os.Mkdir(filepath.Join(dir, "tmp"), 0o755),
		os.Chown(filepath.Join(dir, "tmp"), nobody, nobody)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.short")
	cmd.Dir = filepath.Join(dir, "tmp")
	cmd.Env = append(os.Environ(), "TMPDIR="+cmd.Dir, "HOME="+cmd.Dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestDirectoriesThatCannotBeWrittenTo(t *testing.T) {
	dir := t.TempDir()
	entries := []entry{
		dirEntry("t").with(func(e *manifest.Entry) { e.Mode = 0o555 }),
		fileEntry("t/a", "a").with(func(e *manifest.Entry) { e.Mode = 0o444 }),
		dirEntry("t/in").with(func(e *manifest.Entry) { e.Mode = 0o500 }),
		fileEntry("t/in/b", "b"),
		dirEntry("t/in/none").with(func(e *manifest.Entry) { e.Mode = 0 }),
		symlinkEntry("t/in/s", "b"),
		linkEntry("t/z", "t/in/b"),
	}
	unlock := func() {
		filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
			if d.IsDir() {
				os.Chmod(p, 0o700)
			}
			return nil
		})
	}
	t.Cleanup(unlock)
	r := begin(t, plant.Config{Dir: dir}, entries)
	if err := r.receive(entries); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "t"), "in the way") // so that Commit comes as far as it can
	if err := r.bed.Commit(); err == nil {
		t.Fatal("nothing was in the way")
	}
	r.close()
	os.Remove(filepath.Join(dir, "t"))
	mustTransfer(t, plant.Config{Dir: dir}, entries)
	for i, mode := range []os.FileMode{0o555, 0o444, 0o500, 0o644, 0} {
		p := filepath.Join(dir, entries[i].path)
		info, err := os.Lstat(p)
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", p, info, err)
		}
		wantTime(t, p, entries[i])
	}
	unlock()

	t.Run("and their beds can be removed", func(t *testing.T) {
		r := begin(t, plant.Config{Dir: dir, Name: "u"}, entries)
		if err := r.receive(entries); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, "u"), "in the way")
		r.bed.Commit()
		if err := r.bed.Discard(); err != nil {
			t.Error(err)
		}
		r.close()
		if got := look(t, dir); len(got) != 8 {
			t.Error(got)
		}
	})
}

func TestFullDiskSaysHowMuchIsMissing(t *testing.T) {
	dir := t.TempDir()
	mount(t, dir, "size=4m")
	r := begin(t, plant.Config{Dir: dir}, []entry{dirEntry("t")})
	defer r.close()
	big := fileEntry("t/big", "")
	big.Size = 6 << 20
	if err := r.receive([]entry{dirEntry("t")}); err != nil {
		t.Fatal(err)
	}
	at, err := r.bed.Place("t", big.Entry)
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.bed.OpenFile(at.Path, &big.Entry)
	var e *plant.Error
	if !errors.Is(err, syscall.ENOSPC) || !errors.As(err, &e) || e.Missing < 2<<20 || e.Missing > 3<<20 {
		t.Errorf("a large file: %v", err)
	}
	if free, known := r.bed.Free(); !known || free < 3<<20 {
		t.Errorf("%d bytes are free", free)
	}
	small := fileEntry("t/small", strings.Repeat("s", 5<<20))
	err = r.bed.WriteFile("t/small", &small.Entry, []byte(small.content))
	if !errors.Is(err, syscall.ENOSPC) || !errors.As(err, &e) || !strings.Contains(err.Error(), "t/small") || !strings.Contains(err.Error(), "more are needed") {
		t.Errorf("a small file: %v", err)
	}
	if free, _ := r.bed.Free(); free < 3<<20 {
		t.Error("half a file was left")
	}
}

// TestMergingIntoAnotherDisk: a directory of the target can be a mount point.
func TestMergingIntoAnotherDisk(t *testing.T) {
	dir := t.TempDir()
	mkdir(t, filepath.Join(dir, "photos/2024"))
	mount(t, filepath.Join(dir, "photos/2024"), "size=4m,mode=755")
	writeFile(t, filepath.Join(dir, "photos/2024/mine"), "mine")
	entries := []entry{
		dirEntry("photos"), dirEntry("photos/2024"),
		fileEntry("photos/2024/a.jpg", "aaa").with(func(e *manifest.Entry) { e.Mode = 0o400 }),
		dirEntry("photos/2024/d").with(func(e *manifest.Entry) { e.Mode = 0o555 }),
		fileEntry("photos/2024/d/x", "x"),
		symlinkEntry("photos/2024/s", "a.jpg"),
		linkEntry("photos/z", "photos/2024/a.jpg"),
	}
	mustTransfer(t, plant.Config{Dir: dir}, entries)
	wantTree(t, dir, "drwxr-xr-x photos", "drwxr-xr-x photos/2024", `-r-------- photos/2024/a.jpg "aaa"`, "dr-xr-xr-x photos/2024/d",
		`-rw-r--r-- photos/2024/d/x "x"`, `-rw-r--r-- photos/2024/mine "mine"`, "Lrwxrwxrwx photos/2024/s -> a.jpg", `-r-------- photos/z "aaa"`)
	wantTime(t, filepath.Join(dir, "photos/2024/a.jpg"), entries[2])
	wantTime(t, filepath.Join(dir, "photos/2024/d"), entries[3])
	places := mustTransfer(t, plant.Config{Dir: dir}, entries)
	wantWhat(t, places, plant.Made, plant.Made, plant.Same, plant.Made, plant.Same, plant.Same, plant.Same)
}

func TestReadOnlyDirectoryIsToldBeforeAnybodyWaits(t *testing.T) {
	dir := t.TempDir()
	mount(t, dir, "size=1m,ro")
	if _, err := plant.Open(plant.Config{Dir: dir}); !errors.Is(err, syscall.EROFS) {
		t.Error(err)
	}
}

func TestHolesStayHoles(t *testing.T) {
	dir := t.TempDir()
	content := bytes.Repeat([]byte{0}, 4<<20)
	copy(content[1<<20:], bytes.Repeat([]byte("x"), 300<<10))
	copy(content[3<<20+4096:], "one more")
	e := fileEntry("f", string(content))
	e.Sparse = true
	for _, again := range []bool{false, true} {
		r := begin(t, plant.Config{Dir: dir}, []entry{e})
		at, err := r.bed.Place("", e.Entry)
		if err != nil || (at.What == plant.Part) != again {
			t.Fatal(at, err)
		}
		f, err := r.bed.OpenFile(at.Path, &e.Entry)
		if err != nil {
			t.Fatal(err)
		}
		if !again { // an earlier run writes nonsense, which nobody vouches for
			if _, err := f.WriteAt(bytes.Repeat([]byte("y"), 2<<20), 1<<20); err != nil {
				t.Fatal(err)
			}
			f.Close()
			r.close()
			continue
		}
		if err := f.Hole(0, 1<<20); err != nil {
			t.Fatal(err)
		}
		for off := 1 << 20; off < len(content); off += 128 << 10 {
			if _, err := f.WriteSparse(content[off:off+128<<10], int64(off)); err != nil {
				t.Fatal(err)
			}
		}
		// A block that came wrong the first time comes again.
		if _, err := f.WriteSparse(bytes.Repeat([]byte("z"), 1<<20), 2<<20); err != nil {
			t.Fatal(err)
		}
		if err := f.Hole(2<<20, 1<<20); err != nil {
			t.Fatal(err)
		}
		if err := f.Finish(&e.Entry); err != nil {
			t.Fatal(err)
		}
		f.Close()
		if err := r.bed.Commit(); err != nil {
			t.Fatal(err)
		}
		r.close()
	}
	got, err := os.ReadFile(filepath.Join(dir, "f"))
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("the content differs: %v", err)
	}
	info, _ := os.Stat(filepath.Join(dir, "f"))
	if space := info.Sys().(*syscall.Stat_t).Blocks * 512; space > 400<<10 {
		t.Errorf("it takes %d bytes", space)
	}
}

func TestArchiveKeepsOwnersAndAttributes(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Setxattr(dir, "user.test", []byte("v"), 0); err != nil {
		t.Skip(err)
	}
	syscall.Removexattr(dir, "user.test")
	attrs := &manifest.Attrs{UID: 12345, GID: 23456, User: "root", Xattrs: []manifest.Xattr{{Name: "user.test", Value: []byte("v")}, {Name: "nonsense", Value: []byte("n")}}}
	entries := []entry{
		dirEntry("t").with(func(e *manifest.Entry) { e.Attrs, e.Mode = attrs, 0o2755 }),
		fileEntry("t/f", "f").with(func(e *manifest.Entry) { e.Attrs, e.Mode = attrs, 0o4755 }),
		symlinkEntry("t/s", "f").with(func(e *manifest.Entry) { e.Attrs = attrs }),
	}
	for _, archive := range []bool{false, true} {
		r := begin(t, plant.Config{Dir: dir, Archive: archive, Existing: plant.Rename}, entries)
		if err := r.receive(entries); err != nil {
			t.Fatal(err)
		}
		if err := r.bed.Commit(); err != nil {
			t.Fatal(err)
		}
		notes := r.bed.Notes()
		r.close()
		root := os.Geteuid() == 0
		var st syscall.Stat_t
		p := filepath.Join(dir, r.places[1].Path)
		if err := syscall.Lstat(p, &st); err != nil {
			t.Fatal(err)
		}
		value := make([]byte, 10)
		n, _ := syscall.Getxattr(p, "user.test", value)
		if kept := string(value[:max(n, 0)]) == "v"; kept != archive {
			t.Errorf("archive %v: the attribute was kept: %v", archive, kept)
		}
		if setuid := st.Mode&0o4000 != 0; setuid != (archive && root) {
			t.Errorf("archive %v: setuid was kept: %v", archive, setuid)
		}
		if archive && root && (st.Uid != 0 || st.Gid != 23456) {
			t.Errorf("the owner is %d:%d", st.Uid, st.Gid)
		}
		if noted := slices.ContainsFunc(notes, func(s string) bool {
			return strings.Contains(s, "extended attributes") && strings.Contains(s, "1 more")
		}); noted != archive {
			t.Errorf("archive %v: the notes are %q", archive, notes)
		}
	}
}

func TestOtherUsersBedIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir := t.TempDir()
	r := begin(t, plant.Config{Dir: dir}, photos())
	r.close()
	bed := filepath.Join(dir, ".photos.qft-part")
	if err := os.Chown(bed, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	if _, err := tryBegin(plant.Config{Dir: dir}, photos()); !errors.Is(err, plant.ErrForeign) {
		t.Error(err)
	}
	if err := os.Chown(dir, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	r, err := tryBegin(plant.Config{Dir: dir}, photos())
	if err != nil {
		t.Fatalf("what belongs to the directory's owner: %v", err)
	}
	r.close()
}
