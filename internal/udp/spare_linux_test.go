package udp

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// Hundreds of sockets must not take the files that a transfer is about to open.
func TestFurtherSocketsSpareFiles(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	low := limit
	low.Cur = 64
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	s := listen(t, Config{Addr: loopback4})
	opened := s.Open(256)
	if len(opened) == 0 || len(opened) > 32 {
		t.Errorf("%d sockets of 64 files", len(opened))
	}
	for range 16 {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatalf("beside %d sockets: %v", len(opened), err)
		}
		defer f.Close()
	}
	for _, l := range opened {
		s.Shut(l)
	}
	if again := s.Open(8); len(again) == 0 {
		t.Error("no socket after they were shut")
	}
}
