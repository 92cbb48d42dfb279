package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"iter"
	"maps"
	"reflect"
	"strconv"
	"strings"
)

// typesOf writes the structs of Go files in TypeScript.
func typesOf(sources ...[]byte) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("// What page and program tell each other, made from api.go and diagnosis.go by make web.\n")
	for _, source := range sources {
		f, err := parser.ParseFile(token.NewFileSet(), "", source, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			if err := writeDecl(&b, g); err != nil {
				return nil, err
			}
		}
	}
	return b.Bytes(), nil
}

// writeDecl writes a type, or the constants of one as a union of strings.
func writeDecl(b *bytes.Buffer, g *ast.GenDecl) error {
	if g.Tok == token.CONST {
		writeUnion(b, g)
		return nil
	}
	for _, s := range g.Specs {
		t, ok := s.(*ast.TypeSpec)
		if !ok {
			continue
		}
		st, ok := t.Type.(*ast.StructType)
		if !ok {
			continue
		}
		writeDoc(b, "", g.Doc)
		fmt.Fprintf(b, "export interface %s {\n", t.Name.Name)
		for _, field := range st.Fields.List {
			if err := writeField(b, field); err != nil {
				return err
			}
		}
		b.WriteString("}\n")
	}
	return nil
}

// writeUnion writes constants of one type of strings.
func writeUnion(b *bytes.Buffer, g *ast.GenDecl) {
	name := ""
	var all []string
	for _, s := range g.Specs {
		v := s.(*ast.ValueSpec)
		if t, ok := v.Type.(*ast.Ident); ok {
			name = t.Name
		}
		for _, v := range v.Values {
			if l, ok := v.(*ast.BasicLit); ok && l.Kind == token.STRING {
				all = append(all, l.Value)
			}
		}
	}
	if len(all) == 0 || name == "" {
		return
	}
	fmt.Fprintf(b, "\nexport type %s = %s;\n", name, strings.Join(all, " | "))
}

func writeDoc(b *bytes.Buffer, indent string, doc *ast.CommentGroup) {
	if indent == "" {
		b.WriteString("\n")
	}
	if doc == nil {
		return
	}
	for line := range strings.Lines(strings.TrimSpace(doc.Text())) {
		b.WriteString(indent + "// " + strings.TrimSpace(line) + "\n")
	}
}

func writeField(b *bytes.Buffer, f *ast.Field) error {
	tag, err := strconv.Unquote(f.Tag.Value)
	if err != nil {
		return err
	}
	name, option, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
	t := typeOf(f.Type)
	if option == "omitempty" {
		name, t = name+"?", strings.TrimSuffix(t, " | null")
	}
	writeDoc(b, "  ", f.Doc)
	fmt.Fprintf(b, "  %s: %s;", name, t)
	if f.Comment != nil {
		b.WriteString(" // " + strings.TrimSpace(f.Comment.Text()))
	}
	b.WriteString("\n")
	return nil
}

func typeOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.ArrayType:
		return typeOf(e.Elt) + "[]"
	case *ast.StarExpr:
		return typeOf(e.X) + " | null"
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.Ident:
		switch e.Name {
		case "int", "int64", "uint16", "float64":
			return "number"
		case "bool":
			return "boolean"
		}
		return e.Name
	}
	return "unknown"
}

func mapKeys(m map[string][]byte) iter.Seq[string] { return maps.Keys(m) }
