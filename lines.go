package qft

import (
	"net/netip"
	"time"

	"qft/internal/peer"
	"qft/internal/tcp"
	"qft/internal/udp"
)

// lineOpener is the TCP side of an attempt. It opens its port with the first
// Dial: where UDP does, nothing listens. Its methods are called in the loop.
type lineOpener struct {
	loop  *peer.Loop
	want  uint16     // port, if it is free: that of UDP
	lines *tcp.Lines // nil: not opened, or it cannot be
	tried bool

	opened func(port uint16) // is told of the port; may be nil
}

func (o *lineOpener) open() *tcp.Lines {
	if o.tried {
		return o.lines
	}
	o.tried = true
	for _, port := range []uint16{o.want, 0} {
		if l, err := tcp.Listen(tcp.Config{Ports: []uint16{port}, Dials: true}); err == nil {
			o.lines = l
			o.loop.SetLines(l)
			if o.opened != nil {
				o.opened(l.Port())
			}
			break
		}
	}
	return o.lines
}

// Dial implements peer.Lines.
func (o *lineOpener) Dial(remote netip.AddrPort, limit time.Duration) {
	if l := o.open(); l != nil {
		l.Dial(remote, limit)
	}
}

// Undial implements peer.Lines.
func (o *lineOpener) Undial(remote netip.AddrPort) {
	if o.lines != nil {
		o.lines.Undial(remote)
	}
}

// Trust implements peer.Lines.
func (o *lineOpener) Trust(l udp.Local) {
	if o.lines != nil {
		o.lines.Trust(l)
	}
}

// Renew implements peer.Lines.
func (o *lineOpener) Renew() {
	if o.lines == nil {
		return
	}
	before := o.lines.Port()
	o.lines.Renew()
	if now := o.lines.Port(); now != before && o.opened != nil {
		o.opened(now)
	}
}

// Hang implements peer.Lines.
func (o *lineOpener) Hang(l udp.Local) {
	if o.lines != nil {
		o.lines.Hang(l)
	}
}

// Port implements peer.Lines.
func (o *lineOpener) Port() uint16 {
	if o.lines == nil {
		return 0
	}
	return o.lines.Port()
}

func (o *lineOpener) close() {
	if o.lines != nil {
		o.lines.Close()
	}
}
