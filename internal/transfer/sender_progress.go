package transfer

import "qft/internal/digest"

// tally is what the sender's progress counts.
type tally struct {
	files    int64 // whole at the receiver
	kept     int64 // bytes that need not be sent
	resumed  int64
	hashed   int64
	sent     int64
	resent   int64
	file     *sentEntry // the one that was announced last
	root     string
	whole    bool // the receiver has all of it in place
	failures failures
	skipped  failures // what is no file: pipes, sockets, devices
}

// Progress is what can be shown now.
func (s *Sender) Progress() Progress {
	t := &s.tally
	c := s.counted()
	p := Progress{
		Name:      title(s.offer.names, s.offer.items),
		Files:     c.files,
		FilesDone: t.files,
		Size:      c.bytes,
		Counted:   c.final,
		Safe:      s.blocks.safe,
		Resumed:   t.resumed,
		Kept:      t.kept,
		Hashed:    t.hashed,
		Sent:      t.sent,
		Resent:    t.resent,
		Phase:     s.phase,
		Failures:  t.failures.list,
		Failed:    t.failures.count,
		Skipped:   t.skipped.list,
		Sum:       t.root,
		FileSum:   s.proof.text,
	}
	p.Looking = s.tree.judged == 0 && s.tree.list.next() > 0
	if t.whole {
		p.Safe = p.Size - p.Kept
	}
	if t.file != nil {
		p.File = printable(t.file.found.Path, 4*maxName)
	}
	if s.phase == Moving && s.blocks.reads+s.audits.works > 0 && s.ctl.conn.BulkUnsent() == 0 {
		p.Limit = ByDisk
	}
	return p
}

// proof is how the BLAKE3 of a single file comes about, as b3sum prints it.
// Holes count there as zeros, and have to be hashed as such.
type proof struct {
	wanted bool
	text   string      // the result
	set    *digest.Set // of a file with holes: its slabs
	size   int64       // of that file
	holes  []int64     // slabs that are holes, and not in the set
	works  int
}

// proveStep is how many holes are hashed at a time.
const proveStep = 64

// complete reports whether there is nothing to be waited for.
func (p *proof) complete() bool { return len(p.holes) == 0 && p.works == 0 }

func (p *proof) forget() { p.text, p.set, p.holes = "", nil, nil }

// proveFile takes the BLAKE3 of a file, if it is the only one.
func (s *Sender) proveFile(sum digest.Sum) {
	if s.proof.wanted {
		s.proof.text = sumText(sum)
	}
}

// proveSlab takes the digest of a slab, or the mark of a hole.
func (s *Sender) proveSlab(e *sentEntry, i int64, sum digest.Sum) {
	p := &s.proof
	if !p.wanted || !e.found.Sparse {
		return // its slabs say it all
	}
	if p.set == nil {
		p.set, p.size = digest.NewSet(e.large.n), e.size()
	}
	if sum == (digest.Sum{}) {
		p.holes = append(p.holes, i)
		return
	}
	p.set.Put(i, sum)
	s.proven()
}

// proveSlabs takes the digest of a file without holes from those of its slabs.
func (s *Sender) proveSlabs(e *sentEntry) {
	if sum, ok := e.large.set.File(); ok {
		s.proveFile(sum)
	}
}

func (s *Sender) proven() {
	if sum, ok := s.proof.set.File(); ok {
		s.proveFile(sum)
	}
}

// prove hashes holes.
func (s *Sender) prove() {
	p := &s.proof
	if p.works > 0 || len(p.holes) == 0 {
		return
	}
	n := min(len(p.holes), proveStep)
	batch := p.holes[:n:n]
	p.holes = p.holes[n:]
	set, size := p.set, p.size
	sums := make([]digest.Sum, n)
	p.works++
	s.run(func() {
		for k, i := range batch {
			sums[k] = digest.Hole(i, int(min(blockSize, size-i*blockSize)))
		}
	}, func() {
		p.works--
		for k, i := range batch {
			set.Put(i, sums[k])
		}
		if set == p.set {
			s.proven()
		}
	})
}
