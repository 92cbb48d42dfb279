package transfer

import (
	"qft/internal/digest"
	"qft/internal/manifest"
)

// holeStep bounds the slabs of a hole that are told at once, and so how long
// the loop is busy with it.
const holeStep = 1 << 14

// plan is what is to be read, in the order in which it was asked for: small
// files, which are packed together, and large ones, slab by slab.
type plan struct {
	again   []*parcel
	small   []*sentEntry
	large   []*sentEntry
	mapping bool // holes of the first large one are looked for
}

// resends reports whether blocks wait to be read again.
func (p *plan) resends() bool { return len(p.again) > 0 }

// part is a range of an entry's bytes in a block.
type part struct {
	e      *sentEntry
	off, n int64
}

// want plans to send what the receiver does not have of an entry.
func (s *Sender) want(e *sentEntry) {
	e.state = entryWanted
	switch {
	case e.found.Kind == manifest.Stream:
		s.feed.wanted = true
	case slabs(e.size()) == 0:
		s.plan.small = append(s.plan.small, e)
	case e.slabs().set.Complete():
		s.completeSlabs(e)
	default:
		s.plan.large = append(s.plan.large, e)
	}
}

// nextParcel is what to read next, or nil if there is nothing now. idle says
// that the network waits.
func (s *Sender) nextParcel(idle bool) *parcel {
	p := &s.plan
	if len(p.again) > 0 {
		old := p.again[0]
		p.again = p.again[1:]
		return old
	}
	for len(p.large) > 0 && p.large[0].state != entryWanted {
		p.popLarge() // failed
	}
	switch {
	case len(p.small) > 0 && (len(p.large) == 0 || p.small[0].n < p.large[0].n):
		return s.nextPack(idle || len(p.large) > 0)
	case len(p.large) > 0:
		return s.nextSlab(p.large[0])
	}
	return nil
}

// nextPack is a pack of the small files that come next. One that is not full
// waits for more, unless it is now or nothing more will come.
func (s *Sender) nextPack(now bool) *parcel {
	list := s.plan.small
	var size int64
	n := 0
	for n < len(list) && n < maxFiles && size+list[n].size() <= blockSize {
		size += list[n].size()
		n++
	}
	full := n < len(list) || n == maxFiles
	last := s.tree.ended && s.tree.judged == s.tree.list.next()
	if !full && !now && !last {
		return nil
	}
	p := &parcel{parts: make([]part, n)}
	for k, e := range list[:n] {
		p.parts[k] = part{e, 0, e.size()}
	}
	clear(list[:n])
	s.plan.small = list[n:]
	return p
}

// nextSlab is the next slab of a large file that the receiver does not have, or
// the next hole.
func (s *Sender) nextSlab(e *sentEntry) *parcel {
	l := e.large
	l.skip()
	var p *parcel
	n := int64(0)
	if e.found.Sparse {
		if !s.mapped(e) {
			return nil
		}
		n = l.hole()
	}
	if n > 0 {
		p = s.takeHole(e, n)
	} else {
		at := e.slab(l.next)
		p = &parcel{parts: []part{{e, at.lo, at.hi - at.lo}}}
		l.next++
	}
	if l.skip(); l.next == l.n {
		s.plan.popLarge()
	}
	return p
}

func (p *plan) popLarge() {
	p.large[0] = nil
	p.large = p.large[1:]
}

// skip goes past slabs that the receiver has.
func (l *sentSlabs) skip() {
	for l.next < l.n && l.set.Has(l.next) {
		l.next++
	}
}

// hole is how many slabs from next on have no data and are not at the receiver.
func (l *sentSlabs) hole() (n int64) {
	for len(l.data) > 0 && l.data[0].hi <= l.next*blockSize {
		l.data = l.data[1:]
	}
	end := l.n
	if len(l.data) > 0 {
		end = l.data[0].lo / blockSize
	}
	for n < holeStep && l.next+n < end && !l.set.Has(l.next+n) {
		n++
	}
	return n
}

// takeHole takes n slabs without data.
func (s *Sender) takeHole(e *sentEntry, n int64) *parcel {
	l := e.large
	for i := l.next; i < l.next+n; i++ {
		l.set.Put(i, digest.Sum{})
		s.proveSlab(e, i, digest.Sum{})
	}
	p := &parcel{parts: []part{{e, l.next * blockSize, 0}}, hole: n, ready: true}
	l.next += n
	if l.set.Complete() {
		s.completeSlabs(e)
	}
	return p
}

// mapped reports whether it is known where the data of the next slab is. If it
// is not, that is being looked for.
func (s *Sender) mapped(e *sentEntry) bool {
	l := e.large
	at := e.slab(l.next)
	if at.hi <= l.mapped {
		return true
	}
	if s.plan.mapping {
		return false
	}
	s.plan.mapping = true
	file := s.files.take(e)
	from := max(l.mapped, at.lo)
	var data []region
	var mapped int64
	var err error
	s.run(func() { data, mapped, err = file.regions(from) }, func() {
		s.plan.mapping = false
		s.files.give(file)
		switch {
		case err != nil:
			s.drop(e, sourceError(e.found.Path, err))
		case e.large != nil:
			l.data = append(l.data, data...)
			l.mapped = mapped
		}
	})
	return e.large != nil && at.hi <= l.mapped // if it ran in place
}

// completeSlabs settles a file whose slabs are all known.
func (s *Sender) completeSlabs(e *sentEntry) {
	sum := e.large.set.Sum()
	s.proveSlabs(e)
	s.resolve(e, e.verdict, sum)
}
