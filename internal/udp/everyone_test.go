package udp

import (
	"net/netip"
	"testing"
	"time"
)

// TestEverybodyOnTheMachineHears: loopback is a network, too, and the port is
// shared.
func TestEverybodyOnTheMachineHears(t *testing.T) {
	for _, group := range []string{"239.255.71.70:42780", "[ff02::7166]:42780"} {
		t.Run(group, func(t *testing.T) {
			to := netip.MustParseAddrPort(group)
			caller, err := Listen(Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer caller.Close()
			if caller.familyOf(to.Addr()) == nil {
				t.Skip("this machine has no such addresses")
			}
			for range 2 {
				s, err := Listen(Config{})
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				if err := s.Hear(to); err != nil {
					t.Fatal(err)
				}
				b := NewBatch(1000)
				b.Add(To(to), []byte("is anybody there?"))
				if err := caller.Write(b); err != nil {
					t.Fatal(err)
				}
				late := time.After(patience)
				for heard := false; !heard; {
					r := next(t, s, late)
					for p := range r.Packets() {
						if p.Remote.Port() != caller.Port() {
							continue // of somebody else on this machine
						}
						if heard = true; string(p.Data) != "is anybody there?" {
							t.Errorf("heard %q", p.Data)
						}
						answer := NewBatch(1000)
						answer.Add(p.Path, []byte("yes"))
						if err := s.Write(answer); err != nil {
							t.Error(err)
						}
						break
					}
					r.Release()
				}
				next(t, caller, late).Release()
			}
		})
	}
}

func TestBroadcastAddress(t *testing.T) {
	for _, c := range []struct{ net, want string }{
		{"192.168.1.7/24", "192.168.1.255"}, {"10.1.2.3/8", "10.255.255.255"}, {"10.0.0.1/30", "10.0.0.3"},
		{"10.0.0.1/31", ""}, {"10.0.0.1/32", ""}, {"127.0.0.1/8", ""}, {"fe80::1/64", ""},
	} {
		got, ok := broadcast(netip.MustParsePrefix(c.net))
		if ok != (c.want != "") || ok && got.String() != c.want {
			t.Errorf("%s: %v, want %q", c.net, got, c.want)
		}
	}
}
