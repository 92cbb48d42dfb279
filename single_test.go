package qft_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSingle: the packages that make test does not run under the race
// detector start no goroutine and share nothing, so it had nothing to find.
func TestSingle(t *testing.T) {
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^SINGLE := (.+)$`).FindSubmatch(makefile)
	if line == nil {
		t.Fatal("the Makefile has no line SINGLE")
	}
	for _, pkg := range strings.Fields(string(line[1])) {
		files, _ := filepath.Glob(filepath.Join("internal", filepath.FromSlash(pkg), "*.go"))
		if len(files) == 0 {
			t.Errorf("internal/%s has no code", pkg)
		}
		for _, file := range files {
			if !strings.HasSuffix(file, "_test.go") {
				wantSingle(t, file)
			}
		}
	}
}

func wantSingle(t *testing.T, file string) {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Error(err)
		return
	}
	for _, imp := range f.Imports {
		if p := strings.Trim(imp.Path.Value, `"`); p == "sync" || p == "sync/atomic" {
			t.Errorf("%s imports %s: its package is one for the race detector, take it off SINGLE in the Makefile", file, p)
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if _, ok := n.(*ast.GoStmt); ok {
			t.Errorf("%s starts a goroutine: its package is one for the race detector, take it off SINGLE in the Makefile", file)
		}
		return true
	})
}
