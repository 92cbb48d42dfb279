package e2e

import (
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"qft/internal/lab"
	"qft/internal/lab/tcp"
	"qft/internal/udp"
)

// tallied is the lab's TCP receiver, whose bytes another goroutine may ask for.
type tallied struct {
	tcp.Receiver
	got *atomic.Int64
}

func (c *tallied) Receive(now time.Time, p udp.Packet) {
	c.Receiver.Receive(now, p)
	c.got.Store(c.Bytes())
}

// startModel runs the lab's model of cubic over real sockets, to see whether
// it has the share beside the kernel's cubic that one of two equals has.
func (l *link) startModel() *stream {
	const to = "10.99.0.2:5003"
	s := &stream{}
	a, b := l.a.udp("10.99.0.1:0"), l.b.udp(to)
	for _, c := range []*net.UDPConn{a, b} {
		c.SetReadBuffer(1 << 20)
		c.SetWriteBuffer(1 << 20)
		s.ends = append(s.ends, c)
	}
	go drive(b, &tallied{got: &s.got})
	go drive(a, tcp.NewCubic(netip.MustParseAddrPort(to)))
	return s
}

// drive runs a machine of the lab on a socket until that is closed.
func drive(c *net.UDPConn, m lab.Machine) {
	batch, buf := udp.NewBatch(1<<16), make([]byte, 2048)
	for {
		for sent := true; sent; {
			batch.Reset()
			m.Send(time.Now(), batch)
			sent = batch.Len() > 0
			for p := range batch.All() {
				if _, err := c.WriteToUDPAddrPort(p.Data, p.Remote); err != nil {
					return
				}
			}
		}
		c.SetReadDeadline(m.Deadline())
		n, from, err := c.ReadFromUDPAddrPort(buf)
		switch {
		case err == nil:
			m.Receive(time.Now(), udp.Packet{Path: udp.To(from), Data: buf[:n]})
		case !isTimeout(err):
			return
		}
	}
}

func isTimeout(err error) bool {
	e, ok := err.(net.Error)
	return ok && e.Timeout()
}
