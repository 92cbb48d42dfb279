package nat

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// cands parses "host 192.168.1.2:4001" and the like, separated by commas.
func cands(t *testing.T, s string) (list []Candidate) {
	t.Helper()
	kinds := map[string]Kind{"host": Host, "reflexive": Reflexive, "learned": PeerReflexive, "mapped": Mapped, "TCP": TCPHost, "predicted": Predicted}
	for part := range strings.SplitSeq(s, ",") {
		if f := strings.Fields(part); len(f) == 2 {
			list = append(list, Candidate{kinds[f[0]], netip.MustParseAddrPort(f[1])})
		}
	}
	return list
}

func listOf(c ...Candidate) List { return List{Candidates: c} }

func TestPlan(t *testing.T) {
	const ms = time.Millisecond
	type want struct {
		addr  string
		class class
		after time.Duration
		skip  bool
	}
	for _, c := range []struct {
		name, own, remote string
		v4, v6            bool
		want              []want
	}{
		{"addresses at a NAT first, then by class", "host 192.168.7.2:1", "reflexive 203.0.113.1:9, mapped 203.0.113.1:8, host 8.8.4.4:7, host [2001:db8::1]:6, host 10.0.0.1:5, host 192.168.7.2:4",
			true, true, []want{
				{"203.0.113.1:9", punched, 0, false},
				{"192.168.7.2:4", thisMachine, 5 * ms, false},
				{"10.0.0.1:5", lan, 10 * ms, false},
				{"[2001:db8::1]:6", ipv6, 15 * ms, false},
				{"8.8.4.4:7", direct, 20 * ms, false},
				{"203.0.113.1:8", mapped, 25 * ms, false},
			}},
		{"a reflexive address that is a host's is no NAT", "", "reflexive 8.8.4.4:7, host 8.8.4.4:7",
			true, true, []want{{"8.8.4.4:7", direct, 0, false}}},
		{"local kinds", "", "host 127.0.0.1:1, host 169.254.3.4:1, host [fd00::1]:1, host 100.64.0.7:1, learned 100.127.0.7:1, learned 100.128.0.7:1",
			true, true, []want{
				{"100.128.0.7:1", punched, 0, false},
				{"127.0.0.1:1", thisMachine, 5 * ms, false},
				{"169.254.3.4:1", lan, 10 * ms, false},
				{"[fd00::1]:1", lan, 15 * ms, false},
				{"100.64.0.7:1", carrier, 20 * ms, false},
				{"100.127.0.7:1", carrier, 25 * ms, false},
			}},
		{"IPv4 only", "", "host [2001:db8::1]:6, reflexive 203.0.113.1:9", true, false, []want{
			{"203.0.113.1:9", punched, 0, false}, {"[2001:db8::1]:6", ipv6, 5 * ms, true}}},
		{"IPv6 only", "", "host [2001:db8::1]:6, reflexive 203.0.113.1:9", false, true, []want{
			{"[2001:db8::1]:6", ipv6, 0, false}, {"203.0.113.1:9", punched, 5 * ms, true}}},
		{"not this very socket, not a link without a name", "host 172.17.0.1:4", "host 172.17.0.1:4, host [fe80::1]:4, host 172.17.0.1:5", true, true, []want{
			{"172.17.0.1:5", thisMachine, 0, false}, {"172.17.0.1:4", thisMachine, 5 * ms, true}, {"[fe80::1]:4", lan, 10 * ms, true}}},
		{"mapped forms are one address", "", "reflexive [::ffff:203.0.113.1]:9, reflexive 203.0.113.1:9", true, false, []want{
			{"203.0.113.1:9", punched, 0, false}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := plan(cands(t, c.own), cands(t, c.remote), c.v4, c.v6)
			if len(got) != len(c.want) {
				t.Fatalf("planned %+v", got)
			}
			for i, w := range c.want {
				g := got[i]
				if g.Addr.String() != w.addr || g.class != w.class || g.after != w.after || (g.skip != "") != w.skip {
					t.Errorf("%d: planned %+v, want %+v", i, g, w)
				}
			}
		})
	}
}

func TestSteps(t *testing.T) {
	var waits, lateWaits []time.Duration
	var sizes strings.Builder
	for try := range 9 {
		large, wait := step(try, false)
		_, late := step(try, true)
		waits, lateWaits = append(waits, wait/time.Millisecond), append(lateWaits, late/time.Millisecond)
		sizes.WriteString(map[bool]string{true: "F", false: "s"}[large])
	}
	if want := []time.Duration{50, 100, 200, 400, 800, 1000, 1000, 1000, 1000}; !slices.Equal(waits, want) {
		t.Errorf("waits %v, want %v", waits, want)
	}
	if want := []time.Duration{50, 100, 200, 400, 800, 1500, 1500, 1500, 1500}; !slices.Equal(lateWaits, want) {
		t.Errorf("waits %v after the timeout, want %v", lateWaits, want)
	}
	if sizes.String() != "FFsFsFsFs" {
		t.Errorf("sizes %s", sizes.String())
	}
	if _, wait := step(1<<40, false); wait != searchWait {
		t.Errorf("wait %v after very many tries", wait)
	}
}

func TestPacing(t *testing.T) {
	w := newWorld(t, 1)
	w.loss = 1
	p := w.behind(fullCone, fullCone)
	p.start()
	var many []Candidate
	for i := range 60 {
		many = append(many, Candidate{Host, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 9, 8, byte(i)}), 7)})
	}
	p.a.agent.AddRemote(p.now, List{Candidates: many})
	p.run(29*time.Second, nil)
	if n := len(p.a.agent.pairs); n != maxCandidates {
		t.Errorf("%d pairs from 60 candidates, want %d", n, maxCandidates)
	}
	for i, s := range p.a.sent[1:] {
		if gap := s.at.Sub(p.a.sent[i].at); gap < probeEvery {
			t.Fatalf("probes %d and %d are %v apart", i, i+1, gap)
		}
	}
	if round := p.a.sent[:maxCandidates]; round[maxCandidates-1].at.Sub(round[0].at) != (maxCandidates-1)*probeEvery {
		t.Errorf("the opening round took %v", round[maxCandidates-1].at.Sub(round[0].at))
	}
	for i := range p.a.sent { // in every second
		size := 0
		for _, s := range p.a.sent[i:] {
			if s.at.Sub(p.a.sent[i].at) > time.Second {
				break
			}
			size += len(s.data)
		}
		if size > probeRate+pingBurst {
			t.Fatalf("%d bytes in the second from %v", size, p.a.sent[i].at)
		}
	}
	count := make(map[netip.AddrPort]int)
	for _, s := range p.a.sent {
		count[s.to]++
	}
	for to, n := range count {
		if n < 25 {
			t.Errorf("%v got %d probes in 29 s", to, n)
		}
	}
}

func TestCostOrders(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		better class
		rtt    time.Duration
		worse  class
		rtt2   time.Duration
	}{
		{thisMachine, 1 * ms, lan, 1 * ms},
		{lan, 30 * ms, punched, 10 * ms},
		{punched, 5 * ms, lan, 90 * ms}, // a "LAN" behind a far VPN
		{ipv6, 30 * ms, punched, 20 * ms},
		{punched, 20 * ms, ipv6, 80 * ms},
		{ipv6, 330 * ms, punched, 300 * ms},
		{punched, 20 * ms, carrier, 18 * ms},
		{direct, 20 * ms, mapped, 20 * ms},
		{punched, 20 * ms, punched, 21 * ms},
	} {
		if a, b := c.better.cost(c.rtt), c.worse.cost(c.rtt2); a >= b {
			t.Errorf("%v at %v costs %v, %v at %v costs %v", c.better, c.rtt, a, c.worse, c.rtt2, b)
		}
	}
}

func TestLook(t *testing.T) {
	for _, c := range []struct {
		hosts, outside string
		want           Look
	}{
		{"host 192.168.1.2:40", "", Unknown},
		{"", "host 203.0.113.1:40", Unknown},
		{"host 8.8.4.4:40", "host 8.8.4.4:40", NoNAT},
		{"host 192.168.1.2:40", "host 203.0.113.1:40", KeepsPort},
		{"host 192.168.1.2:40", "host 203.0.113.1:41", ChangesPort},
		{"host 192.168.1.2:40", "host 203.0.113.1:41, host 203.0.113.1:41", ChangesPort},
		{"host 192.168.1.2:40", "host 203.0.113.1:40, host 203.0.113.1:41", PerDestination},
		{"host 192.168.1.2:40", "host 203.0.113.1:40, host 203.0.113.2:40", SeveralAddresses},
		{"host 8.8.4.4:40, host 192.168.1.2:40", "host 8.8.4.4:40, host 203.0.113.1:9", ChangesPort},
	} {
		var hosts, outside []netip.AddrPort
		for _, h := range cands(t, c.hosts) {
			hosts = append(hosts, h.Addr)
		}
		for _, o := range cands(t, c.outside) {
			outside = append(outside, o.Addr)
		}
		if got := look(hosts, outside); got != c.want {
			t.Errorf("%s seen as %s: %q, want %q", c.hosts, c.outside, got, c.want)
		}
	}
}

// What the peer saw completes what one helper can know.
func TestLookLearnsFromThePeer(t *testing.T) {
	p := newWorld(t, 1).behind(symmetric, fullCone)
	p.start(func(c *Config) {
		c.Local.Candidates = slices.DeleteFunc(c.Local.Candidates, func(l Candidate) bool { return l.Kind == Reflexive })
	})
	ca, cb := p.a.candidates()[:2], p.b.candidates()
	p.a.agent.SetLocal(p.now, List{Candidates: ca})
	if got := p.a.agent.Report(p.now).Own.V4.Look; got != ChangesPort {
		t.Errorf("by one helper's word: %q, want %q", got, ChangesPort)
	}
	p.a.agent.AddRemote(p.now, List{Candidates: cb})
	p.b.agent.AddRemote(p.now, List{Candidates: ca})
	p.wantConnected(time.Second)
	if got := p.a.agent.Report(p.now).Own.V4.Look; got != PerDestination {
		t.Errorf("own NAT after the peer's word: %q, want %q", got, PerDestination)
	}
	if got := p.b.agent.Report(p.now).Peer.V4.Look; got != PerDestination {
		t.Errorf("peer's NAT by its source address: %q, want %q", got, PerDestination)
	}
}

// In one LAN the peer sees an address that says nothing about the NAT.
func TestLookIgnoresLocalPaths(t *testing.T) {
	w := newWorld(t, 1)
	l := w.lan()
	w.router(portRestricted, w.internet, l, "203.0.113.1")
	p := peers{w, w.host("a", 4001).join(l, "192.168.1.2"), w.host("b", 4002).join(l, "192.168.1.3")}
	p.start()
	p.exchange()
	p.wantConnected(time.Second)
	if got := p.a.agent.Report(p.now).Own.V4.Look; got != KeepsPort {
		t.Errorf("own NAT %q, want %q", got, KeepsPort)
	}
	p.a.agent.SetLocal(p.now, List{Candidates: p.a.candidates()[:1]})
	if got := p.a.agent.Report(p.now).Own.V4.Look; got != Unknown {
		t.Errorf("without the helper's word: %q, want %q", got, Unknown)
	}
}

func TestReportOfSuccess(t *testing.T) {
	p := newWorld(t, 1).behind(portRestricted, portRestricted)
	p.start(func(c *Config) { c.V6 = false })
	p.exchange()
	p.wantConnected(time.Second)
	r := p.a.agent.Report(p.now)
	s := r.String()
	for _, want := range []string{"connected to 198.51.100.1:4002 (punched, ", "IPv6 not usable", "NAT keeps the port"} {
		if !strings.Contains(s, want) {
			t.Errorf("the report lacks %q:\n%s", want, s)
		}
	}
	if r.Path.RTT < 40*time.Millisecond || r.Path.RTT > 50*time.Millisecond {
		t.Errorf("RTT %v on a path of 41 ms", r.Path.RTT)
	}
}

func TestWindowAcceptsEachNumberOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		var w window
		seen := make(map[uint64]bool)
		top := uint64(0)
		for range 3000 {
			seq := top + 1 + uint64(rng.IntN(3))
			switch rng.IntN(6) {
			case 0:
				seq = uint64(rng.Int64N(int64(top + 2)))
			case 1:
				seq = top - min(top, uint64(rng.IntN(windowSize+10)))
			case 2:
				if rng.IntN(50) == 0 {
					seq = top + uint64(rng.IntN(3*windowSize))
				}
			}
			want := seq > 0 && !seen[seq] && (seq > top || top-seq < windowSize)
			if got := w.accept(seq); got != want {
				t.Fatalf("accept(%d) with top %d: %v, want %v", seq, top, got, want)
			}
			if want {
				seen[seq] = true
				top = max(top, seq)
			}
		}
	}
}
