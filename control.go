package qft

import (
	"math"
	"sync"

	"qft/internal/peer"
)

// Control changes transfers while they run. The zero value is ready: name it
// in Config.Control. One Control may serve several transfers, which then all
// obey it. Its methods may be called at any time from any goroutine, also
// before a transfer begins and between two, and never block. What the sending
// side sets holds at once there, and what the receiving side sets half a round
// trip later.
type Control struct {
	mu         sync.Mutex
	limit      *float64 // nil: Config.Limit holds
	background *bool    // nil: Config.Background holds
	paused     bool
	running    map[*steered]struct{}
}

// pauseTold is what was last told of who has paused: a session that goes on
// where another one was tells what is different.
type pauseTold struct {
	mu   sync.Mutex
	last Paused
}

// news reports whether it is something else now.
func (p *pauseTold) news(e Paused) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	other := e != p.last
	p.last = e
	return other
}

// steered is a transfer that a Control serves.
type steered struct {
	cfg  Config
	loop *peer.Loop
	peer *peer.Peer
	part int // sessions that share the limit, guarded by the Control; below 2: none do
}

// SetLimit takes the place of Config.Limit: bytes per second, 0 for none.
func (c *Control) SetLimit(bytesPerSecond float64) {
	if math.IsNaN(bytesPerSecond) {
		bytesPerSecond = 0
	}
	c.change(func() { c.limit = &bytesPerSecond })
}

// SetBackground takes the place of Config.Background.
func (c *Control) SetBackground(on bool) {
	c.change(func() { c.background = &on })
}

// Pause stops the bytes of files, or of a Stream, until it is called with
// false: nothing that has arrived is lost, both sides stay in contact, look for
// another path when theirs ends, and go on at the rate that they had. Either
// side may pause, the other is told by a Paused event, and what both have
// paused goes on when neither does any more. A transfer that is interrupted and
// goes on in another session stays paused; so does one that begins. A side of
// an older version does not heed the other's pause.
func (c *Control) Pause(on bool) {
	c.change(func() { c.paused = on })
}

// change changes settings and has the transfers take them up.
func (c *Control) change(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	for s := range c.running {
		// An event may be what calls us, and events come from the loop, which
		// must not wait for itself. It ends when the loop has ended.
		go s.loop.Post(func() { c.apply(s) })
	}
}

// apply is called in the loop of s, and takes what is set by then, so that it
// does not matter in which order changes get there.
func (c *Control) apply(s *steered) {
	c.mu.Lock()
	t := c.settings(s.cfg)
	t.Limit /= float64(max(s.part, 1))
	c.mu.Unlock()
	s.peer.Throttle(t)
}

// divide has a transfer keep to one of so many equal parts of the limit.
func (c *Control) divide(s *steered, parts int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if max(s.part, 1) != parts {
		s.part = parts
		go s.loop.Post(func() { c.apply(s) })
	}
}

func (c *Control) settings(cfg Config) peer.Throttle {
	t := peer.Throttle{Limit: cfg.Limit, Background: cfg.Background, Paused: c.paused}
	if c.limit != nil {
		t.Limit = *c.limit
	}
	if c.background != nil {
		t.Background = *c.background
	}
	return t
}

// attach has a transfer obey until the function is called.
func (c *Control) attach(s *steered) (detach func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running == nil {
		c.running = make(map[*steered]struct{})
	}
	c.running[s] = struct{}{}
	s.peer.Throttle(c.settings(s.cfg)) // the loop has not begun
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.running, s)
	}
}
