package transfer

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"qft/internal/digest"
	"qft/internal/manifest"
	"qft/internal/plant"
)

// lieLater is lie with works that end when the test lets them.
func lieLater(t *testing.T, rc ReceiverConfig, rng *rand.Rand) (*liar, *delayed) {
	t.Helper()
	d := &delayed{rng: rng}
	rc.Go = d.run
	return lie(t, rc), d
}

// rest lets all works end.
func (d *delayed) rest(l *liar) {
	for d.round() {
		l.step()
	}
}

// TestFailureBehindTheLastByte: all of a file is here and it is being finished,
// when a liar says that it cannot be sent.
func TestFailureBehindTheLastByte(t *testing.T) {
	for seed := range seeds(20) {
		l, d := lieLater(t, ReceiverConfig{}, rand.New(rand.NewPCG(seed, 1)))
		l.offer("a")
		d.rest(l)
		l.entries(file("a", 2*blockSize))
		d.rest(l)
		b := content(1, 2*blockSize)
		for i := range int64(2) {
			l.announce(slab(i, 0, i, b[i*blockSize:][:blockSize]))
			l.r.WriteBulk(b[i*blockSize:][:blockSize], i<<blockShift)
		}
		for it := l.r.line.items[0]; it.set != nil && !it.set.Complete(); {
			d.round()
			l.step()
		}
		l.say(msgFailed, appendFailed(nil, failing{0, reason{Changed, ""}}))
		d.rest(l)
		l.now = l.now.Add(time.Hour)
		l.step()
		d.rest(l)
	}
}

// TestEqualIsSaidOnce: what is settled stays as it is.
func TestEqualIsSaidOnce(t *testing.T) {
	l := lie(t, ReceiverConfig{Plant: plant.Config{Checksum: true, Existing: plant.Overwrite}})
	writeFile(t, filepath.Join(l.r.place.Dir, "b"), []byte("abcd"))
	l.offer("a", "b")
	l.entries(file("a", 4), file("b", 4))
	for range 3 {
		l.say(msgEqual, appendNumber(nil, 1))
	}
	if p := l.r.Progress(); p.Kept > 4 || p.FilesDone > 1 {
		t.Errorf("%d bytes kept and %d files done of one file of 4 bytes", p.Kept, p.FilesDone)
	}
}

// TestHoleCostsNoMemory: one message, of 24 bytes, makes a receiver remember at
// most what it can write down soon.
func TestHoleCostsNoMemory(t *testing.T) {
	d := &delayed{rng: rand.New(rand.NewPCG(1, 1))}
	l := lie(t, ReceiverConfig{Config: Config{Go: d.run}})
	l.offer("a")
	d.rest(l)
	e := file("a", 1<<42)
	e.Sparse = true
	l.entries(e)
	d.rest(l)
	began := time.Now()
	for at := int64(0); at < 1<<22; at += 1 << 21 {
		l.say(msgHole, appendHole(nil, hole{0, at, 1 << 21}))
	}
	held := 0
	for _, r := range l.r.ledger.runs {
		held += len(r.Sums)
	}
	t.Logf("%v in the loop, %d digests held", time.Since(began), held)
	if held > 1<<20 {
		t.Errorf("%d digests wait for the journal", held)
	}
}

// TestAnnouncementsCostNoMemory: blocks are announced and never sent.
func TestAnnouncementsCostNoMemory(t *testing.T) {
	l := lie(t, ReceiverConfig{})
	l.offer("a")
	e := file("a", 1<<38)
	e.Sparse = true // so that no space is asked for
	l.entries(e)
	for i := range int64(20_000) {
		a := announcement{index: i, payload: blockSize, sum: digest.Sum{1}, extents: []extent{{0, i << blockShift, blockSize}}}
		l.wire.toReceiver.arrived = append(l.wire.toReceiver.arrived, frame(msgBlock, appendBlock(nil, a))...)
	}
	l.step()
	l.step()
	if n := len(l.r.asm.open); n > 2*maxOpen {
		t.Errorf("%d blocks are open", n)
	}
}

func frame(typ byte, body []byte) []byte {
	b := []byte{byte(len(body) >> 24), byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body)), typ}
	return append(b, body...)
}

// TestLiarsOfAllSorts: any sequence of messages that are well formed, with works
// that end whenever they want: the receiver never panics, and ends when it is
// told to.
func TestLiarsOfAllSorts(t *testing.T) {
	for seed := range faultSeeds(t, 100) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 2))
			d := &delayed{rng: rng}
			rc := ReceiverConfig{Config: Config{Go: d.run}}
			rc.Plant.Checksum = seed%3 == 0
			rc.Plant.Existing = plant.Overwrite
			stream := seed%4 == 1
			var l *liar
			if seed%5 == 2 {
				rc.Stream = io.Discard
				l = lieIntoStream(t, rc)
			} else {
				l = lie(t, rc)
				writeFile(t, filepath.Join(l.r.place.Dir, "f1"), content(1, 5000))
				writeFile(t, filepath.Join(l.r.place.Dir, "f2"), content(1, 3<<20))
				os.Chtimes(filepath.Join(l.r.place.Dir, "f2"), time.Unix(1e9, 0), time.Unix(1e9, 0))
			}
			f := &fibber{liar: l, rng: rng, stream: stream}
			f.tell()
			d.rest(l)
			for range 40 {
				f.fib()
				if rng.IntN(3) == 0 {
					d.round()
				}
				if rng.IntN(40) == 0 {
					l.r.PeerClosed(nil)
				}
			}
			l.r.Stop(nil)
			for range 200 {
				l.now = l.now.Add(time.Second)
				l.r.Step(l.now)
				d.round()
			}
			if done, _ := l.r.Done(); !done {
				t.Errorf("it goes on in phase %d with %d works", l.r.phase, l.r.pending)
			}
			l.r.Close()
			for d.round() {
			}
			if !l.r.released {
				t.Error("files are still open")
			}
			if used := l.r.asm.pool.used; used < 0 || used > l.r.asm.pool.limit {
				t.Errorf("%d buffers are taken", used)
			}
		})
	}
}

// fibber makes up messages that fit more or less.
type fibber struct {
	*liar
	rng    *rand.Rand
	stream bool
	sizes  []int64
	blocks int64
	next   []int64 // of each entry: what comes next
}

func (f *fibber) tell() {
	flags := byte(0)
	if f.stream {
		flags = offersStream
	}
	n := 1 + f.rng.IntN(4)
	if f.r.sink != nil || f.stream {
		n = 1
	}
	var names []string
	var all []manifest.Entry
	for k := range n {
		name := fmt.Sprintf("f%d", k)
		names = append(names, name)
		e := file(name, []int64{0, 5, 5000, 1 << 20, 1<<20 + 1, 3 << 20}[f.rng.IntN(6)])
		e.Sparse = f.rng.IntN(3) == 0
		if f.stream {
			e = manifest.Entry{Kind: manifest.Stream, Name: name, Mode: 0o644}
		}
		all = append(all, e)
		f.sizes = append(f.sizes, e.Size)
		f.next = append(f.next, 0)
	}
	f.say(msgOffer, appendOffer(nil, offer{flags: flags, count: count{1, 1, true}, items: n, names: names}))
	f.entries(all...)
}

// fib says something, mostly what could be true.
func (f *fibber) fib() {
	k := int64(f.rng.IntN(len(f.sizes)))
	size := f.sizes[k]
	it := f.r.line.find(k)
	wild := f.rng.IntN(40) == 0
	switch n := f.rng.IntN(24); {
	case n == 0 && (wild || it != nil && it.comes() && (it.slabs() > 0 || !it.told)):
		f.say(msgFailed, appendFailed(nil, failing{k, reason{Changed, "x"}}))
	case n <= 2 && (wild || it != nil && it.verdict == verdictClaim):
		f.say(msgEqual, appendNumber(nil, k))
	case n <= 3 && (wild || it != nil && it.verdict == verdictClaim):
		f.say(msgDiffers, appendNumber(nil, k))
	case n <= 5 && (wild || it != nil && it.e.Sparse && f.next[k] < it.slabs()):
		f.say(msgHole, appendHole(nil, hole{k, f.next[k], 1}))
		f.next[k]++
	case n == 6 && (wild || it != nil && f.stream && !it.told):
		f.say(msgEnded, appendNumber(appendNumber(nil, k), f.next[k]))
	case n == 7 && (wild || f.rng.IntN(8) == 0):
		f.say(msgEnd, appendEnd(nil, ending{entries: f.base, blocks: f.blocks}))
	case n == 8:
		f.say(msgCount, appendCount(nil, count{f.rng.Int64N(10), f.rng.Int64N(1 << 30), true}))
	case n == 9:
		f.step()
	case wild || it != nil && it.comes() && !it.settled && it.verdict != verdictClaim && !it.told:
		f.block(k, size)
	case len(f.r.again) > 0:
		f.again()
	}
}

// again sends a block that was asked for.
func (f *fibber) again() {
	for x, old := range f.r.again {
		a := announcement{index: f.blocks, flags: blockAgain, extents: old.extents, payload: x.n}
		b := content(2, int(x.n))
		switch {
		case f.stream:
			a.sum = digest.File(b)
		case slabs(f.sizes[x.entry]) > 0:
			a.sum, _ = digest.Slab(b, x.off>>blockShift, nil)
		default:
			a.sum = digest.Pack([]digest.Sum{digest.File(b)})
		}
		f.blocks++
		f.announce(a)
		f.r.WriteBulk(b, a.index<<blockShift)
		return
	}
}

func (f *fibber) block(k, size int64) {
	a := announcement{index: f.blocks}
	var b []byte
	switch {
	case f.stream:
		b = content(1, 1+f.rng.IntN(100_000))
		a.sum, a.extents = digest.File(b), []extent{{k, f.next[k], int64(len(b))}}
		f.next[k] += int64(len(b))
	case slabs(size) > 0:
		i := f.next[k]
		if i >= slabs(size) {
			return
		}
		b = content(2, int(min(size-i*blockSize, blockSize)))
		a.sum, _ = digest.Slab(b, i, nil)
		a.extents = []extent{{k, i << blockShift, int64(len(b))}}
		f.next[k]++
	default:
		b = content(3, int(max(size, 1)))
		a.sum, a.extents = digest.Pack([]digest.Sum{digest.File(b)}), []extent{{k, 0, int64(len(b))}}
	}
	a.payload = int64(len(b))
	if f.rng.IntN(8) == 0 {
		a.sum[0] ^= 1
	}
	if f.rng.IntN(60) == 0 {
		a.flags |= blockAgain
	}
	f.blocks++
	if f.rng.IntN(8) > 0 {
		f.announce(a)
	}
	if f.rng.IntN(8) > 0 {
		f.r.WriteBulk(bytes.Clone(b), a.index<<blockShift)
	}
}
