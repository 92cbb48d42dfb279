package udp

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestDontFragmentIsSet(t *testing.T) {
	s := listen(t, Config{})
	check := func(f *family, level, option, want int) {
		if f == nil {
			return
		}
		raw, _ := f.conn.SyscallConn()
		raw.Control(func(fd uintptr) {
			if got, err := unix.GetsockoptInt(int(fd), level, option); got != want {
				t.Errorf("option %d of level %d is %d, want %d (%v)", option, level, got, want, err)
			}
		})
	}
	check(s.v4, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE)
	check(s.v6, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE)
	check(s.v6, unix.IPPROTO_IPV6, unix.IPV6_DONTFRAG, 1)
	check(s.v6, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
}

func TestCappedBufferGivesHint(t *testing.T) {
	dropNetAdmin(t)
	const wanted = 1 << 29
	s := listen(t, Config{Addr: loopback4, ReadBuffer: wanted, WriteBuffer: wanted})
	if got := s.Stats().ReadBuffer; got >= wanted {
		t.Skipf("the system grants %d bytes", got)
	}
	hints := strings.Join(s.Hints(), "\n")
	for _, command := range []string{"sysctl -w net.core.rmem_max=536870912", "sysctl -w net.core.wmem_max=536870912"} {
		if !strings.Contains(hints, command) {
			t.Errorf("no hint to type %q: %q", command, hints)
		}
	}
}

func TestFreePortIsSoughtInBothFamilies(t *testing.T) {
	enterNamespace(t, 0)
	const first, last = 50000, 50003
	limits := fmt.Sprintf("%d %d", first, last)
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", []byte(limits), 0); err != nil {
		t.Skip(err)
	}
	var taken []*net.UDPConn
	defer func() {
		for _, c := range taken {
			c.Close()
		}
	}()
	for p := first; p < last; p++ { // all but the last, in IPv6 only
		c, err := net.ListenUDP("udp6", &net.UDPAddr{Port: p})
		if err != nil {
			t.Skip(err)
		}
		taken = append(taken, c)
	}
	// The system picks one of four at random. All sixteen tries of a Listen
	// miss with a probability of 1 %, those of five with one of 1e-10.
	for try := 0; ; try++ {
		s, err := Listen(Config{})
		if err == nil {
			if s.Port() != last {
				t.Errorf("opened port %d, which is taken in IPv6", s.Port())
			}
			s.Close()
			return
		}
		if try == 4 {
			t.Fatal(err)
		}
	}
}

// enterNamespace moves the test into a network of its own, in which loopback
// has the given MTU (0: the usual one). The test's thread is not used again.
func enterNamespace(t *testing.T, mtu uint32) {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("no right to make a network namespace: %v", err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		t.Fatal(err)
	}
	if mtu != 0 {
		lo.SetUint32(mtu)
		if err := unix.IoctlIfreq(fd, unix.SIOCSIFMTU, lo); err != nil {
			t.Fatal(err)
		}
	}
	lo.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		t.Fatal(err)
	}
}

// openTap makes an interface whose other end is silent, and returns an address
// behind it. Packets wait in the kernel for an answer to ARP.
func openTap(t *testing.T) netip.Addr {
	tap, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { tap.Close() })
	req, _ := unix.NewIfreq("tap0")
	req.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(int(tap.Fd()), unix.TUNSETIFF, req); err != nil {
		t.Skip(err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := req.SetInet4Addr([]byte{192, 0, 2, 1}); err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFADDR, req); err != nil {
		t.Fatal(err)
	}
	req.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req); err != nil {
		t.Fatal(err)
	}
	return netip.AddrFrom4([4]byte{192, 0, 2, 2})
}

// dropNetAdmin takes CAP_NET_ADMIN from the test's thread, which is not used
// again.
func dropNetAdmin(t *testing.T) {
	runtime.LockOSThread()
	h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var caps [2]unix.CapUserData
	if err := unix.Capget(&h, &caps[0]); err != nil {
		t.Fatal(err)
	}
	caps[0].Effective &^= 1 << unix.CAP_NET_ADMIN
	if err := unix.Capset(&h, &caps[0]); err != nil {
		t.Fatal(err)
	}
}
