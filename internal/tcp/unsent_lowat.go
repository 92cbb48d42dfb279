//go:build linux || darwin

package tcp

import "golang.org/x/sys/unix"

// unsent is how much the kernel may hold that it has not sent. With less, a
// fast line waits for our writer; with more, our rate control waits for it.
const unsent = 64 << 10

// holdLittle has the kernel take no more bytes while it has that many unsent
// (tcp(7)): what is sent and not acknowledged is bounded by TCP as ever. A
// listener's connections inherit it. Without it, all works but later.
func holdLittle(fd uintptr) {
	_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsent)
}
