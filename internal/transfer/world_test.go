package transfer

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/zeebo/blake3"
)

// world is a sender and a receiver with a bad link between them, no network
// and no clock: each step of it is decided by a seed. A side's Step is called
// only when something arrived for it, a work of it ended or its Deadline has
// come, so that a wake-up that is missing shows as a world that stands still.
type world struct {
	t    *testing.T
	rng  *rand.Rand
	now  time.Time
	exec executor
	link wire
	s    *Sender
	r    *Receiver
	each func() // after every round, if not nil
}

// wire carries two control streams and the pieces of bulk ranges.
type wire struct {
	toReceiver, toSender stream
	fresh, again         []extent64 // ranges to send first, and to send again
	flight               []packet
	ranges               []extent64 // all that SendBulk was told
	loss, dup            float64
	piece                int                 // bytes in a packet
	batch                int                 // packets in a round
	corrupt              func(p packet)      // may change a packet's bytes
	hold                 func(p packet) bool // makes a packet vanish
	down                 bool
}

type extent64 struct{ off, n int64 }

type packet struct {
	off  int64
	data []byte
}

// stream is one direction of the control stream.
type stream struct {
	sent    []byte // written
	arrived []byte // and not read yet
}

func (s *stream) write(p []byte) int {
	n := min(len(p), 64<<10-len(s.sent))
	s.sent = append(s.sent, p[:n]...)
	return n
}

func (s *stream) read(p []byte) int {
	n := copy(p, s.arrived)
	s.arrived = s.arrived[n:]
	return n
}

// conn is one end of a link.
type conn struct {
	l       *wire
	out, in *stream
}

func (c conn) Read(p []byte) int  { return c.in.read(p) }
func (c conn) Write(p []byte) int { return c.out.write(p) }
func (c conn) Flushed() bool      { return len(c.out.sent)+len(c.out.arrived) == 0 }

func (c conn) SendBulk(off, n int64) {
	c.l.fresh = append(c.l.fresh, extent64{off, n})
	c.l.ranges = append(c.l.ranges, extent64{off, n})
}

func (c conn) BulkUnsent() (n int64) {
	for _, e := range c.l.fresh {
		n += e.n
	}
	return n
}

func (c conn) BulkUnacked() (n int64) {
	for _, e := range c.l.again {
		n += e.n
	}
	for _, p := range c.l.flight {
		n += int64(len(p.data))
	}
	return n
}

// executor runs works for the world.
type executor interface {
	run(work, done func())
	// round lets some works end, and reports whether any did or can.
	round() bool
}

// inline runs each work at once.
type inline struct{}

func (inline) run(work, done func()) { work(); done() }
func (inline) round() bool           { return false }

// delayed runs works in an order that the seed decides, and their done later.
type delayed struct {
	rng   *rand.Rand
	works []func()
	dones []func()
}

func (d *delayed) run(work, done func()) {
	d.works = append(d.works, func() {
		work()
		d.dones = append(d.dones, done)
	})
}

func (d *delayed) round() bool {
	if len(d.works)+len(d.dones) == 0 {
		return false
	}
	pick := func(list *[]func()) {
		for len(*list) > 0 && d.rng.IntN(3) > 0 {
			i := d.rng.IntN(len(*list))
			f := (*list)[i]
			*list = append((*list)[:i], (*list)[i+1:]...)
			f()
		}
	}
	pick(&d.dones)
	pick(&d.works)
	return true
}

// workers runs works on goroutines, as the program does.
type workers struct {
	works chan [2]func()
	dones chan func()
	busy  int
}

func newWorkers(t *testing.T) *workers {
	w := &workers{works: make(chan [2]func(), 1024), dones: make(chan func(), 1024)}
	for range 3 {
		go func() {
			for f := range w.works {
				f[0]()
				w.dones <- f[1]
			}
		}()
	}
	t.Cleanup(func() { close(w.works) })
	return w
}

func (w *workers) run(work, done func()) {
	w.busy++
	w.works <- [2]func(){work, done}
}

func (w *workers) round() bool {
	if w.busy == 0 {
		return false
	}
	f := <-w.dones
	w.busy--
	f()
	return true
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 1)), now: time.Unix(1e9, 0), exec: inline{}}
	w.link.piece, w.link.batch = 1400, 500
	return w
}

// config fills in a configuration: the world's executor, and little memory.
func (w *world) config(c Config) Config {
	c.Go = func(work, done func()) { w.exec.run(work, done) }
	if c.Memory == 0 {
		c.Memory = leastMemory
	}
	return c
}

// connect makes both sides and starts them.
func (w *world) connect(sc SenderConfig, rc ReceiverConfig) {
	w.t.Helper()
	sc.Config, rc.Config = w.config(sc.Config), w.config(rc.Config)
	s, err := NewSender(sc)
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := NewReceiver(rc)
	if err != nil {
		w.t.Fatal(err)
	}
	w.s, w.r = s, r
	old := w.link
	w.link = wire{loss: old.loss, dup: old.dup, piece: old.piece, batch: old.batch, corrupt: old.corrupt, hold: old.hold}
	s.Start(conn{&w.link, &w.link.toReceiver, &w.link.toSender})
	r.Start(conn{&w.link, &w.link.toSender, &w.link.toReceiver})
	s.Step(w.now)
	r.Step(w.now)
}

// round lets a little happen, and reports whether anything could.
func (w *world) round() bool {
	w.now = w.now.Add(time.Millisecond)
	worked := w.exec.round()
	toS := w.deliver(&w.link.toSender)
	toR := w.deliver(&w.link.toReceiver)
	carried := w.carry()
	// What was delivered has also made room for its writer.
	if worked || toS || toR || carried || due(w.now, w.s.Deadline()) {
		w.s.Step(w.now)
	}
	if worked || toS || toR || carried || due(w.now, w.r.Deadline()) {
		w.r.Step(w.now)
	}
	if due(w.now, w.s.Deadline()) || due(w.now, w.r.Deadline()) {
		w.t.Fatalf("Step has just been called and wants to be called at once again: phases %d, %d", w.s.phase, w.r.phase)
	}
	if w.each != nil {
		w.each()
	}
	if worked || toS || toR || carried {
		return true
	}
	next := w.s.Deadline()
	if d := w.r.Deadline(); next.IsZero() || !d.IsZero() && d.Before(next) {
		next = d
	}
	if next.IsZero() {
		return len(w.link.toReceiver.sent)+len(w.link.toSender.sent) > 0
	}
	if next.After(w.now) {
		w.now = next
	}
	return true
}

func due(now, at time.Time) bool { return !at.IsZero() && !now.Before(at) }

// deliver moves some bytes of a control stream to the other side.
func (w *world) deliver(s *stream) bool {
	if len(s.sent) == 0 || w.link.down {
		return false
	}
	n := 1 + w.rng.IntN(len(s.sent))
	s.arrived = append(s.arrived, s.sent[:n]...)
	s.sent = s.sent[n:]
	return true
}

// carry puts pieces into packets and lets packets arrive, or get lost.
func (w *world) carry() bool {
	l := &w.link
	if l.down {
		return false
	}
	asked := false
	for range 1 + w.rng.IntN(l.batch) {
		list := &l.again
		if len(*list) == 0 || w.rng.IntN(4) == 0 {
			list = &l.fresh
		}
		if len(*list) == 0 {
			break
		}
		asked = true
		e := &(*list)[0]
		n := min(int64(1+w.rng.IntN(l.piece)), e.n)
		if l.piece >= 1000 {
			n = min(int64(l.piece), e.n)
		}
		p := packet{e.off, make([]byte, n)}
		if _, ok := w.s.ReadBulk(p.data, p.off); !ok {
			first := *e
			*list = append((*list)[1:], first)
			break // the transport would try others; here the order turns
		}
		e.off, e.n = e.off+n, e.n-n
		if e.n == 0 {
			*list = (*list)[1:]
		}
		l.flight = append(l.flight, p)
	}
	return w.land() || asked && len(l.flight) > 0
}

// land lets packets in flight arrive in some order.
func (w *world) land() bool {
	l := &w.link
	some := len(l.flight) > 0
	for range len(l.flight)*3/4 + min(len(l.flight), 1) {
		i := 0
		if l.loss > 0 {
			i = w.rng.IntN(len(l.flight))
		}
		p := l.flight[i]
		l.flight = append(l.flight[:i], l.flight[i+1:]...)
		if w.rng.Float64() < l.loss {
			l.again = append(l.again, extent64{p.off, int64(len(p.data))})
			continue
		}
		if l.hold != nil && l.hold(p) {
			continue
		}
		if l.corrupt != nil {
			l.corrupt(p)
		}
		if !w.r.WriteBulk(p.data, p.off) {
			l.again = append(l.again, extent64{p.off, int64(len(p.data))})
		} else if w.rng.Float64() < l.dup {
			w.r.WriteBulk(p.data, p.off)
		}
		clear(p.data) // WriteBulk must have copied
	}
	return some
}

// finish runs the world until both sides are done and returns how they ended.
func (w *world) finish() (sent, received error) {
	w.t.Helper()
	idle := 0
	for range 100_000 {
		sd, serr := w.s.Done()
		rd, rerr := w.r.Done()
		if sd && rd {
			w.close()
			return serr, rerr
		}
		if w.round() {
			idle = 0
		} else if idle++; idle > 20 {
			w.t.Fatalf("stands still: sender in phase %d, receiver in phase %d, %d bytes safe", w.s.phase, w.r.phase, w.r.safe.bytes)
		}
		w.checkMemory()
	}
	w.t.Fatalf("goes on for ever: sender in phase %d, receiver in phase %d, %d bytes safe", w.s.phase, w.r.phase, w.r.safe.bytes)
	return nil, nil
}

func (w *world) close() {
	w.t.Helper()
	w.s.Close()
	w.r.Close()
	if !w.s.released || !w.r.released {
		w.t.Error("files are still open after Done and Close")
	}
}

func (w *world) checkMemory() {
	w.t.Helper()
	for _, p := range []*pool{&w.r.asm.pool, &w.s.cache.blocks, &w.s.cache.pieces} {
		if p.used < 0 || p.used > p.limit || p.used+len(p.idle) > p.limit {
			w.t.Fatalf("%d buffers of %d bytes taken and %d idle, of %d allowed", p.used, p.size, len(p.idle), p.limit)
		}
	}
}

// crash drops both sides as SIGKILL would: nothing is told, flushed or synced.
func (w *world) crash() {
	w.exec = inline{}
	w.s.release()
	if w.r.bed != nil {
		w.r.bed.Close()
	}
	w.r.ground.Close()
}

// content is n bytes that a seed decides.
func content(seed uint64, n int) []byte {
	b := make([]byte, n)
	rng := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), 7})
	rng.Read(b)
	return b
}

func writeFile(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func wantFile(t *testing.T, path string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		at := 0
		for at < min(len(got), len(want)) && got[at] == want[at] {
			at++
		}
		t.Fatalf("%s: %d bytes, want %d; differs from byte %d on", path, len(got), len(want), at)
	}
}

// wantOnly checks which files a directory holds.
func wantOnly(t *testing.T, dir string, names ...string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range list {
		got = append(got, e.Name())
	}
	if len(got) != len(names) {
		t.Fatalf("%s holds %q, want %q", dir, got, names)
	}
	for i := range names {
		if got[i] != names[i] {
			t.Fatalf("%s holds %q, want %q", dir, got, names)
		}
	}
}

// wantKind checks the kind of an error, and whether it came from the peer.
func wantKind(t *testing.T, who string, err error, kind Kind, peer bool) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Kind != kind || e.Peer != peer {
		t.Errorf("%s ended with %v, want kind %d, peer %v", who, err, kind, peer)
		return
	}
	if text := e.Error(); text == "" || text != printable(text, len(text)) {
		t.Errorf("%s: error text %q", who, text)
	}
}

// tempDir is a directory in memory if there is one: what is tested here does
// not depend on how long a disk takes to sync.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "qft-transfer-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// place is a source file and an empty directory to receive in.
func place(t *testing.T, b []byte) (src, dir string) {
	t.Helper()
	top := tempDir(t)
	src, dir = filepath.Join(top, "file.bin"), filepath.Join(top, "in")
	writeFile(t, src, b)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return src, dir
}

// bytesHash is the plain BLAKE3 of b.
func bytesHash(b []byte) []byte {
	sum := blake3.Sum256(b)
	return sum[:]
}
