package walk

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// asNobody calls f as a user who has no rights beyond those that dir gives to
// all. Root would not notice permissions.
func asNobody(t *testing.T, dir string, f func()) {
	if os.Geteuid() != 0 {
		f()
		return
	}
	const nobody = 65534
	for ; len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan bool)
	go func() {
		defer close(done)
		// The system call changes this thread only, where package unix would
		// change all. It is not unlocked, and ends with the goroutine.
		runtime.LockOSThread()
		if _, _, err := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody); err != 0 {
			t.Errorf("becoming nobody: %v", err)
			return
		}
		f()
	}()
	<-done
}
