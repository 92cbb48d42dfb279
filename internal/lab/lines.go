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
// These are lost like others, where TCP would delay them. A serial does what
// sequence numbers do: what is left of an old connection is told from a new one.
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
	Of    uint16 // the machine's UDP port
	port  uint16 // zero: not open
	next  udp.Local
	lines []*line
	dials map[netip.AddrPort]*dial
}

// dial is an address that is being dialled.
type dial struct {
	until  int64
	serial uint64
}

// line is a connection, with the own port, and the serial that each side gave
// it.
type line struct {
	udp.Path
	port       uint16
	own, other uint64
}

// Lines are the lines of the machine on a UDP port, which may be bound later:
// then Of is to be set.
func (h *Host) Lines(of uint16) *Lines {
	return &Lines{host: h, Of: of, next: udp.FirstLine, dials: make(map[netip.AddrPort]*dial)}
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

// Renew takes another port beside the old one, for what is dialled from now on.
func (l *Lines) Renew() { l.Listen(0) }

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
	d := &dial{l.host.w.now + int64(limit), uint64(l.host.w.tick())}
	l.dials[remote] = d
	l.attempt(remote, d)
}

func (l *Lines) attempt(remote netip.AddrPort, d *dial) {
	switch {
	case l.dials[remote] != d:
	case l.host.w.now >= d.until || l.machine() == nil:
		delete(l.dials, remote)
	default:
		l.send(syn, d.serial, l.port, remote, nil)
		l.host.w.After(again, func() { l.attempt(remote, d) })
	}
}

// Undial ends that.
func (l *Lines) Undial(remote netip.AddrPort) { delete(l.dials, remote) }

// Hang ends a line. The machine, which may be busy asking for it, is told a
// moment later.
func (l *Lines) Hang(at udp.Local) {
	for _, x := range l.lines {
		if x.Local == at {
			l.send(rst, x.other, x.port, x.Remote, nil)
			l.host.w.After(0, func() { l.down(x) })
			return
		}
	}
}

func (l *Lines) machine() *socket { return l.host.ports[l.Of] }

// to is the line to an address, nil if there is none.
func (l *Lines) to(remote netip.AddrPort) *line {
	for _, x := range l.lines {
		if x.Remote == remote {
			return x
		}
	}
	return nil
}

// send sends a segment.
func (l *Lines) send(kind segment, serial uint64, port uint16, remote netip.AddrPort, data []byte) {
	h := l.host
	dst := remote.Addr()
	src, ok := h.source(dst.Is6())
	local := dst.IsLoopback() || slices.Contains(h.addrs, dst)
	if local {
		src = dst
	}
	k := h.w.newPacket(netip.AddrPortFrom(src, port), remote, data)
	k.tcp, k.serial = kind, serial
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
	kind, serial, from, port := k.tcp, k.serial, k.from, k.to.Port()
	s, x, w := l.machine(), l.to(from), l.host.w
	if kind == frame && x != nil && x.port == port && x.other == serial && s != nil && !l.host.paused {
		w.record(k)
		w.sight(k, Delivered, l.host.name)
		s.m.Receive(l.host.now(), udp.Packet{Path: x.Path, Data: k.data[:len(k.data):len(k.data)]})
		w.release(k)
		s.wake()
		return
	}
	w.lose(k, LostSocket, l.host.name) // no machine is handed it
	if s == nil || l.host.paused {
		return
	}
	switch kind {
	case syn:
		if x != nil && (x.other != serial || x.port != port) {
			l.down(x) // the other end has begun anew
			x = nil
		}
		if x == nil {
			x = l.up(from, port, serial)
		}
		l.send(synAck, x.own, port, from, nil)
	case synAck:
		if x == nil && l.dials[from] != nil {
			l.up(from, port, serial)
		}
	case frame:
		if x == nil || x.port != port || x.other != serial {
			l.send(rst, serial, port, from, nil)
		}
	case rst:
		if x != nil && x.own == serial {
			l.down(x)
		}
	}
}

func (l *Lines) up(remote netip.AddrPort, port uint16, other uint64) *line {
	d := l.dials[remote]
	delete(l.dials, remote)
	x := &line{Path: udp.Path{Local: l.next, Remote: remote}, port: port, other: other}
	if d != nil {
		x.own = d.serial
	} else {
		x.own = uint64(l.host.w.tick())
	}
	l.next++
	l.lines = append(l.lines, x)
	if s := l.machine(); s != nil {
		if m, ok := s.m.(liner); ok {
			m.LineUp(l.host.now(), x.Path, d != nil)
		}
		s.wake()
	}
	return x
}

func (l *Lines) down(x *line) {
	if !slices.Contains(l.lines, x) {
		return
	}
	l.lines = slices.DeleteFunc(l.lines, func(o *line) bool { return o == x })
	if s := l.machine(); s != nil {
		if m, ok := s.m.(liner); ok {
			m.LineDown(l.host.now(), x.Path)
		}
		s.wake()
	}
}

// shutLines resets what the machine on a port has, as the end of its process
// does.
func (h *Host) shutLines(of uint16) {
	for port, l := range h.tcp {
		if l.Of != of {
			continue
		}
		for _, x := range l.lines {
			l.send(rst, x.other, x.port, x.Remote, nil)
		}
		l.lines = nil
		clear(l.dials)
		delete(h.tcp, port)
	}
}

// sendLine takes a packet that the machine on a port appended for a line.
func (h *Host) sendLine(of uint16, p udp.Packet) {
	for _, l := range h.tcp {
		if x := l.to(p.Remote); l.Of == of && x != nil && x.Local == p.Local {
			l.send(frame, x.own, x.port, p.Remote, p.Data)
			return
		}
	}
}
