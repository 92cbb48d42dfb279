package tcp

import "golang.org/x/sys/unix"

// tune has the kernel hold little that is unsent (tcp(7)): what is sent and not
// acknowledged is bounded by TCP as ever. And it asks for the congestion control
// that takes least of its losses for congestion; which ones a program may have
// is up to the system. A listener's connections inherit both. Without them all
// works, but later, or slower on lossy paths.
func tune(fd uintptr) {
	_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsent)
	_ = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, "bbr")
}
