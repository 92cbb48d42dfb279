package beacon

import (
	"net/netip"
	"time"

	"qft/internal/udp"
)

// Config says what is announced or asked for.
type Config struct {
	Number uint32 // of the code; 0 for a phrase of the user's own

	// Port is where a sender meets people. If zero, this is a receiver, who
	// asks.
	Port uint16

	// V4 and V6 say through which families to call. If neither, both.
	V4, V6 bool
}

const (
	// A receiver asks at once, and again after firstWait, then twice as long,
	// up to askWait.
	firstWait = 250 * time.Millisecond
	askWait   = 2 * time.Second

	// tellWait is between the announcements that nobody has asked for: a
	// receiver whose queries get lost, or whose answers do, hears them.
	tellWait = 2 * time.Second

	// After eagerTime both call every restWait only: whoever comes then calls
	// eagerly itself.
	eagerTime = 20 * time.Second
	restWait  = 10 * time.Second

	// Answers are limited to answerRate a second, answerBurst at once.
	answerRate  = 20
	answerBurst = 40

	// maxAnswers wait for the next Send.
	maxAnswers = 16

	// maxFound is how many found addresses wait for Next, maxOfHost how many of
	// one host. More are a flood; whoever is meant calls again.
	maxFound  = 16
	maxOfHost = 3
)

// Beacon announces a number, or asks for it: a machine.
type Beacon struct {
	cfg     Config
	began   time.Time // of the eager time
	due     time.Time // next call to everybody
	wait    time.Duration
	answers []udp.Path
	tokens  float64 // answers that may leave
	counted time.Time
	found   []netip.AddrPort
	now     time.Time
}

// New returns a beacon that calls with the first Send.
func New(now time.Time, cfg Config) *Beacon {
	if !cfg.V4 && !cfg.V6 {
		cfg.V4, cfg.V6 = true, true
	}
	b := &Beacon{cfg: cfg, tokens: answerBurst, counted: now}
	b.Hurry(now)
	return b
}

// asks reports whether this is a receiver's.
func (b *Beacon) asks() bool { return b.cfg.Port == 0 }

// Hurry calls eagerly again: this machine is on another network.
func (b *Beacon) Hurry(now time.Time) { b.now, b.began, b.due, b.wait = now, now, now, firstWait }

// Receive takes a beacon of somebody else.
func (b *Beacon) Receive(now time.Time, p udp.Packet) {
	m, ok := parse(p.Data)
	if !ok || m.number != b.cfg.Number {
		return
	}
	b.now = now
	switch {
	case m.kind == query && !b.asks():
		if len(b.answers) < maxAnswers && b.take(now) {
			b.answers = append(b.answers, p.Path)
		}
	case m.kind == announce && b.asks():
		b.find(netip.AddrPortFrom(p.Remote.Addr().Unmap(), m.port))
	}
}

func (b *Beacon) find(a netip.AddrPort) {
	ofHost := 0
	for _, f := range b.found {
		if f.Addr() == a.Addr() {
			ofHost++
		}
		if f == a {
			return
		}
	}
	if len(b.found) < maxFound && ofHost < maxOfHost {
		b.found = append(b.found, a)
	}
}

// take takes an answer off those that may leave.
func (b *Beacon) take(now time.Time) bool {
	b.tokens = min(b.tokens+answerRate*now.Sub(b.counted).Seconds(), answerBurst)
	b.counted = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// Next returns an address at which somebody says to have the number. The same
// one comes again when it is said again.
func (b *Beacon) Next() (netip.AddrPort, bool) {
	if len(b.found) == 0 {
		return netip.AddrPort{}, false
	}
	a := b.found[0]
	b.found = b.found[1:]
	return a, true
}

// Send appends what should leave now. What goes to everybody goes to Group4 and
// Group6; the socket sees to the interfaces.
func (b *Beacon) Send(now time.Time, batch *udp.Batch) {
	b.now = now
	m := message{kind: announce, number: b.cfg.Number, port: b.cfg.Port}
	if b.asks() {
		m.kind = query
	}
	for _, to := range b.answers {
		batch.Add(to, m.append(nil)) // one that finds no room is asked for again
	}
	b.answers = b.answers[:0]
	if now.Before(b.due) {
		return
	}
	if b.cfg.V4 {
		batch.Add(udp.To(Group4()), m.append(nil))
	}
	if b.cfg.V6 {
		batch.Add(udp.To(Group6()), m.append(nil))
	}
	b.due = now.Add(b.pause(now))
}

// pause is until the next call.
func (b *Beacon) pause(now time.Time) time.Duration {
	switch {
	case now.Sub(b.began) >= eagerTime:
		return restWait
	case !b.asks():
		return tellWait
	}
	w := b.wait
	b.wait = min(2*w, askWait)
	return w
}

// Deadline is when Send has something to do.
func (b *Beacon) Deadline() time.Time {
	if len(b.answers) > 0 {
		return b.now
	}
	return b.due
}
