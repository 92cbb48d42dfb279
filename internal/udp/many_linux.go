package udp

import (
	"encoding/binary"
	"net"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// crowdWriter sends packets to many addresses with sendmmsg(2).
type crowdWriter struct {
	raw  syscall.RawConn
	v6   bool
	send func(fd uintptr) bool // method value of trySend, made once

	// Of the latest call.
	n     int // packets in it
	sent  int
	errno unix.Errno

	hdrs [maxMany]unix.Mmsghdr
	iovs [maxMany]unix.Iovec
	to   [maxMany]unix.RawSockaddrInet6 // large enough for IPv4
}

// newMany returns a function that sends packets [i, end) of a batch, at most
// maxMany, and returns how many left before the error, which concerns the one
// behind them.
func newMany(conn *net.UDPConn, v6 bool) func(b *Batch, i, end int) (int, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil
	}
	w := &crowdWriter{raw: raw, v6: v6}
	w.send = w.trySend
	for i := range w.hdrs {
		h := &w.hdrs[i].Hdr
		h.Iov = &w.iovs[i]
		h.SetIovlen(1)
		h.Name = (*byte)(unsafe.Pointer(&w.to[i]))
		h.Namelen = unix.SizeofSockaddrInet4
		if v6 {
			h.Namelen = unix.SizeofSockaddrInet6
		}
	}
	return w.write
}

func (w *crowdWriter) write(b *Batch, i, end int) (int, error) {
	w.n, w.sent, w.errno = 0, 0, 0
	for ; i < end; i++ {
		p := b.At(i)
		if !w.aim(w.n, p) {
			break
		}
		w.n++
	}
	if w.n == 0 {
		return 0, &net.AddrError{Err: "no such interface", Addr: "link-local"}
	}
	if err := w.raw.Write(w.send); err != nil {
		return w.sent, err
	}
	if w.errno != 0 {
		return w.sent, os.NewSyscallError("sendmmsg", w.errno)
	}
	return w.sent, nil
}

// aim makes slot k the packet p. It reports false if there is no way to its
// address.
func (w *crowdWriter) aim(k int, p Packet) bool {
	w.iovs[k].Base = unsafe.SliceData(p.Data)
	w.iovs[k].SetLen(len(p.Data))
	a := p.Remote.Addr().Unmap()
	if !w.v6 {
		sa := (*unix.RawSockaddrInet4)(unsafe.Pointer(&w.to[k]))
		*sa = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: htons(p.Remote.Port()), Addr: a.As4()}
		return true
	}
	w.to[k] = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: htons(p.Remote.Port()), Addr: a.As16()}
	if zone := a.Zone(); zone != "" {
		ifi, err := net.InterfaceByName(zone)
		if err != nil {
			return false
		}
		w.to[k].Scope_id = uint32(ifi.Index)
	}
	return true
}

// trySend sends what there is room for. It returns false if there is none, and
// the runtime's poller calls again when there is.
func (w *crowdWriter) trySend(fd uintptr) bool {
	for w.sent < w.n {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&w.hdrs[w.sent])), uintptr(w.n-w.sent), 0, 0, 0)
		switch errno {
		case unix.EAGAIN:
			return false
		case unix.EINTR:
		case 0:
			w.sent += int(n)
		default:
			w.errno = errno
			return true
		}
	}
	return true
}

// htons writes a number in network byte order.
func htons(n uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], n)
	return binary.NativeEndian.Uint16(b[:])
}
