package qft

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"testing"
	"time"

	"qft/internal/lab"
	"qft/internal/peer"
	"qft/internal/rendezvous"
	"qft/internal/udp"
)

// traitor is a relay that says, when the sender has met the receiver through it,
// that the receiver has left.
type traitor struct {
	relay
	join, note []byte // of the receiver, seen last
}

func (x *traitor) Receive(now time.Time, p udp.Packet) {
	if p.Data[0] == 0x51 && p.Remote != x.to {
		switch p.Data[1] {
		case 2:
			x.join = append([]byte(nil), p.Data...)
		case 3:
			x.note = append([]byte(nil), p.Data...)
		}
	}
	before := x.held
	if x.relay.Receive(now, p); x.held == before || x.join == nil || x.note == nil {
		return
	}
	leave := append([]byte{0x51, 5, x.note[2]}, x.note[3:43]...) // token, cookie, who
	leave = binary.BigEndian.AppendUint32(leave, binary.BigEndian.Uint32(x.join[27:])+100)
	leave = binary.BigEndian.AppendUint32(leave, crc32.Checksum(leave, crc32.MakeTable(crc32.Castagnoli)))
	x.out = append(x.out, udp.Packet{Path: udp.To(x.to), Data: leave})
}

// TestRelayThatSaysThatTheReceiverLeft does not end the meeting over the helper.
func TestRelayThatSaysThatTheReceiverLeft(t *testing.T) {
	m := newMeeting(t, 1, lab.Link{Delay: 100 * time.Millisecond})
	m.nearby = true
	_, h := m.lan("home", 2)
	path, dir := m.file("a.bin", 100_000), m.folder("to")
	s := m.send(m.public("sender")[0], "", path)
	code := s.code()
	m.Run(time.Second, nil)
	mitm := &traitor{relay: relay{to: s.host.AddrPort(false, s.port)}}
	h[1].Bind(6000, mitm)
	for _, g := range peer.Groups() {
		h[1].Hear(6000, g)
	}
	r := m.receive(h[0], code, dir)
	if d := m.connectedAfter(r, time.Minute); d > 4*time.Second {
		t.Errorf("connected only after %v", d)
	}
	m.wantFile(time.Minute, path, dir, s, r)
	if mitm.held == 0 {
		t.Error("nothing was held back: the test tests nothing")
	}
}

// TestRelaysDoNotTakeAllTheRoom for sessions with one partner that a sender has:
// of a phrase of one's own a receiver gives many answers at once.
func TestRelaysDoNotTakeAllTheRoom(t *testing.T) {
	for _, many := range []bool{false, true} {
		m := newMeeting(t, 1, lab.Link{Delay: 100 * time.Millisecond})
		m.nearby = true
		_, h := m.lan("home", 4)
		path, dir := m.file("a.bin", 100_000), m.folder("to")
		const phrase = "a phrase of our own"
		s := m.send(m.public("sender")[0], phrase, path)
		m.Run(time.Second, nil)
		for i, host := range h[1:] {
			for j := range 2 {
				x := &relay{to: s.host.AddrPort(false, s.port), port: uint16(6000 + 10*i + j)}
				host.Bind(x.port, x)
				for _, g := range peer.Groups() {
					host.Hear(x.port, g)
				}
			}
			if !many {
				break
			}
		}
		r := m.receive(h[0], phrase, dir)
		if d := m.connectedAfter(r, time.Minute); d > 4*time.Second {
			t.Errorf("%v: connected only after %v", many, d)
		}
		m.wantFile(time.Minute, path, dir, s, r)
	}
}

// TestOneOfManyMeetsInSpiteOfARelay: the sender of several receivers goes on to
// the next soon, and does not know again whom it has met.
func TestOneOfManyMeetsInSpiteOfARelay(t *testing.T) {
	m := newMeeting(t, 1, lab.Link{Delay: 100 * time.Millisecond})
	m.nearby = true
	_, h := m.lan("home", 2)
	path, to := m.file("a.bin", 100_000), Target{Dir: m.folder("to")}
	s := m.keepSending(m.public("sender")[0], "", path, 2)
	code := s.code()
	m.Run(time.Second, nil)
	mitm := &relay{}
	for _, n := range s.nodes {
		mitm.to = s.host.AddrPort(false, n.port)
	}
	h[1].Bind(6000, mitm)
	for _, g := range peer.Groups() {
		h[1].Hear(6000, g)
	}
	r := m.keepReceiving(h[0], code, to)
	m.wantDone(20*time.Second, r)
	if mitm.held == 0 {
		t.Error("nothing was held back: the test tests nothing")
	}
}

// TestGuessesThatAreOpenCount when the rooms are left: who took an answer has
// had a guess, also if the right one came meanwhile.
func TestGuessesThatAreOpenCount(t *testing.T) {
	const code = "4711-acid-robot-zebra"
	for _, size := range []int{1000, 100 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			m := newMeeting(t, 1, lab.Link{Delay: 20 * time.Millisecond})
			m.nearby = true
			_, h := m.lan("home", 2)
			for range 6 {
				l := m.liar(h[1], rendezvous.NumberedRoom(4711), nil, func(c *rendezvous.Client, to rendezvous.ID, note []byte) []byte {
					if note == nil {
						return m.guess(c, to)
					}
					return nil
				})
				l.join(h[1].AddrPort(false, l.port), rendezvous.Sender)
			}
			path, dir := m.file("a.bin", size), m.folder("to")
			r := m.receive(h[0], code, dir)
			m.Run(2*time.Second, nil)
			m.send(m.public("sender")[0], code, path)
			m.connectedAfter(r, 10*time.Second)
			m.Run(20*time.Second, r.Done)
			if r.Guesses() != 2 {
				t.Errorf("%d guesses are left, and three were made", r.Guesses())
			}
		})
	}
}
