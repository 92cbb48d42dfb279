package lab

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"math/bits"
	"net/netip"
	"time"

	"qft/internal/udp"
)

// Machine is a part of a protocol: handed the time and the packets, with no
// clock, socket or goroutine inside.
type Machine interface {
	Receive(now time.Time, p udp.Packet) // p is valid during the call only
	Send(now time.Time, b *udp.Batch)    // append what should leave now
	Deadline() time.Time                 // call Send again then; zero: only when something happens
}

// World is an internet and its time. It is not safe for concurrent use.
type World struct {
	seed  uint64
	start time.Time
	now   int64 // ns since start
	wall  time.Time
	heap  heap
	seq   uint64
	still int // events since the clock last moved

	awake []*socket // to be polled before the clock moves on, in this order
	batch *udp.Batch
	hosts []*Host
	core  *Router
	pool  *packet

	streams [streamKinds]int // random streams handed out so far

	crc    *crc32.Table
	trace  uint64
	counts [fates]uint64
	taps   []func(Sighting)
}

// batchSize holds the largest datagram (udp.MaxPayload), and some forty full
// packets, as real batches do.
const batchSize = 1 << 16

// stuck is how many events may happen at one instant before the world is
// declared stuck in it: far more than the largest window sent in one burst.
const stuck = 1 << 24

// New returns an empty world whose every random decision follows from seed.
func New(seed uint64) *World {
	w := &World{
		seed:  seed,
		start: time.Date(2030, time.January, 1, 0, 0, 0, 0, time.UTC),
		batch: udp.NewBatch(batchSize),
		crc:   crc32.MakeTable(crc32.Castagnoli),
	}
	w.wall = w.start
	w.core = newCore(w)
	return w
}

// Now is the time on the world's clock, which is UTC and begins in 2030.
// Machines are handed their host's clock, which may be set differently.
func (w *World) Now() time.Time { return w.wall }

// Elapsed is the time since the world began.
func (w *World) Elapsed() time.Duration { return time.Duration(w.now) }

// At has f called d after the world began, or at once if that is over.
func (w *World) At(d time.Duration, f func()) {
	c := &call{w: w, f: f}
	c.who = c
	w.heap.set(&c.timer, max(int64(d), w.now), w.tick())
}

// After has f called d from now.
func (w *World) After(d time.Duration, f func()) { w.At(w.Elapsed()+d, f) }

// call is an appointment made with At.
type call struct {
	timer
	w *World
	f func()
}

func (c *call) due() {
	c.w.heap.remove(&c.timer)
	c.f()
}

// Run lets time pass until the function says so, which it is asked before the
// first event and after each one, and reports whether it did. It gives up
// when limit has passed. A nil function never says so.
func (w *World) Run(limit time.Duration, until func() bool) bool {
	end := w.now + int64(limit)
	if end < w.now {
		end = math.MaxInt64
	}
	for {
		if until != nil && until() {
			return true
		}
		if !w.step(end) {
			break
		}
	}
	w.advance(end)
	return until != nil && until()
}

// step lets one thing happen, and reports whether there was one until end.
// Machines are polled only after everything else at this instant, so that
// packets that arrive together are received together.
func (w *World) step(end int64) bool {
	if w.still++; w.still > stuck {
		panic(fmt.Sprintf("lab: time stands still at %v: packets go round without delay", w.Elapsed()))
	}
	switch {
	case len(w.heap) > 0 && w.heap[0].at <= w.now:
		w.heap[0].t.who.due()
	case len(w.awake) > 0:
		s := w.awake[0]
		// Few are awake at a time: moving the rest is cheaper than a ring.
		w.awake = append(w.awake[:0], w.awake[1:]...)
		s.poll()
	case len(w.heap) > 0 && w.heap[0].at <= end:
		w.advance(w.heap[0].at)
		w.heap[0].t.who.due()
	default:
		return false
	}
	return true
}

func (w *World) advance(to int64) {
	w.now, w.still = to, 0
	w.wall = w.start.Add(time.Duration(to))
}

// tick returns a number that orders events of one instant.
func (w *World) tick() uint64 {
	w.seq++
	return w.seq
}

// Poke has every machine asked again what it wants to send and when: for
// tests that changed their state from outside. See Host.Wake for one.
func (w *World) Poke() {
	for _, h := range w.hosts {
		for _, s := range h.sockets {
			s.wake()
		}
	}
}

// Trace is a running hash of every packet handed to a machine: when, from and
// to where, and its bytes. Two runs with equal traces were the same run.
func (w *World) Trace() uint64 { return w.trace }

func (w *World) record(k *packet) {
	ends := uint64(k.from.Port())<<48 | uint64(k.to.Port())<<32 | uint64(crc32.Update(0, w.crc, k.data))
	h := fold(w.trace^uint64(w.now), ends)
	w.trace = foldAddr(foldAddr(h, k.from.Addr()), k.to.Addr())
}

func foldAddr(h uint64, a netip.Addr) uint64 {
	b := a.As16()
	return fold(h^binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:]))
}

// fold mixes by adding up the halves of a product: each bit of it depends on
// many bits of both.
func fold(x, y uint64) uint64 {
	hi, lo := bits.Mul64(x^0x9e3779b97f4a7c15, y^0xd6e8feb86659fd93)
	return hi ^ lo
}
