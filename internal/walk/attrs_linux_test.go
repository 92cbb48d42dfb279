package walk

import (
	"errors"
	"os"
	"os/user"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"qft/internal/manifest"
)

func setXattr(t *testing.T, path, name, value string) {
	t.Helper()
	err := unix.Lsetxattr(path, name, []byte(value), 0)
	if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSPC) {
		t.Skipf("cannot set %s here: %v", name, err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestArchiveTellsOwners(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, "t/mine", "t/other", "t/s -> mine")
	if os.Geteuid() == 0 {
		for _, name := range []string{"other", "s"} {
			if err := os.Lchown(dir+"/t/"+name, 54321, 12345); err != nil {
				t.Fatal(err)
			}
		}
	}
	me, err := user.Current()
	if err != nil {
		t.Skip("nobody knows who I am:", err)
	}
	for _, f := range all(t, Config{Paths: []string{dir + "/t"}, Archive: true}) {
		a := f.Attrs
		switch {
		case a == nil || f.Notice != nil:
			t.Fatalf("%s: %v, %v", f.Name, a, f.Notice)
		case os.Geteuid() == 0 && (f.Name == "other" || f.Name == "s"):
			if a.UID != 54321 || a.GID != 12345 || a.User != "" || a.Group != "" {
				t.Errorf("%s: %+v", f.Name, a)
			}
		case a.User != me.Username || strconv.Itoa(int(a.UID)) != me.Uid:
			t.Errorf("%s: %+v, where I am %+v", f.Name, a, me)
		}
	}
}

func TestArchiveTellsXattrs(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, "t/f", "t/g = t/f", "t/plain", "item")
	for _, path := range []string{"t", "t/f", "item"} {
		setXattr(t, dir+"/"+path, "user.z", "of "+path)
		setXattr(t, dir+"/"+path, "user.empty", "")
	}
	for _, f := range all(t, Config{Paths: []string{dir + "/t", dir + "/item"}, Archive: true}) {
		if f.Kind == manifest.Link {
			if f.Attrs != nil {
				t.Error("a link has attributes of its own")
			}
			continue
		}
		var got []string
		for _, x := range f.Attrs.Xattrs {
			if strings.HasPrefix(x.Name, "user.") { // not what the system adds
				got = append(got, x.Name+"="+string(x.Value))
			}
		}
		want := "user.empty= user.z=of " + strings.TrimPrefix(f.Path, dir+"/")
		if f.Name == "plain" {
			want = ""
		}
		if s := strings.Join(got, " "); s != want || f.Notice != nil {
			t.Errorf("%s: %q, want %q, %v", f.Name, s, want, f.Notice)
		}
	}
}

func TestArchiveTellsACLs(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, "f")
	// Version 2; owner rw, user 7 r, group r, mask r, others none (acl(5)).
	acl := "\x02\x00\x00\x00" +
		"\x01\x00\x06\x00\xff\xff\xff\xff" + "\x02\x00\x04\x00\x07\x00\x00\x00" +
		"\x04\x00\x04\x00\xff\xff\xff\xff" + "\x10\x00\x04\x00\xff\xff\xff\xff" + "\x20\x00\x00\x00\xff\xff\xff\xff"
	setXattr(t, dir+"/f", "system.posix_acl_access", acl)
	found := all(t, Config{Paths: []string{dir + "/f"}, Archive: true})[0]
	for _, x := range found.Attrs.Xattrs {
		if x.Name == "system.posix_acl_access" && string(x.Value) == acl {
			return
		}
	}
	t.Errorf("attributes %+v", found.Attrs)
}

func TestArchiveNoticesAttributesThatAreTooLarge(t *testing.T) {
	dir := "/dev/shm" // where attributes may be long
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		t.Skip("no file system in memory here")
	}
	dir, err := os.MkdirTemp(dir, "qft-walk-")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	plant(t, dir, "f")
	setXattr(t, dir+"/f", "user.a", "short")
	setXattr(t, dir+"/f", "user.b", strings.Repeat("x", manifest.MaxAttrs))
	setXattr(t, dir+"/f", "user.c", "short too")
	found := all(t, Config{Paths: []string{dir + "/f"}, Archive: true})[0]
	if n := len(found.Attrs.Xattrs); n != 2 {
		t.Errorf("%d attributes", n)
	}
	if found.Notice == nil || !strings.Contains(found.Notice.Error(), `["user.b"]`) {
		t.Errorf("notice %v", found.Notice)
	}
}
