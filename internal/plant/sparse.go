package plant

import "errors"

const (
	// sparseUnit is the least that is left out: a block of the usual file systems.
	sparseUnit = 4096
	// pieceShift is the logarithm of the size of the pieces that are told apart
	// to know where there may be something else than zeros: the engine writes in
	// such pieces.
	pieceShift = 17
)

// touch notes that something is written to n bytes.
func (s *Sprout) touch(off, n int64) {
	if s.written == nil || n == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := off >> pieceShift; i <= (off+n-1)>>pieceShift; i++ {
		s.written[i/64] |= 1 << (i % 64)
	}
}

// isWorn reports whether there may be something else than zeros in n bytes.
func (s *Sprout) isWorn(off, n int64) bool {
	if s.written == nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	lo, hi := off>>pieceShift, (off+n-1)>>pieceShift
	in := func(group int64) bool {
		bits := s.written[group]
		bits &= ^uint64(0) << max(lo-group*64, 0)
		bits &= ^uint64(0) >> max(group*64+63-hi, 0)
		return bits != 0
	}
	if hi/64-lo/64 > int64(len(s.written)) { // a hole far larger than what was written
		for group := range s.written {
			if group >= lo/64 && group <= hi/64 && in(group) {
				return true
			}
		}
		return false
	}
	for group := lo / 64; group <= hi/64; group++ {
		if in(group) {
			return true
		}
	}
	return false
}

// WriteSparse is WriteAt but leaves holes where p is zero.
func (s *Sprout) WriteSparse(p []byte, off int64) (int, error) {
	worn := s.isWorn(off, int64(len(p)))
	for done := 0; done < len(p); {
		n, zero := stretch(p[done:], off+int64(done))
		var err error
		switch {
		case !zero:
			_, err = s.WriteAt(p[done:done+n], off+int64(done))
		case worn:
			err = s.clear(off+int64(done), int64(n))
		}
		if err != nil {
			return done, err
		}
		done += n
	}
	return len(p), nil
}

// stretch is how many bytes at the start of p, which lies at off, are units of
// zeros, or units of something else.
func stretch(p []byte, off int64) (n int, zero bool) {
	for n < len(p) {
		unit := min(sparseUnit-int((off+int64(n))%sparseUnit), len(p)-n)
		z := isZero(p[n : n+unit])
		if n == 0 {
			zero = z
		} else if z != zero {
			break
		}
		n += unit
	}
	return n, zero
}

func isZero(p []byte) bool {
	for _, c := range p {
		if c != 0 {
			return false
		}
	}
	return true
}

// Hole makes n bytes zero, without space where the file system can do so.
func (s *Sprout) Hole(off, n int64) error {
	if n == 0 || !s.isWorn(off, n) {
		return nil
	}
	return s.clear(off, n)
}

func (s *Sprout) clear(off, n int64) error {
	err := s.f.Punch(off, n)
	if !errors.Is(err, errors.ErrUnsupported) {
		return fail("write", s.b.show(s.p), err)
	}
	zeros := make([]byte, min(n, 1<<20))
	for n > 0 {
		c := min(n, int64(len(zeros)))
		if _, err := s.WriteAt(zeros[:c], off); err != nil {
			return err
		}
		off, n = off+c, n-c
	}
	return nil
}
