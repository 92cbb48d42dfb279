package nat

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"qft/internal/udp"
)

var attacker = netip.MustParseAddrPort("198.18.6.6:6666")

// inject hands the agent a packet and returns what it sends in answer within
// the next second.
func (h *host) inject(from netip.AddrPort, data []byte) []shot {
	h.agent.Receive(h.world.now, udp.Packet{Path: udp.To(from), Data: data})
	h.flush()
	before := len(h.sent)
	h.world.run(h.world.now.Sub(epoch)+time.Second, nil)
	return h.sent[min(before, len(h.sent)):]
}

func sentTo(list []shot, to netip.AddrPort) (n, size int) {
	for _, s := range list {
		if s.to == to {
			n++
			size += len(s.data)
		}
	}
	return n, size
}

// snapshot is all state that a packet could change.
func (a *Agent) snapshot() string {
	s := fmt.Sprintf("%+v %+v %+v %v %v", a.round, a.window, a.out, a.seen, a.now)
	for _, p := range a.pairs {
		s += fmt.Sprintf("%+v", *p)
	}
	return s
}

func TestGarbageChangesNothing(t *testing.T) {
	w := newWorld(t, 1)
	p := w.behind(portRestricted, portRestricted)
	p.start()
	p.exchange()
	p.wantConnected(time.Second)
	before := p.a.agent.snapshot()
	from := []netip.AddrPort{attacker, p.b.candidates()[1].Addr}
	genuine := p.a.heard[len(p.a.heard)-1]
	var garbage [][]byte
	for n := range fullSize + 2 {
		b := make([]byte, n)
		w.rand.Read(b)
		garbage = append(garbage, b, append([]byte{firstByte, 1, 2, 3, 4}, b...))
		garbage = append(garbage, genuine[:min(n, len(genuine)-1)])
	}
	for i := range genuine { // every bit matters
		b := slices.Clone(genuine)
		b[i] ^= 1 << (i % 8)
		garbage = append(garbage, b)
	}
	for _, s := range p.a.sent { // our own, reflected
		garbage = append(garbage, s.data)
	}
	garbage = append(garbage, p.a.heard...) // replayed
	for i, b := range garbage {
		p.a.agent.Receive(w.now.Add(time.Second), udp.Packet{Path: udp.To(from[i%2]), Data: b})
	}
	for _, bad := range []string{"0.0.0.0:1", "224.0.0.1:1", "255.255.255.255:9", "203.0.113.1:0", "[ff02::1]:5", "[::]:1"} {
		p.a.agent.Receive(w.now, udp.Packet{Path: udp.To(netip.MustParseAddrPort(bad)), Data: p.b.fresh(ping, true, flagProven)})
	}
	if after := p.a.agent.snapshot(); after != before {
		t.Errorf("garbage changed the agent\nfrom %s\nto   %s", before, after)
	}
}

// fresh seals a probe that the host's agent could have sent now.
func (h *host) fresh(kind probeKind, full bool, flags byte) []byte {
	a := h.agent
	a.out.sequence++
	return slices.Clone(a.seal.seal(&probe{
		kind: kind, full: full, flags: flags, sequence: a.out.sequence, generation: a.round.generation, txid: a.random(),
	}))
}

func TestReplayCannotRedirect(t *testing.T) {
	w := newWorld(t, 1)
	p := w.behind(portRestricted, portRestricted)
	p.a.start(true)
	p.b.start(false)
	p.exchange()
	p.wantConnected(time.Second)
	path, _ := p.b.agent.Best()
	for _, data := range slices.Clone(p.b.heard) {
		if n, _ := sentTo(p.b.inject(attacker, data), attacker); n > 0 {
			t.Fatalf("a replayed probe was answered")
		}
	}
	if now, ok := p.b.agent.Best(); !ok || now.Way.Remote != path.Way.Remote {
		t.Errorf("after the replay the path is %v, was %v", now.Way.Remote, path.Way.Remote)
	}
}

// The attacker holds the nomination back and delivers it first, from his own
// address. He gets what a false source address is worth, and no path.
func TestHeldBackNominationCannotRedirect(t *testing.T) {
	w := newWorld(t, 1)
	p := w.behind(portRestricted, portRestricted)
	p.start()
	p.exchange()
	p.wantConnected(time.Second)
	p.run(5*time.Second, nil)
	path, _ := p.b.agent.Best()
	before := len(p.b.sent)
	p.b.inject(attacker, p.a.fresh(ping, true, flagProven|flagNominated))
	n, size := sentTo(p.b.sent[before:], attacker)
	if n == 0 || size > 3*fullSize {
		t.Errorf("the attacker got %d packets, %d bytes, for one of %d", n, size, fullSize)
	}
	if now, ok := p.b.agent.Best(); !ok || now.Way.Remote != path.Way.Remote {
		t.Errorf("the path is %v, was %v", now.Way.Remote, path.Way.Remote)
	}
	p.t.Log("# he guesses at pongs")
	for range 100 {
		p.b.inject(attacker, p.a.fresh(pong, true, flagProven))
	}
	if now, ok := p.b.agent.Best(); !ok || now.Way.Remote != path.Way.Remote {
		t.Errorf("the path is %v, was %v", now.Way.Remote, path.Way.Remote)
	}
}

// A peer may lie about its source address; each address gets three times
// what seemed to come from it.
func TestSpoofedSourcesGainLittle(t *testing.T) {
	for _, large := range []bool{true, false} {
		w := newWorld(t, 1)
		p := w.behind(portRestricted, portRestricted)
		p.start()
		in, out := 0, 0
		for i := range 200 {
			from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, 1, byte(i)}), 9)
			data := p.b.fresh(ping, large, 0)
			in += len(data)
			p.a.agent.Receive(w.now, udp.Packet{Path: udp.To(from), Data: data})
			p.a.flush()
			p.run(w.now.Sub(epoch)+20*time.Millisecond, nil)
			if n := len(p.a.agent.pairs); n > 2*maxCandidates {
				t.Fatalf("%d pairs", n)
			}
		}
		p.run(w.now.Sub(epoch)+40*time.Second, nil)
		for _, s := range p.a.sent {
			out += len(s.data)
		}
		if out > 3*in {
			t.Errorf("%d bytes in, %d bytes out", in, out)
		}
	}
}

// A network that hands over every packet twice, late, from elsewhere.
func TestMirroredPacketsDoNotConnect(t *testing.T) {
	w := newWorld(t, 1)
	p := w.behind(symmetric, symmetric)
	p.start()
	for _, h := range []*host{p.a, p.b} {
		h.tapped = func(s shot) {
			w.at(w.now.Add(30*time.Millisecond), func() { h.receive(s.to, netip.AddrPortFrom(h.homes[0].addr, h.port), s.data) })
		}
	}
	p.exchange()
	p.wantFailure()
	if n := p.a.agent.Report(p.now).Tried; slices.ContainsFunc(n, func(t Tried) bool { return t.Heard+t.Answered > 0 }) {
		t.Errorf("own probes count as the peer's: %+v", n)
	}
}

func TestWrongKeyOrTagIsSilence(t *testing.T) {
	w := newWorld(t, 1)
	p := w.behind(fullCone, fullCone)
	p.start()
	stranger := p.b.fresh(ping, true, 0)
	p.b.agent.seal.tag = [4]byte{9, 9, 9, 9}
	other := p.b.fresh(ping, true, 0)
	stranger[40] ^= 1
	for _, b := range [][]byte{stranger, other} {
		if n, _ := sentTo(p.a.inject(attacker, b), attacker); n != 0 {
			t.Error("a stranger was answered")
		}
	}
}

func TestFloodOfPingsIsBounded(t *testing.T) {
	w := newWorld(t, 1)
	p := w.behind(fullCone, fullCone)
	p.start()
	from := p.b.candidates()[1].Addr
	for range 5000 {
		p.a.agent.Receive(w.now, udp.Packet{Path: udp.To(from), Data: p.b.fresh(ping, true, 0)})
		p.a.flush()
		p.run(w.now.Sub(epoch)+time.Millisecond, nil)
	}
	_, size := sentTo(p.a.sent, from)
	if limit := 5*2*probeRate + pingBurst + pongBurst; size > limit {
		t.Errorf("a flood of 5 s was answered with %d bytes, limit %d", size, limit)
	}
	if n := len(p.a.agent.out.replies); n > maxReplies {
		t.Errorf("%d replies wait", n)
	}
}

func TestSendWithoutRoomKeepsEverything(t *testing.T) {
	p := newWorld(t, 1).behind(fullCone, fullCone)
	p.start()
	p.a.agent.AddRemote(p.now, List{Candidates: p.b.candidates()})
	p.a.agent.Receive(p.now, udp.Packet{Path: udp.To(attacker), Data: p.b.fresh(ping, true, 0)})
	tiny, room := udp.NewBatch(fullSize-1), udp.NewBatch(2*fullSize)
	p.a.agent.Send(p.now, tiny)
	if tiny.Len() != 0 {
		t.Fatalf("%d packets in a batch without room", tiny.Len())
	}
	if d := p.a.agent.Deadline(); d.IsZero() || d.After(p.now) {
		t.Errorf("more to send, but the deadline is %v", d)
	}
	p.a.agent.Send(p.now, room)
	if room.Len() != 2 || room.At(0).Remote != attacker {
		t.Errorf("%d packets when there was room for a pong and a ping", room.Len())
	}
	for pkt := range room.All() {
		if len(pkt.Data) != fullSize || pkt.Data[0] != firstByte || !bytes.Equal(pkt.Data[1:5], []byte{1, 2, 3, 4}) {
			t.Errorf("a probe of %d bytes that begins %x", len(pkt.Data), pkt.Data[:5])
		}
	}
}

// TestListsWithoutEnd: a partner may tell others all the time, and what is kept of
// them is bounded.
func TestListsWithoutEnd(t *testing.T) {
	a := NewAgent(epoch, Config{Box: newBox(rand.NewChaCha8([32]byte{}))})
	for i := range 200 {
		var l List
		for j := range maxCandidates {
			ip := netip.AddrFrom4([4]byte{198, 51, byte(i), byte(j)})
			l.Candidates = append(l.Candidates, Candidate{Reflexive, netip.AddrPortFrom(ip, 7)})
		}
		a.AddRemote(epoch, l)
	}
	if n := len(a.remote); n > maxRemote {
		t.Errorf("%d candidates are remembered", n)
	}
}
