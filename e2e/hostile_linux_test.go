package e2e

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestNoiseThrownAtEveryone: a stranger on the same network knows all ports,
// and throws what is nothing, and what begins like something, at the helper
// and at both peers from before they meet until they are done.
func TestNoiseThrownAtEveryone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.racing = true
	lan := w.segment("lan")
	helper, a, b, stranger := w.host("helper"), w.host("a"), w.host("b"), w.host("x")
	for i, h := range []*host{helper, a, b, stranger} {
		h.plug(lan, "eth0", fmt.Sprintf("192.0.2.%d/24", i+1))
	}
	a.limit("eth0", "100mbit")
	helper.startHelper()
	stop := throw(t, stranger.udp("0.0.0.0:0"), "192.0.2.1:"+helperPort, "192.0.2.2:5001", "192.0.2.3:5002")

	f := w.file("film", 20<<20)
	x := &transfer{t: t, file: f, target: w.folder() + "/film"}
	x.sender = a.qft("send", f.path, "--helper", "192.0.2.1:"+helperPort, "--port", "5001")
	code := w.learn(x.sender)
	x.receiver = b.qft("receive", code, "-o", x.target, "--helper", "192.0.2.1:"+helperPort, "--port", "5002")
	x.wantDelivered(time.Minute)
	t.Logf("%d packets of noise were thrown", stop())
}

// throw sends noise until stop is called, some thousand packets a second.
func throw(t *testing.T, from *net.UDPConn, to ...string) (stop func() int) {
	quit, ended := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				ended <- n
				return
			case <-tick.C:
			}
			for _, addr := range to {
				b := noise(1 + rand.IntN(1400))
				if n%2 == 0 {
					// STUN, rendezvous, probe, transport: the first byte decides
					// who must get rid of it.
					b[0] = []byte{0x00, 0x01, 0x51, 0x52, 0x80, 0xc0, 0xff}[rand.IntN(7)]
				}
				from.WriteToUDPAddrPort(b, netip.MustParseAddrPort(addr)) // refused while nobody listens
				n++
			}
		}
	}()
	return func() int {
		close(quit)
		return <-ended
	}
}

// TestForgedPacketsOfTheConversation: somebody on the path sees every packet
// and sends copies, from the right address to the right port: cut short,
// with bits flipped, and unchanged but late.
func TestForgedPacketsOfTheConversation(t *testing.T) {
	t.Parallel()
	w := newHomes(t, "")
	w.racing = true
	w.routerA.limit("wan", "10mbit") // until many have been forged
	w.helper.startHelper()
	m := newMallory(t, w)
	go m.run()
	f := w.file("film", 30<<20)
	x := w.bySend(w.a, w.b, helperAddr4, f)
	eventually(t, bigTime, "200 forged packets", func() bool { return m.forged.Load() >= 200 || !x.receiver.running() })
	w.routerA.limit("wan", "60mbit")
	x.wantDelivered(time.Minute)
	m.stop()
	if n := m.forged.Load(); n < 200 {
		t.Errorf("only %d packets were forged: the test shows nothing", n)
	} else {
		t.Logf("%d packets were forged", n)
	}
}

// mallory taps the line of router B on the public network.
type mallory struct {
	fd     int
	ports  map[netip.Addr]int // interface by destination address
	forged atomic.Int64
	quit   chan struct{}
	ended  chan struct{}
}

func newMallory(t *testing.T, w *homes) *mallory {
	t.Helper()
	m := &mallory{ports: make(map[netip.Addr]int), quit: make(chan struct{}), ended: make(chan struct{})}
	err := w.public.inside(func() (err error) {
		for addr, dev := range map[string]string{"203.0.113.10": "helper.eth0", "203.0.113.21": "ra.wan", "203.0.113.22": "rb.wan"} {
			i, err := net.InterfaceByName(dev)
			if err != nil {
				return err
			}
			m.ports[netip.MustParseAddr(addr)] = i.Index
		}
		all := int(binary.NativeEndian.Uint16([]byte{0, unix.ETH_P_ALL}))
		if m.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, all); err != nil {
			return err
		}
		// So that run looks at quit now and then.
		unix.SetsockoptTimeval(m.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 50_000})
		at := m.ports[netip.MustParseAddr("203.0.113.22")]
		return unix.Bind(m.fd, &unix.SockaddrLinklayer{Protocol: uint16(all), Ifindex: at})
	})
	if err != nil {
		t.Fatalf("tapping the line: %v", err)
	}
	return m
}

func (m *mallory) stop() {
	close(m.quit)
	<-m.ended
}

// run forges until told to stop. What this socket sends it does not see again.
func (m *mallory) run() {
	defer close(m.ended)
	defer unix.Close(m.fd)
	b := make([]byte, 1<<16)
	var late [][]byte
	for seen := 0; ; seen++ {
		select {
		case <-m.quit:
			return
		default:
		}
		n, _, err := unix.Recvfrom(m.fd, b, 0)
		if err != nil || !isUDP(b[:n]) {
			continue
		}
		frame := b[:min(n, ethernet+1500)] // of a train only the first packet
		if n <= ethernet+1500 {
			late = append(late, append([]byte(nil), frame...))
		}
		if seen%5 != 0 {
			continue
		}
		m.inject(shorten(frame, rand.IntN(len(frame)-headers)))
		flipped := shorten(frame, len(frame)-headers)
		flipped[headers+rand.IntN(len(frame)-headers)] ^= 1 << rand.IntN(8)
		m.inject(flipped)
		if len(late) > 20 {
			m.inject(shorten(late[0], len(late[0])-headers))
			late = late[1:]
		}
	}
}

const (
	ethernet = 14
	headers  = ethernet + 20 + 8 // with IPv4 without options, and UDP
)

func isUDP(f []byte) bool {
	return len(f) > headers && binary.BigEndian.Uint16(f[12:]) == unix.ETH_P_IP && f[ethernet] == 0x45 && f[ethernet+9] == syscall.IPPROTO_UDP
}

// shorten is a copy of a frame with so much UDP payload, and headers to match.
// Without a UDP checksum the kernel takes the payload for good, so that qft
// has to see for itself.
func shorten(f []byte, payload int) []byte {
	f = append([]byte(nil), f[:headers+payload]...)
	ip, udp := f[ethernet:], f[ethernet+20:]
	binary.BigEndian.PutUint16(ip[2:], uint16(len(f)-ethernet))
	binary.BigEndian.PutUint16(ip[10:], 0)
	var sum uint32
	for i := 0; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(ip[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(ip[10:], ^uint16(sum))
	binary.BigEndian.PutUint16(udp[4:], uint16(8+payload))
	binary.BigEndian.PutUint16(udp[6:], 0)
	return f
}

// inject sends a frame to whom it is addressed.
func (m *mallory) inject(f []byte) {
	to := netip.AddrFrom4([4]byte(f[ethernet+16:]))
	port, known := m.ports[to]
	if known && unix.Sendto(m.fd, f, 0, &unix.SockaddrLinklayer{Ifindex: port}) == nil {
		m.forged.Add(1)
	}
}
