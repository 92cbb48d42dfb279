package qft

import (
	"math"
	"testing"
	"time"

	"qft/internal/lab"
	"qft/internal/peer"
)

// mostly is what a node named as its bottleneck most of the time, and in what
// share of its progress events after the first four seconds, when the rate is
// known.
func mostly(n *node) (b Bottleneck, share float64, last Progress) {
	var counts [bottlenecks]int
	total := 0
	for _, e := range n.events {
		p, ok := e.(Progress)
		if !ok || p.Done == p.Size {
			continue
		}
		if total++; total > int(startUp/reportEvery) {
			counts[p.Bottleneck]++
			last = p
		}
	}
	total -= int(startUp / reportEvery)
	for i := range counts {
		if counts[i] > counts[b] {
			b = Bottleneck(i)
		}
	}
	return b, float64(counts[b]) / float64(total), last
}

const startUp = 4 * time.Second

func TestBottleneckIsNamedOnBothSides(t *testing.T) {
	line := lab.Link{Rate: 100e6, Delay: 15 * time.Millisecond}
	slow := func() *disk { return &disk{each: 400 * time.Millisecond} } // 2.6 MB/s
	for name, c := range map[string]struct {
		line     lab.Link
		from, to *disk
		tune     func(s, r *node)
		sender   Bottleneck
		receiver Bottleneck
	}{
		"network": {line: lab.Link{Rate: 20e6, Delay: 15 * time.Millisecond}, sender: BottleneckNetwork, receiver: BottleneckNetwork},
		"a network that loses": {line: lab.Link{Rate: 20e6, Delay: 15 * time.Millisecond, Loss: 0.1},
			sender: BottleneckNetwork, receiver: BottleneckNetwork},
		"the sender's limit": {line: line, sender: BottleneckLimit, receiver: BottleneckLimit,
			tune: func(s, r *node) { s.Throttle(peer.Throttle{Limit: 2e6}) }},
		"the receiver's limit": {line: line, sender: BottleneckLimit, receiver: BottleneckLimit,
			tune: func(s, r *node) { r.Throttle(peer.Throttle{Limit: 2e6}) }},
		"the sender's disk":   {line: line, from: slow(), sender: BottleneckOwnDisk, receiver: BottleneckPeerDisk},
		"the receiver's disk": {line: line, to: slow(), sender: BottleneckPeerDisk, receiver: BottleneckOwnDisk},
		"the sender's processor": {line: lab.Link{Rate: 20e6, Delay: 15 * time.Millisecond}, sender: BottleneckCPU, receiver: BottleneckPeerCPU,
			tune: func(s, r *node) { s.app.idle = sleepless }},
		"the receiver's processor": {line: lab.Link{Rate: 20e6, Delay: 15 * time.Millisecond}, sender: BottleneckPeerCPU, receiver: BottleneckCPU,
			tune: func(s, r *node) { r.app.idle = sleepless }},
		"a limit and a busy processor": {line: line, sender: BottleneckLimit, receiver: BottleneckLimit,
			tune: func(s, r *node) { s.Throttle(peer.Throttle{Limit: 2e6}); s.app.idle = sleepless }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMeeting(t, 7, lab.Link{Delay: 10 * time.Millisecond})
			a := m.Host(nil, lab.HostConfig{Name: "a", Up: c.line, Down: c.line})
			b := m.Host(nil, lab.HostConfig{Name: "b"})
			path, dir := m.file("a.bin", 24<<20), m.folder("to")
			s := m.sendFrom(c.from, a, "a phrase of our own", path)
			r := m.receiveOn(c.to, b, "a phrase of our own", dir)
			if c.tune != nil {
				c.tune(s, r)
			}
			if err := m.finish(2*time.Minute, s, r); err != nil {
				t.Fatal(err)
			}
			if err := same(path, dir); err != nil {
				t.Error(err)
			}
			for _, side := range []struct {
				who  string
				n    *node
				want Bottleneck
			}{{"sender", s, c.sender}, {"receiver", r, c.receiver}} {
				got, share, last := mostly(side.n)

				t.Logf("%s: %v for %.0f %% of the time; %+v", side.who, got, 100*share, last)
				if got != side.want || share < 0.8 {
					t.Errorf("the %s names %q for %.2f of the time, want %q", side.who, got, share, side.want)
				}
				if last.RTT < 30*time.Millisecond || last.RTT > 300*time.Millisecond {
					t.Errorf("the %s shows a round trip of %v", side.who, last.RTT)
				}
				if math.Abs(last.Loss-c.line.Loss) > 0.03 {
					t.Errorf("the %s shows a loss of %.3f, there is %.3f", side.who, last.Loss, c.line.Loss)
				}
				if c.line.Rate == 20e6 && (last.PathRate < 1.5e6 || last.PathRate > 3.5e6) {
					t.Errorf("the %s shows a path of %.0f B/s, it carries 2.5e6", side.who, last.PathRate)
				}
			}
		})
	}
}

func sleepless() time.Duration { return 0 }

// What the peer has said before the first glance weighs no more than what it
// says later.
func TestFirstWordOfThePeerIsForgotten(t *testing.T) {
	var j judge
	now := time.Date(2030, time.January, 1, 0, 0, 0, 0, time.UTC)
	j.receiver(glance{now: now}, BottleneckPeerDisk)
	for range 20 {
		now = now.Add(200 * time.Millisecond)
		if b, _ := j.receiver(glance{now: now}, BottleneckNetwork); b != BottleneckNetwork {
			t.Fatalf("%v is still named", b)
		}
	}
}

func TestEachSideCallsABottleneckByItsName(t *testing.T) {
	for b := BottleneckUnknown; b < bottlenecks; b++ {
		if there := b.seenFromThere(); there.seenFromThere() != b {
			t.Errorf("%v is %v there, and that is %v here", b, there, there.seenFromThere())
		}
		if (b.String() == "") != (b == BottleneckUnknown) {
			t.Errorf("%d is called %q", b, b)
		}
	}
	if b := Bottleneck(200).seenFromThere(); b != BottleneckUnknown || Bottleneck(200).String() != "" {
		t.Errorf("nonsense is %v", b)
	}
}

func TestBottleneckChangesWithinSeconds(t *testing.T) {
	var j judge
	now := time.Unix(1e9, 0)
	g := glance{now: now, reading: true}
	look := func(n int, f func()) (b Bottleneck) {
		for range n {
			g.now = g.now.Add(reportEvery)
			f()
			b = j.sender(g, BottleneckUnknown)
		}
		return b
	}
	steps := []struct {
		want Bottleneck
		f    func()
	}{
		{BottleneckNetwork, func() { g.waits.Path += reportEvery }},
		{BottleneckLimit, func() { g.waits.Limit += reportEvery }},
		{BottleneckPeerDisk, func() { g.waits.Peer += reportEvery }},
		{BottleneckOwnDisk, func() { g.waits.Source += reportEvery }},
		{BottleneckNetwork, func() { g.waits.Path += reportEvery * 6 / 10; g.waits.Limit += reportEvery * 4 / 10 }},
	}
	for i, s := range steps {
		if b := look(10, s.f); b != s.want {
			t.Errorf("step %d: %v, want %v", i, b, s.want)
		}
	}
	g.waits = peer.Waits{}
	g.reading = false
	j = judge{last: g}
	if b := look(3, func() { g.waits.Queue += reportEvery }); b != BottleneckNetwork {
		t.Errorf("while the last bytes are on their way: %v", b)
	}
	g.landed = true
	if b := look(10, func() { g.waits.Queue += reportEvery }); b != BottleneckPeerDisk {
		t.Errorf("while the receiver writes: %v", b)
	}
}

func TestLossIsOfTheLastSeconds(t *testing.T) {
	var m lossMeter
	g := glance{now: time.Unix(1e9, 0)}
	var got float64
	step := func(n int, sent, lost uint64) {
		for range n {
			got = m.sample(g)
			g.now, g.sent, g.lost = g.now.Add(reportEvery), g.sent+sent, g.lost+lost
		}
	}
	step(30, 100, 10)
	if math.Abs(got-0.1) > 0.001 {
		t.Errorf("loss %.3f, want 0.1", got)
	}
	step(30, 100, 0)
	if got != 0 {
		t.Errorf("loss %.3f seconds after the last loss", got)
	}
	g.lost -= 5 // what was thought lost had arrived
	step(1, 100, 0)
	if got != 0 {
		t.Errorf("loss %.3f after fewer losses than before", got)
	}
}

// TestBitrateBoundsThePacket has the historical number on both command lines.
func TestBitrateBoundsThePacket(t *testing.T) {
	for _, bitrate := range []int{93, 256, 1400} {
		m := newMeeting(t, 1, lab.Link{Delay: 10 * time.Millisecond})
		m.packet = bitrate
		h := m.public("sender", "receiver")
		largest, full := 0, 0
		m.Tap(func(s lab.Sighting) {
			if s.Fate != lab.Sent || s.From.Addr() != h[0].Addrs()[0] || s.Data[0]&0x80 == 0 {
				return // a packet of the connection has the highest bit set
			}
			largest = max(largest, len(s.Data))
			if len(s.Data) == bitrate+packetOverhead {
				full++
			}
		})
		path, dir := m.file("a.bin", 300_000), m.folder("to")
		s := m.send(h[0], "a phrase of our own", path)
		r := m.receive(h[1], "a phrase of our own", dir)
		if err := m.finish(time.Minute, s, r); err != nil {
			t.Fatal(err)
		}
		if err := same(path, dir); err != nil {
			t.Error(err)
		}
		if most := bitrate + packetOverhead; largest > most || full < 200_000/bitrate {
			t.Errorf("bitrate %d: packets of up to %d bytes, want at most %d; %d of them full", bitrate, largest, most, full)
		}
	}
}

// packetOverhead is what a packet has beside file bytes (docs/protocol.md):
// header, type and offset, tag.
const packetOverhead = 12 + 7 + 16
