package walk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"qft/internal/manifest"
)

// plant makes a tree below dir. A name that ends in a slash is a directory; one
// with " -> " in it a symlink; one with " = " a hard link; all others are files
// whose content is their path.
func plant(t testing.TB, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		name, symlink, isSymlink := strings.Cut(name, " -> ")
		name, other, isLink := strings.Cut(name, " = ")
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		switch {
		case err != nil:
		case isSymlink:
			err = os.Symlink(symlink, path)
		case isLink:
			err = os.Link(filepath.Join(dir, other), path)
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(path, 0o755)
		default:
			err = os.WriteFile(path, []byte(name), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// begin starts a walk that ends with the test.
func begin(t *testing.T, cfg Config) *Walk {
	t.Helper()
	w, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

// rest takes what is left of a walk, and checks that a receiver takes it.
func rest(t *testing.T, w *Walk) []Found {
	t.Helper()
	var all []Found
	for {
		found, err := w.Next(3)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || len(found) == 0 || len(found) > 3 {
			t.Fatalf("Next returned %d, %v", len(found), err)
		}
		all = append(all, found...)
	}
	if _, err := w.Next(1); !errors.Is(err, io.EOF) {
		t.Errorf("behind the end, Next returned %v", err)
	}
	return all
}

// all goes through a whole walk.
func all(t *testing.T, cfg Config) []Found {
	t.Helper()
	found := rest(t, begin(t, cfg))
	var o manifest.Order
	for _, f := range found {
		if f.Problem != nil {
			continue
		}
		if _, err := o.Next(&f.Entry); err != nil {
			t.Error(err)
		}
		if _, _, err := manifest.Parse(manifest.Append(nil, &f.Entry)); err != nil {
			t.Error(err)
		}
	}
	return found
}

// one takes the next thing of a walk, which is to have a name.
func one(t *testing.T, w *Walk, name string) Found {
	t.Helper()
	found, err := w.Next(1)
	if err != nil || len(found) != 1 || found[0].Name != name {
		t.Fatalf("Next returned %v, %v, want %s", show(found), err, name)
	}
	return found[0]
}

// show writes what was found, one a line, as plant takes it.
func show(found []Found) []string {
	var lines []string
	for _, f := range found {
		line := strings.Repeat("  ", f.Depth) + f.Name
		switch {
		case f.Problem != nil:
			line += " ! " + f.Problem.Error()
		case f.Kind == manifest.Dir:
			line += "/"
		case f.Kind == manifest.Symlink:
			line += " -> " + f.Target
		case f.Kind == manifest.Link:
			line += " = " + f.Target
		case f.Kind == manifest.File:
			line += fmt.Sprintf(" %d", f.Size)
		}
		lines = append(lines, line)
	}
	return lines
}

// want compares what was found with its lines.
func want(t *testing.T, found []Found, lines ...string) {
	t.Helper()
	if got := show(found); !slices.Equal(got, lines) {
		t.Errorf("found\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(lines, "\n\t"))
	}
}
