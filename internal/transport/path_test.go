package transport

import (
	"net/netip"
	"testing"
	"time"

	"qft/internal/udp"
)

// TestChosenPathIsKept: one end chooses another way to its peer. What the peer
// has sent by the old one until it follows does not bring the first one back.
func TestChosenPathIsKept(t *testing.T) {
	for _, rtt := range []time.Duration{2 * time.Millisecond, 50 * time.Millisecond, 600 * time.Millisecond} {
		for _, who := range []string{"sender", "receiver"} {
			l := link(20, rtt/2)
			w := newWorld(t, 1, l, l)
			w.hostA.SetAddrs(append(w.hostA.Addrs(), netip.MustParseAddr("2001:db8::a"))...)
			w.hostB.SetAddrs(append(w.hostB.Addrs(), netip.MustParseAddr("2001:db8::b"))...)
			w.sendBulk(1 << 40)
			w.Run(2*time.Second, nil)
			first, host := w.a, w.hostA
			to := map[*Conn]udp.Path{w.a: udp.To(w.hostB.AddrPort(true, port)), w.b: udp.To(w.hostA.AddrPort(true, port))}
			if who == "receiver" {
				first, host = w.b, w.hostB
			}
			first.SetPath(w.Now(), to[first])
			host.Wake(port)
			w.Run(4*time.Second, nil)
			for c, want := range to {
				if c.Path() != want || c.Stats().Migrations != 1 {
					t.Errorf("RTT %v, the %s changes: at %v after %d migrations, want %v after one",
						rtt, who, c.Path(), c.Stats().Migrations, want)
				}
			}
		}
	}
}
