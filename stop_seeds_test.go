package qft

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"qft/internal/lab"
	"qft/internal/peer"
	"qft/internal/rendezvous"
	"qft/internal/udp"
)

// turns counts how often a machine is asked to send.
type turns struct {
	*node
	n int
}

func (x *turns) Send(now time.Time, b *udp.Batch) {
	x.n++
	x.node.Send(now, b)
}

// TestStoppedAtAnyMoment: two sides come, go and are stopped at random moments of
// a meeting in several places, with a relay and liars around or the helper away;
// each ends soon after it was stopped, and none is awake all the time.
func TestStoppedAtAnyMoment(t *testing.T) {
	seeds := uint64(60)
	if testing.Short() {
		seeds = 15
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { stopAtAnyMoment(t, seed) })
	}
}

func stopAtAnyMoment(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	delay := time.Duration(rnd.IntN(60)) * time.Millisecond
	m := newMeeting(t, seed, lab.Link{Delay: delay, Loss: 0.1 * float64(rnd.IntN(2))})
	m.nearby, m.alone = rnd.IntN(4) > 0, rnd.IntN(3) == 0
	if rnd.IntN(4) == 0 {
		m.helperHost.SetDown(true)
	}
	_, h := m.lan("home", 4)
	phrase := "4711-acid-robot-zebra"
	if rnd.IntN(8) == 0 {
		phrase = "a phrase of our own" // its hash takes a while
	}
	room := rendezvous.NumberedRoom(4711)
	if rnd.IntN(2) == 0 {
		for range 3 {
			l := m.liar(h[2], room, nil, func(c *rendezvous.Client, to rendezvous.ID, note []byte) []byte {
				if note == nil {
					return m.guess(c, to)
				}
				return [][]byte{nil, {4}, {3, 1}, {8}}[rnd.IntN(4)]
			})
			l.join(h[2].AddrPort(false, l.port), rendezvous.Sender)
		}
	}
	moment := func() time.Duration { return time.Duration(rnd.IntN(1200)) * time.Millisecond }
	path := m.file("a.bin", 1<<20)
	var all []*turns
	start := func(role rendezvous.Role) {
		a := &app{party: m.receiver((*disk)(nil).config(), Target{Dir: m.folder("to")}), ask: newAsker(Target{}, inPlace)}
		host := h[0]
		if role == rendezvous.Sender {
			a, host = &app{party: m.sender((*disk)(nil).config(), path), sends: true}, h[1]
		}
		x := &turns{node: m.join(host, role, phrase, a)}
		host.Unbind(x.port)
		host.Bind(x.port, x)
		if m.nearby {
			for _, g := range peer.Groups() {
				host.Hear(x.port, g)
			}
		}
		if role == rendezvous.Sender && rnd.IntN(2) == 0 {
			relay := &relay{to: host.AddrPort(false, x.port), port: uint16(6000 + len(all))}
			h[3].Bind(relay.port, relay)
			h[3].Hear(relay.port, peer.Groups()[0])
		}
		m.At(m.Elapsed()+moment(), func() {
			if rnd.IntN(3) > 0 {
				x.stop()
			}
		})
		all = append(all, x)
	}
	for _, role := range []rendezvous.Role{rendezvous.Sender, rendezvous.Receiver, rendezvous.Sender, rendezvous.Receiver} {
		m.At(moment(), func() { start(role) })
	}
	began := m.Elapsed()
	m.Run(20*time.Second, nil)
	for _, x := range all {
		if !x.Done() {
			x.stop()
		}
	}
	done := func() bool {
		for _, x := range all {
			if !x.Done() {
				return false
			}
		}
		return true
	}
	if !m.Run(20*time.Second, done) {
		for _, x := range all {
			t.Errorf("%s: done %v: %v, %v", x.host.Name(), x.Done(), x.events, x.Err())
		}
	}
	for _, x := range all {
		if most := 30_000 + int((m.Elapsed()-began)/time.Millisecond); x.n > most {
			t.Errorf("%s had %d turns: %v", x.host.Name(), x.n, x.events)
		}
	}
}
