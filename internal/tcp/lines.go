package tcp

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"qft/internal/udp"
)

const (
	// greetTime bounds how long a connection may be there without a greeting.
	greetTime = 10 * time.Second

	// writeTime is how long a piece of pieceSize bytes may take to leave. A
	// slower line is of no use, and one whose other end is gone would hold on
	// for a quarter of an hour.
	writeTime = 30 * time.Second
	pieceSize = 64 << 10

	// closeTime is how long what was written last may take when all ends.
	closeTime = time.Second

	leastBuffer = 4 << 10 // for reading, to begin with

	areaFactor = 16 // what a neighbourhood may have, in sources
)

// Config says what lines there may be. The zero value is that of a peer.
type Config struct {
	// Ports are where to listen. If none, one that is free in both families.
	Ports []uint16

	// Addr is the only own address to be used. If zero, all. Addr6 is the one of
	// IPv6 beside an Addr of IPv4.
	Addr, Addr6 netip.Addr

	// Dials says that Dial will be used: several connections then share the
	// first of the ports, as far as the system allows.
	Dials bool

	// Accept and SourceAccept bound the lines that others have opened, in all
	// and from one source (an IPv4 address, an IPv6 /64). If zero, 32 and 8. A
	// neighbourhood (IPv4 /24, IPv6 /48) may have 16 times what a source may.
	Accept, SourceAccept int

	// Frame bounds the bytes of a packet. If zero, 65,507.
	Frame int

	// Queue bounds the bytes that wait to be written on a line. If zero,
	// 512 KiB. As many again may be under way to the kernel.
	Queue int

	// Silence is how long a line that is not trusted may carry nothing. If
	// zero, 30 s.
	Silence time.Duration
}

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		v   *int
		def int
	}{{&c.Accept, 32}, {&c.SourceAccept, 8}, {&c.Frame, udp.MaxPayload}, {&c.Queue, 512 << 10}} {
		if *d.v <= 0 {
			*d.v = d.def
		}
	}
	if c.Silence <= 0 {
		c.Silence = 30 * time.Second
	}
	if len(c.Ports) == 0 {
		c.Ports = []uint16{0}
	}
	return c
}

// maxPorts bounds the ports of Renew, old ones included.
const maxPorts = 8

// Lines is the TCP connections of one machine. Its methods may be called from
// anywhere.
type Lines struct {
	cfg      Config
	incoming chan *Burst
	closing  chan struct{}
	running  sync.WaitGroup
	dropped  atomic.Uint64

	mu        sync.Mutex
	listeners []net.Listener
	port      uint16 // the latest
	renewed   int

	lines   map[udp.Local]*line
	next    udp.Local
	sources map[netip.Prefix]int // accepted lines, by source and by neighbourhood
	accepts int                  // all of them
	dials   map[netip.AddrPort]context.CancelFunc
	closed  bool
}

func newLines(cfg Config) *Lines {
	return &Lines{
		cfg:      cfg.withDefaults(),
		incoming: make(chan *Burst, 64),
		closing:  make(chan struct{}),
		lines:    make(map[udp.Local]*line),
		next:     udp.FirstLine,
		sources:  make(map[netip.Prefix]int),
		dials:    make(map[netip.AddrPort]context.CancelFunc),
	}
}

// Listen begins to accept lines.
func Listen(cfg Config) (*Lines, error) {
	l := newLines(cfg)
	var all []net.Listener
	for _, port := range l.cfg.Ports {
		both, err := listenBoth(l.cfg, port)
		if err != nil {
			for _, x := range all {
				x.Close()
			}
			return nil, err
		}
		all = append(all, both...)
	}
	l.serve(all)
	return l, nil
}

// serve accepts lines at listeners, of which the first one's port is dialled
// from.
func (l *Lines) serve(all []net.Listener) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		for _, x := range all {
			x.Close()
		}
		return
	}
	l.listeners = append(l.listeners, all...)
	l.port = portOf(all[0])
	for _, x := range all {
		l.running.Go(func() { l.accept(x) })
	}
}

// Renew takes another port, from which lines are dialled and at which they are
// accepted from now on, beside the old one: a router may let nothing pass for a
// while where it has seen a connection reset. Where it cannot, it does nothing.
func (l *Lines) Renew() {
	l.mu.Lock()
	l.renewed++
	enough := l.renewed >= maxPorts
	l.mu.Unlock()
	if enough {
		return
	}
	if all, err := listenBoth(l.cfg, 0); err == nil {
		l.serve(all)
	}
}

// Port is the port from which lines are dialled.
func (l *Lines) Port() uint16 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.port
}

// Incoming delivers what lines tell. Each Burst must be released.
func (l *Lines) Incoming() <-chan *Burst { return l.incoming }

// Dropped counts the packets for which there was no line, or no room on it.
func (l *Lines) Dropped() uint64 { return l.dropped.Load() }

// Write sends those packets of b that are for lines. It does not wait: what a
// line has no room for is dropped.
func (l *Lines) Write(b *udp.Batch) {
	for p := range b.All() {
		if p.IsLine() {
			l.write(p)
		}
	}
}

func (l *Lines) write(p udp.Packet) {
	x := l.line(p.Local)
	if x == nil || x.path != p.Path.Unmap() || !x.push(p.Data) {
		l.dropped.Add(1)
	}
}

func (l *Lines) line(at udp.Local) *line {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines[at]
}

// Trust says that who is at the other end is known: the line may be silent.
func (l *Lines) Trust(at udp.Local) {
	if x := l.line(at); x != nil {
		x.trust()
	}
}

// Hang closes a line at once: what is still to be sent is lost. It is told as
// Down.
func (l *Lines) Hang(at udp.Local) {
	if x := l.line(at); x != nil {
		discard(x.conn)
	}
}

// Close closes all lines, ends all else and waits for it: what was written last
// has a second to arrive.
func (l *Lines) Close() {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.closing)
		for _, x := range l.listeners {
			x.Close()
		}
		for _, stop := range l.dials {
			stop()
		}
		for _, x := range l.lines {
			x.wake()
		}
	}
	l.mu.Unlock()
	l.running.Wait()
}

// ending reports whether Close was called.
func (l *Lines) ending() bool {
	select {
	case <-l.closing:
		return true
	default:
		return false
	}
}

// accept takes what comes in at one listener.
func (l *Lines) accept(x net.Listener) {
	pause := time.Millisecond
	for {
		conn, err := x.Accept()
		switch {
		case err == nil:
			pause = time.Millisecond
			l.adopt(conn, false)
		case errors.Is(err, net.ErrClosed):
			return
		default: // no descriptors left, most likely: lines will end
			select {
			case <-time.After(pause):
			case <-l.closing:
				return
			}
			pause = min(2*pause, time.Second)
		}
	}
}

// adopt has a connection become a line, unless there are too many. It reports
// whether it does.
func (l *Lines) adopt(conn net.Conn, dialled bool) bool {
	remote := addrPort(conn.RemoteAddr())
	l.mu.Lock()
	defer l.mu.Unlock()
	source, area := blocks(remote.Addr())
	full := !dialled && (l.accepts >= l.cfg.Accept || l.sources[source] >= l.cfg.SourceAccept ||
		l.sources[area] >= areaFactor*l.cfg.SourceAccept)
	if l.closed || full || len(l.lines) >= int(udp.FirstLine)-1 || remote == addrPort(conn.LocalAddr()) {
		discard(conn)
		return false
	}
	for l.lines[l.next] != nil {
		l.advance()
	}
	x := &line{
		lines: l, conn: conn, dialled: dialled,
		path: udp.Path{Local: l.next, Remote: remote},
		free: make(chan struct{}, 1),
	}
	l.lines[l.next] = x
	// The next one gets another number: packets for a line that has just gone
	// must not reach one that has just come.
	l.advance()
	if !dialled {
		l.accepts++
		l.sources[source]++
		l.sources[area]++
	}
	l.running.Go(x.run)
	return true
}

func (l *Lines) advance() {
	if l.next++; l.next < udp.FirstLine {
		l.next = udp.FirstLine
	}
}

// forget takes a line off the books.
func (l *Lines) forget(x *line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.lines, x.path.Local)
	if x.dialled {
		return
	}
	l.accepts--
	source, area := blocks(x.path.Remote.Addr())
	for _, p := range []netip.Prefix{source, area} {
		if l.sources[p]--; l.sources[p] == 0 {
			delete(l.sources, p)
		}
	}
}

// tell passes a burst on, and reports false if nobody listens any more.
func (l *Lines) tell(b *Burst) bool {
	select {
	case l.incoming <- b:
		return true
	case <-l.closing:
		return false
	}
}

// blocks returns the addresses that share a source, which are what one customer
// gets (RFC 6177 section 2), and those of its neighbourhood, all of which one may
// have as well.
func blocks(a netip.Addr) (source, area netip.Prefix) {
	most, many := 32, 24
	if a.Is6() {
		most, many = 64, 48
	}
	source, _ = a.Prefix(most) // an error: no address at all, and all such are one
	area, _ = a.Prefix(many)
	return source, area
}

func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	at := t.AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}

func portOf(x net.Listener) uint16 { return addrPort(x.Addr()).Port() }

// discard closes a connection without the wait that TCP would have it stay for.
func discard(conn net.Conn) {
	if t, ok := conn.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	conn.Close()
}
