//go:build linux

// Command floor copies a file from one process to another with as little as
// encrypted UDP can be done with: pread, AES-128-GCM over each packet of 1,400
// bytes, one segmented sendmsg for 46 of them, GRO and recvmmsg, opening,
// pwrite. No meeting, no hashes, no loss recovery, no congestion control, no
// journal, no sync: what qft takes beyond it is the price of those.
//
//	floor receive PORT FILE SIZE
//	floor send ADDRESS:PORT FILE
//
// Nothing is sent again. So that nothing has to be, the receiver tells how far
// it has come and the sender stays at most window ahead of that, which fits the
// receiver's socket buffer. The receiver ends when it has SIZE bytes or nothing
// has come for a while; then it says how many are missing and fails.
package main

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	head    = 8 // the packet's number, authenticated and in clear
	tag     = 16
	packet  = 1400
	payload = packet - head - tag
	train   = 46 // packets of one sendmsg: 64,400 bytes

	window    = 2 << 20 // bytes that may be on their way; the socket buffer counts about twice as much
	creditFor = 256 << 10
	buffers   = 8 << 20
	patience  = 2 * time.Second

	slots    = 8 // trains of one recvmmsg
	slotSize = 64 << 10
)

func main() {
	var err error
	switch a := os.Args; {
	case len(a) == 5 && a[1] == "receive":
		err = receive(a[2], a[3], a[4])
	case len(a) == 4 && a[1] == "send":
		err = send(a[2], a[3])
	default:
		err = errors.New("usage: floor receive PORT FILE SIZE | floor send ADDRESS:PORT FILE")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

// newAEAD returns a cipher under a key that everybody knows: only its cost
// matters here.
func newAEAD() cipher.AEAD {
	block, _ := aes.NewCipher(make([]byte, 16)) // fails for other lengths only
	aead, _ := cipher.NewGCM(block)
	return aead
}

// raw is the descriptor of a socket in blocking mode, with large buffers: a
// thread that waits in the kernel is the cheapest way to wait.
func raw(c *net.UDPConn) (int, error) {
	f, err := c.File() // a copy; it and the file live as long as the process
	if err != nil {
		return 0, err
	}
	fd := int(f.Fd())
	// It needs CAP_NET_ADMIN; without, what is lost is told at the end.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, buffers)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, buffers)
	limit := unix.NsecToTimeval(int64(patience))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		return 0, err
	}
	return fd, syscall.SetNonblock(fd, false)
}

func send(address, path string) error {
	conn, err := net.Dial("udp4", address)
	if err != nil {
		return err
	}
	fd, err := raw(conn.(*net.UDPConn))
	if err != nil {
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT, packet); err != nil {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	return sendAll(fd, file, info.Size())
}

// sendAll sends the file, never more than window ahead of the receiver.
func sendAll(fd int, file *os.File, size int64) error {
	aead := newAEAD()
	plain := make([]byte, train*payload)
	wire := make([]byte, 0, train*packet)
	nonce := make([]byte, aead.NonceSize())
	credit := make([]byte, 8)
	var done int64 // bytes that the receiver has
	for off := int64(0); off < size; {
		for off-done > window-train*payload {
			if _, err := unix.Read(fd, credit); err != nil {
				return fmt.Errorf("the receiver is silent: %w", err)
			}
			done = int64(binary.BigEndian.Uint64(credit))
		}
		n := int(min(int64(len(plain)), size-off))
		if _, err := file.ReadAt(plain[:n], off); err != nil {
			return err
		}
		wire = wire[:0]
		for rest := plain[:n]; len(rest) > 0; {
			part := rest[:min(payload, len(rest))]
			rest = rest[len(part):]
			number := len(wire)
			wire = binary.BigEndian.AppendUint64(wire, uint64(off/payload))
			copy(nonce[4:], wire[number:])
			wire = aead.Seal(wire, nonce, part, wire[number:])
			off += int64(len(part))
		}
		if err := unix.Send(fd, wire, 0); err != nil {
			return err
		}
	}
	return nil
}

func receive(port, path, length string) error {
	r := receiver{aead: newAEAD(), plain: make([]byte, slotSize)}
	var number int
	if _, err := fmt.Sscan(port+" "+length, &number, &r.size); err != nil {
		return err
	}
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{Port: number})
	if err != nil {
		return err
	}
	if r.fd, err = raw(conn); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(r.fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1); err != nil {
		return err
	}
	if r.file, err = os.Create(path); err != nil {
		return err
	}
	fmt.Println("listening")
	return errors.Join(r.run(), r.file.Close())
}

// receiver is the receiving side. What recvmmsg writes to is made once.
type receiver struct {
	fd    int
	file  *os.File
	aead  cipher.AEAD
	size  int64 // of the file
	done  int64 // bytes that have arrived
	told  int64 // of which the sender knows
	hdrs  [slots]unix.Mmsghdr
	iovs  [slots]unix.Iovec
	from  [slots]unix.RawSockaddrInet4
	plain []byte // an opened train
	nonce [12]byte
}

func (r *receiver) run() error {
	wire := make([]byte, slots*slotSize)
	for i := range r.hdrs {
		r.iovs[i] = unix.Iovec{Base: &wire[i*slotSize], Len: slotSize}
		r.hdrs[i].Hdr = unix.Msghdr{Iov: &r.iovs[i], Iovlen: 1, Name: (*byte)(unsafe.Pointer(&r.from[i]))}
	}
	for r.done < r.size {
		for i := range r.hdrs {
			r.hdrs[i].Hdr.Namelen = unix.SizeofSockaddrInet4
		}
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(r.fd), uintptr(unsafe.Pointer(&r.hdrs)), slots, unix.MSG_WAITFORONE, 0, 0)
		if errno == unix.EINTR {
			continue
		} else if errno != 0 {
			return fmt.Errorf("%d of %d bytes lost: %w", r.size-r.done, r.size, errno)
		}
		for i := range int(n) {
			if err := r.take(wire[i*slotSize:][:r.hdrs[i].Len]); err != nil {
				return err
			}
		}
		if r.done-r.told >= creditFor || r.done == r.size {
			if err := r.tell(); err != nil {
				return err
			}
		}
	}
	return nil
}

// take opens a train and writes it. Packets of one size need no control message
// to be told apart, and those of a train follow each other in the file.
func (r *receiver) take(wire []byte) error {
	plain := r.plain[:0]
	first := int64(binary.BigEndian.Uint64(wire)) * payload
	for len(wire) > 0 {
		p := wire[:min(packet, len(wire))]
		wire = wire[len(p):]
		if off := int64(binary.BigEndian.Uint64(p)) * payload; off != first+int64(len(plain)) {
			return fmt.Errorf("%d of %d bytes lost or missing: a gap before %d", r.size-r.done, r.size, off)
		}
		copy(r.nonce[4:], p[:head])
		var err error
		if plain, err = r.aead.Open(plain, r.nonce[:], p[head:], p[:head]); err != nil {
			return err
		}
	}
	r.done += int64(len(plain))
	_, err := r.file.WriteAt(plain, first)
	return err
}

// tell gives the sender credit.
func (r *receiver) tell() error {
	r.told = r.done
	from := r.from[0]
	port := (*[2]byte)(unsafe.Pointer(&from.Port))
	to := &unix.SockaddrInet4{Addr: from.Addr, Port: int(binary.BigEndian.Uint16(port[:]))}
	return unix.Sendto(r.fd, binary.BigEndian.AppendUint64(nil, uint64(r.done)), 0, to)
}
