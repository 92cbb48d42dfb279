package transfer

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/zeebo/blake3"

	"qft/internal/digest"
	"qft/internal/manifest"
	"qft/internal/squeeze"
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

// takerPipe is one direction of the control stream.
type takerPipe struct{ sent, arrived []byte }

// takerConn is the sender's end of the connection.
type takerConn struct{ k *taker }

func (c takerConn) Read(p []byte) int {
	n := copy(p, c.k.toSender.arrived)
	c.k.toSender.arrived = c.k.toSender.arrived[n:]
	return n
}

func (c takerConn) Write(p []byte) int {
	w := &c.k.toTaker
	n := min(len(p), 64<<10-len(w.sent))
	w.sent = append(w.sent, p[:n]...)
	return n
}

func (c takerConn) Flushed() bool { return len(c.k.toTaker.sent) == 0 }

func (c takerConn) SendBulk(off, n int64) {
	c.k.fresh = append(c.k.fresh, takerRange{off, n})
	c.k.queued = append(c.k.queued, takerRange{off, n})
}

func (c takerConn) BulkUnsent() (n int64) {
	for _, r := range c.k.fresh {
		n += r.n
	}
	return n
}

func (c takerConn) BulkUnacked() (n int64) {
	for _, r := range c.k.lost {
		n += r.n
	}
	for _, p := range c.k.flight {
		n += int64(len(p.data))
	}
	return n
}

// takerWorks runs works.
type takerWorks interface {
	run(work, done func())
	round() bool // lets some end, and reports whether any did or can
	wait() bool  // waits until one ends, if there are any
}

// atOnce runs works in place.
type atOnce struct{}

func (atOnce) run(work, done func()) { work(); done() }
func (atOnce) round() bool           { return false }
func (atOnce) wait() bool            { return false }

// later runs works in an order that the seed decides, and their done later.
type later struct {
	rng          *rand.Rand
	works, dones []func()
}

func (l *later) run(work, done func()) {
	l.works = append(l.works, func() {
		work()
		l.dones = append(l.dones, done)
	})
}

func (l *later) round() bool {
	some := len(l.works)+len(l.dones) > 0
	for _, list := range []*[]func(){&l.dones, &l.works} {
		for len(*list) > 0 && l.rng.IntN(3) > 0 {
			i := l.rng.IntN(len(*list))
			f := (*list)[i]
			*list = slices.Delete(*list, i, i+1)
			f()
		}
	}
	return some
}

func (l *later) wait() bool { return false } // round has done what there is

// beside runs works on goroutines, as the program does.
type beside struct {
	works chan [2]func()
	dones chan func()
	busy  int
}

func newBeside(t *testing.T) *beside {
	b := &beside{works: make(chan [2]func(), 1024), dones: make(chan func(), 1024)}
	for range 4 {
		go func() {
			for f := range b.works {
				f[0]()
				b.dones <- f[1]
			}
		}()
	}
	t.Cleanup(func() { close(b.works) })
	return b
}

func (b *beside) run(work, done func()) {
	b.busy++
	b.works <- [2]func(){work, done}
}

func (b *beside) round() bool {
	select {
	case f := <-b.dones:
		b.busy--
		f()
		return true
	default:
		return false
	}
}

func (b *beside) wait() bool {
	if b.busy == 0 {
		return false
	}
	f := <-b.dones
	b.busy--
	f()
	return true
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

// says sends a message to the sender.
func (k *taker) says(typ byte, body []byte) {
	c := control{}
	c.send(typ, func(b []byte) []byte { return append(b, body...) })
	k.toSender.sent = append(k.toSender.sent, c.out...)
}

// take takes a message.
func (k *taker) take(typ byte, body []byte) error {
	switch typ {
	case msgOffer:
		return k.takeOffer(body)
	case msgEntries:
		return parseEntries(body, k.takeEntry)
	case msgCount:
		c, err := parseCount(body)
		k.counts = append(k.counts, c)
		return err
	case msgBlock:
		return k.takeBlock(body)
	case msgHole:
		return k.takeHole(body)
	case msgFailed:
		return k.takeFailed(body)
	case msgEqual, msgDiffers:
		return k.takeComparison(typ, body)
	case msgEnded:
		return k.takeEnded(body)
	case msgEnd:
		return k.takeEnd(body)
	case msgAbort:
		_, err := parseVerdict(body)
		return err
	}
	return errors.New("out of place")
}

func (k *taker) takeOffer(body []byte) (err error) {
	if k.offer, err = parseOffer(body); err != nil {
		return err
	}
	k.counts = append(k.counts, k.offer.count)
	var flags byte
	if k.zstd {
		flags = acceptsZstd
	}
	k.says(msgAccept, appendAccept(nil, flags))
	return nil
}

func (k *taker) takeEntry(n int64, e manifest.Entry, raw []byte) error {
	if n != int64(len(k.entries)) {
		return fmt.Errorf("entry %d instead of %d", n, len(k.entries))
	}
	dir, err := k.order.Next(&e)
	if err != nil {
		return err
	}
	k.entries = append(k.entries, &takerEntry{Entry: e, n: n, raw: bytes.Clone(raw), path: manifest.Join(dir, e.Name)})
	return nil
}

// judge tells verdicts on some of the entries that have none.
func (k *taker) judge() {
	if k.deaf || k.told == len(k.entries) || k.rng.IntN(3) == 0 || k.heard[msgOffer] == 0 {
		return
	}
	n := 1 + k.rng.IntN(min(len(k.entries)-k.told, 2000))
	first := k.told
	var runs []verdictRun
	for _, e := range k.entries[first : first+n] {
		v := verdictWant
		if e.Kind != manifest.Stream && (e.Kind != manifest.File || e.Size == 0) {
			v = verdictMade
		}
		if k.judging != nil && v == verdictWant {
			v = k.judging(e)
		}
		e.verdict = v
		k.tellBefore(e)
		if m := len(runs) - 1; m >= 0 && runs[m].verdict == v {
			runs[m].count++
		} else {
			runs = append(runs, verdictRun{v, 1})
		}
		if e.Kind == manifest.File && v != verdictWant && v != verdictPart && v != verdictClaim {
			e.done = true
		}
	}
	k.told += n
	k.says(msgVerdicts, appendVerdicts(nil, int64(first), runs))
}

// tellBefore tells what goes before the verdict.
func (k *taker) tellBefore(e *takerEntry) {
	switch e.verdict {
	case verdictClaim:
		k.says(msgClaim, appendClaim(nil, e.n, e.claim))
	case verdictHave, verdictPart:
		e.init()
		for _, i := range slices.Sorted(maps.Keys(e.have)) {
			k.says(msgHave, appendHave(nil, have{e.n, i, []digest.Sum{e.have[i]}}))
			e.sums[i], e.known[i] = e.have[i], true
			k.safe += e.bytes(i)
		}
	}
}

// init makes room for what will come.
func (e *takerEntry) init() {
	if e.sums == nil {
		n := max(slabs(e.Size), 1)
		e.sums, e.known = make([]digest.Sum, n), make([]bool, n)
		e.content, e.hole = make([]byte, e.Size), make(map[int64]bool)
	}
}

func (e *takerEntry) bytes(i int64) int64 { return min(e.Size-i*blockSize, blockSize) }

func (k *taker) entry(n int64) (*takerEntry, error) {
	if n >= int64(k.told) {
		return nil, errors.New("of an entry that was not judged")
	}
	return k.entries[n], nil
}

func (k *taker) takeBlock(body []byte) error {
	a, err := parseBlock(body)
	if err != nil {
		return err
	}
	if a.index != k.last {
		return fmt.Errorf("block %d instead of %d", a.index, k.last)
	}
	k.last++
	key := fmt.Sprint(a.extents)
	if a.flags&blockAgain != 0 {
		if _, asked := k.again[key]; !asked {
			return errors.New("again, and nobody asked")
		}
		delete(k.again, key)
	}
	for _, x := range a.extents {
		e, err := k.entry(x.entry)
		if err != nil {
			return err
		}
		if err := e.expects(x, &a); err != nil {
			return fmt.Errorf("%s: %w", e.path, err)
		}
	}
	if a.flags&blockZstd != 0 {
		k.zipped++
		if !k.zstd {
			return errors.New("compressed, and nobody understands it")
		}
	}
	b := k.open(a.index)
	b.ann = &a
	k.complete(a.index, b)
	return nil
}

// expects reports what is wrong with an extent of the entry.
func (e *takerEntry) expects(x extent, a *announcement) error {
	again := a.flags&blockAgain != 0
	if e.verdict != verdictWant && e.verdict != verdictPart {
		return fmt.Errorf("not wanted: %d", e.verdict)
	}
	switch {
	case e.Kind == manifest.Stream:
		if !again && x.off != e.next || len(a.extents) != 1 {
			return fmt.Errorf("stream at %d instead of %d", x.off, e.next)
		}
		e.next = max(e.next, x.off+x.n)
		return nil
	case e.Kind != manifest.File:
		return errors.New("bytes of what has none")
	}
	e.init()
	i := x.off / blockSize
	switch {
	case slabs(e.Size) == 0 && (x.off != 0 || x.n != e.Size):
		return fmt.Errorf("extent %v of a small file of %d", x, e.Size)
	case slabs(e.Size) > 0 && (len(a.extents) != 1 || x.off%blockSize != 0 || i >= slabs(e.Size) || x.n != e.bytes(i)):
		return fmt.Errorf("extent %v of a file of %d", x, e.Size)
	case !again && (i < e.next || e.known[i]):
		return fmt.Errorf("slab %d out of order, or known", i)
	}
	for j := e.next; j < i; j++ {
		if !e.known[j] {
			return fmt.Errorf("slab %d left out", j)
		}
	}
	if !again {
		e.next = i + 1
		e.known[i] = true
	}
	return nil
}

func (k *taker) open(i int64) *takerBlock {
	b := k.blocks[i]
	if b == nil {
		b = &takerBlock{got: make(map[int64]int64)}
		k.blocks[i] = b
	}
	return b
}

// arrives takes bytes of a block.
func (k *taker) arrives(i, at int64, p []byte) {
	if i < k.low || k.settled[i] {
		return
	}
	b := k.open(i)
	if end := int(at) + len(p); end > len(b.buf) {
		b.buf = append(b.buf, make([]byte, end-len(b.buf))...)
	}
	copy(b.buf[at:], p)
	b.got[at] = max(b.got[at], int64(len(p)))
	if b.ann != nil {
		k.complete(i, b)
	}
}

// has reports whether the first n bytes have come.
func (b *takerBlock) has(n int64) bool {
	at := int64(0)
	for at < n {
		m := b.got[at]
		if m == 0 {
			return false
		}
		at += m
	}
	return true
}

// complete takes a block that has all of its bytes.
func (k *taker) complete(i int64, b *takerBlock) {
	a := b.ann
	if !b.has(a.payload) {
		return
	}
	if int64(len(b.buf)) > a.payload {
		k.t.Fatalf("block %d has %d bytes, and %d arrived", i, a.payload, len(b.buf))
	}
	content := b.buf
	var err error
	if a.flags&blockZstd != 0 {
		content = make([]byte, a.size())
		err = squeeze.Decode(content, b.buf)
	}
	k.settle(i)
	if err != nil || !k.accepts(a, content) {
		key := fmt.Sprint(a.extents)
		if e := k.entries[a.extents[0].entry]; e.fate != "failed" {
			k.again[key] = a.extents[0]
			k.says(msgResend, appendNumber(nil, i))
		}
	}
}

func (k *taker) settle(i int64) {
	delete(k.blocks, i)
	k.settled[i] = true
	for k.settled[k.low] {
		delete(k.settled, k.low)
		k.low++
	}
}

// accepts compares a block with its digest and keeps it if that is right.
func (k *taker) accepts(a *announcement, content []byte) bool {
	x := a.extents[0]
	e := k.entries[x.entry]
	if e.fate == "failed" {
		return true
	}
	if e.Kind == manifest.Stream {
		if digest.File(content) != a.sum {
			return false
		}
		if need := int(x.off) + len(content); need > len(k.streams) {
			k.streams = append(k.streams, make([]byte, need-len(k.streams))...)
		}
		copy(k.streams[x.off:], content)
		k.safe += x.n
		return true
	}
	if slabs(e.Size) > 0 {
		i := x.off / blockSize
		if sum, _ := digest.Slab(content, i, nil); sum != a.sum {
			return false
		}
		copy(e.content[x.off:], content)
		e.sums[i] = a.sum
		k.safe += x.n
		return true
	}
	var sums []digest.Sum
	rest := content
	for _, x := range a.extents {
		sums = append(sums, digest.File(rest[:x.n]))
		rest = rest[x.n:]
	}
	if digest.Pack(sums) != a.sum {
		return false
	}
	for n, x := range a.extents {
		e := k.entries[x.entry]
		copy(e.content, content[:x.n])
		content = content[x.n:]
		e.sums[0], e.done = sums[n], true
		k.safe += x.n
	}
	return true
}

func (k *taker) takeHole(body []byte) error {
	h, err := parseHole(body)
	if err != nil {
		return err
	}
	e, err := k.entry(h.entry)
	if err != nil {
		return err
	}
	e.init()
	if !e.Sparse || h.first+h.count > slabs(e.Size) {
		return errors.New("a hole out of place")
	}
	for i := e.next; i < h.first+h.count; i++ {
		if i < h.first != e.known[i] {
			return fmt.Errorf("slab %d left out, or twice", i)
		}
		if i >= h.first {
			e.known[i] = true
			e.hole[i] = true
			k.safe += e.bytes(i)
		}
	}
	e.next = h.first + h.count
	return nil
}

func (k *taker) takeFailed(body []byte) error {
	f, err := parseFailed(body)
	if err != nil {
		return err
	}
	e, err := k.entry(f.entry)
	if err != nil {
		return err
	}
	if e.done {
		return errors.New("a failure of what is whole")
	}
	for i := range e.known {
		if e.known[i] && (e.sums[i] != (digest.Sum{}) || e.hole[int64(i)]) {
			k.safe -= e.bytes(int64(i))
		}
	}
	e.verdict, e.fate, e.done = verdictRefused, "failed", true
	k.failed[e.path] = f.why.text
	maps.DeleteFunc(k.again, func(key string, x extent) bool { return x.entry == e.n })
	for i, b := range k.blocks {
		if b.ann != nil && k.entries[b.ann.extents[0].entry] == e {
			k.settle(i)
		}
	}
	return nil
}

func (k *taker) takeComparison(typ byte, body []byte) error {
	n, err := parseNumber(body)
	if err != nil {
		return err
	}
	e, err := k.entry(n)
	if err != nil {
		return err
	}
	switch {
	case typ == msgEqual && e.verdict == verdictClaim:
		e.fate, e.done = "equal", true
	case typ == msgDiffers && (e.verdict == verdictClaim || e.verdict == verdictHave || e.verdict == verdictPart):
		for i := range e.have {
			k.safe -= e.bytes(i)
		}
		e.fate, e.verdict, e.sums, e.done = "differs", verdictWant, nil, false
	default:
		return fmt.Errorf("a comparison of what was judged %d", e.verdict)
	}
	return nil
}

func (k *taker) takeEnded(body []byte) error {
	n, size, err := parsePair(body)
	if err == nil && (n != 0 || size != k.entries[0].next) {
		err = fmt.Errorf("the stream ended at %d, and %d were announced", size, k.entries[0].next)
	}
	return err
}

func (k *taker) takeEnd(body []byte) error {
	e, err := parseEnd(body)
	if err != nil {
		return err
	}
	if e.entries != int64(len(k.entries)) || e.blocks != k.last || k.told != len(k.entries) || k.end != nil {
		return fmt.Errorf("end at %+v: %s", e, k.state())
	}
	k.end = &e
	return nil
}

// tellSafe tells what is safe, and at last that all is.
func (k *taker) tellSafe() {
	now := [2]int64{k.safe, k.low}
	if !k.silent && now != k.said && (k.rng.IntN(20) == 0 || k.low == k.last) {
		k.said = now
		k.says(msgSafe, appendNumber(appendNumber(nil, k.safe), k.low))
	}
	if k.end == nil || k.low != k.last || len(k.again) > 0 || k.heard[msgDone] > 0 {
		return
	}
	k.heard[msgDone]++
	r := newRoot()
	o := outcome{}
	for _, e := range k.entries {
		r.add(e.raw, e.verdict, k.sum(e))
		if e.Kind == manifest.File && e.verdict != verdictRefused && e.verdict != verdictSkip {
			o.files++
		}
	}
	if r.sum() != k.end.root {
		k.t.Errorf("the root is not that of what came")
	}
	k.says(msgDone, appendDone(nil, o))
}

// sum is the digest of an entry's content, if it was transferred.
func (k *taker) sum(e *takerEntry) digest.Sum {
	switch {
	case e.Kind == manifest.Stream && e.verdict == verdictWant:
		return blake3.Sum256(k.streams)
	case e.Kind != manifest.File || e.verdict != verdictWant && e.verdict != verdictPart && e.verdict != verdictHave:
		return digest.Sum{}
	case slabs(e.Size) == 0:
		return e.sums[0]
	}
	set := digest.NewSet(slabs(e.Size))
	for i, sum := range e.sums {
		set.Put(int64(i), sum)
	}
	return set.Sum()
}

// wantContent compares what came with the files below dir, which holds the
// items, but for slabs that the taker had.
func (k *taker) wantContent(dir string) {
	k.t.Helper()
	for _, e := range k.entries {
		if e.Kind != manifest.File || e.verdict != verdictWant && e.verdict != verdictPart || e.Size == 0 {
			continue
		}
		want, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(e.path)))
		if err != nil {
			k.t.Fatal(err)
		}
		for i := range max(slabs(e.Size), 1) {
			lo, hi := i*blockSize, i*blockSize+e.bytes(i)
			if _, had := e.have[i]; (!had || e.fate == "differs") && !bytes.Equal(e.content[lo:hi], want[lo:hi]) {
				k.t.Errorf("%s: wrong bytes in slab %d", e.path, i)
			}
		}
	}
}
