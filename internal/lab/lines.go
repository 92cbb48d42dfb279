package lab

import (
	"net/netip"
	"slices"
	"time"

	"qft/internal/udp"
)

// segment says what a packet is to TCP, which the world has only as much of as
// punching needs: connections come about as they do (RFC 9293 section 3.5),
// through tables of their own in NATs and firewalls, and then carry datagrams.
// These are lost like others, where TCP would delay them.
type segment byte

const (
	noSegment segment = iota // UDP
	syn
	synAck
	frame // a datagram on a connection
	rst
)

// again is when a SYN that was not answered is sent again.
const again = time.Second

// liner is a Machine that is told of lines.
type liner interface {
	LineUp(now time.Time, at udp.Path, dialled bool)
	LineDown(now time.Time, at udp.Path)
}

// Lines is the TCP side of the machine on one UDP port of a host. It listens
// from its first Dial on, or Listen.
type Lines struct {
	host  *Host
	of    uint16 // the machine's port
	port  uint16 // zero: not open
	next  udp.Local
	lines []udp.Path
	dials map[netip.AddrPort]*dial
}

// dial is an address that is being dialled.
type dial struct{ until int64 }

// Lines are the lines of the machine on a UDP port.
func (h *Host) Lines(of uint16) *Lines {
	return &Lines{host: h, of: of, next: udp.FirstLine, dials: make(map[netip.AddrPort]*dial)}
}

// Listen opens a TCP port, 0 being any that is free.
func (l *Lines) Listen(port uint16) {
	for port == 0 || l.host.tcp[port] != nil {
		port = l.host.freePort()
	}
	l.port = port
	if l.host.tcp == nil {
		l.host.tcp = make(map[uint16]*Lines)
	}
	l.host.tcp[port] = l
}

// Port returns the TCP port, 0 if there is none yet.
func (l *Lines) Port() uint16 { return l.port }

// Trust does nothing: no line is closed for its silence.
func (l *Lines) Trust(udp.Local) {}

// Dial sends a SYN every second until there is a line, or the limit has passed.
func (l *Lines) Dial(remote netip.AddrPort, limit time.Duration) {
	if l.port == 0 {
		l.Listen(0)
	}
	if l.dials[remote] != nil || l.to(remote) != nil {
		return
	}
	d := &dial{until: l.host.w.now + int64(limit)}
	l.dials[remote] = d
	l.attempt(remote, d)
}

func (l *Lines) attempt(remote netip.AddrPort, d *dial) {
	switch {
	case l.dials[remote] != d:
	case l.host.w.now >= d.until || l.machine() == nil:
		delete(l.dials, remote)
	default:
		l.send(syn, remote, nil)
		l.host.w.After(again, func() { l.attempt(remote, d) })
	}
}

// Undial ends that.
func (l *Lines) Undial(remote netip.AddrPort) { delete(l.dials, remote) }

// Hang ends a line.
func (l *Lines) Hang(at udp.Local) {
	for _, p := range l.lines {
		if p.Local == at {
			l.send(rst, p.Remote, nil)
			l.down(p.Remote)
			return
		}
	}
}

func (l *Lines) machine() *socket { return l.host.ports[l.of] }

// to is the line to an address, nil if there is none.
func (l *Lines) to(remote netip.AddrPort) *udp.Path {
	i := slices.IndexFunc(l.lines, func(p udp.Path) bool { return p.Remote == remote })
	if i < 0 {
		return nil
	}
	return &l.lines[i]
}

// send sends a segment.
func (l *Lines) send(kind segment, remote netip.AddrPort, data []byte) {
	h := l.host
	dst := remote.Addr()
	src, ok := h.source(dst.Is6())
	local := dst.IsLoopback() || slices.Contains(h.addrs, dst)
	if local {
		src = dst
	}
	k := h.w.newPacket(netip.AddrPortFrom(src, l.port), remote, data)
	k.tcp = kind
	h.w.sight(k, Sent, h.name)
	switch {
	case local:
		h.local.offer(k)
	case !ok:
		h.w.lose(k, LostRoute, h.name)
	default:
		h.up.offer(k)
	}
}

// receive takes a segment that has arrived, and ends it.
func (l *Lines) receive(k *packet) {
	kind, from := k.tcp, k.from
	s := l.machine()
	line := l.to(from)
	if kind == frame && line != nil && s != nil && !l.host.paused {
		w := l.host.w
		w.record(k)
		w.sight(k, Delivered, l.host.name)
		s.m.Receive(l.host.now(), udp.Packet{Path: *line, Data: k.data[:len(k.data):len(k.data)]})
		w.release(k)
		s.wake()
		return
	}
	l.host.w.lose(k, LostSocket, l.host.name) // nobody is handed it
	switch {
	case s == nil || l.host.paused:
	case kind == syn && line == nil:
		l.up(from)
		l.send(synAck, from, nil)
	case kind == syn:
		l.send(synAck, from, nil)
	case kind == synAck && line == nil && l.dials[from] != nil:
		l.up(from)
	case kind == rst:
		l.down(from)
	case line == nil:
		l.send(rst, from, nil)
	}
}

func (l *Lines) up(remote netip.AddrPort) {
	_, dialled := l.dials[remote]
	delete(l.dials, remote)
	p := udp.Path{Local: l.next, Remote: remote}
	l.next++
	l.lines = append(l.lines, p)
	if s := l.machine(); s != nil {
		if m, ok := s.m.(liner); ok {
			m.LineUp(l.host.now(), p, dialled)
		}
		s.wake()
	}
}

func (l *Lines) down(remote netip.AddrPort) {
	p := l.to(remote)
	if p == nil {
		return
	}
	at := *p
	l.lines = slices.DeleteFunc(l.lines, func(x udp.Path) bool { return x == at })
	if s := l.machine(); s != nil {
		if m, ok := s.m.(liner); ok {
			m.LineDown(l.host.now(), at)
		}
		s.wake()
	}
}

// shutLines resets what the machine on a port has, as the end of its process
// does.
func (h *Host) shutLines(of uint16) {
	for port, l := range h.tcp {
		if l.of != of {
			continue
		}
		for _, p := range l.lines {
			l.send(rst, p.Remote, nil)
		}
		l.lines = nil
		clear(l.dials)
		delete(h.tcp, port)
	}
}

// sendLine takes a packet that the machine on a port appended for a line.
func (h *Host) sendLine(of uint16, p udp.Packet) {
	for _, l := range h.tcp {
		if l.of == of && slices.Contains(l.lines, p.Path) {
			l.send(frame, p.Remote, p.Data)
			return
		}
	}
}
