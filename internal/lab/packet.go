package lab

import (
	"fmt"
	"io"
	"net/netip"
	"time"
)

// packet is one datagram on its way. Packets are pooled: once enough of them
// exist, nothing is allocated for one more.
type packet struct {
	timer          // for packets that left the order of their pipe
	from, to       netip.AddrPort
	data           []byte // owned; keeps its capacity in the pool
	at             int64  // when it leaves the pipe, ns
	seq            uint64
	next           *packet // in its pipe, its socket buffer, or the pool
	pipe           *Pipe
	tcp            segment
	serial         uint64 // of the connection, as its sender numbers it; rst: as its receiver does
	pipeGeneration uint32
}

// ipSize is the length of the IP packet around the datagram: headers of
// 20 + 8 bytes (RFC 791, RFC 768) or 40 + 8 bytes (RFC 8200).
func (k *packet) ipSize() int {
	if k.to.Addr().Is4() {
		return len(k.data) + 28
	}
	return len(k.data) + 48
}

// list is a first-in first-out queue of packets.
type list struct{ head, tail *packet }

func (l *list) push(k *packet) {
	k.next = nil
	if l.head == nil {
		l.head = k
	} else {
		l.tail.next = k
	}
	l.tail = k
}

func (l *list) pop() *packet {
	k := l.head
	l.head = k.next
	return k
}

// newPacket takes a packet from the pool and copies data into it.
func (w *World) newPacket(from, to netip.AddrPort, data []byte) *packet {
	k := w.pool
	if k == nil {
		k = &packet{data: make([]byte, 0, 1536)}
		k.who = k
	} else {
		w.pool = k.next
	}
	k.from, k.to, k.tcp, k.serial = from, to, noSegment, 0
	k.data = append(k.data[:0], data...)
	return k
}

func (w *World) release(k *packet) {
	k.next = w.pool
	w.pool = k
}

// Fate is what became of a packet.
type Fate byte

const (
	// Sent: a machine appended it. Exactly one of the others follows, for
	// the packet and for each copy that a link made of it.
	Sent         Fate = iota
	Delivered         // handed to a machine
	LostQueue         // the queue of a pipe was full
	LostWire          // random or burst loss
	LostPolicer       // beyond the token bucket
	LostMTU           // too large for a pipe
	LostChecksum      // damaged, and the receiving kernel noticed
	LostCut           // the line was down or went down
	LostFilter        // a NAT or firewall did not let it in
	LostPorts         // a NAT had no free port for it
	LostRoute         // nobody has the address, or no address of that family to send from
	LostSocket        // nobody is bound to the port
	LostBuffer        // the receiving host is paused and its socket buffer full
	fates
)

var fateNames = [fates]string{"sent", "delivered", "lost: queue full", "lost on the wire",
	"lost: policer", "lost: too large", "lost: checksum", "lost: line cut", "lost: filtered",
	"lost: no NAT port", "lost: no route", "lost: no socket", "lost: socket buffer full"}

func (f Fate) String() string {
	if f < fates {
		return fateNames[f]
	}
	return fmt.Sprintf("fate %d", byte(f))
}

// Sighting is a packet at the moment its fate is known. The addresses are
// those in its header there and then: behind a NAT they differ from what the
// other end sees.
type Sighting struct {
	At       time.Duration // since the world began
	From, To netip.AddrPort
	Data     []byte // valid during the call only
	Fate     Fate
	Where    string // the host, router or pipe ("home up") where it happened
}

// Tap has f called for every packet, when it is sent and when it ends. f must
// not change the world; it may schedule something (After).
func (w *World) Tap(f func(Sighting)) { w.taps = append(w.taps, f) }

// Log writes a line to out for every packet sent and for each one's end.
func (w *World) Log(out io.Writer) {
	w.Tap(func(s Sighting) {
		fmt.Fprintf(out, "%12v %v > %v, %d bytes, %v at %s\n", s.At, s.From, s.To, len(s.Data), s.Fate, s.Where)
	})
}

// Count reports how many packets met fate f so far.
func (w *World) Count(f Fate) uint64 { return w.counts[f] }

// sight counts and shows a packet.
func (w *World) sight(k *packet, f Fate, where string) {
	w.counts[f]++
	for _, tap := range w.taps {
		tap(Sighting{w.Elapsed(), k.from, k.to, k.data, f, where})
	}
}

// lose ends a packet.
func (w *World) lose(k *packet, f Fate, where string) {
	w.sight(k, f, where)
	w.release(k)
}
