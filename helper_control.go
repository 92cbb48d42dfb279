package qft

import (
	"sync"
	"time"
)

// HelperControl changes helpers while they run. The zero value is ready: name
// it in HelperConfig.Control. Its methods may be called at any time from any
// goroutine, and never block.
type HelperControl struct {
	mu      sync.Mutex
	rules   *HelperRules // nil: those of the configuration
	drain   bool
	running map[*helper]struct{}
}

// Reload takes the place of HelperConfig.Rules. Members that are there stay.
func (c *HelperControl) Reload(r HelperRules) {
	c.change(func() { c.rules = &r })
}

// Drain lets nobody into a new room from now on: with HelperConfig.NATS,
// newcomers are left to the other helpers, else they are told that it is busy.
// Those who are there may still be met; the helper ends when the last has left,
// or after HelperConfig.Drain.
func (c *HelperControl) Drain() {
	c.change(func() { c.drain = true })
}

func (c *HelperControl) change(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	for h := range c.running {
		go c.tell(h)
	}
}

// tell has a helper take up what is set by then.
func (c *HelperControl) tell(h *helper) {
	h.loop.Post(func() {
		c.mu.Lock()
		rules, drain := c.rules, c.drain
		c.mu.Unlock()
		if rules != nil && rules != h.rules {
			h.rules = rules
			h.Server.Reload(h.serverConfig(*rules))
			// Not before: whoever waits for this line may count on the new ones.
			h.log.Info("limits and secrets are reloaded", "secrets", len(rules.Secrets))
		}
		if drain {
			h.drain(time.Now())
		}
	})
}

// attach has a helper obey until the function is called.
func (c *HelperControl) attach(h *helper) (detach func()) {
	if c == nil {
		return func() {}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running == nil {
		c.running = make(map[*helper]struct{})
	}
	c.running[h] = struct{}{}
	if c.rules != nil || c.drain {
		go c.tell(h)
	}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.running, h)
	}
}
