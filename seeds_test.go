package qft

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"qft/internal/lab"
)

// TestMeetings runs whole meetings and transfers through random internets, one
// to a seed: QFT_SEEDS of them, from QFT_FIRST on. A failure names its seed.
func TestMeetings(t *testing.T) {
	seeds, first := 300, 0
	if testing.Short() || underRace { // runs in full without the race detector
		seeds = 50
	}
	if s := os.Getenv("QFT_SEEDS"); s != "" {
		seeds, _ = strconv.Atoi(s)
	}
	if s := os.Getenv("QFT_FIRST"); s != "" {
		first, _ = strconv.Atoi(s)
	}
	var mu sync.Mutex
	outcomes := make(map[string]int)
	next := make(chan uint64)
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for seed := range next {
				outcome, err := runSeed(t, seed)
				mu.Lock()
				outcomes[outcome]++
				mu.Unlock()
				if err != nil {
					t.Errorf("seed %d: %v", seed, err)
				}
			}
		})
	}
	for i := range seeds {
		next <- uint64(first + i)
	}
	close(next)
	all.Wait()
	t.Logf("%d seeds: %v", seeds, outcomes)
	if outcomes["arrived"] == 0 || outcomes["no path"] == 0 && seeds >= 200 {
		t.Error("the seeds no longer reach both outcomes: the topologies are wrong")
	}
}

// TestMeetingsThatFailed runs seeds that have shown bugs.
func TestMeetingsThatFailed(t *testing.T) {
	for _, c := range []struct {
		seed uint64
		bug  string
	}{
		{1393, "a sample of the RTT from a stopped process made the probe timeout minutes long"},
		{42753, "the first requests to the helper came too rarely for a line with much loss"},
		{103756, "a confirmation that came after its time was thrown away"},
		{45291, "two sides that pinged each other without a pause filled a thin line, and forgot pings before their answers came"},
	} {
		if outcome, err := runSeed(t, c.seed); err != nil {
			t.Errorf("seed %d (%s): %s, %v", c.seed, c.bug, outcome, err)
		}
	}
}

// scenario is a random internet and what happens in it.
type scenario struct {
	*meeting
	r     *rand.Rand
	bad   float64 // how bad the lines are, 0 to 1
	text  []string
	sides [2]side
	size  int
	late  time.Duration // the receiver starts so much after the sender
}

// side is how one peer is attached.
type side struct {
	host   *lab.Host
	router *lab.Router // nearest one with a NAT; nil: none
	nat    *lab.NAT
	v4, v6 bool
}

func (s *scenario) note(format string, args ...any) {
	s.text = append(s.text, fmt.Sprintf(format, args...))
}

// line is a random access line.
func (s *scenario) line() lab.Link {
	l := lab.Link{
		Rate:  1e6 * float64(int(1)<<s.r.IntN(8)),
		Delay: time.Duration(1+s.r.IntN(150)) * time.Millisecond,
	}
	if s.r.IntN(2) == 0 {
		l.Loss = s.bad * 0.2 * s.r.Float64()
	}
	if s.r.IntN(4) == 0 {
		l.Reorder, l.ReorderDelay = s.bad*0.1*s.r.Float64(), 30*time.Millisecond
	}
	if s.r.IntN(4) == 0 {
		l.Duplicate = s.bad * 0.1 * s.r.Float64()
	}
	if s.r.IntN(4) == 0 {
		l.Corrupt = s.bad * 0.1 * s.r.Float64()
	}
	if s.r.IntN(4) == 0 {
		l.Jitter, l.JitterReorders = l.Delay/4, s.r.IntN(2) == 0
	}
	if s.r.IntN(4) == 0 {
		l.MTU = []int{1280, 1420, 1492}[s.r.IntN(3)]
	}
	return l
}

func (s *scenario) randomNAT() *lab.NAT {
	b := []lab.Behavior{lab.EndpointIndependent, lab.AddressDependent, lab.AddressPortDependent}
	n := &lab.NAT{
		// Most NATs map independently of the destination; some do not.
		Mapping:      lab.EndpointIndependent,
		Filtering:    b[s.r.IntN(3)],
		PortPreserve: s.r.IntN(2) == 0,
		Hairpin:      s.r.IntN(2) == 0,
		Timeout:      time.Duration(30+s.r.IntN(90)) * time.Second,
	}
	if s.r.IntN(5) == 0 {
		n.Mapping, n.PortPreserve = lab.AddressPortDependent, false
	}
	return n
}

func (s *scenario) attach(name string) side {
	line := s.line()
	firewall := &lab.Firewall{Filtering: lab.AddressPortDependent}
	switch kind := s.r.IntN(10); {
	case kind == 0:
		s.note("%s: public", name)
		return side{host: s.Host(nil, lab.HostConfig{Name: name, Up: line, Down: line}), v4: true}
	case kind == 1:
		s.note("%s: IPv6 only, firewall", name)
		r := s.Router(nil, lab.RouterConfig{Name: name + " router", Firewall: firewall, Up: line, Down: line})
		return side{host: s.Host(r, lab.HostConfig{Name: name, Family: lab.IPv6Only}), v6: true}
	case kind == 2:
		n := s.randomNAT()
		s.note("%s: dual stack behind %+v", name, *n)
		r := s.Router(nil, lab.RouterConfig{Name: name + " router", NAT: n, Firewall: firewall, Up: line, Down: line})
		return side{host: s.Host(r, lab.HostConfig{Name: name, Family: lab.DualStack}), router: r, nat: n, v4: true, v6: true}
	case kind == 3:
		carrier := &lab.NAT{Filtering: lab.AddressDependent, Hairpin: true}
		n := s.randomNAT()
		n.Mapping = lab.EndpointIndependent
		s.note("%s: carrier NAT and %+v", name, *n)
		c := s.Router(nil, lab.RouterConfig{Name: name + " carrier", NAT: carrier, LAN: netip.MustParsePrefix("100.64.0.0/16")})
		r := s.Router(c, lab.RouterConfig{Name: name + " router", NAT: n, Up: line, Down: line})
		if n.Filtering < lab.AddressDependent {
			n.Filtering = lab.AddressDependent // the stricter of the two decides
		}
		return side{host: s.Host(r, lab.HostConfig{Name: name}), router: r, nat: n, v4: true}
	default:
		n := s.randomNAT()
		s.note("%s: behind %+v", name, *n)
		r := s.Router(nil, lab.RouterConfig{Name: name + " router", NAT: n, Up: line, Down: line})
		return side{host: s.Host(r, lab.HostConfig{Name: name}), router: r, nat: n, v4: true}
	}
}

// possible is the rule of RFC 4787 for what plain punching can pass.
func (s *scenario) possible() bool {
	a, b := s.sides[0], s.sides[1]
	switch {
	case a.v6 && b.v6:
		return true
	case !a.v4 || !b.v4:
		return false
	case a.router != nil && a.router == b.router:
		return true // the LAN
	}
	symmetric := func(x side) bool { return x.nat != nil && x.nat.Mapping != lab.EndpointIndependent }
	// The port that a symmetric NAT chose for us alone shows only in a packet
	// that gets in: so the other side's filter must not look at ports. Two of
	// them choose new ports for every answer, and never agree.
	lets := func(x side) bool { return x.nat == nil || x.nat.Filtering != lab.AddressPortDependent }
	switch {
	case symmetric(a) && symmetric(b):
		return false
	case symmetric(a):
		return lets(b)
	case symmetric(b):
		return lets(a)
	}
	return true
}

func newScenario(t testing.TB, seed uint64) *scenario {
	m := newMeeting(t, seed, lab.Link{Delay: 5 * time.Millisecond})
	m.nearby = true
	s := &scenario{meeting: m, r: m.Rand(), size: 200_000}
	s.bad = s.r.Float64()
	if s.r.IntN(3) == 0 {
		s.bad = 0
	}
	s.sides[0] = s.attach("a")
	if a := s.sides[0]; a.router != nil && s.r.IntN(6) == 0 {
		s.note("b: beside a")
		s.sides[1] = a
		family := lab.IPv4Only
		if a.v6 {
			family = lab.DualStack
		}
		s.sides[1].host = s.Host(a.router, lab.HostConfig{Name: "b", Family: family})
	} else {
		s.sides[1] = s.attach("b")
	}
	s.late = time.Duration(s.r.IntN(20000)) * time.Millisecond
	return s
}

// trouble schedules what goes wrong once the peers are connected, or before.
func (s *scenario) trouble() {
	k := s.r.IntN(2)
	victim := s.sides[k]
	after := time.Duration(s.r.IntN(1000)) * time.Millisecond
	length := time.Duration(1+s.r.IntN(30)) * time.Second
	switch s.r.IntN(8) {
	case 0:
		s.note("%s is cut off for %v, %v after connecting", victim.host.Name(), length, after)
		s.After(after, func() { victim.host.Outage(s.Elapsed(), length) })
	case 1:
		s.note("the helper restarts %v after connecting", after)
		s.After(after, s.startHelper)
	case 2:
		s.note("%s stops for %v, %v after connecting", victim.host.Name(), length, after)
		s.After(after, func() {
			victim.host.Pause(true)
			s.After(length, func() { victim.host.Pause(false) })
		})
	case 3:
		if victim.router == nil || s.sides[0].router == s.sides[1].router {
			return
		}
		s.note("%s gets a new public address %v after connecting", victim.host.Name(), after)
		s.After(after, func() { victim.router.Renumber() })
	case 4:
		s.note("%s changes its own address %v after connecting", victim.host.Name(), after)
		s.After(after, func() { victim.host.SetAddrs() })
	}
}

// runSeed returns in a word how the seed ended, and an error if it should have
// ended otherwise.
func runSeed(t testing.TB, seed uint64) (string, error) {
	s := newScenario(t, seed)
	defer os.RemoveAll(s.dir)
	helperRestart := s.r.IntN(8) == 0
	path := s.file("data.bin", s.size)
	dir := s.folder("to")
	sender := s.send(s.sides[0].host, "", path)
	code := ""
	s.Run(15*time.Second, func() bool {
		for _, e := range sender.events {
			if c, ok := e.(Code); ok {
				code = c.Code
			}
		}
		return code != ""
	})
	if code == "" {
		return "no helper", fmt.Errorf("no code in 15 s\n%s", strings.Join(s.text, "\n"))
	}
	if helperRestart {
		s.note("the helper restarts while the sender waits")
		s.After(s.late/2, s.startHelper)
	}
	s.Run(s.late, nil)
	receiver := s.receive(s.sides[1].host, code, dir)
	troubled := false
	done := s.Run(30*time.Minute, func() bool {
		if !troubled && sender.Conn() != nil && receiver.Conn() != nil {
			troubled = true
			s.trouble()
		}
		return sender.Done() && receiver.Done()
	})
	fail := func(format string, args ...any) error {
		return fmt.Errorf("%s\n%s\n%v\n%v", fmt.Sprintf(format, args...), strings.Join(s.text, "\n"), sender.events, receiver.events)
	}
	if !done {
		return "hangs", fail("not done after %v: sender %v %v, receiver %v %v", s.Elapsed(), sender.Done(), sender.err(), receiver.Done(), receiver.err())
	}
	errs := []error{sender.err(), receiver.err()}
	if !s.possible() && errors.Join(errs...) != nil { // now and then a port is guessed
		for _, err := range errs {
			if KindOf(err) != KindNoPath {
				return "wrong error", fail("no path is possible, and it ended with %v", errs)
			}
		}
		return "no path", nil
	}
	if err := errors.Join(errs...); err != nil {
		return "failed", fail("%v", errs)
	}
	if err := same(path, dir); err != nil {
		return "damaged", fail("%v", err)
	}
	return "arrived", nil
}
