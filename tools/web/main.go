// Command web makes the page of qft gui: the types that it shares with the
// program, from internal/gui/api.go, and the bundle that is embedded.
//
//	web [-check] DIR
//
// DIR is internal/gui. The packages of package-lock.json have to be there (npm
// ci). What comes out depends on the sources only, so -check can compare it with
// what is committed, byte for byte.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

func main() {
	check := flag.Bool("check", false, "compare with what is there, and write nothing")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: web [-check] internal/gui")
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *check); err != nil {
		fmt.Fprintln(os.Stderr, "web:", err)
		os.Exit(1)
	}
}

func run(dir string, check bool) error {
	put := write
	if check {
		put = compare
	}
	var sources [2][]byte
	for i, name := range []string{"api.go", "../../diagnosis.go"} {
		var err error
		if sources[i], err = os.ReadFile(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			return err
		}
	}
	types, err := typesOf(sources[:]...)
	if err != nil {
		return err
	}
	web := filepath.Join(dir, "web")
	if err := put(filepath.Join(web, "src", "api.ts"), types); err != nil {
		return err
	}
	files, err := bundle(web)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(mapKeys(files)) {
		if err := put(filepath.Join(web, "dist", name), files[name]); err != nil {
			return err
		}
	}
	return nothingElse(filepath.Join(web, "dist"), files)
}

// bundle makes the files of dist.
func bundle(web string) (map[string][]byte, error) {
	root, err := filepath.Abs(web)
	if err != nil {
		return nil, err
	}
	result := api.Build(api.BuildOptions{
		AbsWorkingDir:     root,
		EntryPoints:       []string{"src/app.tsx"},
		Outdir:            "dist",
		Bundle:            true,
		Format:            api.FormatESModule,
		Target:            api.ES2022,
		JSX:               api.JSXAutomatic,
		JSXImportSource:   "preact",
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		MinifySyntax:      true,
		LegalComments:     api.LegalCommentsNone, // dist/LICENSES.txt has them
		Charset:           api.CharsetUTF8,
		Loader:            map[string]api.Loader{".svg": api.LoaderText},
		Define:            map[string]string{"process.env.NODE_ENV": `"production"`},
		LogLevel:          api.LogLevelWarning,
	})
	if len(result.Errors) > 0 {
		return nil, fmt.Errorf("%s", result.Errors[0].Text)
	}
	files := make(map[string][]byte)
	for _, f := range result.OutputFiles {
		files[filepath.Base(f.Path)] = f.Contents
	}
	for _, name := range []string{"index.html", "icon.svg"} {
		text, err := os.ReadFile(filepath.Join(web, "src", name))
		if err != nil {
			return nil, err
		}
		files[name] = text
	}
	files["LICENSES.txt"], err = licences(web)
	return files, err
}

// licences are those of what is in the bundle.
func licences(web string) ([]byte, error) {
	var b bytes.Buffer
	for _, name := range []string{"preact", "@preact/signals", "@preact/signals-core", "uplot"} {
		text, err := os.ReadFile(filepath.Join(web, "node_modules", filepath.FromSlash(name), "LICENSE"))
		if err != nil {
			return nil, fmt.Errorf("the licence of %s: %w (npm ci in %s brings it)", name, err, web)
		}
		fmt.Fprintf(&b, "%s\n\n%s\n\n", name, strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n")))
	}
	return b.Bytes(), nil
}

func write(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}

func compare(path string, text []byte) error {
	was, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !bytes.Equal(was, text) {
		return fmt.Errorf("%s is not what its sources make: run make web", path)
	}
	return nil
}

// nothingElse wants no other files in a folder: they would be embedded.
func nothingElse(dir string, files map[string][]byte) error {
	there, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range there {
		if files[e.Name()] == nil {
			return errors.New(filepath.Join(dir, e.Name()) + " is made from nothing: remove it")
		}
	}
	return nil
}
