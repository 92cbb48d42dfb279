package walk

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"qft/internal/manifest"
)

// repository makes a directory that git cares for, with no settings but its own.
func repository(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not on this machine")
	}
	dir := t.TempDir()
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	git(t, dir, "", "init", "-q")
	git(t, dir, "", "config", "core.ignoreCase", "false")
	return dir
}

func git(t *testing.T, dir, stdin string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.Output()
	if err != nil && len(out) == 0 { // check-ignore also says by its exit code that nothing matched
		t.Fatalf("git %v: %v", args, err)
	}
	return out
}

func ignore(t *testing.T, dir, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, ".gitignore"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// gitIgnores returns which of the paths git ignores, by the .gitignore file at
// the top. They need not exist.
func gitIgnores(t *testing.T, dir string, paths []string) map[string]bool {
	t.Helper()
	out := git(t, dir, strings.Join(paths, "\x00")+"\x00", "check-ignore", "--no-index", "--stdin", "-z", "-v", "-n")
	fields := bytes.Split(out, []byte{0}) // file, line, pattern, path
	ignores := make(map[string]bool)
	for i := 0; i+3 < len(fields); i += 4 {
		ignores[string(fields[i+3])] = len(fields[i]) > 0 && !bytes.HasPrefix(fields[i+2], []byte("!"))
	}
	return ignores
}

// ignores is what a walk does: it does not look into what is ignored.
func ignores(r rules, path string) bool {
	for i := range len(path) {
		if path[i] == '/' && r.judge(path[:i], true) == ignored {
			return true
		}
	}
	return r.judge(path, false) == ignored
}

// mix strings some of the parts together.
func mix(rng *rand.Rand, parts []string, most int) string {
	var s string
	for range 1 + rng.IntN(most) {
		s += parts[rng.IntN(len(parts))]
	}
	return s
}

var patternParts = []string{"a", "b", "c", "a", "b", "/", "/", "/", "*", "*", "**", "**/", "/**", "/**/", "?",
	"[ab]", "[!a]", "[^b-c]", "[]a]", "[a-", "[[:alpha:]]", "[![:upper:]b]", "[[:nothing:]]", "[[:a]", "[", "]",
	"[a\\]]", "[\\!-c]", "\\", "\\*", "\\/", "!", "-", "#", " ", "\\ "}

var pathParts = []string{"a", "b", "c", "a", "b", "/", "/", "-", "]", "*", "[", "!", "\\", " ", "#", "B", "\xe9"}

func TestPatternsMeanWhatGitSays(t *testing.T) {
	dir := repository(t)
	rng := rand.New(rand.NewPCG(1, 2))
	patterns := []string{"", "/", "//", "!", "#a", "\\#", "a ", "a\\ ", "a  \\", "a\r", "\ufeffa", "a\x00b", "a/", "/a", "a//", "a/b/",
		"**", "**/", "/**", "**/**", "***", "a/***/b", "a**/b", "a/**b", "**a/b", "/**/a", "a/**", "*/", "/*", "*/*", "**/*/a",
		"a/*/b", "?", "?/a", "a?b", "[/]", "a[/]b", "[!b]a", "[a-c-b]", "[c-a]", "[]", "[]]", "[!]]", "[\\]", "[[]", "[[:]", "[[:a:]",
		"[[:space:]]", "[[:xdigit:]]", "\\a", "\\", "a\\", "!!", "!a", "*[", "*a*b*c", "**/a/**/b/**"}
	for range 200 {
		patterns = append(patterns, mix(rng, patternParts, 7))
	}
	positive := 0
	for _, p := range patterns {
		ignore(t, dir, p+"\n")
		var paths []string
		for range 80 {
			path := strings.Trim(filepath.ToSlash(filepath.Clean("/"+mix(rng, pathParts, 8))), "/")
			if path != "" && !slices.Contains(paths, path) {
				paths = append(paths, path)
			}
		}
		want := gitIgnores(t, dir, paths)
		r := parseRules([]string{p})
		if p == "\ufeffa" {
			r = parseRules([]string{"a"}) // the mark is the file's, not the line's
		}
		for _, path := range paths {
			git, told := want[path]
			if got := ignores(r, path); got != git || !told {
				t.Errorf("%q on %q: ignored %v, git says %v", p, path, got, git)
			}
			if git {
				positive++
			}
		}
	}
	if positive < 400 {
		t.Errorf("only %d paths were ignored: the test says little", positive)
	}
}

func TestClassesAreThoseOfGit(t *testing.T) {
	dir := repository(t)
	var paths []string
	for c := byte(1); c < 0xff; c++ {
		if c != '/' && c != '.' && c != ':' { // what git takes for more than a name
			paths = append(paths, string([]byte{c}))
		}
	}
	for _, class := range strings.Fields("alnum alpha blank cntrl digit graph lower print punct space upper xdigit word ascii Alpha") {
		p := "[[:" + class + ":]]"
		ignore(t, dir, p+"\n")
		want := gitIgnores(t, dir, paths)
		r := parseRules([]string{p})
		for _, path := range paths {
			if got := ignores(r, path); got != want[path] {
				t.Errorf("%s on %q: ignored %v, git says %v", p, path, got, want[path])
			}
		}
	}
}

// randomTree makes directories and files below dir, some with .gitignore files.
func randomTree(t *testing.T, rng *rand.Rand, dir string, depth int) {
	t.Helper()
	names := []string{"a", "b", "c", "a.b", "b.a", "B", "a b", "[a]", "d"}
	for _, name := range names[:2+rng.IntN(len(names)-1)] {
		switch path := filepath.Join(dir, name); {
		case rng.IntN(3) > 0 || depth == 0:
			plant(t, dir, name)
		case rng.IntN(4) == 0:
			plant(t, dir, name+" -> a")
		default:
			plant(t, dir, name+"/")
			randomTree(t, rng, path, depth-1)
		}
	}
	if rng.IntN(2) == 0 {
		ignore(t, dir, randomLines(rng, "\n"))
	}
}

func randomLines(rng *rand.Rand, end string) string {
	parts := []string{"a", "b", "c", "/", "*", "a", "b", ".", "**/", "/**", "[ab]", "?", "d"}
	var text string
	for range 1 + rng.IntN(4) {
		if rng.IntN(3) == 0 {
			text += "!"
		}
		text += mix(rng, parts, 4)
		if rng.IntN(4) == 0 {
			text += "/"
		}
		text += end
	}
	return text
}

func TestTreesAreExcludedAsByGit(t *testing.T) {
	dir := repository(t)
	rng := rand.New(rand.NewPCG(3, 4))
	excluded := 0
	for n := range 50 {
		top := filepath.Join(dir, "work")
		if err := os.RemoveAll(top); err != nil {
			t.Fatal(err)
		}
		plant(t, dir, "work/")
		randomTree(t, rng, top, 3)
		cfg := Config{Paths: []string{top}, GitIgnore: true}
		args := []string{"ls-files", "-o", "-z", "--exclude-per-directory=.gitignore"}
		if n%2 == 0 {
			cfg.Exclude = strings.Fields(randomLines(rng, " "))
		}
		for _, p := range cfg.Exclude {
			args = append(args, "-x", p)
		}
		// Beside the repository, for the tree to be at its top, as the item is.
		args = append([]string{"--git-dir=" + filepath.Join(dir, ".git"), "--work-tree=" + top}, args...)
		want := strings.FieldsFunc(string(git(t, top, "", append(args, "--", ".")...)), func(r rune) bool { return r == 0 })
		var got []string
		for _, f := range all(t, cfg) {
			if f.Problem != nil {
				t.Fatal(f.Problem)
			}
			if f.Kind != manifest.Dir {
				rel, err := filepath.Rel(top, f.Path)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, filepath.ToSlash(rel))
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("tree %d, excluding %q:\n sent %q\n git  %q", n, cfg.Exclude, got, want)
		}
		excluded += len(all(t, Config{Paths: []string{top}})) - len(want)
	}
	t.Logf("%d names were left out", excluded)
}
