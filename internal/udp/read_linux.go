package udp

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Sizes of the receive side: a buffer takes a burst of slots datagrams or
// trains in one system call, and poolSize buffers are 6 MiB.
const (
	slots    = 4
	slotSize = 64 << 10 // no datagram and no train is larger than 65,535 bytes
	poolSize = 24

	crowdSlots    = 64
	crowdSlotSize = 2 << 10
)

// trainReader receives with recvmmsg(2), and with UDP_GRO if the kernel has it.
// All that the kernel writes to, other than payload, is in here, so that a read
// allocates nothing.
type trainReader struct {
	local  Local
	raw    syscall.RawConn
	recv   func(fd uintptr) bool // method value of tryReceive, made once
	counts *counters
	zones  map[uint32]string // names of interfaces, by index

	// Outcome of the latest tryReceive.
	n     int
	errno unix.Errno

	// A slot each.
	hdrs     []unix.Mmsghdr
	iovs     []unix.Iovec
	sources  []unix.RawSockaddrInet6 // large enough for IPv4
	controls [][controlWords]uint64
}

// controlWords is the room for control messages, in words so that they are
// aligned: one of an int is expected, twice that is never truncated.
const controlWords = 8

// newReader returns a function that waits for packets and appends them to a
// Received, or returns why it cannot.
func newReader(conn *net.UDPConn, l Local, cfg Config, c *counters) func(*Received) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return func(*Received) error { return err }
	}
	n := slots
	if cfg.Crowd {
		n = crowdSlots
	}
	t := &trainReader{
		local: l, raw: raw, counts: c, zones: make(map[uint32]string),
		hdrs: make([]unix.Mmsghdr, n), iovs: make([]unix.Iovec, n),
		sources: make([]unix.RawSockaddrInet6, n), controls: make([][controlWords]uint64, n),
	}
	t.recv = t.tryReceive
	for i := range t.hdrs {
		h := &t.hdrs[i].Hdr
		h.Iov = &t.iovs[i]
		h.SetIovlen(1)
		h.Name = (*byte)(unsafe.Pointer(&t.sources[i]))
		h.Control = (*byte)(unsafe.Pointer(&t.controls[i]))
	}
	if !cfg.NoOffload && !cfg.Crowd {
		c.merging.Store(receiveTrains(conn))
	}
	return t.read
}

// receiveTrains has the kernel deliver trains from now on, and reports whether
// it can.
func receiveTrains(conn *net.UDPConn) (on bool) {
	if raw, err := conn.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { on = enableGRO(fd) }) // without it, packets come one by one
	}
	return on
}

// enableGRO has the kernel deliver packets of one source in trains. Kernels
// before 5.12 cannot tell whether it is on, and had bugs in it; they do without.
func enableGRO(fd uintptr) bool {
	if unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_GRO, 1) != nil {
		return false
	}
	if on, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_GRO); err != nil || on == 0 {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_GRO, 0)
		return false
	}
	return true
}

// read waits for packets and appends them to r.
func (t *trainReader) read(r *Received) error {
	t.aim(r.buf)
	if err := t.raw.Read(t.recv); err != nil {
		return err
	}
	if t.errno != 0 {
		return fmt.Errorf("recvmmsg: %w", t.errno)
	}
	t.decode(r)
	return nil
}

// aim points the message headers at buf, and resets what the kernel changed.
func (t *trainReader) aim(buf []byte) {
	size := len(buf) / len(t.hdrs)
	for i := range t.hdrs {
		t.iovs[i].Base = &buf[i*size]
		t.iovs[i].SetLen(size)
		h := &t.hdrs[i].Hdr
		h.Namelen = uint32(unsafe.Sizeof(t.sources[i]))
		h.SetControllen(int(unsafe.Sizeof(t.controls[i])))
		h.Flags = 0
	}
}

// tryReceive fills as many slots as there are datagrams waiting. It returns
// false if there is none, and the runtime's poller calls again when there is.
func (t *trainReader) tryReceive(fd uintptr) bool {
	for {
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&t.hdrs[0])), uintptr(len(t.hdrs)), 0, 0, 0)
		switch errno {
		case unix.EAGAIN:
			return false
		case unix.EINTR:
			continue
		case 0:
			t.n, t.errno = int(n), 0
		default:
			t.n, t.errno = 0, errno
		}
		return true
	}
}

// decode finds out what arrived.
func (t *trainReader) decode(r *Received) {
	size := len(r.buf) / len(t.hdrs)
	for i := range t.hdrs[:t.n] {
		m := &t.hdrs[i]
		from, ok := t.source(i)
		// Without its control message a train looks like one large packet.
		if m.Hdr.Flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 || !ok {
			t.counts.truncated.Add(1)
			continue
		}
		control := unsafe.Slice(m.Hdr.Control, unsafe.Sizeof(t.controls[i]))[:m.Hdr.Controllen]
		r.trains = append(r.trains, train{Path{t.local, from}, r.buf[i*size:][:m.Len], segmentSize(control)})
	}
}

// segmentSize returns the size of a train's packets, or 0 if there is none
// among the control messages.
func segmentSize(control []byte) int {
	for len(control) >= unix.SizeofCmsghdr {
		h, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			return 0
		}
		if h.Level == unix.IPPROTO_UDP && h.Type == unix.UDP_GRO && len(data) >= 4 {
			return max(0, int(int32(binary.NativeEndian.Uint32(data))))
		}
		control = rest
	}
	return 0
}

// source returns the remote address of slot i, in its shortest form: IPv4 if it
// is, and with a zone only if the address is link-local.
func (t *trainReader) source(i int) (netip.AddrPort, bool) {
	sa := &t.sources[i]
	switch sa.Family {
	case unix.AF_INET:
		sa := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), ntohs(sa.Port)), true
	case unix.AF_INET6:
		ip := netip.AddrFrom16(sa.Addr).Unmap()
		if sa.Scope_id != 0 {
			ip = ip.WithZone(t.zone(sa.Scope_id))
		}
		return netip.AddrPortFrom(ip, ntohs(sa.Port)), true
	}
	return netip.AddrPort{}, false
}

// zone returns the name of an interface, as package net writes it when it
// receives and wants it when it sends. A renamed interface keeps its old name
// here; the kernel renames only interfaces that are down.
func (t *trainReader) zone(index uint32) string {
	name, ok := t.zones[index]
	if !ok {
		name = strconv.FormatUint(uint64(index), 10)
		if ifi, err := net.InterfaceByIndex(int(index)); err == nil {
			name = ifi.Name
		}
		t.zones[index] = name
	}
	return name
}

// ntohs reads a number that the kernel wrote in network byte order.
func ntohs(n uint16) uint16 {
	b := (*[2]byte)(unsafe.Pointer(&n))
	return binary.BigEndian.Uint16(b[:])
}
