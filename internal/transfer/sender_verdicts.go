package transfer

import (
	"fmt"

	"qft/internal/digest"
	"qft/internal/manifest"
)

// maxTold bounds the digests of HAVE that wait for the cache.
const maxTold = 1 << 20

// takeVerdicts takes what becomes of the next entries.
func (s *Sender) takeVerdicts(body []byte) *Error {
	first, runs, err := parseVerdicts(body)
	if err != nil {
		return violation(err.Error())
	}
	t := &s.tree
	if first != t.judged {
		return violation(fmt.Sprintf("verdicts from entry %d on instead of %d", first, t.judged))
	}
	for _, r := range runs {
		for range r.count {
			e := t.list.at(t.judged)
			if e == nil {
				return violation("a verdict on what was not told")
			}
			if why := e.cannotBe(r.verdict); why != "" {
				return violation(why)
			}
			t.judged++
			if e.isFile() {
				t.open -= e.size()
			}
			s.judge(e, r.verdict)
		}
	}
	return nil
}

// cannotBe says why a verdict cannot be that on an entry, given what else the
// receiver told of it.
func (e *sentEntry) cannotBe(v verdict) string {
	told := e.verdict == verdictHave || e.verdict == verdictClaim // see takeHave, takeClaim
	file := e.found.Kind == manifest.File && e.found.Size > 0
	switch v {
	case verdictSame, verdictSkip, verdictRefused:
		if told {
			return "a verdict that contradicts what was told before"
		}
	case verdictMade:
		if file || e.found.Kind == manifest.Stream || told {
			return "bytes that were made of nothing"
		}
	case verdictWant:
		if !file && e.found.Kind != manifest.Stream || told {
			return "something is wanted that has no bytes, or is there"
		}
	case verdictClaim:
		if e.verdict != verdictClaim {
			return "a claim without a digest"
		}
	case verdictHave:
		if e.verdict != verdictHave || e.large != nil && !e.large.set.Complete() {
			return "something is there of which not all was told"
		}
	case verdictPart:
		if slabs(e.size()) == 0 || e.verdict == verdictClaim {
			return "a part of what has no parts"
		}
	}
	return ""
}

// judge begins what a verdict asks for.
func (s *Sender) judge(e *sentEntry, v verdict) {
	switch v {
	case verdictMade:
		s.proveFile(digest.File(nil))
		s.resolve(e, v, digest.Sum{})
	case verdictSame, verdictSkip, verdictRefused:
		if v == verdictRefused {
			s.tally.failures.add(e.found.Path, "cannot be made at the other side")
		}
		s.tally.kept += e.size()
		s.resolve(e, v, digest.Sum{})
	case verdictWant:
		e.verdict = v
		s.want(e)
	default:
		e.verdict = v
		e.state = entryCompared
		if s.sums.usable() {
			s.sums.asks = append(s.sums.asks, e)
			return
		}
		s.compared(e, cacheAnswer{})
	}
}

// compared goes on with an entry that the receiver has something of, after the
// cache was asked.
func (s *Sender) compared(e *sentEntry, a cacheAnswer) {
	if l := e.large; l != nil {
		s.sums.held -= l.release()
	}
	switch {
	case a.differs:
		s.differs(e)
	case e.verdict == verdictClaim && a.known:
		s.equals(e)
	case e.verdict == verdictClaim:
		s.audits.add(e)
	case e.verdict == verdictHave:
		s.settleHave(e)
	default:
		s.want(e)
	}
}

// settleHave settles a file that the receiver has from an earlier transfer.
func (s *Sender) settleHave(e *sentEntry) {
	sum := e.sum
	if e.large != nil {
		sum = e.large.set.Sum()
		s.proveSlabs(e)
	} else {
		s.proveFile(sum)
	}
	s.resolve(e, verdictHave, sum)
}

// equals settles a file of which the receiver has another copy.
func (s *Sender) equals(e *sentEntry) {
	s.proveFile(e.sum)
	s.tally.kept += e.size()
	s.resolve(e, verdictClaim, digest.Sum{})
	s.ctl.send(msgEqual, func(b []byte) []byte { return appendNumber(b, e.n) })
}

// differs has a file sent of which the receiver has something else.
func (s *Sender) differs(e *sentEntry) {
	if e.verdict != verdictClaim {
		had := e.size()
		if e.large != nil {
			had = e.large.had
		}
		s.tally.resumed -= had
		s.blocks.mayTakeBack(had)
	}
	e.verdict, e.sum, e.large = verdictWant, digest.Sum{}, nil
	s.proof.forget()
	s.ctl.send(msgDiffers, func(b []byte) []byte { return appendNumber(b, e.n) })
	s.want(e)
}

// takeHave notes slabs, or a small file, that the receiver has verified in an
// earlier transfer.
func (s *Sender) takeHave(body []byte) *Error {
	h, err := parseHave(body)
	if err != nil {
		return violation(err.Error())
	}
	e, bad := s.unjudged(h.entry)
	if bad != nil {
		return bad
	}
	if e.verdict == verdictClaim {
		return violation("both a claim and something that is had")
	}
	count := int64(len(h.sums))
	if slabs(e.size()) == 0 {
		if e.verdict == verdictHave || h.first != 0 || count != 1 {
			return violation("more of a small file than there is")
		}
		e.verdict, e.sum = verdictHave, h.sums[0]
		s.had(e.size())
		return nil
	}
	l := e.slabs()
	if h.first+count > l.n {
		return violation("slabs that a file does not have")
	}
	e.verdict = verdictHave
	for k, sum := range h.sums {
		i := h.first + int64(k)
		if l.set.Has(i) {
			return violation("a slab twice")
		}
		l.set.Put(i, sum)
		s.proveSlab(e, i, sum)
	}
	bytes := e.slab(h.first+count-1).hi - e.slab(h.first).lo
	l.had += bytes
	s.had(bytes)
	s.hold(l, h)
	return nil
}

// unjudged is an entry with bytes that the receiver may tell something of.
func (s *Sender) unjudged(n int64) (*sentEntry, *Error) {
	e := s.tree.list.at(n)
	if e == nil || n < s.tree.judged {
		return nil, violation("something of an entry that is not to be judged")
	}
	if e.size() == 0 {
		return nil, violation("something of what has no bytes")
	}
	return e, nil
}

// had counts bytes that the receiver has from before.
func (s *Sender) had(bytes int64) {
	s.tally.resumed += bytes
	s.blocks.told += bytes
}

// slabs is what is known of the slabs of a file that has some.
func (e *sentEntry) slabs() *sentSlabs {
	if e.large == nil {
		n := slabs(e.size())
		e.large = &sentSlabs{n: n, set: digest.NewSet(n)}
	}
	return e.large
}

// hold keeps what was told for the cache to compare, if there is room.
func (s *Sender) hold(l *sentSlabs, h have) {
	if !s.sums.usable() || s.sums.held+len(h.sums) > maxTold {
		return
	}
	l.told = append(l.told, h)
	s.sums.held += len(h.sums)
}

// release lets go of what was held, and returns how many digests that was.
func (l *sentSlabs) release() (n int) {
	for _, h := range l.told {
		n += len(h.sums)
	}
	l.told = nil
	return n
}

// takeClaim notes the digest of another copy of a file that the receiver has.
func (s *Sender) takeClaim(body []byte) *Error {
	n, sum, err := parseClaim(body)
	if err != nil {
		return violation(err.Error())
	}
	e, bad := s.unjudged(n)
	if bad != nil {
		return bad
	}
	if e.verdict != verdictWant {
		return violation("a claim on top of what was told before")
	}
	e.verdict, e.sum = verdictClaim, sum
	return nil
}
