package portmap

import (
	"context"
	"crypto/rand"
	"net"
	"net/netip"
	"sync"
	"time"
)

// knock drives a door until ctx ends and it is closed.
func (m *Mapper) knock(ctx context.Context, v visit) {
	settle := sync.OnceFunc(m.settled)
	defer settle()
	defer m.forget(v, ByPCP)
	defer m.forget(v, ByPMP)
	port := v.Port
	if port == 0 {
		port = serverPort
	}
	conn, err := dialUDP(v.Gateway, port)
	if err != nil {
		return
	}
	packets := make(chan []byte)
	done := make(chan struct{})
	m.running.Go(func() { read(conn, packets, done) })
	defer conn.Close()
	defer close(done)

	d := newDoor(time.Now(), v.Local, m.cfg, rand.Reader)
	stop := ctx.Done()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for !d.Done() {
		select {
		case b := <-packets:
			d.Receive(time.Now(), b)
		case <-timer.C:
		case <-stop:
			stop = nil
			d.Close(time.Now())
		}
		d.Send(time.Now(), func(b []byte) { _, _ = conn.Write(b) }) // lost ones are repeated
		timer.Reset(max(time.Until(d.Deadline()), 0))
		if stop != nil {
			m.set(v, d.Answers()...)
		}
		if !d.Searching() {
			settle()
		}
	}
}

// dialUDP opens a socket that hears the router only.
func dialUDP(g Gateway, port uint16) (*net.UDPConn, error) {
	return net.DialUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(g.Local, 0)),
		net.UDPAddrFromAddrPort(netip.AddrPortFrom(g.Router, port)))
}

// refusedPause is between reads after an error: a router that has no such
// service says so by ICMP to each request, and to none that was not sent.
const refusedPause = 50 * time.Millisecond

// read passes packets on until the socket is closed.
func read(conn *net.UDPConn, packets chan<- []byte, done <-chan struct{}) {
	for {
		b := make([]byte, maxAnswer+1)
		n, err := conn.Read(b)
		if err != nil {
			select {
			case <-done:
				return
			case <-time.After(refusedPause):
			}
			continue
		}
		select {
		case packets <- b[:n]:
		case <-done:
			return
		}
	}
}
