package udp

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// forbidFragments sets the don't-fragment flag on what leaves, and makes the
// kernel judge sizes by the interface's MTU only. With IP_PMTUDISC_DO it would
// refuse whatever exceeds the path MTU it has cached from ICMP messages, which
// anybody can forge (RFC 8899, section 3, item 6), and probes would not leave.
func forbidFragments(fd uintptr, v6 bool) error {
	if !v6 {
		return unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE)
	}
	if err := unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE); err != nil {
		return err
	}
	// Without it, the sending host itself fragments.
	return unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_DONTFRAG, 1)
}

// muteUnreachable has nothing to do: without IP_RECVERR an unconnected socket
// is not told of ICMP errors.
func muteUnreachable(uintptr) {}

// growBuffer returns the bytes granted of those wanted.
func growBuffer(fd uintptr, d direction, want int) int {
	plain, force := unix.SO_RCVBUF, unix.SO_RCVBUFFORCE
	if d == sending {
		plain, force = unix.SO_SNDBUF, unix.SO_SNDBUFFORCE
	}
	// FORCE ignores the system's limit and needs CAP_NET_ADMIN.
	if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, force, want) != nil {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, plain, want) // read back below
	}
	granted, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, plain)
	if err != nil {
		return 0
	}
	return granted / 2 // socket(7): the kernel doubles the value, for bookkeeping
}

// raiseBuffer returns the command that lets growBuffer have what it wants.
func raiseBuffer(d direction, want int) string {
	name := "net.core.rmem_max"
	if d == sending {
		name = "net.core.wmem_max"
	}
	return fmt.Sprintf("sudo sysctl -w %s=%d", name, want)
}
