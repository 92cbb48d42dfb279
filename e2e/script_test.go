package e2e

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs testdata/script: the command line as a person types it,
// wherever Go runs. Beside testscript's own commands there is
//
//	exits CODE PROGRAM ARGS...
//
// which runs a program that must end with just that exit code.
func TestScripts(t *testing.T) {
	bin, err := kit.qft()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Dir(bin) + string(os.PathListSeparator) + os.Getenv("PATH")
	testscript.Run(t, testscript.Params{
		Dir:         "testdata/script",
		WorkdirRoot: t.TempDir(), // its own folder stays where only some of the scripts run
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", path)
			port, err := freePort()
			e.Setenv("PORT", port)        // of a helper that a script runs
			e.Setenv("QFT_LAN", "no")     // all scripts are on one network, and some use one phrase
			e.Setenv("QFT_PORTMAP", "no") // the router of who runs the tests is left in peace
			return err
		},
		Condition: func(cond string) (bool, error) {
			return cond == "xdg" && runtime.GOOS != "windows", nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// ports counts those that were given out by freePort.
var ports atomic.Int32

// freePort is one of UDP and TCP that is free, and stays so: it is none of those
// that a system gives to programs that ask for any, and is given out once.
func freePort() (string, error) {
	const first, some = 15_000, 15_000
	for range some {
		port := strconv.Itoa(first + (os.Getpid()*100+int(ports.Add(1)))%some)
		c, err := net.ListenPacket("udp", ":"+port)
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", ":"+port)
		c.Close()
		if err != nil {
			continue
		}
		l.Close()
		return port, nil
	}
	return "", errors.New("no port is free")
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var ended *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &ended):
		got = ended.ExitCode()
	case err != nil:
		ts.Fatalf("%s: %v", args[1], err)
	}
	if got != want {
		ts.Fatalf("%s ended with exit code %d, want %d", args[1], got, want)
	}
}
