package e2e

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// figure is what /metrics of a helper on this machine says.
func (l *loaded) figure(name string) int {
	l.t.Helper()
	r, err := http.Get("http://" + l.metrics + "/metrics")
	if err != nil {
		l.t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^qft_helper_` + name + ` (\S+)$`).FindSubmatch(text)
	if m == nil {
		l.t.Fatalf("/metrics has no %s", name)
	}
	v, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		l.t.Fatal(err)
	}
	return int(v)
}

// resident is the helper's memory, in MiB.
func (l *loaded) resident() int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", l.cmd.Process.Pid))
	if err != nil {
		l.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	var kib int
	fmt.Sscan(rest, &kib)
	return kib >> 10
}

// TestBenchHelperMillion: a million rooms in which somebody waits, and what it
// takes to keep them: each says every 10 s that it is there.
func TestBenchHelperMillion(t *testing.T) {
	needLoad(t)
	const n = 1_000_000
	h := startLoaded(t, "--members", strconv.Itoa(n+1000), "--joins", "200000")
	c := newCrowd(t, h.addr, n)
	began := time.Now()
	c.enter(3 * time.Minute)
	t.Logf("%v came within %v", c, time.Since(began).Round(time.Millisecond))
	if rooms := h.figure("rooms"); rooms != n {
		t.Errorf("%d rooms, want %d", rooms, n)
	}
	t.Logf("%d MiB resident when all are there, %d bytes a room", h.resident(), h.resident()<<20/n)
	before := h.cpu()
	took, lost := c.stroll(30*time.Second, n/10)
	t.Logf("30 s of keep-alives, each member every 10 s: %d of %d lost, median %v, p99 %v, longest %v; %.2f of a core", lost, len(took)+lost,
		quantile(took, 0.5), quantile(took, 0.99), quantile(took, 1), (h.cpu()-before).Seconds()/31)
	if rooms := h.figure("rooms"); rooms != n {
		t.Errorf("%d rooms afterwards, want %d", rooms, n)
	}
	if m := h.resident(); m > 500 {
		t.Errorf("%d MiB resident, more than 500", m)
	}
	t.Logf("%d MiB resident afterwards", h.resident())
}

// flood is packets of every kind that a helper should not mind, from addresses
// that their senders do not have.
type flood struct {
	*wire
	rng     *rand.Rand
	packets [][]byte

	sent, sentBytes int
	got, gotBytes   int
	larger          map[string]int // answers that are larger than what was asked, by kind
	stun, stunBytes int            // answers to STUN, which its standard makes larger
}

const (
	floodNet  = 127<<24 | 64<<16 // 127.64.0.0/10
	floodMask = 1<<22 - 1
)

func newFlood(t *testing.T, h *loaded) *flood {
	f := &flood{wire: newWire(t, h.addr), rng: rand.New(rand.NewPCG(1, 2)), larger: make(map[string]int)}
	for range 4096 {
		f.packets = append(f.packets, f.packet())
	}
	return f
}

func (f *flood) noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(f.rng.Uint32())
	}
	return b
}

// request is well-formed, of that type and size; its token says the size, so
// that an answer shows to how large a request it is one.
func (f *flood) request(typ byte, size int) []byte {
	b := []byte{0x51, typ, 1}
	b = binary.BigEndian.AppendUint64(b, uint64(size))
	if typ == 1 {
		return end(append(b, make([]byte, size-15)...))
	}
	return end(append(b, f.noise(size-15)...)) // wherever a cookie should be
}

func (f *flood) packet() []byte {
	switch f.rng.IntN(10) {
	case 0, 1:
		return f.noise(f.rng.IntN(1400))
	case 2: // almost
		b := f.request(2, 85)
		b[f.rng.IntN(len(b))] ^= 1 << f.rng.IntN(8)
		return b[:len(b)-f.rng.IntN(2)]
	case 3, 4:
		return f.request(1, 64)
	case 5:
		b := f.request(2, 85)
		return end(append(append(b[:31:31], 1, 1), b[33:81]...)) // a sender, in a numbered room
	case 6:
		return f.request(4, 67)
	case 7:
		return f.request(5, 51)
	case 8: // of another version
		b := f.request(1, 64)
		b[2] = 2
		return end(b[:60])
	}
	b := append([]byte{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}, f.noise(12)...) // STUN
	return b
}

// burst sends 64 packets.
func (f *flood) burst() {
	for range wireBurst {
		p := f.packets[f.rng.IntN(len(f.packets))]
		from := floodNet | f.rng.Uint32()&floodMask
		if f.rng.IntN(8) == 0 { // of those who wait, some more than they may send
			from = crowdNet + f.rng.Uint32N(10)
		}
		f.sentBytes += f.post(from, func(b []byte) []byte { return append(b, p...) })
		f.sent++
	}
	f.flush()
	for f.receive(f.judge) {
	}
}

// judge looks at what came back.
func (f *flood) judge(_ uint32, b []byte) {
	f.got++
	f.gotBytes += len(b)
	switch {
	case len(b) >= 20 && b[0] == 1:
		f.stun++
		f.stunBytes += len(b)
	case len(b) < 11 || b[0] != 0x51:
		f.larger["of no kind"]++
	default:
		if asked := binary.BigEndian.Uint64(b[3:]); uint64(len(b)) > asked {
			f.larger[fmt.Sprintf("type %#x", b[1])]++
		}
	}
}

// TestBenchHelperFlood: a minute of garbage and forged addresses, as fast as a
// core can send it, while a thousand people wait and others come.
func TestBenchHelperFlood(t *testing.T) {
	needLoad(t)
	h := startLoaded(t, "--joins", "100000")
	waiting := newCrowd(t, h.addr, 1000)
	waiting.enter(time.Minute)
	late := newCrowd(t, h.addr, 50)
	f := newFlood(t, h)
	f.burst() // tables are there before the first look
	rss, garbage := h.resident(), h.figure("garbage_total")

	const d = 60 * time.Second
	keeper := newKeeper(waiting)
	var came []time.Duration
	comes := 0
	cpu := h.cpu()
	for start := f.clock(); f.clock()-start < d; {
		f.burst()
		keeper.turn()
		if due := int((f.clock()-start)/time.Second) - 5; comes < due && comes < len(late.clients) {
			comes = due
		}
		came = late.arrive(comes, came)
	}
	used := h.cpu() - cpu
	late.rest()
	keeper.turn()
	waiting.rest()

	t.Logf("%d packets in %v, %.0f/s, %d MB; %d answers, %d MB; %.0f packets per second of the helper's CPU", f.sent, d,
		float64(f.sent)/d.Seconds(), f.sentBytes/1e6, f.got, f.gotBytes/1e6, float64(h.figure("udp_received_packets_total"))/used.Seconds())
	t.Logf("of them, seen as garbage %d, of sources over their rate %d, cookies that do not hold %d; STUN: %d answers of %d bytes each, to 20",
		h.figure("garbage_total")-garbage, h.figure("limited_total"), h.figure("stale_cookies_total"), f.stun, f.stunBytes/max(f.stun, 1))
	t.Logf("keep-alives of those who wait: %d sent, %d answered; longest silence of one %v", keeper.sent, keeper.answered, keeper.silence().Round(time.Millisecond))
	slices.Sort(came)
	t.Logf("%d of %d newcomers were let in, median %v, longest %v", len(came), len(late.clients), quantile(came, 0.5), quantile(came, 1))
	t.Logf("%d MiB resident before, %d after", rss, h.resident())

	if len(f.larger) > 0 {
		t.Errorf("answers larger than their requests: %v", f.larger)
	}
	if m, want := h.figure("members"), len(waiting.clients)+len(came); m != want {
		t.Errorf("%d members, want %d", m, want)
	}
	if n := h.figure("members_expired_total"); n > 0 {
		t.Errorf("%d members were forgotten", n)
	}
	if grown := h.resident() - rss; grown > 16 {
		t.Errorf("%d MiB more than before", grown)
	}
	if len(came) < len(late.clients) {
		t.Errorf("%d of %d newcomers were let in", len(came), len(late.clients))
	}
}

func (f *flood) clock() time.Duration { return time.Duration(time.Now().UnixNano()) }

// keeper keeps a crowd in its rooms, as clients do: each asks every 10 s, and
// again after 0.5, 1, 2, 2, … s if there is no answer.
type keeper struct {
	*crowd
	heard    []time.Duration
	next     []time.Duration
	tries    []int
	sent     int
	answered int
	longest  time.Duration
}

func newKeeper(c *crowd) *keeper {
	k := &keeper{crowd: c, heard: make([]time.Duration, len(c.clients)), next: make([]time.Duration, len(c.clients)), tries: make([]int, len(c.clients))}
	now := c.now()
	for i := range k.next {
		k.heard[i] = now
		k.next[i] = now + 10*time.Second*time.Duration(i)/time.Duration(len(k.next))
	}
	c.answered = func(i int) {
		now := c.now()
		k.longest = max(k.longest, now-k.heard[i])
		k.heard[i], k.next[i], k.tries[i] = now, now+10*time.Second, 0
		k.answered++
	}
	return k
}

// turn does what is due.
func (k *keeper) turn() {
	for k.listen() {
	}
	now := k.now()
	for i, due := range k.next {
		if now >= due {
			k.join(uint32(i))
			k.sent++
			k.next[i] = now + min(500*time.Millisecond<<k.tries[i], 2*time.Second)
			k.tries[i] = min(k.tries[i]+1, 4)
		}
	}
	k.flush()
}

// silence is the longest time that a client went without an answer.
func (k *keeper) silence() time.Duration {
	longest := k.longest
	for _, h := range k.heard {
		longest = max(longest, k.now()-h)
	}
	return longest
}

// arrive has the first n clients come, each asking again every half second, and
// appends how long those took who were let in since the last call.
func (c *crowd) arrive(n int, took []time.Duration) []time.Duration {
	for c.listen() {
	}
	now := c.now()
	for i := range c.clients[:n] {
		m := &c.clients[i]
		switch {
		case m.counted:
		case m.joined:
			m.counted = true
			took = append(took, now-m.came)
		case m.came == 0:
			m.came = now
			c.hello(uint32(i))
		case now-m.sent < 500*time.Millisecond:
		case m.knocked:
			c.join(uint32(i))
		default:
			c.hello(uint32(i))
		}
	}
	c.flush()
	return took
}
