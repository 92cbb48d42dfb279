package transfer

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"qft/internal/digest"
	"qft/internal/journal"
	"qft/internal/manifest"
	"qft/internal/plant"
	"qft/internal/squeeze"
)

// large is the open file of an item, shared by the works that write to it.
type large struct {
	once sync.Once
	err  error
	mu   sync.Mutex
	f    *plant.Sprout // nil: not open, or closed
}

// open opens the file if that was not done.
func (l *large) open(bed *plant.Bed, j *journal.Journal, it *item) (*plant.Sprout, error) {
	l.once.Do(func() {
		f, err := it.open(bed, j)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.f, l.err = f, err
	})
	return l.f, l.err
}

// open opens the item's file. If nothing of it is to be taken for true, what the
// journal says of an earlier one is taken back first, so that it cannot be taken
// for this one after a crash.
func (it *item) open(bed *plant.Bed, j *journal.Journal) (*plant.Sprout, error) {
	if it.stale {
		if err := j.Append([]journal.Run{forget(it.id)}); err != nil {
			return nil, err
		}
	}
	if it.wrong {
		if err := bed.Drop(it.place.Path); err != nil {
			return nil, err
		}
	}
	return bed.OpenFile(it.place.Path, &it.e)
}

func (l *large) close() {
	l.once.Do(func() {})
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f != nil {
		l.f.Close()
		l.f = nil
	}
}

// sync makes what was written durable, unless the file was dropped meanwhile.
func (l *large) sync() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		return nil
	}
	return l.f.Datasync()
}

// packed is a whole block that waits to be unpacked.
type packed struct {
	b   *block
	buf []byte
}

// retry is a block that has to come again.
type retry struct {
	extents []extent
	tries   int
	held    []int64 // numbers that it had, if they are not settled
}

// takeBlock takes the announcement of a block.
func (r *Receiver) takeBlock(body []byte) *Error {
	a, err := parseBlock(body)
	if err != nil {
		return violation(err.Error())
	}
	if a.index != r.last {
		return violation(fmt.Sprintf("block %d instead of %d", a.index, r.last))
	}
	r.last++
	for k := range a.extents {
		it := r.line.find(a.extents[k].entry)
		if it == nil || !it.judged || !it.comes() || it.settled || it.verdict == verdictClaim {
			return violation("a block of what was not asked for")
		}
		a.items = append(a.items, it)
	}
	if why := r.misplaced(&a); why != "" {
		return violation(why)
	}
	if a.index >= r.asm.low+2*maxOpen {
		return violation("too many blocks at a time")
	}
	if it := a.items[0]; it.e.Kind == manifest.Stream && r.maxBytes > 0 && it.next > r.maxBytes {
		return r.tooMuch(count{bytes: it.next})
	}
	if !r.asm.announce(&a) {
		return violation("bytes that no block has")
	}
	return nil
}

// misplaced says why a block cannot be what it is announced to be, or notes
// that it was.
func (r *Receiver) misplaced(a *announcement) string {
	x, it := a.extents[0], a.items[0]
	if a.flags&blockAgain != 0 {
		old, ok := r.again[x]
		if !ok || !slices.Equal(old.extents, a.extents) {
			return "a block again that was not asked for"
		}
		a.tries, a.held = old.tries, old.held
		delete(r.again, x)
		it.owed += min(int(it.slabs()), 1)
		return ""
	}
	if it.e.Kind == manifest.Stream {
		if len(a.extents) > 1 || x.off != it.next || it.told {
			return "a stream out of order"
		}
		it.next += x.n
		return ""
	}
	if it.slabs() > 0 {
		i := x.off >> blockShift
		if len(a.extents) > 1 || x.off&(blockSize-1) != 0 || i >= it.slabs() || x.n != it.slabBytes(i, 1) || !it.reaches(i) {
			return "a slab out of place"
		}
		it.next = i + 1
		it.owed++
		return ""
	}
	for k, x := range a.extents {
		it := a.items[k]
		if it.told || it.e.Kind != manifest.File || it.e.Size == 0 || x.off != 0 || x.n != it.e.Size || it.slabs() > 0 {
			return "a file out of place"
		}
		it.told = true
	}
	return ""
}

// reaches reports whether slab i can be the next to come: all between are here.
func (it *item) reaches(i int64) bool {
	if i < it.next {
		return false
	}
	for k := it.next; k < i; k++ {
		if !it.set.Has(k) {
			return false
		}
	}
	return !it.set.Has(i)
}

// allTold reports whether all bytes of the item that will come were announced.
func (it *item) allTold() bool {
	switch {
	case it.e.Kind == manifest.Stream || it.slabs() == 0:
		return it.told
	}
	for k := it.next; k < it.slabs(); k++ {
		if !it.set.Has(k) {
			return false
		}
	}
	return true
}

// takeHole takes slabs that have no bytes.
func (r *Receiver) takeHole(body []byte) *Error {
	h, err := parseHole(body)
	if err != nil {
		return violation(err.Error())
	}
	it := r.line.find(h.entry)
	if it == nil || !it.judged || !it.comes() || it.settled || !it.e.Sparse || it.slabs() == 0 || it.verdict == verdictClaim ||
		h.count > holeStep || h.first+h.count > it.slabs() || !it.reaches(h.first) {
		return violation("a hole out of place")
	}
	for i := h.first; i < h.first+h.count; i++ {
		if it.set.Has(i) {
			return violation("a hole where there are bytes")
		}
	}
	it.next = h.first + h.count
	if r.sink != nil {
		r.sink.gaps[h.first<<blockShift] = h
		r.pour()
		return nil
	}
	r.openLarge(it)
	it.owed++
	r.holes++
	var failed error
	r.run(func() {
		var f *plant.Sprout
		if f, failed = it.large.open(r.bed, r.journal, it); failed == nil {
			failed = f.Hole(h.first<<blockShift, it.slabBytes(h.first, h.count))
		}
	}, func() {
		r.holes--
		if failed != nil {
			r.fail(r.diskError("write", it.place.Path, failed))
			return
		}
		it.owed--
		if it.verdict == verdictRefused {
			r.drop(it)
			return
		}
		r.takeGap(it, h)
		r.completeLarge(it)
		r.line.settle()
	})
	return nil
}

// takeGap notes slabs that have no bytes. The journal need not hold them: the
// sender tells them again.
func (r *Receiver) takeGap(it *item, h hole) {
	for i := h.first; i < h.first+h.count; i++ {
		it.set.Put(i, digest.Sum{})
	}
	n := it.slabBytes(h.first, h.count)
	it.got += n
	r.safe.bytes += n
}

// whole takes over a block that has all of its bytes.
func (r *Receiver) whole(b *block, buf []byte) {
	if b.dead || r.phase != Moving {
		r.asm.pool.give(buf)
		r.asm.settle(b.index)
		if it := b.ann.items[0]; b.dead && it.slabs() > 0 {
			it.owed--
			r.drop(it)
		}
		return
	}
	if b.ann.flags&blockZstd != 0 {
		r.packed = append(r.packed, packed{b, buf})
		return
	}
	r.check(b, buf, buf[:b.ann.payload])
}

// unpack decompresses blocks as far as there are buffers.
func (r *Receiver) unpack() {
	for len(r.packed) > 0 {
		buf := r.asm.pool.take(0)
		if buf == nil {
			return
		}
		p := r.packed[0]
		r.packed = r.packed[1:]
		content := buf[:p.b.ann.size()]
		var err error
		r.asm.disk(p.buf, func() { err = squeeze.Decode(content, p.buf[:p.b.ann.payload]) }, func() {
			if err != nil {
				r.asm.pool.give(buf)
				r.mistaken(p.b)
				return
			}
			r.check(p.b, buf, content)
		})
	}
}

// check has a block hashed, compared and written, from a buffer that it owns.
func (r *Receiver) check(b *block, buf, content []byte) {
	items := b.ann.items
	if r.sink != nil {
		r.checkInOrder(b, buf, content)
		return
	}
	var sums []digest.Sum
	var right bool
	var err error
	if items[0].slabs() > 0 {
		r.openLarge(items[0])
		r.asm.disk(buf, func() { right, err = r.writeSlab(b.ann, content) }, func() {
			r.checked(b, right, []digest.Sum{b.ann.sum}, err)
		})
		return
	}
	r.asm.disk(buf, func() { sums, right, err = r.writePack(b.ann, content) }, func() {
		r.checked(b, right, sums, err)
	})
}

// openLarge has the file of an item opened by the work that needs it first,
// which reserves room for it.
func (r *Receiver) openLarge(it *item) {
	if it.large == nil {
		it.large = new(large)
		r.expect(it, 0)
	}
}

// expect changes for how many bytes of an item room is still to be found.
func (r *Receiver) expect(it *item, n int64) {
	r.owed += n - it.expected
	it.expected = n
}

// writeSlab is work. It writes before it compares, piece by piece while they
// are in the processor's cache: what turns out to be wrong is written over when
// it comes again, and vouched for by nobody until then.
func (r *Receiver) writeSlab(a *announcement, content []byte) (right bool, err error) {
	it, off := a.items[0], a.extents[0].off
	f, err := it.large.open(r.bed, r.journal, it)
	if err != nil {
		return false, err
	}
	write := f.WriteAt
	if it.e.Sparse {
		write = f.WriteSparse
	}
	sum, err := digest.Slab(content, off>>blockShift, func(piece []byte, at int64) error {
		_, err := write(piece, off+at)
		return err
	})
	return sum == a.sum, err
}

// writePack is work. Small files are written when they are known to be right.
func (r *Receiver) writePack(a *announcement, content []byte) (sums []digest.Sum, right bool, err error) {
	at := int64(0)
	for _, x := range a.extents {
		sums = append(sums, digest.File(content[at:at+x.n]))
		at += x.n
	}
	if digest.Pack(sums) != a.sum {
		return nil, false, nil
	}
	var stale []journal.Run
	for _, it := range a.items {
		if it.stale {
			stale = append(stale, forget(it.id))
		}
	}
	if len(stale) > 0 {
		if err := r.journal.Append(stale); err != nil {
			return nil, false, err
		}
	}
	at = 0
	for k, x := range a.extents {
		if err := r.bed.WriteFile(a.items[k].place.Path, &a.items[k].e, content[at:at+x.n]); err != nil {
			return nil, false, err
		}
		at += x.n
	}
	return sums, true, nil
}

// checked takes what became of a block.
func (r *Receiver) checked(b *block, right bool, sums []digest.Sum, err error) {
	if err != nil {
		r.fail(r.diskError("write", b.ann.items[0].place.Path, err))
		return
	}
	if !right {
		r.mistaken(b)
		return
	}
	r.asm.settle(b.index)
	for k, it := range b.ann.items {
		x := b.ann.extents[k]
		if it.verdict == verdictRefused {
			it.owed--
			r.drop(it)
			continue
		}
		r.safe.bytes += x.n
		if it.slabs() > 0 {
			it.owed--
			it.got += x.n
			it.set.Put(x.off>>blockShift, sums[k])
			r.record(it, x.off>>blockShift, sums[k])
			r.completeLarge(it)
			continue
		}
		r.expect(it, 0)
		it.sum = sums[k]
		r.record(it, 0, sums[k])
		r.settled(it)
	}
	r.line.settle()
}

// settled notes that a file is whole.
func (r *Receiver) settled(it *item) {
	it.settled = true
	r.line.placed++
	r.line.sent += it.e.Size
}

// mistaken asks for a block again that does not match its digest.
func (r *Receiver) mistaken(b *block) {
	again := retry{extents: b.ann.extents, tries: b.ann.tries + 1}
	if r.sink == nil {
		r.asm.settle(b.index)
	} else { // it keeps its place among those that may be here at a time
		again.held = append(b.ann.held, b.index)
		b.dead = true
	}
	it := b.ann.items[0]
	if it.slabs() > 0 {
		it.owed--
	}
	switch {
	case r.phase != Moving:
	case it.verdict == verdictRefused:
		r.drop(it)
	case b.ann.tries >= maxTries:
		r.fail(&Error{Kind: Corrupt, Path: r.finalPath(it.place.Path)})
	default:
		r.again[b.ann.extents[0]] = again
		r.ctl.send(msgResend, func(m []byte) []byte { return appendNumber(m, b.index) })
	}
}

// completeLarge finishes a file that has all of its slabs.
func (r *Receiver) completeLarge(it *item) {
	if it.set.Complete() && it.owed == 0 {
		r.finishLarge(it)
	}
}

// finishLarge gives a whole file its metadata. It is closed by the checkpoint
// that makes it durable.
func (r *Receiver) finishLarge(it *item) {
	r.openLarge(it)
	it.finishing = true
	fresh := it.verdict != verdictHave
	var err error
	r.run(func() {
		var f *plant.Sprout
		if f, err = it.large.open(r.bed, r.journal, it); err == nil {
			err = f.Finish(&it.e)
		}
	}, func() {
		if err != nil {
			r.fail(r.diskError("write", it.place.Path, err))
			return
		}
		r.ledger.dirty[it.large] = struct{}{}
		r.ledger.closing = append(r.ledger.closing, it.large)
		it.large = nil
		if it.settled = true; fresh {
			r.settled(it)
		}
		r.line.settle()
	})
}

// takeFailed drops an entry that the sender cannot send any more.
func (r *Receiver) takeFailed(body []byte) *Error {
	f, err := parseFailed(body)
	if err != nil {
		return violation(err.Error())
	}
	it := r.line.find(f.entry)
	if it == nil || !it.judged || !it.comes() || it.settled || it.verdict == verdictRefused {
		return violation("a failure of what was not asked for")
	}
	if it.slabs() == 0 && it.told || it.finishing {
		return violation("a failure of what is here")
	}
	if r.bed == nil {
		return &Error{Kind: f.why.kind, Peer: true, Err: errors.New(f.why.text)}
	}
	r.safe.bytes -= it.got
	r.safe.kept += it.e.Size
	r.expect(it, 0)
	it.verdict = verdictRefused
	r.refuse(it, f.why.text)
	var open []*block
	if it.owed > 0 {
		open = r.asm.opened()
	}
	for _, b := range open {
		if b.ann != nil && b.ann.items[0] == it {
			if b.state != whole {
				it.owed--
			}
			r.asm.kill(b)
		}
	}
	r.drop(it)
	return nil
}

// drop removes a failed file once nothing writes to it any more.
func (r *Receiver) drop(it *item) {
	if it.owed > 0 || it.settled || it.dropping {
		return
	}
	it.dropping = true
	l := it.large
	it.large = nil
	delete(r.ledger.dirty, l)
	var err error
	r.run(func() {
		if l != nil {
			l.close()
		}
		err = r.bed.Drop(it.place.Path)
	}, func() {
		if err != nil {
			r.fail(r.diskError("remove", it.place.Path, err))
			return
		}
		it.settled = true
		r.line.settle()
	})
}

// takeComparison takes the sender's answer to a claim, or its word that what is
// here is not what it has.
func (r *Receiver) takeComparison(typ byte, body []byte) *Error {
	n, err := parseNumber(body)
	if err != nil {
		return violation(err.Error())
	}
	it := r.line.find(n)
	if typ == msgDiffers && (it == nil && n < r.line.base || it != nil && it.verdict == verdictHave) {
		return &Error{Kind: Changed, Err: errors.New("a file changed though its size and time did not"), Do: "{discard}, and begin again"}
	}
	if it == nil || !it.judged || it.next > 0 || it.told || it.settled {
		return violation("a comparison with what is not here")
	}
	switch {
	case typ == msgEqual && it.verdict == verdictClaim:
		r.expect(it, 0)
		r.safe.kept += it.e.Size
		r.line.placed++
		r.bed.Stay(it.place.Path)
		it.settled = true
		r.line.settle()
	case typ == msgDiffers && it.verdict == verdictClaim:
		if r.place.Existing != plant.Overwrite {
			return &Error{Kind: Exists, Path: r.finalPath(it.place.Path)}
		}
		it.verdict = verdictWant
	case typ == msgDiffers && it.verdict == verdictPart:
		r.safe.bytes -= it.got
		r.safe.resumed -= it.got
		it.verdict, it.got = verdictWant, 0
		it.stale, it.wrong = true, true
		it.set = digest.NewSet(it.slabs())
	default:
		return violation("a comparison with what is not here")
	}
	return nil
}
