package manifest

import (
	"bytes"
	"encoding/hex"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

// samples are entries of all kinds, some at the limits.
func samples() []Entry {
	return []Entry{
		{Kind: Dir, Name: "photos", Mode: 0o755, Sec: 1700000000, Nsec: 999999999},
		{Kind: File, Depth: 1, Name: "a.jpg", Mode: 0o644, Sec: 1700000000, Size: 12345},
		{Kind: File, Depth: 1, Name: "b", Size: MaxSize, Sparse: true, Mode: 0o7777},
		{Kind: File, Name: "\xff\xfe\n\\: not UTF-8"},
		{Kind: File, Name: strings.Repeat("n", MaxName), Depth: MaxDepth, Sec: math.MinInt64},
		{Kind: File, Name: "...", Sec: math.MaxInt64},
		{Kind: File, Name: "old", Sec: -1, Nsec: 1},
		{Kind: Symlink, Depth: 3, Name: "s", Target: "../../\xff//.."},
		{Kind: Symlink, Name: "s", Target: strings.Repeat("t", MaxTarget)},
		{Kind: Link, Depth: 1, Name: "c", Target: "photos/a.jpg"},
		{Kind: Stream, Name: "backup.tar"},
		{Kind: Dir, Name: "d", Attrs: &Attrs{}},
		{Kind: File, Name: "x", Attrs: &Attrs{
			UID: math.MaxUint32, GID: 1000, User: "ada", Group: "staff",
			Xattrs: []Xattr{{"user.empty", []byte{}}, {"security.capability", []byte{1, 0, 2}}},
		}},
	}
}

func TestParseReturnsWhatAppendTook(t *testing.T) {
	var all []byte
	for _, e := range samples() {
		all = Append(all, &e)
	}
	for _, want := range samples() {
		e, rest, err := Parse(all)
		if err != nil {
			t.Fatalf("%.20q: %v", want.Name, err)
		}
		if !reflect.DeepEqual(e, want) {
			t.Errorf("got %+v\nwant %+v", e, want)
		}
		all = rest
	}
	if len(all) > 0 {
		t.Errorf("%d bytes are left", len(all))
	}
}

// The bytes are what both sides hash, and what other versions must read.
func TestEncodingStaysAsDocumented(t *testing.T) {
	for _, test := range []struct {
		e    Entry
		want string
	}{
		{Entry{Kind: Dir, Name: "d", Mode: 0o755, Sec: 1, Nsec: 300}, "01 00 0164 ed03 02 ac02 00"},
		{Entry{Kind: File, Depth: 1, Name: "ab", Mode: 0o644, Sec: -1, Size: 128, Sparse: true}, "02 01 026162 a403 01 00 8001 01 00"},
		{Entry{Kind: Symlink, Name: "s", Mode: 0o777, Target: "x"}, "03 00 0173 ff03 00 00 0178 00"},
		{Entry{Kind: Link, Depth: 200, Name: "l", Target: "d/ab"}, "04 c801 016c 00 00 00 04642f6162 00"},
		{Entry{Kind: Stream, Name: "-", Attrs: &Attrs{
			UID: 1, GID: 2, User: "u", Group: "g", Xattrs: []Xattr{{"n", []byte("v")}},
		}}, "05 00 012d 00 00 00 0a 01 02 0175 0167 016e 0176"},
	} {
		got := hex.EncodeToString(Append(nil, &test.e))
		if want := strings.ReplaceAll(test.want, " ", ""); got != want {
			t.Errorf("%q:\n got %s\nwant %s", test.e.Name, got, want)
		}
	}
}

func TestParseKeepsNothingOfItsInput(t *testing.T) {
	want := samples()[len(samples())-1]
	b := Append(nil, &want)
	e, _, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	clear(b)
	if !reflect.DeepEqual(e, want) {
		t.Errorf("the entry became %+v with its input", e)
	}
}

func TestParseRefusesWhatEndsEarly(t *testing.T) {
	for _, e := range samples() {
		b := Append(nil, &e)
		for n := range len(b) {
			if _, _, err := Parse(b[:n]); err == nil {
				t.Fatalf("%.20q: the first %d of %d bytes parsed", e.Name, n, len(b))
			}
		}
	}
}

func TestParseRefuses(t *testing.T) {
	file := func(change func(e *Entry)) []byte {
		e := Entry{Kind: File, Depth: 1, Name: "n", Mode: 0o644, Size: 1}
		change(&e)
		return Append(nil, &e)
	}
	name := func(name string) []byte { return file(func(e *Entry) { e.Name = name }) }
	target := func(k Kind, text string) []byte {
		return file(func(e *Entry) { e.Kind, e.Target = k, text })
	}
	attrs := func(a Attrs) []byte { return file(func(e *Entry) { e.Attrs = &a }) }
	raw := func(s string) []byte {
		b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, test := range []struct {
		what string
		b    []byte
		want string // a part of the error
	}{
		{"nothing", nil, "ends too early"},
		{"kind 0", file(func(e *Entry) { e.Kind = 0 }), "kind 0"},
		{"kind 6", file(func(e *Entry) { e.Kind = 6 }), "kind 6"},
		{"depth", file(func(e *Entry) { e.Depth = MaxDepth + 1 }), "depth is greater than 1024"},
		{"empty name", name(""), "name is empty"},
		{"dot", name("."), `"." leads elsewhere`},
		{"dots", name(".."), `".." leads elsewhere`},
		{"slash", name("../etc/passwd"), `"../etc/passwd" has a slash`},
		{"NUL", name("a\x00b"), `"a\x00b" has a NUL`},
		{"long name", name(strings.Repeat("n", MaxName+1)), "name is greater than 1024"},
		{"mode", file(func(e *Entry) { e.Mode = 0o10000 }), `"n": mode`},
		{"nanoseconds", file(func(e *Entry) { e.Nsec = 1e9 }), "nanoseconds"},
		{"size", file(func(e *Entry) { e.Size = MaxSize + 1 }), "size"},
		{"negative size", file(func(e *Entry) { e.Size = -1 }), "size"},
		{"flags", raw("02 00 016e 00 00 00 00 02 00"), "flags 0x2"},
		{"stream below", file(func(e *Entry) { e.Kind = Stream }), "stream within"},
		{"empty symlink", target(Symlink, ""), "symlink is empty"},
		{"NUL in symlink", target(Symlink, "a\x00"), "NUL"},
		{"long symlink", target(Symlink, strings.Repeat("t", MaxTarget+1)), "target is greater"},
		{"empty link", target(Link, ""), `link to "": the name is empty`},
		{"absolute link", target(Link, "/etc/passwd"), `link to "/etc/passwd"`},
		{"link upwards", target(Link, "a/../../b"), `".." leads elsewhere`},
		{"link to a directory", target(Link, "a/"), `link to "a/"`},
		{"detour", target(Link, "a//b"), `link to "a//b"`},
		{"NUL in link", target(Link, "a\x00b"), "NUL"},
		{"attribute without a name", attrs(Attrs{Xattrs: []Xattr{{}}}), `"" is not the name`},
		{"NUL in an attribute", attrs(Attrs{Xattrs: []Xattr{{Name: "a\x00"}}}), `"a\x00" is not the name`},
		{"NUL in a user", attrs(Attrs{User: "\x00"}), "NUL"},
		{"many attributes", attrs(Attrs{User: strings.Repeat("u", MaxAttrs)}), "attributes is greater"},
		{"torn attributes", raw("01 00 0164 00 00 00 04 00 00 00 01"), "ends too early"},
		{"few attributes", raw("01 00 0164 00 00 00 01 00 00 00"), "ends too early"},
		{"user id", raw("01 00 0164 00 00 00 08 8080808010 00 00 00"), "user id"},
		{"long form", raw("01 8000 0164 00 00 00 00"), "shortest"},
		{"long form of an end", raw("01 00 0164 00 8000 00 00"), "seconds"},
		{"endless number", raw("01 00 0164 00 ffffffffffffffffffff 00 00"), "seconds"},
	} {
		_, rest, err := Parse(test.b)
		switch {
		case err == nil:
			t.Errorf("%s: parsed", test.what)
		case !strings.Contains(err.Error(), test.want):
			t.Errorf("%s: error %q, want one with %q", test.what, err, test.want)
		case rest != nil:
			t.Errorf("%s: something is left behind an error", test.what)
		}
	}
}

// A control message takes 64 KiB, and entries are not cut.
func TestLongestEntryFitsAMessage(t *testing.T) {
	a := &Attrs{UID: math.MaxUint32, GID: math.MaxUint32}
	a.User = strings.Repeat("u", MaxAttrs-a.Len()-2)
	e := Entry{
		Kind: Link, Depth: MaxDepth, Name: strings.Repeat("n", MaxName), Mode: 0o7777,
		Sec: math.MinInt64, Nsec: 1e9 - 1, Target: strings.Repeat("t", MaxName-1), Attrs: a,
	}
	for len(e.Target)+1+len(e.Name) <= MaxTarget {
		e.Target = Join(e.Target, e.Name)
	}
	b := Append(nil, &e)
	if _, _, err := Parse(b); err != nil {
		t.Fatal(err)
	}
	if a.Len() != MaxAttrs || len(b) > 1<<16-8 {
		t.Errorf("%d bytes of attributes, %d of the entry", a.Len(), len(b))
	}
}

func TestMTimeIsTheInstant(t *testing.T) {
	e := Entry{Sec: -1, Nsec: 5e8}
	if want := time.Unix(0, -5e8); !e.MTime().Equal(want) {
		t.Errorf("got %v, want %v", e.MTime(), want)
	}
}

func FuzzParse(f *testing.F) {
	for _, e := range samples() {
		f.Add(Append(nil, &e))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, rest, err := Parse(b)
		if err != nil {
			return
		}
		used := b[:len(b)-len(rest)]
		if again := Append(nil, &e); !bytes.Equal(again, used) {
			t.Fatalf("%x parsed, but is encoded as %x", used, again)
		}
		if err := CheckName(e.Name); err != nil {
			t.Fatal(err)
		}
		if e.Attrs != nil && e.Attrs.Len() > MaxAttrs {
			t.Fatalf("%d bytes of attributes", e.Attrs.Len())
		}
	})
}

func FuzzRoundTrip(f *testing.F) {
	f.Add(byte(2), uint16(1), "name", uint16(0o644), int64(1), uint32(2), int64(3), true, "target", []byte("value"))
	f.Fuzz(func(t *testing.T, kind byte, depth uint16, name string, mode uint16, sec int64, nsec uint32, size int64,
		flag bool, text string, value []byte) {
		e := Entry{
			Kind:  Dir + Kind(kind)%Stream,
			Depth: int(depth) % (MaxDepth + 1),
			Name:  name,
			Mode:  uint32(mode) & 0o7777,
			Sec:   sec,
			Nsec:  nsec % 1e9,
		}
		switch e.Kind {
		case File:
			e.Size, e.Sparse = size&(MaxSize-1), flag
		case Symlink, Link:
			e.Target = text
		case Stream:
			e.Depth = 0
		}
		if flag && text != "" {
			e.Attrs = &Attrs{UID: nsec, GID: uint32(size), User: text, Group: name,
				Xattrs: []Xattr{{text, append([]byte{}, value...)}, {name, []byte{}}}}
		}
		got, rest, err := Parse(append(Append(nil, &e), "more"...))
		switch {
		case err != nil && fits(&e):
			t.Fatalf("%+v: %v", e, err)
		case err == nil && (!reflect.DeepEqual(got, e) || string(rest) != "more"):
			t.Fatalf("got  %+v and %q\nwant %+v", got, rest, e)
		}
	})
}

// fits reports whether an entry of FuzzRoundTrip surely keeps the rules.
func fits(e *Entry) bool {
	plain := func(s string, limit int) bool {
		return s != "" && len(s) <= limit && !strings.ContainsAny(s, "/.\x00")
	}
	return plain(e.Name, MaxName) &&
		(e.Target == "" && e.Kind != Symlink && e.Kind != Link || plain(e.Target, MaxName)) &&
		(e.Attrs == nil || e.Attrs.Len() <= MaxAttrs && !strings.Contains(e.Attrs.User, "\x00"))
}
