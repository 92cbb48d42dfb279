package e2e

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"net/netip"
	"slices"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// crowd is a great many clients of one helper, all on this machine: client i
// has the address 127.16.0.0 + i, of its own, and all share one port and one
// socket. It speaks the protocol by docs/protocol.md section 4 alone and shares
// no code with what it tests. One goroutine drives it.
type crowd struct {
	t       *testing.T
	fd      int
	to      netip.AddrPort
	clients []member
	salt    uint32 // begins the keys
	began   time.Time
	kind    byte // of the rooms: 1 numbered

	outbox mailing
	inbox  mailing

	answers  int // of any kind, so far
	refused  int // of them, refusals
	tooLarge int // of them, larger than what was asked
	each     []time.Duration
	answered func(i int) // is told of each member that was heard; may be nil
}

// member is one client of the crowd.
type member struct {
	cookie  [16]byte
	sent    time.Duration // when the request under way was sent, since crowd.began; 0: none is
	size    uint16        // of that request
	req     uint32
	number  uint32
	joined  bool
	knocked bool // has a cookie
}

// Sizes of messages, and where what stands in them.
const (
	helloBytes  = 64
	joinBytes   = 69
	ackBytes    = 67
	cookieAt    = 11
	crowdBurst  = 64
	crowdNet    = 127<<24 | 16<<16
	crowdMost   = 1 << 20
	crowdBuffer = 32 << 20
)

// mailing is what one sendmmsg or recvmmsg takes.
type mailing struct {
	n        int
	hdrs     [crowdBurst]unix.Mmsghdr
	iovs     [crowdBurst]unix.Iovec
	names    [crowdBurst]unix.RawSockaddrInet4
	controls [crowdBurst][4]uint64 // one in_pktinfo and its header, aligned
	data     [crowdBurst][2048]byte
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

// newCrowd makes n clients of the helper at that address, an IPv4 one of
// loopback. Nobody has said anything yet.
func newCrowd(t *testing.T, to netip.AddrPort, n int) *crowd {
	t.Helper()
	if n > crowdMost {
		t.Fatalf("a crowd has at most %d clients", crowdMost)
	}
	c := &crowd{t: t, to: to, clients: make([]member, n), began: time.Now().Add(-time.Second), kind: 1}
	var salt [4]byte
	rand.Read(salt[:])
	c.salt = binary.BigEndian.Uint32(salt[:])
	var err error
	if c.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(c.fd) })
	_ = unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, crowdBuffer) // as root; else smaller
	_ = unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, crowdBuffer)
	for _, err := range []error{
		unix.SetsockoptInt(c.fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1),
		unix.Bind(c.fd, &unix.SockaddrInet4{}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	c.outbox.init()
	c.inbox.init()
	for i := range c.outbox.names {
		name := &c.outbox.names[i]
		name.Family, name.Addr = unix.AF_INET, to.Addr().As4()
		port := (*[2]byte)(unsafe.Pointer(&name.Port))
		binary.BigEndian.PutUint16(port[:], to.Port())
	}
	return c
}

func (c *crowd) now() time.Duration { return time.Since(c.began) }

// post adds a packet from client i to what leaves with the next flush.
func (c *crowd) post(i uint32, build func(b []byte) []byte) (size int) {
	m := &c.outbox
	if m.n == crowdBurst {
		c.flush()
	}
	k := m.n
	m.n++
	size = len(build(m.data[k][:0]))
	m.iovs[k].SetLen(size)
	h := &m.hdrs[k].Hdr
	h.Namelen = unix.SizeofSockaddrInet4
	h.SetControllen(unix.CmsgSpace(unix.SizeofInet4Pktinfo))
	head := (*unix.Cmsghdr)(unsafe.Pointer(&m.controls[k]))
	head.Level, head.Type = unix.IPPROTO_IP, unix.IP_PKTINFO
	head.SetLen(unix.CmsgLen(unix.SizeofInet4Pktinfo))
	info := (*unix.Inet4Pktinfo)(unsafe.Pointer(uintptr(unsafe.Pointer(head)) + uintptr(unix.CmsgLen(0))))
	*info = unix.Inet4Pktinfo{}
	binary.BigEndian.PutUint32(info.Spec_dst[:], crowdNet+i)
	return size
}

// flush sends what was posted. What the kernel has no room for waits for it.
func (c *crowd) flush() {
	m := &c.outbox
	for at := 0; at < m.n; {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(c.fd), uintptr(unsafe.Pointer(&m.hdrs[at])), uintptr(m.n-at), 0, 0, 0)
		switch errno {
		case 0:
			at += int(n)
		case unix.EAGAIN, unix.EINTR, unix.ENOBUFS:
			c.poll(unix.POLLOUT, time.Millisecond)
		case unix.ECONNREFUSED: // of an earlier packet
		default:
			c.t.Fatalf("sending as a crowd: %v", errno)
		}
	}
	m.n = 0
}

func (c *crowd) poll(events int16, wait time.Duration) {
	p := []unix.PollFd{{Fd: int32(c.fd), Events: events}}
	ts := unix.NsecToTimespec(int64(wait))
	unix.Ppoll(p, &ts, nil)
}

// listen takes what has arrived, and reports whether that was anything.
func (c *crowd) listen() bool {
	m := &c.inbox
	for i := range m.hdrs {
		m.iovs[i].SetLen(len(m.data[i]))
		h := &m.hdrs[i].Hdr
		h.Namelen = unix.SizeofSockaddrInet4
		h.SetControllen(int(unsafe.Sizeof(m.controls[i])))
	}
	n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(c.fd), uintptr(unsafe.Pointer(&m.hdrs)), crowdBurst, 0, 0, 0)
	switch errno {
	case 0:
	case unix.EAGAIN, unix.EINTR, unix.ECONNREFUSED:
		return false
	default:
		c.t.Fatalf("receiving as a crowd: %v", errno)
	}
	now := c.now()
	for k := range int(n) {
		head := (*unix.Cmsghdr)(unsafe.Pointer(&m.controls[k]))
		info := (*unix.Inet4Pktinfo)(unsafe.Pointer(uintptr(unsafe.Pointer(head)) + uintptr(unix.CmsgLen(0))))
		i := binary.BigEndian.Uint32(info.Addr[:]) - crowdNet
		if int(i) < len(c.clients) {
			c.take(now, i, m.data[k][:m.hdrs[k].Len])
		}
	}
	return true
}

// take is client i's packet from the helper.
func (c *crowd) take(now time.Duration, i uint32, b []byte) {
	c.answers++
	m := &c.clients[i]
	if len(b) < 15 || b[0] != 0x51 {
		return
	}
	if m.sent > 0 && len(b) > int(m.size) {
		c.tooLarge++
	}
	switch b[1] {
	case 0x11: // cookie
		m.cookie, m.knocked = [16]byte(b[cookieAt:]), true
		c.join(i)
		return
	case 0x12: // joined
		m.cookie = [16]byte(b[cookieAt:])
		m.number = binary.BigEndian.Uint32(b[57:])
		if !m.joined {
			m.joined = true
			c.ack(i, binary.BigEndian.Uint32(b[53:]))
		}
	case 0x15: // refused
		c.refused++
	default:
		return
	}
	if m.sent > 0 {
		c.each = append(c.each, now-m.sent)
		m.sent = 0
		if c.answered != nil {
			c.answered(int(i))
		}
	}
}

// begin writes what all messages begin with. The token is the client's number.
func (c *crowd) begin(b []byte, typ byte, i uint32) []byte {
	b = append(b, 0x51, typ, 1)
	return binary.BigEndian.AppendUint64(b, uint64(c.salt)<<32|uint64(i))
}

func end(b []byte) []byte {
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (c *crowd) hello(i uint32) {
	m := &c.clients[i]
	m.sent, m.size = c.now(), helloBytes
	c.post(i, func(b []byte) []byte {
		return end(append(c.begin(b, 1, i), make([]byte, helloBytes-cookieAt-4)...))
	})
}

// join is contact and keep-alive: as a sender, in a room of the client's own.
func (c *crowd) join(i uint32) {
	m := &c.clients[i]
	m.req++
	m.sent = c.now()
	m.size = uint16(c.post(i, func(b []byte) []byte {
		b = append(c.begin(b, 2, i), m.cookie[:]...)
		b = binary.BigEndian.AppendUint32(b, m.req)
		b = append(b, c.kind, 1)
		b = append(b, make([]byte, 12)...)
		b = binary.BigEndian.AppendUint32(b, m.number)
		return end(append(b, c.key(i)...))
	}))
}

func (c *crowd) key(i uint32) []byte {
	k := binary.BigEndian.AppendUint32(make([]byte, 0, 16), c.salt)
	return append(binary.BigEndian.AppendUint32(k, i), "secret!!"...)
}

// ack confirms the roster.
func (c *crowd) ack(i uint32, version uint32) {
	m := &c.clients[i]
	id := sha256.Sum256(append([]byte("qft rendezvous member\x00"), c.key(i)...))
	c.post(i, func(b []byte) []byte {
		b = append(c.begin(b, 4, i), m.cookie[:]...)
		b = append(b, id[:16]...)
		b = append(b, make([]byte, 16)...)
		return end(binary.BigEndian.AppendUint32(b, version))
	})
}

// enter has all clients join and fails if one is not let in.
func (c *crowd) enter(d time.Duration) {
	c.t.Helper()
	c.drive(d, 512, func(i int) bool { return c.clients[i].joined }, func(i uint32) {
		if c.clients[i].knocked {
			c.join(i)
		} else {
			c.hello(i)
		}
	})
}

// drive asks for each client in turn, with so many requests under way at most,
// until done holds for all. A request that was not answered in time is sent
// again.
func (c *crowd) drive(d time.Duration, window int, done func(int) bool, ask func(uint32)) {
	c.t.Helper()
	const again = 500 * time.Millisecond
	end := c.now() + d
	var waiting []uint32
	next := 0
	for c.now() < end {
		waiting = slices.DeleteFunc(waiting, func(i uint32) bool {
			if done(int(i)) {
				return true
			}
			if c.now()-c.clients[i].sent > again {
				ask(i)
			}
			return false
		})
		for len(waiting) < window && next < len(c.clients) {
			if !done(next) {
				ask(uint32(next))
				waiting = append(waiting, uint32(next))
			}
			next++
		}
		if len(waiting) == 0 {
			c.flush()
			return
		}
		c.flush()
		c.poll(unix.POLLIN, 10*time.Millisecond)
		for c.listen() {
		}
	}
	c.t.Fatalf("%d clients of %d are still waiting after %v; %d refusals", len(waiting)+len(c.clients)-next, len(c.clients), d, c.refused)
}

// hammer has the clients send keep-alives, a window of them under way, each as
// soon as another is answered, and returns how many a second were answered.
func (c *crowd) hammer(d time.Duration, window int) (perSecond float64) {
	c.each = c.each[:0]
	var next uint32
	free := window
	c.answered = func(int) { free++ }
	defer func() { c.answered = nil }()
	start := c.now()
	heard := start
	for c.now() < start+d {
		for ; free > 0; free-- {
			c.join(next)
			next = (next + 1) % uint32(len(c.clients))
		}
		c.flush()
		before := len(c.each)
		for c.listen() {
		}
		switch now := c.now(); {
		case len(c.each) > before:
			heard = now
		case now-heard > 200*time.Millisecond: // lost; nobody waits for ever
			free, heard = window, now
		default:
			c.poll(unix.POLLIN, time.Millisecond)
		}
	}
	return float64(len(c.each)) / (c.now() - start).Seconds()
}

// stroll has the clients send keep-alives at a steady rate, whatever comes
// back, and returns how long the answers took, sorted, and how many never came.
// A request counts from when it was due to leave.
func (c *crowd) stroll(d time.Duration, perSecond float64) (took []time.Duration, lost int) {
	c.each = c.each[:0]
	start := c.now()
	sent := 0
	for now := start; now < start+d; now = c.now() {
		for due := int((now - start).Seconds() * perSecond); sent < due; sent++ {
			i := uint32(sent % len(c.clients))
			c.join(i)
			c.clients[i].sent = start + time.Duration(float64(sent)/perSecond*1e9)
		}
		c.flush()
		if !c.listen() {
			c.poll(unix.POLLIN, 200*time.Microsecond)
		}
	}
	c.rest()
	took = slices.Clone(c.each)
	slices.Sort(took)
	return took, sent - len(took)
}

// rest takes the answers that are still under way, and forgets the requests
// that get none.
func (c *crowd) rest() {
	for end := c.now() + time.Second; c.now() < end; {
		if !c.listen() {
			c.poll(unix.POLLIN, 10*time.Millisecond)
		}
	}
	for i := range c.clients {
		c.clients[i].sent = 0
	}
}

// quantile is the value below which that share of the sorted values lies.
func quantile(sorted []time.Duration, share float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}

func (c *crowd) String() string {
	return fmt.Sprintf("%d clients, %d answers, %d refusals, %d answers larger than the request", len(c.clients), c.answers, c.refused, c.tooLarge)
}
