package manifest

import (
	"strings"
	"testing"
)

func TestOrderTellsDirectories(t *testing.T) {
	var o Order
	for _, step := range []struct {
		kind  Kind
		depth int
		name  string
		dir   string
		err   string // a part of it
	}{
		{File, 0, "notes.txt", "", ""},
		{File, 1, "x", "", "depth 1, where 0 is the most"},
		{Dir, 0, "photos", "", ""},
		{File, 1, "a", "photos", ""},
		{Symlink, 1, "s", "photos", ""},
		{File, 2, "x", "", "depth 2, where 1 is the most"},
		{Dir, 1, "empty", "photos", ""},
		{Dir, 1, "2024", "photos", ""},
		{Dir, 2, "05", "photos/2024", ""},
		{File, 3, "b", "photos/2024/05", ""},
		{Link, 3, "c", "photos/2024/05", ""},
		{File, 5, "x", "", "depth 5"},
		{File, 1, "z", "photos", ""},
		{File, 2, "x", "", "depth 2"}, // photos/2024 is over
		{Dir, 0, "photos", "", ""},    // again: whether that may be is for others to say
		{File, -1, "x", "", "depth -1"},
		{File, 1, "a", "photos", ""},
		{Stream, 0, "-", "", ""},
		{File, 1, "x", "", "depth 1"},
	} {
		dir, err := o.Next(&Entry{Kind: step.kind, Depth: step.depth, Name: step.name})
		switch {
		case err == nil && (step.err != "" || dir != step.dir):
			t.Errorf("%s at %d: directory %q, want %q, error %q", step.name, step.depth, dir, step.dir, step.err)
		case err != nil && (step.err == "" || !strings.Contains(err.Error(), step.err)):
			t.Errorf("%s at %d: error %q, want %q", step.name, step.depth, err, step.err)
		}
	}
}

func TestOrderBoundsPaths(t *testing.T) {
	var o Order
	name := strings.Repeat("d", MaxName-1)
	depth := 0
	for ; (depth+1)*MaxName <= MaxPath; depth++ {
		if _, err := o.Next(&Entry{Kind: Dir, Depth: depth, Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	dir, err := o.Next(&Entry{Kind: File, Depth: depth, Name: name})
	if err != nil || len(dir) != MaxPath-1 {
		t.Fatalf("a directory of %d bytes, %v", len(dir), err)
	}
	if _, err := o.Next(&Entry{Kind: Dir, Depth: depth, Name: name}); err == nil {
		t.Error("a path without end")
	}
}

// A million files in a directory must not cost a million copies of its path.
func TestOrderOfSiblingsAllocatesNothing(t *testing.T) {
	var o Order
	for depth, name := range []string{"a", "b", "c"} {
		if _, err := o.Next(&Entry{Kind: Dir, Depth: depth, Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	e := &Entry{Kind: File, Depth: 3, Name: "x"}
	if n := testing.AllocsPerRun(100, func() { o.Next(e) }); n > 0 {
		t.Errorf("%v allocations for each", n)
	}
}

func TestKeyKnowsVersionsApart(t *testing.T) {
	base := Entry{Kind: File, Name: "a", Size: 1, Sec: 2, Nsec: 3, Mode: 0o644}
	keys := map[[16]byte]string{Key("d/a", &base): "the first"}
	for what, change := range map[string]func(e *Entry){
		"kind":        func(e *Entry) { e.Kind = Link },
		"size":        func(e *Entry) { e.Size++ },
		"seconds":     func(e *Entry) { e.Sec++ },
		"nanoseconds": func(e *Entry) { e.Nsec++ },
	} {
		e := base
		change(&e)
		if other, ok := keys[Key("d/a", &e)]; ok {
			t.Errorf("%s: the key of %s", what, other)
		}
		keys[Key("d/a", &e)] = what
	}
	if _, ok := keys[Key("d/b", &base)]; ok {
		t.Error("another path has the same key")
	}
	base.Mode = 0o600
	if keys[Key("d/a", &base)] != "the first" {
		t.Error("permissions change the key")
	}
}
