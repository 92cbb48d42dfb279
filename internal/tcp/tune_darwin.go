package tcp

import "golang.org/x/sys/unix"

// tune has the kernel hold little that is unsent. Without it all works, but
// later.
func tune(fd uintptr) {
	_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsent)
}
