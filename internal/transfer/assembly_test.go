package transfer

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestManyGapsFitInLittleMemory: a long lossy path leaves gaps in far more
// blocks than there are buffers. They are spilled and read back, and nothing
// is refused for it.
func TestManyGapsFitInLittleMemory(t *testing.T) {
	const size = 24*blockSize + 4321
	b := content(1, size)
	for _, mode := range []string{"inline", "delayed"} {
		t.Run(mode, func(t *testing.T) {
			w := newWorld(t, 1)
			if mode == "delayed" {
				w.exec = &delayed{rng: w.rng}
			}
			w.link.piece = 9000
			src, dir := place(t, b)
			var late []extent64
			w.link.hold = func(p packet) bool {
				// One packet in eight is lost, and comes when all was sent once.
				if w.rng.IntN(8) > 0 {
					return false
				}
				late = append(late, extent64{p.off, int64(len(p.data))})
				return true
			}
			spilt := 0
			w.each = func() {
				open := 0
				for _, b := range w.r.asm.open {
					if b.state == spilled {
						open++
					}
				}
				spilt = max(spilt, open)
				if w.s.next == w.s.space.end() && len(w.link.fresh)+len(w.link.flight) == 0 && late != nil {
					w.link.hold = nil
					w.link.again = append(w.link.again, late...)
					late = nil
				}
			}
			w.connect(SenderConfig{Path: src}, ReceiverConfig{Dir: dir})
			if serr, rerr := w.finish(); serr != nil || rerr != nil {
				t.Fatalf("sender: %v, receiver: %v", serr, rerr)
			}
			wantFile(t, filepath.Join(dir, "file.bin"), b)
			if spilt < 15 {
				t.Errorf("at most %d blocks were spilled: the test shows little", spilt)
			}
			if a := &w.r.asm; a.pool.used > 1 || a.ranges != 0 || a.announced != 0 || len(a.open) != 0 || a.writing != 0 {
				t.Errorf("left over: %d buffers, %d ranges, %d announced, %d open, %d writing", a.pool.used, a.ranges, a.announced, len(a.open), a.writing)
			}
		})
	}
}

// TestTinyPacketsAndHeavyLoss covers the payload of 256 bytes that qft once
// had, with a third of the packets lost.
func TestTinyPacketsAndHeavyLoss(t *testing.T) {
	b := content(1, 3*blockSize/2)
	w := newWorld(t, 1)
	w.exec = &delayed{rng: w.rng}
	w.link.piece, w.link.loss, w.link.dup = 256, 0.33, 0.2
	src, dir := place(t, b)
	w.connect(SenderConfig{Path: src}, ReceiverConfig{Dir: dir})
	if serr, rerr := w.finish(); serr != nil || rerr != nil {
		t.Fatalf("sender: %v, receiver: %v", serr, rerr)
	}
	wantFile(t, filepath.Join(dir, "file.bin"), b)
}

func TestHolesAreSafe(t *testing.T) {
	w := newWorld(t, 1)
	w.link.loss = 0.05
	src, dir := place(t, nil)
	f, err := os.OpenFile(src, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("island"), 3*blockSize+5); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(6*blockSize + 1); err != nil {
		t.Fatal(err)
	}
	f.Close()
	w.connect(SenderConfig{Path: src}, ReceiverConfig{Dir: dir})
	if serr, rerr := w.finish(); serr != nil || rerr != nil {
		t.Fatalf("sender: %v, receiver: %v", serr, rerr)
	}
	want := make([]byte, 6*blockSize+1)
	copy(want[3*blockSize+5:], "island")
	wantFile(t, filepath.Join(dir, "file.bin"), want)
}

// slowDisk ends one work per tick of its clock.
type slowDisk struct {
	queue [][2]func()
}

func (d *slowDisk) run(work, done func()) { d.queue = append(d.queue, [2]func(){work, done}) }

func (d *slowDisk) tick() {
	if len(d.queue) > 0 {
		f := d.queue[0]
		d.queue = d.queue[1:]
		f[0]()
		f[1]()
	}
}

// TestSlowDiskSlowsTheSender: with a disk at a quarter of the path's rate the
// window keeps the sender to the disk's rate, and hardly a byte is refused,
// on a short path and on one that holds 4 MiB.
func TestSlowDiskSlowsTheSender(t *testing.T) {
	const (
		perTick = 128 << 10 // bytes that the path carries in a tick
		slow    = 32        // ticks for a block on the disk
		ticks   = 3000
	)
	for _, delay := range []int{1, 16} { // ticks one way
		disk := &slowDisk{}
		a := newAssembly(space{0, maxSize}, defaultMemory)
		a.run = disk.run
		a.file = nowhere{}
		a.report = func(b *block, _ digest, _ error) {
			a.drop(b)
			a.sums.put(b.index, digest{})
		}
		var off, again, inflight, taken, refused int64
		type event struct{ at, off, taken, refused, window int64 }
		var data, back []event
		window := int64(openWindow)
		for now := range int64(ticks) {
			for len(back) > 0 && back[0].at <= now {
				inflight -= back[0].taken + back[0].refused
				again += back[0].refused
				window = back[0].window
				back = back[1:]
			}
			if inflight+perTick <= window {
				data = append(data, event{at: now + int64(delay), off: off})
				off += perTick
				inflight += perTick
			}
			ack := event{at: now + int64(delay)}
			for len(data) > 0 && data[0].at <= now {
				if a.put(make([]byte, perTick), data[0].off) {
					taken += perTick
					ack.taken += perTick
				} else {
					refused += perTick
					ack.refused += perTick
				}
				data = data[1:]
			}
			if now%slow == 0 {
				disk.tick()
			}
			a.advance()
			ack.window = a.window()
			back = append(back, ack)
		}
		t.Logf("delay %d: %s taken, %s refused", delay, sizeText(taken), sizeText(refused))
		if most := int64(ticks / slow * blockSize); taken < most*9/10 {
			t.Errorf("delay %d: %d bytes were taken, the disk can do %d", delay, taken, most)
		}
		if refused > taken/50 {
			t.Errorf("delay %d: %d bytes were refused and %d taken", delay, refused, taken)
		}
	}
}

// TestExtentsAreASet compares extents with a plain array.
func TestExtentsAreASet(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 2))
		checkExtents(t, func() (lo, hi uint32) {
			lo = rng.Uint32N(64)
			return lo, lo + 1 + rng.Uint32N(64-lo)
		}, 40, 1+rng.IntN(20))
	}
}

func checkExtents(t *testing.T, next func() (lo, hi uint32), n, limit int) {
	t.Helper()
	var e extents
	var model [64]bool
	for range n {
		lo, hi := next()
		news, ranges := false, 0
		after := model
		for i := lo; i < hi; i++ {
			news = news || !after[i]
			after[i] = true
		}
		for i := range after {
			if after[i] && (i == 0 || !after[i-1]) {
				ranges++
			}
		}
		before := len(e.list)
		fresh, ok := e.add(lo, hi, limit)
		if !ok {
			if ranges <= before || before < limit {
				t.Fatalf("[%d,%d) was refused with %d of %d ranges", lo, hi, before, limit)
			}
			continue
		}
		model = after
		if fresh != news || len(e.list) != ranges {
			t.Fatalf("[%d,%d): fresh %v, want %v; %d ranges, want %d", lo, hi, fresh, news, len(e.list), ranges)
		}
		for i := range e.list {
			if r := e.list[i]; r.lo >= r.hi || i > 0 && e.list[i-1].hi >= r.lo {
				t.Fatalf("ranges %v", e.list)
			}
		}
	}
	for _, r := range e.list {
		for i := r.lo; i < r.hi; i++ {
			if !model[i] {
				t.Fatalf("position %d is in %v and should not be", i, e.list)
			}
		}
	}
}

// TestRootDoesNotDependOnTheOrder puts hashes in seeded orders.
func TestRootDoesNotDependOnTheOrder(t *testing.T) {
	s := space{5 * blockSize / 2, 3000*blockSize + 1}
	var want digest
	for seed := range uint64(5) {
		d := newDigests(s)
		order := make([]int64, 0, s.end()-s.first())
		for i := s.first(); i < s.end(); i++ {
			order = append(order, i)
		}
		if seed > 0 {
			rng := rand.New(rand.NewPCG(seed, 3))
			rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		}
		for _, i := range order {
			if d.has(i) || d.complete() {
				t.Fatalf("block %d is there before it was put", i)
			}
			d.put(i, digest{byte(i), byte(i >> 8)})
			if !d.has(i) {
				t.Fatalf("block %d is not there", i)
			}
		}
		if !d.complete() || len(d.pages) != 0 {
			t.Fatalf("not complete, or %d pages kept", len(d.pages))
		}
		if seed == 0 {
			want = d.sum()
		} else if d.sum() != want {
			t.Fatal("another root")
		}
	}
}

// TestReadBulkAsksTheDiskOnlyWhereItMust: blocks just sent are in memory, older
// ones are read again in chunks, and too many at a time are put off.
func TestReadBulkAsksTheDiskOnlyWhereItMust(t *testing.T) {
	b := content(1, 40*blockSize)
	src, _ := place(t, b)
	d := &delayed{rng: rand.New(rand.NewPCG(1, 1))}
	s, err := NewSender(SenderConfig{Path: src, Config: Config{Go: d.run, Memory: leastMemory}})
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{now: time.Unix(1e9, 0)}
	s.Start(conn{&p.link, &p.link.toReceiver, &p.link.toSender})
	p.sends(&p.link.toSender, msgAccept, appendAccept(nil, accept{}))
	for s.next < 40 {
		s.Step(p.now)
		p.link.fresh = nil // all was put in packets
		p.link.toReceiver.sent = nil
		d.round()
	}
	for d.round() {
	}
	s.Step(p.now)
	buf := make([]byte, 1400)
	if n, ok := s.ReadBulk(buf, 39*blockSize); !ok || n != len(buf) {
		t.Error("the latest block is not in memory")
	}
	for i := range int64(3 * maxLoads) {
		if _, ok := s.ReadBulk(buf, i*chunkSize); ok {
			t.Error("an old block is in memory")
		}
	}
	if s.cache.loads != maxLoads || s.pending > maxLoads+1 {
		t.Errorf("%d chunks are being read, %d works", s.cache.loads, s.pending)
	}
	for d.round() {
	}
	for i := range int64(maxLoads) {
		if n, ok := s.ReadBulk(buf, i*chunkSize); !ok || n != len(buf) || string(buf) != string(b[i*chunkSize:][:n]) {
			t.Errorf("chunk %d is not there", i)
		}
	}
	// Across two chunks, of which one is there.
	if _, ok := s.ReadBulk(buf, maxLoads*chunkSize-700); ok {
		t.Error("half of it cannot be in memory")
	}
	for d.round() {
	}
	if _, ok := s.ReadBulk(buf, maxLoads*chunkSize-700); !ok || string(buf) != string(b[maxLoads*chunkSize-700:][:1400]) {
		t.Error("bytes across two chunks")
	}
	for _, off := range []int64{-1, 40*blockSize - 1399, 1 << 62} {
		if _, ok := s.ReadBulk(buf, off); ok {
			t.Errorf("bytes at %d", off)
		}
	}
	s.Close()
}
