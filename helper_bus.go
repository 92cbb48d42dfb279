package qft

import (
	"fmt"
	"time"

	"qft/internal/bus"
	"qft/internal/rendezvous"
)

// dialBus begins to share the rooms with other instances, until the function is
// called.
func (h *helper) dialBus() (stop func(), err error) {
	h.bus, err = bus.Dial(bus.Config{
		URL: h.cfg.NATS, Credentials: h.cfg.NATSCredentials, Log: h.log,
		Deliver: func(batch []rendezvous.BusMessage) bool {
			return h.loop.Post(func() {
				now := h.steady(time.Now())
				for _, m := range batch {
					h.FromBus(now, m)
				}
			})
		},
	})
	if err != nil {
		return nil, &Error{Op: "helper", Kind: KindUsage, Err: fmt.Errorf("sharing rooms: %w", err)}
	}
	return h.bus.Close, nil
}
