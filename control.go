package qft

import (
	"math"
	"sync"

	"qft/internal/peer"
)

// Control changes transfers while they run. The zero value is ready: name it
// in Config.Control. One Control may serve several transfers, which then all
// obey it. Its methods may be called at any time from any goroutine, and never
// block; a limit holds at once on the sending side, and half a round trip
// later when it is the receiving side's.
type Control struct {
	mu         sync.Mutex
	limit      *float64 // nil: Config.Limit holds
	background *bool    // nil: Config.Background holds
	running    map[*steered]struct{}
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
	limit, background := c.settings(s.cfg)
	limit /= float64(max(s.part, 1))
	c.mu.Unlock()
	s.peer.Throttle(limit, background)
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

func (c *Control) settings(cfg Config) (limit float64, background bool) {
	limit, background = cfg.Limit, cfg.Background
	if c.limit != nil {
		limit = *c.limit
	}
	if c.background != nil {
		background = *c.background
	}
	return limit, background
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
