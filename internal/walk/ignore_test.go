package walk

import (
	"strings"
	"testing"
)

func TestExcludeLeavesOut(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, "t/a.tmp", "t/b", "t/build/x", "t/top", "t/keep.tmp", "t/d/build/x", "t/d/top", "t/d/a.tmp",
		"t/a/b", "t/a/c/b", "t/a/c/d/b", "t/c/build", "t/.git/config", "t/.gitignore")
	want(t, all(t, Config{
		Paths:   []string{dir + "/t"},
		Exclude: []string{"*.tmp", "build/", "/top", "!keep.tmp", "a/**/b", "", "# b"},
	}),
		"t/",
		"  .git/", "    config 13", "  .gitignore 12",
		"  a/", "    c/", "      d/",
		"  b 3",
		"  c/", "    build 9",
		"  d/", "    top 7",
		"  keep.tmp 10",
	)
}

func TestExcludeSparesItems(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, "a.tmp", "t/a.tmp")
	want(t, all(t, Config{Paths: []string{dir + "/a.tmp", dir + "/t"}, Exclude: []string{"*.tmp", "t"}}), "a.tmp 5", "t/")
}

func TestIgnoreFilesCountWhenAsked(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, "t/.git/config", "t/x", "t/y", "t/d/x", "t/d/y", "t/d/z", "t/d/.git", "t/e/.gitignore -> ../d/.gitignore", "t/e/z", "t/f/.gitignore/", "t/f/g")
	ignore(t, dir+"/t", "x\n")
	ignore(t, dir+"/t/d", "!x\nz\n")
	cfg := Config{Paths: []string{dir + "/t"}}
	if n := len(all(t, cfg)); n != 18 {
		t.Errorf("%d found without being asked, not all 18", n)
	}
	cfg.GitIgnore = true
	cfg.Exclude = []string{"y", "!z"}
	want(t, all(t, cfg), "t/",
		"  .gitignore 2",
		"  d/", "    .gitignore 5", "    x 5", "    z 5",
		"  e/", "    .gitignore -> ../d/.gitignore", "    z 5",
		"  f/", "    .gitignore/", "    g 5")
}

// A pattern must end a walk neither by a panic nor by taking for ever.
func TestStarsTakeNoTime(t *testing.T) {
	g, ok := compile(strings.Repeat("*a", 50) + "**/" + strings.Repeat("a*", 50) + "b")
	if !ok || g.match(strings.Repeat("a", 255)) || g.match(strings.Repeat("a/", 2000)) {
		t.Error("matched without a b")
	}
}

// matchSlowly is what match is to do, tried out one way after the other.
func matchSlowly(g glob, s string) bool {
	if len(g) == 0 {
		return s == ""
	}
	switch p := &g[0]; p.op {
	case opStar, opAll, opDirs:
		if matchSlowly(g[1:], s) {
			return true
		}
		for i := range len(s) {
			if p.op == opStar && s[i] == '/' {
				return false
			}
			if (p.op != opDirs || s[i] == '/') && matchSlowly(g[1:], s[i+1:]) {
				return true
			}
		}
		return false
	default:
		return s != "" && p.takes(s[0]) && matchSlowly(g[1:], s[1:])
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("a/**/b*c", "a/x/y/bc")
	f.Add("[!a-c]**/?\\*", "d/e/f*")
	f.Add("**/a*/**/b/*", "x/ab/c/b/d")
	f.Add("[[:alpha:]-]*[]]", "a-]")
	f.Fuzz(func(t *testing.T, p, s string) {
		if len(p) > 12 || len(s) > 24 {
			return // more takes matchSlowly for ever
		}
		g, ok := compile(p)
		if !ok {
			return
		}
		if got, want := g.match(s), matchSlowly(g, s); got != want {
			t.Errorf("%q on %q: %v, want %v", p, s, got, want)
		}
	})
}

func FuzzParseRules(f *testing.F) {
	f.Add("a\r\n!b/ \\ \n#c\n/d/**", "a/b")
	f.Fuzz(func(t *testing.T, text, path string) {
		parseRules(strings.Split(text, "\n")).judge(path, true)
	})
}
