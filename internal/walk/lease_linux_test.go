package walk

import (
	"os"
	"os/signal"
	"testing"

	"golang.org/x/sys/unix"
)

// A file server has leases on files that its clients write, and gives them up
// when asked. O_NONBLOCK makes the system refuse instead of asking and waiting.
func TestOpenWaitsForLeases(t *testing.T) {
	path := t.TempDir() + "/f"
	plant(t, path[:len(path)-2], "f")
	found := find(t, path)
	holder, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, unix.SIGIO)
	defer signal.Stop(asked)
	if _, err := unix.FcntlInt(holder.Fd(), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		t.Skip("no leases on this file system:", err)
	}
	given := make(chan error, 1)
	go func() {
		<-asked
		_, err := unix.FcntlInt(holder.Fd(), unix.F_SETLEASE, unix.F_UNLCK)
		given <- err
	}()
	f, err := Open(found)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := <-given; err != nil {
		t.Fatal(err)
	}
}
