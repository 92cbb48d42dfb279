package plant

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

var (
	onUnix    = system{}
	onMac     = system{unicode: true}
	onWindows = system{windows: true, unicode: true}
)

func TestNamesAreMappedVisibly(t *testing.T) {
	long := strings.Repeat("é", 150)
	for _, c := range []struct{ name, unix, mac, windows string }{
		{"a.txt", "a.txt", "a.txt", "a.txt"},
		{"über 日本語 👩‍💻.txt", "über 日本語 👩‍💻.txt", "über 日本語 👩‍💻.txt", "über 日本語 👩‍💻.txt"},
		{"-rf", "-rf", "-rf", "-rf"},
		{"a\nb\x7f", "a%0Ab%7F", "a%0Ab%7F", "a%0Ab%7F"},
		{"a\u0085\u202e\ufeff", "a%C2%85%E2%80%AE%EF%BB%BF", "a%C2%85%E2%80%AE%EF%BB%BF", "a%C2%85%E2%80%AE%EF%BB%BF"},
		{"a\xff", "a\xff", "a%FF", "a%FF"},
		{"100%.txt", "100%.txt", "100%.txt", "100%.txt"},
		{`a<b>c"d|e?f*g:h\i`, `a<b>c"d|e?f*g:h\i`, `a<b>c"d|e?f*g:h\i`, "a%3Cb%3Ec%22d%7Ce%3Ff%2Ag%3Ah%5Ci"},
		{"a.", "a.", "a.", "a%2E"},
		{"a. ", "a. ", "a. ", "a.%20"},
		{"...", "...", "...", "..%2E"},
		{"con", "con", "con", "con_"},
		{"Aux.tar.gz", "Aux.tar.gz", "Aux.tar.gz", "Aux_.tar.gz"},
		{"COM¹.txt", "COM¹.txt", "COM¹.txt", "COM¹_.txt"},
		{"nul .x", "nul .x", "nul .x", "nul _.x"},
		{"com10", "com10", "com10", "com10"},
		{long, strings.Repeat("é", 123) + "~" + mark(long), strings.Repeat("é", 123) + "~" + mark(long), long},
		{long + ".jpg", strings.Repeat("é", 121) + "~" + mark(long+".jpg") + ".jpg", strings.Repeat("é", 121) + "~" + mark(long+".jpg") + ".jpg", long + ".jpg"},
	} {
		for i, s := range []system{onUnix, onMac, onWindows} {
			if got, want := s.mapped(c.name), []string{c.unix, c.mac, c.windows}[i]; got != want {
				t.Errorf("%+v: %q becomes %q, want %q", s, c.name, got, want)
			}
		}
	}
}

// mark is what cut puts into a long name.
func mark(name string) string {
	out := onUnix.cut(strings.Repeat("x", 300), name, "")
	return out[strings.LastIndexByte(out, '~')+1:]
}

func TestNumberedNamesFit(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"a.txt", "a (2).txt"},
		{"a", "a (2)"},
		{".bashrc", ".bashrc (2)"},
		{"a.tar.gz", "a.tar (2).gz"},
		{"Version 1.0 of the contract with Mr. Smith", "Version 1.0 of the contract with Mr (2). Smith"},
		{"no. extension of this length", "no. extension of this length (2)"},
	} {
		if got := onUnix.cut(c.name, c.name, " (2)"); got != c.want {
			t.Errorf("%q becomes %q, want %q", c.name, got, c.want)
		}
	}
	long := strings.Repeat("x", 255)
	if got := onUnix.cut(long, long, " (2)"); len(got) != 255 || !strings.HasSuffix(got, " (2)") {
		t.Errorf("%q", got)
	}
}

func TestLongNamesGetShortHiddenOnes(t *testing.T) {
	var seen []string
	for _, name := range []string{strings.Repeat("é", 127), strings.Repeat("é", 127) + "x", strings.Repeat("x", 242), strings.Repeat("x", 245),
		strings.Repeat("x", 246), strings.Repeat("x", 255), strings.Repeat("x", 255) + "+3~01020304"} {
		h := onUnix.hiddenName(name)
		if len(h) > maxName || slices.Contains(seen, h) || !isOurs(h) || !utf8.ValidString(h) {
			t.Errorf("%q becomes %q", name, h)
		}
		seen = append(seen, h)
	}
}

func TestFoldedNamesMeet(t *testing.T) {
	for _, pair := range [][2]string{{"A", "a"}, {"ÄÖÜ", "äöü"}, {"Σίσυφος", "ΣΊΣΥΦΟΣ"}, {"\u212a", "k"}, {"ſ", "S"}} {
		if fold(pair[0]) != fold(pair[1]) {
			t.Errorf("%q and %q stay apart", pair[0], pair[1])
		}
	}
	if fold("a") == fold("b") || fold("é") == fold("e") {
		t.Error("others meet")
	}
}

// FuzzMapped looks for names that could do harm.
func FuzzMapped(f *testing.F) {
	for _, s := range []string{"", "a", "..", "con.txt", "a\x00b", "a/b", `a\b`, "a:b", "\xff\xfe", "a. . .", "\u202e", strings.Repeat("é.", 200)} {
		f.Add(s)
	}
	g := &Ground{}
	f.Fuzz(func(t *testing.T, name string) {
		for _, s := range []system{onUnix, onMac, onWindows} {
			g.names = s
			if g.usable(name) != nil {
				continue
			}
			m := s.mapped(name)
			switch {
			case m == "" || m == "." || m == ".." || strings.ContainsAny(m, "/\x00\n\x1b\u202e"):
			case s.length(m) > maxName:
			case s.unicode && !utf8.ValidString(m):
			case s.windows && (strings.ContainsAny(m, `<>"|?*:\`) || strings.HasSuffix(m, ".") || strings.HasSuffix(m, " ") || isDevice(m)):
			case s.mapped(m) != m:
			default:
				continue
			}
			t.Errorf("%+v: %q becomes %q", s, name, m)
		}
	})
}
