package e2e

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// wire is a socket of this machine's loopback that sends from whatever address
// of 127.0.0.0/8 it likes, receives what is sent to any, and does both many at
// a time. One goroutine drives it.
type wire struct {
	t      *testing.T
	fd     int
	outbox mailing
	inbox  mailing
}

const (
	wireBurst  = 64
	wireBuffer = 32 << 20
)

// mailing is what one sendmmsg or recvmmsg takes.
type mailing struct {
	n        int
	hdrs     [wireBurst]unix.Mmsghdr
	iovs     [wireBurst]unix.Iovec
	names    [wireBurst]unix.RawSockaddrInet4
	controls [wireBurst][4]uint64 // one in_pktinfo and its header, aligned
	data     [wireBurst][2048]byte
}

func (m *mailing) init() {
	for i := range m.hdrs {
		h := &m.hdrs[i].Hdr
		m.iovs[i].Base = &m.data[i][0]
		h.Iov = &m.iovs[i]
		h.SetIovlen(1)
		h.Name = (*byte)(unsafe.Pointer(&m.names[i]))
		h.Control = (*byte)(unsafe.Pointer(&m.controls[i]))
	}
}

// newWire returns a wire to an IPv4 address of loopback.
func newWire(t *testing.T, to netip.AddrPort) *wire {
	t.Helper()
	w := &wire{t: t}
	var err error
	if w.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(w.fd) })
	_ = unix.SetsockoptInt(w.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, wireBuffer) // as root; else smaller
	_ = unix.SetsockoptInt(w.fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, wireBuffer)
	for _, err := range []error{
		unix.SetsockoptInt(w.fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1),
		unix.Bind(w.fd, &unix.SockaddrInet4{}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	w.outbox.init()
	w.inbox.init()
	for i := range w.outbox.names {
		name := &w.outbox.names[i]
		name.Family, name.Addr = unix.AF_INET, to.Addr().As4()
		port := (*[2]byte)(unsafe.Pointer(&name.Port))
		binary.BigEndian.PutUint16(port[:], to.Port())
	}
	return w
}

// post adds a packet from an address to what leaves with the next flush.
func (w *wire) post(from uint32, build func(b []byte) []byte) (size int) {
	m := &w.outbox
	if m.n == wireBurst {
		w.flush()
	}
	k := m.n
	m.n++
	size = len(build(m.data[k][:0]))
	m.iovs[k].SetLen(size)
	h := &m.hdrs[k].Hdr
	h.Namelen = unix.SizeofSockaddrInet4
	h.SetControllen(unix.CmsgSpace(unix.SizeofInet4Pktinfo))
	head, info := m.pktinfo(k)
	head.Level, head.Type = unix.IPPROTO_IP, unix.IP_PKTINFO
	head.SetLen(unix.CmsgLen(unix.SizeofInet4Pktinfo))
	*info = unix.Inet4Pktinfo{}
	binary.BigEndian.PutUint32(info.Spec_dst[:], from)
	return size
}

// pktinfo is the control message of packet k.
func (m *mailing) pktinfo(k int) (*unix.Cmsghdr, *unix.Inet4Pktinfo) {
	head := unsafe.Pointer(&m.controls[k])
	return (*unix.Cmsghdr)(head), (*unix.Inet4Pktinfo)(unsafe.Add(head, unix.CmsgLen(0)))
}

// flush sends what was posted. What the kernel has no room for waits for it.
func (w *wire) flush() {
	m := &w.outbox
	for at := 0; at < m.n; {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(w.fd), uintptr(unsafe.Pointer(&m.hdrs[at])), uintptr(m.n-at), 0, 0, 0)
		switch errno {
		case 0:
			at += int(n)
		case unix.EAGAIN, unix.EINTR, unix.ENOBUFS:
			w.poll(unix.POLLOUT, time.Millisecond)
		case unix.ECONNREFUSED: // of an earlier packet
		default:
			w.t.Fatalf("sending: %v", errno)
		}
	}
	m.n = 0
}

func (w *wire) poll(events int16, wait time.Duration) {
	p := []unix.PollFd{{Fd: int32(w.fd), Events: events}}
	ts := unix.NsecToTimespec(int64(wait))
	unix.Ppoll(p, &ts, nil)
}

// receive calls f for each packet that is there, with the address that it was
// sent to, and reports whether there was any.
func (w *wire) receive(f func(at uint32, b []byte)) bool {
	m := &w.inbox
	for i := range m.hdrs {
		m.iovs[i].SetLen(len(m.data[i]))
		h := &m.hdrs[i].Hdr
		h.Namelen = unix.SizeofSockaddrInet4
		h.SetControllen(int(unsafe.Sizeof(m.controls[i])))
	}
	n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(w.fd), uintptr(unsafe.Pointer(&m.hdrs)), wireBurst, 0, 0, 0)
	switch errno {
	case 0:
	case unix.EAGAIN, unix.EINTR, unix.ECONNREFUSED:
		return false
	default:
		w.t.Fatalf("receiving: %v", errno)
	}
	for k := range int(n) {
		_, info := m.pktinfo(k)
		f(binary.BigEndian.Uint32(info.Addr[:]), m.data[k][:m.hdrs[k].Len])
	}
	return true
}
