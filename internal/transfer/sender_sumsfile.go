package transfer

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/zeebo/blake3"

	"qft/internal/digest"
	"qft/internal/journal"
	"qft/internal/statefile"
)

var errNoCache = errors.New("not a cache, or in use")

// open opens the file, if that was not done.
func (c *sumCache) open() error {
	if c.journal != nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(c.path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(c.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	j, err := openSums(f)
	if err != nil {
		f.Close()
		return err
	}
	c.journal = j
	return nil
}

func openSums(f *os.File) (*journal.Journal, error) {
	if free, err := statefile.TryLock(f); err != nil || !free || !statefile.Locks {
		return nil, errNoCache
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNoCache
	}
	// Resume would cut the end of what a receiver is just writing.
	start := make([]byte, min(info.Size(), int64(journal.MaxHeader)))
	if _, err := io.ReadFull(f, start); err != nil {
		return nil, err
	}
	if head, err := journal.ReadHead(start); err == nil && string(head) != sumsHead {
		return nil, errNoCache
	}
	j, err := journal.Resume(f)
	if errors.Is(err, journal.ErrEmpty) || err == nil && info.Size() > maxSumsFile {
		return journal.Create(f, []byte(sumsHead))
	}
	return j, err
}

// close closes the file. No work of the cache may be under way.
func (c *sumCache) close() {
	if c.journal != nil {
		c.journal.Close()
		c.journal = nil
	}
	c.broken = true
}

// sumsID is what a file is known by.
func sumsID(e *sentEntry) journal.ID {
	f := &e.found
	path, err := filepath.Abs(f.Path)
	if err != nil {
		path = f.Path
	}
	b := append(make([]byte, 0, 256), path...)
	b = append(b, 0) // no path has a NUL in it
	for _, v := range []uint64{uint64(f.Size), uint64(f.Sec), uint64(f.Nsec), f.Inode.Dev, f.Inode.Ino, uint64(f.Inode.Ctime)} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	sum := blake3.Sum256(b)
	return journal.ID(sum[:16])
}

// look is work: it compares what the receiver has of a file with what is in the
// cache.
func look(j *journal.Journal, e *sentEntry) cacheAnswer {
	n := max(slabs(e.size()), 1)
	if n > maxCompared {
		return cacheAnswer{}
	}
	runs, err := j.Find(sumsID(e))
	if err != nil || len(runs) == 0 {
		return cacheAnswer{}
	}
	mine := spread(runs, n)
	if e.verdict == verdictClaim {
		return lookClaim(mine, e)
	}
	told := []have{{sums: []digest.Sum{e.sum}}}
	if e.large != nil {
		told = e.large.told
	}
	for _, h := range told {
		for k, sum := range h.sums {
			m := mine[h.first+int64(k)]
			if m != (digest.Sum{}) && sum != (digest.Sum{}) && m != sum {
				return cacheAnswer{differs: true}
			}
		}
	}
	return cacheAnswer{}
}

// lookClaim compares with the digest of the whole file.
func lookClaim(mine []digest.Sum, e *sentEntry) cacheAnswer {
	var tree digest.Tree
	for _, sum := range mine {
		if sum == (digest.Sum{}) {
			return cacheAnswer{} // it does not have all
		}
		tree.Add(sum)
	}
	whole := mine[0]
	if len(mine) > 1 {
		whole = tree.Sum()
	}
	return cacheAnswer{known: whole == e.sum, differs: whole != e.sum}
}

// spread is the digests of n slabs; zero stands for one that is not known.
func spread(runs []journal.Run, n int64) []digest.Sum {
	all := make([]digest.Sum, n)
	for _, r := range runs {
		if r.First < n {
			copy(all[r.First:], r.Sums)
		}
	}
	return all
}

// keep is work: it adds what is not in the cache yet.
func keep(j *journal.Journal, notes []note) error {
	var runs []journal.Run
	for _, n := range notes {
		if n.e.cached {
			continue
		}
		id := sumsID(n.e)
		if n.first == 0 && has(j, id, max(slabs(n.e.size()), 1)) {
			n.e.cached = true
			continue
		}
		runs = append(runs, journal.Run{ID: id, First: n.first, Sums: n.sums})
	}
	return j.AppendLazily(runs)
}

// has reports whether the cache has all n slabs of a file.
func has(j *journal.Journal, id journal.ID, n int64) bool {
	runs, err := j.Find(id)
	if err != nil {
		return false
	}
	seen := int64(0)
	for _, r := range runs {
		seen += int64(len(r.Sums))
	}
	return seen >= n
}
