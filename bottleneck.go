package qft

import (
	"math"
	"time"

	"qft/internal/peer"
)

// Bottleneck is what a transfer waits for: what would have to be faster for
// the transfer to be.
type Bottleneck uint8

const (
	// BottleneckUnknown: it is too early to say, or the transfer is paused.
	BottleneckUnknown Bottleneck = iota
	// BottleneckNetwork: the path between the two machines.
	BottleneckNetwork
	// BottleneckPeerDisk: reading or writing at the other side.
	BottleneckPeerDisk
	// BottleneckOwnDisk: reading or writing here.
	BottleneckOwnDisk
	// BottleneckCPU: this machine's processor.
	BottleneckCPU
	// BottleneckPeerCPU: the other side's processor.
	BottleneckPeerCPU
	// BottleneckLimit: the limit that one of the two sides has set.
	BottleneckLimit

	bottlenecks
)

// String is a word or two for people; empty for BottleneckUnknown.
func (b Bottleneck) String() string {
	if b >= bottlenecks {
		return ""
	}
	return [...]string{"", "network", "peer's disk", "own disk", "CPU", "peer's CPU", "limit"}[b]
}

// seenFromThere is what a bottleneck that the other side names is called here.
func (b Bottleneck) seenFromThere() Bottleneck {
	switch b {
	case BottleneckPeerDisk:
		return BottleneckOwnDisk
	case BottleneckOwnDisk:
		return BottleneckPeerDisk
	case BottleneckCPU:
		return BottleneckPeerCPU
	case BottleneckPeerCPU:
		return BottleneckCPU
	case BottleneckNetwork, BottleneckLimit:
		return b
	}
	return BottleneckUnknown
}

const (
	// busyShare of its time without sleep means that the loop itself is what
	// everything waits for.
	busyShare = 0.9

	// blameTime is how fast blame fades: a display should neither flicker nor
	// be late.
	blameTime = time.Second
)

// glance is what is seen of a transfer at one moment. Durations and counts
// grow from the beginning of the connection.
type glance struct {
	now     time.Time
	waits   peer.Waits
	idle    time.Duration // of the loop
	timed   bool          // idle is known
	sent    uint64        // packets
	lost    uint64        // packets
	reading bool          // the sender has not read everything yet
	landed  bool          // all that was sent has arrived
	disk    bool          // the receiver's disk is behind
	paused  bool          // nothing is waited for but the end of a pause
}

// judge finds the bottleneck. Each side blames what it sees itself, and takes
// the other's word for the rest: the sender sees what its sending waits for,
// and that includes the peer's disk, which closes the window; the receiver
// sees its own disk and processor.
type judge struct {
	last  glance
	blame [bottlenecks]float64 // seconds, fading
}

// sender takes a glance of the sending side; there is what the peer says.
func (j *judge) sender(g glance, there Bottleneck) Bottleneck {
	w, old := g.waits, j.last.waits
	busy := j.begin(g)
	if g.paused {
		return BottleneckUnknown
	}
	path := BottleneckNetwork
	switch {
	case busy:
		path = BottleneckCPU
	case there == BottleneckPeerCPU:
		path = there
	}
	idle := path // everything has left and not all has arrived
	switch {
	case g.reading:
		idle = BottleneckOwnDisk
	case g.landed:
		idle = BottleneckPeerDisk
	}
	j.add(idle, w.Queue-old.Queue)
	j.add(BottleneckOwnDisk, w.Source-old.Source)
	j.add(BottleneckPeerDisk, w.Peer-old.Peer)
	j.add(BottleneckLimit, w.Limit-old.Limit)
	j.add(path, w.Path-old.Path)
	return j.most()
}

// receiver takes a glance of the receiving side. It returns the bottleneck,
// and what of it the sender cannot see for itself.
func (j *judge) receiver(g glance, there Bottleneck) (b, tell Bottleneck) {
	since := j.since(g)
	busy := j.begin(g)
	if g.paused {
		return BottleneckUnknown, BottleneckUnknown
	}
	switch {
	case g.disk:
		tell = BottleneckOwnDisk
	case busy:
		tell = BottleneckCPU
	}
	if tell != BottleneckUnknown {
		there = tell
	}
	if there != BottleneckUnknown {
		j.add(there, since)
	}
	return j.most(), tell
}

// begin takes over a glance, lets old blame fade, and reports whether the loop
// had hardly any sleep since the previous one.
func (j *judge) begin(g glance) (busy bool) {
	since := j.since(g)
	busy = g.timed && j.last.timed && since > 0 &&
		(g.idle-j.last.idle).Seconds() < (1-busyShare)*since.Seconds()
	fade := math.Exp(-since.Seconds() / blameTime.Seconds())
	for b := range j.blame {
		j.blame[b] *= fade
	}
	j.last = g
	if g.paused {
		clear(j.blame[:])
	}
	return busy
}

// since is the time between two glances, none at the first.
func (j *judge) since(g glance) time.Duration {
	if j.last.now.IsZero() {
		return 0
	}
	return g.now.Sub(j.last.now)
}

func (j *judge) add(b Bottleneck, d time.Duration) { j.blame[b] += d.Seconds() }

// most is what has most of the blame.
func (j *judge) most() Bottleneck {
	worst := BottleneckUnknown
	for b := range j.blame {
		if j.blame[b] > j.blame[worst] {
			worst = Bottleneck(b)
		}
	}
	return worst
}

// lossMeter is the share of packets that were lost over the last seconds.
type lossMeter struct {
	samples []glance
}

func (m *lossMeter) sample(g glance) float64 {
	m.samples = append(m.samples, g)
	for len(m.samples) > 2 && g.now.Sub(m.samples[1].now) >= meterWindow {
		m.samples = m.samples[1:]
	}
	first := m.samples[0]
	if g.sent <= first.sent || g.lost < first.lost {
		return 0 // nothing was sent, or what was thought lost was not
	}
	return min(float64(g.lost-first.lost)/float64(g.sent-first.sent), 1)
}
