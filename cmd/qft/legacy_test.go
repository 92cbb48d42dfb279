package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"qft"
)

// TestHistoricalAdvice: whoever typed a command without flags is advised of
// none. All texts of the places that advise are looked at.
func TestHistoricalAdvice(t *testing.T) {
	flag := regexp.MustCompile(`(^|[^a-z])-(-[a-z]+|o )`)
	others := regexp.MustCompile(`qft (resume|config|receive) --[a-z]+`) // can be typed as they stand
	texts := []string{aloneText(qft.Alone{}), aloneText(qft.Alone{Helper: true}), aloneText(qft.Alone{Host: true})}
	for _, dir := range []string{"../..", "../../internal/transfer", "../../internal/nat", "../../internal/peer"} {
		texts = append(texts, literals(t, dir)...)
	}
	n := 0
	for _, text := range texts {
		if flag.MatchString(text) {
			n++
		}
		for _, typed := range []string{"qft sender", "qft receiver", senderName, receiverName} {
			if got := inHistorical(typed, text); flag.MatchString(others.ReplaceAllString(got, "")) {
				t.Errorf("%s is advised: %s", typed, got)
			}
		}
		if got := inHistorical("", text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
	if n < 10 {
		t.Errorf("only %d texts with flags were found: the test tests nothing", n)
	}
}

// literals are the texts of a package that is no test.
func literals(t *testing.T, dir string) (all []string) {
	t.Helper()
	names, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if !strings.HasSuffix(n.Name(), ".go") || strings.HasSuffix(n.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), dir+"/"+n.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
				s, err := strconv.Unquote(l.Value)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, s)
			}
			return true
		})
	}
	return all
}

// TestHistoricalErrors: what to do can be done with the command that was typed.
func TestHistoricalErrors(t *testing.T) {
	file := t.TempDir() + "/letter"
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"qft", []string{"receiver", "127.0.0.1:1", "violin glacier mustard anchor", file}, 4, "To do: move it away, or name another FILE; qft receive"},
		{"qftr", []string{"violin glacier mustard anchor", file}, 4, "To do: move it away, or name another FILE; qft receive"},
		{"qft", []string{"sender", "127.0.0.1:0", "violin glacier mustard anchor", file}, 2, "qft: HELPER: reading the helper's address: the port"},
		{"qft", []string{"receive", "7-acid-robot-zebra", "--helper", "127.0.0.1:1", "-o", file}, 4, "choose another name with -o NAME, or say --overwrite"},
	} {
		_, said, code := runs(t, c.name, c.args...)
		if said = strings.Join(strings.Fields(said), " "); code != c.code || !strings.Contains(said, c.want) {
			t.Errorf("%s %v: exit code %d: %s", c.name, c.args, code, said)
		}
	}
}
