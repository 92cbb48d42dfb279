package udp

import (
	"fmt"
	"iter"
	"net/netip"
)

// Local tells this machine's sockets apart. 0 is the one that Listen opened on
// its port, in both families; 1 to 0x7fff are those that Socket.Open opened
// beside it; from 0x8000 on they are lines of other kinds, such as TCP.
type Local uint16

// FirstLine is the lowest Local that is no UDP socket.
const FirstLine Local = 0x8000

// Path is a way as a machine sees it: through which own socket, to or from
// which address.
type Path struct {
	Local  Local
	Remote netip.AddrPort
}

// To is the way to an address through the first socket.
func To(a netip.AddrPort) Path { return Path{Remote: a} }

// IsLine reports whether the path is a line of another kind than UDP.
func (p Path) IsLine() bool { return p.Local >= FirstLine }

// Unmap returns the path with an IPv4 address in its short form.
func (p Path) Unmap() Path {
	p.Remote = unmap(p.Remote)
	return p
}

// String names the address, and the socket if it is not the first.
func (p Path) String() string {
	if p.Local == 0 {
		return p.Remote.String()
	}
	return fmt.Sprintf("%v through socket %d", p.Remote, p.Local)
}

// Packet is one UDP datagram as the protocol machines see it: Remote is its
// source when received, its destination when sent.
//
// Data belongs to whoever hands the packet over: a machine that wants to keep
// any of it after the call copies it.
type Packet struct {
	Path
	Data []byte // UDP payload, 0 to 65,507 bytes
}

// MaxPayload is the largest UDP payload of an IPv4 datagram (RFC 768, RFC
// 791: 65,535 less 20 and 8 bytes of headers), and so the largest packet that
// a Batch takes.
const MaxPayload = 65507

// Batch collects packets that should leave together. They lie end to end in
// one buffer, in the order of sending, so that neighbours of one size and
// destination can leave as one segmented datagram (GSO) without a copy.
//
// A machine builds a packet directly in the batch: it asks for a Tail, writes
// and seals in place, and calls Commit.
type Batch struct {
	buf   []byte
	used  int
	spans []span
}

type span struct {
	to  Path
	end int // offset just behind the packet in buf
}

// NewBatch returns an empty batch whose packets may hold size bytes together.
func NewBatch(size int) *Batch {
	return &Batch{buf: make([]byte, size)}
}

// Reset empties the batch; packets taken from it before are no longer valid.
func (b *Batch) Reset() {
	b.used = 0
	b.spans = b.spans[:0]
}

// Len reports the number of packets in the batch.
func (b *Batch) Len() int { return len(b.spans) }

// Room reports how many bytes the batch can still take.
func (b *Batch) Room() int { return len(b.buf) - b.used }

// Tail returns an empty slice of capacity n that starts where the next packet
// will lie, or nil if there is no room for n bytes: then send the batch first.
func (b *Batch) Tail(n int) []byte {
	if n > b.Room() {
		return nil
	}
	return b.buf[b.used : b.used : b.used+n]
}

// Commit makes the first n bytes of the latest Tail a packet that takes the
// given path.
func (b *Batch) Commit(to Path, n int) {
	b.used += n
	b.spans = append(b.spans, span{to, b.used})
}

// Add appends a copy of data as a packet, and reports whether there was room.
func (b *Batch) Add(to Path, data []byte) bool {
	t := b.Tail(len(data))
	if t == nil {
		return false
	}
	b.Commit(to, len(append(t, data...)))
	return true
}

// At returns packet i, valid until Reset.
func (b *Batch) At(i int) Packet {
	start := 0
	if i > 0 {
		start = b.spans[i-1].end
	}
	s := b.spans[i]
	return Packet{Path: s.to, Data: b.buf[start:s.end:s.end]}
}

// All yields the packets in the order of sending.
func (b *Batch) All() iter.Seq[Packet] {
	return func(yield func(Packet) bool) {
		for i := range b.spans {
			if !yield(b.At(i)) {
				return
			}
		}
	}
}
