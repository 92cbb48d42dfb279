package qft

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"qft/internal/peer"
	"qft/internal/portmap"
	"qft/internal/udp"
)

// doors are the ports that routers open for an attempt. Nobody waits for them:
// the peer is told when there is one.
type doors struct {
	loop    *peer.Loop
	peer    *peer.Peer
	mappers []*portmap.Mapper
}

// udp asks for the port of the socket.
func (o *doors) udp(s *udp.Socket) {
	v4, v6 := s.Families()
	o.ask(portmap.Config{Port: s.Port(), UDP: true, V4: v4, V6: v6}, o.peer.SetMapped)
}

// tcp asks for the port at which lines are accepted.
func (o *doors) tcp(port uint16) {
	o.ask(portmap.Config{Port: port, TCP: true, V4: true, V6: true}, o.peer.SetMappedLines)
}

func (o *doors) ask(cfg portmap.Config, tell func(time.Time, []netip.AddrPort)) {
	cfg.Found = func(all []portmap.Mapping) {
		found := reachable(all)
		o.loop.Post(func() { tell(time.Now(), found) })
	}
	// Not the attempt's context: the partner is told good-bye through the door.
	o.mappers = append(o.mappers, portmap.Start(context.Background(), cfg))
}

// reachable are the addresses of mappings that are public. One that is not is
// of no use outside, and may be anybody's inside another network.
func reachable(all []portmap.Mapping) []netip.AddrPort {
	var found []netip.AddrPort
	for _, m := range all {
		if m.Public() {
			found = append(found, m.Outside)
		}
	}
	return found
}

// close has the routers close the ports, which takes a second at most.
func (o *doors) close() {
	var all sync.WaitGroup
	for _, m := range o.mappers {
		all.Go(m.Close)
	}
	all.Wait()
}
