package qft_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "qft"

// layout is the dependency policy. A package may import only the packages of
// ours named after its colon, and each of those must stand on an earlier
// line, so a cycle cannot even be written. "." is the public package.
const layout = `
internal/udp:
internal/tcp:        internal/udp
internal/stun:
internal/token:
internal/portmap:
internal/beacon:     internal/udp
internal/secret:
internal/congestion:
internal/manifest:
internal/digest:
internal/squeeze:
internal/journal:    internal/digest
internal/walk:       internal/manifest
internal/statefile:
internal/plant:      internal/manifest internal/statefile
internal/plant/faulty: internal/plant
internal/transfer:   internal/manifest internal/digest internal/squeeze internal/journal internal/walk internal/plant internal/statefile
internal/duplex:     internal/transfer
internal/congestion/rival: internal/congestion
internal/lab:        internal/udp
internal/lab/tcp:    internal/udp
internal/transport:  internal/udp internal/secret internal/congestion
internal/nat:        internal/udp
internal/proxy:
internal/rendezvous: internal/udp internal/stun
internal/bus:        internal/rendezvous
internal/survey:     internal/udp internal/stun internal/nat internal/rendezvous
internal/peer:       internal/udp internal/tcp internal/stun internal/secret internal/transport internal/nat internal/rendezvous internal/beacon internal/token
.:                   internal/portmap internal/survey internal/udp internal/tcp internal/stun internal/secret internal/walk internal/plant internal/transfer internal/duplex internal/nat internal/rendezvous internal/bus internal/peer internal/proxy internal/token
internal/settings:   . internal/statefile
internal/gui:        . internal/settings internal/statefile
cmd/qft:             . internal/settings internal/gui
e2e/floor:
`

// machines hold protocol logic: they are handed the time and the packets, and
// never reach for a clock, a socket or a disk.
var machines = []string{"internal/stun", "internal/secret", "internal/congestion", "internal/transport", "internal/nat", "internal/rendezvous", "internal/beacon", "internal/survey", "internal/duplex"}

// modules are the third-party packages' modules that shipped code may import.
var modules = []string{
	"github.com/VictoriaMetrics/metrics",
	"filippo.io/edwards25519", "github.com/adrg/xdg", "github.com/huin/goupnp", "github.com/spf13/cobra", "github.com/inconshreveable/mousetrap", "github.com/spf13/pflag", // parts of cobra: who started us on Windows, and its flags
	"github.com/nats-io/nats.go", // instances of a helper share their rooms, through what operators have and know
	"github.com/klauspost/compress", "github.com/zeebo/blake3", "golang.org/x/crypto",
	"golang.org/x/net", "golang.org/x/sys", "golang.org/x/term", "lukechampine.com/blake3", "rsc.io/qr",
}

// sysUsers may import golang.org/x/sys: udp and tcp for sockets; walk and
// plant for the disk (attributes, free space, rename without overwriting);
// statefile for locks; secret to ask the processor for AES; gui for the drives
// of Windows; cmd/qft for the terminal; the floor, a tool of the tests, for all it does.
var sysUsers = []string{"internal/udp", "internal/tcp", "internal/walk", "internal/plant", "internal/statefile", "internal/secret", "internal/gui", "cmd/qft", "e2e/floor"}

func TestLayout(t *testing.T) {
	allowed := parseLayout(t)
	seen := make(map[string]bool)
	err := filepath.WalkDir(".", func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && p != "." && (strings.HasPrefix(e.Name(), ".") || e.Name() == "testdata" || e.Name() == "node_modules") {
			return fs.SkipDir
		}
		if _, err := os.Stat(filepath.Join(p, "go.mod")); e.IsDir() && p != "." && err == nil {
			return fs.SkipDir // a module of its own: tools
		}
		if e.IsDir() || !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return nil
		}
		pkg := path.Dir(filepath.ToSlash(p))
		may, known := allowed[pkg]
		if !known {
			t.Errorf("%s: package %s is not in the layout", p, pkg)
			return nil
		}
		seen[pkg] = true
		checkFile(t, p, pkg, may)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range allowed {
		if !seen[pkg] {
			t.Errorf("layout names %s, which has no code", pkg)
		}
	}
}

func parseLayout(t *testing.T) map[string]map[string]bool {
	allowed := make(map[string]map[string]bool)
	for line := range strings.Lines(strings.TrimSpace(layout)) {
		pkg, deps, _ := strings.Cut(strings.TrimSpace(line), ":")
		may := make(map[string]bool)
		for _, d := range strings.Fields(deps) {
			if allowed[d] == nil {
				t.Errorf("layout: %s lists %s, which is not above it", pkg, d)
			}
			may[d] = true
		}
		allowed[pkg] = may
	}
	return allowed
}

func checkFile(t *testing.T, file, pkg string, may map[string]bool) {
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	f, err := parser.ParseFile(token.NewFileSet(), file, src, parser.ParseComments)
	if err != nil {
		t.Errorf("%s: %v", file, err)
		return
	}
	for _, s := range f.Imports {
		imp, _ := strconv.Unquote(s.Path.Value)
		checkImport(t, file, pkg, imp, may)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if fn, ok := n.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			t.Errorf("%s: init() hides construction", file)
		}
		sel, ok := n.(*ast.SelectorExpr)
		if !ok || !slices.Contains(machines, pkg) {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && readsClock(sel.Sel.Name) {
			t.Errorf("%s: %s is a machine and may not use time.%s: it is handed the time", file, pkg, sel.Sel.Name)
		}
		return true
	})
}

func readsClock(name string) bool {
	switch name {
	case "Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick":
		return true
	}
	return false
}

func checkImport(t *testing.T, file, pkg, imp string, may map[string]bool) {
	if imp == module || strings.HasPrefix(imp, module+"/") {
		dep := "."
		if imp != module {
			dep = strings.TrimPrefix(imp, module+"/")
		}
		if !may[dep] {
			t.Errorf("%s: %s may not import %s", file, pkg, dep)
		}
		return
	}
	if slices.Contains(machines, pkg) && (imp == "net" || imp == "os") {
		t.Errorf("%s: %s is a machine and may not import %q", file, pkg, imp)
	}
	if strings.HasPrefix(imp, "golang.org/x/sys") && !slices.Contains(sysUsers, pkg) {
		t.Errorf("%s: only %v may import %s", file, sysUsers, imp)
	}
	if !strings.Contains(strings.SplitN(imp, "/", 2)[0], ".") {
		return // standard library
	}
	if !slices.ContainsFunc(modules, func(m string) bool { return imp == m || strings.HasPrefix(imp, m+"/") }) {
		t.Errorf("%s: %s is a new dependency: add its module to the list, with a reason in the commit", file, imp)
	}
}
