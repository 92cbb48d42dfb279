package qft_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestEveryExportedNameIsDocumented, and docs/library.md names every function.
func TestEveryExportedNameIsDocumented(t *testing.T) {
	files := token.NewFileSet()
	names, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var all []*ast.File
	for _, n := range names {
		if !strings.HasSuffix(n.Name(), ".go") || strings.HasSuffix(n.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(files, n.Name(), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	p, err := doc.NewFromFiles(files, all, module)
	if err != nil {
		t.Fatal(err)
	}
	guide, err := os.ReadFile("docs/library.md")
	if err != nil {
		t.Fatal(err)
	}
	want := func(name, text string) {
		if strings.TrimSpace(text) == "" {
			t.Errorf("%s has no documentation", name)
		}
	}
	functions := p.Funcs
	for _, x := range p.Types {
		if x.Doc == "" { // one of a group, whose comment is its own
			for _, s := range x.Decl.Specs {
				x.Doc += s.(*ast.TypeSpec).Doc.Text()
			}
		}
		want(x.Name, x.Doc)
		for _, m := range x.Methods {
			want(x.Name+"."+m.Name, m.Doc)
		}
		functions = append(functions, x.Funcs...)
	}
	for _, f := range functions {
		want(f.Name, f.Doc)
		if !regexp.MustCompile("`" + f.Name + "`").Match(guide) {
			t.Errorf("docs/library.md does not name %s", f.Name)
		}
	}
}
