package lab

import (
	"net/netip"
	"testing"
	"time"

	"qft/internal/udp"
)

// talker says a word once on each line that comes up, and notes what it hears.
type talker struct {
	word  string
	ready []udp.Path
	up    []udp.Path
	down  int
	heard []string
}

func (m *talker) LineUp(_ time.Time, at udp.Path, _ bool) {
	m.up, m.ready = append(m.up, at), append(m.ready, at)
}
func (m *talker) LineDown(time.Time, udp.Path)      { m.down++ }
func (m *talker) Receive(_ time.Time, p udp.Packet) { m.heard = append(m.heard, string(p.Data)) }
func (m *talker) Deadline() time.Time               { return time.Time{} }
func (m *talker) Send(_ time.Time, b *udp.Batch) {
	for _, p := range m.ready {
		b.Add(p, []byte(m.word))
	}
	m.ready = nil
}

// linePair is two hosts, each behind a router that lets no UDP pass.
func linePair(w *World, nat NAT) (a, b *Host, la, lb *Lines, ma, mb *talker) {
	for i, m := range []*talker{{word: "from a"}, {word: "from b"}} {
		nat := nat
		r := w.Router(nil, RouterConfig{NAT: &nat, BlockUDP: true, Up: Link{Delay: 10 * time.Millisecond}, Down: Link{Delay: 10 * time.Millisecond}})
		h := w.Host(r, HostConfig{})
		h.Bind(1000, m)
		l := h.Lines(1000)
		l.Listen(2000)
		if i == 0 {
			a, la, ma = h, l, m
		} else {
			b, lb, mb = h, l, m
		}
	}
	return a, b, la, lb, ma, mb
}

// outside is the address of a host's port behind a NAT that keeps ports.
func outside(h *Host) netip.AddrPort { return netip.AddrPortFrom(h.parent.Public()[0], 2000) }

func TestLinesMeetThroughTwoNATs(t *testing.T) {
	w := New(1)
	a, b, la, lb, ma, mb := linePair(w, NAT{PortPreserve: true, Mapping: AddressPortDependent, Filtering: AddressPortDependent})
	la.Dial(outside(b), 10*time.Second)
	w.Run(5*time.Second, nil)
	if len(ma.up)+len(mb.up) != 0 {
		t.Fatal("one side alone got through")
	}
	lb.Dial(outside(a), 10*time.Second)
	w.Run(5*time.Second, nil)
	if len(ma.up) != 1 || len(mb.up) != 1 || len(ma.heard) != 1 || ma.heard[0] != "from b" || len(mb.heard) != 1 || mb.heard[0] != "from a" {
		t.Fatalf("a: %v %q, b: %v %q", ma.up, ma.heard, mb.up, mb.heard)
	}
	lb.Hang(mb.up[0].Local)
	w.Run(time.Second, nil)
	if ma.down != 1 || mb.down != 1 {
		t.Errorf("the line went down %d and %d times, want once on each side", ma.down, mb.down)
	}
}

func TestLinesDoNotMeetThroughNATsThatScatter(t *testing.T) {
	w := New(2)
	a, b, la, lb, ma, mb := linePair(w, NAT{Mapping: AddressPortDependent, Filtering: AddressPortDependent})
	la.Dial(outside(b), 10*time.Second)
	lb.Dial(outside(a), 10*time.Second)
	w.Run(20*time.Second, nil)
	if len(ma.up)+len(mb.up) != 0 {
		t.Errorf("lines are up: %v, %v", ma.up, mb.up)
	}
}

func TestLinesEndWithTheirMachine(t *testing.T) {
	w := New(3)
	_, b, la, _, ma, _ := linePair(w, NAT{Mapping: EndpointIndependent, PortPreserve: true})
	b.parent.natTCP.doors[outside(b)] = &mapping{inside: b.AddrPort(false, 2000), outside: outside(b), used: forever}
	la.Dial(outside(b), 10*time.Second)
	w.Run(time.Second, nil)
	if len(ma.up) != 1 {
		t.Fatal("no line")
	}
	b.Unbind(1000)
	w.Run(time.Second, nil)
	if ma.down != 1 {
		t.Error("the other side was not told of the end")
	}
}
