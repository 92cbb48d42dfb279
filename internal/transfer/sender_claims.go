package transfer

import (
	"context"
	"slices"

	"qft/internal/digest"
	"qft/internal/walk"
)

const (
	// maxAudits is how many works compare files with claims: fewer than there
	// are workers, so that what is sent meanwhile does not wait for them.
	maxAudits = 2
	// An audit takes so many small files, or slabs of a large one, at a time.
	auditFiles = 64
	auditSlabs = 16
	// auditReserve is how many buffers are left to what is sent.
	auditReserve = 3
)

// audits are the files that are hashed because the receiver claims to have
// them. They are read beside those that are sent, and not in turn: what is equal
// never takes a turn.
type audits struct {
	small []*sentEntry
	large []*audit
	works int
}

// audit is a large file of which some has been hashed.
type audit struct {
	e    *sentEntry
	tree digest.Tree
	next int64
}

func (a *audits) add(e *sentEntry) {
	if slabs(e.size()) == 0 {
		a.small = append(a.small, e)
		return
	}
	a.large = append(a.large, &audit{e: e})
}

// audit starts to hash what is claimed.
func (s *Sender) audit() {
	a := &s.audits
	for a.works < maxAudits && len(a.small)+len(a.large) > 0 {
		buf := s.cache.blocks.take(auditReserve)
		if buf == nil {
			return
		}
		a.works++
		if len(a.small) > 0 {
			s.auditSmall(buf)
		} else {
			s.auditLarge(buf)
		}
	}
}

// auditSmall hashes some small files.
func (s *Sender) auditSmall(buf []byte) {
	a := &s.audits
	n := min(len(a.small), auditFiles)
	batch := a.small[:n:n]
	a.small = a.small[n:]
	sums := make([]digest.Sum, n)
	errs := make([]error, n)
	s.run(func() {
		for k, e := range batch {
			if errs[k] = s.ctx.Err(); errs[k] == nil {
				sums[k], errs[k] = hashFile(e.found, buf[:e.size()])
			}
		}
	}, func() {
		s.audited(buf)
		for k, e := range batch {
			if errs[k] != nil {
				s.drop(e, sourceError(e.found.Path, errs[k]))
				continue
			}
			s.tally.hashed += e.size()
			s.sums.note(e, 0, sums[k])
			s.answerClaim(e, sums[k])
		}
	})
}

// auditLarge hashes some slabs of a large file.
func (s *Sender) auditLarge(buf []byte) {
	a := &s.audits
	x := a.large[0]
	a.large = a.large[1:]
	file := s.files.take(x.e)
	first := x.next
	var sums []digest.Sum
	var err error
	s.run(func() { sums, err = x.hash(s.ctx, file, buf) }, func() {
		s.files.give(file)
		s.audited(buf)
		if err != nil {
			s.drop(x.e, sourceError(x.e.found.Path, err))
			return
		}
		for k, sum := range sums {
			i := first + int64(k)
			s.tally.hashed += x.e.slab(i).hi - x.e.slab(i).lo
			s.sums.note(x.e, i, sum)
		}
		if x.next < slabs(x.e.size()) {
			a.large = slices.Insert(a.large, 0, x) // its file is open
			return
		}
		s.answerClaim(x.e, x.tree.Sum())
	})
}

// audited gives back what a work had.
func (s *Sender) audited(buf []byte) {
	s.audits.works--
	s.cache.blocks.give(buf)
}

// answerClaim tells the receiver whether its claim is right.
func (s *Sender) answerClaim(e *sentEntry, sum digest.Sum) {
	switch {
	case s.phase >= Telling:
	case sum == e.sum:
		s.equals(e)
	default:
		s.differs(e)
	}
}

// hash is work: it hashes the next slabs.
func (x *audit) hash(ctx context.Context, file *openFile, buf []byte) (sums []digest.Sum, err error) {
	for n := slabs(x.e.size()); x.next < n && len(sums) < auditSlabs; x.next++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		at := x.e.slab(x.next)
		sum, err := file.readSlab(buf[:at.hi-at.lo], x.next)
		if err != nil {
			return nil, err
		}
		x.tree.Add(sum)
		sums = append(sums, sum)
	}
	return sums, nil
}

// hashFile is work: it reads a small file, whose bytes fill buf, and hashes it.
func hashFile(found walk.Found, buf []byte) (digest.Sum, error) {
	f, err := walk.Open(found)
	if err != nil {
		return digest.Sum{}, err
	}
	defer f.Close()
	sum, err := digest.Whole(buf, func(piece []byte, at int64) error {
		_, err := f.ReadAt(piece, at)
		return err
	})
	if err != nil {
		return digest.Sum{}, err
	}
	return sum, f.Unchanged()
}
