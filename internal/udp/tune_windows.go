package udp

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// Socket options of ws2ipdef.h.
const (
	ipDontFragment = 14 // level IPPROTO_IP
	ipv6DontFrag   = 14 // level IPPROTO_IPV6
)

// forbidFragments sets the don't-fragment flag on what leaves.
func forbidFragments(fd uintptr, v6 bool) error {
	if v6 {
		return windows.SetsockoptInt(windows.Handle(fd), windows.IPPROTO_IPV6, ipv6DontFrag, 1)
	}
	return windows.SetsockoptInt(windows.Handle(fd), windows.IPPROTO_IP, ipDontFragment, 1)
}

// muteUnreachable keeps ICMP errors, which answer some packet sent earlier to
// anyone, from failing reads (WSAECONNRESET for a closed port, WSAENETRESET
// for an expired TTL). If the system refuses, the reader carries on after them.
func muteUnreachable(fd uintptr) {
	for _, code := range []uint32{windows.SIO_UDP_CONNRESET, windows.SIO_UDP_NETRESET} {
		var off, n uint32
		_ = windows.WSAIoctl(windows.Handle(fd), code, (*byte)(unsafe.Pointer(&off)), uint32(unsafe.Sizeof(off)), nil, 0, &n, nil, 0)
	}
}

// growBuffer returns the bytes granted of those wanted.
func growBuffer(fd uintptr, d direction, want int) int {
	opt := windows.SO_RCVBUF
	if d == sending {
		opt = windows.SO_SNDBUF
	}
	_ = windows.SetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, opt, want) // read back below
	granted, err := windows.GetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, opt)
	if err != nil {
		return 0
	}
	return granted
}

// raiseBuffer names no command: Windows has no such limit to raise.
func raiseBuffer(direction, int) string { return "" }
