package survey

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"qft/internal/lab"
	"qft/internal/nat"
	"qft/internal/stun"
	"qft/internal/udp"
)

const (
	any3  = lab.EndpointIndependent
	addr3 = lab.AddressDependent
	port3 = lab.AddressPortDependent
)

func behind(n lab.NAT) *lab.RouterConfig { return &lab.RouterConfig{NAT: &n} }

func TestNATsAreRecognised(t *testing.T) {
	for _, c := range []struct {
		name    string
		router  *lab.RouterConfig
		nat     Answer
		mapping nat.Mapping
		keeps   Answer
		others  Answer
		hairpin Answer
	}{
		{"none", nil, No, nat.Independent, Unknown, Yes, Unknown},
		{"full cone", behind(lab.NAT{Mapping: any3, Filtering: any3, Hairpin: true}), Yes, nat.Independent, No, Yes, Yes},
		{"address-restricted", behind(lab.NAT{Mapping: any3, Filtering: addr3}), Yes, nat.Independent, No, Yes, No},
		{"port-restricted", behind(lab.NAT{Mapping: any3, Filtering: port3, PortPreserve: true, Hairpin: true}), Yes, nat.Independent, Yes, No, Yes},
		{"masquerade of Linux", behind(lab.NAT{Mapping: port3, Filtering: port3, PortPreserve: true, Overload: true}), Yes, nat.Independent, Yes, No, No},
		{"symmetric, preserving", behind(lab.NAT{Mapping: port3, Filtering: port3, PortPreserve: true}), Yes, nat.Preserving, Yes, No, No},
		{"symmetric, sequential", behind(lab.NAT{Mapping: port3, Filtering: port3, Ports: lab.SequentialPorts}), Yes, nat.Sequential, No, No, No},
		{"symmetric, random", behind(lab.NAT{Mapping: port3, Filtering: port3}), Yes, nat.Random, No, No, No},
		{"firewall only", &lab.RouterConfig{Firewall: &lab.Firewall{Filtering: port3}}, No, nat.Independent, Unknown, No, Unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(20) {
				line := lab.Link{}
				if seed > 0 {
					line.Loss = 0.05
				}
				f := newScene(t, setting{seed: seed, router: c.router, line: line}).run(8 * time.Second)
				if seed > 0 && c.mapping == nat.Preserving && f.Mapping.Mapping == nat.Random {
					continue // the first packet was lost, and a port that nobody listens on has the preserved one
				}
				if !f.V4.Outside.IsValid() || f.V4.NAT != c.nat || f.Mapping.Mapping != c.mapping || f.KeepsPort != c.keeps || f.V4.OtherPorts != c.others || f.Hairpin != c.hairpin {
					t.Errorf("seed %d: found %+v", seed, f)
				}
				if len(f.Servers) != 1 || !f.Servers[0].Helper || f.Servers[0].RTT < 40*time.Millisecond || f.Servers[0].RTT > 300*time.Millisecond {
					t.Errorf("seed %d: servers %+v", seed, f.Servers)
				}
				if f.V6.Outside.IsValid() {
					t.Errorf("seed %d: IPv6 at %v", seed, f.V6.Outside)
				}
			}
		})
	}
}

func TestIPv6Firewall(t *testing.T) {
	s := newScene(t, setting{router: &lab.RouterConfig{NAT: &lab.NAT{Mapping: port3, Filtering: port3}, Firewall: &lab.Firewall{Filtering: port3}}, family: lab.DualStack})
	f := s.run(5 * time.Second)
	if f.V6.NAT != No || f.V6.OtherPorts != No || f.V6.MTU != 1500 {
		t.Errorf("IPv6: %+v", f.V6)
	}
	if f.V4.NAT != Yes || f.Mapping.Mapping != nat.Random {
		t.Errorf("IPv4: %+v", f)
	}
	f = newScene(t, setting{family: lab.IPv6Only}).run(5 * time.Second)
	if f.V6.OtherPorts != Yes || f.V4.Outside.IsValid() || f.Mapping.Mapping != nat.MappingUnknown {
		t.Errorf("found %+v", f)
	}
}

// TestBlockedUDP: it is known within 5 s, and which ports do get out.
func TestBlockedUDP(t *testing.T) {
	f := newScene(t, setting{router: &lab.RouterConfig{BlockUDP: true}}).run(4 * time.Second)
	if f.Servers[0].Answered() || f.V4.NAT != Unknown || f.V4.OtherPorts != Unknown {
		t.Errorf("found %+v", f)
	}
	f = newScene(t, setting{router: &lab.RouterConfig{BlockUDP: true, Except: []uint16{443}}}).run(8 * time.Second)
	want := []Port{{4000, false}, {53, false}, {123, false}, {443, true}, {4277, false}}
	if !slices.Equal(f.Servers[0].Ports, want) || !f.Servers[0].Helper {
		t.Errorf("server %+v, want a helper at the ports %v", f.Servers[0], want)
	}
}

func TestServersOfOtherPorts(t *testing.T) {
	router := behind(lab.NAT{Mapping: port3, Filtering: port3})
	f := newScene(t, setting{router: router, ports: []uint16{4000}}).run(8 * time.Second)
	if f.Destinations != 1 || f.Mapping.Mapping != nat.MappingUnknown || f.V4.OtherPorts != Unknown || !f.Servers[0].Helper {
		t.Errorf("found %+v", f)
	}
	f = newScene(t, setting{router: router, ports: []uint16{4000, 5000}}).run(8 * time.Second)
	if f.Mapping.Mapping != nat.Random || !slices.Contains(f.Servers[0].Ports, Port{5000, true}) {
		t.Errorf("a port that the helper names: found %+v", f)
	}
	f = newScene(t, setting{router: router, mute: true}).run(8 * time.Second)
	if f.Mapping.Mapping != nat.Random || f.Servers[0].Helper {
		t.Errorf("found %+v", f)
	}
}

func TestLargestPacket(t *testing.T) {
	for _, mtu := range []int{1228, 1280, 1439, 1440, 1492, 1500} {
		f := newScene(t, setting{line: lab.Link{MTU: mtu}, family: lab.DualStack}).run(5 * time.Second)
		want := mtu
		if mtu == 1439 {
			want = 1420
		}
		if f.V4.MTU != want || f.V4.MTUMost != (mtu == 1500) {
			t.Errorf("MTU %d: found %+v", mtu, f.V4)
		}
		if mtu >= 1280 && f.V6.MTU != want {
			t.Errorf("MTU %d: found %+v", mtu, f.V6)
		}
	}
}

// TestLifetime: mappings that live shorter and longer than they are left alone,
// and whether packets from outside keep them or not.
func TestLifetime(t *testing.T) {
	for _, c := range []struct {
		timeout       time.Duration
		atLeast, less time.Duration
	}{
		{5 * time.Second, 0, 10 * time.Second},
		{15 * time.Second, 10 * time.Second, 20 * time.Second},
		{30 * time.Second, 20 * time.Second, 0},
	} {
		for _, in := range []bool{false, true} {
			router := behind(lab.NAT{Mapping: any3, Filtering: port3, PortPreserve: true, Timeout: c.timeout, RefreshInbound: in})
			s := newScene(t, setting{router: router, idle: []time.Duration{10 * time.Second, 20 * time.Second}})
			f := s.run(30 * time.Second)
			if f.Lifetime != (Lifetime{c.atLeast, c.less}) {
				t.Errorf("mappings of %v: found %+v", c.timeout, f.Lifetime)
			}
			if n := s.helper.Stats().Members; n > 2 {
				t.Errorf("%d members left behind", n)
			}
		}
	}
	router := behind(lab.NAT{Mapping: any3, Filtering: port3})
	f := newScene(t, setting{router: router, nearer: true, idle: []time.Duration{time.Second}}).run(30 * time.Second)
	if f.Lifetime.AtLeast != time.Second || f.V4.OtherPorts != No || !f.Servers[1].Helper || f.Servers[0].Helper {
		t.Errorf("with a STUN server that is nearer: %+v", f)
	}
	f = newScene(t, setting{router: router, mute: true, idle: []time.Duration{time.Second}}).run(30 * time.Second)
	if f.Lifetime != (Lifetime{}) {
		t.Errorf("without a helper: %+v", f.Lifetime)
	}
}

// TestNothingToAsk: no server, or none of a family that this machine has.
func TestNothingToAsk(t *testing.T) {
	s := New(time.Now(), Config{Servers: []netip.AddrPort{netip.MustParseAddrPort("[2001:db8::1]:1")}, V4: true, Sockets: []uint16{1, 2}, Rand: zeros{}})
	if !s.Done() || !s.Deadline().IsZero() {
		t.Error("it waits for something")
	}
	s.Findings()
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// FuzzSurvey: whatever arrives from wherever, the survey ends in time and says
// little.
func FuzzSurvey(f *testing.F) {
	f.Add(stun.AppendRequest(nil, stun.Tx{}), uint64(1))
	f.Add(stun.AppendResponse(nil, stun.Request{}, netip.MustParseAddrPort("192.0.2.1:5")), uint64(2))
	f.Fuzz(func(t *testing.T, said []byte, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 0))
		now := time.Unix(1e9, 0)
		server := netip.MustParseAddrPort("192.0.2.1:4000")
		s := New(now, Config{
			Servers: []netip.AddrPort{server}, Local: []netip.Addr{netip.MustParseAddr("192.168.1.2")}, Sockets: []uint16{1, 2, 3},
			V4: true, Idle: []time.Duration{time.Second}, Rand: zeros{}, // so that the answers of others count
		})
		b := udp.NewBatch(64 << 10)
		packets := 0
		for range 2000 {
			b.Reset()
			if s.Send(now, b); b.Len() == 0 {
				d := s.Deadline()
				if d.IsZero() {
					break
				}
				if d.After(now) {
					now = d
				}
			}
			packets += b.Len()
			from := udp.Path{Local: udp.Local(rng.IntN(3)), Remote: server}
			s.Receive(now, udp.Packet{Path: from, Data: said})
		}
		if !s.Done() {
			t.Fatalf("not done at %v", now)
		}
		if packets > 400 {
			t.Fatalf("%d packets", packets)
		}
		s.Findings()
	})
}
