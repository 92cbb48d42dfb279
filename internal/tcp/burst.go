package tcp

import (
	"iter"

	"qft/internal/udp"
)

// Kind says what a Burst tells.
type Kind byte

const (
	// Up: the line exists from now on. It is told once, before all else.
	Up Kind = iota + 1
	// Packets have arrived.
	Packets
	// Down: the line is gone. It is told once, after all else.
	Down
)

// Burst is what a line has to tell.
type Burst struct {
	Kind    Kind
	Path    udp.Path // the line
	Dialled bool     // Up: we asked for it

	frames []byte // Packets: whole frames
	line   *line
}

// Packets yields the packets in the order of their arrival; they are valid
// until Release.
func (b *Burst) Packets() iter.Seq[udp.Packet] {
	return func(yield func(udp.Packet) bool) {
		for rest := b.frames; len(rest) > 0; {
			var data []byte
			data, rest, _ = cut(rest, udp.MaxPayload)
			if data == nil || !yield(udp.Packet{Path: b.Path, Data: data}) {
				return
			}
		}
	}
}

// Release lets the line go on reading. It must be called exactly once, by
// whoever took b from Incoming.
func (b *Burst) Release() {
	if b.Kind == Packets {
		b.line.free <- struct{}{}
	}
}
