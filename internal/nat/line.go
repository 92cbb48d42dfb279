package nat

import (
	"slices"
	"time"

	"qft/internal/udp"
)

// maxLines bounds the lines that are probed at the same time.
const maxLines = 16

// AddLine adds a line, such as a TCP connection, to what is being probed. It
// may lead to the peer or to anybody: the probes show. A line is chosen only if
// no UDP address works.
func (a *Agent) AddLine(now time.Time, at udp.Path) {
	a.advance(now)
	at = at.Unmap()
	lines := 0
	for _, p := range a.pairs {
		if p.isLine() {
			lines++
		}
	}
	if !at.IsLine() || !sendable(at.Remote) || lines >= maxLines || find(a.pairs, at) != nil {
		return
	}
	p := &pair{Candidate: Candidate{TCPReflexive, at.Remote}, local: at.Local, class: tcp}
	p.start(a.now, a.now)
	a.pairs = append(a.pairs, p)
	a.startClock()
}

// DropLine removes a line that is gone. If it was the path, the search begins
// anew.
func (a *Agent) DropLine(now time.Time, at udp.Path) {
	p := find(a.pairs, at.Unmap())
	if p == nil || !p.isLine() {
		return
	}
	a.pairs = slices.DeleteFunc(a.pairs, func(x *pair) bool { return x == p })
	if a.last == p {
		a.last = nil
	}
	if a.round.chosen == p {
		a.round.chosen = nil
		a.advance(now)
		a.begin(a.round.generation + 1)
		return
	}
	a.advance(now)
}

// isLine reports whether the pair is a line rather than an address.
func (p *pair) isLine() bool { return p.local >= udp.FirstLine }

// startLines begins a generation for the lines.
func (a *Agent) startLines() {
	for _, p := range a.pairs {
		if p.isLine() {
			p.start(a.now, a.now)
			a.startClock()
		}
	}
}
