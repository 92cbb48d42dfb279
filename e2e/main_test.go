// Package e2e runs the real program: qft as built, between machines made of
// network namespaces, behind the kernel's own NAT, over links that are cut,
// limited and lossy, and against everything a person can get wrong.
//
// The tests read as stories told with few verbs: a host starts qft, a process
// is wanted to say something or to end with a code, a file is wanted to have
// arrived. Where something is missing on the machine (root, ip, nft, linklab)
// a test skips and names it.
//
// Two groups share the machine's cores without disturbing each other: tests
// that move much data or measure run one after the other; those that mostly
// wait are parallel, and run after them.
//
//	go test ./e2e                         everything, about four minutes
//	go test -short ./e2e                  without the long pauses, small files
//	QFT_BENCH=1 go test -run TestBench -v ./e2e    beside the floor, nc, rsync and scp
//
// # Limitations
//
// Worlds need Linux. Elsewhere only the scripts run (testdata/script).
package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// prefix begins the name of everything that is left on the machine should
// this process be killed: namespaces, scratch directories. The process's id
// follows, so that a later run knows what is dead.
const prefix = "qft-e2e-"

// kit is what all tests share: one scratch directory and the built programs.
// Only TestMain writes it.
var kit struct {
	dir  string
	name string // prefix and process id, begins the name of namespaces

	qft     func() (string, error) // as it is shipped
	racing  func() (string, error) // with the race detector
	floor   func() (string, error) // the least that could be done, to measure beside
	bigFile func() (file, error)
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	kit.name = fmt.Sprintf("%s%d", prefix, os.Getpid())
	sweep()
	dir, err := os.MkdirTemp(scratchRoot(), kit.name+"-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e: making a scratch directory:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	// Other users of the machine run qft in here as well.
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	kit.dir = dir
	kit.qft = sync.OnceValues(func() (string, error) { return build("qft", "cmd/qft", "CGO_ENABLED=0", "-trimpath") })
	kit.racing = sync.OnceValues(func() (string, error) { return build("qft-race", "cmd/qft", "CGO_ENABLED=1", "-race") })
	kit.floor = sync.OnceValues(func() (string, error) { return build("floor", "e2e/floor", "CGO_ENABLED=0", "-trimpath") })
	kit.bigFile = sync.OnceValues(func() (file, error) { return makeFile(filepath.Join(dir, "big"), bigSize()) })
	// The parallel tests wait rather than compute: more of them at once than
	// there are cores.
	if err := flag.Set("test.parallel", "16"); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	return m.Run()
}

// build builds a program once per run, on first use, so that listing the
// tests costs nothing.
func build(name, pkg, env string, flags ...string) (string, error) {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	bin := filepath.Join(kit.dir, name)
	cmd := exec.Command("go", append(append([]string{"build"}, flags...), "-o", bin, "qft/"+pkg)...)
	cmd.Env = append(os.Environ(), env)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", name, err, out)
	}
	return bin, nil
}

// scratchRoot is memory where there is some: the disk is not what is tested,
// and a gigabyte there is slow.
func scratchRoot() string {
	const memory = "/dev/shm"
	if free, err := freeBytes(memory); err == nil && free >= 6<<30 {
		return memory
	}
	return os.TempDir()
}

// bigSize is the size of the file that a person might send, or a small stand-in
// where somebody is in a hurry.
func bigSize() int64 {
	if testing.Short() {
		return 64 << 20
	}
	return 1 << 30
}

// alive reports whether the process that owns a thing of that name still
// runs. A name that is not ours counts as alive.
func alive(name string) bool {
	rest, ours := strings.CutPrefix(name, prefix)
	if !ours {
		return true
	}
	id, _, _ := strings.Cut(rest, "-")
	_, err := os.Stat(filepath.Join("/proc", id))
	return err == nil
}
