package rendezvous

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"qft/internal/udp"
)

// reachWorld has a helper with a second port, 443, and a client whose network
// lets UDP out to the ports of open only.
func reachWorld(t *testing.T, open ...uint16) (w *world, h, n *node, c *guest) {
	w = newWorld(t, 31)
	h = w.server(ServerConfig{})
	h.ports = []netip.AddrPort{netip.AddrPortFrom(h.v4.Addr(), 443)}
	client := NewClient(ClientConfig{
		Servers: []netip.AddrPort{h.v4}, Ports: []uint16{53, 123, 443, 4277},
		Room: NumberedRoom(0), Role: Sender, Rand: w.bytes(),
	})
	n = w.add("client", client)
	n.blocks = func(to netip.AddrPort) bool { return !slices.Contains(open, to.Port()) }
	return w, h, n, &guest{Client: client, w: w, name: "client"}
}

func TestOtherPortsAreLeftAloneWhileTheHelperAnswers(t *testing.T) {
	w, _, _, c := reachWorld(t, 4000, 443)
	w.until(time.Second, "joined", c.has(Joined))
	w.run(time.Minute)
	if r := c.Reach(); r.Late || !slices.Equal(r.Open, []uint16{4000}) || len(r.Silent) != 0 {
		t.Errorf("reach is %+v", r)
	}
}

func TestAnotherPortCarriesTheMailboxWhereTheGivenOneIsBlocked(t *testing.T) {
	w, _, n, c := reachWorld(t, 443)
	took := w.until(5*time.Second, "joined", c.has(Joined))
	if took > 1700*time.Millisecond {
		t.Errorf("it took %v", took)
	}
	r := c.Reach()
	if !r.Late || !slices.Equal(r.Open, []uint16{443}) || !slices.Equal(r.Silent, []uint16{4000, 53, 123, 4277}) {
		t.Errorf("reach is %+v", r)
	}
	if seen := c.Reflexive(); !slices.Equal(seen, []netip.AddrPort{n.v4}) {
		t.Errorf("own addresses are %v", seen)
	}
}

func TestALineCarriesTheMailboxWhereUDPIsBlocked(t *testing.T) {
	w, h, n, c := reachWorld(t)
	w.until(2*time.Second, "late", func() bool { return c.Reach().Late })
	line, _, hang := w.connect(n, h, h.v4)
	c.LineUp(line)
	w.until(time.Second, "joined", c.has(Joined))
	r := c.Reach()
	if len(r.Open) != 0 || !slices.Equal(r.Lines, []uint16{4000}) {
		t.Errorf("reach is %+v", r)
	}
	own := n.lines[line]
	if len(c.Reflexive()) != 0 || !slices.Equal(c.LineReflexive(), []netip.AddrPort{own}) {
		t.Errorf("own addresses are %v by UDP and %v by TCP, want %v", c.Reflexive(), c.LineReflexive(), own)
	}
	_, r2 := w.client("receiver", Receiver, NumberedRoom(c.last(Joined).Number), h.v4)
	w.until(time.Second, "met", c.has(Arrived))

	// The line breaks, and another one takes its place: the same member.
	hang()
	c.LineDown(line)
	if r := c.Reach(); len(r.Lines) != 0 {
		t.Errorf("reach is %+v with the line down", r)
	}
	w.run(30 * time.Second)
	line, _, _ = w.connect(n, h, h.v4)
	c.LineUp(line)
	w.run(time.Second)
	r2.post(c.ID(), "after the break")
	w.until(2*time.Second, "note over the new line", c.has(Note))
	if c.count(Departed)+r2.count(Departed) != 0 {
		t.Error("the break looked like a departure")
	}
	c.Leave()
	w.until(time.Second, "left", c.Done)
}

// TestALineBesideUDP: for the address that TCP has outside; the membership
// stays where it is.
func TestALineBesideUDP(t *testing.T) {
	w, h, n, c := reachWorld(t, 4000)
	w.until(time.Second, "joined", c.has(Joined))
	line, _, hang := w.connect(n, h, h.v4)
	c.LineUp(line)
	w.until(time.Second, "the address of the line", func() bool { return len(c.LineReflexive()) == 1 })
	hang()
	c.LineDown(line)
	w.run(time.Minute)
	if c.has(Silent)() || !slices.Equal(c.Reflexive(), []netip.AddrPort{n.v4}) {
		t.Errorf("after the line has gone: %v, own address %v", c.story(), c.Reflexive())
	}
}

// TestWhatAnswersAtAGuessedPortIsNoMatter: a DNS server at port 53 of the
// helper's host is not the helper, and no reason to give up.
func TestWhatAnswersAtAGuessedPortIsNoMatter(t *testing.T) {
	w, h, n, c := reachWorld(t, 53)
	at53 := netip.AddrPortFrom(h.v4.Addr(), 53)
	h.cut = true
	for range 20 {
		w.run(2 * time.Second)
		n.Receive(w.now, udp.Packet{Path: udp.To(at53), Data: []byte("no such question")})
	}
	if c.has(Refused)() {
		t.Errorf("refused: %v", c.last(Refused).Err)
	}
}

func TestLinesToAHelperAreBounded(t *testing.T) {
	w, h, _, c := reachWorld(t, 4000)
	w.run(time.Second)
	before := len(c.Servers())
	for i := range 1000 {
		c.LineUp(udp.Path{Local: udp.FirstLine + udp.Local(i), Remote: netip.AddrPortFrom(h.v4.Addr(), uint16(1000+i))})
	}
	if n := len(c.Servers()) - before; n != maxLines {
		t.Errorf("%d lines are asked, want %d", n, maxLines)
	}
}
