package transfer

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"qft/internal/digest"
	"qft/internal/manifest"
	"qft/internal/walk"
)

// taker is a receiver as the tests of the sender want it: it keeps what it gets
// in memory, believes nothing, and says what it is told to. There is no network
// and no clock; a seed decides what is lost, and when works end. The sender's
// Step is called only when something arrived for it, a work of it ended or its
// Deadline has come, so that a wake-up that is missing shows as a standstill.
type taker struct {
	t    *testing.T
	rng  *rand.Rand
	now  time.Time
	exec takerWorks
	s    *Sender
	each func() // after every round, if not nil

	toTaker, toSender takerPipe
	fresh, lost       []takerRange
	flight            []takerPacket
	queued            []takerRange // all that SendBulk was told
	piece, batch      int          // bytes of a packet, packets of a round
	loss              float64
	spoil             func(block int64, at int64, p []byte) // may change bytes that arrive
	hold              func(block int64, at int64) bool      // makes a packet vanish

	zstd    bool
	silent  bool                          // it tells no SAFE
	judging func(e *takerEntry) verdict   // nil: it wants all
	deaf    bool                          // it does not judge
	heard   map[byte]int                  // messages, by type
	offer   offer                         // as it came
	counts  []count                       // OFFER's and COUNT's
	entries []*takerEntry                 // all, by number
	order   manifest.Order                // of these
	told    int                           // verdicts
	blocks  map[int64]*takerBlock         // open ones
	again   map[string]extent             // those that were asked for again
	settled map[int64]bool                // blocks
	low     int64                         // all blocks below are settled
	last    int64                         // number of the next BLOCK
	safe    int64                         // bytes
	said    [2]int64                      // SAFE as it was told
	end     *ending                       // the sender's
	zipped  int                           // blocks that came compressed
	streams []byte                        // what a stream brought
	early   map[int64]*takerBlock         // blocks of it that came before their turn
	failed  map[string]string             // why, by path
	most    struct{ live, unsettled int } // at any time
}

// takerEntry is an entry and what the taker has of it.
type takerEntry struct {
	manifest.Entry
	n       int64
	raw     []byte
	path    string
	verdict verdict
	have    map[int64]digest.Sum // slabs
	claim   digest.Sum
	content []byte
	sums    []digest.Sum // of slabs, or of the small file
	known   []bool
	hole    map[int64]bool
	next    int64 // slab that may come next
	done    bool
	fate    string // "equal", "differs", "failed"
}

type takerBlock struct {
	ann *announcement
	got map[int64]int64 // ranges, by their start
	buf []byte
}

type takerRange struct{ off, n int64 }

type takerPacket struct {
	off  int64
	data []byte
}

func newTaker(t *testing.T, seed uint64) *taker {
	return &taker{
		t: t, rng: rand.New(rand.NewPCG(seed, 2)), now: time.Unix(1e9, 0), exec: atOnce{},
		piece: 1400, batch: 500, zstd: true,
		heard: make(map[byte]int), blocks: make(map[int64]*takerBlock), again: make(map[string]extent),
		settled: make(map[int64]bool), early: make(map[int64]*takerBlock), failed: make(map[string]string),
	}
}

// mode chooses how works run.
func (k *taker) mode(name string) {
	switch name {
	case "later":
		k.exec = &later{rng: k.rng}
	case "beside":
		k.exec = newBeside(k.t)
	}
}

// serve makes a sender and starts it.
func (k *taker) serve(cfg SenderConfig) {
	k.t.Helper()
	cfg.Go = func(work, done func()) { k.exec.run(work, done) }
	if cfg.Memory == 0 {
		cfg.Memory = leastMemory
	}
	s, err := NewSender(cfg)
	if err != nil {
		k.t.Fatal(err)
	}
	k.s = s
	s.Start(takerConn{k})
	s.Step(k.now)
}

// files is a configuration that sends paths.
func files(paths ...string) SenderConfig {
	return SenderConfig{Walk: walk.Config{Paths: paths}}
}

// round lets a little happen, and reports whether anything could.
func (k *taker) round() bool {
	k.now = k.now.Add(time.Millisecond)
	worked := k.exec.round()
	moved := k.deliver()
	carried := k.carry()
	if worked || moved || carried || k.isDue() {
		k.s.Step(k.now)
	}
	if k.isDue() {
		k.t.Fatalf("Step has just been called and wants to be called at once again, in phase %d", k.s.phase)
	}
	k.check()
	if k.each != nil {
		k.each()
	}
	if worked || moved || carried {
		return true
	}
	if k.exec.wait() {
		k.s.Step(k.now)
		return true
	}
	if at := k.s.Deadline(); !at.IsZero() {
		k.now = at
		return true
	}
	return len(k.toTaker.sent)+len(k.toSender.sent) > 0
}

func (k *taker) isDue() bool {
	at := k.s.Deadline()
	return !at.IsZero() && !k.now.Before(at)
}

// check looks for too much memory.
func (k *taker) check() {
	c := &k.s.cache
	for _, p := range []*pool{&c.blocks, &c.pieces} {
		if p.used < 0 || p.used > p.limit || p.used+len(p.idle) > p.limit {
			k.t.Fatalf("%d buffers of %d bytes taken and %d idle, of %d allowed", p.used, p.size, len(p.idle), p.limit)
		}
	}
	k.most.live = max(k.most.live, k.s.tree.list.len())
	k.most.unsettled = max(k.most.unsettled, k.s.blocks.list.len())
	if k.most.live > window || k.most.unsettled > maxUnsettled || len(k.s.files.list) > maxHandles+maxReads+maxLoads {
		k.t.Fatalf("%d entries, %d blocks, %d files", k.most.live, k.most.unsettled, len(k.s.files.list))
	}
}

// deliver moves some bytes of the control streams, and takes messages.
func (k *taker) deliver() bool {
	moved := false
	for _, p := range []*takerPipe{&k.toTaker, &k.toSender} {
		if len(p.sent) == 0 {
			continue
		}
		n := 1 + k.rng.IntN(len(p.sent))
		p.arrived = append(p.arrived, p.sent[:n]...)
		p.sent = p.sent[n:]
		moved = true
	}
	for {
		typ, body, rest, err := nextFrame(k.toTaker.arrived)
		if err != nil {
			k.t.Fatal(err)
		}
		if rest == nil {
			break
		}
		k.toTaker.arrived = rest
		k.heard[typ]++
		if err := k.take(typ, bytes.Clone(body)); err != nil {
			k.t.Fatalf("message %#x: %v", typ, err)
		}
	}
	k.judge()
	k.tellSafe()
	return moved
}

// carry puts pieces into packets and lets packets arrive, or get lost.
func (k *taker) carry() bool {
	asked := false
	for range 1 + k.rng.IntN(k.batch) {
		list := &k.lost
		if len(*list) == 0 || k.rng.IntN(4) == 0 {
			list = &k.fresh
		}
		if len(*list) == 0 {
			break
		}
		asked = true
		r := &(*list)[0]
		p := takerPacket{r.off, make([]byte, min(int64(k.piece), r.n))}
		n, ok := k.s.ReadBulk(p.data, p.off)
		if !ok {
			first := *r
			*list = append((*list)[1:], first)
			break // the transport would try others; here the order turns
		}
		p.data = p.data[:n]
		if r.off, r.n = r.off+int64(n), r.n-int64(n); r.n == 0 {
			*list = (*list)[1:]
		}
		k.flight = append(k.flight, p)
	}
	some := len(k.flight) > 0
	for range len(k.flight)*3/4 + min(len(k.flight), 1) {
		i := 0
		if k.loss > 0 {
			i = k.rng.IntN(len(k.flight))
		}
		p := k.flight[i]
		k.flight = slices.Delete(k.flight, i, i+1)
		block, at := p.off>>blockShift, p.off&(blockSize-1)
		switch {
		case k.rng.Float64() < k.loss:
			k.lost = append(k.lost, takerRange{p.off, int64(len(p.data))})
		case k.hold != nil && k.hold(block, at):
		default:
			if k.spoil != nil {
				k.spoil(block, at, p.data)
			}
			k.arrives(block, at, p.data)
		}
	}
	return some || asked && len(k.flight) > 0
}

// run goes on until the sender is done and returns how it ended.
func (k *taker) run() error {
	k.t.Helper()
	idle := 0
	for range 300_000 {
		if done, err := k.s.Done(); done {
			k.s.Close()
			for k.exec.round() || k.exec.wait() {
			}
			if !k.s.released {
				k.t.Error("files are still open after Done and Close")
			}
			return err
		}
		if k.round() {
			idle = 0
		} else if idle++; idle > 20 {
			k.t.Fatalf("stands still in phase %d: %s", k.s.phase, k.state())
		}
	}
	k.t.Fatalf("goes on for ever in phase %d: %s", k.s.phase, k.state())
	return nil
}

func (k *taker) state() string {
	return fmt.Sprintf("%d entries, %d judged, %d blocks, %d settled, %d bytes safe, end %v", len(k.entries), k.told, k.last, k.low, k.safe, k.end)
}
