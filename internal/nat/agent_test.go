package nat

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"qft/internal/udp"
)

// rig is one agent, and a peer of which every packet is written by hand.
type rig struct {
	*Agent
	t        *testing.T
	peer     sealer
	sequence uint64
	gen      uint32 // generation that the peer's probes carry
	batch    *udp.Batch
}

func newRig(t *testing.T, controlling bool, change ...func(*Config)) *rig {
	source := rand.NewChaCha8([32]byte{})
	cfg := Config{Box: newBox(source), Controlling: controlling, Rand: source}
	for _, f := range change {
		f(&cfg)
	}
	return &rig{
		Agent: NewAgent(epoch, cfg), t: t, batch: udp.NewBatch(1 << 16),
		peer: sealer{box: cfg.Box, controlling: !controlling},
	}
}

// advance lets time pass and returns what the agent sent in it, opened.
func (r *rig) advance(d time.Duration) (list []sentProbe) {
	r.t.Helper()
	for end := r.now.Add(d); ; {
		r.batch.Reset()
		r.Send(r.now, r.batch)
		for p := range r.batch.All() {
			pr, ok := r.peer.open(p.Data)
			if !ok {
				r.t.Fatalf("sent what the peer cannot open")
			}
			list = append(list, sentProbe{pr, p.Remote, r.now})
		}
		if next := r.Deadline(); !next.IsZero() && !next.After(end) {
			r.now = next
			continue
		}
		r.now = end
		return list
	}
}

type sentProbe struct {
	probe
	to netip.AddrPort
	at time.Time
}

// ping and pong are what the peer sends; from is "10.0.0.1:1" and the like.
func (r *rig) ping(from string, flags byte) {
	r.inject(from, probe{kind: ping, full: true, flags: flags, txid: 1})
}

func (r *rig) pong(from string, to sentProbe, flags byte) {
	r.inject(from, probe{kind: pong, full: to.full, flags: flags, txid: to.txid})
}

func (r *rig) inject(from string, pr probe) {
	r.sequence++
	pr.sequence, pr.generation = r.sequence, r.gen
	r.Receive(r.now, udp.Packet{Path: udp.To(netip.MustParseAddrPort(from)), Data: r.peer.seal(&pr)})
}

// pingTo returns the first ping of the list to the address.
func (r *rig) pingTo(list []sentProbe, addr string) sentProbe {
	r.t.Helper()
	i := slices.IndexFunc(list, func(s sentProbe) bool { return s.kind == ping && s.to.String() == addr })
	if i < 0 {
		r.t.Fatalf("no ping to %s among %d probes", addr, len(list))
	}
	return list[i]
}

func (r *rig) add(addrs ...string) {
	for _, a := range addrs {
		r.AddRemote(r.now, listOf(Candidate{Reflexive, netip.MustParseAddrPort(a)}))
	}
}

func (r *rig) wantPath(addr string) {
	r.t.Helper()
	p, ok := r.Best()
	if got := p.Way.Remote.String(); ok != (addr != "") || ok && got != addr {
		r.t.Errorf("path %s (%v), want %q", got, ok, addr)
	}
}

func TestControllingSideUsesWhatItHasProven(t *testing.T) {
	const b = "198.51.100.1:9"
	r := newRig(t, true)
	r.add(b)
	first := r.pingTo(r.advance(0), b)
	r.advance(20 * time.Millisecond)
	r.ping(b, flagProven)
	r.wantPath("")
	t.Log("# a full answer to a full ping shows both directions")
	r.pong(b, first, 0)
	r.wantPath(b)
	nominating := r.pingTo(r.advance(10*time.Millisecond), b)
	if nominating.flags != flagProven|flagNominated {
		t.Errorf("flags %x after the choice", nominating.flags)
	}
}

func TestNominationHoldsOnceThePeerHasProvenThePath(t *testing.T) {
	const b = "198.51.100.1:9"
	r := newRig(t, true)
	r.add(b)
	r.pong(b, r.pingTo(r.advance(0), b), 0)
	r.wantPath(b)
	t.Log("# the peer answers the nomination, but cannot follow it yet")
	r.pong(b, r.pingTo(r.advance(20*time.Millisecond), b), 0)
	again := r.pingTo(r.advance(time.Second), b)
	t.Log("# now it can")
	r.pong(b, again, flagProven)
	for _, s := range r.advance(5 * time.Second) {
		t.Errorf("a ping to %v after the nomination was confirmed", s.to)
	}
	r.wantPath(b)
}

func TestControlledSideUsesWhatItHasProvenUntilANominationComes(t *testing.T) {
	const b, c = "198.51.100.1:9", "198.51.100.2:9"
	r := newRig(t, false)
	r.add(b, c)
	sent := r.advance(10 * time.Millisecond)
	r.pong(c, r.pingTo(sent, c), 0)
	r.wantPath(c)
	t.Log("# the peer may need more pings to prove it, too")
	r.pingTo(r.advance(time.Second), c)
	r.pong(b, r.pingTo(sent, b), 0)
	r.wantPath(c)
	r.ping(b, flagProven|flagNominated)
	r.wantPath(b)
}

func TestControlledSideFollowsTheLatestNomination(t *testing.T) {
	const b, c = "198.51.100.1:9", "198.51.100.2:9"
	r := newRig(t, false)
	r.add(b, c)
	sent := r.advance(10 * time.Millisecond)
	t.Log("# a nomination without own proof is none")
	r.ping(b, flagProven|flagNominated)
	r.wantPath("")
	r.pong(b, r.pingTo(sent, b), flagProven)
	r.wantPath(b)
	r.pong(c, r.pingTo(sent, c), flagProven)
	r.wantPath(b)
	r.ping(c, flagProven|flagNominated)
	r.wantPath(c)
	t.Log("# earlier nominations, overtaken on the way, do not win")
	base := r.sequence
	for _, n := range []struct {
		addr     string
		sequence uint64
		want     string
	}{{c, 10, c}, {b, 8, c}, {b, 20, b}, {b, 5, b}, {c, 15, b}, {c, 21, c}} {
		r.sequence = base + n.sequence
		r.ping(n.addr, flagNominated)
		r.wantPath(n.want)
	}
}

func TestNominationByTheControlledSideIsNone(t *testing.T) {
	const b, c = "198.51.100.1:9", "198.51.100.2:9"
	r := newRig(t, true)
	r.add(b, c)
	sent := r.advance(10 * time.Millisecond)
	r.pong(b, r.pingTo(sent, b), flagProven)
	r.advance(time.Second)
	r.wantPath(b)
	r.pong(c, r.pingTo(sent, c), flagProven)
	r.ping(c, flagProven|flagNominated)
	r.wantPath(b)
}

func TestSearchWithoutACommonFamilyEndsSoon(t *testing.T) {
	r := newRig(t, true, func(c *Config) {
		c.V4 = true
		c.Local = List{Candidates: []Candidate{{Host, netip.MustParseAddrPort("192.168.1.2:9")}}}
	})
	r.AddRemote(r.now, List{Candidates: []Candidate{
		{Host, netip.MustParseAddrPort("[2001:db8::2]:9")},
		{Host, netip.MustParseAddrPort("[fe80::2]:9")},
	}})
	r.advance(apartTime - time.Second)
	if f := r.Failed(r.now); f != nil {
		t.Fatalf("failed early: %v", f)
	}
	r.advance(time.Second)
	f := r.Failed(r.now)
	if f == nil {
		t.Fatal("the search goes on")
	}
	hints := f.Report.Hints()
	if len(hints) != 1 || !strings.Contains(hints[0], "this side has IPv4 only and the peer IPv6 only") {
		t.Errorf("hints %q", hints)
	}
	t.Log("# an address of the right kind turns up")
	r.add("198.51.100.1:9")
	if r.Failed(r.now) != nil {
		t.Error("there is something to search, and it has failed")
	}
}

func TestFlagsOfAnotherGenerationDoNotCount(t *testing.T) {
	const b = "198.51.100.1:9"
	r := newRig(t, true)
	r.add(b)
	r.Restart(r.now, List{}, List{})
	r.pong(b, r.pingTo(r.advance(20*time.Millisecond), b), flagProven) // generation 0
	r.ping(b, flagProven)
	r.wantPath(b)
	r.pong(b, r.pingTo(r.advance(20*time.Millisecond), b), 0)
	t.Log("# that the peer has proven it was said of other mappings")
	nominating := r.pingTo(r.advance(time.Second), b)
	r.gen = 1
	r.pong(b, nominating, flagProven)
	if n := len(r.advance(2 * time.Second)); n > 0 {
		t.Errorf("%d pings after the nomination was confirmed", n)
	}
}

func TestLaterGenerationIsJoined(t *testing.T) {
	const b = "198.51.100.1:9"
	r := newRig(t, false)
	r.add(b)
	r.ping(b, flagProven|flagNominated)
	r.pong(b, r.pingTo(r.advance(0), b), flagProven)
	r.wantPath(b)
	r.gen = 7
	r.ping(b, 0)
	r.wantPath("")
	sent := r.advance(time.Second)
	if got := r.pingTo(sent, b); got.generation != 7 || got.flags != 0 {
		t.Errorf("ping of generation %d with flags %x after the peer's restart", got.generation, got.flags)
	}
	r.gen = 6
	r.ping(b, flagNominated|flagProven)
	r.wantPath("")
}

func TestAnswerFromElsewhereProvesNothing(t *testing.T) {
	const b, other = "198.51.100.1:9", "198.51.100.1:10"
	r := newRig(t, false)
	r.add(b)
	first := r.pingTo(r.advance(20*time.Millisecond), b)
	r.pong(other, first, flagProven)
	for _, tried := range r.Report(r.now).Tried {
		if tried.Answered != 0 {
			t.Errorf("%v counts as answered", tried.Remote)
		}
	}
	if got := r.pingTo(r.advance(0), other); !got.full {
		t.Errorf("the other address got a small ping")
	}
	t.Log("# and the transaction is used up")
	r.pong(b, first, flagProven)
	r.ping(b, flagProven|flagNominated)
	r.wantPath("")
}

func TestHearingFromSomewhereBringsQuickChecks(t *testing.T) {
	const b = "198.51.100.1:9"
	r := newRig(t, true)
	r.add(b)
	r.advance(20*time.Second + 40*time.Millisecond)
	r.ping(b, 0)
	sent := r.advance(140 * time.Millisecond)
	if len(sent) < 4 || sent[0].kind != pong || sent[0].to.String() != b {
		t.Fatalf("%d probes in answer, want a pong and three pings", len(sent))
	}
	for i, want := range []time.Duration{0, 0, 50, 100} {
		if got := sent[i].at.Sub(sent[0].at); got > want*time.Millisecond {
			t.Errorf("probe %d after %v, want %v", i, got, want*time.Millisecond)
		}
	}
}

func TestPongTellsTheAddressSeen(t *testing.T) {
	r := newRig(t, true)
	for _, from := range []string{"198.51.100.1:9", "[2001:db8::1]:9"} {
		r.ping(from, 0)
		got := r.advance(0)[0]
		if got.kind != pong || got.txid != 1 || got.observed.String() != from || !got.full {
			t.Errorf("answer %+v to a ping from %s", got, from)
		}
	}
	r.ping("[::ffff:198.51.100.1]:9", 0)
	if got := r.advance(0)[0]; got.to.String() != "198.51.100.1:9" {
		t.Errorf("a mapped source was answered at %v", got.to)
	}
}

func TestSkippedAddressThatSpeaksIsProbed(t *testing.T) {
	const b = "[2001:db8::1]:9"
	r := newRig(t, true, func(c *Config) { c.V4 = true })
	r.add(b)
	if sent := r.advance(time.Second); len(sent) != 0 {
		t.Errorf("%d probes to a family without a socket", len(sent))
	}
	if got := r.Report(r.now).Tried[0].Verdict(); got != "not tried: this side has no IPv6" {
		t.Errorf("verdict %q", got)
	}
	r.ping(b, 0)
	r.pingTo(r.advance(time.Second), b)
}

func TestTimeoutWakesWithNothingToProbe(t *testing.T) {
	r := newRig(t, true, func(c *Config) { c.V4, c.Timeout = true, 3*time.Second })
	r.advance(time.Second)
	r.add("[2001:db8::1]:9")
	if d := r.Deadline().Sub(epoch); d != 4*time.Second {
		t.Errorf("deadline after %v, want 4s", d)
	}
	r.advance(8 * time.Second)
	if d := r.Deadline(); !d.IsZero() || r.Failed(r.now) == nil {
		t.Errorf("deadline %v after the timeout, failure %v", d, r.Failed(r.now))
	}
}

// What comes in decides the next ping: it is full, and it is sent at once if
// the latest one is urgeGap old.
func TestEveryStepAsksForTheNext(t *testing.T) {
	const b = "198.51.100.1:9"
	r := newRig(t, false)
	r.add(b)
	sent := r.advance(160 * time.Millisecond)
	small := sent[len(sent)-1]
	r.ping(b, 0)
	r.advance(160 * time.Millisecond) // in turn: full, full, and small in 40 ms
	r.ping(b, 0)
	if got := r.pingTo(r.advance(0), b); !got.full {
		t.Errorf("a ping was answered with a small one")
	}
	if small.full || len(sent) != 3 {
		t.Fatalf("%d probes, the last full: %v", len(sent), small.full)
	}
	r.advance(urgeGap)
	r.pong(b, small, 0)
	next := r.pingTo(r.advance(0), b)
	if !next.full || next.flags != 0 {
		t.Errorf("after a small pong: full %v, flags %x", next.full, next.flags)
	}
	r.advance(30 * time.Millisecond)
	r.pong(b, next, 0)
	if got := r.pingTo(r.advance(0), b); !got.full || got.flags != flagProven {
		t.Errorf("after a full pong: full %v, flags %x", got.full, got.flags)
	}
	if got := r.Report(r.now).Tried[0]; got.Answered != 2 || got.AnsweredFull != 1 {
		t.Errorf("counted %d answers, %d full ones", got.Answered, got.AnsweredFull)
	}
	r.ping(b, flagProven|flagNominated)
	if p, ok := r.Best(); !ok || p.RTT != 30*time.Millisecond {
		t.Errorf("RTT %v, want the lowest", p.RTT)
	}
}

func TestGivenUpNominationDoesNotPutTheTimeoutOff(t *testing.T) {
	const b = "198.51.100.1:9"
	r := newRig(t, true)
	r.add(b)
	r.pong(b, r.pingTo(r.advance(10*time.Millisecond), b), flagProven)
	r.wantPath(b)
	sent := r.advance(confirmTime)
	r.wantPath("")
	n := 0
	for _, s := range sent {
		if s.flags&flagNominated != 0 {
			n++
		}
	}
	if n != 8 {
		t.Errorf("nominated %d times, want 8", n)
	}
	if got := r.pingTo(r.advance(time.Second), b); got.generation != 1 {
		t.Errorf("the search goes on in generation %d", got.generation)
	}
	if r.Failed(epoch.Add(30*time.Second)) == nil {
		t.Error("no failure 30 s after the first address was known")
	}
}

func TestSettledSideProbesBetterClassesOnly(t *testing.T) {
	const worse, chosen, better = "198.51.100.1:9", "[2001:db8::1]:9", "192.168.1.9:9"
	r := newRig(t, false)
	r.add(worse, chosen, better)
	sent := r.advance(20 * time.Millisecond)
	r.pong(chosen, r.pingTo(sent, chosen), flagProven)
	r.ping(chosen, flagProven|flagNominated)
	r.wantPath(chosen)
	count := make(map[string]int)
	for _, s := range r.advance(10 * time.Second) {
		if s.kind == ping {
			count[s.to.String()]++
		}
	}
	if count[worse] != 0 || count[better] < 4 || count[better] > 8 {
		t.Errorf("pings after settling: %v", count)
	}
}

func TestRestartForgetsUnansweredLearnedAddresses(t *testing.T) {
	const named, answered = "198.51.100.1:9", "198.51.100.1:10"
	r := newRig(t, true)
	r.add(named)
	for i := range 5 {
		r.ping(fmt.Sprintf("198.18.0.%d:1", i+1), 0)
	}
	r.ping(answered, 0)
	r.pong(answered, r.pingTo(r.advance(50*time.Millisecond), answered), 0)
	r.Restart(r.now, List{}, List{})
	var left []string
	for _, tried := range r.Report(r.now).Tried {
		left = append(left, tried.Remote.Addr.String())
	}
	if want := []string{named, answered}; !slices.Equal(left, want) {
		t.Errorf("left after a restart: %v, want %v", left, want)
	}
}

func TestRestartTriesTheOldPathFirst(t *testing.T) {
	const b, old = "198.51.100.1:9", "[2001:db8::1]:9"
	r := newRig(t, true)
	r.add(b, old)
	r.pong(old, r.pingTo(r.advance(10*time.Millisecond), old), flagProven)
	r.wantPath(old)
	r.advance(5 * time.Second)
	t.Log("# twice without contact, with other addresses of the peer")
	for range 2 {
		r.Restart(r.now, List{Candidates: []Candidate{{Reflexive, netip.MustParseAddrPort("203.0.113.9:9")}}}, List{})
		if sent := r.advance(10 * time.Millisecond); sent[0].to.String() != old {
			t.Errorf("first ping to %v, want the old path", sent[0].to)
		}
	}
	for _, tried := range r.Report(r.now).Tried {
		if tried.Remote.Addr.String() == b {
			t.Errorf("%s was replaced, and is still tried", b)
		}
	}
}

func TestRepliesWaitWithinBounds(t *testing.T) {
	r := newRig(t, true)
	for range 200 {
		r.inject("198.51.100.1:9", probe{kind: ping, txid: 1}) // small, so that bytes do not bound them
	}
	if n := len(r.advance(0)); n > maxReplies+1 {
		t.Errorf("%d probes for 200 pings at once", n)
	}
}

func TestLearnedAddressesDoNotCrowdOutNamedOnes(t *testing.T) {
	r := newRig(t, true)
	for i := range 2 * maxCandidates {
		r.ping(fmt.Sprintf("198.18.0.%d:1", i+1), 0)
	}
	for i := range 2 * maxCandidates {
		r.add(fmt.Sprintf("198.18.0.%d:1", 2*maxCandidates-i), fmt.Sprintf("198.19.0.%d:1", i+1))
		if n := r.named(); n > maxCandidates || len(r.pairs) > 2*maxCandidates {
			t.Fatalf("%d pairs, %d of them named", len(r.pairs), n)
		}
	}
	if n := r.named(); n != maxCandidates {
		t.Errorf("%d named addresses, want %d", n, maxCandidates)
	}
}

func TestObservedAddressCountsOnlyFromOutside(t *testing.T) {
	const far, near = "198.51.100.1:9", "192.168.1.9:9"
	host := Candidate{Host, netip.MustParseAddrPort("192.168.1.2:40")}
	r := newRig(t, true, func(c *Config) { c.Local = listOf(host) })
	r.add(far, near)
	answer := func(from, observed string) Network {
		r.ping(from, 0)
		s := r.pingTo(r.advance(100*time.Millisecond), from)
		r.inject(from, probe{kind: pong, full: true, txid: s.txid, observed: netip.MustParseAddrPort(observed)})
		return r.Report(r.now).Own.V4
	}
	if got := answer(near, "203.0.113.1:7"); got.Look != Unknown {
		t.Errorf("a neighbour's word made it %q", got.Look)
	}
	if got := answer(far, "192.168.1.2:40"); got.Look != Unknown {
		t.Errorf("a private address seen made it %q", got.Look)
	}
	if got := answer(far, "203.0.113.1:40"); got.Look != KeepsPort {
		t.Errorf("one mapping seen made it %q", got.Look)
	}
	t.Log("# the NAT rebinds, and the helper tells")
	r.SetLocal(r.now, listOf(host, Candidate{Reflexive, netip.MustParseAddrPort("203.0.113.1:50")}))
	if got := r.Report(r.now).Own.V4; got.Look != ChangesPort || len(got.Outside) != 1 {
		t.Errorf("after the rebind: %q by %v", got.Look, got.Outside)
	}
	answer(far, "203.0.113.1:51")
	r.Restart(r.now, List{}, List{})
	if got := r.Report(r.now).Own.V4; len(got.Outside) != 1 {
		t.Errorf("after a restart what the peer saw before still counts: %v", got.Outside)
	}
}

func TestConfigDefaults(t *testing.T) {
	a := NewAgent(epoch, Config{Box: newBox(rand.NewChaCha8([32]byte{}))})
	a.AddRemote(epoch, List{Candidates: cands(t, "host 10.0.0.1:1, host [fd00::1]:1")})
	b := udp.NewBatch(1 << 16)
	for _, after := range []time.Duration{0, 10 * time.Millisecond} {
		a.Send(epoch.Add(after), b)
	}
	if b.Len() != 2 {
		t.Errorf("%d pings to two families", b.Len())
	}
	if a.Failed(epoch.Add(30*time.Second-1)) != nil || a.Failed(epoch.Add(30*time.Second)) == nil {
		t.Error("the default timeout is not 30 s")
	}
}
