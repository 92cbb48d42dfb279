package transport

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"qft/internal/lab"
	"qft/internal/secret"
	"qft/internal/udp"
)

const mib = 1 << 20

func TestBulkArrivesOverBadLinks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		bad  func(*lab.Link)
	}{
		{"clean", func(*lab.Link) {}},
		{"loss 20 %", func(l *lab.Link) { l.Loss = 0.2 }},
		{"reordering", func(l *lab.Link) { l.Reorder, l.ReorderDelay = 0.1, 30*time.Millisecond }},
		{"duplicates", func(l *lab.Link) { l.Duplicate = 0.2 }},
		{"corruption", func(l *lab.Link) { l.Corrupt = 0.1 }},
		{"bursts", func(l *lab.Link) { l.Burst = lab.Burst{P: 0.005, R: 0.1} }},
		{"everything", func(l *lab.Link) {
			l.Loss, l.Reorder, l.Duplicate, l.Corrupt = 0.1, 0.05, 0.05, 0.05
			l.Jitter, l.JitterReorders = 5*time.Millisecond, true
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := link(50, 20*time.Millisecond)
			c.bad(&l)
			for seed := range uint64(5) {
				w := newWorld(t, seed, l, l)
				w.sendBulk(2 * mib)
				d := w.wantBulk(2*mib, time.Minute)
				t.Logf("seed %d: %v, %d sent, %d lost, %d spurious", seed, d, w.a.stats.SentPackets, w.a.loss.lostEver, w.a.loss.spurious)
			}
		})
	}
}

func TestSameSeedSameRun(t *testing.T) {
	run := func() uint64 {
		l := link(20, 10*time.Millisecond)
		l.Loss, l.Reorder, l.Duplicate = 0.1, 0.05, 0.05
		w := newWorld(t, 7, l, l)
		w.sendBulk(mib)
		w.wantBulk(mib, time.Minute)
		return w.Trace()
	}
	if a, b := run(), run(); a != b {
		t.Errorf("two runs of one seed differ: %x, %x", a, b)
	}
}

func TestStreamsArriveInOrderBothWays(t *testing.T) {
	t.Parallel()
	l := link(10, 25*time.Millisecond)
	l.Loss, l.Reorder, l.Duplicate = 0.2, 0.1, 0.1
	w := newWorld(t, 1, l, l)
	want := make([]byte, mib) // four stream windows
	fillPattern(want, 0)
	type end struct {
		conn    *Conn
		id      int
		written int
		read    []byte
	}
	ends := []*end{{conn: w.a, id: 0}, {conn: w.b, id: 0}, {conn: w.a, id: 3}, {conn: w.b, id: 3}}
	buf := make([]byte, 64<<10)
	done := w.Run(5*time.Minute, func() bool {
		all := true
		for _, e := range ends {
			n := e.conn.Write(e.id, want[e.written:])
			e.written += n
			m := e.conn.Read(e.id, buf)
			e.read = append(e.read, buf[:m]...)
			if n+m > 0 {
				w.hostA.Wake(port)
				w.hostB.Wake(port)
			}
			all = all && len(e.read) == len(want) && e.conn.Flushed(e.id)
		}
		return all
	})
	if !done {
		t.Logf("now %v deadline %v loss %+v acks due %v turn %+v pace %+v contact %+v", w.Elapsed(), w.a.Deadline().Sub(w.Now()), w.a.loss, w.a.acks.due, w.a.turn, w.a.pace, w.a.contact)
		t.Errorf("a: %v %+v, b: %v %+v", w.a.Err(), w.a.Stats(), w.b.Err(), w.b.Stats())
	}
	for i, e := range ends {
		if !done || !bytes.Equal(e.read, want) {
			t.Errorf("end %d: wrote %d, read %d bytes, equal %v", i, e.written, len(e.read), bytes.Equal(e.read, want))
		}
	}
}

func TestSlowSinkSlowsTheSender(t *testing.T) {
	t.Parallel()
	l := link(200, 20*time.Millisecond)
	w := newWorld(t, 1, l, l)
	w.sink.budget = 4 * mib
	const drain = 1 << 20 // bytes per second
	var tick func()
	tick = func() {
		w.sink.backlog = max(0, w.sink.backlog-drain/100)
		w.hostB.Wake(port)
		w.After(10*time.Millisecond, tick)
	}
	tick()
	w.sendBulk(20 * mib)
	d := w.wantBulk(20*mib, time.Minute)
	if d < 15*time.Second || d > 20*time.Second {
		t.Errorf("20 MiB through a sink of 1 MiB/s with 4 MiB of memory took %v", d)
	}
	if w.sink.peak > w.sink.budget {
		t.Errorf("the sink held %d bytes", w.sink.peak)
	}
	if s := w.a.Stats(); float64(s.Lost) > 0.3*float64(s.SentPackets) {
		t.Errorf("of %d packets %d were lost on a sink that only is slow", s.SentPackets, s.Lost)
	}
}

func TestTransferGoesOnAfterBlackout(t *testing.T) {
	t.Parallel()
	for _, length := range []time.Duration{time.Second, 10 * time.Second, time.Minute, 10 * time.Minute} {
		t.Run(length.String(), func(t *testing.T) {
			l := link(20, 50*time.Millisecond)
			w := newWorld(t, 1, l, l)
			w.hostA.Outage(2*time.Second, length)
			w.sendBulk(20 * mib)
			w.Run(2*time.Second+length, nil)
			before := w.a.stats.SentPackets
			got := w.sink.got[len(w.sink.got)-1].high
			contact := w.Elapsed()
			if !w.Run(time.Minute, func() bool { return w.sink.got[len(w.sink.got)-1].high > got+mib }) {
				t.Fatal("nothing arrives after the blackout")
			}
			if d := w.Elapsed() - contact; d > 2*time.Second {
				t.Errorf("the next MiB took %v from contact", d)
			}
			t.Logf("the next MiB after %v; %d packets until then", w.Elapsed()-contact, w.a.stats.SentPackets-before)
			w.wantBulk(20*mib, time.Minute)
		})
	}
}

func TestAddressChangeIsFollowed(t *testing.T) {
	t.Parallel()
	for _, side := range []string{"sender", "receiver"} {
		t.Run(side, func(t *testing.T) {
			l := link(20, 50*time.Millisecond)
			w := newWorld(t, 1, l, l)
			w.At(2*time.Second, func() {
				host := w.hostA
				if side == "receiver" {
					host = w.hostB
				}
				host.SetAddrs()
			})
			w.sendBulk(10 * mib)
			w.wantBulk(10*mib, 20*time.Second)
		})
	}
}

func TestForwardedPacketDoesNotRedirect(t *testing.T) {
	l := link(20, 50*time.Millisecond)
	w := newWorld(t, 1, l, l)
	evil := w.Host(nil, lab.HostConfig{Name: "evil"})
	// The attacker sees a packet and is faster than the network: b gets it
	// from the attacker's address first.
	var sent int
	w.Tap(func(s lab.Sighting) {
		if s.Fate == lab.Sent && s.To == w.hostB.AddrPort(false, port) && s.From.Addr() == w.hostA.Addrs()[0] {
			data := slices.Clone(s.Data)
			w.After(0, func() { w.b.Receive(w.Now(), udp.Packet{Path: udp.To(evil.AddrPort(false, 9)), Data: data}) })
			sent++
		}
	})
	w.sendBulk(mib)
	w.wantBulk(mib, time.Minute)
	if got := w.b.Path(); got != udp.To(w.hostA.AddrPort(false, port)) {
		t.Errorf("b sends to %v after %d forwarded packets", got, sent)
	}
}

func TestPacketPayloadIsBounded(t *testing.T) {
	l := link(20, 5*time.Millisecond)
	w := newWorldConfig(t, 1, l, l, func(a, b *Config) { a.MaxPayload = 300 })
	w.Tap(func(s lab.Sighting) {
		if s.Fate == lab.Sent && s.From.Addr() == w.hostA.Addrs()[0] && len(s.Data) > 300 {
			t.Errorf("a packet of %d bytes", len(s.Data))
		}
	})
	w.sendBulk(mib / 2)
	w.wantBulk(mib/2, time.Minute)
}

func TestCloseTellsThePeer(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		l := link(20, 50*time.Millisecond)
		l.Loss = 0.2
		w := newWorld(t, seed, l, l)
		w.sendBulk(10 * mib)
		w.Run(time.Second, nil)
		w.b.Close(w.Now(), 42, "enough\x1b")
		w.hostB.Wake(port)
		if !w.Run(5*time.Second, func() bool { return w.a.Done() && w.b.Done() }) {
			t.Fatalf("seed %d: not closed after 5 s", seed)
		}
		var e *CloseError
		if !errors.As(w.a.Err(), &e) || e.Code != 42 || e.Reason != "enough?" || !e.Peer {
			t.Errorf("seed %d: a was told %v", seed, w.a.Err())
		}
	}
}

func TestCloseEndsWithoutPeer(t *testing.T) {
	w := newWorld(t, 1, link(20, 10*time.Millisecond), link(20, 10*time.Millisecond))
	w.hostB.SetDown(true)
	w.a.Close(w.Now(), 1, "")
	w.hostA.Wake(port)
	if !w.Run(10*time.Second, w.a.Done) {
		t.Error("closing never ends when nobody listens")
	}
}

func TestReplayedPacketsChangeNothing(t *testing.T) {
	l := link(20, 10*time.Millisecond)
	w := newWorld(t, 1, l, l)
	var captured [][]byte
	w.Tap(func(s lab.Sighting) {
		if s.Fate == lab.Delivered && s.To == w.hostB.AddrPort(false, port) && len(captured) < 500 {
			captured = append(captured, slices.Clone(s.Data))
		}
	})
	w.sendBulk(mib)
	w.wantBulk(mib, time.Minute)
	before := w.b.Stats()
	for _, data := range captured {
		w.b.Receive(w.Now(), udp.Packet{Path: udp.To(w.hostA.AddrPort(false, port)), Data: data})
	}
	after := w.b.Stats()
	if after.Received != before.Received || after.Rejected != before.Rejected+uint64(len(captured)) {
		t.Errorf("replays were taken: received %d to %d, rejected %d to %d",
			before.Received, after.Received, before.Rejected, after.Rejected)
	}
}

func TestKeyUpdateUnderLoss(t *testing.T) {
	t.Parallel()
	l := link(200, 10*time.Millisecond)
	l.Loss, l.Reorder = 0.05, 0.05
	w := newWorld(t, 1, l, l)
	// As if nearly a key's worth of packets had been sent.
	for _, c := range []*Conn{w.a, w.b} {
		c.sent.base, c.sent.next = secret.KeyLimit-200, secret.KeyLimit-200
		c.loss.scan, c.ccFirst = c.sent.next, c.sent.next
	}
	w.sendBulk(4 * mib)
	w.wantBulk(4*mib, time.Minute)
	if w.a.Stats().KeyUpdates != 1 {
		t.Errorf("%d key updates", w.a.Stats().KeyUpdates)
	}
}

func TestHostileFramesCloseTheConnection(t *testing.T) {
	for name, frames := range map[string][]byte{
		"unknown frame":        {0x77},
		"ack of the future":    {byte(frameAck), 0x80, 1, 0, 0, 0, 0, 0, 0},
		"ack below zero":       {byte(frameAck), 0, 0, 0, 0x40, 1, 0, 5, 5},
		"stream of nobody":     {byte(frameStream), 200, 0, 1, 'x'},
		"stream beyond window": append([]byte{byte(frameStream), 0}, append(appendVarint(nil, 1<<40), 1, 'x')...),
		"truncated":            {byte(frameStream), 0, 0, 50, 'x'},
		"endless reason":       {byte(frameClose), 0, 0x7f, 0xff},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1, link(20, 10*time.Millisecond), link(20, 10*time.Millisecond))
			w.b.Receive(w.Now(), udp.Packet{Path: udp.To(w.hostA.AddrPort(false, port)), Data: w.forge(frames)})
			if w.b.Err() == nil {
				t.Error("taken without complaint")
			}
		})
	}
}

// forge seals frames as a would.
func (w *world) forge(frames []byte) []byte {
	pkt := appendHeader(make([]byte, 0, 2048), header{id: 1, pn: w.a.sent.next})
	pkt, err := w.a.cfg.Sealer.Seal(append(pkt, frames...), HeaderSize, w.a.sent.next)
	if err != nil {
		w.t.Fatal(err)
	}
	w.a.sent.add()
	return pkt
}

func TestGarbageIsIgnored(t *testing.T) {
	w := newWorld(t, 1, link(20, 10*time.Millisecond), link(20, 10*time.Millisecond))
	from := netip.MustParseAddrPort("203.0.113.9:9")
	r := w.Rand()
	for range 10000 {
		b := make([]byte, r.IntN(1500))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		if len(b) > 4 {
			copy(b, []byte{0x80, 0, 0, 1})
		}
		w.b.Receive(w.Now(), udp.Packet{Path: udp.To(from), Data: b})
	}
	if w.b.Stats().Received != 0 || w.b.Err() != nil {
		t.Errorf("garbage was taken: %+v, %v", w.b.Stats(), w.b.Err())
	}
	w.sendBulk(mib)
	w.wantBulk(mib, time.Minute)
}

func TestMovedWhileAsleepGoesOnSoon(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		l := link(20, 25*time.Millisecond)
		l.Loss = 0.1
		w := newWorld(t, seed, l, l)
		w.sendBulk(500 * mib)
		w.Run(5*time.Second, nil)
		w.hostA.Pause(true)
		w.Run(30*time.Second, nil)
		w.hostB.SetAddrs()
		w.Run(30*time.Second, nil)
		before := w.sink.backlog
		w.hostA.Pause(false)
		at := w.Elapsed()
		w.Run(time.Minute, func() bool { return w.sink.backlog > before+mib })
		if d := w.Elapsed() - at; d > 8*time.Second {
			t.Errorf("seed %d: going on took %v", seed, d)
		}
	}
}

func TestChallengesDoNotAmplify(t *testing.T) {
	w := newWorld(t, 1, link(20, 10*time.Millisecond), link(20, 10*time.Millisecond))
	w.Run(time.Second, nil)
	in, out := 0, 0
	b := udp.NewBatch(1 << 20)
	for i := range 100 {
		victim := netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), 9)
		data := w.forge(append([]byte{byte(frameChallenge)}, "12345678"...))
		now := w.Now().Add(time.Duration(i) * time.Millisecond)
		w.b.Receive(now, udp.Packet{Path: udp.To(victim), Data: slices.Clone(data)})
		in += len(data)
		b.Reset()
		w.b.Send(now, b)
		for p := range b.All() {
			if p.Remote.Addr() == victim.Addr() {
				out += len(p.Data)
			}
		}
	}
	if out > 3*in {
		t.Errorf("%d bytes to forged addresses for %d bytes from them", out, in)
	}
}

func TestCloseLeavesBehindALongAck(t *testing.T) {
	l := link(20, 10*time.Millisecond)
	w := newWorldConfig(t, 1, l, l, func(a, b *Config) { b.MaxPayload = MinPayload })
	w.Run(time.Second, nil)
	for i := range uint64(60) {
		w.b.acks.packet(w.Now(), 30+i*2, 100, true, true, 0)
	}
	w.b.Close(w.Now(), 2, "disk full")
	w.hostB.Wake(port)
	if !w.Run(5*time.Second, func() bool { return w.a.Err() != nil }) {
		t.Errorf("the peer is not told; here: %v", w.b.Err())
	}
}
