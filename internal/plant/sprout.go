package plant

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path"
	"sync"

	"github.com/zeebo/blake3"

	"qft/internal/manifest"
)

// Sprout is a large file that grows in a bed, block by block in any order.
// Until Finish it has a hidden name that tells which version of the file it
// is: what an earlier run has left of another version is never taken for part
// of this one. WriteAt, WriteSparse, Hole, ReadAt and Datasync may be called
// by several goroutines at once.
type Sprout struct {
	b    *Bed
	f    File
	p    string          // the handle
	name string          // in its directory, now
	worn bool            // it has content that this Sprout did not write
	done *manifest.Entry // once it is finished

	mu      sync.Mutex
	written map[int64]uint64 // of a sparse file, bits of the pieces that were written to; nil: of none
}

const (
	// sparseUnit is the least that is left out: a block of the usual file systems.
	sparseUnit = 4096
	// pieceShift is the logarithm of the size of the pieces that are told apart
	// to know where there may be something else than zeros: the engine writes in
	// such pieces.
	pieceShift = 17
)

// sproutName is the name of an unfinished file: a mark for its path and one
// for its version.
func sproutName(p string, e *manifest.Entry) string {
	version := manifest.Key(p, e)
	return strayMark(p) + hex.EncodeToString(version[:8]) + bedSuffix
}

func strayMark(p string) string {
	sum := blake3.Sum256([]byte(p))
	return "." + hex.EncodeToString(sum[:4])
}

// OpenFile makes a large file or goes on with one. It has its full length at
// once, and unless it is Sparse the space for it, so that a full disk is told
// before a byte comes. The content of a new one is zeros; what is in one that
// an earlier run has left only the journal knows.
func (b *Bed) OpenFile(p string, e *manifest.Entry) (*Sprout, error) {
	d, err := b.grow(parent(p))
	if err != nil {
		return nil, fail("create", b.show(p), err)
	}
	defer b.data.done(d)
	s := &Sprout{b: b, p: p, name: sproutName(p, e)}
	if err := s.open(d, path.Base(p), e); err != nil {
		return nil, fail("create", b.show(p), err)
	}
	if e.Sparse && !s.worn {
		s.written = make(map[int64]uint64)
	}
	if e.Kind == manifest.File {
		if err := s.f.Allot(e.Size, e.Sparse); err != nil {
			return nil, s.abandon(d, e, err)
		}
	}
	b.keepPath(p)
	b.mu.Lock()
	b.growing[p] = s.name
	b.wet.dir(parent(p))
	b.mu.Unlock()
	return s, nil
}

// open finds what an earlier run has left of this version, whether unfinished
// or complete but not vouched for, or makes a new file.
func (s *Sprout) open(d *dir, final string, e *manifest.Entry) (err error) {
	s.worn = true
	if s.f, err = d.OpenFile(s.name, os.O_RDWR); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if what, err := s.b.lookData(e, s.p); err != nil {
		return err
	} else if what == Kept {
		if err := d.Rename(final, d.FS, s.name); err != nil {
			return err
		}
		d.Chmod(s.name, 0o600) // it may be one that its owner cannot write to
		s.f, err = d.OpenFile(s.name, os.O_RDWR)
		return err
	}
	s.worn = false
	if err := s.b.weed(s.p); err != nil {
		return err
	}
	s.f, err = d.OpenFile(s.name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	return err
}

// abandon gives up a file for which there is no space.
func (s *Sprout) abandon(d *dir, e *manifest.Entry, cause error) error {
	have := int64(0)
	if info, err := s.f.Stat(); err == nil && s.worn {
		have = allocated(info)
	}
	s.f.Close()
	if !s.worn {
		d.Remove(s.name)
	}
	return s.b.full(e.Size-have, fail("reserve space for", s.b.show(s.p), cause))
}

// WriteAt writes content.
func (s *Sprout) WriteAt(p []byte, off int64) (int, error) {
	s.touch(off, int64(len(p)))
	n, err := s.f.WriteAt(p, off)
	if err != nil {
		err = s.b.full(int64(len(p)-n), fail("write", s.b.show(s.p), err))
	}
	return n, err
}

// ReadAt reads what was written.
func (s *Sprout) ReadAt(p []byte, off int64) (int, error) { return s.f.ReadAt(p, off) }

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

// Datasync makes what was written durable, and the file's name as well; after
// Finish also its mode and time.
func (s *Sprout) Datasync() error {
	sync := s.f.Datasync
	if s.done != nil {
		sync = s.f.Sync
	}
	err := sync()
	if err == nil {
		err = s.b.anchor(s.p)
	}
	return fail("write", s.b.show(s.p), err)
}

// Finish gives the complete file its mode, time and name. e is its entry, of a
// Stream with the size that it had in the end. A Datasync that follows makes
// that durable.
func (s *Sprout) Finish(e *manifest.Entry) error {
	if err := s.finish(e); err != nil {
		return fail("write", s.b.show(s.p), err)
	}
	done := *e
	s.done = &done
	return nil
}

func (s *Sprout) finish(e *manifest.Entry) error {
	info, err := s.f.Stat()
	if err != nil {
		return err
	}
	if info.Size() != e.Size {
		if err := s.f.Truncate(e.Size); err != nil {
			return err
		}
	}
	if err := s.b.dress(s.f, e, s.p); err != nil {
		return err
	}
	return s.b.data.within(s.p, func(d *dir, name string) error {
		if err := s.b.setTime(d, s.name, e, s.p); err != nil {
			return err
		}
		if info, err := d.Lstat(name); err == nil && info.IsDir() { // of an earlier manifest
			if err := removeAll(d, name); err != nil {
				return err
			}
		}
		if err := d.Rename(s.name, d.FS, name); err != nil {
			return err
		}
		s.name = name
		s.b.mu.Lock()
		defer s.b.mu.Unlock()
		delete(s.b.growing, s.p)
		s.b.wet.dir(parent(s.p))
		return nil
	})
}

// Close lets go of the file. What was written stays.
func (s *Sprout) Close() error {
	err := s.f.Close()
	if s.done != nil && lateTimes {
		err = errors.Join(err, s.b.data.within(s.p, func(d *dir, name string) error {
			return s.b.setTime(d, name, s.done, s.p)
		}))
	}
	return fail("write", s.b.show(s.p), err)
}
