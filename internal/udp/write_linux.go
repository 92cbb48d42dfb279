package udp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// newTrain returns a function that sends a train with one sendmsg(2), cut by
// UDP_SEGMENT, or the reason why there is none.
func newTrain(conn *net.UDPConn) (func([]byte, netip.AddrPort, int) error, error) {
	if err := canSegment(conn); err != nil {
		return nil, err
	}
	control := make([]byte, unix.CmsgSpace(2))
	h := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
	h.Level, h.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
	h.SetLen(unix.CmsgLen(2))
	segment := control[unix.CmsgLen(0):]
	return func(data []byte, to netip.AddrPort, size int) error {
		binary.NativeEndian.PutUint16(segment, uint16(size))
		_, _, err := conn.WriteMsgUDPAddrPort(data, control, to)
		return err
	}, nil
}

// canSegment says why trains should not even be tried.
func canSegment(conn *net.UDPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	// Kernels before 4.18 would overlook the control message and send the
	// train as one datagram.
	var optErr error
	if err := raw.Control(func(fd uintptr) {
		_, optErr = unix.GetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_SEGMENT)
	}); err != nil {
		return err
	}
	if optErr != nil {
		return fmt.Errorf("the kernel does not know it: %w", optErr)
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return nil
	}
	if release := unix.ByteSliceToString(u.Release[:]); missegments(release) {
		return fmt.Errorf("kernel %s may corrupt it on some network cards, 7.1.5 and later do not", release)
	}
	return nil
}

// missegments reports whether a kernel belongs to those, 7.0.0 to 7.1.4, that
// with some network cards write wrong headers and checksums into a train of
// equal packets (Linux commit b10b446, mended by 78effd8 and 5f17ae0; found by
// tailscale/tailscale#19777). Nothing tells the sender: the packets are gone. A
// distribution that mends one of them under its old number loses some speed.
func missegments(release string) bool {
	var major, minor, patch int
	// Distributions append to the patch level, or have none.
	version, _, _ := strings.Cut(release, "-")
	if n, _ := fmt.Sscanf(version, "%d.%d.%d", &major, &minor, &patch); n < 2 {
		return false
	}
	return major == 7 && (minor == 0 || minor == 1 && patch < 5)
}

// concernsRoute reports whether a train was refused for a reason that concerns
// its packets one by one just the same, and that has nothing to do with size.
func concernsRoute(err error) bool {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return true
	}
	for _, e := range []unix.Errno{
		unix.ENETUNREACH, unix.EHOSTUNREACH, unix.ENETDOWN, unix.EHOSTDOWN, unix.ECONNREFUSED,
		unix.EPERM, unix.EACCES, unix.EADDRNOTAVAIL, unix.ENODEV, unix.ENOBUFS, unix.ENOMEM,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
