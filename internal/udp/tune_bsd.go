//go:build darwin || freebsd

package udp

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// forbidFragments sets the don't-fragment flag on what leaves.
func forbidFragments(fd uintptr, v6 bool) error {
	if v6 {
		return unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_DONTFRAG, 1)
	}
	return unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_DONTFRAG, 1)
}

// muteUnreachable has nothing to do: an unconnected socket is not told of ICMP
// errors.
func muteUnreachable(uintptr) {}

// growBuffer returns the bytes granted of those wanted. These systems refuse
// (ENOBUFS) what is above their limit instead of granting what they can.
func growBuffer(fd uintptr, d direction, want int) int {
	opt := unix.SO_RCVBUF
	if d == sending {
		opt = unix.SO_SNDBUF
	}
	before, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, opt)
	if err != nil {
		return 0
	}
	for try := want; try > before; try /= 2 {
		if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, opt, try) == nil {
			break
		}
	}
	granted, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, opt)
	if err != nil {
		return 0
	}
	return granted
}

// raiseBuffer returns the command that lets growBuffer have what it wants. The
// limit counts the buffers' own bookkeeping, an eighth more.
func raiseBuffer(_ direction, want int) string {
	return fmt.Sprintf("sudo sysctl -w kern.ipc.maxsockbuf=%d", want+want/4)
}
