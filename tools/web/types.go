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

// typesOf writes the structs of a Go file in TypeScript.
func typesOf(source []byte) ([]byte, error) {
	f, err := parser.ParseFile(token.NewFileSet(), "api.go", source, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString("// What page and program tell each other, made from ../../api.go by make web.\n\nimport type { Diagnosis } from \"./diagnosis\";\n")
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		if g.Tok == token.CONST {
			writePhases(&b, g)
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
			writeDoc(&b, "", g.Doc)
			fmt.Fprintf(&b, "export interface %s {\n", t.Name.Name)
			for _, field := range st.Fields.List {
				if err := writeField(&b, field); err != nil {
					return nil, err
				}
			}
			b.WriteString("}\n")
		}
	}
	return b.Bytes(), nil
}

// writePhases writes the constants of Phase as a union.
func writePhases(b *bytes.Buffer, g *ast.GenDecl) {
	var all []string
	for _, s := range g.Specs {
		for _, v := range s.(*ast.ValueSpec).Values {
			if l, ok := v.(*ast.BasicLit); ok {
				all = append(all, l.Value)
			}
		}
	}
	fmt.Fprintf(b, "\nexport type Phase = %s;\n", strings.Join(all, " | "))
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
		case "int", "int64", "float64":
			return "number"
		case "bool":
			return "boolean"
		}
		return e.Name
	}
	return "unknown"
}

func mapKeys(m map[string][]byte) iter.Seq[string] { return maps.Keys(m) }
